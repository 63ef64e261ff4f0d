"""A model in training: it is lent and comes back whole, grows, and knows where it stands."""

from dataclasses import replace

import numpy as np
import pytest

import sparsefm as fm
from sparsefm.data.csr import as_csr
from sparsefm.data.dataset import Dataset
from sparsefm.losses import Squared
from sparsefm.training.hyperparameters import Hyperparameters
from sparsefm.training.learner import Learner, new_planner

SOLVERS = pytest.mark.parametrize(
    "solver", [fm.Adam(), fm.Adam(updates="exact"), fm.AdaGrad()], ids=["lazy", "exact", "adagrad"]
)
PARTS = ("bias", "scalars", "factors")


def dataset(columns=5, outputs=2):
    """Return rows that lack the last column."""
    X = np.random.default_rng(0).normal(size=(20, columns))
    X[:, -1] = 0
    y = X[:, 0]
    return Dataset.of(as_csr(X, np.float64), y, (y,) * outputs)


def begun(solver=None, **options):
    chosen = Hyperparameters(rank=3, solver=solver or fm.Adam())
    return Learner.begin(chosen, Squared(), dataset(**options), seed=0)


def assert_same(learner, other):
    assert (learner.steps, learner.rate_factor) == (other.steps, other.rate_factor)
    for state, kept in zip(learner.states, other.states, strict=True):
        for part in PARTS:
            assert np.array_equal(getattr(state, part), getattr(kept, part)), part


@SOLVERS
@pytest.mark.parametrize("error", [ValueError(), KeyboardInterrupt()])
def test_after_an_error_it_is_as_it_was_lent(solver, error):
    learner = replace(begun(solver), steps=7, rate_factor=0.25)
    kept = learner.copy()
    features = np.array([0, 2, 4])  # of which the last has never been trained
    touched = slice(None) if solver._moves_all else features

    def train_and_fail():
        with learner.learning(features) as lent:
            assert lent.states[0].V[4].all()
            for state in lent.states:
                state.bias[:] += 1
                state.scalars[touched] += 1
                state.factors[touched] += 1
            lent.steps, lent.rate_factor = 99, 0.5
            raise error

    with pytest.raises(type(error)):
        train_and_fail()
    assert_same(learner, kept)


def test_without_an_error_it_keeps_what_it_has_learned():
    learner = begun()
    before = learner.states[0].w.copy()
    with learner.learning(np.array([0])) as lent:
        lent.states[0].w[0] += 1
        lent.steps = 3
    assert learner.steps == 3
    assert np.array_equal(learner.states[0].w - before, [1, 0, 0, 0, 0])


def test_outputs_start_apart_but_repeatably():
    first, second = (state.V for state in begun().states)
    assert first[:-1].all()
    assert not first[-1].any()
    assert not (first == second)[:-1].any()
    assert_same(begun(), begun())


def test_joining_draws_what_has_no_factors_only():
    learner = begun()
    learner.states[0].factors[:, 0] *= 2
    learner.states[0].set_parameters(0.0, learner.states[0].w, learner.states[0].V)
    kept = learner.copy()
    learner.join(np.arange(5))
    assert np.array_equal(learner.states[0].V[:-1], kept.states[0].V[:-1])
    assert learner.states[0].V[-1].all()


def test_trainers_go_on_where_it_stands():
    learner = replace(begun(fm.Adam(learning_rate=0.8)), steps=7, rate_factor=0.25)
    for trainer in learner.trainers(1):
        assert (trainer.steps, trainer.learning_rate) == (7, 0.2)


def test_a_copy_is_of_its_own():
    learner = begun()
    kept, other = learner.copy(), learner.copy()
    for state in other.states:
        for part in PARTS:
            getattr(state, part)[:] += 1
    assert_same(learner, kept)


def test_rows_come_in_another_order_after_some_steps():
    data = dataset()
    orders = [new_planner(0, 1, steps=steps).plan(data, 4).rows.tolist() for steps in (0, 5, 0)]
    assert orders[0] == orders[2] != orders[1]
    assert new_planner(0, 1, shuffle=False).plan(data, 4).rows.tolist() == list(range(20))
