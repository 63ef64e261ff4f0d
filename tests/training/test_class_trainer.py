"""Training of several classes with softmax loss, against the reference."""

import numpy as np
import pytest
from class_reference import class_objective, class_objective_gradients, class_scores
from reference import adam_step
from scipy import sparse

import sparsefm as fm
from sparsefm import _core
from sparsefm.data.csr import as_csr
from sparsefm.data.dataset import Dataset
from sparsefm.data.plan import Plan
from sparsefm.losses import Softmax
from sparsefm.training.class_state import ClassState
from sparsefm.training.trainer import Trainer

L2 = {"l2_linear": 0.01, "l2_factors": 0.02}
ADAM = {"learning_rate": 0.01, "epsilon": 1e-4, **L2}
OPTIMIZERS = {
    "lazy": fm.Adam(updates="lazy", **ADAM),
    "exact": fm.Adam(updates="exact", **ADAM),
    "adagrad": fm.AdaGrad(learning_rate=0.1, initial_accumulator=0.5, **L2),
}


def problem(n=90, d=7, classes=3, rank=2, ones=False, seed=0):
    """Draw rows, classes, weights and parameters; no row has the last feature."""
    rng = np.random.default_rng(seed)
    X = (rng.random((n, d)) < 0.5) * (1.0 if ones else rng.normal(size=(n, d)))
    X[:, 0] = 1.0 if ones else rng.uniform(0.5, 1, n)
    X[:, -1] = 0
    y = rng.integers(0, classes, n)
    parameters = (
        rng.normal(size=classes),
        0.3 * rng.normal(size=(d, classes)),
        0.5 * rng.normal(size=(d, rank)),
        rng.normal(size=(classes, rank)),
    )
    return X, y, rng.uniform(0.5, 2, n), parameters


def state_of(parameters, optimizer, dtype="float64"):
    w0, w, V, U = (np.asarray(part, dtype) for part in parameters)
    state = ClassState.begin(len(w), w0, V.shape[1], optimizer, 0)
    state.set_parameters(w0, w, V, U)
    return state


def parameters_of(state):
    return state.w0, state.w, state.V, state.U


def trained(X, y, parameters, optimizer, batch_size, epochs, weights=None, threads=1):
    """Return the state after some epochs of batches in order, and the loss of each epoch."""
    state = state_of(parameters, optimizer)
    dtype = np.dtype("float64")
    weights = None if weights is None else weights.astype(dtype)
    dataset = Dataset.of(as_csr(X, dtype), y, (y.astype(dtype),), weights)
    plan = Plan(dataset, batch_size, None, threads)
    trainer = Trainer(state, Softmax(), optimizer, threads=threads)
    losses = []
    for _ in range(epochs):
        total = 0.0
        for segment in plan.segments(plan.order_of(None)):
            total = trainer.run(plan, dataset.targets[0], segment, total)
        losses.append(total / plan.total_weight)
    return state, losses


def reference_steps(X, y, start, name, batch_size, epochs, weights=None):
    """Return the parameters after the same steps in NumPy, and the loss of each epoch."""
    optimizer = OPTIMIZERS[name]
    parameters = [np.array(part, np.float64) for part in start]
    moments = [
        [np.full_like(part, value) for value in optimizer._moment_starts] for part in parameters
    ]
    losses, t = [], 0
    for _ in range(epochs):
        total = 0.0
        for begin in range(0, len(y), batch_size):
            part = slice(begin, begin + batch_size)
            r = None if weights is None else weights[part]
            batch = (X[part], y[part], *parameters, r)
            mass = len(y[part]) if r is None else r.sum()
            total += mass * class_objective(*batch)
            gradients = class_objective_gradients(*batch, **L2)
            t += 1
            touched = np.flatnonzero(X[part].any(axis=0)) if name == "lazy" else ...
            for number, (theta, gradient) in enumerate(zip(parameters, gradients, strict=True)):
                where = touched if number in (1, 2) else ...
                old, more = theta[where], [moment[where] for moment in moments[number]]
                if name == "adagrad":
                    summed = len(y[part]) * gradient[where]
                    more[0] = more[0] + summed**2
                    old = old - optimizer.learning_rate * summed / np.sqrt(more[0])
                else:
                    rates = (optimizer.learning_rate, 0.9, 0.999, optimizer.epsilon)
                    adam_step(old, gradient[where], *more, t, *rates)
                theta[where] = old
                for moment, value in zip(moments[number], more, strict=True):
                    moment[where] = value
        losses.append(total / (len(y) if weights is None else weights.sum()))
    return parameters, losses


def test_the_reference_has_the_gradient_of_its_objective():
    X, y, r, parameters = problem(n=12)
    for weights in (None, r):
        gradients = class_objective_gradients(X, y, *parameters, weights, **L2)
        for number, gradient in enumerate(gradients):
            for place in np.ndindex(gradient.shape):
                ends = []
                for step in (1e-6, -1e-6):
                    moved = [part.copy() for part in parameters]
                    moved[number][place] += step
                    ends.append(class_objective(X, y, *moved, weights, **L2))
                assert gradient[place] == pytest.approx((ends[0] - ends[1]) / 2e-6, abs=1e-8)


@pytest.mark.parametrize("rank", [0, 1, 5, 8, 11])
@pytest.mark.parametrize("classes", [2, 3, 8, 9, 20])
def test_scores(rank, classes):
    X, _, _, parameters = problem(classes=classes, rank=rank)
    state = state_of(parameters, fm.Adam())
    for threads in (1, 3):
        scores = state.scores(as_csr(X, np.dtype("float64")), threads)
        np.testing.assert_allclose(scores, class_scores(X, *parameters), rtol=1e-12, atol=1e-12)
    single = state_of(parameters, fm.Adam(), "float32")
    scores = single.scores(as_csr(X, np.dtype("float32")))
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, class_scores(X, *parameters), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ones", [False, True])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_are_those_of_the_reference(name, ones, weighted):
    X, y, r, start = problem(ones=ones)
    weights = r if weighted else None
    expected, losses = reference_steps(X, y, start, name, 20, 3, weights)
    for threads in (1, 3):
        state, found = trained(X, y, start, OPTIMIZERS[name], 20, 3, weights, threads)
        np.testing.assert_allclose(found, losses, rtol=1e-12)
        for part, wanted in zip(parameters_of(state), expected, strict=True):
            np.testing.assert_allclose(part, wanted, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize(("classes", "rank"), [(2, 1), (9, 0), (11, 9)])
def test_steps_for_other_sizes(name, classes, rank):
    X, y, _, start = problem(n=900, d=12, classes=classes, rank=rank, seed=1)
    expected, losses = reference_steps(X, y, start, name, 700, 2)  # more rows than a partial sum
    state, found = trained(X, y, start, OPTIMIZERS[name], 700, 2)
    np.testing.assert_allclose(found, losses, rtol=1e-12)
    for part, wanted in zip(parameters_of(state), expected, strict=True):
        np.testing.assert_allclose(part, wanted, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_padding_stays_as_it_is(name):
    X, y, _, start = problem()
    optimizer = OPTIMIZERS[name]
    state, _ = trained(X, y, start, optimizer, 20, 3)
    fresh = ClassState.begin(7, start[0], 2, optimizer, 0)
    assert (state.bias[0, 3:] == -np.inf).all()
    for part, before in ((state.vectors, fresh.vectors), (state.blocks, fresh.blocks)):
        assert (part[:, 0, -6:] == before[:, 0, -6:]).all()
        assert not part[:, 0, -6:].any()


def test_the_same_bits_on_any_number_of_threads():
    X, y, _, start = problem(n=3000, d=40, classes=12, rank=9)
    for name in OPTIMIZERS:
        one, losses = trained(X, y, start, OPTIMIZERS[name], 1000, 2)
        for threads in (2, 5):
            other, found = trained(X, y, start, OPTIMIZERS[name], 1000, 2, threads=threads)
            assert found == losses
            for part, wanted in zip(parameters_of(other), parameters_of(one), strict=True):
                assert np.array_equal(part, wanted)


@pytest.mark.parametrize("scale", [50, 800, 1e4])
def test_large_scores(scale):
    X, y, _, start = problem()
    start = [scale * part for part in start[:2]] + list(start[2:])
    state, losses = trained(X, y, start, fm.AdaGrad(learning_rate=0.1), 20, 1)
    assert np.isfinite(losses).all()
    assert state.is_finite()
    np.testing.assert_allclose(losses, reference_steps(X, y, start, "adagrad", 90, 1)[1], rtol=0.5)


def test_what_is_shared_by_all_classes_does_not_matter():
    X, _, _, (w0, w, V, U) = problem(rank=3)
    state = state_of((w0, w, V, U), fm.Adam())
    matrix = as_csr(X, np.dtype("float64"))
    before = Softmax().log_probabilities(state.scores(matrix))
    state.fix_scores()
    assert (state.U.min(axis=0) == 0).all()
    after = Softmax().log_probabilities(state.scores(matrix))
    np.testing.assert_allclose(after, before, rtol=1e-12, atol=1e-13)
    for c in range(3):  # each class has an ordinary model
        model = fm.Model(state.w0[c], state.w[:, c], state.factors_of(c))
        np.testing.assert_allclose(model.score(X), state.scores(matrix)[:, c], atol=1e-12)


def test_arrays_that_do_not_fit_are_refused():
    X, y, _, start = problem()
    state = state_of(start, fm.Adam())
    matrix = as_csr(X, np.dtype("float64"))
    scores = np.empty((len(X), 3))
    with pytest.raises(ValueError, match="scores"):
        _core.class_scores(scores[:, :2].copy(), matrix, 0, state.bias, state.vectors,
                           state.blocks, 1)  # fmt: skip
    with pytest.raises(ValueError, match="no such rows"):
        _core.class_scores(scores, matrix, 1, state.bias, state.vectors, state.blocks, 1)
    narrow = as_csr(X[:, :-1], np.dtype("float64"))
    with pytest.raises(ValueError, match="other features"):
        _core.class_scores(scores, narrow, 0, state.bias, state.vectors, state.blocks, 1)
    with pytest.raises(ValueError, match="must have shape"):
        _core.Trainer(
            _core.described(fm.Adam()), state.bias, state.vectors[:, :2].copy(), state.blocks, 1
        )
    with pytest.raises(ValueError, match="other moments"):
        _core.Trainer(_core.described(fm.AdaGrad()), state.bias, state.vectors, state.blocks, 1)
    with pytest.raises(ValueError, match="multiples of 8"):
        _core.Trainer(
            _core.described(fm.Adam()), state.bias[:, :4].copy(), state.vectors, state.blocks, 1
        )
    dataset = Dataset.of(matrix, y, (y.astype(float),))
    plan = Plan(dataset, 20, None, 1)
    order = plan.order_of(None)
    list(plan.segments(order))
    trainer = Trainer(state, Softmax(), fm.Adam(), threads=1)
    for wrong in (-1.0, 3.0, np.nan):
        targets = dataset.targets[0].copy()
        targets[5] = wrong
        with pytest.raises(ValueError, match="numbers of classes"):
            trainer.run(plan, targets, order, 0.0)


def test_a_dense_and_a_sparse_matrix_are_the_same():
    X, y, _, start = problem()
    one, _ = trained(X, y, start, OPTIMIZERS["lazy"], 20, 1)
    other, _ = trained(sparse.csr_matrix(X), y, start, OPTIMIZERS["lazy"], 20, 1)
    assert np.array_equal(one.blocks, other.blocks)
