"""The mean of many samples as one factorization machine of a small rank."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sparsefm.sampling.samples import Sample

Float = npt.NDArray[np.float64]

FEATURES_AT_ONCE = 1 << 11  # bounds temporary copies
LOGIT_OF_PROBIT = 1.6  # a probit score times this is about the log-odds of its probability


def mean_factors(samples: Sequence[Sample], rank: int) -> Float:
    """Return factors of a given rank whose pairs are about the mean of the samples' pairs.

    The samples' factors side by side, F of shape (d, S k), have the products F F^T, S times the
    mean. What approximates it best at a given rank is F U for the first eigenvectors U of F^T F.
    Each feature is weighed by how well the rows have determined its factors, by the inverse of
    their standard deviation over the samples: rare features have large and random factors, which
    would take the place of what matters.

    Parameters
    ----------
    samples : sequence of Sample
        S samples of rank k.
    rank : int
        At most S k.

    Returns
    -------
    ndarray of float64, shape (d, rank)
    """
    weights = _weights(samples)
    n_features, k = samples[0].V.shape
    parts = [slice(i, i + FEATURES_AT_ONCE) for i in range(0, n_features, FEATURES_AT_ONCE)]

    def weighed(part: slice) -> Float:
        factors = np.concatenate([sample.V[part] for sample in samples], axis=1)
        return factors * weights[part, None]

    gram = np.zeros((len(samples) * k,) * 2)
    for part in parts:
        block = weighed(part)
        gram += block.T @ block
    _, vectors = np.linalg.eigh(gram)  # ascending
    first = vectors[:, ::-1][:, :rank] / np.sqrt(len(samples))
    factors = np.empty((n_features, rank))
    for part in parts:
        factors[part] = (weighed(part) @ first) / weights[part, None]
    return factors


def _weights(samples: Sequence[Sample]) -> Float:
    """Return the inverse spread of each feature's factors over the samples; 1 if there is none."""
    mean, squares = np.zeros(samples[0].V.shape), np.zeros(samples[0].V.shape)
    for count, sample in enumerate(samples, 1):  # Welford's method
        change = sample.V - mean
        mean += change / count
        squares += change * (sample.V - mean)
    spread = squares.sum(axis=1)
    return np.asarray(1 / np.sqrt(np.where(spread > 0, spread, 1.0)))
