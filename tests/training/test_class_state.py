"""Parameters of several classes in training: how they begin, grow and are copied."""

import copy
import pickle

import numpy as np
import pytest

import sparsefm as fm
from sparsefm.training.class_state import ClassState

OPTIMIZERS = pytest.mark.parametrize(
    "optimizer", [fm.Adam(), fm.AdaGrad(initial_accumulator=2.5)], ids=["adam", "adagrad"]
)
W0 = np.array([0.5, -1, 0])


def begun(n_features=5, rank=3, optimizer=None, dtype="float64", seed=0):
    optimizer = optimizer or fm.Adam()
    state = ClassState.begin(n_features, W0.astype(dtype), rank, optimizer, seed)
    state.draw_factors(seed, 0, "normal", 0.1, np.arange(n_features))
    return state


def arrays(state):
    return state.bias, state.vectors, state.blocks


@OPTIMIZERS
@pytest.mark.parametrize(("rank", "width"), [(0, 0), (1, 8), (8, 8), (9, 16)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_beginning(optimizer, rank, width, dtype):
    state = ClassState.begin(7, W0.astype(dtype), rank, optimizer, 0)
    moments = optimizer._moments
    assert state.w0.tolist() == W0.tolist()
    assert (state.bias[0, 3:] == -np.inf).all()
    assert state.vectors.shape == (3, 1 + moments, width)
    assert state.blocks.shape == (7, 1 + moments, 8 + width)
    assert (state.w.shape, state.V.shape, state.U.shape) == ((7, 3), (7, rank), (3, rank))
    assert not state.w.any()
    assert not state.V.any()
    for moment, start in enumerate(optimizer._moment_starts, 1):
        for part in arrays(state)[1:]:
            assert (part[:, moment] == start).all()
        assert (state.bias[moment] == start).all()
    assert {part.dtype.name for part in arrays(state)} == {dtype}
    assert state.is_finite()


def test_class_vectors_are_random_signs():
    many = ClassState.begin(2, np.zeros(400), 10, fm.Adam(), 0)
    assert set(np.unique(many.U)) == {-1, 1}
    assert abs(many.U.mean()) < 4 / np.sqrt(many.U.size)
    other = ClassState.begin(2, np.zeros(400), 10, fm.Adam(), 1)
    assert 0.4 < (many.U == other.U).mean() < 0.6
    few = ClassState.begin(2, np.zeros(3), 10, fm.Adam(), 0)
    assert np.array_equal(few.U, many.U[:3])
    factors = ClassState.begin(400, np.zeros(3), 10, fm.Adam(), 0)
    factors.draw_factors(0, 0, "uniform", 1.0, np.arange(400))
    agree = (0.5 / np.sqrt(10) > factors.V) == (many.U == -1)
    assert 0.4 < agree.mean() < 0.6  # another stream of random numbers


@OPTIMIZERS
def test_growing(optimizer):
    state = begun(5, optimizer=optimizer)
    grown = state.grown(9, optimizer)
    assert grown.n_features == 9
    assert np.array_equal(grown.blocks[:5], state.blocks)
    assert not grown.blocks[5:, 0].any()
    for moment, start in enumerate(optimizer._moment_starts, 1):
        assert (grown.blocks[5:, moment] == start).all()
    assert np.array_equal(grown.undrawn(np.arange(9)), np.arange(5, 9))
    assert grown.grown(9, optimizer) is grown
    roomy = grown.grown(10, optimizer)
    roomy.room[10:] = 5  # what a failed call may leave
    more = roomy.grown(11, optimizer)
    assert not more.blocks[10, 0].any()
    assert (more.blocks[10, 1] == optimizer._moment_starts[0]).all()
    more.w[0] = 8
    assert (roomy.w[0] == 8).all()  # they share memory


def test_copies():
    state = begun()
    for other in (state.copy(), copy.copy(state), pickle.loads(pickle.dumps(state))):
        for part, copied in zip(arrays(state), arrays(other), strict=True):
            assert np.array_equal(part, copied)
            assert not np.shares_memory(part, copied)
        assert other.rank == state.rank
    changed = state.copy()
    for part in arrays(changed):
        part += 1
    state.assign(changed)
    for part, copied in zip(arrays(state), arrays(changed), strict=True):
        assert np.array_equal(part, copied)


def test_what_is_put_back():
    state = begun()
    before = state.copy()
    parts = state.parts([1, 3])
    for part in arrays(state)[:2]:
        part += 1
    state.blocks[[1, 3]] += 1
    state.put_back([1, 3], parts)
    for part, expected in zip(arrays(state), arrays(before), strict=True):
        assert np.array_equal(part, expected)


def test_what_is_not_finite_is_found():
    for place in range(3):
        state = begun()
        assert state.is_finite(np.array([0, 4]))
        arrays(state)[place][0, 0, ...] = np.nan if place else state.bias[0, 0]
        if place == 0:
            state.bias[0, 1] = np.nan
        assert not state.is_finite()
    state = begun()
    state.w[2, 1] = np.inf
    assert state.is_finite(np.array([0, 4]))
    assert not state.is_finite(np.array([0, 2]))
