"""Whether chains have converged: R-hat and the effective sample size."""

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

FEWEST = 4  # draws of a half chain
UNKNOWN = {"r_hat": float("nan"), "ess": float("nan")}


def r_hat(draws: Array) -> Array:
    """Return the potential scale reduction of each quantity, from chains split in half.

    Near 1 the chains agree. It is NaN with less than 8 draws, or where nothing varies.

    Parameters
    ----------
    draws : array of shape (n_draws, n_chains, n_quantities)

    Returns
    -------
    ndarray of shape (n_quantities,)

    References
    ----------
    A. Gelman et al., "Bayesian Data Analysis", 3rd edition, 2013, section 11.4.
    """
    halves = _halves(draws)
    n = len(halves)
    if n < FEWEST:
        return np.full(draws.shape[2], np.nan)
    within = halves.var(axis=0, ddof=1).mean(axis=0)
    between = n * halves.mean(axis=0).var(axis=0, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.sqrt((n - 1) / n + between / (n * within)))


def effective_sample_size(draws: Array) -> Array:
    """Return the number of independent draws that would estimate each mean as well.

    It is NaN with less than 8 draws, or where nothing varies.

    Parameters
    ----------
    draws : array of shape (n_draws, n_chains, n_quantities)

    Returns
    -------
    ndarray of shape (n_quantities,)

    References
    ----------
    As for `r_hat`, section 11.5; autocorrelations are summed while the sum of a pair of them is
    positive (C. Geyer, "Practical Markov Chain Monte Carlo", 1992).
    """
    halves = _halves(draws)
    n, chains = halves.shape[:2]
    if n < FEWEST:
        return np.full(draws.shape[2], np.nan)
    centred = halves - halves.mean(axis=0)
    spectrum = np.abs(np.fft.rfft(centred, 2 * n, axis=0)) ** 2
    autocovariance = np.fft.irfft(spectrum, axis=0)[:n].mean(axis=1) / n
    within = halves.var(axis=0, ddof=1).mean(axis=0)
    variance = within * (n - 1) / n + halves.mean(axis=0).var(axis=0, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = 1 - (within - autocovariance * n / (n - 1)) / variance
        correlation[0] = 1
        pairs = correlation[: n // 2 * 2].reshape(n // 2, 2, -1).sum(axis=1)
        pairs = np.minimum.accumulate(pairs, axis=0)  # the sums of pairs fall, apart from noise
        time = 2 * np.where(pairs > 0, pairs, 0).sum(axis=0) - 1
        size = np.minimum(n * chains / np.maximum(time, 1e-9), n * chains)
    return np.where(variance > 0, size, np.nan)


def summary(draws: Array) -> dict[str, float]:
    """Return the largest ``r_hat`` and the smallest ``ess`` of all quantities.

    Parameters
    ----------
    draws : array of shape (n_draws, n_chains, n_quantities)
    """
    ratios, sizes = r_hat(draws), effective_sample_size(draws)
    return {"r_hat": _extreme(np.nanmax, ratios), "ess": _extreme(np.nanmin, sizes)}


def _extreme(function: Any, values: Array) -> float:
    return float("nan") if np.isnan(values).all() else float(function(values))


def _halves(draws: Array) -> Array:
    """Split each chain in two, shape (n_draws // 2, 2 * n_chains, n_quantities)."""
    half = len(draws) // 2
    return np.concatenate([draws[:half], draws[len(draws) - half :]], axis=1)
