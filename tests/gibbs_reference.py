"""The Gibbs sampler in plain NumPy, float64: the definition of what the core's sampler draws.

Nothing here is fast, and nothing here calls the library. The score of each row is computed anew for
every conditional, so that no cache can be wrong. Symbols, beside those of `reference.py`:

==========  ======================================================================================
F, f(j)     number of fields; field of feature j
theta_j     (w_j, v_j1 .. v_jk): the k + 1 parameters of feature j; column c = 0 is w
mu, lambda  `means` and `precisions` of the parameters, (F, k + 1): one for each field and column
omega_r     weight of row r, as precision; a row of weight 0 is ignored
alpha       precision of the noise, (1,)
c           cuts between ordered classes, (K - 1,); c_0 is 0
t           number of a sweep, from 0
==========  ======================================================================================

The model, with s_r the score of row r:

    y_r ~ N(s_r, 1 / (alpha omega_r))                           loss "squared"
    z_r ~ N(s_r, 1 / omega_r), y_r = sign(z_r) = -1 or 1        loss "probit", where alpha is 1
    ... and y_r = k if c_{k-1} < z_r < c_k                      loss "ordinal"
    w0 ~ N(0, 1 / bias_precision)
    theta_jc ~ N(mu_fc, 1 / lambda_fc),  f = f(j)
    mu_fc ~ N(0, 1 / (gamma0 lambda_fc))
    lambda_fc, alpha ~ Gamma(shape alpha0 / 2, rate beta0 / 2)
    a_m = log(c_m - c_{m-1}) ~ N(0, 1 / gap_precision)
"""

from typing import NamedTuple

import numpy as np
from gibbs_random import Random, log_between, normal_between, truncated_normal
from reference import score, score_brute_force

LATENT, NOISE, BIAS, HYPER, FEATURES, CUTS = 1, 2, 3, 4, 5, 6  # the stages of a sweep
MEAN_PART = 0x40000000  # the part of normals beside a Gamma: no attempt of that gets so far
GROUP_PART = 0x50000000
MOST_GROUPS = 8  # of gaps between cuts, on average
FREEDOM = 20  # degrees, of the t distribution of proposed cuts


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
    gap_precision: float = 0.25


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
    cuts : ndarray of shape (K - 1,)
        Of ordered classes.
    seed, chain : int

    """

    def __init__(
        self, X, y, weights, fields, settings, w0, w, V, alpha, means, precisions, cuts=None,
        seed=0, chain=0,
    ):  # fmt: skip
        self.X, self.y, self.fields, self.settings = X, y, fields, settings
        self.omega = np.ones(len(y)) if weights is None else weights
        self.w0, self.w, self.V, self.alpha = w0, w, V, alpha
        self.means, self.precisions, self.cuts = means, precisions, cuts
        self.classes = colour_classes(X[self.omega > 0], fields)
        self.members = np.arange(len(means))[:, None] == fields  # (F, d)
        self.random = Random(seed, chain)

    def sweep(self, t, threads=1):
        """Draw everything once, in the order of the algorithm; `threads` means nothing here."""
        sample = self.settings.sample
        if self.settings.loss == "ordinal" and len(self.cuts) > 1:
            self.cuts[1:] = np.cumsum(np.exp(self.draw_gaps(t)))
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
        """Return what the scores shall explain: y, or for classes the latent targets z."""
        if self.settings.loss == "squared":
            return self.y
        rows = np.arange(len(self.y))
        a, b = self.random.uniforms(rows >> 1, 0, t, LATENT)
        # A row of weight 0 gets some target; nothing depends on it.
        sd = 1 / np.sqrt(np.where(self.omega > 0, self.omega, 1.0))
        u, s = np.where(rows & 1, b, a), self.scores()
        if self.settings.loss == "ordinal":
            return s + sd * normal_between(*self.bounds(self.cuts), u)
        return truncated_normal(s, sd, self.y, u)

    def bounds(self, cuts):
        """Return the bounds of each row's (z - s) / sd."""
        edges, k = np.r_[-np.inf, cuts, np.inf], self.y.astype(int)
        root = np.sqrt(np.where(self.omega > 0, self.omega, 1.0))
        return (edges[k] - self.scores()) * root, (edges[k + 1] - self.scores()) * root

    def draw_gaps(self, t):
        """Return the logarithms of the gaps after a step of Metropolis and Hastings."""
        gaps = np.log(np.diff(self.cuts))
        G = self.groups(len(gaps), t)
        items = np.arange(G.shape[1])
        chi2 = 2 * self.random.gamma(FREEDOM / 2, items, t, CUTS)
        student = self.random.normals(items, MEAN_PART, t, CUTS)[0] * np.sqrt(FREEDOM / chi2)
        mean, precision = self.proposal(gaps, G)
        step = mean + np.linalg.solve(np.linalg.cholesky(precision).T, student)
        u, _ = self.random.uniforms(len(gaps), 0, t, CUTS)
        return gaps + G @ step if np.log(u) < self.log_ratio(gaps, G, step) else gaps

    def groups(self, size, t):
        """Draw groups of neighbours among the gaps, (size, groups): those of a group move alike."""
        u, _ = self.random.uniforms(np.arange(size), GROUP_PART, t, CUTS)
        group = np.cumsum(np.r_[0, u[1:] < MOST_GROUPS / size])
        return np.eye(size)[group][:, : group[-1] + 1]

    def log_ratio(self, gaps, G, step):
        """Return the logarithm of the chance to accept, if it is below 0."""
        proposed = gaps + G @ step
        change = self.log_density(proposed) - self.log_density(gaps)
        back = _log_students(-step, *self.proposal(proposed, G))
        return change + back - _log_students(step, *self.proposal(gaps, G))

    def log_density(self, gaps):
        """Return that of the logarithms of gaps, given scores and classes: z is summed out."""
        a, b = self.bounds(np.cumsum(np.r_[0, np.exp(gaps)]))
        rows = np.where(self.omega > 0, log_between(a, b), 0)
        return rows.sum() - self.settings.gap_precision / 2 * (gaps**2).sum()

    def proposal(self, gaps, G):
        """Return mean and precision of the steps of groups G that are proposed from given gaps.

        With J the derivatives of the cuts by the steps, and g and -H those of the log likelihood by
        the cuts, the precision is J' H J, but for the prior and the curvature of the cuts: -J' g on
        the diagonal where it is positive.
        """
        cuts = np.cumsum(np.r_[0, np.exp(gaps)])
        bounds = self.bounds(cuts)
        log_p, k = log_between(*bounds), self.y.astype(int)
        size = len(cuts) + 2
        slopes, H = np.zeros(size), np.zeros((size, size))  # by all edges, infinite ones too
        of_rows = [
            sign * np.exp(-(edge**2) / 2 - log_p) / np.sqrt(2 * np.pi)
            for sign, edge in zip((-1, 1), bounds, strict=True)
        ]
        for i, slope in enumerate(of_rows):
            np.add.at(slopes, k + i, np.sqrt(self.omega) * slope)
            curvature = np.nan_to_num(bounds[i], posinf=0, neginf=0) * slope
            np.add.at(H, (k + i, k + i), self.omega * curvature)
            for j, other in enumerate(of_rows):
                np.add.at(H, (k + i, k + j), self.omega * slope * other)
        J = np.tril(np.ones((len(gaps), len(gaps)))) * np.exp(gaps) @ G
        prior = self.settings.gap_precision
        g = J.T @ slopes[2:-1]
        precision = J.T @ H[2:-1, 2:-1] @ J + prior * G.T @ G + np.diag(np.maximum(-g, 0))
        return np.linalg.solve(precision, g - prior * G.T @ gaps), precision

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


def log_joint(X, targets, weights, fields, settings, w0, w, V, alpha, means, precisions, cuts):
    """Return the log density of all that is random, straight from the model, up to a constant.

    `targets` are y, or for classes the latent z, which must lie on their sides.
    """
    alpha0, beta0, gamma0, bias_precision, gap_precision = settings[2:]
    omega = np.ones(len(targets)) if weights is None else weights
    s = score_brute_force(X, w0[0], w, V)
    total = -bias_precision * w0[0] ** 2 / 2
    for r in np.flatnonzero(omega):
        total += _log_normal(targets[r], s[r], alpha[0] * omega[r])
    if settings.loss == "squared":
        total += _log_gamma(alpha[0], alpha0 / 2, beta0 / 2)
    for gap in np.diff(cuts):
        total += _log_normal(np.log(gap), 0, gap_precision)
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


def _log_students(x, mean, precision):
    xi = np.linalg.cholesky(precision).T @ (x - mean)
    logs = -(FREEDOM + 1) / 2 * np.log1p(xi**2 / FREEDOM)  # up to a constant
    return np.linalg.slogdet(precision)[1] / 2 + logs.sum()


def _log_gamma(x, shape, rate):
    return (shape - 1) * np.log(x) - rate * x
