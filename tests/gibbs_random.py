"""The random numbers of the reference's Gibbs sampler, and its truncated normal distributions."""

import numpy as np
from scipy import special


def philox(counter, key):
    """Turn counters into random words: Philox4x32-10 of Salmon et al. (2011).

    Parameters
    ----------
    counter : array-like of shape (..., 4)
        Numbers below 2^32.
    key : array-like of shape (2,)

    Returns
    -------
    ndarray of uint64 of shape (..., 4), below 2^32

    """
    low, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    m0, m1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
    c0, c1, c2, c3 = np.moveaxis(np.asarray(counter, dtype=np.uint64), -1, 0)
    k0, k1 = (int(k) for k in key)
    for _ in range(10):
        p0, p1 = m0 * c0, m1 * c2
        c0, c1, c2, c3 = (
            (p1 >> half) ^ c1 ^ np.uint64(k0),
            p1 & low,
            (p0 >> half) ^ c3 ^ np.uint64(k1),
            p0 & low,
        )
        k0 = (k0 + 0x9E3779B9) & 0xFFFFFFFF
        k1 = (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3], axis=-1)


class Random:
    """Random numbers by their place: item, part (both may be arrays), sweep and stage."""

    def __init__(self, seed, chain):
        self.key = (seed & 0xFFFFFFFF, seed >> 32)
        self.chain = chain

    def uniforms(self, item, part, t, stage):
        """Draw the two uniforms of a block, in (0, 1]."""
        item, part = np.broadcast_arrays(item, part)
        counter = np.empty((*item.shape, 4), dtype=np.uint64)
        counter[..., 0], counter[..., 1] = item, part
        counter[..., 2], counter[..., 3] = t, stage | self.chain << 8
        words = philox(counter, self.key)
        pairs = words[..., 1::2] << np.uint64(32) | words[..., ::2]
        uniforms = (pairs >> np.uint64(11)) * 2.0**-53 + 2.0**-54
        return uniforms[..., 0], uniforms[..., 1]

    def normals(self, item, part, t, stage):
        """Draw the two standard normals of a block: Box and Muller."""
        a, b = self.uniforms(item, part, t, stage)
        radius = np.sqrt(-2 * np.log(a))
        return radius * np.cos(2 * np.pi * b), radius * np.sin(2 * np.pi * b)

    def gamma(self, shape, item, t, stage):
        """Draw from Gamma(shape, rate 1), elementwise: Marsaglia and Tsang (2000)."""
        shape, item = np.broadcast_arrays(np.asarray(shape, dtype=float), item)
        small = shape < 1
        d = np.where(small, shape + 1, shape) - 1 / 3
        c = 1 / np.sqrt(9 * d)
        result = np.full(shape.shape, np.nan)
        attempt = 0
        while np.isnan(result).any():
            x, _ = self.normals(item, 2 * attempt, t, stage)
            u, _ = self.uniforms(item, 2 * attempt + 1, t, stage)
            v = (1 + c * x) ** 3
            log_v = np.log(np.where(v > 0, v, 1.0))
            accepted = (v > 0) & (np.log(u) < x * x / 2 + d - d * v + d * log_v)
            result = np.where(np.isnan(result) & accepted, d * v, result)
            attempt += 1
        _, u = self.uniforms(item, 1, t, stage)
        return np.where(small, result * u ** (1 / shape), result)


def truncated_normal(mean, sd, sign, u):
    """Draw z ~ N(mean, sd^2), truncated to sign z >= 0: |z| is larger with chance u.

    In logarithms, so that it is exact to rounding however far the mean lies on the wrong side.
    """
    log_tail = np.log(u) + special.log_ndtr(sign * mean / sd)
    z = mean - sign * sd * special.ndtri_exp(log_tail)
    return sign * np.maximum(sign * z, 0)  # rounding must not cross 0


def normal_between(a, b, u):
    """Draw a standard normal number in (a, b).

    The chance that it is larger is u of that of a and 1 - u of that of b; where most of (a, b) is
    negative, it is smaller with that chance. In logarithms, for all tails.
    """
    mirrored = a + b < 0
    a, b = np.where(mirrored, -b, a), np.where(mirrored, -a, b)
    with np.errstate(divide="ignore"):
        tails = np.log(u) + special.log_ndtr(-a), np.log1p(-u) + special.log_ndtr(-b)
    x = np.clip(-special.ndtri_exp(np.logaddexp(*tails)), a, b)
    return np.where(mirrored, -x, x)


def log_between(a, b):
    """Return log P(a < X < b) for a standard normal X."""
    mirrored = a + b > 0
    a, b = np.where(mirrored, -b, a), np.where(mirrored, -a, b)
    return special.log_ndtr(b) + np.log(-np.expm1(special.log_ndtr(a) - special.log_ndtr(b)))
