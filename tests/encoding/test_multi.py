"""Columns of lists: several features a row, in one field."""

import collections
import json
import math

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone

import sparsefm as fm
from sparsefm.data.csr import as_scipy
from sparsefm.encoding import TableEncoder, assembly, multi
from sparsefm.encoding.categories import Categories, Hashed
from sparsefm.encoding.multi import Multi
from sparsefm.encoding.saving import encoder_to_content, read_encoder
from sparsefm.encoding.tables import Labels, Lists
from sparsefm.errors import FileFormatError
from sparsefm.io.reader import Reader

ROWS = [["war", "drama"], None, [], ["comedy", None, "drama", "drama"], ["war"]]
NAMES = ["g=comedy", "g=drama", "g=war", "g=missing"]
UNNAMED = [f"x0{name[1:]}" for name in NAMES]
MEAN = [[0, 1 / 2, 1 / 2, 0], [0, 0, 0, 1], [0, 0, 0, 0], [1 / 3, 2 / 3, 0, 0], [0, 0, 1, 0]]
TEXT = ["war|drama", None, "", " comedy || drama|drama", "war"]
DICTS = [{"war": 1, "drama": 1.0}, None, {}, {"comedy": 1, "drama": 2, None: 5, "war": None}, {"war": 7}]


def objects(*columns):
    """Return an array of objects, whatever the cells are."""
    array = np.empty((len(columns[0]), len(columns)), object)
    for position, column in enumerate(columns):
        for row, cell in enumerate(column):
            array[row, position] = cell
    return array


def encoded(X, **options):
    encoder = TableEncoder(dtype="float64", **options)
    matrix = encoder.fit_transform(X)
    assert matrix.has_canonical_format
    assert matrix.data.all()
    again = encoder.transform(X)
    assert (again != matrix).nnz == 0
    return encoder.get_feature_names_out().tolist(), matrix.toarray()


def expect(found, names, rows):
    assert found[0] == names
    np.testing.assert_allclose(found[1], rows, rtol=1e-15)


# --- what a cell may be ---------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 100])  # few, and many
def test_lists_of_every_library(table, rows):
    expect(encoded(table({"g": ROWS * rows})), NAMES, MEAN * rows)
    expect(encoded(table({"g": TEXT * rows}), multi={"g": "|"}), NAMES, MEAN * rows)


@pytest.mark.parametrize(
    "make",
    [
        tuple,
        collections.deque,
        lambda row: np.array(row, object),
        collections.UserList,
    ],
)
def test_cells_of_python(make):
    cells = [None if row is None else make(row) for row in ROWS]
    for missing in (None, math.nan):
        X = objects([missing if cell is None else cell for cell in cells])
        expect(encoded(X), UNNAMED, MEAN)


def test_sets_have_each_value_once():
    for make in (set, frozenset):
        names, rows = encoded(objects([make(["b", "a", "a"]), make(["a"])]))
        assert names == ["x0=a", "x0=b"]
        assert rows.tolist() == [[0.5, 0.5], [1, 0]]


def test_weights_of_dicts():
    expect(encoded(objects(DICTS)), UNNAMED, MEAN)
    counters = [None if row is None else collections.Counter(row) for row in ROWS]
    expect(encoded(objects(counters)), UNNAMED, MEAN)


def test_rows_that_are_dicts_or_lists():
    expect(encoded([{"g": row} if row is not None else {} for row in ROWS]), NAMES, MEAN)
    rows = [[["a"], "m"], [("b", "a"), "n"], [None, "n"]]
    names, found = encoded(rows)
    assert names == ["x0=a", "x0=b", "x0=missing", "x1=m", "x1=n"]
    assert found.tolist() == [[1, 0, 0, 1, 0], [0.5, 0.5, 0, 0, 1], [0, 0, 1, 0, 1]]


@pytest.mark.parametrize("kind", ["list_", "large_list", "fixed", "map", "dictionary", "pandas"])
def test_types_of_arrow(kind):
    pa = pytest.importorskip("pyarrow")
    pd = pytest.importorskip("pandas")
    pytest.importorskip("narwhals")
    rows, expected = ROWS, MEAN
    if kind == "fixed":
        rows = [["war", "drama"], None, ["comedy", None], ["drama", "drama"]]
        expected = [[0, 0.5, 0.5, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, 1, 0, 0]]
        array = pa.array([["x", "y"], *rows], pa.list_(pa.string(), 2))[1:]
    elif kind == "map":
        dicts = [None if row is None else [*row.items()] for row in DICTS]
        dicts[3] = [(key, weight) for key, weight in dicts[3] if key is not None]
        array = pa.array([[("x", 1.0)], *dicts], pa.map_(pa.string(), pa.float64()))[1:]
    elif kind == "dictionary":
        array = pa.array(rows, pa.list_(pa.dictionary(pa.int8(), pa.string())))
    else:
        array = pa.array([["x"], *rows], getattr(pa, kind, pa.list_)(pa.string()))[1:]
    chunked = pa.chunked_array([array[:1], array[1:3], array[3:3], array[3:]])
    X = pa.table({"g": chunked})
    if kind == "pandas":
        X = pd.DataFrame({"g": pd.Series(chunked, dtype=pd.ArrowDtype(chunked.type))})
    expect(encoded(X), NAMES, expected)
    if kind == "list_":
        expect(encoded(pd.DataFrame({"g": array.to_pandas()})), NAMES, MEAN)


def test_arrays_of_polars():
    pl = pytest.importorskip("polars")
    pytest.importorskip("narwhals")
    rows = pl.Series("g", [["b", "a"], None, ["b", "b"]], dtype=pl.Array(pl.String, 2))
    for dtype in (pl.Array(pl.String, 2), pl.Array(pl.Categorical, 2), pl.List(pl.Categorical)):
        names, found = encoded(pl.DataFrame({"g": rows.cast(dtype)}))
        assert names == ["g=a", "g=b", "g=missing"]
        assert found.tolist() == [[0.5, 0.5, 0], [0, 0, 1], [0, 1, 0]]
    cells = objects([["a"], ["b"]])
    cells[0, 0] = pl.Series(["a", "b"])
    assert encoded(cells)[1].tolist() == [[0.5, 0.5], [0, 1]]


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        ([[3, 1], [2**60 + 1]], ["g=1", "g=3", f"g={2**60 + 1}"]),
        ([[True], [False, True]], ["g=False", "g=True"]),
        ([[2.0], [1.0, None]], ["g=1", "g=2"]),
        ([[None], [], [None]], []),
        ([["", "a"], ["ä", "\n"]], ["g=", "g=\n", "g=a", "g=ä"]),
    ],
)
def test_kinds_of_values(table, rows, names):
    assert encoded(table({"g": rows}))[0] == names


def test_integers_of_64_bits(table):
    rows = [np.array(row, np.uint64) for row in ([2**64 - 1], [2**64 - 2, 2**64 - 1])]
    assert encoded(table({"g": rows}))[0] == [f"g={2**64 - 2}", f"g={2**64 - 1}"]


def test_columns_are_refused_by_name(table):
    for rows in ([[["a"]]], [[0.5, 1.0]]):
        with pytest.raises(TypeError, match="column 'g' holds .*: make"):
            encoded(table({"g": rows}))


def test_weights_that_are_none():
    for weight in (math.inf, 10**400, -math.inf):
        with pytest.raises(ValueError, match="column 'x0' holds a weight that is infinite or too"):
            encoded(objects([{"a": 1.0}, {"b": weight}]))
    pa = pytest.importorskip("pyarrow")
    pytest.importorskip("narwhals")
    rows = pa.array([[("a", "b")]], pa.map_(pa.string(), pa.string()))
    with pytest.raises(TypeError, match="column 'g' holds dicts whose values are no numbers"):
        encoded(pa.table({"g": rows}))


# --- combiners ------------------------------------------------------------------------------------

WEIGHTED = [{"a": 3.0, "b": -4.0}, {"a": 0, "b": 0}, {"a": 0.5}, {}]


@pytest.mark.parametrize(
    ("combiner", "lists", "dicts"),
    [
        ("mean", [[2 / 3, 1 / 3], [0, 1]], [[3 / 7, -4 / 7], [0, 0], [1, 0], [0, 0]]),
        ("sqrt", np.array([[2, 1], [0, 5**0.5]]) / 5**0.5, [[0.6, -0.8], [0, 0], [1, 0], [0, 0]]),
        ("sum", [[2, 1], [0, 1]], [[3, -4], [0, 0], [0.5, 0], [0, 0]]),
    ],
)
def test_combiners(combiner, lists, dicts):
    names = ["x0=a", "x0=b"]
    expect(encoded(objects([["a", "b", "a"], ["b"]]), combiner=combiner), names, lists)
    expect(encoded(objects(WEIGHTED), combiner=combiner), names, dicts)


@pytest.mark.parametrize("combiner", ["mean", "sqrt"])
@pytest.mark.parametrize("scale", [1.0, 1e300, 1e-300])
def test_weights_of_any_size(combiner, scale):
    _, found = encoded(objects([{"a": scale, "b": scale}]), combiner=combiner)
    value = 0.5 if combiner == "mean" else 0.5**0.5
    np.testing.assert_allclose(found, [[value, value]])


def test_weights_too_large_for_the_result_are_refused():
    X = objects([[], ["a"], {"a": 1.0}][2:] * 2 + [{"a": 1e300}])
    with pytest.raises(ValueError, match=r"column 'x0' holds \['a'\] in row 2, too far"):
        TableEncoder(combiner="sum").fit_transform(X)
    tiny = TableEncoder(combiner="sum").fit_transform(objects([{"a": 1e-300, "b": 1.0}]))
    assert tiny.nnz == 1


def test_ones_need_no_values():
    X = objects([["a", "b"], [], ["c"]], ["x", None, "y"])
    encoder = TableEncoder(combiner="sum")
    assert encoder._fit_encode(X, None, encoder).values is None
    assert TableEncoder()._fit_encode(objects([["a"], ["b"]]), None, encoder).values is None


def test_the_order_of_values_does_not_matter():
    rng = np.random.default_rng(0)
    rows = [[f"v{i}" for i in rng.integers(0, 9, 7)] for _ in range(50)]
    weighted = [dict(zip(row, rng.random(7).tolist(), strict=True)) for row in rows]
    for one in (rows, weighted):
        turned = [
            row[::-1] if isinstance(row, list) else dict([*row.items()][::-1]) for row in one
        ]
        for combiner in ("mean", "sqrt", "sum"):
            matrices = [TableEncoder(combiner=combiner).fit_transform(objects(x)) for x in (one, turned)]  # fmt: skip
            assert (matrices[0] != matrices[1]).nnz == 0


# --- text -----------------------------------------------------------------------------------------


def test_separators():
    X = objects(["a, b,c", "b"], ["x::y z", "y"], ["a|b", "c"])
    names, rows = encoded(X, multi={"x0": ",", 1: "::"})
    assert names == ["x0=a", "x0=b", "x0=c", "x1=x", "x1=y", "x1=y z", "x2=a|b", "x2=c"]
    assert rows[0].round(3).tolist() == [0.333, 0.333, 0.333, 0.5, 0, 0.5, 1, 0]


def test_texts_are_divided_in_parts(monkeypatch):
    texts = [f"{i % 7},{i % 11} , {i}" for i in range(50)]
    whole = encoded(objects(texts), multi={0: ","})
    monkeypatch.setattr(multi, "TEXTS_AT_ONCE", 7)
    expect(encoded(objects(texts), multi={0: ","}), *whole)


def test_numbers_in_a_column_of_text():
    """A part of a file in which every row has one number is read as numbers."""
    pd = pytest.importorskip("pandas")
    pytest.importorskip("narwhals")
    fitted = TableEncoder(multi={"g": "|"}).fit(pd.DataFrame({"g": ["1|2", "12"]}))
    assert fitted.transform(pd.DataFrame({"g": [12, 2]})).indices.tolist() == [1, 2]
    with pytest.raises(TypeError, match="multi names column 'g', which is numeric: make it text"):
        TableEncoder(multi={"g": "|"}).fit(pd.DataFrame({"g": [12, 2]}))


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"multi": "g"}, TypeError, "multi must map columns to separators, got 'g'"),
        ({"multi": {"g": ""}}, ValueError, r"multi\['g'\] must not be empty"),
        ({"multi": {"g": 3}}, TypeError, r"multi\['g'\] must be text, the separator of values"),
        ({"multi": {"h": "|"}}, ValueError, "multi names a column 'h', but X has no such column"),
        ({"combiner": "max"}, ValueError, "combiner must be one of"),
        ({"numeric": {"g": "log"}}, TypeError, "numeric names column 'g', which is not numeric"),
    ],
)
def test_settings_are_checked(options, error, match):
    with pytest.raises(error, match=match):
        TableEncoder(**options).fit([{"g": ["a"]}])


# --- what later rows hold -------------------------------------------------------------------------


def test_unknown_values_are_left_out():
    fitted = TableEncoder(dtype="float64").fit([{"g": ["a", "b"]}, {"g": ["c"]}])
    rows = [["a", "new"], ["new"], None, [], ["c", "b"]]
    found = fitted.transform([{"g": row} for row in rows])
    assert found.toarray().tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0.5, 0.5]]
    strict = clone(fitted).set_params(unknown="error").fit([{"g": ["a", "b"]}, {"g": ["c"]}])
    assert strict.transform([{"g": []}, {"g": ["c"]}]).indices.tolist() == [2]
    with pytest.raises(ValueError, match=r"column 'g' holds \['a', 'new'\] in row 1, which"):
        strict.transform([{"g": ["a"]}, {"g": ["a", "new"]}, {"g": ["new"]}])
    with pytest.raises(ValueError, match=r"holds nothing \(a missing value\) in row 1, which"):
        strict.transform([{"g": []}, {"g": None}])
    long = [{"g": [*"abcabc", "new"]}]
    with pytest.raises(ValueError, match=r"holds \['a', 'b', 'c', 'a', 'b', \.\.\.\] in row 0"):
        strict.transform(long)


def test_growth():
    encoder = TableEncoder(dtype="float64")
    with pytest.warns(UserWarning, match="the first call of partial_fit has 2 row"):
        encoder.partial_fit([{"g": ["b", "c"], "n": 1.5}, {"g": [], "n": 2.5}])
    before = encoder.get_feature_names_out().tolist()
    encoder.partial_fit([{"g": ["d", "a"], "n": 2}, {"g": None, "n": 1}])
    names = [*before, "g=a", "g=d", "g=missing"]
    assert encoder.get_feature_names_out().tolist() == names
    assert encoder.fields_.tolist() == [0, 0, 1, 0, 0, 0]
    rows = [{"g": ["d", "c"], "n": 2.5}, {"g": None, "n": 1.5}]
    found = encoder.transform(rows)
    assert found.has_sorted_indices
    assert found.toarray().tolist() == [[0, 0.5, 1, 0, 0.5, 0], [0, 0, -1, 0, 0, 1]]
    with pytest.raises(TypeError, match="column 'g' held lists in training, but holds text now"):
        encoder.partial_fit([{"g": "a", "n": 1}])
    with pytest.raises(TypeError, match="column 'n' held numbers in training, but holds lists now"):
        encoder.partial_fit([{"g": ["a"], "n": [1]}])
    with pytest.raises(TypeError, match="column 'g' held text in training, but holds numbers now"):
        encoder.partial_fit([{"g": [7], "n": 1}])


def test_text_that_becomes_lists_is_an_error():
    fitted = TableEncoder().fit([{"g": "a"}])
    for method in (fitted.transform, fitted.partial_fit):
        with pytest.raises(TypeError, match="column 'g' held single values in training, but holds"):
            method([{"g": ["a"]}])


@pytest.mark.parametrize("first", [[None, None], [math.nan, math.nan]])
@pytest.mark.parametrize("hashed", [None, {"g": 8}])
def test_a_column_that_was_missing_becomes_one_of_lists(table, first, hashed):
    encoder = TableEncoder(hashed=hashed)
    encoder.fit(table({"g": first})).partial_fit(table({"g": [["b", "a"], ["c"]]}))
    assert isinstance(encoder._encodings[0], Multi)
    names = encoder.get_feature_names_out().tolist()
    expected = [f"g#{i}" for i in range(8)] if hashed else ["g=a", "g=b", "g=c", "g=missing"]
    assert sorted(names) == expected
    found = encoder.transform(table({"g": [["b", "a"], None]}))
    assert found.sum(axis=1).ravel().tolist() == [[1, 1]]


def test_missing_text_that_has_a_separator():
    encoder = TableEncoder(multi={"g": "|"}).fit([{"g": None}])
    encoder.partial_fit([{"g": "a|b"}])
    assert encoder.get_feature_names_out().tolist() == ["g=missing", "g=a", "g=b"]


def test_hashed():
    rows = [["a", "b", "c"], None, [], ["a"]]
    hashed = TableEncoder(hashed={"g": 4}, dtype="float64")
    found = hashed.fit_transform([{"g": row} for row in rows]).toarray()
    assert isinstance(hashed._encodings[0].single, Hashed)
    assert hashed.get_feature_names_out().tolist() == [f"g#{i}" for i in range(4)]
    np.testing.assert_allclose(found.sum(axis=1), [1, 1, 0, 1])
    single = TableEncoder(hashed={"g": 4}, dtype="float64").fit([{"g": "a"}])
    one_by_one = single.transform([{"g": value} for value in "abc"]).toarray()
    np.testing.assert_allclose(found[0], one_by_one.mean(axis=0))
    np.testing.assert_array_equal(found[1], single.transform([{"g": None}]).toarray()[0])


def test_rows_of_weight_zero_count_for_nothing():
    rows = [{"g": ["a"]}, {"g": ["b", "c"]}, {"g": None}, {"g": ["c", "a"]}]
    fitted = TableEncoder().fit(rows, sample_weight=[1, 0, 0, 2])
    assert fitted.get_feature_names_out().tolist() == ["g=a", "g=c"]


def test_many_values_are_warned_of(monkeypatch):
    from sparsefm.encoding import size

    monkeypatch.setattr(size, "MANY_CATEGORIES", 5)
    with pytest.warns(UserWarning, match="column 'g' has 7 distinct values.*hashed="):
        TableEncoder().fit([{"g": [*"abcd"]}, {"g": [*"efg"]}])


# --- assembly, saving -----------------------------------------------------------------------------


@pytest.mark.parametrize("at_once", [1, 3, 1 << 14])
@pytest.mark.parametrize("combiner", ["mean", "sum"])
def test_lists_beside_other_columns(monkeypatch, at_once, combiner):
    """Against dense matrices of each column by itself; lists may be anywhere, and long."""
    monkeypatch.setattr(assembly, "ROWS_AT_ONCE", at_once)
    rng = np.random.default_rng(1)
    lists = [[f"v{i}" for i in rng.integers(0, 30, rng.integers(0, 25))] for _ in range(20)]
    others = [None if i % 6 == 0 else [*"abc"[: i % 4]] for i in range(20)]
    columns = [lists, list("xyzx" * 5), rng.normal(size=20).tolist(), others, lists, [None, "a"] * 10]
    for order in ([0, 1, 2, 3, 4, 5], [1, 2, 0], [0, 4], [1, 0, 5, 3], [3]):
        parts = [columns[j] for j in order]
        whole = TableEncoder(combiner=combiner, numeric="spline").fit_transform(objects(*parts))
        assert whole.has_canonical_format
        alone = [
            TableEncoder(combiner=combiner, numeric="spline").fit_transform(objects(part))
            for part in parts
        ]
        assert (whole != sparse.hstack(alone)).nnz == 0


def test_lists_one_by_one():
    """Of single rows the result is the same, to the bit."""
    rng = np.random.default_rng(2)
    rows = [
        {"g": {f"v{i}": rng.random() for i in rng.integers(0, 9, 5)}, "n": i} for i in range(30)
    ]
    fitted = TableEncoder().fit(rows)
    whole = fitted.transform(rows)
    for i, row in enumerate(rows):
        assert (fitted.transform([row]) != whole[i]).nnz == 0


def test_take_and_show():
    lists = Lists(np.array([0, 2, 3, 3]), Labels(np.array([1, 0, -1]), ["a", "b"]), None)
    taken = lists.take(np.array([True, False, True]))
    assert (taken.indptr.tolist(), taken.items.codes.tolist()) == ([0, 2, 2], [1, 0])
    assert [lists.show(row) for row in range(3)] == ["['b', 'a']", "nothing (a missing value)", "[]"]
    again = lists.take(np.array([1, 0, 0]))
    assert again.items.codes.tolist() == [-1, 1, 0, 1, 0]


def saved(fitted):
    header, arrays = encoder_to_content(fitted)
    return json.loads(json.dumps(header, allow_nan=False)), dict(arrays)


@pytest.mark.parametrize("hashed", [None, {"g": 5}])
def test_saving(hashed):
    rows = [{"g": row, "t": text} for row, text in zip(ROWS, TEXT, strict=True)]
    fitted = TableEncoder(hashed=hashed, multi={"t": "|"}, combiner="sqrt").fit(rows)
    reader = Reader(*saved(fitted))
    restored = read_encoder(reader)
    reader.check_all_read()
    assert restored.get_params() == fitted.get_params()
    for encoder in (fitted, restored):
        encoder.partial_fit([{"g": ["new"], "t": "new|war"}])
    assert (restored.transform(rows) != fitted.transform(rows)).nnz == 0
    assert restored.get_feature_names_out().tolist() == fitted.get_feature_names_out().tolist()


@pytest.mark.parametrize(
    ("entry", "value"),
    [("combiner", "max"), ("combiner", 3), ("separator", ""), ("separator", 1), ("single", None),
     ("single", {"kind": "number"}), ("single", {"kind": "multi"})],
)  # fmt: skip
def test_damage(entry, value):
    header, arrays = saved(TableEncoder(multi={"t": "|"}).fit([{"t": "a|b"}]))
    header["columns"][0][entry] = value
    with pytest.raises(FileFormatError):
        read_encoder(Reader(header, arrays))


def test_files_of_before_there_were_lists():
    header, arrays = saved(TableEncoder().fit([{"t": "a"}]))
    for name in ("multi", "combiner"):
        del header["settings"][name]
    restored = read_encoder(Reader(header, arrays))
    assert (restored.multi, restored.combiner) == (None, "mean")


# --- models ---------------------------------------------------------------------------------------


def history(n_rows=400, seed=3):
    """Return rows with a list, and targets in which single pairs of values matter."""
    rng = np.random.default_rng(seed)
    lists = [[f"v{i}" for i in rng.choice(12, rng.integers(0, 5), replace=False)] for _ in range(n_rows)]  # fmt: skip
    users = [f"u{i}" for i in rng.integers(0, 9, n_rows)]
    strength = {f"{u}{v}": rng.normal() for u in set(users) for v in (f"v{i}" for i in range(12))}
    y = [sum(strength[u + v] for v in row) for u, row in zip(users, lists, strict=True)]
    return [{"u": u, "g": row} for u, row in zip(users, lists, strict=True)], np.array(y)


SOLVERS = [
    pytest.param(lambda: fm.Adam(), id="adam"),
    pytest.param(lambda: fm.Gibbs(), id="gibbs"),
    pytest.param(lambda: fm.ALS(), id="als"),
]


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("combiner", ["mean", "sum"])
def test_a_model_is_that_of_the_same_matrix(solver, combiner):
    """`train` on the encoded rows gives the same model; a formula in NumPy its predictions."""
    X, y = history()
    encoder = TableEncoder(combiner=combiner, dtype="float64")
    options = {"rank": 4, "epochs": 6, "solver": solver(), "random_state": 0}
    model = fm.FMRegressor(
        **options, encoder=encoder, dtype="float64", search=None, bounds=None, n_threads=1
    )
    model.fit(X, y)
    rows = model.encoder_.transform(X)
    other = clone(model).set_params(n_threads=2).fit(X, y)
    np.testing.assert_array_equal(other.predict(X), model.predict(X))
    linear, pairs = rows @ model.w_, (rows @ model.V_) ** 2 - rows.power(2) @ model.V_**2
    expected = model.w0_ + linear + pairs.sum(axis=1) / 2
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-8, atol=1e-10)
    assert model.score(X, y) > 0.3


def test_a_sampler_knows_the_field_of_a_list():
    """Rows encoded by hand, with fields given, have the same chain."""
    X, y = history()
    encoder = TableEncoder(dtype="float64").fit(X)
    fields = encoder.fields_
    assert fields.tolist() == sorted(fields.tolist())
    rows = encoder.transform(X)
    dense = np.zeros(rows.shape)
    for i, row in enumerate(X):
        for value in row["g"]:
            dense[i, encoder.get_feature_names_out().tolist().index(f"g={value}")] += 1
        dense[i] /= max(len(row["g"]), 1)
        dense[i, encoder.get_feature_names_out().tolist().index(f"u={row['u']}")] = 1
    options = {"rank": 3, "solver": fm.Gibbs(), "epochs": 6, "seed": 1}
    models = [
        fm.train(matrix, y, fields=fields, task="regression", dtype="float64", **options)
        for matrix in (rows, sparse.csr_matrix(dense))
    ]
    np.testing.assert_array_equal(*[model.predict(rows) for model in models])


def test_inspection():
    X, y = history()
    model = fm.FMRegressor(rank=4, epochs=20, search=None, random_state=0, bounds=None).fit(X, y)
    fields = model.field_interactions()
    assert fields.shape == (2, 2)
    assert fields[0, 1] > 0
    found = model.interactions(50)
    assert {a.split("=")[0] for a in found["first"]} == {"u"}  # no pairs within the list
    assert {a.split("=")[0] for a in found["second"]} == {"g"}
    np.testing.assert_allclose(model.explain(X).scores, model.predict(X), atol=1e-5)
    assert "g=v9" in model.get_feature_names_out()


def test_an_estimator_goes_on(tmp_path):
    X, y = history()
    model = fm.FMClassifier(
        rank=2, solver=fm.AdaGrad(), encoder=TableEncoder(multi={"t": ","}), random_state=0
    )
    texts = [{"u": row["u"], "t": ",".join(row["g"])} for row in X]
    labels = (y > 0).astype(int)
    model.partial_fit(texts[:200], labels[:200], classes=[0, 1])
    n_features = len(model.w_)
    model.partial_fit([*texts[200:], {"u": "new", "t": "v1,fresh"}], [*labels[200:], 1])
    assert len(model.w_) == n_features + 2
    model.save(tmp_path / "model")
    loaded = fm.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_proba(texts), model.predict_proba(texts))
    nested = fm.FMClassifier(search=None, epochs=1).set_params(encoder__multi={"t": ","})
    assert nested.fit(texts, labels).encoder_.multi == {"t": ","}


def test_the_search_takes_lists():
    X, y = history(120)
    for i, row in enumerate(X):
        row["n"] = float(i % 17)
    model = fm.FMRegressor(search_seconds=1, random_state=0).fit(X, y)
    assert {type(one) for one in model.encoder_._encodings[:2]} == {Categories, Multi}
    assert as_scipy(model.encoder_._encode(X, model)).shape[0] == 120
