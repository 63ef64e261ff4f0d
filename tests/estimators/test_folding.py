"""The mathematics of `fold_in`: many categories, large weights, and scores far from zero."""

import copy

import numpy as np
import pandas as pd
import pytest
from catalogue import fitted, table
from scipy.optimize import minimize
from scipy.special import log_ndtr

import sparsefm as fm
from sparsefm.estimators import folding


@pytest.mark.parametrize("name", ["fm", "ffm", "gibbs"])
@pytest.mark.parametrize("at_once", [1, 2000, folding.AT_ONCE])
def test_many_categories_are_learned_as_each_alone(name, at_once, monkeypatch):
    monkeypatch.setattr(folding, "AT_ONCE", at_once)
    rows = table().assign(user=[f"new {number % 23}" for number in range(len(table()))])
    y = np.random.default_rng(0).integers(0, 2, len(rows))
    weights = np.arange(len(rows)) % 3.0
    both, alone = copy.deepcopy(fitted(name)), copy.deepcopy(fitted(name))
    both.fold_in(rows, y, column="user", sample_weight=weights)
    for user in pd.unique(rows["user"]):
        own = (rows["user"] == user).to_numpy()
        alone.fold_in(rows[own], y[own], column="user", sample_weight=weights[own])
    np.testing.assert_allclose(both.predict(rows), alone.predict(rows), rtol=1e-5, atol=1e-6)


def test_many_categories_need_few_passes_over_the_rows(monkeypatch):
    """The rows of all users are looked at together, not once for each user."""
    model, looked = copy.deepcopy(fitted("fm")), []
    lines = folding.Machines.lines
    monkeypatch.setattr(
        folding.Machines, "lines", lambda *given: looked.append(given[1].shape) or lines(*given)
    )
    rows = table().assign(user=[f"new {number}" for number in range(len(table()))])
    model.fold_in(rows, np.arange(len(rows)) % 2, column="user")
    assert [shape[0] for shape in looked] == [len(rows)]


# --- large weights --------------------------------------------------------------------------------


def machine(loss, n=1, are_samples=False):
    """Return machines of which `learned` needs the loss alone."""
    return folding.Machines(np.zeros(n), [], None, loss, are_samples=are_samples)


def prior(r, deviation=1.0, n=1):
    """Return a prior with mean zero."""
    roots = np.tile(deviation * np.eye(r), (n, 1, 1))
    return folding.Prior(np.zeros((n, r)), roots, np.ones(n))


@pytest.mark.parametrize(
    "weights", [1e-3, 1.0, 1e8, 1e15, [1e15, 1e16, 1e17], 1e19, 1e22, 1e28, 1e300]
)
@pytest.mark.parametrize("again", [1, 4])
def test_large_weights_leave_the_prior_what_rows_do_not_tell(weights, again):
    """Three rows, or equal ones, say nothing of two of five directions."""
    rng = np.random.default_rng(0)
    A, y = rng.normal(size=(3, 5)), rng.normal(size=3)
    omega = again * np.broadcast_to(weights, 3)
    lines = np.zeros((1, 3 * again)), np.tile(A, (again, 1))[None]
    given = np.tile(y, again), np.tile(omega / again, again)
    [found] = folding.learned(machine(fm.losses.Squared()), prior(5), lines, *given)
    expected = A.T @ np.linalg.solve(A @ A.T + np.diag(1 / omega), y)  # the same, by the dual
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_weights_of_rows_count_beside_large_ones():
    lines = np.zeros((1, 4)), np.ones((1, 4, 1))
    given = np.array([0.0, 1, 0, 0]), np.array([1e200, 3e200, 1, 0])
    found = folding.learned(machine(fm.losses.Squared()), prior(1), lines, *given)
    assert found == pytest.approx(0.75)


@pytest.mark.parametrize("weight", [1.0, 1e12, 1e18])
def test_samples_have_a_spread_where_rows_tell_nothing(weight):
    A, n = np.array([[1.0, 2.0]]), 4000
    lines = np.zeros((n, 3)), np.tile(A, (n, 3, 1))
    given = np.ones(3), np.full(3, weight)
    model = machine(fm.losses.Squared(), n, are_samples=True)
    found = folding.learned(model, prior(2, n=n), lines, *given)
    expected = np.linalg.inv(np.eye(2) + min(3 * weight, 1e12) * A.T @ A)
    np.testing.assert_allclose(np.cov(found.T), expected, atol=0.06)


@pytest.mark.parametrize("name", ["fm", "without hour", "gibbs"])
def test_the_largest_weights(name):
    model, rows = copy.deepcopy(fitted(name)), table()[:3].assign(user="new")
    rows = rows.drop(columns="hour") if name == "without hour" else rows
    model.fold_in(rows, [1, 0, 1], column="user", sample_weight=[1e300] * 3)
    assert np.isfinite(model.predict(rows)).all()


def test_weights_that_are_too_large():
    model = copy.deepcopy(fitted("without hour"))
    rows = table()[:3].assign(user="new").drop(columns="hour")
    model._noise = lambda _: np.array([1e-6])
    with pytest.raises(ValueError, match="sample_weight"):
        model.fold_in(rows, [1, 0, 1], column="user", sample_weight=[1e305] * 3)


# --- scores far from zero -------------------------------------------------------------------------

LOSSES = {
    "logistic": (fm.losses.Logistic(), lambda y, s: np.logaddexp(0, -(2 * y - 1) * s)),
    "probit": (None, lambda y, s: -log_ndtr((2 * y - 1) * s)),
    "huber": (
        fm.losses.Huber(delta=0.3),
        lambda y, s: np.where(np.abs(s - y) < 0.3, (s - y) ** 2 / 2, 0.3 * (np.abs(s - y) - 0.15)),
    ),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("kind", ["all ones", "one zero", "far away", "several numbers", "flat"])
def test_the_optimum_is_found(name, kind):
    rng = np.random.default_rng(0)
    loss, values = LOSSES[name]
    n, r = {"all ones": 2000, "one zero": 500}.get(kind, 40), 3 if kind == "several numbers" else 1
    A, constants = np.column_stack([np.ones(n), rng.normal(0, 5, (n, r - 1))]), np.zeros(n)
    y = np.ones(n)
    if kind == "one zero":
        y[0] = 0
    elif kind == "far away":
        constants[::2] = -300.0
    elif kind == "several numbers":
        y = (A @ [1, 2, -1] > 0) * 1.0
    elif kind == "flat":
        y, constants = np.arange(n) % 2.0, np.where(np.arange(n) % 2, 40.0, -40.0)

    def objective(u):
        return np.sum(values(y, constants + 10 * A @ u)) + u @ u / 2

    [found] = folding.learned(
        machine(loss), prior(r, 10.0), (constants[None], A[None]), y, np.ones(n)
    )
    options = {"xatol": 1e-10, "fatol": 1e-14, "maxiter": 10_000, "maxfev": 10_000}
    best = min(
        (
            minimize(objective, begin, method="Nelder-Mead", options=options)
            for begin in (np.zeros(r), found / 10 + 0.1)
        ),
        key=lambda one: one.fun,
    )
    np.testing.assert_allclose(found, 10 * best.x, rtol=1e-4, atol=2e-4)


def test_all_rows_of_one_class():
    """2,000 rows with a vague prior: the intercept is where rows and prior pull equally."""
    lines = np.zeros((1, 2000)), np.ones((1, 2000, 1))
    logistic, ones = fm.losses.Logistic(), np.ones(2000)
    for weight in (1.0, 1e100, 1e300):
        [[found]] = folding.learned(machine(logistic), prior(1, 10.0), lines, ones, weight * ones)
        pull = np.log(2000 * weight) - np.logaddexp(0, found)
        assert pull == pytest.approx(np.log(found / 100), abs=1e-4)
