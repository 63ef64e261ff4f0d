"""`train` against the reference, and what its docstring promises."""

import io
import logging
import re
from itertools import product

import numpy as np
import pytest
from problems import FORMS, L2, TASKS, fit, problem
from reference import LOSSES, objective, train
from scipy import sparse
from sklearn import metrics

import sparsefm as fm


def batches(rows, size, epochs):
    """Return the rows of each batch, in order."""
    return [np.arange(b, min(b + size, rows)) for b in range(0, rows, size)] * epochs


def assert_parameters(model, expected, atol=1e-10):
    for actual, wanted in zip((model.w0, model.w, model.V), expected, strict=False):
        np.testing.assert_allclose(actual, wanted, rtol=0, atol=atol)


def assert_same(a, b):
    """Bit for bit."""
    assert_parameters(a, (b.w0, b.w, b.V), atol=0)


# --- against the reference ----------------------------------------------------------------------

# This stride through all combinations meets every pair of choices.
CASES = list(
    product(
        LOSSES, ("lazy", "exact"), (0, 1), (0, 1), FORMS, (0, 1, 3, 8, 16, 17), (1, 7, 10, 30, 99)
    )
)[::43]


@pytest.mark.parametrize(("loss", "updates", "weighted", "l2", "form", "rank", "size"), CASES)
def test_training_is_the_reference(loss, updates, weighted, l2, form, rank, size):
    X, y, r, init = problem(loss, form, rank)
    weights, penalties = (r if weighted else None), (L2 if l2 else {})
    settings = {"init": init, "learning_rate": 0.03, "updates": updates, **penalties}
    options = {"shuffle": False, "batch_size": size, "sample_weight": weights}
    model = fit(FORMS[form](X), y, loss, **settings, **options)
    steps = batches(len(y), size, 3)
    *expected, losses = train(X, y, loss=loss, batches=steps, weights=weights, **settings)
    assert_parameters(model, expected)
    assert (model.task, model.loss, model.rank) == (TASKS[loss], loss, rank)

    # Weighted over all rows of the epoch, not over its batches.
    shares = [(weights if weighted else np.ones(len(y)))[rows].sum() for rows in steps]
    of_epochs = np.array(losses).reshape(3, -1), np.array(shares).reshape(3, -1)
    expected = (of_epochs[0] * of_epochs[1]).sum(1) / of_epochs[1].sum(1)
    found = [epoch.train_loss for epoch in model.history]
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    assert [(e.epoch, e.epochs, e.val_loss) for e in model.history] == [
        (epoch, 3, None) for epoch in (1, 2, 3)
    ]


@pytest.mark.parametrize("updates", ["lazy", "exact"])
@pytest.mark.parametrize(("rows", "features"), [(1, 5), (1, 1), (20, 1), (5, 40)])
def test_tiny_shapes(rows, features, updates):
    X, y, _, init = problem(rows=rows, features=features)
    settings = {"init": init, "learning_rate": 0.1, "updates": updates, **L2}
    model = fit(X, y, shuffle=False, batch_size=3, **settings)
    assert_parameters(model, train(X, y, loss="squared", batches=batches(rows, 3, 3), **settings))


@pytest.mark.parametrize("updates", ["lazy", "exact"])
def test_rows_without_nonzeros_teach_the_constant_alone(updates):
    y = np.array([1.0, 2.0, 6.0])
    given = fm.train(np.zeros((3, 4)), y, init=(9.0, np.ones(4), np.ones((4, 2))), seed=1)
    assert np.array_equal(given.w, np.ones(4))
    assert np.array_equal(given.V, np.ones((4, 2)))
    assert given.w0 < 9
    drawn = fit(sparse.csr_matrix((3, 4)), y, epochs=2000, updates=updates)
    assert not drawn.w.any()
    assert not drawn.V.any()
    assert drawn.w0 == pytest.approx(3, abs=1e-3)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("updates", ["lazy", "exact"])
def test_features_that_no_row_has_stay_put(loss, updates):
    X, y, _, init = problem(loss, rows=40)
    given = fit(X, y, loss, init=init, updates=updates, batch_size=7, **L2)
    assert given.w[-1] == init[1][-1]
    assert np.array_equal(given.V[-1], init[2][-1])
    drawn = fit(X, y, loss, updates=updates, batch_size=7)
    assert drawn.w[-1] == 0
    assert not drawn.V[-1].any()
    assert drawn.V[:-1].all()


@pytest.mark.parametrize("updates", ["lazy", "exact"])
@pytest.mark.parametrize("loss", LOSSES)
def test_float32_is_close_to_float64(loss, updates):
    X, y, r, init = problem(loss, rows=200)
    y = y if loss == "squared" else (X[:, 0] + 0.3 > X[:, 1]) * 1.0
    options = {"init": init, "updates": updates, "sample_weight": r, "batch_size": 16, **L2}
    single, double = (fit(X, y, loss, dtype=dtype, **options) for dtype in ("float32", "float64"))
    assert (single.dtype, double.dtype) == (np.float32, np.float64)
    assert_parameters(single, (double.w0, double.w, double.V), atol=2e-5)
    assert not np.array_equal(single.V, double.V)


# --- weights ------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES)
def test_whole_weights_repeat_rows(loss):
    X, y, _, init = problem(loss)
    times = np.arange(30) % 4
    rows = np.repeat(np.arange(30), times)
    options = {"init": init, "shuffle": False, "batch_size": 100, "epochs": 20, **L2}
    weighted = fit(X, y, loss, sample_weight=times, **options)
    repeated = fit(X[rows], y[rows], loss, **options)
    assert_parameters(weighted, (repeated.w0, repeated.w, repeated.V))
    scaled = fit(X, y, loss, sample_weight=1024 * times, **options)
    assert_parameters(scaled, (weighted.w0, weighted.w, weighted.V))


# --- validation ---------------------------------------------------------------------------------


def sklearn_says(loss, y, prediction):
    """Return the validation loss and the metrics, from what `predict` returns."""
    if loss in ("squared", "huber"):
        squared = metrics.mean_squared_error(y, prediction)
        value = squared / 2 if loss == "squared" else LOSSES[loss].value(y, prediction).mean()
        return value, {"rmse": np.sqrt(squared)}
    auc = {"auc": metrics.roc_auc_score(y, prediction)}
    if loss == "hinge":
        accuracy = metrics.accuracy_score(y, prediction >= 0)
        return metrics.hinge_loss(2 * y - 1, prediction), {"accuracy": accuracy, **auc}
    log_loss = metrics.log_loss(y, prediction)
    accuracy = metrics.accuracy_score(y, prediction >= 0.5)
    return log_loss, {"log_loss": log_loss, "accuracy": accuracy, **auc}


@pytest.mark.parametrize("updates", ["lazy", "exact"])
@pytest.mark.parametrize("loss", LOSSES)
def test_validation_measures_the_model_of_each_epoch(loss, updates):
    X, y, _, _ = problem(loss, rows=100)
    X_val, y_val, _, _ = problem(loss, rows=41, seed=1)
    options = {"batch_size": 8, "learning_rate": 0.1, "updates": updates, "seed": 2}
    watched = fit(X, y, loss, X_val=X_val, y_val=y_val, epochs=4, **options)
    for record in watched.history:
        model = fit(X, y, loss, epochs=record.epoch, **options)
        loss_then, metrics_then = sklearn_says(loss, y_val, fm.predict(X_val, model))
        assert record.val_loss == pytest.approx(loss_then, rel=1e-10)
        assert dict(record.metrics) == pytest.approx(metrics_then, rel=1e-10)
        assert record.train_loss == model.history[-1].train_loss
    assert_same(watched, model)  # looking changes nothing
    assert len({record.val_loss for record in watched.history}) == 4


def test_auc_of_one_class_is_nan_and_labels_may_be_signs():
    X, y, _, init = problem("logistic")
    model = fit(X, 2 * y - 1, "logistic", init=init, X_val=X[1::2], y_val=np.ones(15))
    assert_same(model, fit(X, y, "logistic", init=init))
    assert all(np.isnan(record.metrics["auc"]) for record in model.history)


# --- where training starts ----------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("positives", [3, 5, 8])
def test_w0_starts_at_the_constant_of_least_loss(loss, positives):
    X, y, r, _ = problem(loss, rows=10)
    y = y if loss == "squared" else np.arange(10.0) < positives
    model = fit(X, y, loss, sample_weight=r, rank=0, epochs=1, learning_rate=1e-12)

    def loss_of(constant):
        return objective(X, y, constant, np.zeros(9), np.zeros((9, 0)), loss, r)

    assert not np.abs(model.w).max() > 1e-11
    assert loss_of(model.w0) <= min(loss_of(model.w0 - 1e-3), loss_of(model.w0 + 1e-3))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_model_continues(dtype):
    X, y, _, init = problem()
    first = fit(X, y, init=init, dtype="float32")
    kept = first.w0, first.w.copy(), first.V.copy()
    second = fit(X, y, init=first, shuffle=False, batch_size=7, dtype=dtype)
    steps = batches(30, 7, 3)
    adam = {"learning_rate": 0.01, "updates": "lazy"}
    expected = train(X, y, init=kept, loss="squared", batches=steps, **adam)
    assert_parameters(second, expected, atol=1e-10 if dtype == "float64" else 1e-5)
    assert second.dtype == dtype
    assert_parameters(first, kept, atol=0)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_start_too_large_for_the_dtype_is_an_error(which):
    X, y, _, init = problem()
    init = [np.array(parameter) for parameter in init]
    init[which].flat[0] = 1e300
    with pytest.raises(ValueError, match="float32"):
        fit(X, y, init=tuple(init), dtype="float32")


# --- callbacks ----------------------------------------------------------------------------------


class Listener:
    """Records the epochs, then answers or raises in epoch 2."""

    def __init__(self, answer=None):
        self.answer, self.epochs, self.closed = answer, [], 0

    def __call__(self, epoch):
        assert isinstance(epoch, fm.Epoch)
        assert not self.closed
        self.epochs.append(epoch)
        if epoch.epoch == 2:
            if isinstance(self.answer, Exception):
                raise self.answer
            return self.answer
        return None

    def close(self):
        self.closed += 1


@pytest.mark.parametrize("answer", [None, False, 1, "yes", [0], np.ones(2), np.False_])
def test_callbacks_see_every_epoch(answer):
    X, y, _, _ = problem()
    listener, plain = Listener(answer), []
    model = fit(X, y, epochs=5, callbacks=iter([plain.append, listener]))
    assert listener.epochs == plain == list(model.history)
    assert [epoch.epoch for epoch in plain] == [1, 2, 3, 4, 5]
    assert listener.closed == 1
    assert plain == sorted(plain, key=lambda epoch: epoch.seconds)


@pytest.mark.parametrize("answer", [True, np.True_])
def test_true_stops_and_all_are_told(answer):
    X, y, _, _ = problem()
    stopper, bystander = Listener(answer), Listener()
    model = fit(X, y, epochs=5, callbacks=[stopper, bystander])
    assert [epoch.epoch for epoch in model.history] == [1, 2]
    assert len(bystander.epochs) == 2
    assert stopper.closed == bystander.closed == 1
    assert_same(model, fit(X, y, epochs=2))


def test_what_a_callback_raises_gets_out():
    X, y, _, _ = problem()
    listeners = Listener(RuntimeError("enough")), Listener()
    with pytest.raises(RuntimeError, match="enough"):
        fit(X, y, epochs=5, callbacks=listeners)
    assert [listener.closed for listener in listeners] == [1, 1]
    listener = Listener()
    with pytest.raises(fm.DivergenceError):
        fit(X, y, epochs=5, callbacks=[listener], learning_rate=1e100)
    assert (len(listener.epochs), listener.closed) == (1, 1)


def test_progress_bar_writes_to_its_file():
    pytest.importorskip("tqdm")
    X, y, _, _ = problem()
    for stop, ending in ((None, "3/3"), (True, "2/3")):
        file = io.StringIO()
        bar = fm.ProgressBar(file=file, desc="fitting", mininterval=0)
        for _ in range(2):  # a bar can be used again
            fit(X, y, X_val=X, y_val=y, callbacks=[bar, Listener(stop)])
        assert file.getvalue().count("fitting") >= 4
        assert len(re.findall(f"{ending}.*train=.*val=", file.getvalue())) == 2
        assert file.getvalue().count("\n") == 2


# --- verbose ------------------------------------------------------------------------------------


def test_silent_by_default(capfd, caplog):
    X, y, _, _ = problem()
    fit(X, y, X_val=X, y_val=y)
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


def test_verbose_logs_each_epoch_and_leaves_the_logger_alone(capfd, caplog):
    caplog.set_level(logging.INFO, "sparsefm")
    X, y, _, _ = problem()
    logger = logging.getLogger("sparsefm")
    before = logger.level, list(logger.handlers)
    model = fit(X, y, X_val=X, y_val=y, verbose=True)
    assert [record.getMessage() for record in caplog.records] == list(map(str, model.history))
    for text in ("epoch 3/3", "train loss", "val loss", "rmse"):
        assert text in caplog.messages[-1]
    assert capfd.readouterr() == ("", "")
    assert (logger.level, logger.handlers) == before


def test_verbose_goes_to_stderr_if_nobody_listens(capfd, monkeypatch):
    X, y, _, _ = problem()
    logger = logging.getLogger("sparsefm")
    monkeypatch.setattr(logger, "propagate", False)
    fit(X, y, verbose=True)
    out, err = capfd.readouterr()
    assert not out
    assert err.count("train loss") == err.count("\n") == 3
    with pytest.raises(RuntimeError):
        fit(X, y, verbose=True, callbacks=[Listener(RuntimeError())])
    assert (logger.level, logger.handlers) == (logging.NOTSET, [])
