"""The search for the best items, against sorting all of them."""

import numpy as np
import pytest
from scipy import sparse

from sparsefm import _core
from sparsefm.retrieval.index import NONE, ItemIndex


def made(n_items, width, dtype, seed=0, levels=None):
    """Return vectors, biases and queries; of `levels` different numbers if that is given."""
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(n_items + 70, width + 1))
    if levels:
        numbers = np.rint(numbers * levels) / levels
    numbers = numbers.astype(dtype)
    return numbers[:n_items, 1:], numbers[:n_items, 0], numbers[n_items:, 1:]


def index_of(vectors, biases):
    """Return an index, filled in two parts."""
    half = len(vectors) // 2
    parts = [(vectors[:half], biases[:half]), (vectors[half:], biases[half:])]
    return ItemIndex(*vectors.shape, vectors.dtype, parts)


def best(scores, top):
    """Return the numbers of the best items of each row; of equal ones the first is better."""
    return np.argsort(-scores, axis=1, kind="stable")[:, :top]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("n_items", "width"), [(1, 1), (31, 0), (32, 3), (33, 8), (2500, 16)])
@pytest.mark.parametrize("top", [1, 10, 3000])
def test_the_best_of_all(n_items, width, dtype, top):
    # Few digits: sums are exact, and many items have equal scores.
    vectors, biases, queries = made(n_items, width, dtype, levels=4)
    scores = queries.astype(float) @ vectors.T.astype(float) + biases
    numbers, found = index_of(vectors, biases).search(queries, top)
    expected = best(scores, top)
    there = expected.shape[1]
    assert np.array_equal(numbers[:, :there], expected)
    assert np.array_equal(found[:, :there], np.take_along_axis(scores, expected, 1))
    assert (numbers[:, there:] == NONE).all()
    assert found.dtype == dtype
    for mine, others in zip(
        (numbers, found), index_of(vectors, biases).search(queries, top, None, 2), strict=True
    ):
        assert np.array_equal(mine, others)


@pytest.mark.parametrize("share", [0.01, 0.5, 1])
def test_excluded_items_are_left_out(share):
    vectors, biases, queries = made(500, 4, "float32", levels=8)
    rng = np.random.default_rng(1)
    excluded = sparse.csr_matrix(rng.random((70, 500)) < share)
    excluded.indices = excluded.indices[::-1].copy()  # in no order
    excluded = sparse.csr_matrix((excluded.data, excluded.indices, excluded.indptr), excluded.shape)
    scores = queries.astype(float) @ vectors.T.astype(float) + biases
    scores[excluded.toarray()] = -np.inf
    numbers, found = index_of(vectors, biases).search(queries, 20, excluded)
    expected = best(scores, 20)
    known = np.isfinite(np.take_along_axis(scores, expected, 1))
    assert np.array_equal(numbers, np.where(known, expected, NONE))
    assert np.array_equal(found[known], np.take_along_axis(scores, expected, 1)[known])


@pytest.mark.slow
def test_many_chunks_and_groups_of_queries():
    vectors, biases, queries = made(300_001, 5, "float32", levels=16)
    queries = np.tile(queries, (40, 1))[:2500] + np.float32(0)
    index = index_of(vectors, biases)
    one = index.search(queries, 50)
    scores = queries[::97].astype(float) @ vectors.T.astype(float) + biases
    assert np.array_equal(one[0][::97], best(scores, 50))
    for threads in (2, 7):
        for mine, others in zip(one, index.search(queries, 50, None, threads), strict=True):
            assert np.array_equal(mine, others)


def test_vectors_come_back():
    vectors, biases, _ = made(150, 3, "float32")
    whole = np.column_stack([vectors, biases])
    index = index_of(vectors, biases)
    assert np.array_equal(index.vectors(), whole)
    some = np.array([149, 3, 70])
    assert np.array_equal(index.vectors(some), whole[some])
    assert np.array_equal(index.among(some).vectors(), whole[some])


def test_what_is_not_finite_is_refused():
    vectors, biases, queries = made(50, 2, "float32")
    vectors[7, 1] = np.nan
    with pytest.raises(ValueError, match="too large for float32"):
        index_of(vectors, biases)
    vectors[7, 1] = 1e20
    for query in (1e20, -1e20, np.inf, np.nan):  # a score of infinity, of -infinity, and none
        queries[3, 1] = query
        with pytest.raises(ValueError, match="too large for float32"):
            index_of(vectors, biases).search(queries, 50)


def test_the_binding_checks_its_arrays():
    lanes = _core.item_lanes
    blocks, queries = np.zeros((2, 3, lanes)), np.zeros((4, 2))
    numbers, scores = np.zeros((4, 5), np.int64), np.zeros((4, 5))
    offsets, never = np.zeros(5, np.int64), np.zeros(0, np.int32)
    good = [numbers, scores, blocks, queries, offsets, never]
    _core.top_items(*good, 1)
    for place, bad, error in [
        (0, numbers.astype(np.int32), TypeError),
        (0, numbers[:3].copy(), ValueError),
        (1, scores.astype(np.float32), TypeError),
        (1, np.zeros((4, 0)), ValueError),
        (2, blocks[:, :2].copy(), ValueError),
        (2, np.zeros((2, 3, lanes - 1)), ValueError),
        (3, queries.astype(np.float32), TypeError),
        (3, queries.ravel(), ValueError),
        (4, np.zeros(4, np.int64), ValueError),
        (4, np.array([0, 1, 0, 0, 0]), ValueError),
        (4, np.array([0, -1, 0, 0, 0]), ValueError),
        (5, np.zeros(1, np.int32), ValueError),
        (5, never.astype(np.int64), TypeError),
    ]:
        given = [*good]
        given[place] = bad
        with pytest.raises(error):
            _core.top_items(*given, 1)
    given = [*good]
    given[4:] = np.array([0, 2, 2, 2, 2]), np.array([7, 3], np.int32)
    with pytest.raises(ValueError, match="excluded must ascend"):
        _core.top_items(*given, 1)
