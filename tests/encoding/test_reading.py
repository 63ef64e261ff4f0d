"""X as it is taken in: quickly if it is in order, with scikit-learn's words if it is not."""

import warnings

import numpy as np
import pytest
from scipy import sparse

from sparsefm.data.csr import as_scipy
from sparsefm.encoding import TableEncoder, reading
from sparsefm.encoding.names import Names
from sparsefm.encoding.reading import read

NAMES = ["s", "n"]
ROWS = {"s": ["a", "b", "a"], "n": [1.0, 2.0, 4.0]}
DENSE = np.array([[1.0, 0.0], [2.5, 1.0], [0.0, 1.0]])


@pytest.fixture
def no_checks(monkeypatch):
    """Let scikit-learn's checks fail."""

    def fail(*args, **kwargs):
        raise AssertionError("scikit-learn was asked")

    monkeypatch.setattr(reading, "check_array", fail)


def test_a_table_in_order_needs_no_check_of_scikit_learns(table, request):
    fitted = TableEncoder().fit(table(ROWS))
    request.getfixturevalue("no_checks")
    fitted.transform(table(ROWS))
    fitted.partial_fit(table(ROWS | {"s": ["c", "d", "e"]}))
    for other in ({"n": ROWS["n"], "s": ROWS["s"]}, {"s": ROWS["s"]}, ROWS | {"new": [1, 2, 3]}):
        with pytest.raises(ValueError, match="The feature names should match those that were"):
            fitted.transform(table(other))


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix, sparse.coo_array])
def test_an_array_in_order_needs_no_check_of_scikit_learns(form, request):
    fitted = TableEncoder().fit(form(DENSE))
    request.getfixturevalue("no_checks")
    fitted.transform(form(DENSE))
    fitted.partial_fit(form(DENSE))
    for other in (DENSE - np.inf,) if form is np.asarray else ():
        with pytest.raises(AssertionError, match="scikit-learn was asked"):
            fitted.transform(form(other))
    with pytest.raises(ValueError, match="X has 1 features, but TableEncoder is expecting 2"):
        fitted.transform(form(DENSE[:, :1]))


def test_sparse_matrices_are_borrowed_or_cleaned():
    X = sparse.csr_matrix(DENSE)
    assert np.shares_memory(read(X, TableEncoder(), reset=True).data.values, X.data)
    twice = sparse.csr_matrix((np.array([100, 100], "i1"), [0, 0], [0, 2]), (1, 1))
    data = read(twice, TableEncoder(), reset=True)
    assert (data.is_sparse, data.shape, data.data.values.tolist()) == (True, (1, 1), [200])
    assert data.columns().__next__().values.tolist() == [200]
    assert (as_scipy(data.as_csr()) != as_scipy(data.data)).nnz == 0
    assert twice.nnz == 2


@pytest.mark.parametrize(
    ("X", "error", "match"),
    [
        (sparse.csr_matrix((0, 2)), ValueError, r"Found array with 0 sample\(s\) \(shape=\(0, 2\)"),
        (sparse.csr_matrix((2, 0)), ValueError, r"Found array with 0 feature\(s\)"),
        (np.empty((2, 0)), ValueError, r"Found array with 0 feature\(s\) \(shape=\(2, 0\)"),
        (sparse.csr_matrix([[1j]]), TypeError, "X must hold real numbers, got dtype complex"),
        (sparse.csr_matrix([[np.inf]]), ValueError, "X holds infinity at row 0, column 0"),
        (sparse.csr_array((1, 2**31)), ValueError, "at most 2147483647 are supported"),
        (np.ones((2, 2, 2)), ValueError, "Expected 2D array, got 3D array"),
    ],
)
def test_scikit_learns_words(X, error, match):
    with pytest.raises(error, match=match):
        TableEncoder().fit(X)


def test_indices_out_of_range_are_an_error():
    X = sparse.csr_matrix(DENSE)
    X.indices[0] = 2
    with pytest.raises(ValueError, match="column"):
        TableEncoder().fit(X)


def test_names_where_there_were_none_and_none_where_there_were():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(DENSE, columns=NAMES)
    named, unnamed = TableEncoder().fit(frame), TableEncoder().fit(DENSE)
    with pytest.warns(UserWarning, match="X does not have valid feature names, but TableEncoder"):
        named.transform(DENSE)
    with pytest.warns(
        UserWarning, match="X has feature names, but TableEncoder was fitted without"
    ):
        unnamed.transform(frame)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        numbered = TableEncoder().fit(pd.DataFrame(DENSE))  # names that are not text count for none
        numbered.transform(DENSE)


def test_columns_may_be_added_at_the_end(table):
    owner = TableEncoder().fit(table(ROWS))
    more = read(table(ROWS | {"new": [1, 2, 3]}), owner, owner._names, extend=True)
    assert more.names == Names([*NAMES, "new"])
    assert owner.feature_names_in_.tolist() == NAMES
    with pytest.raises(ValueError, match="feature names should match"):
        read(table({"new": [1, 2, 3], **ROWS}), owner, owner._names, extend=True)
    dense = TableEncoder().fit(DENSE)
    assert read(np.ones((1, 3)), dense, extend=True).shape == (1, 3)
    with pytest.raises(ValueError, match="X has 1 features, but TableEncoder is expecting 2"):
        read(np.ones((1, 1)), dense, extend=True)


# --- what else has rows ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("X", "error", "match"),
    [
        ({"s": ["a"], "n": [1]}, TypeError, r"X is a dict: pass \[X\] if it is a row, pandas"),
        ([{"s": "a"}, ["a"]], TypeError, "row 0 of X is a dict, but row 1 is list"),
        ([{"s": "a", 1: 2}], TypeError, r"column names of several types \(int, str\): make all"),
        ([{}], ValueError, r"0 feature\(s\)"),
        ([], ValueError, "Expected 2D array, got 1D array"),
        ((row for row in DENSE), TypeError, r"X is an iterator \(generator\): pass list\(X\)"),
        ([["a", 1], ["b"]], ValueError, "X is not an array of plain values in rows of one length"),
        ("text", ValueError, "Expected 2D array, got scalar"),
        (None, ValueError, "Expected 2D array, got scalar"),
        (["a", "b"], ValueError, "Expected 2D array, got 1D array"),
        (np.array([("a", 1)], dtype=[("s", "U1"), ("n", int)]), ValueError, "X is a structured"),
        (np.array([[1]], "m8[M]"), TypeError, "column 'x0' holds dates or times in a form"),
        (np.array([[b"a"]]), TypeError, "column 'x0' holds objects of type bytes"),
    ],
)
def test_what_is_no_table_is_refused_with_a_remedy(X, error, match):
    with pytest.raises(error, match=match):
        TableEncoder().fit(X)


@pytest.mark.parametrize("dtype", [np.longdouble, np.float16, np.uint64, ">f4", bool])
def test_numbers_of_any_type(dtype):
    X = np.array([[0, 1], [1, 0]], dtype)
    assert TableEncoder().fit_transform(X).toarray().tolist() == [[0, 1], [1, 0]]


def test_numbers_too_large_for_float64_are_infinite():
    if np.finfo(np.longdouble).max > np.finfo(float).max:
        with pytest.raises(ValueError, match="Input X contains infinity"):
            TableEncoder().fit(np.array([[np.longdouble(10) ** 400]]))
    with pytest.raises(ValueError, match="column 'x0' holds a number too large for float64"):
        TableEncoder().fit([[10**400], [1]])
