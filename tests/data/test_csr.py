"""What is borrowed is not copied; what is odd in memory is not misread."""

import tracemalloc

import numpy as np
import pytest
from scipy import sparse

import sparsefm as fm
from sparsefm import _core
from sparsefm.data.csr import as_csr, as_dtype, as_scipy, with_values


@pytest.mark.parametrize("offsets", ["i4", "i8"])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_fitting_csr_is_borrowed(dtype, offsets):
    X = sparse.random(50, 20, density=0.3, format="csr", dtype=dtype, random_state=0)
    X.indptr = X.indptr.astype(offsets)
    checked = as_csr(X, dtype)
    for part, own in (("indptr", X.indptr), ("indices", X.indices), ("values", X.data)):
        assert np.shares_memory(getattr(checked, part), own)


@pytest.mark.parametrize("dtype", ["f4", "f8", "i1", "?", "i8"])
def test_ones_cost_no_copy(dtype):
    rows = 200_000
    columns = np.arange(rows, dtype=np.int32) % 7
    X = sparse.csr_matrix((np.ones(rows, dtype), columns, np.arange(rows + 1, dtype=np.int32)))
    tracemalloc.start()
    checked = as_csr(X, np.float32)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert checked.all_ones
    assert np.shares_memory(checked.indices, X.indices)
    assert peak < 1.5 * rows  # a byte a row for the comparison, none for converted values


def test_another_dtype_costs_a_copy_of_values_that_are_not_ones():
    X = as_csr(sparse.csr_matrix([[0.5, 0, 1e-60], [0, 2, 0]]), "f8")
    assert as_dtype(X, np.float64) is X
    single = as_dtype(X, np.float32)
    assert (single.values.dtype, single.values.tolist()) == (np.float32, [0.5, 2])  # 1e-60 is zero
    assert single.canonical
    for ones in (np.eye(3), np.eye(3, dtype=bool)):
        X = as_csr(ones, "f8")
        assert as_dtype(X, np.float32) is X
    with pytest.raises(ValueError, match="too large for float32"):
        as_dtype(as_csr([[1e60]], "f8"), np.float32)


def test_other_values_for_the_same_entries():
    X = as_csr(sparse.csr_matrix([[5.0, 0, 6.0], [0, 7.0, 0]]), "f8")
    other = with_values(X, np.array([1, 0, 3], np.float32))
    assert as_scipy(other).toarray().tolist() == [[1, 0, 0], [0, 3, 0]]
    assert (other.canonical, other.n_nonzeros) == (True, 2)
    assert np.shares_memory(with_values(X, np.ones(3)).indices, X.indices)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_back_to_scipy(dtype):
    X = sparse.random(30, 10, density=0.4, format="csr", dtype=dtype, random_state=0)
    back = as_scipy(as_csr(X, dtype), dtype)
    assert np.shares_memory(back.data, X.data)
    assert back.has_canonical_format
    assert (back != X).nnz == 0
    ones = as_scipy(as_csr(X != 0, dtype), dtype)
    assert (ones.dtype, set(ones.data)) == (dtype, {1})
    assert as_scipy(as_csr(X, dtype)).dtype == np.float64


def test_unaligned_arrays():
    X = sparse.random(30, 10, density=0.4, format="csr", dtype="f4", random_state=0)
    y = np.arange(30.0)

    def unaligned(array):
        raw = np.frombuffer(b"x" + array.tobytes(), np.uint8)
        return raw[1:].view(array.dtype)

    twin = X.copy()
    twin.data, twin.indices, twin.indptr = map(unaligned, (X.data, X.indices, X.indptr))
    assert not twin.data.flags.aligned
    models = [fm.train(matrix, target) for matrix, target in ((X, y), (twin, unaligned(y)))]
    np.testing.assert_array_equal(models[0].V, models[1].V)
    theta = np.frombuffer(bytearray(b"x" + bytes(24)), np.uint8)[1:].view("f8")
    with pytest.raises(ValueError, match=r"theta.*aligned"):
        fm.nn.adam_update(theta, np.ones(3), np.zeros(3), np.zeros(3), 1, 0.1)


def test_long_sums_keep_their_last_rows():
    """Float32 stops counting at 2**24."""
    rows = 2**24 + 2**22
    X = sparse.csr_matrix(
        (np.ones(rows, "f4"), np.zeros(rows, "i4"), np.arange(rows + 1, dtype="i4")), (rows, 1)
    )
    zero = np.zeros((1, 1), "f4")
    dw0, dw, _ = fm.nn.backward(X, np.ones(rows, "f4"), 0.0, zero[0], zero)
    assert dw0 == dw[0] == rows


@pytest.mark.parametrize("kind", [np.int8, np.uint16, np.int64, bool])
def test_only_integers_that_are_all_one_count_as_ones(kind):
    X = np.array([[1, 0, 2], [0, 3, 0]]).astype(kind)
    ones = as_csr(sparse.csr_matrix((X != 0).astype(kind)), np.float32)
    assert ones.values is None
    found = as_csr(sparse.csr_matrix(X), np.float32)
    stored = [1, 2, 3] if kind is not bool else None
    assert found.values is stored or found.values.tolist() == stored
    assert np.array_equal(as_scipy(found).toarray(), X)


VALUES = pytest.mark.parametrize("dtype", [np.float32, np.float64, None])  # None: all are one


def borrowed(columns, dtype, values=(2.0, 3.0)):
    """Return a matrix of three columns whose second row holds two entries, as they are."""
    offsets, columns = np.array([0, 0, 2, 2], np.int32), np.array(columns, np.int32)
    return _core.Csr(offsets, columns, None if dtype is None else np.array(values, dtype), 3, "X")


@VALUES
@pytest.mark.parametrize("column", [-(2**31), -1, 3, 4, 2**31 - 1])
@pytest.mark.parametrize("place", [0, 1])
def test_columns_are_in_range(column, place, dtype):
    columns = [1, 1]
    columns[place] = column
    with pytest.raises(ValueError, match=f"^X has column {column} in row 1, but only 3 columns"):
        borrowed(columns, dtype)
    assert borrowed([0, 2], dtype).n_nonzeros == 2


@VALUES
def test_columns_of_canonical_rows_ascend(dtype):
    assert borrowed([1, 2], dtype).canonical
    assert not borrowed([2, 1], dtype).canonical
    assert not borrowed([1, 1], dtype).canonical


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_canonical_rows_hold_finite_numbers_that_are_not_zero(dtype):
    assert not borrowed([1, 2], dtype, (1.0, 0.0)).canonical
    assert borrowed([1, 2], dtype, (1.0, 1.0)).all_ones
    assert not borrowed([1, 2], dtype, (1.0, -1.0)).all_ones
    for value, name in ((np.nan, "NaN"), (np.inf, "infinity"), (-np.inf, "infinity")):
        with pytest.raises(ValueError, match=f"^X holds {name} at row 1, column 2"):
            borrowed([1, 2], dtype, (1.0, value))


def test_neighbours_of_the_same_column_are_summed():
    offsets = np.array([0, 3], np.int32)
    X = sparse.csr_matrix((np.array([2.0, 3.0, 1.0]), np.array([1, 1, 2]), offsets), (1, 3))
    found = as_csr(X, np.float64)
    assert (found.indices.tolist(), found.values.tolist()) == ([1, 2], [5, 1])


@pytest.mark.parametrize("wide", [np.int32, np.int64])
@pytest.mark.parametrize(
    ("offsets", "message"),
    [
        ([1, 1, 2], "begin with 0, got 1"),
        ([-1, 1, 2], "begin with 0, got -1"),
        ([0, 2, 1], "not decrease: row 1 begins at 2 and ends at 1"),
        ([0, 1, 3], r"indices is shorter than its indptr says \(2 < 3\)"),
    ],
)
def test_offsets_are_within_the_arrays(offsets, message, wide):
    columns = np.array([0, 1], np.int32)
    with pytest.raises(ValueError, match=message):
        _core.Csr(np.array(offsets, wide), columns, np.ones(2), 3, "X")
