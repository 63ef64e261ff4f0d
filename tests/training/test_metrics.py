"""Metrics of weighted rows, beside scikit-learn's."""

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn import metrics

from sparsefm.losses import Hinge, Huber, Logistic, Ordinal, Squared
from sparsefm.training.metrics import class_metrics, metrics_of

RNG = np.random.default_rng(0)
SCORES, WEIGHTS = RNG.normal(size=80), RNG.uniform(0.1, 5, 80)
SCORES[:10] = np.round(SCORES[:10])  # some are zero, some are equal
LABELS = (RNG.random(80) < expit(SCORES)) * 1.0


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
@pytest.mark.parametrize("loss", [Squared(), Huber()])
def test_of_numbers(loss, weights):
    y = SCORES + RNG.normal(size=80)
    squared = metrics.mean_squared_error(y, SCORES, sample_weight=weights)
    assert metrics_of(loss, y, SCORES, weights) == pytest.approx({"rmse": np.sqrt(squared)})


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
@pytest.mark.parametrize("loss", [Logistic(), Hinge()])
def test_of_two_classes(loss, weights):
    assert (SCORES == 0).any()  # which is the second class
    weighted = {"sample_weight": weights}
    expected = {
        "accuracy": metrics.accuracy_score(LABELS, SCORES >= 0, **weighted),
        "auc": metrics.roc_auc_score(LABELS, SCORES, **weighted),
    }
    if loss.name == "logistic":
        expected["log_loss"] = metrics.log_loss(LABELS, expit(SCORES), **weighted)
    assert metrics_of(loss, LABELS, SCORES, weights) == pytest.approx(expected)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
@pytest.mark.parametrize("loss", [Logistic(), Hinge()])
def test_of_several_classes(loss, weights):
    codes, scores = RNG.integers(0, 3, 80), RNG.normal(size=(80, 3))
    weighted = {"sample_weight": weights}
    expected = {"accuracy": metrics.accuracy_score(codes, scores.argmax(axis=1), **weighted)}
    if loss.name == "logistic":
        shares = expit(scores) / expit(scores).sum(axis=1, keepdims=True)
        expected["log_loss"] = metrics.log_loss(codes, shares, **weighted)
    assert class_metrics(loss, codes, scores, weights) == pytest.approx(expected)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_of_ordered_classes(weights):
    codes, chances = RNG.integers(0, 4, 80), RNG.dirichlet(np.ones(4), 80)
    weighted = {"sample_weight": weights}
    chosen = chances.argmax(axis=1)
    expected = {
        "log_loss": metrics.log_loss(codes, chances, **weighted),
        "accuracy": metrics.accuracy_score(codes, chosen, **weighted),
        "class_error": metrics.mean_absolute_error(codes, chosen, **weighted),
    }
    actual = metrics_of(Ordinal(), codes.astype(float), np.log(chances), weights)
    assert actual == pytest.approx(expected)


def test_probabilities_sum_to_one_however_large_the_scores():
    scores = RNG.normal(size=(50, 4)) * np.geomspace(1, 1e4, 50)[:, None]
    np.testing.assert_allclose(np.exp(Logistic().log_probabilities(scores)).sum(axis=1), 1)
    two = Logistic().log_probabilities(scores[:, :1])
    zeros = np.zeros(50)
    np.testing.assert_allclose(np.exp(two), softmax(np.c_[zeros, scores[:, 0]], axis=1), atol=1e-15)
