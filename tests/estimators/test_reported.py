"""Faults that a review of the estimators found, each with the right result."""

import copy

import numpy as np
import pytest
from estimating import products, scores_of, targets

import sparsefm as fm

FAST = {"rank": 2, "solver": fm.Adam(), "epochs": 3, "batch_size": 1, "search": None}


@pytest.mark.parametrize("way", ["fit", "partial_fit"])
def test_rows_of_a_class_without_weight_are_left_out(way):
    X, _ = products(90)
    y = np.arange(90) % 3
    weighted = fm.FMClassifier(class_weight={0: 0.0, 1: 1.0, 2: 1.0}, **FAST)
    getattr(weighted, way)(X, y)
    assert np.isfinite(scores_of(weighted, X)).all()
    with pytest.raises(ValueError, match="zero"):
        fm.FMClassifier(class_weight=dict.fromkeys(range(3), 0.0), **FAST).fit(X, y)


@pytest.mark.parametrize("way", ["fit", "partial_fit"])
def test_rows_whose_weight_rounds_to_zero_are_left_out(kind, way):
    X, y = products(400)
    estimator = kind(**FAST)
    getattr(estimator, way)(X, targets(kind, y), sample_weight=0.5 ** np.arange(400))
    assert np.isfinite(scores_of(estimator, X)).all()


@pytest.mark.filterwarnings("ignore:the first call of partial_fit:UserWarning")
@pytest.mark.parametrize("solver", [fm.Adam(), fm.Adam(epsilon=1e-8), fm.Adam(updates="exact")])
def test_a_stream_of_constant_targets_does_not_diverge(solver):
    model = fm.FMRegressor(rank=2, solver=solver)
    rng = np.random.default_rng(0)
    for _ in range(300):
        model.partial_fit(np.eye(4)[rng.integers(4)][None], [float(rng.integers(-1, 2))])
    constant = fm.FMRegressor(**FAST | {"solver": fm.Adam(epsilon=1e-8), "init_scale": 1e-3})
    assert constant.fit(np.eye(4), np.full(4, 7.0)).predict(np.eye(4)) == pytest.approx([7] * 4)


def test_a_schedule_is_not_asked_for_epochs_that_never_come():
    factors = [1.0, 0.5, 0.25]
    schedule = fm.LearningRateSchedule(lambda epoch: factors[epoch - 1])
    assert len(fm.train(np.eye(4), np.arange(4.0), epochs=3, callbacks=[schedule]).history) == 3


def test_an_original_goes_its_own_way_too(kind):
    X, y = products()
    y = targets(kind, y)
    first = kind(**FAST).partial_fit(X, y)
    second = copy.copy(first)
    before = scores_of(second, X)
    first.partial_fit(X, y)
    assert np.array_equal(scores_of(second, X), before)
    third = copy.copy(second)
    del first
    third.partial_fit(X, y)
    assert np.array_equal(scores_of(second, X), before)


def test_early_stopping_of_the_users_own_replaces_that_of_the_estimator():
    X, y = products(200, noise=2.0)
    stopping = fm.EarlyStopping("train_loss", patience=100)
    estimator = fm.FMRegressor(
        rank=8, solver=fm.Adam(learning_rate=0.1), epochs=20, patience=1, callbacks=[stopping]
    ).fit(X[:100], y[:100], eval_set=(X[100:], y[100:]))
    assert estimator.best_epoch_ == stopping.best_epoch
    assert estimator.n_iter_ == 20


def test_a_checkpoint_holds_the_history_so_far(kind, tmp_path):
    X, y = products()
    y = targets(kind, y)
    estimator = kind(**FAST | {"epochs": 7}).fit(X, y)
    path = tmp_path / "{epoch}"
    estimator.set_params(epochs=3, callbacks=[fm.Checkpoint(path)]).fit(X, y)
    for epoch in (1, 2, 3):
        loaded = fm.load(tmp_path / str(epoch))
        assert loaded.n_iter_ == len(loaded.history_["epoch"]) == epoch
    fm.train(X, np.arange(120.0), epochs=2, callbacks=[fm.Checkpoint(path)])
    assert len(fm.load(tmp_path / "2").history) == 2


def test_contributions_share_nothing_with_the_rows():
    X, y = products()
    rows = fm.TableEncoder().fit_transform(X)
    rows.data[:] = 1
    estimator = fm.FMRegressor(**FAST).fit(rows, y)
    linear = estimator.explain(rows).linear
    assert not np.shares_memory(linear.indices, rows.indices)
    assert not np.shares_memory(linear.indptr, rows.indptr)


def test_what_is_not_a_callback_or_a_number():
    X, y = products()
    with pytest.raises(TypeError, match="callbacks"):
        fm.train(X, y, callbacks=[fm.ProgressBar])
    with pytest.raises(ValueError, match="too large"):
        fm.train([[10**400], [1]], [0, 1])
