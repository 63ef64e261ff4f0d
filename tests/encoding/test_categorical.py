"""Columns of numbers that the user calls categorical, and large integers."""

import json

import numpy as np
import pytest
from scipy import sparse

from sparsefm.encoding import TableEncoder
from sparsefm.encoding.saving import encoder_to_content, read_encoder
from sparsefm.io.reader import Reader

LARGE = 2**60


def names(encoder):
    return encoder.get_feature_names_out().tolist()


def restored(encoder):
    header, arrays = encoder_to_content(encoder)
    return read_encoder(Reader(json.loads(json.dumps(header)), dict(arrays)))


@pytest.mark.parametrize("columns", [["n"], ("n",), {0}, [np.int64(0)], np.array(["n"])])
def test_whole_numbers_by_name_or_position(table, columns):
    X = table({"n": [3, 1, None, 3], "m": [3, 1, 2, 3]})
    fitted = TableEncoder(categorical=columns).fit(X)
    assert names(fitted) == ["n=1", "n=3", "n=missing", "m"]
    assert fitted.transform(X)[:, :3].indices.tolist() == [1, 0, 2, 1]
    again = restored(fitted)
    assert list(again.categorical) == list(columns)
    assert (again.transform(X) != fitted.transform(X)).nnz == 0
    assert fitted.transform(table({"n": [7.0, 0.5], "m": [1, 1]}))[:, :3].nnz == 0


def test_arrays():
    for dtype in (np.int64, np.float32, np.uint8, object):
        X = np.array([[0, 5], [1, 6], [1, 7]], dtype)
        assert names(TableEncoder(categorical=[0]).fit(X)) == ["x0=0", "x0=1", "x1"]


def test_large_integers_of_all_kinds():
    """Above 2**53 not every integer is a floating-point number."""
    pd = pytest.importorskip("pandas")
    pa = pytest.importorskip("pyarrow")
    pl = pytest.importorskip("polars")
    pytest.importorskip("narwhals")
    values = [LARGE + 1, LARGE, LARGE + 1]
    tables = [
        pd.DataFrame({"n": values}),
        pd.DataFrame({"n": values}, dtype="Int64"),
        pd.DataFrame({"n": values}, dtype="UInt64"),
        pd.DataFrame({"n": values}, dtype=pd.ArrowDtype(pa.int64())),
        pd.DataFrame({"n": pd.arrays.SparseArray(values)}),
        pd.DataFrame({"n": values}, dtype=object),
        pl.DataFrame({"n": values}),
        pl.DataFrame({"n": pl.Series(values, dtype=pl.UInt64)}),
        pa.table({"n": values}),
        [{"n": value} for value in values],
    ]
    for X in tables:
        for options in ({"categorical": ["n"]}, {"hashed": {"n": 1000}}):
            fitted = TableEncoder(**options).fit(X)
            if "categorical" in options:
                assert names(fitted) == [f"n={LARGE}", f"n={LARGE + 1}"]
            indices = fitted.transform(X).indices
            assert indices[0] == indices[2] != indices[1]
    array = np.array([[value] for value in values])
    assert TableEncoder(categorical=[0]).fit(array).n_features_out_ == 2
    gaps = pd.DataFrame({"n": [LARGE, None, LARGE + 1]}, dtype="Int64")
    assert TableEncoder(categorical=["n"]).fit(gaps, sample_weight=[1, 1, 0]).n_features_out_ == 2
    as_text = TableEncoder().fit(pd.DataFrame({"n": pd.Categorical(values)}))
    assert as_text.transform(tables[0]).nnz == 3
    with pytest.raises(ValueError, match="'n' is categorical, but holds floating-point num"):
        TableEncoder(categorical=["n"]).fit(pd.DataFrame({"n": [2.0**60]}))
    with pytest.raises(ValueError, match="column 'n' holds integers beyond 64 bits: make"):
        TableEncoder(categorical=["n"]).fit([{"n": 2**70}])


def test_streams(table):
    encoder = TableEncoder(categorical=["n"]).partial_fit(table({"n": [None, None]}))
    encoder.partial_fit(table({"n": [2, 1]}))
    encoder.partial_fit(table({"n": [7, 1]}))
    assert names(encoder)[-3:] == ["n=1", "n=2", "n=7"]
    assert "n=missing" in names(encoder)


def test_hashed_integers(table):
    fitted = TableEncoder(hashed={"n": 5}).fit(table({"n": [1, 2, 3]}))
    assert names(fitted) == [f"n#{bucket}" for bucket in range(5)]
    text = TableEncoder(hashed={"n": 5}).fit(table({"n": ["1", "2", "3"]}))
    assert (
        fitted.transform(table({"n": [3, 1]})) != text.transform(table({"n": ["3", "1"]}))
    ).nnz == 0


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"categorical": "n"}, TypeError, "categorical must be a list of columns, got 'n'"),
        ({"categorical": 3}, TypeError, "categorical must be a list of columns, got 3"),
        ({"categorical": ["q"]}, ValueError, "categorical names a column 'q'"),
        (
            {"categorical": ["f"]},
            TypeError,
            "names column 'f', which .* such as 0.5: make",
        ),
        (
            {"categorical": ["d"]},
            TypeError,
            "names column 'd', which holds dates: make",
        ),
        ({"hashed": {"f": 3}}, TypeError, "hashed names column 'f', which holds numb"),
        (
            {"categorical": ["n"], "numeric": {"n": "bin"}},
            ValueError,
            "categorical and numeric both",
        ),
    ],
)
def test_settings_are_checked(table, options, error, match):
    rows = {"n": [1, 2], "f": [0.5, 1.0], "d": np.array(["2024-01-01"] * 2, "M8[ms]")}
    with pytest.raises(error, match=match):
        TableEncoder(**options).fit(table(rows))


def test_columns_that_are_categories_anyway(table):
    rows = {"s": ["a", "b"], "b": [True, False], "l": [["a"], ["b", "c"]]}
    fitted = TableEncoder(categorical=["s", "b", "l"]).fit(table(rows))
    assert names(fitted) == names(TableEncoder().fit(table(rows)))


def test_matrices_are_refused():
    for options in ({"categorical": [0]}, {"hashed": {0: 3}}, {"multi": {0: "|"}}):
        with pytest.raises(ValueError, match="names columns, but the columns of a sparse"):
            TableEncoder(**options).fit(sparse.identity(3, format="csr"))
    TableEncoder(categorical=[], hashed={}).fit(sparse.identity(3, format="csr"))
