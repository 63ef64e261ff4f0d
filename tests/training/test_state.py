"""Parameters in training: they grow at the cost of what is new, and their norms are kept."""

import copy
import pickle

import numpy as np
import pytest

import sparsefm as fm
from sparsefm.training.parameters import CACHE_LINE, State

OPTIMIZERS = pytest.mark.parametrize(
    "optimizer", [fm.Adam(), fm.AdaGrad(initial_accumulator=2.5)], ids=["adam", "adagrad"]
)


def begun(n_features=5, rank=3, optimizer=None, dtype="float64"):
    state = State.begin(n_features, rank, optimizer or fm.Adam(), dtype)
    state.draw_factors(0, 0, "normal", 0.1, np.arange(n_features))
    return state


def norms(state):
    return (state.factors[:, 0] ** 2).sum(axis=1)


@OPTIMIZERS
@pytest.mark.parametrize(("rank", "width"), [(0, 0), (1, 4), (4, 4), (5, 8), (9, 16), (17, 32)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_beginning(optimizer, rank, width, dtype):
    state = State.begin(7, rank, optimizer, dtype)
    moments = optimizer._moments
    assert state.bias.tolist() == [0, *optimizer._moment_starts]
    assert state.scalars.shape == (7, 2 + moments)
    assert state.factors.shape == (7, 1 + moments, width)
    assert state.V.shape == (7, rank)
    assert not state.w.any()
    assert (state.scalars[:, 2:] == optimizer._moment_starts).all()
    for moment, start in enumerate(optimizer._moment_starts, 1):
        assert (state.factors[:, moment] == start).all()
    for array in (state.scalars, state.factors):
        assert array.ctypes.data % CACHE_LINE == 0 or not array.size


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
def test_each_feature_has_its_own_numbers(distribution):
    whole = State.begin(200, 5, fm.Adam(), "float64")
    whole.draw_factors(7, 0, distribution, 0.2, np.arange(200))
    part = State.begin(200, 5, fm.Adam(), "float64")
    part.draw_factors(7, 0, distribution, 0.2, np.array([3, 150]))
    assert np.array_equal(part.V[[3, 150]], whole.V[[3, 150]])
    assert not np.delete(part.V, [3, 150], axis=0).any()
    for seed, output in ((8, 0), (7, 1)):
        other = State.begin(200, 5, fm.Adam(), "float64")
        other.draw_factors(seed, output, distribution, 0.2, np.arange(200))
        assert (other.V != whole.V).all()
    assert len(np.unique(whole.V)) == whole.V.size
    np.testing.assert_allclose(whole.scalars[:, 0], norms(whole))


def test_the_distributions():
    state = State.begin(50_000, 4, fm.Adam(), "float64")
    state.draw_factors(0, 0, "normal", 0.3, np.arange(50_000))
    numbers = state.V.ravel() / 0.3
    moments = [np.mean(numbers**k) for k in (1, 2, 3, 4)]
    np.testing.assert_allclose(moments, [0, 1, 0, 3], atol=0.06)
    assert abs(np.corrcoef(state.V.T)[0, 1:]).max() < 0.02
    assert abs(np.corrcoef(numbers[:-1], numbers[1:])[0, 1]) < 0.02
    state.draw_factors(0, 0, "uniform", 0.3, np.arange(50_000))
    numbers = state.V.ravel() / (0.3 / 2)
    assert 0 < numbers.min() < 1e-4
    assert 1 - 1e-4 < numbers.max() < 1
    shares = np.histogram(numbers, 20)[0] / numbers.size
    np.testing.assert_allclose(shares, 0.05, atol=0.003)


def test_features_that_were_never_drawn():
    state = State.begin(10, 2, fm.Adam(), "float32")
    state.draw_factors(0, 0, "normal", 1e-6, np.array([2, 5]))
    assert state.undrawn(np.array([1, 2, 5, 9])).tolist() == [1, 9]


@OPTIMIZERS
def test_growth_keeps_the_old_and_begins_the_new(optimizer):
    state = begun(5, optimizer=optimizer)
    state.w[:] = np.arange(5)
    old = state.copy()
    grown = state.grown(8, optimizer)
    for name in ("scalars", "factors"):
        fresh = getattr(State.begin(8, 3, optimizer, "float64"), name)
        assert np.array_equal(getattr(grown, name)[:5], getattr(old, name))
        assert np.array_equal(getattr(grown, name)[5:], fresh[5:])
        assert getattr(grown, name).flags.c_contiguous
    assert grown.bias is state.bias
    assert state.grown(5, optimizer) is state


@OPTIMIZERS
def test_what_a_failed_training_left_in_the_room_is_not_seen(optimizer):
    state = begun(100, optimizer=optimizer).grown(110, optimizer)  # makes room ahead
    failed = state.grown(120, optimizer)
    failed.scalars[110:] = failed.factors[110:] = np.nan
    again = state.grown(115, optimizer)
    assert again.scalars.base is failed.scalars.base  # it is the same memory
    fresh = State.begin(115, 3, optimizer, "float64")
    assert np.array_equal(again.scalars[110:], fresh.scalars[110:])
    assert np.array_equal(again.factors[110:], fresh.factors[110:])


def test_growth_by_little_seldom_copies():
    state = begun(1000)
    copies = 0
    for n_features in range(1001, 3000):
        grown = state.grown(n_features, fm.Adam())
        copies += not np.may_share_memory(grown.factors, state.factors)
        state = grown
    assert copies <= 4


@pytest.mark.parametrize(
    "copied", [State.copy, copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))]
)
def test_copies_are_their_own(copied):
    state = begun(100).grown(101, fm.Adam())
    same = copied(state)
    for name in ("bias", "scalars", "factors"):
        assert np.array_equal(getattr(same, name), getattr(state, name))
        assert not np.may_share_memory(getattr(same, name), getattr(state, name))
    assert same.rank == state.rank
    assert same.factors.ctypes.data % CACHE_LINE == 0
    assert len(pickle.dumps(state)) < 1.1 * sum(
        part.nbytes for part in (state.bias, state.scalars, state.factors)
    )


def test_finite_or_not():
    for name in ("bias", "scalars", "factors"):
        for value in (np.nan, np.inf):
            state = begun()
            assert state.is_finite()
            getattr(state, name).ravel()[-1] = value
            assert not state.is_finite()
            assert state.is_finite(np.arange(4)) == (name != "bias")
            assert not state.is_finite(np.array([4]))


def test_norms_are_those_of_given_parameters():
    state = State.begin(5, 3, fm.Adam(), "float64")
    V = np.random.default_rng(0).normal(size=(5, 3))
    state.set_parameters(0.5, np.arange(5.0), V)
    np.testing.assert_allclose(state.scalars[:, 0], (V**2).sum(axis=1), rtol=1e-15)
    assert (state.bias[0], state.w.tolist()) == (0.5, [0, 1, 2, 3, 4])
