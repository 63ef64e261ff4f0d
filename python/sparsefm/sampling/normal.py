"""The standard normal distribution, from SciPy, whose import is for those who sample."""

from typing import Any

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]


def cdf(x: Any) -> Float:
    """Return P(X <= x)."""
    from scipy.special import ndtr  # 60 ms to import, and it starts a thread

    return np.asarray(ndtr(x))


def log_cdf(x: Any) -> Float:
    """Return log P(X <= x), accurate far out."""
    from scipy.special import log_ndtr

    return np.asarray(log_ndtr(x))


def quantile(p: Any) -> Float:
    """Return the x with P(X <= x) = p."""
    from scipy.special import ndtri

    return np.asarray(ndtri(p))


def class_probabilities(scores: Float, cuts: Float) -> Float:
    """Return the probability of each class, shape (n, n_classes).

    Class k is where a normal number around the score lies between cut k - 1 and cut k.

    Parameters
    ----------
    scores : array of shape (n,)
    cuts : array of shape (n_classes - 1,)
        Ascending.
    """
    columns = [cdf(b) - cdf(a) for a, b in (_bounds(k, scores, cuts) for k in range(len(cuts) + 1))]
    return np.stack(columns, axis=1)


def log_probabilities(classes: Any, scores: Float, cuts: Float) -> Float:
    """Return the logarithm of the probability of each row's class, shape (n,), accurate far out."""
    a, b = _bounds(classes, scores, cuts)
    below, above = log_cdf(a), log_cdf(b)
    return np.asarray(above + np.log1p(-np.exp(below - above)))


def _bounds(classes: Any, scores: Float, cuts: Float) -> tuple[Float, Float]:
    """Return the bounds of classes as seen from the scores, on the side of the lower tail."""
    edges = np.concatenate([[-np.inf], cuts, [np.inf]])
    a, b = edges[classes] - scores, edges[classes + 1] - scores
    upper = a + b > 0
    return np.where(upper, -b, a), np.where(upper, -a, b)
