"""Every sparse format becomes the same CSR, and one that lies is refused before SciPy sees it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

import sparsefm as fm
from sparsefm.data.csr import as_csr, as_scipy

FUZZ = Path(__file__).parent.parent / "sparse_fuzz.py"
FORMATS = ("csr", "csc", "bsr", "coo", "lil", "dia", "dok")
KINDS = [f"{form}_{kind}" for form in FORMATS for kind in ("matrix", "array")]
DENSE = np.random.default_rng(0).integers(-1, 2, (9, 4)).astype(float)


@pytest.mark.parametrize("dtype", ["f4", "f8", "i2", "?"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_format_becomes_the_same(kind, dtype):
    X = getattr(sparse, kind)(DENSE.astype(dtype))
    before = X.toarray()
    found = as_scipy(as_csr(X, np.float64))
    np.testing.assert_array_equal(found.toarray(), DENSE.astype(dtype))
    np.testing.assert_array_equal(X.toarray(), before)
    assert found.has_canonical_format


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (4, 7), (7, 4), (1, 1)])
@pytest.mark.parametrize("kind", KINDS)
def test_matrices_of_any_shape(kind, shape):
    for dense in (np.zeros(shape), np.arange(float(np.prod(shape))).reshape(shape)):
        if 0 in shape and kind.startswith(("bsr", "dia")):
            continue  # SciPy makes none of all shapes
        found = as_scipy(as_csr(getattr(sparse, kind)(dense), np.float64))
        np.testing.assert_array_equal(found.toarray(), dense)


def test_blocks_and_diagonals():
    X = sparse.bsr_array(np.kron(np.eye(3), np.ones((2, 4))), blocksize=(2, 4))
    assert (as_scipy(as_csr(X, "f8")) != X.tocsr()).nnz == 0
    for offsets in ([0], [-8, 3], [2, -1, 0], [100, -100]):
        data = np.arange(1.0, 1 + 5 * len(offsets)).reshape(len(offsets), 5)
        X = sparse.dia_matrix((data, offsets), (9, 4))
        np.testing.assert_array_equal(as_scipy(as_csr(X, "f8")).toarray(), X.toarray())
    X = sparse.dia_matrix((np.ones((1, 2)), [0]), (9, 4))  # a short diagonal
    np.testing.assert_array_equal(as_scipy(as_csr(X, "f8")).toarray(), X.toarray())


def test_entries_of_a_place_are_added_up():
    X = sparse.coo_array(([1.0, 2.0, 4.0], ([0, 0, 1], [1, 1, 0])), (2, 2))
    assert as_scipy(as_csr(X, "f8")).toarray().tolist() == [[0, 3], [4, 0]]


# --- matrices that lie ----------------------------------------------------------------------------


def changed(kind, **parts):
    """Return a matrix of the format with other attributes."""
    X = getattr(sparse, f"{kind}_matrix")(DENSE)
    for name, value in parts.items():
        setattr(X, name, value(getattr(X, name)) if callable(value) else value)
    return X


def put(place, value):
    def change(array):
        array = array.copy()
        array[place] = value
        return array

    return change


def short(array):
    return array[:-1]


LIES = {
    "CSR: offset": changed("csr", indptr=put(4, 10**6)),
    "CSR: short indices": changed("csr", indices=short),
    "CSR: a column": changed("csr", indices=put(0, 4)),
    "CSR: shape": changed("csr", _shape=(5, 4)),
    "CSC: offset": changed("csc", indptr=put(2, 10**6)),
    "CSC: ends with 0": changed("csc", indptr=put(-1, 0)),
    "CSC: decreases": changed("csc", indptr=lambda a: np.concatenate([[0, a[2], a[1]], a[3:]])),
    "CSC: a row": changed("csc", indices=put(0, 9)),
    "CSC: a row below": changed("csc", indices=put(0, -1)),
    "CSC: short data": changed("csc", data=short),
    "CSC: shape": changed("csc", _shape=(9, 400)),
    "BSR: offset": changed("bsr", indptr=put(1, 10**6)),
    "BSR: a column": changed("bsr", indices=put(0, 10**6)),
    "BSR: fewer blocks": changed("bsr", data=short),
    "BSR: no blocks": changed("bsr", data=lambda a: a.reshape(-1)),
    "BSR: empty blocks": changed("bsr", data=lambda a: a[:, :0]),
    "COO: a row": changed("coo", coords=lambda c: (put(0, 9)(c[0]), c[1])),
    "COO: a column below": changed("coo", coords=lambda c: (c[0], put(0, -1)(c[1]))),
    "COO: short": changed("coo", data=short),
    "COO: shape": changed("coo", _shape=(2, 2)),
    "LIL: a column": changed("lil", rows=put(3, [10**6])),
    "LIL: more values": changed("lil", data=put(3, [1.0] * 9)),
    "LIL: no list": changed("lil", rows=put(3, None)),
    "LIL: fewer rows": changed("lil", rows=short),
    "DIA: fewer diagonals": changed("dia", data=short),
    "DIA: an offset twice": changed("dia", offsets=lambda a: np.full_like(a, 1)),
    "DIA: no numbers": changed("dia", offsets=lambda a: a.astype(float)),
    "DOK: a key": changed("dok", _dict={(100, 0): 1.0}),
    "DOK: no pair": changed("dok", _dict={(1, 0, 1): 1.0}),
    "no shape": changed("csr", _shape=None),
    "a shape of text": changed("csc", _shape=("9", 4)),
    "a negative shape": changed("coo", _shape=(-9, 4)),
    "a huge shape": changed("coo", _shape=(2**70, 4)),
}


@pytest.mark.parametrize("X", LIES.values(), ids=LIES)
def test_what_lies_is_refused_everywhere(X):
    y = np.arange(9.0)
    model = fm.Model(0.0, np.zeros(4), np.zeros((4, 2)))
    fitted = fm.FMRegressor(rank=0, epochs=1, search=None).fit(DENSE, y)
    calls = (
        lambda: fm.train(X, y),
        lambda: fm.predict(X, model),
        lambda: fm.FMRegressor().fit(X, y),
        lambda: fm.FMRegressor().fit(DENSE, y, eval_set=(X, y)),
        lambda: fm.FMClassifier().partial_fit(X, y > 3),
        lambda: fitted.predict(X),
        lambda: fm.TableEncoder().fit(X),
    )
    for call in calls:
        with pytest.raises(ValueError, match=r"X|features|inconsistent numbers of samples"):
            call()


@pytest.mark.parametrize(
    ("data", "error", "match"),
    [
        (lambda a: a * 1j, TypeError, "X must hold real numbers, got dtype complex128"),
        (lambda a: a.astype(object), TypeError, "X must hold real numbers, got dtype object"),
        (lambda a: a.astype("U3"), TypeError, "X must hold real numbers"),
        (lambda a: np.ma.masked_equal(a, 1), TypeError, "masked array"),
        (lambda a: a[:, None], ValueError, "X is malformed: its data must have 1 dimension"),
        (lambda a: put(0, np.nan)(a), ValueError, "X holds NaN at row"),
    ],
)
@pytest.mark.parametrize("form", ["csr", "csc", "coo"])
def test_values_that_are_no_real_numbers(form, data, error, match):
    X = changed(form, data=data)
    for call in (lambda: fm.train(X, np.ones(9)), lambda: fm.TableEncoder().fit(X)):
        with pytest.raises(error, match=match):
            call()


def test_sparse_targets_are_refused():
    X, y = np.ones((9, 2)), changed("lil", rows=put(0, [10**6]))
    for estimator in (fm.FMRegressor(), fm.FMClassifier()):
        for call in (estimator.fit, estimator.partial_fit):
            with pytest.raises(TypeError, match="y must be a dense one-dimensional array"):
                call(X, y)


@pytest.mark.parametrize("count", [600, pytest.param(20_000, marks=pytest.mark.slow)])
def test_random_lies_never_end_the_process(count):
    call = [sys.executable, str(FUZZ), str(count), "7"]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    refused, taken = map(int, done.stdout.split())
    assert min(refused, taken) > count / 10
