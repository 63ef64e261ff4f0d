"""`Scales`: grown in chunks, by copies that do not see each other."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from sparsefm.data.csr import as_csr, as_scipy
from sparsefm.encoding.scales import Scales, column_scales


def reference(known, X, weights):
    """Return the scales of all columns: those known, the others by the values of a dense `X`."""
    scales = np.zeros(X.shape[1])
    scales[: len(known)] = known
    for column in np.flatnonzero(scales == 0):
        counted = (X[:, column] != 0) & (weights > 0)
        if counted.any():
            squares = X[counted, column] ** 2
            scales[column] = np.sqrt(np.average(squares, weights=weights[counted]))
    return scales


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_copies_grow_apart(seed, ones):
    """Each chunk grows out of any earlier scales, which stay as they are."""
    rng = np.random.default_rng(seed)
    grown = [(Scales(np.empty(0)), np.empty(0))]
    for _ in range(8):
        scales, expected = grown[rng.integers(len(grown))]
        shape = (rng.integers(1, 5), len(scales) + rng.integers(0, 4))
        X = rng.choice([0, 0, 1] if ones else [0, 0, 1, -2, 0.5], shape)
        weights = rng.integers(0, 3, len(X)).astype(float)
        matrix = as_csr(sparse.csr_matrix(X, dtype=float), np.float64)
        grown.append((scales.grown(matrix, weights), reference(expected, X, weights)))
        for scales, expected in grown:
            np.testing.assert_allclose(scales.values, expected, rtol=1e-15)
            assert len(scales) == len(expected)
    for scales, expected in grown:
        X = rng.choice([0, 1, 3.0], (3, len(expected)))
        applied = as_scipy(scales.apply(as_csr(sparse.csr_matrix(X), np.float64), np.float64))
        divisors = np.where(expected > 0, expected, 1)
        np.testing.assert_allclose(applied.toarray(), X / divisors, rtol=1e-15)


def test_wider_chunks_seldom_copy_what_is_known():
    """One more column a chunk, 1,000 times: arrays become twice as long, and so seldom."""
    scales, lengths = Scales(np.empty(0)), []
    for width in range(1, 1001):
        X = sparse.csr_matrix(([2.0], [width - 1], [0, 1]), (1, width))
        scales = scales.grown(as_csr(X, np.float64), None)
        lengths.append(len(scales._storage._arrays[0]))
    assert len(set(lengths)) <= 11
    assert scales.values.tolist() == [2] * 1000


def test_ones_stay_as_they_are():
    ones = as_csr(sparse.csr_matrix(np.eye(3)), np.float64)
    scales = Scales(np.empty(0)).grown(ones, None)
    assert scales.apply(ones, np.float64) is ones
    assert scales.apply(ones, np.float32) is ones
    twos = as_csr(sparse.csr_matrix(2.0 * np.eye(4)), np.float64)
    grown = scales.grown(twos, None)  # the fourth column is new
    assert grown.values.tolist() == [1, 1, 1, 2]
    assert as_scipy(grown.apply(twos, np.float32)).data.tolist() == [2, 2, 2, 1]
    assert as_scipy(grown.apply(twos, np.float32), np.float32).dtype == np.float32


def test_what_vanishes_is_dropped():
    X = as_csr(sparse.csr_matrix([[1e-30, 1e30]]), np.float64)
    scaled = Scales(np.array([1e30, 1e30])).apply(X, np.float32)
    assert (scaled.indices.tolist(), scaled.values.tolist()) == ([1], [1])
    assert scaled.canonical
    with pytest.raises(ValueError, match=r"X holds 1e\+30 in column 1, too far from"):
        Scales(np.array([1, 1e-30])).apply(X, np.float32)
    with pytest.raises(ValueError, match=r"X holds 1e\+300, too large for float32"):
        Scales(np.ones(1)).apply(as_csr(sparse.csr_matrix([[1e300]]), np.float64), np.float32)


def test_pickles_and_deep_copies_hold_their_own():
    first = Scales(np.array([1.0, 0]))
    grown = first.grown(as_csr(sparse.csr_matrix([[5.0, 3, 2]]), np.float64), None)
    for same in (pickle.loads(pickle.dumps(first)), copy.deepcopy(first)):
        assert same.values.tolist() == [1, 0]
        assert same._storage is not first._storage
    assert pickle.loads(pickle.dumps(grown)).values.tolist() == [1, 3, 2]


@pytest.mark.parametrize("n_columns", [10, 10**12])
def test_columns_that_occur(n_columns):
    """However many columns there are, it costs what the entries do."""
    columns = np.array([7, 2, 7, 2, 9] * 3)
    values = np.array([1.0, 1, -3, 1, 2] * 3)
    occurring, scales = column_scales(columns, values, None, n_columns)
    assert occurring.tolist() == [2, 7, 9]
    np.testing.assert_allclose(scales, [1, np.sqrt(5), 2])
    occurring, scales = column_scales(columns, None, (columns != 9).astype(float), n_columns)
    assert (occurring.tolist(), scales.tolist()) == ([2, 7], [1, 1])
