"""Geweke's test passes the reference's sampler, and finds mistakes that are planted in it."""
# ruff: noqa: D101

import gibbs_reference
import numpy as np
import pytest
from geweke import geweke, setup
from gibbs_reference import Gibbs, colour_classes
from recorded import once
from scipy.stats import norm

LEVEL = 1e-3  # the chance that a right sampler fails, whatever the number of statistics
FOUND = 1e-5  # a mistake must be found with margin
SETUPS = {
    "squared": setup(),
    "weighted": setup(weighted=True),
    "probit": setup("probit"),
    "weighted probit": setup("probit", weighted=True),
    "ordinal": setup("ordinal"),
    "weighted ordinal": setup("ordinal", weighted=True),
}


@pytest.mark.parametrize("name", SETUPS)
def test_the_reference_has_the_distribution_of_the_model(name):
    outcome = geweke(Gibbs, SETUPS[name])
    assert outcome.p > LEVEL, (outcome.worst, outcome.z[outcome.worst])


def test_groups_of_gaps_keep_the_distribution_of_the_model(monkeypatch):
    monkeypatch.setattr(gibbs_reference, "MOST_GROUPS", 1)  # two gaps are often one group
    assert geweke(Gibbs, SETUPS["ordinal"]).p > LEVEL


@once
@pytest.mark.slow
@pytest.mark.parametrize("name", SETUPS)
def test_the_reference_passes_whatever_the_seed(name):
    """The smallest of 20 chances, each corrected for the number of statistics, is not small.

    Nor is that of the 20 runs as one, which finds what is too small for each of them.
    """
    outcomes = [geweke(Gibbs, SETUPS[name], seed=seed) for seed in range(1, 21)]
    chances = [outcome.p for outcome in outcomes]
    assert min(chances) > LEVEL / 20
    z = np.array([list(outcome.z.values()) for outcome in outcomes])
    together = z.sum(axis=0) / np.sqrt(len(z))
    assert min(1, z.shape[1] * 2 * norm.sf(np.abs(together).max())) > LEVEL


# --- planted mistakes ---------------------------------------------------------------------------


class MeanWithoutGamma0(Gibbs):
    def mean_conditional(self):
        mean, precision = super().mean_conditional()
        return mean, precision - self.settings.gamma0 * self.precisions


class GammaOfOneFeatureLess(Gibbs):
    def precision_conditional(self):
        shape, rate = super().precision_conditional()
        return shape - 0.5, rate


class RateWithoutTheMean(Gibbs):
    def precision_conditional(self):
        shape, rate = super().precision_conditional()
        return shape, rate - self.settings.gamma0 * self.means**2 / 2


class SlopesWithTheFeatureItself(Gibbs):
    def slopes(self, j):
        z = super().slopes(j)
        z[:, 1:] += self.X[:, j, None] ** 2 * self.V[j]
        return z


class MomentsWithoutAlpha(Gibbs):
    def feature_conditional(self, targets, j):
        mean, precision = super().feature_conditional(targets, j)
        moments = self.slopes(j).T @ (self.omega * (targets - self.scores()))
        return mean + np.linalg.solve(precision, (1 - self.alpha[0]) * moments), precision


class CholeskyNotTransposed(Gibbs):
    def draw_feature(self, targets, j, noise):
        mean, precision = self.feature_conditional(targets, j)
        return mean + np.linalg.solve(np.linalg.cholesky(precision), noise)


class AFieldAtOnce(Gibbs):
    def __init__(self, X, y, weights, fields, *rest, **settings):
        super().__init__(X, y, weights, fields, *rest, **settings)
        one_hot = np.eye(len(fields))  # as if no features met
        self.classes = colour_classes(one_hot, fields)


class NoiseOfAllRows(Gibbs):
    def noise_conditional(self, targets):
        shape, rate = super().noise_conditional(targets)
        return shape + np.count_nonzero(self.omega == 0) / 2, rate


class NoiseWithoutWeights(Gibbs):
    def noise_conditional(self, targets):
        shape, _ = super().noise_conditional(targets)
        e = (targets - self.scores())[self.omega > 0]
        return shape, (self.settings.beta0 + (e * e).sum()) / 2


class BiasWithoutItsPrior(Gibbs):
    def bias_conditional(self, targets):
        mean, precision = super().bias_conditional(targets)
        free = precision - self.settings.bias_precision
        return mean * precision / free, free


class LatentTargetsOnTheOtherSide(Gibbs):
    def draw_targets(self, t):
        return -super().draw_targets(t)


class LatentTargetsWithoutWeights(Gibbs):
    def draw_targets(self, t):
        weights, self.omega = self.omega, np.ones_like(self.omega)
        targets = super().draw_targets(t)
        self.omega = weights
        return targets


class TheSameUniformsInEachSweep(Gibbs):
    def draw_targets(self, t):
        return super().draw_targets(0)


class TheSameNoiseForEachFeature(Gibbs):
    def feature_noise(self, t):
        return np.broadcast_to(super().feature_noise(t)[0], self.theta.shape)


class CutsWithoutTheWayBack(Gibbs):
    def log_ratio(self, gaps, G, step):
        return self.log_density(gaps + G @ step) - self.log_density(gaps)


class PriorOfGapsInsteadOfTheirLogarithms(Gibbs):
    def log_density(self, gaps):
        return super().log_density(gaps) + gaps.sum()


class CutsWithoutTheirPrior(Gibbs):
    def log_density(self, gaps):
        return super().log_density(gaps) + self.settings.gap_precision / 2 * (gaps**2).sum()


MISTAKES = [
    (MeanWithoutGamma0, "squared"),
    (GammaOfOneFeatureLess, "squared"),
    (SlopesWithTheFeatureItself, "squared"),
    (MomentsWithoutAlpha, "squared"),
    (LatentTargetsOnTheOtherSide, "probit"),
    (CutsWithoutTheWayBack, "ordinal"),
    (PriorOfGapsInsteadOfTheirLogarithms, "ordinal"),
]
MORE_MISTAKES = [
    (MeanWithoutGamma0, "probit"),
    (GammaOfOneFeatureLess, "probit"),
    (SlopesWithTheFeatureItself, "probit"),
    (RateWithoutTheMean, "squared"),
    (CholeskyNotTransposed, "squared"),
    (AFieldAtOnce, "squared"),
    (BiasWithoutItsPrior, "squared"),
    (TheSameNoiseForEachFeature, "squared"),
    (NoiseOfAllRows, "weighted"),
    (NoiseWithoutWeights, "weighted"),
    (TheSameUniformsInEachSweep, "probit"),
    (LatentTargetsWithoutWeights, "weighted probit"),
    (LatentTargetsWithoutWeights, "weighted ordinal"),
    (CutsWithoutTheirPrior, "ordinal"),
]


@pytest.mark.parametrize(("mistake", "name"), MISTAKES)
def test_mistakes_are_found(mistake, name):
    assert geweke(mistake, SETUPS[name]).p < FOUND


@once
@pytest.mark.slow
@pytest.mark.parametrize(("mistake", "name"), MORE_MISTAKES)
def test_more_mistakes_are_found(mistake, name):
    assert geweke(mistake, SETUPS[name], chains=240).p < FOUND
