"""Settings that differ from column to column, and what "auto" becomes."""

import numpy as np
import pytest
from sklearn.base import clone

from sparsefm.encoding import TableEncoder
from sparsefm.encoding.intervals import Bins, Spline
from sparsefm.encoding.numeric import Logarithm, Number

RNG = np.random.default_rng(0)
X = np.c_[RNG.normal(size=(200, 3)), RNG.integers(0, 2, 200), np.full(200, 3)]


def kinds(encoder):
    return [type(encoding) for encoding in encoder._encodings]


@pytest.mark.parametrize("key", [1, np.int64(1), "x1"])
def test_columns_by_name_or_position(key):
    fitted = TableEncoder(numeric={key: "spline"}).fit(X)
    assert kinds(fitted) == [Number, Spline, Number, Number, Number]
    fitted = TableEncoder(numeric={key: "log", "*": "bin"}).fit(X)
    assert kinds(fitted) == [Bins, Logarithm, Bins, Number, Number]


def test_names_of_tables(table):
    rows = {"s": ["a", "b", "a", "c"], "n": [1, 2, 3, 9], "m": [0.5, 2, 7, None]}
    fitted = TableEncoder(numeric={"m": "spline"}).fit(table(rows))
    names = ["s=a", "s=b", "s=c", "n", "m@0.5", "m@2", "m@7", "m=missing"]
    assert fitted.get_feature_names_out().tolist() == names
    assert fitted._open_columns == [1]


def test_auto_is_today_s_rule():
    heavy = np.exp(3 * X[:, :3])
    plain = TableEncoder(numeric="standardize", n_bins=32, clip=True).fit_transform(heavy)
    assert (TableEncoder().fit_transform(heavy) != plain).nnz == 0
    bins = [TableEncoder(numeric="bin", **o).fit(X) for o in ({}, {"n_bins": 32})]
    assert bins[0].n_features_out_ == bins[1].n_features_out_ == 3 * 32 + 2


def test_what_is_auto_is_fixed():
    encoder = TableEncoder(hashed={"s": 3}, unknown="error")
    fixed = encoder._resolved("spline", 64, clip=False)
    parameters = encoder.get_params() | {"numeric": "spline", "n_bins": 64, "clip": False}
    assert fixed.get_params() == parameters
    assert encoder.numeric == encoder.n_bins == encoder.clip == "auto"
    again = fixed._resolved("bin", 8, clip=True)
    assert again.get_params() == fixed.get_params()


def test_what_the_user_fixed_stays():
    given = TableEncoder(numeric={"x0": "log", 2: "auto"}, n_bins=7, clip=True).fit(X)
    assert given._open_columns == [1, 2]
    fixed = clone(given._resolved("bin", 64, clip=False)).fit(X)
    assert kinds(fixed) == [Logarithm, Bins, Bins, Number, Number]
    assert (fixed.n_bins, fixed.clip, len(fixed._encodings[1].edges)) == (7, True, 6)
    assert fixed._open_columns == []
    others = TableEncoder(numeric={"*": "spline", "x0": "auto"})._resolved("log", 64, clip=True)
    assert kinds(others.fit(X)) == [Logarithm, Spline, Spline, Number, Number]


def test_matrices_leave_nothing_open():
    from scipy import sparse

    assert TableEncoder().fit(sparse.csr_matrix(X))._open_columns == []
