"""Columns of Python objects: arrays, lists of rows and rows as dicts give what tables give."""

import decimal
import math
import warnings

import numpy as np
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import AdaBoostClassifier, BaggingClassifier, StackingClassifier
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sparsefm import FMClassifier
from sparsefm.encoding import TableEncoder
from sparsefm.encoding.names import Names
from sparsefm.encoding.objects import distinct, is_missing, read_objects, record_table
from sparsefm.encoding.tables import Labels, Numbers

RNG = np.random.default_rng(0)
TEXT, REAL = RNG.choice(list("abc"), 60).tolist(), RNG.normal(size=60).tolist()
ROWS = [[u, x, x > 0] for u, x in zip(TEXT, REAL, strict=True)]
ROWS[3][0] = ROWS[4][1] = None
DICTS = [dict(zip(["u", "x", "f"], row, strict=True)) for row in ROWS]
OBJECTS = np.array(ROWS, object)
Y = np.array([row[0] == "a" for row in ROWS])


def fm():
    return FMClassifier(rank=2, epochs=10, search=None)


def test_objects_are_encoded_as_a_table_of_them():
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame(DICTS)
    fitted = TableEncoder().fit(table)
    expected = fitted.transform(table)
    assert fitted.get_feature_names_out().tolist()[:4] == ["u=a", "u=b", "u=c", "u=missing"]
    for X in (OBJECTS, ROWS, [tuple(row) for row in ROWS]):
        with pytest.warns(UserWarning, match="X does not have valid feature names"):
            assert (fitted.transform(X) != expected).nnz == 0
        assert (TableEncoder().fit_transform(X) != expected).nnz == 0
    for X in (DICTS, tuple(DICTS), np.array(DICTS), [dict(reversed(row.items())) for row in DICTS]):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert (fitted.transform(X) != expected).nnz == 0
        assert TableEncoder().fit(X).feature_names_in_.tolist() == list(X[0])


def test_text_arrays_are_text():
    X = np.array([["a", "1"], ["b", "2"]])
    fitted = TableEncoder().fit(X)
    assert fitted.get_feature_names_out().tolist() == ["x0=a", "x0=b", "x1=1", "x1=2"]
    numbers = TableEncoder().fit(np.array([["a", 1.0], ["b", 2.0]], object))
    with pytest.raises(TypeError, match="column 'x1' held numbers in training, but holds text"):
        numbers.transform(X)


def test_a_row_alone_is_predicted_as_among_others():
    """A key that a row lacks is missing, also if no row has it."""
    model = fm().fit(DICTS, Y)
    rows = [{"u": "a", "x": 1.0}, {"x": 1.0, "f": True}, {}, {"f": False, "u": None}]
    together = model.decision_function(rows)
    for row, expected in zip(rows, together, strict=True):
        assert model.decision_function([row]) == expected
    with pytest.raises(ValueError, match="unseen at fit time:\n- U"):
        model.predict([{"U": "a"}])


def test_rows_as_dicts_may_bring_new_columns():
    fitted = TableEncoder().partial_fit([{"b": 1.5, "a": "p"}])
    fitted.partial_fit([{"c": "q", "a": "r"}, {"b": 2.0}])
    assert fitted.feature_names_in_.tolist() == ["b", "a", "c"]


def test_keys_become_names():
    table = record_table([{10: 1}, {20: 2}], Names(["20", "5"], False))
    assert table.names == Names(["20", "5", "10"], False)
    assert table.series == [[None, 2], [None, None], [1, None]]


@pytest.mark.parametrize("X", [OBJECTS, ROWS, DICTS], ids=["array", "rows", "dicts"])
def test_an_estimator_takes_them_everywhere(X, tmp_path):
    from sparsefm import load

    model = fm().fit(X, Y, eval_set=(X, Y))
    assert model.score(X, Y) > 0.6
    assert len(model.explain(X[:2])) > 0
    model.save(tmp_path / "model")
    assert np.array_equal(load(tmp_path / "model").predict_proba(X), model.predict_proba(X))


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_scikit_learns_ensembles_hand_on_objects():
    pd = pytest.importorskip("pandas")
    pl = pytest.importorskip("polars")
    table = pd.DataFrame({"u": RNG.choice(list("abc"), 60), "x": RNG.normal(size=60)})
    y = (table.u == "a").to_numpy()
    passing = make_column_transformer((StandardScaler(), ["x"]), remainder="passthrough")
    for model in (
        BaggingClassifier(fm(), n_estimators=2, random_state=0),
        AdaBoostClassifier(fm(), n_estimators=2, random_state=0),
        StackingClassifier([("a", fm())], fm(), cv=2, passthrough=True),
        make_pipeline(passing, fm()),
    ):
        assert model.fit(table, y).score(table, y) > 0.6
    stacked = StackingClassifier([("a", fm())], LogisticRegression(), cv=2)
    assert stacked.fit(table.to_numpy(), y).score(table.to_numpy(), y) > 0.6
    ours, theirs = (
        permutation_importance(fm().fit(X, y), X, y, n_repeats=2, random_state=0)
        for X in (table, pl.from_pandas(table))
    )
    assert np.array_equal(ours.importances, theirs.importances)


# --- columns --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([1, 2.5, None], [1, 2.5, None]),
        ([decimal.Decimal("1.5"), np.float32(2), np.int8(3)], [1.5, 2, 3]),
        ([float("nan"), 1.0], [None, 1]),
        ([2**70, 1], [2.0**70, 1]),
    ],
)
def test_numbers(rows, expected):
    column = read_objects(rows, "x")
    assert isinstance(column, Numbers)
    assert [None if math.isnan(value) else value for value in column.values] == expected


@pytest.mark.parametrize(
    ("rows", "codes", "found"),
    [
        (["b", None, "a", "b"], [0, -1, 1, 0], ["b", "a"]),
        ([np.str_("a"), "a"], [0, 0], ["a"]),
        ([True, None, np.False_, False], [0, -1, 1, 1], [True, False]),
        ([None, float("nan")], [-1, -1], []),
    ],
)
def test_labels(rows, codes, found):
    column = read_objects(rows, "x")
    assert isinstance(column, Labels)
    assert column.codes.tolist() == codes
    assert column.values == found
    assert {type(value) for value in column.values} <= {str, bool}


@pytest.mark.parametrize(
    ("rows", "match"),
    [
        (["a", 1], r"column 'x' holds values of several types \(number, text\)"),
        ([1, True, 2.5], r"column 'x' holds values of several types \(bool, number\)"),
        ([True, 1, 0], r"column 'x' holds values of several types \(bool, number\)"),
        (
            [["a"], ["b", ["c"]]],
            r"column 'x' holds several.*\(list in list\): make each row a list",
        ),
        ([["a"], [{"b": 1}]], r"column 'x' holds several values in a row.*\(dict in list\)"),
        ([np.ones((2, 2))], r"column 'x' holds several .* \(arrays that are not one-dimensional"),
        ([["a"], "b"], "column 'x' holds a list in some rows, but 'b' in another"),
        ([{"a": 1}, 1.5], "column 'x' holds a dict .* argument must be a string or a number"),
        ([["a"], {"a": 1}], "column 'x' holds dicts beside lists: make all of them dicts"),
        ([{"a": "b"}], r"column 'x' holds dicts whose values are no numbers \(str\)"),
        ([[1, "a"]], r"column 'x' holds values of several types \(number, text\)"),
        ([[0.5, 1]], "column 'x' holds lists of numbers with fractions, such as 0.5: make"),
        ([[b"a"]], "column 'x' holds objects of type bytes"),
        ([[np.datetime64("2024-01-01")]], "column 'x' holds dates or times"),
        ([[decimal.Decimal("sNaN")]], "column 'x' holds objects that are not plain values"),
        ([b"a"], "column 'x' holds objects of type bytes"),
        ([1j], "column 'x' holds objects of type complex"),
        ([np.datetime64("2024-01-01"), "a"], r"several types \(datetime64, str\): make them all"),
        ([decimal.Decimal("sNaN")], "column 'x' holds objects that are not plain values"),
    ],
)
def test_other_objects_are_refused_by_column(rows, match):
    for repeated in (rows, rows * 200):
        with pytest.raises(TypeError, match=match):
            read_objects(repeated, "x")


def test_missing():
    pd = pytest.importorskip("pandas")
    for value in (
        None,
        math.nan,
        np.float32("nan"),
        pd.NA,
        pd.NaT,
        np.datetime64("NaT"),
        decimal.Decimal("NaN"),
    ):
        assert is_missing(value)
    for value in ("", 0, False, "nan", math.inf):
        assert not is_missing(value)


def test_values_of_different_types_are_different():
    codes, found = distinct([1, True, 1.0, 1, None])
    assert codes.tolist() == [0, 1, 2, 0, -1]
    assert list(map(type, found)) == [int, bool, float]
