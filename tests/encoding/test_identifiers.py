"""The warning of whole numbers that look like identifiers: often right, hardly ever wrong."""

import warnings

import numpy as np
import pytest
from identifier_columns import (
    JUDGING_IDENTIFIERS,
    JUDGING_QUANTITIES,
    SHAPING_IDENTIFIERS,
    SHAPING_QUANTITIES,
)

from sparsefm import FMRegressor
from sparsefm.encoding import TableEncoder
from sparsefm.encoding.identifiers import names_identifiers, reason, words_of

SIZES = (30, 150, 1000, 5000)


def suspected(columns, repeats=3):
    """Return how many columns look like identifiers, and how many there are."""
    rng = np.random.default_rng(0)
    found = [
        reason(np.asarray(make(rng, n), np.float64), name) is not None
        for names, make in columns
        for name in names
        for n in SIZES
        for _ in range(repeats)
    ]
    return sum(found), len(found)


def is_anonymous(name):
    return name[0] in "xc" and name[1:].isdigit()


def named(columns):
    return [([name for name in names if not is_anonymous(name)], make) for names, make in columns]


@pytest.mark.parametrize("columns", [SHAPING_QUANTITIES, JUDGING_QUANTITIES])
def test_quantities_are_hardly_ever_suspected(columns):
    wrong, total = suspected(columns)
    assert total > 500
    assert wrong <= 0.01 * total


@pytest.mark.parametrize(
    ("columns", "share", "of_named"),
    [(SHAPING_IDENTIFIERS, 0.85, 0.99), (JUDGING_IDENTIFIERS, 0.6, 0.85)],
)
def test_most_identifiers_are_found(columns, share, of_named):
    found, total = suspected(columns)
    assert found >= share * total
    found, total = suspected(named(columns))
    assert found >= of_named * total


# --- names and values -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("user_id", ["user", "id"]),
        ("UserID", ["user", "id"]),
        ("zipCode2", ["zip", "code"]),
        ("Unnamed: 0", ["unnamed"]),
        ("x12", ["x"]),
        ("ID", ["id"]),
    ],
)
def test_words(name, words):
    assert words_of(name) == words


@pytest.mark.parametrize(
    "name",
    [
        *("id", "user_id", "idCustomer", "zip", "orderNo", "customer", "price_id", "rateCode"),
        *("order_nbr", "house_num", "user_index", "RowIndex", "idPriceList"),
    ],
)
def test_names_of_identifiers(name):
    assert names_identifiers(words_of(name))
    assert reason(np.array([3.0, np.nan, 7.0]), name) is not None


@pytest.mark.parametrize(
    "name",
    [
        *("", "x0", "humid", "paid", "no", "number", "num", "id_count", "avg_zip", "n_ids"),
        *("heat_index", "lines_of_code", "id_price", "num_of_orders", "codes_per_key", "price"),
    ],
)
def test_names_of_others(name):
    assert not names_identifiers(words_of(name))


def test_values_that_are_no_identifiers_whatever_the_name():
    for values in ([0, 1, 0], [0.5, 1, 2], [-1, 0, 1], [np.nan], []):
        assert reason(np.array(values, float), "user_id") is None
    assert reason(np.array([-1.0, 5, 7]), "user_id") is not None  # -1: there is none
    assert reason(np.arange(-1.0, 300), "x") is None


def test_values_tell_only_if_they_are_many_dense_and_different():
    rows = np.random.default_rng(0).permutation(np.arange(200.0))
    assert "whole number of its own" in reason(rows, "x")
    for values in (
        rows[:99],
        10 * rows,
        np.append(rows, 3),
        np.append(rows, rows[:5]),
        rows + 1600,
        np.append(np.arange(2000.0), 3),
        np.append(np.arange(2000.0), 2000.5),
    ):
        assert reason(values, "x") is None
    assert reason(np.append(rows, np.nan), "x") is not None
    for name in ("day", "hours_elapsed", "n_weeks", "quarter", "monthsEmployed", "years", "period"):
        assert reason(rows, name) is None
    days = [f"2024{month:02}{day:02}" for month in range(1, 8) for day in range(1, 29)]
    assert reason(np.array(days, float), "x") is None


# --- the warning ----------------------------------------------------------------------------------

X = np.column_stack([np.arange(300), np.random.default_rng(1).normal(size=300)])
WARNING = r"column 'x0' holds numbers, but looks like an identifier \(each row .*categorical=\['x0'"


def test_it_names_column_and_remedy():
    for learn in ("fit", "partial_fit", "fit_transform"):
        with pytest.warns(UserWarning, match=WARNING):
            getattr(TableEncoder(), learn)(X)
    with pytest.warns(UserWarning, match=WARNING):
        TableEncoder(numeric={"x1": "spline"}).fit(X)


@pytest.mark.parametrize(
    "options",
    [
        {"numeric": {"x0": "standardize"}},
        {"numeric": {0: "bin"}},
        {"numeric": "spline"},
        {"numeric": {"*": "log"}},
        {"categorical": [0]},
        {"hashed": {"x0": 9}},
    ],
)
def test_columns_that_the_user_names_are_not_warned_of(options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        TableEncoder(**options).fit(X)
        FMRegressor(search=None, epochs=2, encoder=TableEncoder(**options)).fit(X, X[:, 1])


def test_once_a_fit():
    encoder = TableEncoder()
    with pytest.warns(UserWarning, match=WARNING):
        encoder.partial_fit(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encoder.partial_fit(X)
        encoder.transform(X)
    given = FMRegressor(search=None, epochs=2, encoder=TableEncoder())
    for estimator in (FMRegressor(), FMRegressor(search=None, epochs=2), given):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            estimator.fit(X, X[:, 1])
        assert sum("looks like an identifier" in str(one.message) for one in caught) == 1
