"""Features and targets in other units: the scores of all rows stay."""

import numpy as np
import pytest

from sparsefm import AdaGrad, Adam
from sparsefm.data.csr import as_csr
from sparsefm.losses import Logistic, Softmax, Squared
from sparsefm.training.class_state import ClassState
from sparsefm.training.hyperparameters import Hyperparameters
from sparsefm.training.learner import Learner
from sparsefm.training.parameters import State
from sparsefm.training.substitution import Substitution, in_units, with_target_scale

D, FIRST = 9, 3  # features; the first are in other units, the next are 1 where these are missing


def learner(rng, kind, solver, rank=3):
    """Return a model with random parameters and moments, in float64."""
    chosen = Hyperparameters(rank=rank, solver=solver)
    if kind == "softmax":
        state = ClassState.begin(D, rng.normal(size=4), rank, solver, 0)
        state.set_parameters(state.w0.copy(), *(rng.normal(size=s) for s in shapes(4, rank)))
        state.blocks[:, 1:] += rng.random(state.blocks[:, 1:].shape)
        return Learner(chosen, Softmax(), [state], 0)
    states = []
    for _ in range(1 if kind == "squared" else 3):
        state = State.begin(D, rank, solver, np.float64)
        state.set_parameters(rng.normal(), rng.normal(size=D), rng.normal(size=(D, rank)))
        state.scalars[:, 2:] += rng.random(state.scalars[:, 2:].shape)
        state.factors[:, 1:, :rank] += rng.random(state.factors[:, 1:, :rank].shape)
        states.append(state)
    return Learner(chosen, Squared() if kind == "squared" else Logistic(), states, 0)


def shapes(n_classes, rank):
    return (D, n_classes), (D, rank), (n_classes, rank)


def rows(rng, factors, offsets, has_missing):
    """Return rows in old units and in new ones."""
    old = rng.normal(size=(50, D)) * (rng.random((50, D)) < 0.7)
    new = old.copy()
    new[:, :FIRST] = (old[:, :FIRST] - offsets) / factors
    for i in np.flatnonzero(has_missing):
        missing = rng.random(50) < 0.4
        old[missing, i] = new[missing, i] = 0
        old[:, FIRST + i] = new[:, FIRST + i] = missing
    return old, new


def scores(model, X):
    return model.scores(as_csr(X, np.float64), 1)


def substitution(rng):
    has_missing = rng.random(FIRST) < 0.7
    missing = np.where(has_missing, np.arange(FIRST, 2 * FIRST), -2)
    factors, offsets = np.exp(rng.normal(size=FIRST)), rng.normal(size=FIRST)
    return Substitution(np.arange(FIRST), missing, factors, offsets), has_missing


@pytest.mark.parametrize("kind", ["squared", "logistic", "softmax"])
@pytest.mark.parametrize("solver", [Adam(), AdaGrad()], ids=["adam", "adagrad"])
@pytest.mark.parametrize("rank", [0, 1, 3])
@pytest.mark.parametrize("seed", range(4))
def test_scores_stay(kind, solver, rank, seed):
    rng = np.random.default_rng(seed)
    model = learner(rng, kind, solver, rank)
    given, has_missing = substitution(rng)
    old, new = rows(rng, given.factors, given.offsets, has_missing)
    before = scores(model, old)
    moved = in_units(model, given)
    np.testing.assert_allclose(scores(moved, new), before, rtol=1e-10, atol=1e-10)
    assert np.array_equal(scores(model, old), before)  # of which `moved` is a copy
    for state in moved.states:
        if isinstance(state, State):
            np.testing.assert_allclose(state.scalars[:, 0], (state.V**2).sum(axis=1))


@pytest.mark.parametrize("factor", [1e-3, 0.5, 7.0])
def test_scores_of_a_target_in_other_units(factor):
    rng = np.random.default_rng(0)
    model, X = learner(rng, "squared", Adam()), rng.normal(size=(20, D))
    moved = with_target_scale(model, factor, 0.3)
    np.testing.assert_allclose(scores(moved, X), (scores(model, X) - 0.3) / factor, rtol=1e-9)


@pytest.mark.parametrize("kind", ["logistic", "softmax"])
def test_moments_are_of_gradients_in_the_new_units(kind):
    """The old values had a mean square of a**2 + c**2 where the new ones have 1."""
    given = Substitution(
        np.array([1]), np.array([-2]), np.array([3.0]), np.array([4.0])
    )  # of size 5
    for solver, powers in ((Adam(), [1, 2]), (AdaGrad(initial_accumulator=0.5), [2])):
        model = learner(np.random.default_rng(0), kind, solver)
        moved, starts = in_units(model, given), np.array(solver._moment_starts)
        for old, new in zip(model.states, moved.states, strict=True):
            for before, after in zip(moments(old), moments(new), strict=True):
                assert np.array_equal(np.delete(before, 1, 0), np.delete(after, 1, 0))
                for place, power in enumerate(powers):
                    excess = before[1, place] - starts[place]
                    np.testing.assert_allclose(after[1, place], starts[place] + excess / 5.0**power)


def moments(state):
    if isinstance(state, ClassState):
        return [state.blocks[:, 1:]]
    return [state.scalars[:, 2:], state.factors[:, 1:, : state.rank]]


def test_moments_of_targets():
    solver = Adam()
    model = learner(np.random.default_rng(0), "squared", solver)
    model.states[0].bias[1:] = 4.0
    (old,), (new,) = model.states, with_target_scale(model, 4.0, 0.0).states
    assert new.bias[1:].tolist() == [1.0, 0.25]
    np.testing.assert_allclose(new.scalars[:, 2:], old.scalars[:, 2:] / [4, 16])
    np.testing.assert_allclose(
        new.factors[:, 1:, : new.rank], old.factors[:, 1:, : old.rank] / [[8], [64]]
    )


def test_moments_begin_anew_where_units_differ_wildly():
    solver = AdaGrad(initial_accumulator=0.5)
    model = learner(np.random.default_rng(0), "logistic", solver)
    for factor in (1e-30, 1e30):
        given = Substitution(*(np.array([x]) for x in (1, -2, factor, 0.0)))
        for state in in_units(model, given).states:
            assert state.scalars[1, 2:].tolist() == [0.5]
            assert np.isfinite(state.scalars).all()
