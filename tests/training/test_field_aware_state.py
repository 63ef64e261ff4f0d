"""Field-aware machines: scores and training, against the reference."""

import pickle

import numpy as np
import pytest
from field_reference import (
    aware_objective,
    aware_objective_gradients,
    aware_scores,
    reference_steps,
)

import sparsefm as fm
from sparsefm import _core
from sparsefm.data.csr import as_csr
from sparsefm.data.dataset import Dataset
from sparsefm.data.plan import Plan
from sparsefm.losses import LOSSES
from sparsefm.training.field_aware_state import FieldAwareState
from sparsefm.training.hyperparameters import Hyperparameters
from sparsefm.training.trainer import Trainer

L2 = {"l2_linear": 0.01, "l2_factors": 0.02}
ADAM = {"learning_rate": 0.01, "epsilon": 1e-4, **L2}
OPTIMIZERS = {
    "lazy": fm.Adam(updates="lazy", **ADAM),
    "exact": fm.Adam(updates="exact", **ADAM),
    "adagrad": fm.AdaGrad(learning_rate=0.1, initial_accumulator=0.5, **L2),
}


def problem(n=60, d=11, n_fields=4, rank=2, ones=False, seed=0):
    """Draw rows with several features of a field, and parameters; no row has the last feature."""
    rng = np.random.default_rng(seed)
    X = (rng.random((n, d)) < 0.5) * (1.0 if ones else rng.normal(size=(n, d)))
    X[:, 0] = 1.0 if ones else rng.uniform(0.5, 1, n)
    X[:, -1] = 0
    fields = np.r_[np.arange(n_fields), rng.integers(0, n_fields, d - n_fields)].astype(np.int32)
    V = 0.5 * rng.normal(size=(d, n_fields, rank))
    parameters = rng.normal(), 0.3 * rng.normal(size=d), V
    return X, rng.integers(0, 2, n).astype(float), fields, rng.uniform(0.5, 2, n), parameters


def one_hot(n=60, n_fields=4, size=3, rank=2, seed=0):
    """Draw rows with one feature of each field; the factors for a feature's own field are zero."""
    rng = np.random.default_rng(seed)
    fields = np.repeat(np.arange(n_fields), size).astype(np.int32)
    X = np.zeros((n, len(fields)))
    chosen = rng.integers(0, size, (n, n_fields)) + np.arange(n_fields) * size
    X[np.arange(n)[:, None], chosen] = 1
    V = 0.5 * rng.normal(size=(len(fields), n_fields, rank))
    V[np.arange(len(fields)), fields] = 0
    parameters = rng.normal(), 0.3 * rng.normal(size=len(fields)), V
    return X, rng.integers(0, 2, n).astype(float), fields, rng.uniform(0.5, 2, n), parameters


def state_of(fields, parameters, optimizer, dtype="float64"):
    w0, w, V = (np.asarray(part, dtype) for part in parameters)
    return FieldAwareState.of_model(float(w0), w, V, fields, optimizer)


def trained(X, y, fields, parameters, name, loss, weights=None, threads=1, batch_size=20,
            dtype="float64"):  # fmt: skip
    """Return the state after three epochs of batches in order, and the loss of each."""
    optimizer, real = OPTIMIZERS[name], np.dtype(dtype)
    state = state_of(fields, parameters, optimizer, real)
    y = y.astype(real)
    weights = None if weights is None else weights.astype(real)
    dataset = Dataset.of(as_csr(X, real), y, (y,), weights)
    plan = Plan(dataset, batch_size, None, threads)
    trainer = Trainer(state, LOSSES[loss](), optimizer, threads=threads)
    losses = []
    for _ in range(3):
        total = 0.0
        for segment in plan.segments(plan.order_of(None)):
            total = trainer.run(plan, y, segment, total)
        losses.append(total / plan.total_weight)
    return state, losses


def expected_steps(X, y, fields, start, name, loss, weights=None, batch_size=20):
    """Return the parameters after the same steps in NumPy, and the loss of each epoch."""

    def objective(X, y, parameters, r):
        return aware_objective(X, y, fields, *parameters, loss, r)

    def gradients(X, y, parameters, r):
        return aware_objective_gradients(X, y, fields, *parameters, loss, r, **L2)

    return reference_steps(X, y, start, objective, gradients, OPTIMIZERS[name], weights, batch_size)


def assert_padding_is_zero(state):
    padded = state.factors[:, 0].copy()
    n_fields, size = len(state.within), state._blocks.shape[2]
    blocks = padded[:, : n_fields * size].reshape(len(padded), n_fields, size)
    assert not padded[:, n_fields * size :].any()
    assert not blocks[:, :, state.rank :].any()


@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_the_reference_has_the_gradient_of_its_objective(loss):
    X, y, fields, r, parameters = problem(n=8, d=6, n_fields=3)
    for weights in (None, r):
        gradients = aware_objective_gradients(X, y, fields, *parameters, loss, weights, **L2)
        for number, gradient in enumerate(map(np.asarray, gradients)):
            for place in np.ndindex(gradient.shape):
                ends = []
                for step in (1e-6, -1e-6):
                    moved = [np.array(part, np.float64) for part in parameters]
                    moved[number][place] += step
                    moved[0] = float(moved[0])
                    ends.append(aware_objective(X, y, fields, *moved, loss, weights, **L2))
                assert gradient[place] == pytest.approx((ends[0] - ends[1]) / 2e-6, abs=1e-8)


@pytest.mark.parametrize("rank", [0, 1, 3, 4, 8, 11, 16, 20])
@pytest.mark.parametrize("n_fields", [1, 2, 3, 5, 9])
def test_scores(rank, n_fields):
    X, _, fields, _, parameters = problem(n_fields=n_fields, rank=rank)
    expected = aware_scores(X, fields, *parameters)
    for threads in (1, 3):
        state = state_of(fields, parameters, fm.Adam())
        scores = state.scores(as_csr(X, np.dtype("float64")), threads)
        np.testing.assert_allclose(scores, expected, rtol=1e-12, atol=1e-12)
        model = fm.FieldAwareModel(*parameters, fields=fields)
        scores = model.score(X, n_threads=threads)
        np.testing.assert_allclose(scores, expected, rtol=1e-12, atol=1e-12)
    single = state_of(fields, parameters, fm.Adam(), "float32")
    scores = single.scores(as_csr(X, np.dtype("float32")))
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ones", [False, True])
@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("loss", ["squared", "logistic", "hinge", "huber"])
def test_steps_are_those_of_the_reference(loss, name, ones, weighted):
    X, y, fields, r, start = problem(ones=ones)
    weights = r if weighted else None
    expected, losses = expected_steps(X, y, fields, start, name, loss, weights)
    for threads in (1, 3):
        state, found = trained(X, y, fields, start, name, loss, weights, threads)
        np.testing.assert_allclose(found, losses, rtol=1e-12)
        for part, wanted in zip((state.bias[0], state.w, state.V), expected, strict=True):
            np.testing.assert_allclose(part, wanted, rtol=1e-9, atol=1e-11)
        assert_padding_is_zero(state)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize(("n_fields", "rank"), [(1, 3), (6, 0), (7, 4), (3, 8), (5, 16), (2, 19)])
def test_steps_of_other_sizes(name, n_fields, rank):
    X, y, fields, r, start = problem(n_fields=n_fields, rank=rank, n=150, d=16)
    expected, losses = expected_steps(X, y, fields, start, name, "logistic", r, 40)
    states = []
    for threads in (1, 2, 4):
        state, found = trained(X, y, fields, start, name, "logistic", r, threads, 40)
        np.testing.assert_allclose(found, losses, rtol=1e-11)
        np.testing.assert_allclose(state.V, expected[2], rtol=1e-8, atol=1e-10)
        assert_padding_is_zero(state)
        states.append(state)
    for state in states[1:]:
        for part in ("bias", "scalars", "factors"):
            assert getattr(state, part).tobytes() == getattr(states[0], part).tobytes()
    single, found = trained(X, y, fields, start, name, "logistic", r, 2, 40, "float32")
    np.testing.assert_allclose(found, losses, rtol=1e-4)
    np.testing.assert_allclose(single.V, expected[2], rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("rank", [2, 4, 8, 16])
def test_one_hot_rows_leave_the_factors_for_the_own_field_at_zero(rank, name, dtype):
    X, y, fields, r, start = one_hot(rank=rank)
    expected, losses = expected_steps(X, y, fields, start, name, "logistic", r)
    state, found = trained(X, y, fields, start, name, "logistic", r, dtype=dtype)
    tolerance = 1e-9 if dtype == "float64" else 2e-3
    np.testing.assert_allclose(found, losses, rtol=tolerance)
    np.testing.assert_allclose(state.V, expected[2], rtol=tolerance, atol=tolerance)
    assert not state.within.any()
    assert not state.V[np.arange(len(fields)), fields].any()  # zero, not nearly zero


def test_the_same_factors_for_all_fields_make_a_factorization_machine():
    X, _, fields, _, (w0, w, V) = problem(rank=8)
    V = np.repeat(V[:, :1], V.shape[1], axis=1)
    plain = fm.Model(w0, w, V[:, 0]).score(X)
    state = state_of(fields, (w0, w, V), fm.Adam())
    scores = state.scores(as_csr(X, np.dtype("float64")))
    np.testing.assert_allclose(scores, plain, rtol=1e-10)


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
def test_each_block_is_drawn_as_the_vector_of_a_plain_machine(distribution):
    X = np.eye(900)
    settings = {"init": distribution, "init_scale": 0.2, "rank": 4, "epochs": 1}
    still = fm.Adam(learning_rate=1e-12)
    fields = np.arange(900) % 3
    X = np.hstack([X, X[:, ::-1]])[:, :900]  # every row has one feature
    model = fm.train(X, X[:, 0], variant="ffm", fields=fields, solver=still, **settings)
    plain = fm.train(X, X[:, 0], solver=still, **settings)
    own = model.V[np.arange(900), fields]
    others = model.V[np.arange(900)[:, None], (fields[:, None] + [1, 2]) % 3]
    assert not own.any()
    assert others.std() == pytest.approx(plain.V.std(), rel=0.05)
    assert others.mean() == pytest.approx(plain.V.mean(), abs=0.01)
    assert others.max() == pytest.approx(plain.V.max(), rel=0.25)


def test_copies():
    _, _, fields, _, start = problem(rank=3)
    state = state_of(fields, start, fm.Adam())
    for other in (state.copy(), pickle.loads(pickle.dumps(state))):
        assert type(other) is FieldAwareState
        assert other.rank == 3
        assert np.array_equal(other.V, state.V)
        assert np.array_equal(other.fields, fields)
        assert not np.may_share_memory(other.factors, state.factors)
    changed = state.copy()
    changed.V[:] = 0
    changed.assign(state)
    assert np.array_equal(changed.V, state.V)
    more = Hyperparameters(3, fm.Adam(), variant="ffm")
    same_fields = state.grown(12, fm.Adam()).with_fields(np.append(fields, 1), more)
    larger = state.grown(12, fm.Adam()).with_fields(np.append(fields, 6), more)
    for grown, n_fields in ((same_fields, len(state.within)), (larger, 7)):
        assert grown.V.shape == (12, n_fields, 3)
        np.testing.assert_array_equal(grown.V[:11, : len(state.within)], state.V)
        assert not grown.V[:, len(state.within) :].any()
        np.testing.assert_array_equal(grown.w[:11], state.w)
    assert state.grown(11, fm.Adam()).with_fields(fields, more).V.shape == state.V.shape


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fields": np.full(11, 4, np.int32)}, "there is no such field"),
        ({"fields": np.full(11, -1, np.int32)}, "there is no such field"),
        ({"fields": np.zeros(10, np.int32)}, "field_of must have shape"),
        ({"n_fields": 5}, "fewer factors than fields"),
        ({"n_fields": -1}, "fewer factors than fields"),
        ({"n_fields": 2**62}, "fewer factors than fields"),
        ({"size": 5}, "fewer factors than fields"),
        ({"size": -4}, "fewer factors than fields"),
    ],
)
def test_the_core_checks_fields(change, message):
    X, _, fields, _, start = problem()
    state = state_of(fields, start, fm.Adam())
    parts = {"fields": fields, "n_fields": 4, "size": 4} | change
    with pytest.raises(ValueError, match=message):
        _core.Trainer(
            _core.described(LOSSES["squared"]()), _core.described(fm.Adam()), state.bias,
            state.scalars, state.factors, 1, blocks=tuple(parts.values()),
        )  # fmt: skip
    with pytest.raises(ValueError, match=message):
        _core.field_aware_scores(
            np.empty(60), as_csr(X, np.dtype("float64")), 0, 0.0, state.w, state.factors[:, 0],
            *parts.values(), 1,
        )  # fmt: skip
