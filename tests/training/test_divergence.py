"""When training fails it says so, names the cause, and never raises a false alarm."""

import re

import numpy as np
import pytest
from problems import FORMS, fit, problem
from reference import LOSSES

import sparsefm as fm


@pytest.mark.parametrize("given", [False, True], ids=["drawn", "given"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", LOSSES)
def test_too_large_a_learning_rate_is_named(loss, dtype, given):
    X, y, _, init = problem(loss, rows=100)
    options = {"init": init if given else "normal", "batch_size": 10, "dtype": dtype}
    for updates, rate, tenth in (("lazy", 1e4, "1000"), ("exact", 1e6, "100000")):
        cause = rf"epoch [12]: .*learning rate of {re.escape(f'{rate:g}')} .*try {tenth}"
        with pytest.raises(fm.DivergenceError, match=cause):
            fit(X, y, loss, learning_rate=rate, updates=updates, **options)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss_that_is_finite_but_a_thousand_times_too_large(loss):
    """So is one that was drawn so: it is no fault of the data."""
    X, y, _, _ = problem(loss, rows=100)
    with pytest.raises(fm.DivergenceError, match=r"epoch 1: the loss grew to \d"):
        fit(X, y, loss, init_scale=1e3, rank=8, learning_rate=1e-3)
    for scale in (0.05, 1.0):  # a loss of some ten
        fit(X, y, loss, init_scale=scale, learning_rate=1e-3)


@pytest.mark.parametrize("loss", LOSSES)
def test_an_overflow_in_the_last_step_is_noticed(loss):
    X, y, _, _ = problem(loss)
    with pytest.raises(fm.DivergenceError, match=r"epoch 1: .*learning rate of 1e\+38"):
        fit(X, y, loss, learning_rate=1e38, dtype="float32", epochs=1)


@pytest.mark.parametrize("form", ["csr", "dense"])
@pytest.mark.parametrize("loss", LOSSES)
def test_a_column_far_beyond_the_others_is_named(loss, form):
    X, y, _, _ = problem(loss, form, rows=100)
    one, all_of_them = np.where(np.arange(9) == 4, 1e8, 1), 1e8
    for factor, cause in ((one, r"[Cc]olumn 4\b"), (all_of_them, "values up to")):
        with pytest.raises(fm.DivergenceError, match=f"epoch [12]: .*{cause}.*scale") as error:
            fit(FORMS[form](X * factor), y, loss, batch_size=10, dtype="float32")
        assert "learning rate" not in str(error.value)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "target",
    [
        lambda y: 0 * y,
        lambda y: 0 * y + 1e-3,
        lambda y: 0 * y - 1e6,
        lambda y: 1e6 + y,
        lambda y: 1e-4 * y,
        lambda y: 1e8 * y,
    ],
    ids=["zeros", "constant", "far constant", "offset", "small", "large"],
)
def test_no_false_alarm_over_targets(target, dtype):
    X, y, _, _ = problem(form="dense", rows=200, features=30)
    for init in ("normal", "uniform"):
        model = fit(X, target(y), epochs=10, dtype=dtype, init=init, learning_rate=1e-3)
        losses = [epoch.train_loss for epoch in model.history]
        assert losses[-1] <= losses[0] * (1 + 1e-6)


@pytest.mark.parametrize("loss", LOSSES)
def test_no_false_alarm_over_a_start_far_away(loss):
    X, y, _, (_, w, V) = problem(loss)
    for init in ((1e4, w, V), (0.0, 1e4 * w, V), (0.0, w, 100 * V)):
        losses = [e.train_loss for e in fit(X, y, loss, init=init, epochs=10).history]
        assert losses[-1] < losses[0]


def test_no_false_alarm_over_targets_in_order():
    """What the first rows have is not what all rows have."""
    X = np.eye(5)[np.arange(40_000) % 5]
    y = np.where(np.arange(40_000) < 10, 1000.0, 0.0)
    for shuffle in (True, False):
        fm.train(X, y, epochs=1, shuffle=shuffle)
    fm.train(X, y, epochs=1, sample_weight=np.where(y > 0, 1e-3, 1))


def test_no_false_alarm_over_a_rare_row_where_zeros_are_right():
    X = np.zeros((5000, 2))
    X[1, 1] = 1  # none of the rows that are looked at before training
    init = (0.0, np.array([0.0, 1.0]), np.zeros((2, 1)))
    model = fit(X, np.zeros(5000), init=init, shuffle=False)
    assert model.history[0].train_loss > 0


def test_rows_of_weight_zero_are_not_judged():
    X, y, _, _ = problem(form="dense", rows=101)
    X[0], y[0] = 1e5, 1e9
    weights = np.r_[0.0, np.ones(100)]
    model = fit(X, y, sample_weight=weights, dtype="float32", init="normal")
    other = fit(X[1:], y[1:], dtype="float32", init="normal")
    np.testing.assert_array_equal(model.V, other.V)


def test_moments_that_overflow_are_noticed():
    """A parameter whose squared gradient overflows would silently stand still."""
    X = np.random.default_rng(0).normal(size=(64, 2))
    with pytest.raises(fm.DivergenceError, match="gradients"):
        fit(X * 1e12, np.arange(64) * 1e12, dtype="float32", rank=0, epochs=1, init="normal")


def test_a_class_of_next_to_no_weight():
    weights = [1, 1, 1, 1e-30]
    model = fm.train(np.eye(4), [1, 1, 1, 0], task="binary", sample_weight=weights)
    assert np.isfinite(model.w0)
