"""Geweke's joint distribution test of a sampler ("Getting it right", 2004).

The joint distribution of parameters and data is simulated in two ways: by drawing parameters from
the prior and data given parameters; and by alternating between a sweep, which changes parameters
given data, and new data given parameters. If and only if the sweep leaves the posterior as it is,
both have the same distribution, so the means of any statistic agree.

Each of many chains starts with a draw from the prior. So all of a right sampler's states have the
distribution of the prior, without burn-in, and the chains' means are independent: their standard
error needs no estimate of an autocorrelation. Many short chains serve better than few long ones,
whose means are skewed. Statistics are those of the new parameters with the old data, where a wrong
sweep shows before new data hide it.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from gibbs_problems import STATE, design
from gibbs_reference import Settings
from scipy import special, stats

# Tails so light that all moments below have a variance. alpha0 and beta0 differ, and gamma0 is not
# 1, so that none of them can be forgotten.
PRIOR = {"alpha0": 24.0, "beta0": 8.0, "gamma0": 2.0, "bias_precision": 30.0, "gap_precision": 9.0}
CLASSES = 4


class Setup(NamedTuple):
    """What is given: all but parameters and targets."""

    X: np.ndarray
    weights: np.ndarray | None
    fields: np.ndarray
    settings: Settings
    rank: int


def setup(loss="squared", weighted=False, rank=2, rows=12, seed=5):
    """Make a small problem with a one-hot field, lists, and a numeric column."""
    rng = np.random.default_rng(seed)
    X, fields = design(rows, rng, kinds=("onehot", "lists", "numeric"))
    weights = None
    if weighted:
        weights = np.where(np.arange(rows) % 2, 0.1, 3) * rng.uniform(0.5, 1.5, rows)
        weights[[1, 3, 8]] = 0
    return Setup(X, weights, fields, Settings(loss=loss, **PRIOR), rank)


def draw_prior(given, size, rng):
    """Draw parameters from the prior, `size` times: arrays by name, with one axis more in front."""
    settings, fields = given.settings, given.fields
    shape = (size, fields.max() + 1, given.rank + 1)
    half, scale = settings.alpha0 / 2, 2 / settings.beta0
    precisions = rng.gamma(half, scale, shape)
    means = rng.normal(size=shape) / np.sqrt(settings.gamma0 * precisions)
    theta = means[:, fields] + rng.normal(size=(size, len(fields), given.rank + 1)) / np.sqrt(
        precisions[:, fields]
    )
    squared = settings.loss == "squared"
    gaps = np.exp(rng.normal(size=(size, CLASSES - 2)) / np.sqrt(settings.gap_precision))
    cuts = np.cumsum(np.column_stack([np.zeros(size), gaps]), axis=1)
    return {
        "w0": rng.normal(size=(size, 1)) / np.sqrt(settings.bias_precision),
        "w": theta[..., 0].copy(),
        "V": theta[..., 1:].copy(),
        "alpha": rng.gamma(half, scale, (size, 1)) if squared else np.ones((size, 1)),
        "means": means,
        "precisions": precisions,
        "cuts": cuts if settings.loss == "ordinal" else np.zeros((size, 1)),
    }


def scores(given, draws):
    """Score all rows with each draw: (size, n)."""
    X, V = given.X, draws["V"]
    pairs = (X @ V) ** 2 - (X * X) @ (V * V)
    return draws["w0"] + draws["w"] @ X.T + pairs.sum(axis=2) / 2


def noise_sd(given, draws):
    """Return the standard deviation of each row's noise; rows of weight 0 get some number."""
    omega = np.ones(len(given.X)) if given.weights is None else given.weights
    return 1 / np.sqrt(draws["alpha"] * np.where(omega > 0, omega, 0.01))


def draw_targets(given, draws, rng):
    """Draw targets given parameters: (size, n)."""
    s = scores(given, draws)
    y = s + noise_sd(given, draws) * rng.normal(size=s.shape)
    if given.settings.loss == "squared":
        return y
    if given.settings.loss == "probit":
        return np.where(y > 0, 1.0, -1.0)
    return (y[..., None] > draws["cuts"][:, None]).sum(axis=2) * 1.0


def rms(values):
    """Return the root mean square of each row: less skewed than the mean square."""
    return np.sqrt((values**2).mean(axis=1))


def statistics(given, draws):
    """Return functions of parameters and data, by name: arrays of shape (size,).

    First moments and, as roots, second ones: the means of a chain must be nearly normal.
    """
    weighty = slice(None) if given.weights is None else given.weights > 0
    y, s = draws["y"][:, weighty], scores(given, draws)[:, weighty]
    sd = noise_sd(given, draws)[:, weighty]
    linear = (draws["w"] @ given.X.T)[:, weighty]
    w0, alpha = draws["w0"][:, 0], draws["alpha"][:, 0]
    # The targets' residuals have mean 0 given the scores, with every loss.
    squared = given.settings.loss == "squared"
    above = special.ndtr((s[..., None] - draws["cuts"][:, None]) / sd[..., None])
    expected = {"squared": s, "probit": 2 * above[..., 0] - 1, "ordinal": above.sum(axis=2)}
    residual = (y - expected[given.settings.loss]) / (sd if squared else 1)
    pairs = np.einsum("mik,mjk->mij", draws["V"], draws["V"])
    result = {
        "w0": w0,
        "|w0|": np.abs(w0),
        "y": y.mean(axis=1),
        "y w0": y.mean(axis=1) * w0,
        "y X w": (y * linear).mean(axis=1),
        "y tanh(s - w0 - X w)": (y * np.tanh(s - w0[:, None] - linear)).mean(axis=1),
        "s": s.mean(axis=1),
        "rms s": rms(s),
        "y - Ey": residual.mean(axis=1),
        "(y - Ey) s": (residual * s).mean(axis=1),
        "(y - Ey) s / var": (residual * s / sd**2).mean(axis=1),
        "pairs": pairs[:, ~np.eye(pairs.shape[1], dtype=bool)].mean(axis=1),
    }
    if squared:
        result |= {
            "rms y": rms(y),
            "(y - Ey)^2": (residual**2).mean(axis=1),
            "log alpha": np.log(alpha),
            "log^2 alpha": np.log(alpha) ** 2,
        }
    if given.settings.loss == "ordinal":
        gaps = np.log(np.diff(draws["cuts"], axis=1))
        for m, gap in enumerate(gaps.T):
            inside = (y == m + 1).mean(axis=1)
            result |= {
                f"gap {m}": gap,
                f"gap^2 {m}": gap**2,
                f"y gap {m}": inside * gap,
                f"s gap {m}": rms(s) * gap,
            }
        result["gap gap"] = gaps[:, 0] * gaps[:, 1]
    theta = np.concatenate([draws["w"][..., None], draws["V"]], axis=2)
    for f in range(draws["means"].shape[1]):
        members = given.fields == f
        for name, c in (("w", slice(0, 1)), ("V", slice(1, None))):
            if name == "V" and given.rank == 0:
                continue
            part, mu = theta[:, members, c], draws["means"][:, f, c]
            precision = draws["precisions"][:, f, c]
            spread = np.sqrt(precision * ((part - mu[:, None]) ** 2).sum(axis=1))
            moments = {
                "": part.mean(axis=1),
                " rms": np.sqrt((part**2).mean(axis=1)),
                " spread": spread,
                " mu": mu,
                " |mu|": np.abs(mu),
                " |mu| lambda^.5": np.abs(mu) * np.sqrt(precision),
                " log lambda": np.log(precision),
                " log^2 lambda": np.log(precision) ** 2,
            }
            result |= {f"{name}[{f}]{key}": value.mean(axis=1) for key, value in moments.items()}
    return result


class Outcome(NamedTuple):
    """z-scores by name, and the level at which the largest one is found, Bonferroni-corrected."""

    z: dict
    p: float

    @property
    def worst(self):
        return max(self.z, key=lambda name: abs(self.z[name]))


def geweke(make: Callable, given: Setup, chains=120, sweeps=10, seed=0, prior_size=40_000):
    """Compare the two simulations.

    Parameters
    ----------
    make : callable
        Returns a sampler, whose `sweep(t, threads)` changes the arrays that `make` got by name; it
        is called before each sweep, with new targets.
    given : Setup
    chains, sweeps : int
        Number of chains, and of sweeps of each.
    seed : int
    prior_size : int
        Number of draws from the prior.

    Returns
    -------
    Outcome

    """
    rng = np.random.default_rng(seed)
    starts = draw_prior(given, chains, rng)
    kept = {name: np.empty((chains, sweeps, *starts[name].shape[1:])) for name in STATE}
    kept["y"] = np.empty((chains, sweeps, len(given.X)))
    fixed = {"X": given.X, "weights": given.weights, "fields": given.fields}
    for chain in range(chains):
        state = {name: starts[name][chain].copy() for name in STATE}
        for sweep in range(sweeps):
            y = draw_targets(given, {name: state[name][None] for name in STATE}, rng)[0]
            sampler = make(y=y, settings=given.settings, seed=seed, chain=chain, **fixed, **state)
            sampler.sweep(1 + sweep, 1)  # sweep 0 would keep the hyperparameters
            for name in STATE:
                kept[name][chain, sweep] = state[name]
            kept["y"][chain, sweep] = y
    flat = {name: value.reshape(-1, *value.shape[2:]) for name, value in kept.items()}
    prior = draw_prior(given, prior_size, rng)
    prior["y"] = draw_targets(given, prior, rng)
    expected = statistics(given, prior)
    z = {}
    for name, values in statistics(given, flat).items():
        means = values.reshape(chains, sweeps).mean(axis=1)
        error = np.sqrt(means.var(ddof=1) / chains + expected[name].var() / prior_size)
        z[name] = float((means.mean() - expected[name].mean()) / error)
    largest = max(np.abs(value) for value in z.values())
    return Outcome(z, float(min(1, len(z) * 2 * stats.t(chains - 1).sf(largest))))
