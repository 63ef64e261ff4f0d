"""Encoded columns become a checked matrix; one-hot ones need no values."""

import numpy as np
import pytest

from sparsefm.data.csr import as_scipy
from sparsefm.encoding import TableEncoder
from sparsefm.encoding.assembly import assemble, first_unknown
from sparsefm.encoding.columns import NOTHING, UNKNOWN


def codes(*columns):
    return np.array(columns, np.int32)


def test_ones_have_no_values():
    encoded = [(codes(0, 1, UNKNOWN), None), (codes(2, 2, 3), None)]
    matrix = assemble(iter(encoded), (3, 4), [1, 1], np.float32)
    assert matrix.values is None
    assert matrix.all_ones
    assert (matrix.indptr.tolist(), matrix.indptr.dtype) == ([0, 2, 4, 5], np.int32)
    assert as_scipy(matrix).toarray().tolist() == [[1, 0, 1, 0], [0, 1, 1, 0], [0, 0, 0, 1]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_beside_ones(dtype):
    numbers = np.array([0.5, 0, -2], dtype)  # a value that became zero is none
    encoded = [(codes(0, 1, UNKNOWN), None), (codes(2, 2, 2), numbers), (codes(3, 3, 3), None)]
    matrix = assemble(iter(encoded), (3, 4), [1, 1, 1], dtype)
    assert matrix.values.dtype == dtype
    expected = [[1, 0, 0.5, 1], [0, 1, 0, 1], [0, 0, -2, 1]]
    assert as_scipy(matrix).toarray().tolist() == expected
    assert matrix.n_nonzeros == 7


@pytest.mark.parametrize("values", [None, np.array([0.5, 2], np.float32)])
def test_rows_are_sorted(values):
    encoded = [(codes(4, 0), values), (codes(1, NOTHING), None), (codes(2, 3), None)]
    matrix = assemble(iter(encoded), (2, 5), [1, 1, 1], np.float32)
    assert matrix.canonical
    assert matrix.indices.tolist() == [1, 2, 4, 0, 3]
    assert (matrix.values is None) == (values is None)
    first, second = (1, 1) if values is None else (0.5, 2)
    expected = [[0, 1, 1, 0, first], [second, 0, 0, 1, 0]]
    assert as_scipy(matrix).toarray().tolist() == expected


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_several_entries_of_a_column(dtype):
    pairs = np.array([[1, 2], [0, 1], [UNKNOWN, NOTHING]], np.int32)
    shares = np.array([[0.25, 0.75], [1, 0], [1, 0]], dtype)
    encoded = [(pairs, shares), (codes(4, 3, 3), None), (pairs + 5, None)]
    matrix = assemble(iter(encoded), (3, 8), [2, 1, 2], dtype)
    assert matrix.values.dtype == dtype
    assert as_scipy(matrix).toarray().tolist() == [
        [0, 0.25, 0.75, 0, 1, 0, 1, 1], [1, 0, 0, 1, 0, 1, 1, 0], [0, 0, 0, 2, 1, 0, 0, 0]
    ]  # fmt: skip
    assert first_unknown((pairs, None)) == 2
    assert first_unknown((pairs[:2], None)) is None


def test_rows_without_anything():
    matrix = assemble(iter([(codes(UNKNOWN, NOTHING), None)]), (2, 3), [1], np.float32)
    assert (matrix.n_rows, matrix.n_nonzeros, matrix.n_features) == (2, 0, 3)


def test_one_hot_tables_are_ones_all_the_way(table):
    """Also after growing, with gaps and flags and bins and hashes."""
    rows = {"s": ["a", "b", None], "b": [True, None, False], "h": ["x", "y", "z"]}
    more = {"s": ["c", "b", "a"], "b": [None, None, True], "h": ["p", "q", "x"]}
    encoder = TableEncoder(hashed={"h": 4}, numeric="bin", n_bins=2)
    first = encoder._fit_encode(table(rows | {"n": [1.5, 2, 7]}), None, encoder)
    grown = encoder._grow_encode(table(more | {"n": [1.5, None, 2]}), None, encoder)
    again = encoder._encode(table(more | {"n": [1.5, None, 2]}), encoder)
    assert first.values is grown.values is again.values is None
    assert as_scipy(grown).has_canonical_format
    public = encoder.transform(table(more | {"n": [1.5, None, 2]}))
    assert public.dtype == np.float32
    assert (public != as_scipy(grown)).nnz == 0
    with_number = TableEncoder()._fit_encode(table(rows | {"n": [1.5, 2, 7]}), None, encoder)
    assert with_number.values.dtype == np.float32
