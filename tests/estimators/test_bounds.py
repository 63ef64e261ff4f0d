"""`bounds`: predictions stay within the range that the targets have, or that they are given."""

import copy
from pathlib import Path

import numpy as np
import pytest
from estimating import products
from sklearn.base import clone
from sklearn.model_selection import cross_val_score

import sparsefm as fm
from sparsefm.estimators.bounds import UNBOUNDED, check_bounds, levels_of

FIXTURES = Path(__file__).parent.parent / "fixtures"
FAST = {"rank": 2, "solver": fm.Adam(learning_rate=0.05), "epochs": 20, "search": None}


def rated(rows=300):
    """Return rows whose predictions leave the range of the ratings, 1 to 5."""
    X, y = products(rows)
    return X, np.clip(np.rint(3 + 1.5 * y), 1, 5)


# --- the rule -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        [1, 2, 3, 4, 5],
        [0.5, 1, 2.5],
        [0, 1],
        [7],
        np.arange(32) / 10,
        [0, 1, 2, 500],
        np.float32([0.1, 0.2, 0.3, 0.7]),
        [-1e300, 0, 1e300],
    ],
)
def test_few_values_in_even_steps_are_levels(values):
    assert levels_of(np.tile(np.float64(values), 50)) == tuple(np.float64(values))


@pytest.mark.parametrize(
    "values",
    [np.arange(33), np.log1p(range(5)), [0, 1, np.pi], np.random.default_rng(0).normal(size=20)],
)
def test_other_values_are_not(values):
    assert levels_of(np.tile(np.float64(values), 50)) == ()


def test_values_that_come_late_count():
    assert levels_of(np.r_[np.zeros(5000), np.arange(40.0)]) == ()
    assert levels_of(np.r_[np.zeros(5000), 9.0]) == (0, 9)


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        (None, UNBOUNDED),
        ("auto", None),
        ((1, 5), (1, 5)),
        ([None, 5], (-np.inf, 5)),
        ((0, None), (0, np.inf)),
        ((-np.inf, np.inf), UNBOUNDED),
        ((np.float32(-2), np.int64(3)), (-2, 3)),
    ],
)
def test_bounds_are_checked(bounds, expected):
    assert check_bounds(bounds) == expected


@pytest.mark.parametrize(
    ("bounds", "error"),
    [
        ((5, 1), ValueError),
        ((1, 1), ValueError),
        ((np.nan, 1), ValueError),
        ((np.inf, None), ValueError),
        ((1, 2, 3), TypeError),
        ("range", TypeError),
        (("a", 2), TypeError),
        (3, TypeError),
    ],
)
def test_wrong_bounds_are_errors_when_fitting(bounds, error):
    X, y = products()
    with pytest.raises(error, match="bound"):
        fm.FMRegressor(**FAST, bounds=bounds).fit(X, y)


# --- predictions ----------------------------------------------------------------------------------


def test_ratings_are_clipped_to_the_range_seen():
    X, y = rated()
    model = fm.FMRegressor(**FAST).fit(X, y)
    free = fm.FMRegressor(**FAST, bounds=None).fit(X, y)
    assert (model.bounds_, free.bounds_) == ((1, 5), UNBOUNDED)
    far = 2 * X
    assert free.predict(far).min() < 0.5
    assert free.predict(far).max() > 5.5
    assert np.array_equal(model.predict(far), np.clip(free.predict(far), 1, 5))
    assert np.array_equal(model.w_, free.w_)  # the training is the same
    assert model.score(far, y) > free.score(far, y)


def test_other_targets_are_not_clipped():
    X, y = products()
    model, free = (fm.FMRegressor(**FAST, bounds=b).fit(X, y) for b in ("auto", None))
    assert model.bounds_ == UNBOUNDED
    assert np.array_equal(model.predict(9 * X), free.predict(9 * X))


def test_given_bounds_count_at_once_and_may_be_open():
    X, y = products()
    model = fm.FMRegressor(**FAST, bounds=(-0.5, None)).fit(X, y)
    found = model.predict(X)
    assert found.min() == -0.5
    assert found.max() > 1
    assert model.set_params(bounds=(None, 0.5)).predict(X).max() == 0.5
    assert model.predict(X).min() < -0.5


def test_rows_of_weight_zero_do_not_count():
    X, y = rated()
    weights = np.where(y == 5, 0, 2)
    assert fm.FMRegressor(**FAST).fit(X, y, weights).bounds_ == (1, 4)


def test_the_recorded_metric_is_that_of_clipped_predictions():
    X, y = rated()
    model = fm.FMRegressor(**FAST, scoring="mae", early_stopping=False)
    model.fit(X, y, eval_set=(2 * X, y))
    errors = model.predict(2 * X) - y
    assert model.history_["rmse"][-1] == pytest.approx(np.sqrt(np.mean(errors**2)), rel=1e-5)
    assert model.history_["mae"][-1] == pytest.approx(np.abs(errors).mean(), rel=1e-5)
    model.set_params(bounds=None)
    losses = np.square(model.predict(2 * X) - y)
    assert model.history_["val_loss"][-1] == pytest.approx(losses.mean(), rel=1e-5)


def test_means_and_quantiles_of_samples_are_clipped():
    X, y = rated()
    model = fm.FMRegressor(rank=2, solver=fm.Gibbs(), epochs=10).fit(X, y)
    mean, std = model.predict(2 * X, return_std=True)
    quantiles = model.predict_quantiles(2 * X)
    for found in (mean, quantiles):
        assert (found.min(), found.max()) == (1, 5)
    model.set_params(bounds=None)
    assert np.array_equal(model.predict(2 * X, return_std=True)[1], std)
    assert model.predict_quantiles(2 * X).max() > 5


def test_what_scikit_learn_does_with_it():
    X, y = rated()
    model = fm.FMRegressor(**FAST, bounds=(1, 5))
    assert clone(model).get_params()["bounds"] == (1, 5)
    assert copy.deepcopy(model).fit(X, y).bounds_ == (1, 5)
    free = clone(model).set_params(bounds=None)
    clipped, unclipped = (cross_val_score(m, X, y, cv=3).mean() for m in (model, free))
    assert clipped > unclipped


# --- more rows ------------------------------------------------------------------------------------


def test_the_range_grows_with_the_targets_seen():
    X, y = rated()
    low = y <= 3
    model = fm.FMRegressor(**FAST).partial_fit(X[low], y[low])
    assert model.bounds_ == (1, 3)
    assert model.partial_fit(X, y).bounds_ == (1, 5)
    assert model.partial_fit(X, y, np.where(y == 1, 1, 0)).bounds_ == (1, 5)
    model.partial_fit(X, y + np.random.default_rng(0).normal(size=300))
    assert model.bounds_ == UNBOUNDED  # these are not ratings
    assert model.partial_fit(X, y).bounds_ == UNBOUNDED


def test_a_call_that_fails_leaves_the_range():
    X, y = rated()
    model = fm.FMRegressor(**FAST).partial_fit(X, y)

    def fail(epoch):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        model.set_params(callbacks=[fail]).partial_fit(X, y + 2)
    assert model.bounds_ == (1, 5)


# --- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("bounds", ["auto", (None, 4.5), (-np.inf, 4), None])
def test_files(bounds, tmp_path):
    X, y = rated()
    model = fm.FMRegressor(**FAST, bounds=bounds).fit(X, y)
    model.save(tmp_path / "file")
    again = fm.load(tmp_path / "file")
    assert (again.bounds, again.bounds_) == (bounds, model.bounds_)
    assert np.array_equal(again.predict(2 * X), model.predict(2 * X))
    if bounds == "auto":
        assert again.partial_fit(X, y + 1).bounds_ == (1, 6)


@pytest.mark.parametrize("version", [1, 2])
def test_files_of_before_have_no_bounds(version):
    assert fm.load(FIXTURES / f"regressor-{version}.safetensors").bounds_ == UNBOUNDED
