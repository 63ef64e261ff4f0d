"""Labels of any container: their values and types stay, and what cannot be saved is refused."""

import decimal

import numpy as np
import pytest

import sparsefm as fm
from sparsefm.estimators.labels import as_labels

pd = pytest.importorskip("pandas")
pa = pytest.importorskip("pyarrow")
pl = pytest.importorskip("polars")

LARGE = [2**53, 2**53 + 1, 7]
GOOD = {
    "ints as objects": (np.array([0, 1], object), np.int64, [0, 1]),
    "bools as objects": (np.array([True, np.False_], object), bool, [True, False]),
    "ints and floats": ([1, 2.0], np.float64, [1, 2]),
    "NumPy's text as objects": (np.array([np.str_("a"), "b"], object), object, ["a", "b"]),
    "NumPy's StringDtype": (pl.Series(["a", "b"]).to_numpy(), object, ["a", "b"]),
    "list of text": (["a", "b"], "<U1", ["a", "b"]),
    "list of text that ends in zero": (["a", "a\0"], object, ["a", "a\0"]),
    "nullable boolean": (pd.Series([True, False], dtype="boolean"), bool, [True, False]),
    "nullable integers": (pd.Series(LARGE, dtype="Int64"), np.int64, LARGE),
    "nullable text": (pd.Series(["a", "b"], dtype="string"), object, ["a", "b"]),
    "pandas with Arrow": (pd.Series(LARGE, dtype=pd.ArrowDtype(pa.int64())), np.int64, LARGE),
    "pandas sparse": (pd.Series([0, 1], dtype="Sparse[int]"), np.int64, [0, 1]),
    "pandas categories": (pd.Series(["a", "b"], dtype="category"), object, ["a", "b"]),
    "Polars": (pl.Series(LARGE), np.int64, LARGE),
    "Polars categories": (pl.Series(["b", "a"], dtype=pl.Categorical), object, ["b", "a"]),
    "Arrow": (pa.chunked_array([LARGE[:1], LARGE[1:]]), np.int64, LARGE),
    "Arrow dictionary": (pa.array(["a", "b"]).dictionary_encode(), object, ["a", "b"]),
    "unsigned": ([2**64 - 1, 0], np.uint64, [2**64 - 1, 0]),
}
BAD = {
    "missing": (pd.Series([1, None], dtype="Int64"), ValueError, "Input y contains NaN or None"),
    "missing in Polars": (pl.Series(["a", None]), ValueError, r"NaN or None, in row 1: leave out"),
    "text and numbers": (["a", 1], TypeError, r"y holds labels of several types \(int, str\)"),
    "bools and numbers": ([True, 1], TypeError, r"y holds labels of several types \(bool, int\)"),
    "decimals": ([decimal.Decimal(1)], TypeError, "y holds labels of type Decimal, which cannot"),
    "dates": (pd.to_datetime(["2024-01-01"]), TypeError, "y holds labels of type datetime64"),
    "bytes": (np.array([b"a"]), TypeError, "y holds labels of type"),
    "long doubles": (np.ones(2, np.longdouble), TypeError, "y holds labels of type"),
    "large": ([2**64, 1], ValueError, "y holds integers beyond 64 bits: make the labels text"),
    "large and negative": ([2**63, -1], ValueError, "y holds integers beyond 64 bits"),
    "beyond float64": ([2**53 + 1, 0.0], ValueError, "y holds the label 9007199254740993 beside"),
    "far beyond float64": ([10**400, 0.0], ValueError, "y holds the label 1000"),
    "infinite": (np.array([np.inf]), ValueError, "Input y contains infinity"),
    "complex": (np.array([1j]), ValueError, "Complex data not supported: y holds complex128"),
    "ragged": ([[1], [1, 2]], TypeError, "y holds labels of type list"),
    "several outputs": ([[0, 1], [1, 0]], ValueError, "y must be one-dimensional"),
}


@pytest.mark.parametrize("name", GOOD)
def test_values_and_types_stay(name):
    y, dtype, expected = GOOD[name]
    labels = as_labels(y, "y")
    assert labels.dtype == dtype
    assert labels.tolist() == expected
    assert set(map(type, labels.tolist())) <= {str, bool, int, float}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_label_is_refused(name):
    y, error, match = BAD[name]
    if name == "long doubles" and np.longdouble is np.float64:
        pytest.skip("they are floats here")
    with pytest.raises(error, match=match):
        as_labels(y, "y")


@pytest.mark.parametrize("name", ["ints as objects", "nullable boolean", "unsigned", "Arrow"])
def test_an_estimator_predicts_and_scores_them(name, tmp_path):
    y, dtype, expected = GOOD[name]
    rows = np.resize(np.arange(len(expected)), 30)
    y = y.take(rows) if hasattr(y, "take") else [y[row] for row in rows]
    X = np.eye(len(expected))[rows]
    estimator = fm.FMClassifier(rank=0, epochs=20, search=None).fit(X, y, eval_set=(X, y))
    assert estimator.classes_.dtype == dtype
    assert estimator.predict(X).tolist() == [expected[row] for row in rows]
    assert estimator.score(X, y) == 1
    assert estimator.score(X, y, sample_weight=np.arange(1, 31)) == 1
    first = fm.FMClassifier(rank=0, solver=fm.AdaGrad())
    first.partial_fit(X[:1], y[:1], classes=expected).partial_fit(X, y)
    assert first.classes_.tolist() == sorted(expected)


@pytest.mark.parametrize(
    "y",
    [
        [1, decimal.Decimal("2.5")],
        [1, 2**70],
        pd.Series([1, 2], dtype="Int64"),
        pl.Series([True, False]),
        pa.chunked_array([[1.5, 2]]),
    ],
)
def test_targets_of_any_container(y):
    assert fm.FMRegressor(rank=0, epochs=1, search=None).fit(np.eye(2), y).n_iter_ == 1


@pytest.mark.parametrize(
    "y", [["a", "b"], np.array(["a", 1], object), [1, 10**400], [[1], [1, 2]], [1, None], [1, {}]]
)
def test_other_targets_are_refused_by_name(y):
    with pytest.raises((TypeError, ValueError), match=r"\by\b"):
        fm.FMRegressor(rank=0, epochs=1, search=None).fit(np.eye(2), y)
