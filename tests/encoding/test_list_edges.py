"""Columns of lists where other things end: no value yet, no feature, one bucket, equal lengths."""

import warnings

import numpy as np
import pytest
from list_columns import objects

import sparsefm as fm

pd = pytest.importorskip("pandas")


def frame(cells):
    """Return a table of one column of objects."""
    return pd.DataFrame({"t": pd.Series(cells, dtype=object)})


def one_bucket(cell, **settings):
    """Return the feature of a cell in a column hashed to one."""
    encoder = fm.TableEncoder(hashed={"t": 1}, **settings)
    return encoder.fit_transform(frame([cell])).toarray()[0, 0]


@pytest.mark.parametrize("index", ["uint8", "uint16", "uint32", "int8", "int64"])
def test_dictionaries_with_indices_of_any_type(index):
    pa = pytest.importorskip("pyarrow")
    values = pa.array(["a", None, "b"] * 300, pa.dictionary(getattr(pa, index)(), pa.string()))
    names = ["t=a", "t=b", "t=missing"]
    assert fm.TableEncoder().fit(pa.table({"t": values})).get_feature_names_out().tolist() == names
    lists = pa.ListArray.from_arrays(np.arange(0, 901, 3), values)
    encoder = fm.TableEncoder().fit(pa.table({"t": lists}))
    assert encoder.get_feature_names_out().tolist() == names[:2]


def test_lists_of_string_views():
    pa = pytest.importorskip("pyarrow", "18.0")
    X = pa.table({"t": pa.array([["a"], None, ["b", "a"]], pa.list_(pa.string_view()))})
    assert fm.TableEncoder().fit(X).get_feature_names_out().tolist() == ["t=a", "t=b", "t=missing"]


def test_a_hashed_column_takes_lists_and_single_values():
    encoder = fm.TableEncoder(hashed={"t": 4}).partial_fit(frame(["a", "b"] * 20))
    single = encoder.transform(frame(["a"])).toarray()
    encoder.partial_fit(frame([[], ["b", "c"]]))
    assert np.array_equal(encoder.transform(frame(["a"])).toarray(), single)
    assert np.array_equal(encoder.transform(frame([["a"]])).toarray(), single)


def test_a_column_that_was_all_missing_knows_no_list():
    encoder = fm.TableEncoder().fit(frame([None, None]))
    assert encoder.transform(frame([["a"], None, []])).toarray().tolist() == [[0], [1], [0]]
    assert encoder.transform(frame([[], []])).toarray().tolist() == [[0], [0]]
    strict = fm.TableEncoder(unknown="error").fit(frame([None, None]))
    with pytest.raises(ValueError, match="'t'"):
        strict.transform(frame([["a"]]))


@pytest.mark.parametrize("first", [[], ["a"]])
def test_a_stream_that_begins_without_lists(first):
    encoder = fm.TableEncoder().partial_fit(pd.DataFrame({"t": [np.nan] * 40}))
    encoder.partial_fit(frame([first, first])).partial_fit(frame([["a", "b"]]))
    assert {"t=a", "t=b"} <= set(encoder.get_feature_names_out())


def test_lists_of_one_length_are_cells():
    rows = [[["x", "y"]], [["z"]]]
    encoder = fm.TableEncoder().fit(rows)
    assert encoder.transform(rows[:1]).toarray().tolist() == [[0.5, 0.5, 0]]
    assert fm.TableEncoder().fit([[["x"], ["q"]], [["y"], ["r"]]]).n_features_in_ == 2
    with pytest.raises(ValueError, match="3D"):
        fm.TableEncoder().fit([[[1.0, 2.0]]])


def test_no_weight_is_no_value():
    encoder = fm.TableEncoder().fit(frame([{"a": 1.0, "z": 0}]))
    assert encoder.get_feature_names_out().tolist() == ["t=a"]
    strict = fm.TableEncoder(unknown="error").fit(frame([{"a": 1.0}]))
    assert strict.transform(frame([{"a": 1.0, "new": 0}])).toarray().tolist() == [[1]]


def test_values_that_cancel_in_a_bucket_stay_small():
    assert one_bucket({"a": 1.0, "b": -0.999999}) == pytest.approx(5e-7, rel=1e-3)
    assert abs(one_bucket({"a": 0.1, "b": 0.2, "c": -0.3})) < 1e-15
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for combiner in ("mean", "sqrt"):
            cell = {"a": 1e308, "b": 1e308}
            assert one_bucket(cell, combiner=combiner, dtype="float64") == 1


@pytest.mark.parametrize("combiner", ["mean", "sqrt", "sum"])
def test_the_order_of_a_dict_does_not_count(combiner):
    random = np.random.default_rng(0)
    cells = [dict(zip("abcdefgh", random.normal(size=8).tolist(), strict=True)) for _ in range(50)]
    encoder = fm.TableEncoder(hashed={"t": 3}, combiner=combiner, dtype="float64")
    found = encoder.fit_transform(frame(cells))
    backwards = [dict(reversed(cell.items())) for cell in cells]
    assert np.array_equal(encoder.transform(frame(backwards)).toarray(), found.toarray())


def test_samplers_need_a_feature():
    X, y = objects([[]] * 30), np.arange(30.0)
    assert fm.FMRegressor(solver=fm.Adam(), epochs=1).fit(X, y).predict(X).shape == (30,)
    for solver in (fm.ALS(), fm.Gibbs()):
        with pytest.raises(ValueError, match="no features"):
            fm.FMRegressor(solver=solver).fit(X, y)
