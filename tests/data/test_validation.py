"""What users pass: one matrix in any form gives the same bits, bad input an error that names it."""

import itertools
from contextlib import contextmanager

import numpy as np
import pytest
from scipy import sparse

import sparsefm as fm

ROWS, FEATURES = 12, 6


def dense():
    """Make rows of quarters, exact in every float type, with empty ones and an empty column."""
    rng = np.random.default_rng(0)
    X = rng.integers(-8, 9, size=(ROWS, FEATURES)) / 4 * (rng.random((ROWS, FEATURES)) < 0.6)
    X[3, 2], X[0, :3], X[-1], X[:, -1] = 1.5, 1, 0, 0
    return X


def csr():
    return sparse.csr_matrix(dense())


Y = np.random.default_rng(1).integers(-8, 9, size=ROWS) / 4
MODEL = fm.Model(0.5, np.linspace(-1, 1, FEATURES), np.linspace(-1, 2, 2 * FEATURES).reshape(-1, 2))


def fit(X="csr", y=Y, **settings):
    settings = {"rank": 2, "epochs": 2, "batch_size": 5, "n_threads": 1, **settings}
    return fm.train(csr() if isinstance(X, str) and X == "csr" else X, y, **settings)


def bits(model):
    return model.w0, model.dtype.str, model.w.tobytes(), model.V.tobytes()


@contextmanager
def untouched(*values):
    """Check that nothing in these changes: no number, and no array's type or length."""

    def content():
        names = ("data", "indices", "indptr", "row", "col", "offsets", "rows")
        for value in values:
            if sparse.issparse(value) and value.format != "dok":
                arrays = [getattr(value, name) for name in names if hasattr(value, name)]
            else:
                arrays = [value.toarray() if sparse.issparse(value) else np.asarray(value)]
            yield [(a.dtype.str, a.shape, repr(a.tolist())) for a in arrays]  # NaN != NaN

    before = list(content())
    yield
    assert list(content()) == before


@contextmanager
def refused(error, match, *values):
    with untouched(*values), pytest.raises(error, match=match):
        yield


USES = {
    "train": lambda X: fit(X),
    "validate": lambda X: fit(X_val=X, y_val=Y),
    "predict": lambda X: fm.predict(X, MODEL),
    "forward": lambda X: fm.nn.forward(X, MODEL.w0, MODEL.w, MODEL.V),
    "backward": lambda X: fm.nn.backward(X, Y, MODEL.w0, MODEL.w, MODEL.V),
}


@pytest.fixture(params=USES)
def use(request):
    """Return something that takes X, and what it calls it."""
    return USES[request.param], "X_val" if request.param == "validate" else "X"


# --- the same matrix, in any form ---------------------------------------------------------------


def made(statement, to="csr", X=None):
    """Make the matrix, then run a statement that changes X."""
    X = csr() if X is None else X
    X = sparse.bsr_matrix(X, blocksize=(3, 2)) if to == "bsr" else X.asformat(to, copy=True)
    exec(statement, {"X": X, "np": np})
    return X


def unsorted():
    X = csr()
    for begin, end in itertools.pairwise(X.indptr):
        X.indices[begin:end] = X.indices[begin:end][::-1].copy()
        X.data[begin:end] = X.data[begin:end][::-1].copy()
    return X


def duplicated():
    """Store each entry x as x - 1 and, after the row's others, 1; each zero as -1 and 1."""
    data = np.hstack([dense() - 1, np.ones((ROWS, FEATURES))]).ravel()
    indices = np.tile(np.arange(FEATURES, dtype=np.int32), 2 * ROWS)
    indptr = np.arange(ROWS + 1, dtype=np.int32) * 2 * FEATURES
    return sparse.csr_matrix((data, indices, indptr), (ROWS, FEATURES))


def with_zeros():
    indices, indptr = np.tile(np.arange(FEATURES), ROWS), np.arange(ROWS + 1) * FEATURES
    return sparse.csr_matrix((dense().ravel(), indices, indptr), (ROWS, FEATURES))


WIDE = "X.indptr, X.indices = X.indptr.astype('i8'), X.indices.astype('i8')"
# What lies beyond the end is nobody's business.
SLACK = "X.data, X.indices = np.r_[X.data, np.nan, 7], np.r_[X.indices, np.int32(0), np.int32(1)]"
LOCK = "X.data.flags.writeable = X.indices.flags.writeable = X.indptr.flags.writeable = False"
FORMS = {
    **{to: lambda to=to: csr().asformat(to) for to in ("csc", "coo", "bsr", "lil", "dok", "dia")},
    "array": lambda: sparse.csr_array(dense()),
    "wide": lambda: made(WIDE),
    "wide indptr": lambda: made("X.indptr = X.indptr.astype('i8')"),
    "wide indices": lambda: made("X.indices = X.indices.astype('i8')"),
    "wide csc": lambda: made(WIDE, "csc"),
    "unsorted": unsorted,
    "unsorted csc": lambda: unsorted().T.tocsr()[:, ::-1][:, ::-1].T,
    "unsorted, marked as sorted": lambda: made("X.has_canonical_format = True", X=unsorted()),
    "duplicates": duplicated,
    "duplicates csc": lambda: duplicated().tocsc(),
    "duplicates coo": lambda: duplicated().tocoo(),
    "zeros": with_zeros,
    "zeros csc": lambda: with_zeros().tocsc(),
    "zeros coo": lambda: with_zeros().tocoo(),
    "slack": lambda: made(SLACK),
    "slack csc": lambda: made(SLACK, "csc"),
    "read-only": lambda: made(LOCK),
    "read-only dense": lambda: np.frombuffer(dense().tobytes()).reshape(ROWS, FEATURES),
    "fortran": lambda: np.asfortranarray(dense()),
    "sliced": lambda: np.repeat(np.repeat(dense(), 3, axis=0), 2, axis=1)[::3, ::2],
    "reversed": lambda: dense()[::-1, ::-1].copy()[::-1, ::-1],
    "list": lambda: dense().tolist(),
    "big-endian": lambda: dense().astype(">f8"),
    "big-endian data": lambda: made("X.data = X.data.astype('>f8')"),
    "big-endian csc": lambda: made("X.data = X.data.astype('>f8')", "csc"),
    "big-endian indices": lambda: made("X.indices = X.indices.astype('>i4')"),
    "big-endian indptr": lambda: made("X.indptr = X.indptr.astype('>i4')"),
    "float16": lambda: made("X.data = X.data.astype('f2')"),
    "float16 dense": lambda: dense().astype("f2"),
    "float16 unsorted": lambda: made("X.data = X.data.astype('f2')", X=unsorted()),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("form", FORMS)
def test_forms_of_one_matrix(form, dtype):
    X, expected = FORMS[form](), fit(dense().astype(dtype), dtype=dtype)
    with untouched(X):
        model = fit(X, dtype=dtype)
        predicted = fm.predict(X, model)
    assert bits(model) == bits(expected)
    assert predicted.tobytes() == fm.predict(csr(), expected).tobytes()


@pytest.mark.parametrize("to", ["dense", "csr", "csc"])
@pytest.mark.parametrize("dtype", ["?", "i1", "u1", "i8", "u8", "f2", "f4", "f8", ">i2", "g"])
def test_number_types(dtype, to):
    ones = (dense() > 0).astype("f4")
    X = ones.astype(dtype)
    if to != "dense":
        X = made(f"X.data = X.data.astype('{dtype}')", to, sparse.csr_matrix(ones))
    with untouched(X):
        assert bits(fit(X)) == bits(fit(ones))


def test_data_frames():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [0.5, 0, 2], "b": [1, 0, 3]})
    expected = bits(fit(frame.to_numpy(), [1, 2, 3]))
    assert bits(fit(frame, pd.Series([1, 2, 3], index=[7, 8, 9]))) == expected
    assert bits(fit(frame.astype(pd.SparseDtype(float, 0.0)), [1, 2, 3])) == expected


def test_data_frames_of_several_types():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [0.5, 0, 2], "b": [1, 0, 3], "c": [True, False, True]})
    expected = bits(fit(frame.to_numpy(dtype=float), [1, 2, 3]))
    assert bits(fit(frame, [1, 2, 3])) == expected
    assert bits(fit(frame.astype({"b": "Int64"}), pd.array([1, 2, 3], dtype="Int64"))) == expected


@pytest.mark.parametrize("column", [["u", "v", "w"], [1, 2, "w"], ["1", "2", "3"]])
def test_data_frames_of_text(column):
    pd = pytest.importorskip("pandas")
    with pytest.raises(TypeError, match=r"^X must hold real numbers.*encode"):
        fit(pd.DataFrame({"a": [0.5, 0, 2], "b": column}), [1, 2, 3])


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_matrix])
def test_values_that_vanish_in_float32_are_zero(make):
    X = dense()
    X[X == 0] = 1e-60
    X = make(X)
    with untouched(X):
        model = fit(X)
        fm.predict(X, model)
    assert bits(model) == bits(fit(dense()))


# --- X refused ----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["dense", "csr", "csc", "coo", "bsr", "unsorted", "float32"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite(use, form, value):
    take, name = use
    X = unsorted() if form == "unsorted" else dense()
    X[3, 2] = value
    if form in ("csr", "csc", "coo", "bsr"):
        X = sparse.csr_matrix(X).asformat(form)
    X = X.astype("f4") if form == "float32" else X
    with refused(ValueError, rf"^{name} holds (NaN|infinity) at row 3, column 2\b", X):
        take(X)


@pytest.mark.parametrize("to", ["dense", "csr", "csc"])
@pytest.mark.parametrize("dtype", ["f8", ">f8", "g"])
@pytest.mark.parametrize("value", [1e39, -1e39])
def test_values_too_large_for_float32(value, dtype, to):
    X = dense()
    X[3, 2] = value
    spoil = f"X.data = X.data.astype('{dtype}')"
    X = X.astype(dtype) if to == "dense" else made(spoil, to, sparse.csr_matrix(X))
    with refused(ValueError, r"^X holds -?1e\+39, too large for float32.*float64", X):
        fit(X)
    with untouched(X):
        assert np.isfinite(fm.predict(X, MODEL)).all()  # in float64


NOT_NUMBERS = {
    "none": None,
    "text": "rows",
    "strings": dense().astype(str),
    "objects": np.full((ROWS, FEATURES), None),
    "dates": np.zeros((ROWS, FEATURES), "M8[s]"),
    "complex": dense() * 1j,
    "complex csr": csr() * 1j,
    "complex coo": csr().tocoo() * 1j,
    "object csr": made("X.data = X.data.astype(object)"),
    "object csc": made("X.data = X.data.astype(object)", "csc"),
    "object coo": made("X.data = X.data.astype(object)", "coo"),
}


@pytest.mark.parametrize("kind", NOT_NUMBERS)
def test_not_numbers(use, kind):
    take, name = use
    # None may also be taken for a missing number, or for missing rows.
    none = "|and y_val go together|holds NaN|must be two-dim"
    numbers = rf"(must hold real numbers{none if kind in ('none', 'objects') else ''})"
    files = "^y(_val)? must be None if X(_val)? names files|" if kind == "text" else ""
    with pytest.raises((TypeError, ValueError), match=f"{files}^{name} {numbers}"):
        take(NOT_NUMBERS[kind])


@pytest.mark.parametrize(
    "X", [np.ones(FEATURES), np.ones((2, 3, FEATURES)), sparse.coo_array(np.ones(FEATURES))]
)
def test_not_two_dimensional(use, X):
    take, name = use
    with pytest.raises(ValueError, match=rf"^{name} must be two-dimensional"):
        take(X)


def test_not_a_matrix(use):
    take, name = use
    with pytest.raises(ValueError, match=rf"^{name} .*(row|shape|dimension)"):
        take([[1.0], [1.0, 2.0]])
    with pytest.raises(ValueError, match=rf"^{name} has 2147483648 columns"):
        take(sparse.csr_matrix((ROWS, 2**31)))


@pytest.mark.parametrize("kind", [name for name in USES if name != "train"])
@pytest.mark.parametrize("columns", [0, FEATURES - 1, FEATURES + 1])
def test_other_number_of_features(kind, columns):
    with pytest.raises(ValueError, match=rf"has {columns} features, but {FEATURES} are expected"):
        USES[kind](np.ones((ROWS, columns)))


@pytest.mark.parametrize("shape", [(0, FEATURES), (ROWS, 0), (0, 0)])
@pytest.mark.parametrize("make", [np.zeros, sparse.csr_matrix])
def test_empty(make, shape):
    with pytest.raises(ValueError, match=f"X is empty: it has {shape[0]} rows and {shape[1]} col"):
        fit(make(shape), np.zeros(shape[0]))
    with pytest.raises(ValueError, match=r"X_val (is empty|has 0 features)"):
        fit(X_val=make(shape), y_val=np.zeros(shape[0]))


# fmt: off
COMPRESSED = [
    "X.indptr[2] = 0", "X.indptr[0] = 1", "X.indptr[0] = -1", "X.indptr[-1] = 1000",
    "X.indptr[2] = 10**8", "X.indptr = X.indptr - 5", "X.indptr = X.indptr.astype('i8') * 2**59",
    "X.indptr = X.indptr[:-1]", "X.indptr = X.indptr[:0]", "X.indptr = X.indptr[:, None]",
    "X.indptr = np.r_[X.indptr, X.indptr[-1]]", "X.indptr = X.indptr + 0.5",
    "X.indices[1] = -1", "X.indices[1] = 99", "X.indices[-1] = 2**31 - 1",
    "X.indices = X.indices.astype('i8') + 2**32", "X.indices = X.indices.astype('i8') - 2**32",
    "X.indices = X.indices[:3]", "X.indices = X.indices[:0]", "X.indices = X.indices[:, None]",
    "X.indices = X.indices + 0.5",
    "X.data = X.data[:3]", "X.data = X.data[:0]", "X.data = X.data[:, None]",
]
TRIPLES = [
    "X.row[1] = 99", "X.row[1] = -1", "X.col[1] = 99", "X.col[1] = -1",
    "X.coords = (X.row.astype('i8') + 2**32, X.col)", "X.coords = (X.row[:3], X.col)",
    "X.coords = (X.row, X.col.astype('i8') - 2**32)", "X.data = X.data[:3]",
]
# fmt: on


@pytest.mark.parametrize(
    ("to", "spoil"),
    [*itertools.product(["csr", "csc", "bsr"], COMPRESSED), *(("coo", s) for s in TRIPLES)],
)
def test_malformed_matrix(use, to, spoil):
    (take, name), X = use, made(spoil, to)
    with refused(ValueError, rf"^{name}\b", X):
        take(X)


# --- vectors ------------------------------------------------------------------------------------

VECTORS = {
    "y": lambda values, **settings: fit(y=values, **settings),
    "y_val": lambda values, **settings: fit(X_val=csr(), y_val=values, **settings),
    "sample_weight": lambda values, **settings: fit(sample_weight=values, **settings),
    "slopes": lambda values: fm.nn.backward(csr(), values, MODEL.w0, MODEL.w, MODEL.V),
}


@pytest.fixture(params=VECTORS)
def vector(request):
    """Return something that takes a vector, and what it calls it."""
    return VECTORS[request.param], request.param


@pytest.mark.parametrize(
    "make",
    [list, tuple, lambda y: y[:, None], lambda y: np.repeat(y, 3)[::3], lambda y: y[::-1][::-1]]
    + [lambda y, to=to: y.astype(to) for to in ("f2", "f4", ">f8", "g", "O", "i1", "u8")],
)
def test_forms_of_one_vector(make):
    y = np.arange(ROWS) % 5.0
    for name in ("y", "sample_weight"):
        values = make(y)
        with untouched(values):
            assert bits(VECTORS[name](values)) == bits(VECTORS[name](y.astype("f4")))


WRONG_VECTORS = {
    "NaN": (np.where(np.arange(ROWS) == 4, np.nan, 1), "holds nan at row 4"),
    "infinity": (np.where(np.arange(ROWS) == 4, -np.inf, 1), "holds -inf at row 4"),
    "None": ([None if row == 4 else 1 for row in range(ROWS)], "holds nan at row 4"),
    "short": (Y[:-1], "has 11 entries, but MATRIX has 12 rows"),
    "long": (np.r_[Y, 1], "has 13 entries, but MATRIX has 12 rows"),
    "empty": ([], "has 0 entries, but MATRIX has 12 rows"),
    "columns": (np.ones((ROWS, 2)), "must be one-dimensional"),
    "scalar": (1.0, "must be one-dimensional"),
    "ragged": ([[1.0], [1.0, 2.0]] * (ROWS // 2), ""),
    "strings": (Y.astype(str), "must hold real numbers"),
    "string objects": (Y.astype(str).astype(object), "must hold real numbers"),
    "complex": (Y * 1j, "must hold real numbers"),
    "dates": (np.zeros(ROWS, "M8[s]"), "must hold real numbers"),
    "dict": ({"a": 1}, "must hold real numbers"),
    "sparse": (csr()[:, :1], "must be a dense"),
}


@pytest.mark.parametrize("kind", WRONG_VECTORS)
def test_vectors_refused(vector, kind):
    (take, name), (values, message) = vector, WRONG_VECTORS[kind]
    message = message.replace("MATRIX", "X_val" if name == "y_val" else "X")
    error = TypeError if "real" in message or kind == "sparse" else ValueError
    with refused(error, rf"^{name}\b.*{message}", *() if kind == "ragged" else (values,)):
        take(values)


@pytest.mark.parametrize("name", ["y", "y_val"])
def test_vectors_too_large_for_float32(name):
    values = np.full(ROWS, 1e39)
    with refused(ValueError, rf"^{name} holds 1e\+39, too large for float32.*float64", values):
        VECTORS[name](values)
    VECTORS[name](values, dtype="float64")


@pytest.mark.parametrize(("weight", "message"), [(-0.5, "negative; row 7 has -0.5"), (0, "all 12")])
def test_weights_refused(weight, message):
    weights = np.where(np.arange(ROWS) == 7, weight, 0)
    with refused(ValueError, f"^sample_weight must .*{message}", weights):
        fit(sample_weight=weights)


def test_missing_targets():
    for given in ({"y": None}, {"X_val": csr()}, {"y_val": Y}):
        with pytest.raises((TypeError, ValueError), match=r"^(y|X_val and y_val)\b"):
            fit(**given)
