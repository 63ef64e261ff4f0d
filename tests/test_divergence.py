"""When training fails it says so, names the cause, and never raises a false alarm."""

import re

import numpy as np
import pytest
from test_training import FORMS, LOSSES, fit, problem

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
