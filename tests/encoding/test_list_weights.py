"""Columns of lists whose weights are in another column."""

import json
import math
import pickle
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from sklearn.base import clone

import sparsefm as fm
from sparsefm.encoding import TableEncoder, objects
from sparsefm.encoding.saving import encoder_to_content, read_encoder
from sparsefm.errors import FileFormatError
from sparsefm.io.reader import Reader

ITEMS = [["a", "b"], ["b"], [], None, ["c", "a", "a"], ["b", None]]
WEIGHTS = [[0.5, 2.0], [3.0], [], None, [1.0, 2.0, -1.0], [4.0, 7.0]]
DICTS = [{"a": 0.5, "b": 2.0}, {"b": 3.0}, {}, None, {"c": 1.0, "a": 1.0}, {"b": 4.0}]
CITY = ["x", "y", "x", "y", "x", "z"]
COLUMNS = {"w": WEIGHTS, "city": CITY, "items": ITEMS}  # the weights come first
NAMED = {"items": "w"}


@pytest.fixture(autouse=True, params=[0, 200])
def few_rows(request, monkeypatch):
    """Have libraries read columns of a few rows as they do those of many, too."""
    monkeypatch.setattr(objects, "FEW_ROWS", request.param)


def records(columns):
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def expected(combiner="mean"):
    """Return what the same weights give in dicts; the sizes of "a" are 2 and 1, not 1."""
    X = records({"city": CITY, "items": DICTS})
    encoder = TableEncoder(combiner=combiner, dtype="float64")
    rows = encoder.fit_transform(X).toarray()
    a, c = (list(encoder.get_feature_names_out()).index(f"items={value}") for value in "ac")
    divisor = {"mean": 4, "sqrt": 2**0.5, "sum": 1}[combiner]
    rows[4, [a, c]] = np.array([1, 1]) / divisor
    return encoder, rows


@pytest.mark.parametrize("combiner", ["mean", "sqrt", "sum"])
def test_they_are_those_of_dicts(table, combiner):
    dicts, rows = expected(combiner)
    encoder = TableEncoder(list_weights=NAMED, combiner=combiner, dtype="float64")
    found = encoder.fit_transform(table(COLUMNS))
    np.testing.assert_allclose(found.toarray(), rows, rtol=1e-15)
    np.testing.assert_array_equal(encoder.transform(table(COLUMNS)).toarray(), found.toarray())
    names = list(encoder.get_feature_names_out())
    assert names == list(dicts.get_feature_names_out())
    assert names == list(encoder.get_feature_names_out(["w", "city", "items"]))
    assert encoder.field_names_ == ["city", "items"]
    assert encoder.fields_.tolist() == dicts.fields_.tolist()
    assert encoder.n_features_in_ == 3
    assert encoder.feature_names_in_.tolist() == ["w", "city", "items"]
    one = encoder.transform(table({name: column[:1] for name, column in COLUMNS.items()}))
    np.testing.assert_array_equal(one.toarray(), found[:1].toarray())


def test_rows_of_objects():
    _, rows = expected()
    for X, named in (
        (records(COLUMNS), NAMED),
        ([list(row) for row in zip(*COLUMNS.values(), strict=True)], {2: 0}),
        (np.array([*zip(*COLUMNS.values(), strict=True)], object), {"x2": "x0"}),
    ):
        encoder = TableEncoder(list_weights=named, dtype="float64")
        np.testing.assert_allclose(encoder.fit_transform(X).toarray(), rows, rtol=1e-15)


def test_numbers_of_all_types(table):
    integers = {**COLUMNS, "w": [[1, 2], [3], [], None, [1, 2, 1], [4, 7]]}
    floats = {**COLUMNS, "w": [None if w is None else list(map(float, w)) for w in integers["w"]]}
    first, second = (
        TableEncoder(list_weights=NAMED).fit_transform(table(one)) for one in (integers, floats)
    )
    np.testing.assert_array_equal(first.toarray(), second.toarray())


def test_columns_of_arrow_in_pandas():
    pd, pa = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    frame = pa.table(COLUMNS).to_pandas(types_mapper=pd.ArrowDtype)
    found = TableEncoder(list_weights=NAMED, dtype="float64").fit_transform(frame)
    np.testing.assert_allclose(found.toarray(), expected()[1], rtol=1e-15)


def test_weight_zero_leaves_its_value_out(table):
    X = table({"items": [["a", "b"], ["c"]], "w": [[0.0, 1.0], [0.0]]})
    encoder = TableEncoder(list_weights=NAMED).fit(X)
    assert encoder.get_feature_names_out().tolist() == ["items=b"]


@pytest.mark.parametrize(
    ("items", "weights", "error", "match"),
    [
        (
            [["a"], ["a", "b"]], [[1.0], [1.0]], ValueError,
            "column 'w' holds 1 weights in row 1, where column 'items' holds 2 values",
        ),
        (
            [None, ["a"]], [None, None], ValueError,
            r"column 'w' holds nothing \(a missing value\) in row 1, where column 'items' holds",
        ),
        (
            [["a"], None], [[1.0], [2.0]], ValueError,
            r"column 'items' holds nothing \(a missing value\) in row 1, where column 'w' holds",
        ),
        (
            [None, [], ["a", "b"]], [None, [], [1.0, None]], ValueError,
            "column 'w' holds no number in its list of row 2",
        ),
        (
            [["a"], ["a", "b"]], [[1.0], [2.0, math.inf]], ValueError,
            "column 'w' holds an infinite or too large number in its list of row 1",
        ),
        (
            [["a"], ["a"]], [["2"], ["x"]], TypeError,
            "column 'w' holds '2' in row 0, but weights of lists must be numbers",
        ),
        ([["a"], ["b"]], [1.0, 2.0], TypeError, "names column 'w', which holds no lists, but"),
        (["a", "b"], [[1.0], [2.0]], TypeError, "names column 'items', which holds no lists, but"),
    ],
)  # fmt: skip
def test_errors_name_column_and_row(table, items, weights, error, match):
    X = table({"items": items, "w": weights})
    with pytest.raises(error, match=match):
        TableEncoder(list_weights=NAMED).fit(X)
    with pytest.raises(error, match=match):
        TableEncoder(list_weights=NAMED).fit(records({"items": items, "w": weights}))


def test_rows_are_checked_in_every_call():
    encoder = TableEncoder(list_weights=NAMED).fit(records(COLUMNS))
    wrong = records({"w": [[1.0]], "city": ["x"], "items": [["a", "b"]]})
    for call in (encoder.transform, encoder.partial_fit):
        with pytest.raises(ValueError, match="column 'w' holds 1 weights in row 0"):
            call(wrong)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"list_weights": "w"}, TypeError, "list_weights must map columns of lists to the columns"),
        ({"list_weights": {"items": "v"}}, ValueError, "list_weights names a column 'v', but X"),
        ({"list_weights": {"v": "w"}}, ValueError, "list_weights names a column 'v', but X"),
        ({"list_weights": {"items": 1.5}}, TypeError, "list_weights must name columns by name or"),
        ({"list_weights": {"w": "w"}}, ValueError, "'w' as lists and as weights"),
        ({"list_weights": {"items": "w", "city": "w"}}, ValueError, "columns 'items' and 'city'"),
        ({"multi": {"items": "|"}}, ValueError, "multi and list_weights both name column 'items'"),
        ({"hashed": {"w": 8}}, ValueError, "hashed names column 'w', which list_weights names"),
        ({"numeric": {"w": "log"}}, ValueError, "numeric names column 'w', which list_weights"),
        ({"list_weights": {"city": "w"}}, TypeError, "names column 'city', which holds no lists"),
    ],
)
def test_settings_are_checked(options, error, match):
    with pytest.raises(error, match=match):
        TableEncoder(**{"list_weights": NAMED} | options).fit(records(COLUMNS))


def test_matrices_are_refused():
    with pytest.raises(TypeError, match="names column 'x0', which holds no lists, but numbers"):
        TableEncoder(list_weights={0: 1}).fit(np.eye(3))
    from scipy import sparse

    with pytest.raises(ValueError, match="list_weights names columns, but the columns of a sparse"):
        TableEncoder(list_weights={0: 1}).fit(sparse.eye_array(3, format="csr"))
    both = {"items": DICTS, "w": WEIGHTS}
    with pytest.raises(TypeError, match="'items', which holds weights beside its values"):
        TableEncoder(list_weights=NAMED).fit(records(both))


def test_values_that_are_new_become_features(table):
    parts = [{name: column[rows] for name, column in COLUMNS.items()} for rows in (slice(2),)]
    parts.append({name: column[2:] for name, column in COLUMNS.items()})
    encoder = TableEncoder(list_weights=NAMED, dtype="float64")
    for part in parts:
        encoder.partial_fit(table(part))
    found = encoder.transform(table(COLUMNS)).toarray()
    whole, rows = expected()
    order = [list(encoder.get_feature_names_out()).index(n) for n in whole.get_feature_names_out()]
    np.testing.assert_allclose(found[:, order], rows, rtol=1e-15)
    more = {**COLUMNS, "hue": ["r"] * 6}
    encoder.partial_fit(table(more))
    assert encoder.field_names_ == ["city", "items", "hue"]


def test_rows_of_weight_zero_do_not_count():
    encoder = TableEncoder(list_weights=NAMED)
    encoder.fit(records(COLUMNS), sample_weight=[1, 1, 1, 1, 0, 1])
    assert "items=c" not in encoder.get_feature_names_out()


def test_cells_come_back(table):
    encoder = TableEncoder(list_weights=NAMED, combiner="sum", dtype="float64")
    rows = encoder.fit_transform(table(COLUMNS))
    pytest.importorskip("pandas")
    back = encoder.inverse_transform(rows)
    assert list(back.columns) == ["w", "city", "items"]
    assert back["items"].tolist() == [["a", "b"], ["b"], [], None, ["a", "c"], ["b"]]
    assert back["w"].tolist() == [[0.5, 2.0], [3.0], [], None, [1.0, 1.0], [4.0]]
    shares = TableEncoder(list_weights=NAMED, dtype="float64").fit(table(COLUMNS))
    back = shares.inverse_transform(shares.transform(table(COLUMNS)))
    np.testing.assert_allclose(back["w"][0], [0.2, 0.8])


def saved(encoder):
    header, arrays = encoder_to_content(encoder)
    return json.loads(json.dumps(header)), arrays


def test_encoders_are_saved():
    for named in (NAMED, {2: 0}):
        encoder = TableEncoder(list_weights=named).fit(records(COLUMNS))
        loaded = read_encoder(Reader(*saved(encoder)))
        for other in (loaded, pickle.loads(pickle.dumps(encoder))):
            assert other.list_weights == named
            assert other.field_names_ == encoder.field_names_
            assert other.n_features_in_ == 3
            found = [one.transform(records(COLUMNS)).toarray() for one in (encoder, other)]
            np.testing.assert_array_equal(*found)
        assert clone(encoder).list_weights == named


@pytest.mark.parametrize(
    "pairs", [[[2]], [[2, 2]], [[2, 3]], [[2, -1]], [[2, "w"]], [2], [[0, 1.0]]]
)
def test_damaged_files_are_refused(pairs):
    header, arrays = saved(TableEncoder(list_weights=NAMED).fit(records(COLUMNS)))
    with pytest.raises(FileFormatError, match="damaged weights of lists"):
        read_encoder(Reader(header | {"weights": pairs}, arrays))


def test_older_files_have_none():
    header, arrays = saved(TableEncoder().fit(records({"city": CITY})))
    del header["weights"], header["settings"]["list_weights"]
    assert read_encoder(Reader(header, arrays)).field_names_ == ["city"]


# --- pairs in one column --------------------------------------------------------------------------


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_lists_of_pairs(library):
    module = pytest.importorskip(library)
    pytest.importorskip("narwhals")
    pairs = [
        None if one is None else [{"item": item, "weight": weight} for item, weight in one.items()]
        for one in DICTS
    ]
    pairs[1] += [None, {"item": None, "weight": 2.0}, {"item": "q", "weight": None}]
    columns = {"city": CITY, "items": pairs}
    X = module.DataFrame(columns) if library == "polars" else module.table(columns)
    encoder = TableEncoder(dtype="float64")
    dicts = TableEncoder(dtype="float64")
    found = encoder.fit_transform(X).toarray()
    wanted = dicts.fit_transform(records({"city": CITY, "items": DICTS})).toarray()
    np.testing.assert_array_equal(found, wanted)
    numbers = [[{"key": 7, "value": 1}, {"key": 8, "value": 3}], [{"key": 7, "value": 2}]]
    X = module.DataFrame({"g": numbers}) if library == "polars" else module.table({"g": numbers})
    names = ["g=7", "g=8"]
    assert encoder.fit(X).get_feature_names_out().tolist() == names
    np.testing.assert_allclose(encoder.transform(X).toarray(), [[0.25, 0.75], [1, 0]])
    for wrong, match in (
        ([[{"a": "x", "b": "y"}]], "dicts whose values are no numbers"),
        ([[{"a": "x", "b": 1, "c": 2}]], "several values in a row in a form"),
    ):
        X = module.DataFrame({"g": wrong}) if library == "polars" else module.table({"g": wrong})
        with pytest.raises(TypeError, match=match):
            encoder.fit(X)


# --- estimators -----------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["fm", "fwfm"])
def test_estimators(variant, tmp_path):
    rng = np.random.default_rng(0)
    lists = [
        rng.choice(list("pqrst"), rng.integers(1, 5), replace=False).tolist() for _ in "x" * 200
    ]
    sizes = [rng.uniform(0.5, 2, len(one)).tolist() for one in lists]
    city = rng.choice(list("uvw"), 200).tolist()
    y = np.array(
        [
            sum(w for i, w in zip(a, b, strict=True) if i == "p")
            for a, b in zip(lists, sizes, strict=True)
        ]
    )
    X = records({"w": sizes, "city": city, "items": lists})
    dicts = [dict(zip(a, b, strict=True)) for a, b in zip(lists, sizes, strict=True)]
    plain = records({"city": city, "items": dicts})
    options = {"variant": variant, "rank": 2, "epochs": 4, "search": None, "solver": fm.Adam()}
    model = fm.FMRegressor(encoder=TableEncoder(list_weights=NAMED), **options).fit(X, y)
    other = fm.FMRegressor(**options).fit(plain, y)
    np.testing.assert_array_equal(model.predict(X), other.predict(plain))
    first, second = model.explain_fields(X[:5]), other.explain_fields(plain[:5])
    np.testing.assert_allclose(first.contributions, second.contributions)
    assert first.contributions.shape == (5, 2)
    assert model.field_interactions(X).shape == (2, 2)
    np.testing.assert_allclose(model.explain(X[:5]).scores, other.explain(plain[:5]).scores)
    model.save(tmp_path / "m")
    np.testing.assert_array_equal(fm.load(tmp_path / "m").predict(X), model.predict(X))
    model.partial_fit(X[:20], y[:20])
    other.partial_fit(plain[:20], y[:20])
    np.testing.assert_array_equal(model.predict(X), other.predict(plain))


# --- what belongs to the user ---------------------------------------------------------------------


@pytest.mark.parametrize("combiner", ["mean", "sqrt", "sum"])
def test_the_table_stays_as_it_is(combiner):
    module = pytest.importorskip("polars")
    pytest.importorskip("narwhals")
    X = module.DataFrame({"items": [["b", "a", "b"], ["a"]], "w": [[1.0, 2.0, 3.0], [0.5]]})
    before = X.clone().to_dicts()
    encoder = TableEncoder(list_weights=NAMED, combiner=combiner)
    first = encoder.fit_transform(X).toarray()
    assert X.to_dicts() == before
    np.testing.assert_array_equal(encoder.transform(X).toarray(), first)


# --- what a set and an array of objects hold ------------------------------------------------------


@pytest.mark.parametrize("kind", [set, frozenset])
def test_sets_have_no_order(kind):
    lists = {"items": [["a", "b"], None], "w": [[1.0, 2.0], None]}
    for column in lists:
        cells = [kind(lists[column][0]), None]
        with pytest.raises(
            TypeError, match=f"names column '{column}', which holds a {kind.__name__}: a"
        ):
            TableEncoder(list_weights=NAMED).fit(records(lists | {column: cells}))
    TableEncoder().fit(records({"items": [kind("ab"), None]}))  # without weights no order counts


@pytest.mark.parametrize("kind", [int, bool, np.float32, np.int16, np.bool_, Decimal, Fraction])
def test_weights_of_one_type(kind):
    found, wanted = (
        TableEncoder(list_weights=NAMED, combiner="sum").fit_transform(
            records({"items": [["a", "b"], ["b"]], "w": [[make(1), make(0)], [make(1)]]})
        )
        for make in (kind, float)
    )
    np.testing.assert_array_equal(found.toarray(), wanted.toarray())


def test_an_integer_too_large_is_an_error():
    X = records({"items": [["a"], ["a"]], "w": [[1], [10**400]]})
    with pytest.raises(
        ValueError, match="'w' holds an infinite or too large number in its list of row 1"
    ):
        TableEncoder(list_weights=NAMED).fit(X)


def test_plain_weights_are_not_looked_at_one_by_one(monkeypatch):
    monkeypatch.setattr("sparsefm.encoding.table.is_missing", None)  # as the slow way does
    TableEncoder(list_weights=NAMED).fit(records({"items": ITEMS, "w": WEIGHTS}))
