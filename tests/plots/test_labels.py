"""Names of features in plots."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from sparsefm import TableEncoder
from sparsefm.plots.label_placement import shorten
from sparsefm.plots.labels import FeatureLabels, interval, numbers, shorten_pair


@pytest.mark.parametrize("column", ["c", "column", "a column of a very long name"])
@pytest.mark.parametrize("value", ["", "=v", "=value", "=a value that is very long, too"])
@pytest.mark.parametrize("width", [12, 20, 80])
def test_column_and_value_both_stay(column, value, width):
    shown = shorten_pair(column, value, width)
    assert len(shown) <= max(width, 1)
    assert shown[0] == column[0]
    assert shown[-1] == (column + value)[-1]
    assert ("=v" in shown or "=a" in shown) == bool(value)
    if len(column + value) <= width:
        assert shown == column + value


def test_names_are_one_line():
    assert shorten("two\nlines\tof it", 20) == "two lines of it"
    assert shorten("two  blanks", 20) == "two  blanks"


def test_intervals():
    counts = np.array([1.0, 2, 3, 5])
    shown = [interval(counts, bin) for bin in range(5)]
    assert shown == ["=0", "=1", "=2", "=3 to 4", "≥5"]
    assert interval(np.array([-2.0, 0]), 0) == "≤-3"
    measured = np.array([20.123456, 20.123999, 37.0])
    shown = [interval(measured, bin) for bin in range(4)]
    assert shown == ["<20.123", " in [20.123, 20.124)", " in [20.124, 37)", "≥37"]
    assert interval(np.array([]), 0) == ""
    assert interval(np.array([1e300]), 1) == "≥1e+300"


def test_numbers_are_short_and_different():
    assert numbers(np.array([0.1 + 0.2, 2013.0])) == ["0.3", "2013"]
    assert numbers(np.array([1 + 1e-15, 1 + 2e-15])) == ["1.000000000000001", "1.000000000000002"]
    assert numbers(np.array([])) == []


def test_features_of_all_kinds():
    table = pd.DataFrame(
        {
            "city": ["Oslo", None, "Rome", "Oslo"],
            "children": [0.0, 1.0, 2.0, np.nan],
            "age": [20.123456, 30.0, 40.0, 50.0],
            "n": [1.5, 2.5, 9.0, 1.0],
        }
    )
    kinds = {"children": "bin", "age": "spline"}
    encoder = TableEncoder(numeric=kinds, hashed={"city": 2}).fit(table)
    names = encoder.get_feature_names_out().tolist()
    expected = ["city#0", "city#1", "children=0", "children=1", "children≥2", "children=missing"]
    expected += ["age@20.12", "age@30", "age@40", "age@50", "n"]
    assert FeatureLabels(encoder).of(names, 40) == expected
    assert FeatureLabels(encoder).of(names[::-1], 40) == expected[::-1]


def test_the_columns_of_a_matrix():
    encoder = TableEncoder().fit(sparse.eye_array(3, format="csr"))
    assert FeatureLabels(encoder).of(["x2", "x0"], 10) == ["x2", "x0"]
