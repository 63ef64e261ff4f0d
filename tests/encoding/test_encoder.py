"""`TableEncoder` on tables and arrays, beside a slow encoder that reads row by row."""

import math
import sys
import warnings
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from table_libraries import LIBRARIES

from sparsefm.encoding import TableEncoder, size
from sparsefm.encoding.saving import encoder_to_content, read_encoder
from sparsefm.io.reader import Reader

pd = pytest.importorskip("pandas")
pytest.importorskip("narwhals")

# --- a slow encoder: names and values, row by row ------------------------------------------------


def reference_learn(rows, weights):
    """Return for each column its kind and what there is to know, exactly where it can be."""
    known = []
    for column in zip(*rows, strict=True):
        pairs = [(v, w) for v, w in zip(column, weights, strict=True) if w > 0]
        present = [(v, w) for v, w in pairs if v is not None]
        missing = len(present) < len(pairs)
        if all(isinstance(v, str | bool) for v, _ in present):
            known.append(("categories", {v for v, _ in present}, missing))
        elif {v for v, _ in present} <= {0, 1}:
            known.append(("number", (0, 1, -math.inf, math.inf), missing))
        else:
            low, high = usual_range(present)
            present = [(min(max(Fraction(v), low), high), w) for v, w in present]
            total = sum(w for _, w in present)
            mean = sum(v * w for v, w in present) / total
            variance = sum((v - mean) ** 2 * w for v, w in present) / total
            known.append(("number", (mean, math.sqrt(variance), low, high), missing))
    return known


def usual_range(present):
    """Return the bounds beyond which values are far out."""
    repeated = sorted(Fraction(v) for v, w in present for _ in range(w))
    low, high = (repeated[math.ceil(share * len(repeated)) - 1] for share in (0.01, 0.99))
    if low == high:
        return repeated[0], repeated[-1]
    return low - (high - low) / 2, high + (high - low) / 2


def reference_encode(rows, known, names):
    """Return each row as a dict from names to values."""
    encoded = []
    for row in rows:
        features = {}
        for value, (kind, what, missing), name in zip(row, known, names, strict=True):
            if value is None:
                if missing:
                    features[f"{name}=missing"] = 1
            elif kind == "categories":
                if value in what:
                    features[f"{name}={value}"] = 1
            else:
                mean, std, low, high = what
                value = min(max(value, low), high)
                if std > 0 and value != mean:
                    features[name] = float((Fraction(value) - Fraction(mean)) / Fraction(std))
        encoded.append(features)
    return encoded


def as_dicts(X, names):
    return [
        {names[j]: X.data[k] for k, j in enumerate(X.indices[lo:hi], lo)}
        for lo, hi in zip(X.indptr[:-1], X.indptr[1:], strict=True)
    ]


texts = st.none() | st.sampled_from(["a", "b", "ä", "", "10", "9"])
numbers = st.none() | st.integers(-5, 5)
ones = st.none() | st.integers(0, 1)
booleans = st.none() | st.booleans()
frames = st.lists(st.tuples(texts, numbers, ones, booleans, st.integers(0, 3)), min_size=1)
TEXT = "str" if int(pd.__version__.split(".")[0]) >= 3 else "object"
TYPES = {"s": TEXT, "n": "float64", "z": "float64", "b": "boolean"}


def pandas_frame(rows):
    columns = dict(zip(TYPES, zip(*rows, strict=True), strict=True))
    return pd.DataFrame({k: pd.array(v, dtype=TYPES[k]) for k, v in columns.items()})


@settings(max_examples=200, deadline=None)
@given(frames, frames)
def test_the_slow_encoder_agrees(train, test):
    train, weights = [row[:-1] for row in train], [row[-1] for row in train]
    weights[0] += 1  # not all zero
    test = [row[:-1] for row in test] + train
    fitted = TableEncoder(dtype="float64").fit(pandas_frame(train), sample_weight=weights)
    found = as_dicts(fitted.transform(pandas_frame(test)), fitted.get_feature_names_out())
    expected = reference_encode(test, reference_learn(train, weights), TYPES)
    for a, b in zip(found, expected, strict=True):
        assert {k: v for k, v in a.items() if abs(v) > 1e-12} == {
            k: pytest.approx(v, rel=1e-12) for k, v in b.items() if abs(v) > 1e-12
        }


def saved_and_loaded(fitted):
    return read_encoder(Reader(*encoder_to_content(fitted)))


def same(a, b):
    (header, arrays), (other, others) = map(encoder_to_content, (a, b))
    assert header == other
    assert arrays.keys() == others.keys()
    assert all(arrays[k].tobytes() == others[k].tobytes() for k in arrays)


@settings(max_examples=100, deadline=None)
@given(
    frames,
    st.randoms(use_true_random=False),
    st.sampled_from(["standardize", "log", "spline", "bin"]),
    st.booleans(),
)
def test_weights_are_repetitions_in_any_order(rows, random, numeric, clip):
    rows = [(*row[:1], row[1] and row[1] / 7, *row[2:]) for row in rows]  # sums that round
    rows[0] = (*rows[0][:-1], 1)
    repeated = [row[:-1] for row in rows for _ in range(row[-1])]
    random.shuffle(repeated)

    weighted, plain = (TableEncoder(numeric=numeric, n_bins=4, clip=clip) for _ in range(2))
    weighted.fit(pandas_frame([row[:-1] for row in rows]), sample_weight=[row[-1] for row in rows])
    same(weighted, plain.fit(pandas_frame(repeated)))


@pytest.mark.parametrize("seed", range(5))
def test_weights_are_repetitions_of_sparse_and_dense_rows(seed):
    rng = np.random.default_rng(seed)
    X = rng.choice([0, 0, 0.1, 0.7, 1 / 3, 1e200], (300, 5)) * rng.choice([1, -1], (300, 5))
    X[:, 0] = X[:, 0] != 0
    X[::7, 1] = rng.normal(size=len(X[::7]))
    weights = rng.integers(0, 4, 300)
    repeated = rng.permutation(np.repeat(X, weights, axis=0))
    for form in (np.asarray, sparse.csr_matrix, sparse.coo_array):
        weighted = TableEncoder(dtype="float64").fit(form(X), sample_weight=weights)
        same(weighted, TableEncoder(dtype="float64").fit(form(repeated)))


# --- tables -------------------------------------------------------------------------------------

ROWS = {"s": ["b", "a", None, "b"], "n": [1, 2, 3, None], "b": [True, False, True, True],
        "z": [0, 1, 1, 0]}  # fmt: skip


def test_every_library_gives_the_same(table):
    fitted = TableEncoder()
    X = fitted.fit_transform(table(ROWS))
    assert (X.dtype, X.indices.dtype, X.has_sorted_indices) == (np.float32, np.int32, True)
    step = np.sqrt(1.5)
    np.testing.assert_allclose(
        X.toarray(),
        [[0, 1, 0, -step, 0, 0, 1, 0], [1, 0, 0, 0, 0, 1, 0, 1],
         [0, 0, 1, step, 0, 0, 1, 1], [0, 1, 0, 0, 1, 0, 1, 0]], rtol=1e-6,
    )  # fmt: skip
    names = ["s=a", "s=b", "s=missing", "n", "n=missing", "b=False", "b=True", "z"]
    assert fitted.get_feature_names_out().tolist() == names
    assert fitted.fields_.tolist() == [0, 0, 0, 1, 1, 2, 2, 3]
    assert fitted.field_names_ == fitted.feature_names_in_.tolist() == list(ROWS)
    assert (fitted.transform(table(ROWS)) != X).nnz == 0
    restored = saved_and_loaded(fitted)
    assert (restored.transform(table(ROWS)) != X).nnz == 0


def categorical_tables():
    yield pd.DataFrame({"s": pd.Categorical(["b", "a"], categories=["z", "b", "a"])})
    yield pd.DataFrame({"s": np.array(["b", "a"], object)})
    yield pd.DataFrame({"s": pd.array(["b", "a"], dtype="string")})
    if "polars" in LIBRARIES:
        import polars as pl

        yield pl.DataFrame({"s": pl.Series(["b", "a"], dtype=pl.Categorical)})
        yield pl.DataFrame({"s": pl.Series(["b", "a"], dtype=pl.Enum(["z", "b", "a"]))})
    if "pyarrow" in LIBRARIES:
        import pyarrow as pa

        chunks = [pa.array([value]).dictionary_encode() for value in ("b", "a")]
        yield pa.table({"s": pa.chunked_array(chunks)})
        yield pa.table({"s": pa.array(["b", "a"], pa.large_string())})


@pytest.mark.parametrize("X", list(categorical_tables()), ids=lambda X: type(X).__module__)
def test_categories_are_sorted_and_only_those_that_occur(X):
    fitted = TableEncoder().fit(X)
    assert fitted.get_feature_names_out().tolist() == ["s=a", "s=b"]
    assert fitted.transform(X).indices.tolist() == [1, 0]


def test_categories_keep_their_type():
    frame = pd.DataFrame({"i": [10, 9, 10], "f": [0.5, 2, 0.5]}).astype("category")
    fitted = TableEncoder().fit(frame)
    assert fitted.get_feature_names_out().tolist() == ["i=9", "i=10", "f=0.5", "f=2"]
    restored = saved_and_loaded(fitted)
    assert [type(encoding.values[0]) for encoding in restored._encodings] == [int, float]
    plain = restored.transform(frame.astype({"i": "int64", "f": "float64"}))
    assert (plain != fitted.transform(frame)).nnz == 0


def test_objects_that_are_numbers_are_numbers():
    frame = pd.DataFrame({"n": np.array([1, 2.5, None], object)})
    assert TableEncoder().fit(frame).get_feature_names_out().tolist() == ["n", "n=missing"]


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_a_column_with_nothing_in_it(missing):
    fitted = TableEncoder().fit(pd.DataFrame({"s": np.array([missing, missing], object)}))
    assert fitted.transform(pd.DataFrame({"s": [None]}, dtype=object)).sum() == 1
    assert fitted.transform(pd.DataFrame({"s": ["a"]})).nnz == 0
    restored = saved_and_loaded(fitted)
    restored.partial_fit(pd.DataFrame({"s": ["a"]}))
    assert restored.get_feature_names_out().tolist() == ["s=missing", "s=a"]


@pytest.mark.parametrize(
    "column",
    [
        np.array([1, "a"], object),
        [[[1]], [[2]]],
        [b"a", b"b"],
        [1j, 2j],
    ],
    ids=str,
)
def test_other_columns_are_refused_by_name(column):
    frame = pd.DataFrame({"x": [1, 2], "when": column})
    with pytest.raises(TypeError, match=r"column 'when' holds .*: (make|convert)"):
        TableEncoder().fit(frame)


def test_tables_that_cannot_be_read(table):
    with pytest.raises(ValueError, match=r"Found array with 0 sample\(s\) \(shape=\(0, 4\)\)"):
        TableEncoder().fit(table({name: [] for name in ROWS}))
    fitted = TableEncoder().fit(table(ROWS))
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.transform(table({name: ROWS[name] for name in ("n", "s", "b", "z")}))
    with pytest.raises(TypeError, match="'s' held text in training, but holds numbers now"):
        fitted.transform(table(ROWS | {"s": [1, 2, 3, 4]}))
    with pytest.raises(TypeError, match="'n' held numbers in training, but holds text now"):
        fitted.transform(table(ROWS | {"n": ROWS["s"]}))
    with pytest.raises(ValueError, match=r"Input X contains infinity.*column 'n', row 2"):
        fitted.transform(table(ROWS | {"n": [1.0, 2.0, np.inf, 3.0]}))


def test_lazy_and_ambiguous_tables():
    with pytest.raises(ValueError, match="distinct column names"):
        TableEncoder().fit(pd.DataFrame(np.zeros((2, 2)), columns=["a", "a"]))
    polars = pytest.importorskip("polars")
    with pytest.raises(TypeError, match=r"lazy table .*pass X.collect\(\)"):
        TableEncoder().fit(polars.LazyFrame(ROWS))


def test_without_narwhals(monkeypatch):
    monkeypatch.setitem(sys.modules, "narwhals", None)
    with pytest.raises(ImportError, match="pip install narwhals"):
        TableEncoder().fit(pd.DataFrame(ROWS))


# --- what training never saw --------------------------------------------------------------------


def test_unknown_values(table):
    new = table(ROWS | {"s": ["c", "a", "b", "a"], "z": [1, None, 0, 1]})
    X = TableEncoder().fit(table(ROWS)).transform(new)
    assert X[0, :3].nnz == X[1, 7] == 0
    strict = TableEncoder(unknown="error").fit(table(ROWS))
    with pytest.raises(ValueError, match="column 's' holds 'c' in row 0, which training never saw"):
        strict.transform(new)
    with pytest.raises(ValueError, match=r"column 'z' holds nothing \(a missing value\) in row 1"):
        strict.transform(table(ROWS | {"z": [1, None, 0, 1]}))


def test_partial_fit_appends(table):
    grown = TableEncoder().fit(table(ROWS))
    X = grown.transform(table(ROWS))
    more = table({"s": ["d", "c"], "n": [50, 60], "b": [None, True], "z": [None, 1]})
    grown.partial_fit(more)
    names = ["s=a", "s=b", "s=missing", "n", "n=missing", "b=False", "b=True", "z"]
    names += ["s=c", "s=d", "b=missing", "z=missing"]
    assert grown.get_feature_names_out().tolist() == names
    assert grown.fields_.tolist() == [0, 0, 0, 1, 1, 2, 2, 3, 0, 0, 2, 3]
    Y = grown.transform(table(ROWS))
    assert (Y[:, :8] != X).nnz == Y[:, 8:].nnz == 0
    Z = grown.transform(more)
    assert [Z.indices[:4].tolist(), Z.indices[4:].tolist()] == [[3, 9, 10, 11], [3, 6, 7, 8]]
    restored = saved_and_loaded(grown)
    assert (restored.transform(more) != Z).nnz == 0
    with_column = table({"s": ["a"], "n": [1], "b": [True], "z": [1], "new": ["q"]})
    restored.partial_fit(with_column)
    assert restored.get_feature_names_out().tolist() == [*names, "new=q"]
    assert restored.feature_names_in_.tolist() == [*ROWS, "new"]


def test_hashed_columns(table):
    many = {"s": [f"id {i}" for i in range(1000)], "n": list(range(1000))}
    for key in ("s", 0):
        fitted = TableEncoder(hashed={key: 16}, unknown="error").fit(table(many))
        X = fitted.transform(table({"s": ["id 7", "new", None], "n": [1, 2, 3]}))
        assert fitted.n_features_out_ == 17
        assert fitted.get_feature_names_out()[[0, 15, 16]].tolist() == ["s#0", "s#15", "n"]
        assert (X[:, :16].sum(axis=1) == 1).all()
        assert set(np.diff(fitted.transform(table(many)).indptr)) == {2}
    assert (
        TableEncoder(hashed={"s": 1 << 20})
        .fit(table(many))
        .transform(table({"s": ["id 7"], "n": [1]}))
        .indices[0]
        == 1_017_382
    )  # the same on every machine, in every version


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"hashed": {"q": 3}}, ValueError, "hashed names a column 'q'"),
        ({"hashed": {4: 3}}, ValueError, "hashed names a column 4"),
        ({"hashed": {"s": 0}}, ValueError, r"hashed\['s'\] must be at least 1"),
        ({"hashed": ["s"]}, TypeError, "hashed must map"),
        ({"hashed": {"s": 2**31}}, ValueError, "at most 2147483647"),
        ({"numeric": "scale"}, ValueError, "numeric must be one of"),
        ({"numeric": {"n": "scale"}}, ValueError, r"numeric\['n'\] must be one of"),
        ({"numeric": {"q": "bin"}}, ValueError, "numeric names a column 'q'"),
        ({"numeric": {4: "bin"}}, ValueError, "numeric names a column 4"),
        ({"numeric": {"s": "bin"}}, TypeError, "numeric names column 's', which holds text"),
        ({"clip": "never"}, ValueError, "clip must be one of"),
        ({"clip": 1}, ValueError, "clip must be one of"),
        ({"n_bins": "many"}, TypeError, "n_bins must be an integer"),
        ({"unknown": "raise"}, ValueError, "unknown must be one of"),
        ({"n_bins": 1}, ValueError, "n_bins must be at least 2"),
        ({"dtype": "float16"}, ValueError, "dtype must be"),
    ],
)
def test_settings_are_checked(options, error, match):
    with pytest.raises(error, match=match):
        TableEncoder(**options).fit(pd.DataFrame(ROWS))


def test_many_categories_make_a_warning(monkeypatch):
    assert size.MANY_CATEGORIES == 1_000_000
    monkeypatch.setattr(size, "MANY_CATEGORIES", 999)
    frame = pd.DataFrame({"id": [f"{i}" for i in range(1000)], "n": range(1000)})
    advice = r"'id' has 1,000 distinct.* 0 MiB.*hashed=\{'id': 2\*\*20\}.*drop it"
    with pytest.warns(UserWarning, match=advice):
        TableEncoder().fit(frame)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        TableEncoder(hashed={"id": 100}).fit(frame)
        grown = TableEncoder().fit(frame[1:])
    with pytest.warns(UserWarning, match=advice):
        grown.partial_fit(frame)
    grown.partial_fit(frame.assign(id="new"))  # a stream is not warned of each chunk
