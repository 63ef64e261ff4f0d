"""What validation data say, beside scikit-learn, and which epoch is kept by it."""

import numpy as np
import pytest
from estimating import QUICK, both_parts, overfitting, products
from sklearn import metrics

import sparsefm as fm
from sparsefm.estimators.scoring import find_metric


def history_of(kind, scoring, **options):
    train, held_out = both_parts(kind)
    estimator = kind(scoring=scoring, early_stopping=False, **QUICK | options)
    estimator.fit(*train, eval_set=held_out)
    return estimator, held_out, estimator.history_


def test_figures_are_those_of_scikit_learn():
    regressor, (X, y), history = history_of(fm.FMRegressor, None)
    squared = metrics.mean_squared_error(y, regressor.predict(X))
    assert history["val_loss"][-1] == pytest.approx(squared, rel=1e-5)
    assert history["rmse"][-1] == pytest.approx(np.sqrt(squared), rel=1e-5)
    assert list(history) == ["epoch", "train_loss", "val_loss", "rmse", "seconds"]
    classifier, (X, y), history = history_of(fm.FMClassifier, None)
    log_loss = metrics.log_loss(y, classifier.predict_proba(X))
    assert history["val_loss"][-1] == pytest.approx(log_loss, rel=1e-5)
    assert history["log_loss"][-1] == pytest.approx(log_loss, rel=1e-10)
    assert history["accuracy"][-1] == classifier.score(X, y)
    assert history["auc"][-1] == metrics.roc_auc_score(y, classifier.decision_function(X))
    hinge, (X, y), history = history_of(fm.FMClassifier, None, loss="hinge")
    loss = metrics.hinge_loss(y, hinge.decision_function(X))
    assert history["val_loss"][-1] == pytest.approx(loss, rel=1e-5)


def test_losses_are_in_units_of_the_target():
    (X, y), (X_val, y_val) = both_parts(fm.FMRegressor)
    once, scaled = (
        fm.FMRegressor(**QUICK).fit(X, unit * y, eval_set=(X_val, unit * y_val)).history_
        for unit in (1.0, 8.0)
    )
    for name, factor in {"train_loss": 64, "val_loss": 64, "rmse": 8}.items():
        np.testing.assert_allclose(scaled[name], factor * np.array(once[name]), rtol=1e-6)
    constant = np.mean((y - y.mean()) ** 2)  # what training starts near
    assert 0.5 * constant < once["train_loss"][0] < constant


def test_validation_loss_of_several_classes_is_the_sum_of_the_machines():
    X, y = products(300)
    y = np.digitize(y, [-0.7, 0.7])
    estimator = fm.FMClassifier(**QUICK, early_stopping=False)
    estimator.fit(X[:200], y[:200], eval_set=(X[200:], y[200:]))
    scores = estimator.decision_function(X[200:])
    signs = 2.0 * (y[200:, None] == np.arange(3)) - 1
    expected = np.logaddexp(0, -signs * scores).sum(axis=1).mean()
    assert estimator.history_["val_loss"][-1] == pytest.approx(expected, rel=1e-5)
    log_loss = metrics.log_loss(y[200:], estimator.predict_proba(X[200:]))
    assert estimator.history_["log_loss"][-1] == pytest.approx(log_loss)
    assert "auc" not in estimator.history_


def bias_score(y_true, y_pred):
    return -abs(float(np.mean(y_pred)) - float(np.mean(y_true)))


def largest_error(y_true, y_pred):
    return float(np.abs(y_true - y_pred).max())


def own_scorer(estimator, X, y):
    return -metrics.mean_absolute_error(y, estimator.predict(X))


# scoring, the column of the history, whether more is better, what it is of (y, predictions)
OF_NUMBERS = {
    "r2": ("r2", True, metrics.r2_score),
    "mae": ("mae", False, metrics.mean_absolute_error),
    "rmse": ("rmse", False, metrics.root_mean_squared_error),
    "mse": ("mse", False, metrics.mean_squared_error),
    "neg_mean_absolute_error": ("mean_absolute_error", False, metrics.mean_absolute_error),
    "mean_absolute_error": ("mean_absolute_error", False, metrics.mean_absolute_error),
    metrics.mean_absolute_error: ("mean_absolute_error", False, metrics.mean_absolute_error),
    metrics.r2_score: ("r2", True, metrics.r2_score),
    metrics.median_absolute_error: (
        "median_absolute_error",
        False,
        metrics.median_absolute_error,
    ),
    bias_score: ("bias_score", True, bias_score),
    largest_error: ("largest_error", False, largest_error),
    own_scorer: ("own_scorer", True, lambda y, p: -metrics.mean_absolute_error(y, p)),
}


def name_of(scoring):
    return scoring if isinstance(scoring, str) else f"{scoring.__name__}()"


def check_choice_of_epoch(stopped, name, greater):
    values = np.array(stopped.history_[name])
    best = np.argmax(values) if greater else np.argmin(values)
    assert stopped.best_epoch_ == best + 1
    assert len(np.unique(values)) > 1


@pytest.mark.parametrize("scoring", OF_NUMBERS, ids=name_of)
def test_metrics_of_numbers(scoring):
    name, greater, function = OF_NUMBERS[scoring]
    estimator, (X, y), history = history_of(fm.FMRegressor, scoring)
    assert history[name][-1] == pytest.approx(function(y, estimator.predict(X)), rel=1e-5)
    train, held_out = both_parts(fm.FMRegressor, 60)
    stopped = overfitting(fm.FMRegressor, scoring=scoring, patience=3)
    check_choice_of_epoch(stopped.fit(*train, eval_set=held_out), name, greater)


# what it is of: "predict", "predict_proba" or "decision_function"
OF_CLASSES = {
    "accuracy": ("accuracy", True, "predict", metrics.accuracy_score),
    "balanced_accuracy": ("balanced_accuracy", True, "predict", metrics.balanced_accuracy_score),
    "auc": ("auc", True, "decision_function", metrics.roc_auc_score),
    "roc_auc": ("roc_auc", True, "decision_function", metrics.roc_auc_score),
    "log_loss": ("log_loss", False, "predict_proba", metrics.log_loss),
    "neg_log_loss": ("log_loss", False, "predict_proba", metrics.log_loss),
    metrics.log_loss: ("log_loss", False, "predict_proba", metrics.log_loss),
    metrics.roc_auc_score: ("roc_auc", True, "decision_function", metrics.roc_auc_score),
    metrics.zero_one_loss: ("zero_one_loss", False, "predict", metrics.zero_one_loss),
}


@pytest.mark.parametrize("scoring", OF_CLASSES, ids=name_of)
def test_metrics_of_classes(scoring):
    name, greater, method, function = OF_CLASSES[scoring]
    estimator, (X, y), history = history_of(fm.FMClassifier, scoring)
    assert history[name][-1] == pytest.approx(function(y, getattr(estimator, method)(X)))
    train, held_out = both_parts(fm.FMClassifier, 60)
    stopped = overfitting(fm.FMClassifier, scoring=scoring, patience=5)
    check_choice_of_epoch(stopped.fit(*train, eval_set=held_out), name, greater)


def test_brier_score_judges_probabilities():
    (X, y), (X_val, y_val) = both_parts(fm.FMClassifier)
    y, y_val = (y == "up") * 1, (y_val == "up") * 1
    for scoring in (metrics.brier_score_loss, "neg_brier_score"):
        estimator = fm.FMClassifier(scoring=scoring, early_stopping=False, **QUICK)
        estimator.fit(X, y, eval_set=(X_val, y_val))
        squares = np.square(estimator.predict_proba(X_val)[:, 1] - y_val).mean()
        assert estimator.history_["brier_score"][-1] == pytest.approx(squares)


def test_scorers_are_the_greater_the_better():
    scorer = metrics.make_scorer(metrics.mean_squared_error, greater_is_better=False)
    estimator, (X, y), history = history_of(fm.FMRegressor, scorer)
    name = find_metric(scorer).name
    assert history[name][-1] == pytest.approx(
        -metrics.mean_squared_error(y, estimator.predict(X)), rel=1e-5
    )
    train, held_out = both_parts(fm.FMRegressor, 60)
    stopped = overfitting(fm.FMRegressor, scoring=scorer, patience=3)
    check_choice_of_epoch(stopped.fit(*train, eval_set=held_out), name, True)


def test_scorers_may_pick_rows():
    def first_rows(estimator, X, y):
        assert X.shape == (100, 4)
        return -metrics.mean_absolute_error(y[:10], estimator.predict(X[:10]))

    estimator, (X, y), history = history_of(fm.FMRegressor, first_rows)
    assert history["first_rows"][-1] == first_rows(estimator, X, y)


def test_scorers_see_the_same_rows_in_each_epoch_and_cannot_change_them():
    seen = []

    def first(estimator, X, y):
        seen.append(X)
        for part in (X.data, X.indices, X.indptr):
            with pytest.raises(ValueError, match="read-only"):
                part[0] = 0
        return float(len(seen))

    _, (X, _), history = history_of(fm.FMRegressor, first)
    assert history["first"] == [1, 2, 3, 4, 5, 6]
    assert all(rows is seen[0] for rows in seen)
    assert seen[0].shape == X.shape


def test_what_a_scorer_makes_of_the_rows_is_predicted():
    def doubled(estimator, X, y):
        before = estimator.predict(X)
        other = X.copy()
        other.data *= 2
        expected = estimator.predict(other)
        assert not np.array_equal(before, expected)
        kept, X.data = X.data, 2 * X.data
        assert np.array_equal(estimator.predict(X), expected)
        X.data = kept
        assert np.array_equal(estimator.predict(X), before)
        return 0.0

    history_of(fm.FMRegressor, doubled)


@pytest.mark.parametrize(
    ("scoring", "kind", "match"),
    [
        ("no_such", ValueError, "no_such"),
        (lambda y_true, y_pred: 0.0, ValueError, "make_scorer"),
        (3, TypeError, "scoring"),
        (metrics.hinge_loss, ValueError, "make_scorer"),
    ],
)
def test_wrong_scoring(scoring, kind, match):
    (X, y), _ = both_parts(fm.FMClassifier)
    with pytest.raises(kind, match=match):
        fm.FMClassifier(scoring=scoring, **QUICK).fit(X, y)


def test_metrics_of_scikit_learn_know_their_direction():
    names = set(metrics.get_scorer_names())
    for name in names:
        if name.startswith("neg_"):
            assert not find_metric(name).greater_is_better
            assert not find_metric(name.removeprefix("neg_")).greater_is_better
        else:
            assert find_metric(name).greater_is_better
