"""Field-weighted machines: scores and training, against the reference."""

import numpy as np
import pytest
from field_reference import (
    field_objective,
    field_objective_gradients,
    field_scores,
    reference_steps,
)

import sparsefm as fm
from sparsefm import _core
from sparsefm.data.csr import as_csr
from sparsefm.data.dataset import Dataset
from sparsefm.data.plan import Plan
from sparsefm.losses import LOSSES
from sparsefm.training.field_state import FieldState
from sparsefm.training.parameters import State
from sparsefm.training.trainer import Trainer

L2 = {"l2_linear": 0.01, "l2_factors": 0.02}
ADAM = {"learning_rate": 0.01, "epsilon": 1e-4, **L2}
OPTIMIZERS = {
    "lazy": fm.Adam(updates="lazy", **ADAM),
    "exact": fm.Adam(updates="exact", **ADAM),
    "adagrad": fm.AdaGrad(learning_rate=0.1, initial_accumulator=0.5, **L2),
}


def problem(n=90, d=11, n_fields=5, rank=2, ones=False, seed=0):
    """Draw rows, fields, weights and parameters; no row has the last feature."""
    rng = np.random.default_rng(seed)
    X = (rng.random((n, d)) < 0.5) * (1.0 if ones else rng.normal(size=(n, d)))
    X[:, 0] = 1.0 if ones else rng.uniform(0.5, 1, n)
    X[:, -1] = 0
    fields = np.r_[np.arange(n_fields), rng.integers(0, n_fields, d - n_fields)].astype(np.int32)
    R = rng.normal(1, 0.5, (n_fields, n_fields))
    R = np.triu(R) + np.triu(R, 1).T
    R[0, 1:3] = R[1:3, 0] = R[2, 2] = 0  # pairs that do not interact
    parameters = rng.normal(), 0.3 * rng.normal(size=d), 0.5 * rng.normal(size=(d, rank)), R
    return X, rng.integers(0, 2, n).astype(float), fields, rng.uniform(0.5, 2, n), parameters


def state_of(fields, parameters, optimizer, dtype="float64"):
    w0, w, V, R = (np.asarray(part, dtype) for part in parameters)
    state = State.begin(len(w), V.shape[1], optimizer, dtype)
    state.set_parameters(float(w0), w, V)
    return FieldState.of(state, fields, R, optimizer)


def trained(X, y, fields, parameters, name, loss, weights=None, threads=1, batch_size=20):
    """Return the state after three epochs of batches in order, and the loss of each."""
    optimizer, dtype = OPTIMIZERS[name], np.dtype("float64")
    state = state_of(fields, parameters, optimizer)
    dataset = Dataset.of(as_csr(X, dtype), y, (y,), weights)
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
        return field_objective(X, y, fields, *parameters, loss, r)

    def gradients(X, y, parameters, r):
        return field_objective_gradients(X, y, fields, *parameters, loss, r, **L2)

    learned = (np.asarray(start[3]) != 0,)
    return reference_steps(
        X, y, start, objective, gradients, OPTIMIZERS[name], weights, batch_size, learned
    )


@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_the_reference_has_the_gradient_of_its_objective(loss):
    X, y, fields, r, parameters = problem(n=12)
    for weights in (None, r):
        gradients = field_objective_gradients(X, y, fields, *parameters, loss, weights, **L2)
        for number, gradient in enumerate(map(np.asarray, gradients)):
            for place in np.ndindex(gradient.shape):
                ends = []
                for step in (1e-6, -1e-6):
                    moved = [np.array(part, np.float64) for part in parameters]
                    moved[number][place] += step
                    if number == 3:  # one parameter for both halves
                        moved[3][place[::-1]] = moved[3][place]
                    moved[0] = float(moved[0])
                    ends.append(field_objective(X, y, fields, *moved, loss, weights, **L2))
                assert gradient[place] == pytest.approx((ends[0] - ends[1]) / 2e-6, abs=1e-8)


@pytest.mark.parametrize("rank", [0, 1, 4, 8, 11, 16, 40])
@pytest.mark.parametrize("n_fields", [1, 2, 3, 4, 7, 9])
def test_scores(rank, n_fields):
    X, _, fields, _, parameters = problem(n_fields=max(n_fields, 3), rank=rank)
    if n_fields < 3:
        fields = fields % n_fields
        parameters = (*parameters[:3], parameters[3][:n_fields, :n_fields])
    expected = field_scores(X, fields, *parameters)
    for threads in (1, 3):
        state = state_of(fields, parameters, fm.Adam())
        scores = state.scores(as_csr(X, np.dtype("float64")), threads)
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
        parts = state.bias[0], state.w, state.V, state.R
        for part, wanted in zip(parts, expected, strict=True):
            np.testing.assert_allclose(part, wanted, rtol=1e-9, atol=1e-11)
        assert np.array_equal(state.R, state.R.T)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize(("n_fields", "rank"), [(1, 3), (6, 0), (9, 8), (10, 16), (4, 33)])
def test_steps_of_other_sizes(name, n_fields, rank):
    X, y, fields, r, start = problem(n_fields=max(n_fields, 3), rank=rank, n=300, d=30)
    if n_fields == 1:
        fields, start = fields * 0, (*start[:3], start[3][:1, :1])
    expected, losses = expected_steps(X, y, fields, start, name, "logistic", r, 70)
    states = []
    for threads in (1, 2, 4):
        state, found = trained(X, y, fields, start, name, "logistic", r, threads, 70)
        np.testing.assert_allclose(found, losses, rtol=1e-11)
        np.testing.assert_allclose(state.R, expected[3], rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(state.V, expected[2], rtol=1e-8, atol=1e-10)
        states.append(state)
    for state in states[1:]:
        for name in ("bias", "scalars", "factors", "blocks"):
            assert getattr(state, name).tobytes() == getattr(states[0], name).tobytes()


def test_weights_of_one_make_a_factorization_machine():
    X, _, fields, _, start = problem(rank=8)
    ones = np.ones_like(start[3])
    fixed = state_of(fields, (*start[:3], ones), fm.Adam())
    matrix = as_csr(X, np.dtype("float64"))
    plain = fm.Model(*start[:3]).score(X)
    np.testing.assert_allclose(fixed.scores(matrix), plain, rtol=1e-10)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fields": np.full(11, 5, np.int32)}, "there is no such field"),
        ({"fields": np.full(11, -1, np.int32)}, "there is no such field"),
        ({"fields": np.zeros(10, np.int32)}, "field_of must have shape"),
        ({"blocks": np.zeros((2, 5, 5))}, "weights must have shape"),
        ({"blocks": np.zeros((3, 5, 4))}, "weights must have shape"),
        ({"learned": np.zeros((4, 5))}, "learned must have shape"),
    ],
)
def test_the_core_checks_fields(change, message):
    _, _, fields, _, start = problem()
    state = state_of(fields, start, fm.Adam())
    parts = {"fields": fields, "blocks": state.blocks, "learned": state.learned} | change
    with pytest.raises(ValueError, match=message):
        _core.Trainer(
            _core.described(LOSSES["squared"]()), _core.described(fm.Adam()), state.bias,
            state.scalars, state.factors, 1, tuple(parts.values()),
        )  # fmt: skip


def test_pairs_of_train():
    rng = np.random.default_rng(0)
    X, y = np.eye(3)[rng.integers(0, 3, (200, 4))].reshape(200, 12), rng.normal(size=200)
    fields = np.repeat(np.arange(4), 3)
    expected = np.zeros((4, 4))
    expected[[0, 1, 0, 1], [2, 2, 3, 3]] = 1
    expected += expected.T
    model = fm.train(X, y, fields=fields, pairs=[([0, 1], [2, 3])], epochs=2)
    np.testing.assert_array_equal(model.R, expected)
    assert model.V.any(axis=1).all()
    weighted = fm.train(X, y, variant="fwfm", pairs=[(0, 2), (2, 0), (1, 3)], epochs=2)
    assert (weighted.R != 0).sum() == 4
    assert not np.isin(weighted.R, [0, 1]).all()
    start = fm.train(X, y, epochs=1)
    from_model = fm.train(X, y, init=start, pairs=[(0, 1)], epochs=1)
    np.testing.assert_array_equal(from_model.R, np.eye(4)[[1, 0, 3, 2]] * [[1], [1], [0], [0]])
    for pairs, message in (
        ([(0, -1)], "a field of pairs must be at least 0"),
        ([(0, 7)], "pairs names field 7, but there are 4"),
        ([(0, 1, 2)], "pairs must hold pairs"),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            fm.train(X, y, pairs=pairs, epochs=1)
    with pytest.raises(ValueError, match="leave pairs out"):
        fm.train(X, y, variant="fwfm", init=model, pairs=[(0, 1)])
    with pytest.raises(ValueError, match="pairs need solver"):
        fm.train(X, y, solver=fm.Gibbs(), pairs=[(0, 1)])
