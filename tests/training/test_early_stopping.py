"""Watching training: validation data, stopping, callbacks, the log."""

import logging
from types import SimpleNamespace

import numpy as np
import pytest
from estimating import QUICK, both_parts, overfitting, products, scores_of
from sklearn.metrics import log_loss

import sparsefm as fm

# --- stopping -------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["eval_set", "validation_fraction"])
def test_the_best_epoch_is_kept(kind, how):
    (X, y), held_out = both_parts(kind, 60)
    given = {"eval_set": held_out} if how == "eval_set" else {}
    options = {} if given else {"validation_fraction": 0.3}
    stopped = overfitting(kind, patience=3, **options).fit(X, y, **given)
    losses = stopped.history_["val_loss"]
    assert stopped.best_epoch_ == np.argmin(losses) + 1
    assert stopped.n_iter_ == len(losses) == stopped.best_epoch_ + 3 < 40
    until = overfitting(kind, early_stopping=False, epochs=stopped.best_epoch_, **options)
    until.fit(X, y, **given)
    assert np.array_equal(scores_of(until, X), scores_of(stopped, X))
    assert until.history_["val_loss"] == losses[: stopped.best_epoch_]
    if how == "eval_set":
        X_val, y_val = held_out
        if kind is fm.FMRegressor:
            now = np.mean((stopped.predict(X_val) - y_val) ** 2)
        else:
            now = log_loss(y_val, stopped.predict_proba(X_val))
        assert now == pytest.approx(min(losses), rel=1e-5)
    through = overfitting(kind, early_stopping=False, **options).fit(X, y, **given)
    assert (through.n_iter_, through.best_epoch_) == (40, 40)
    assert through.history_["val_loss"][: len(losses)] == losses


def test_patience(kind):
    (X, y), held_out = both_parts(kind, 60)
    for patience in (1, 2, 7):
        stopped = overfitting(kind, patience=patience).fit(X, y, eval_set=held_out)
        losses = stopped.history_["val_loss"]
        assert len(losses) == min(stopped.best_epoch_ + patience, 40)
        for epoch in range(len(losses) - 1):  # it did not stop late
            since = epoch - int(np.argmin(losses[: epoch + 1]))
            assert since < patience


def test_min_delta(kind):
    (X, y), held_out = both_parts(kind)
    free = kind(**QUICK | {"epochs": 40}).fit(X, y, eval_set=held_out)
    gain = free.history_["val_loss"][0] - free.history_["val_loss"][1]
    strict = kind(min_delta=10 * gain, patience=2, **QUICK | {"epochs": 40})
    strict.fit(X, y, eval_set=held_out)
    best, losses = 0, strict.history_["val_loss"]
    for epoch, loss in enumerate(losses):
        best = epoch if losses[best] - loss > 10 * gain else best
    assert strict.best_epoch_ == best + 1
    assert strict.n_iter_ == min(best + 3, 40) < free.n_iter_


def test_training_goes_on_from_the_best_epoch(kind):
    (X, y), held_out = both_parts(kind, 60)
    stopped = overfitting(kind, patience=4, warm_start=True).fit(X, y, eval_set=held_out)
    until = overfitting(kind, warm_start=True, early_stopping=False, epochs=stopped.best_epoch_)
    until.fit(X, y, eval_set=held_out)
    assert np.array_equal(
        scores_of(stopped.partial_fit(X, y), X), scores_of(until.partial_fit(X, y), X)
    )


def test_an_eval_set_is_no_training_data(kind):
    (X, y), (X_val, y_val) = both_parts(kind)
    settings = QUICK | {"init": "normal", "early_stopping": False}
    alone = kind(**settings).fit(X, y)
    watched = kind(**settings).fit(X, y, eval_set=(X_val, y_val))
    assert np.array_equal(scores_of(watched, X), scores_of(alone, X))
    assert watched.history_["train_loss"] == alone.history_["train_loss"]
    as_list = kind(**settings).fit(X, y, eval_set=[(X_val, y_val)])
    assert as_list.history_["val_loss"] == watched.history_["val_loss"]
    for wrong in (X_val, (X_val,), (X_val, y_val, y_val[:3]), 3, [(X_val, y_val), X_val]):
        with pytest.raises((TypeError, ValueError), match=r"eval_set|dimension"):
            kind(**settings).fit(X, y, eval_set=wrong)
    with pytest.raises(ValueError, match="3 features"):
        kind(**settings).fit(X, y, eval_set=(X_val[:, :3], y_val))
    with pytest.raises(ValueError, match="has 99 entries, but X"):
        kind(**settings).fit(X, y, eval_set=(X_val, y_val[:-1]))


def test_a_fraction_of_a_single_row_is_an_error():
    for rows in (1, 3):  # which are the same
        with pytest.raises(ValueError, match="validation_fraction needs at least 2"):
            fm.FMRegressor(validation_fraction=0.5, **QUICK).fit(np.ones((rows, 2)), np.ones(rows))


def test_an_eval_set_that_is_a_table_with_unknown_values(kind):
    pd = pytest.importorskip("pandas")
    (X, y), (X_val, y_val) = both_parts(kind)
    train = pd.DataFrame({"a": X[:, 0], "b": np.where(X[:, 1] > 0, "u", "v")})
    other = pd.DataFrame({"a": X_val[:, 0], "b": "w"})
    estimator = kind(**QUICK).fit(train, y, eval_set=(other, y_val))
    assert estimator.w_.shape == (3,)
    assert len(estimator.history_["val_loss"]) > 0


def told(stopping, figures, name="val_loss"):
    """Tell of epochs with such figures; return in which one it stops, or None."""
    for number, figure in enumerate(figures, 1):
        metrics = {} if name == "val_loss" else {name: figure}
        if stopping(fm.Epoch(number, len(figures), 0.5, figure, metrics)):
            return number
    return None


def test_a_figure_that_is_nan_first_may_improve():
    stopping = fm.EarlyStopping("auc", patience=2)
    assert told(stopping, [np.nan, 0.6, 0.7, np.nan, 0.6, 0.9], "auc") == 5
    assert (stopping.best_epoch, stopping.best) == (3, 0.7)


def test_the_training_before_does_not_count():
    stopping = fm.EarlyStopping(patience=2)
    assert told(stopping, [0.1, 0.2, 0.3]) == 3
    stopping.begin(None)
    assert told(stopping, [0.5, 0.4, 0.3]) is None
    assert (stopping.best_epoch, stopping.best) == (3, 0.3)


def test_a_schedule_puts_the_rate_back():
    training = SimpleNamespace(learning_rate=0.8)
    halving = fm.LearningRateSchedule(lambda epoch: 0.5**epoch)
    halving.begin(training)
    assert training.learning_rate == 0.4
    halving(fm.Epoch(1, 2, 0.5))
    assert training.learning_rate == 0.2
    halving.close()
    assert training.learning_rate == 0.8


@pytest.mark.parametrize("solver", [fm.Adam(), fm.Adam(updates="exact"), fm.AdaGrad()])
def test_after_going_back_an_epoch_is_as_it_was(solver):
    """A snapshot holds moments and steps, too: the third epoch repeats the second."""

    class Back:
        def begin(self, training):
            self.training = training

        def __call__(self, epoch):
            if epoch.epoch == 1:
                self.snapshot = self.training.snapshot()
            elif epoch.epoch == 2:
                self.training.restore(self.snapshot)

    X, y = products(150)
    options = {"solver": solver, "shuffle": False, "batch_size": 16}
    model = fm.train(X, y, epochs=3, callbacks=[Back()], **options)
    twice = fm.train(X, y, epochs=2, **options)
    assert model.w0 == twice.w0
    assert np.array_equal(model.w, twice.w)
    assert np.array_equal(model.V, twice.V)
    assert model.history[2].train_loss == model.history[1].train_loss


# --- the history ----------------------------------------------------------------------------------


def test_histories_are_tables(kind):
    pd = pytest.importorskip("pandas")
    train, held_out = both_parts(kind)
    for given in ({}, {"eval_set": held_out}):
        for options in ({}, {"scoring": "mae" if kind is fm.FMRegressor else "f1_macro"}):
            estimator = kind(**QUICK | options).fit(*train, **given)
            frame = pd.DataFrame(estimator.history_)
            assert frame["epoch"].tolist() == list(range(1, estimator.n_iter_ + 1))
            assert frame.notna().all().all()
            assert frame["seconds"].is_monotonic_increasing
            assert ("val_loss" in frame) is bool(given)
            assert {str(dtype) for dtype in frame.dtypes.drop("epoch")} == {"float64"}


# --- callbacks ------------------------------------------------------------------------------------


def test_early_stopping_of_train():
    (X, y), (X_val, y_val) = both_parts(fm.FMRegressor, 60)
    solver = fm.Adam(learning_rate=0.1, epsilon=1e-8, l2_linear=0, l2_factors=0)
    options = {"solver": solver, "init_scale": 0.5, "X_val": X_val, "y_val": y_val}
    stopping = fm.EarlyStopping(patience=2)
    for _ in range(2):  # it can be used again
        model = fm.train(X, y, epochs=60, callbacks=[stopping], **options)
        losses = [epoch.val_loss for epoch in model.history]
        assert stopping.best_epoch == np.argmin(losses) + 1 == len(losses) - 2
        assert stopping.best == min(losses)
        until = fm.train(X, y, epochs=stopping.best_epoch, **options)
        assert np.array_equal(until.V, model.V)
        assert (until.w0, until.w.tolist()) == (model.w0, model.w.tolist())
    stopping = fm.EarlyStopping("rmse", patience=2)
    fm.train(X, y, epochs=60, callbacks=[stopping], **options)
    assert stopping.best_epoch == until.history[-1].epoch
    with pytest.raises(ValueError, match="validation"):
        fm.train(X, y, callbacks=[fm.EarlyStopping()])
    with pytest.raises(ValueError, match="greater_is_better"):
        fm.EarlyStopping("own")


def test_callbacks_of_estimators(kind):
    (X, y), _ = both_parts(kind)
    rates, seen = [], []

    class Listener:
        def begin(self, training):
            self.training = training

        def __call__(self, epoch):
            rates.append(self.training.learning_rate)
            seen.append(scores_of(self.training.model, X))

    halving = fm.LearningRateSchedule(lambda epoch: 0.5 ** (epoch - 1))
    estimator = kind(callbacks=[halving, Listener()], **QUICK).fit(X, y)
    of_next = 0.03 * 0.5 ** np.array([1, 2, 3, 4, 5, 5])  # none follows the last one
    np.testing.assert_allclose(rates, of_next)
    assert np.array_equal(seen[-1], scores_of(estimator, X))
    assert not np.array_equal(seen[0], seen[-1])
    plain = kind(**QUICK).fit(X, y)
    assert not np.array_equal(scores_of(plain, X), seen[-1])
    rates.clear()
    estimator.set_params(callbacks=[Listener()]).partial_fit(X, y)
    assert rates == [0.03]  # put back
    own = fm.EarlyStopping("train_loss", patience=1, min_delta=1e9)
    stopped = kind(callbacks=[own], **QUICK).fit(X, y)
    assert (own.best_epoch, stopped.n_iter_) == (1, 2)
    stopping = kind(callbacks=[lambda epoch: epoch.epoch == 3], **QUICK).fit(X, y)
    assert stopping.n_iter_ == 3


def test_checkpoints_of_estimators(kind, tmp_path):
    from sparsefm.loading import load
    from sparsefm.training.checkpoint import Checkpoint

    (X, y), held_out = both_parts(kind)
    checkpoint = Checkpoint(tmp_path / "epoch-{epoch}.safetensors", every=2)
    estimator = kind(**QUICK | {"callbacks": [checkpoint], "early_stopping": False})
    estimator.fit(X, y, eval_set=held_out)
    assert len(list(tmp_path.iterdir())) == 3
    last = load(tmp_path / "epoch-6.safetensors")
    assert np.array_equal(scores_of(last, X), scores_of(estimator, X))
    assert not np.array_equal(
        scores_of(load(tmp_path / "epoch-2.safetensors"), X), scores_of(last, X)
    )


# --- the log --------------------------------------------------------------------------------------


def test_silent_by_default(kind, capfd, caplog):
    train, held_out = both_parts(kind)
    kind(**QUICK).fit(*train, eval_set=held_out).partial_fit(*train)
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


def test_verbose_logs_each_epoch(kind, capfd, caplog):
    caplog.set_level(logging.INFO, "sparsefm")
    train, held_out = both_parts(kind)
    estimator = kind(verbose=True, scoring="r2" if kind is fm.FMRegressor else "f1_macro", **QUICK)
    estimator.fit(*train, eval_set=held_out)
    assert len(caplog.messages) == estimator.n_iter_  # the search does not log
    for text in ("epoch 1/6", "train loss", "val loss", "r2" if kind is fm.FMRegressor else "f1"):
        assert text in caplog.messages[0]
    assert capfd.readouterr() == ("", "")


def test_a_callback_may_change_the_rate_of_an_estimator():
    class Halve:
        def begin(self, training):
            self.training, self.rates = training, []

        def __call__(self, epoch):
            self.rates.append(self.training.learning_rate)
            self.training.learning_rate *= 0.5

    halve = Halve()
    X = np.random.default_rng(0).normal(size=(100, 3))
    fm.FMRegressor(rank=0, solver=fm.Adam(learning_rate=0.08), epochs=3, callbacks=[halve]).fit(
        X, X[:, 0]
    )
    assert halve.rates == [0.08, 0.04, 0.02]
