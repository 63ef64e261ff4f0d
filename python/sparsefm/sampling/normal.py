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
