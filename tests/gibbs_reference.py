"""The Gibbs sampler in plain NumPy, float64: the definition of what the core's sampler draws.

Nothing here is fast, and nothing here calls the library. The score of each row is computed anew for
every conditional, so that no cache can be wrong. Symbols, beside those of `reference.py`:

==========  ======================================================================================
F, f(j)     number of fields; field of feature j
theta_j     (w_j, v_j1 .. v_jk): the k + 1 parameters of feature j; column c = 0 is w
mu, lambda  `means` and `precisions` of the parameters, (F, k + 1): one for each field and column
omega_r     weight of row r, as precision; a row of weight 0 is ignored
alpha       precision of the noise, (1,)
t           number of a sweep, from 0
==========  ======================================================================================

The model, with s_r the score of row r:

    y_r ~ N(s_r, 1 / (alpha omega_r))                           loss "squared"
    z_r ~ N(s_r, 1 / omega_r), y_r = sign(z_r) = -1 or 1        loss "probit", where alpha is 1
    w0 ~ N(0, 1 / bias_precision)
    theta_jc ~ N(mu_fc, 1 / lambda_fc),  f = f(j)
    mu_fc ~ N(0, 1 / (gamma0 lambda_fc))
    lambda_fc, alpha ~ Gamma(shape alpha0 / 2, rate beta0 / 2)
"""

from typing import NamedTuple

import numpy as np
from reference import score, score_brute_force
from scipy import special

LATENT, NOISE, BIAS, HYPER, FEATURES = 1, 2, 3, 4, 5  # the stages of a sweep
MEAN_PART = 0x40000000  # the part of the normals of mu: no attempt of a Gamma gets that far


# --- random numbers -----------------------------------------------------------------------------


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
    low = np.uint64(0xFFFFFFFF)
    half = np.uint64(32)
    c0, c1, c2, c3 = np.moveaxis(np.asarray(counter, dtype=np.uint64), -1, 0)
    k0, k1 = (int(k) for k in key)
    for _ in range(10):
        p0 = np.uint64(0xD2511F53) * c0
        p1 = np.uint64(0xCD9E8D57) * c2
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


# --- the order of the features ------------------------------------------------------------------


def colour_classes(X, fields):
    """Divide the features into classes that share no row: by field, then by greedy colouring.

    Features come in the order of their numbers, and each gets the smallest colour that no feature
    of its field has with which it shares a row.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        The rows whose weight is not 0.
    fields : ndarray of int of shape (d,)

    Returns
    -------
    list of list of int

    """
    active = X != 0
    classes = {}
    for j, field in enumerate(fields):
        colour = 0
        while any((active[:, j] & active[:, i]).any() for i in classes.get((field, colour), [])):
            colour += 1
        classes.setdefault((field, colour), []).append(j)
    return [classes[place] for place in sorted(classes)]


# --- the sampler --------------------------------------------------------------------------------


class Settings(NamedTuple):
    """Loss and hyperprior; without `sample` nothing is drawn (alternating least squares)."""

    loss: str = "squared"
    sample: bool = True
    alpha0: float = 1.0
    beta0: float = 1.0
    gamma0: float = 1.0
    bias_precision: float = 1e-6


class Gibbs:
    """The sampler; `sweep` changes the arrays that it is given.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    y : ndarray of shape (n,)
    weights : ndarray of shape (n,) or None
    fields : ndarray of int of shape (d,)
    settings : Settings
    w0, w, V : ndarray of shape (1,), (d,), (d, k)
    alpha : ndarray of shape (1,)
        Must be 1 for probit.
    means, precisions : ndarray of shape (F, k + 1)
    seed, chain : int

    """

    def __init__(
        self, X, y, weights, fields, settings, w0, w, V, alpha, means, precisions, seed=0, chain=0
    ):
        self.X, self.y, self.fields, self.settings = X, y, fields, settings
        self.omega = np.ones(len(y)) if weights is None else weights
        self.w0, self.w, self.V, self.alpha = w0, w, V, alpha
        self.means, self.precisions = means, precisions
        self.classes = colour_classes(X[self.omega > 0], fields)
        self.members = np.arange(len(means))[:, None] == fields  # (F, d)
        self.random = Random(seed, chain)

    def sweep(self, t, threads=1):
        """Draw everything once, in the order of the algorithm; `threads` means nothing here."""
        sample = self.settings.sample
        targets = self.draw_targets(t)
        if sample and self.settings.loss == "squared":
            shape, rate = self.noise_conditional(targets)
            self.alpha[0] = self.random.gamma(shape, 0, t, NOISE) / rate
        mean, precision = self.bias_conditional(targets)
        self.w0[0] = mean
        if sample:
            self.w0[0] += self.random.normals(0, 0, t, BIAS)[0] / np.sqrt(precision)
        if sample and t >= 1:
            self.draw_hyperparameters(t)
        noise = self.feature_noise(t) if sample else np.zeros(self.theta.shape)
        for members in self.classes:
            draws = [self.draw_feature(targets, j, noise[j]) for j in members]
            for j, theta in zip(members, draws, strict=True):
                self.w[j], self.V[j] = theta[0], theta[1:]

    def draw_targets(self, t):
        """Return what the scores shall explain: y, or for probit the latent targets z."""
        if self.settings.loss == "squared":
            return self.y
        rows = np.arange(len(self.y))
        a, b = self.random.uniforms(rows >> 1, 0, t, LATENT)
        # A row of weight 0 gets some target; nothing depends on it.
        sd = 1 / np.sqrt(np.where(self.omega > 0, self.omega, 1.0))
        return truncated_normal(self.scores(), sd, self.y, np.where(rows & 1, b, a))

    def draw_hyperparameters(self, t):
        """Draw each precision given the old mean, then each mean given the new precision."""
        items = np.arange(self.means.size).reshape(self.means.shape)
        shape, rate = self.precision_conditional()
        self.precisions[:] = self.random.gamma(shape, items, t, HYPER) / rate
        mean, precision = self.mean_conditional()
        _, normal = self.random.normals(items, MEAN_PART, t, HYPER)
        self.means[:] = mean + normal / np.sqrt(precision)

    def draw_feature(self, targets, j, noise):
        mean, precision = self.feature_conditional(targets, j)
        # With precision L L', L'^-1 xi has covariance (L L')^-1.
        return mean + np.linalg.solve(np.linalg.cholesky(precision).T, noise)

    def feature_noise(self, t):
        """Draw the standard normals of all features, (d, k + 1): two from each block."""
        d, columns = self.theta.shape
        parts = np.arange((columns + 1) // 2)
        pairs = np.stack(self.random.normals(np.arange(d)[:, None], parts, t, FEATURES), axis=-1)
        return pairs.reshape(d, -1)[:, :columns]

    @property
    def theta(self):
        """A copy of the parameters of all features, (d, k + 1)."""
        return np.column_stack([self.w, self.V])

    def scores(self):
        return score(self.X, self.w0[0], self.w, self.V)

    # Each conditional is a pair: shape and rate of a Gamma, or mean and precision of a normal.

    def noise_conditional(self, targets):
        e = targets - self.scores()
        shape = (self.settings.alpha0 + np.count_nonzero(self.omega)) / 2
        return shape, (self.settings.beta0 + (self.omega * e * e).sum()) / 2

    def bias_conditional(self, targets):
        rest = targets - self.scores() + self.w0[0]
        precision = self.alpha[0] * self.omega.sum() + self.settings.bias_precision
        return self.alpha[0] * (self.omega * rest).sum() / precision, precision

    def precision_conditional(self):
        """Condition each lambda on everything else: arrays of shape (F, k + 1)."""
        alpha0, beta0, gamma0 = self.settings[2:5]
        sizes = self.members.sum(axis=1, keepdims=True)
        squares = self.members @ (self.theta - self.means[self.fields]) ** 2
        shape = np.broadcast_to((alpha0 + sizes + 1) / 2, self.means.shape)
        return shape, (beta0 + gamma0 * self.means**2 + squares) / 2

    def mean_conditional(self):
        """Condition each mu on everything else: arrays of shape (F, k + 1)."""
        weight = self.members.sum(axis=1, keepdims=True) + self.settings.gamma0
        return self.members @ self.theta / weight, weight * self.precisions

    def feature_conditional(self, targets, j):
        """Condition theta_j on everything else: mean (k + 1,), precision (k + 1, k + 1).

        The score is linear in theta_j: its slopes are z_r = x_rj (1, q_r - x_rj v_j) with q = X V.
        """
        z, e = self.slopes(j), targets - self.scores()
        gram = z.T @ (self.omega[:, None] * z)
        moments = z.T @ (self.omega * e)
        prior = self.precisions[self.fields[j]]
        theta = self.theta[j]
        precision = self.alpha[0] * gram + np.diag(prior)
        pull = self.alpha[0] * moments + prior * (self.means[self.fields[j]] - theta)
        return theta + np.linalg.solve(precision, pull), precision

    def slopes(self, j):
        """Return the derivatives of the scores by theta_j, (n, k + 1)."""
        x = self.X[:, j, None]
        return x * np.column_stack([np.ones(len(x)), self.X @ self.V - x * self.V[j]])


# --- the joint density --------------------------------------------------------------------------


def log_joint(X, targets, weights, fields, settings, w0, w, V, alpha, means, precisions):
    """Return the log density of all that is random, straight from the model, up to a constant.

    `targets` are y, or for probit the latent z, which must lie on their sides.
    """
    alpha0, beta0, gamma0, bias_precision = settings[2:]
    omega = np.ones(len(targets)) if weights is None else weights
    s = score_brute_force(X, w0[0], w, V)
    total = -bias_precision * w0[0] ** 2 / 2
    for r in np.flatnonzero(omega):
        total += _log_normal(targets[r], s[r], alpha[0] * omega[r])
    if settings.loss == "squared":
        total += _log_gamma(alpha[0], alpha0 / 2, beta0 / 2)
    for f in range(len(means)):
        for mean, precision in zip(means[f], precisions[f], strict=True):
            total += _log_gamma(precision, alpha0 / 2, beta0 / 2)
            total += _log_normal(mean, 0, gamma0 * precision)
    for j, f in enumerate(fields):
        for c, parameter in enumerate([w[j], *V[j]]):
            total += _log_normal(parameter, means[f, c], precisions[f, c])
    return total


def _log_normal(x, mean, precision):
    return np.log(precision) / 2 - precision * (x - mean) ** 2 / 2


def _log_gamma(x, shape, rate):
    return (shape - 1) * np.log(x) - rate * x
