"""`factors`: the parameters of the values of one column."""

import copy

import numpy as np
import pandas as pd
import pytest
from catalogue import FAST, ITEMS, fitted, table

import sparsefm as fm


@pytest.mark.parametrize("name", ["fm", "fwfm", "ffm", "gibbs", "linear"])
def test_each_value_has_the_parameters_of_its_feature(name):
    model = fitted(name)
    found = model.factors("movie")
    assert found["id"].tolist() == ITEMS["movie"].tolist()
    names = model.get_feature_names_out().tolist()
    features = [names.index(f"movie={one}") for one in found["id"]]
    assert np.array_equal(found["weight"], model.w_[features])
    assert np.array_equal(found["vector"], model.V_[features])
    by_position = model.factors(model.feature_names_in_.tolist().index("movie"))
    assert np.array_equal(by_position["vector"], found["vector"])


def test_lists_and_missing_values():
    rows = table().assign(hour=["day", None, "night"] * 500)
    rng = np.random.default_rng(0)
    model = fm.FMClassifier(**FAST, loss="logistic").fit(rows, rng.choice(list("abc"), 1500))
    assert model.factors("genres", "b")["id"].tolist() == list("abcdef")
    found = model.factors("hour", target="c")
    assert found["id"].tolist() == ["day", "night", None]
    names = model.get_feature_names_out().tolist()
    missing = names.index("hour=missing")
    assert np.array_equal(found["vector"][2], model.V_[2, missing])


def test_new_values_are_the_last():
    model = copy.copy(fitted("fm"))
    model.fold_in(table()[:3].assign(user=["x", "y", "x"]), [0, 1, 1], column="user")
    found = model.factors("user")
    assert found["id"][-2:].tolist() == ["x", "y"]
    assert found["vector"][-2:].any()


def test_identifiers_that_are_numbers():
    rows = pd.DataFrame({"user": [7, 3, 7], "x": [0.5, 1, 2]})
    encoder = fm.TableEncoder(categorical=["user"])
    model = fm.FMRegressor(**FAST, encoder=encoder).fit(rows, [1, 2, 3])
    assert model.factors("user")["id"].tolist() == [3, 7]


@pytest.mark.parametrize(
    ("column", "error"), [("age", ValueError), ("nothing", ValueError), (None, TypeError)]
)
def test_bad_columns(column, error):
    with pytest.raises(error, match="column"):
        fitted("fm").factors(column)


def test_hashed_values_and_matrices():
    from scipy import sparse

    rows = pd.DataFrame({"user": list("abcd"), "x": [0.5, 1, 2, 3]})
    encoder = fm.TableEncoder(hashed={"user": 3})
    hashed = fm.FMRegressor(**FAST, encoder=encoder).fit(rows, [1, 2, 3, 4])
    with pytest.raises(ValueError, match="column names 'user'"):
        hashed.factors("user")
    matrix = fm.FMRegressor(**FAST).fit(sparse.eye(4, format="csr"), [1, 2, 3, 4])
    with pytest.raises(ValueError, match="sparse matrix"):
        matrix.factors(0)
    with pytest.raises(ValueError, match="sparse matrix"):
        matrix.fold_in(sparse.eye(4, format="csr"), [1, 2, 3, 4], column=0)
