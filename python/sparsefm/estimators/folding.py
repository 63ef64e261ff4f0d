r"""The parameters of one category, given those of all others: a regression with few unknowns.

In a row that has the category, with T its field's function of the other features' sums (see
`sparsefm.interaction`), the score is linear in the category's parameters:

.. math::

    s = c + w + \langle v, T \rangle.

So the most likely :math:`\theta = (w, v)` is that of a generalised linear model with the offsets c.
Its prior is normal, with mean :math:`\mu` and covariance :math:`\Sigma = L L'` of the parameters of
the categories that training knew. With :math:`\theta = \mu + L u` and the rows :math:`a = L' (1,
T)`, it minimises

.. math::

    \sum_i \frac{\omega_i}{\phi} \, \mathrm{loss}(y_i, s_i) + \tfrac12 |u|^2,

where :math:`\omega` are weights and :math:`\phi` is the variance of the noise, 1 for classes. The
steps are those of Newton's method, with a line search, as the objective is convex. The Huber loss
has no curvature far from the target, so it has that of a parabola which touches it and is nowhere
below it (D. Böhning and B. Lindsay, "Monotonicity of Quadratic-Approximation Algorithms", 1988).
For the squared error the first step is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.special import expit, log_ndtr

from sparsefm.inspection.fields import sums_by_field
from sparsefm.interaction import Interaction
from sparsefm.losses import Huber, Logistic, Loss, Squared
from sparsefm.model import Model
from sparsefm.sampling import SampledModel

Array = npt.NDArray[Any]
Float = npt.NDArray[np.float64]

AT_ONCE = 2**22  # numbers of the sums of rows, about, with those of one category at least
STEPS = 200
FLAT = np.finfo(np.float64).tiny  # a curvature, which must be greater than 0
LEAST = 1e-10  # of what rows tell: their weights may be 10^20 times those of the prior
TOLERANCE = 1e-6  # of a step, in standard deviations of the prior


@dataclass(frozen=True, eq=False)
class Prior:
    """What is known of a category before its rows, for each of M machines with r = 1 + k numbers.

    Attributes
    ----------
    means : ndarray of shape (M, r)
    roots : ndarray of shape (M, r, r)
        The L of each covariance matrix L L'.
    variances : ndarray of shape (M,)
        Of the noise.
    """

    means: Float
    roots: Float
    variances: Float

    @classmethod
    def of(cls, machines: Machines, features: Array, variances: Float) -> Prior:
        """Return the prior that known categories are a sample of.

        Those of parameters zero were in no training row. The covariance is as if there were r more
        categories of the same mean squares without a direction, so few categories suffice.
        """
        found = [_moments(*machines.one(number, features)) for number in range(len(machines))]
        means, roots = (np.stack(parts) for parts in zip(*found, strict=True))
        return cls(means, roots, variances)


def _moments(w: Float, V: Float) -> tuple[Float, Float]:
    """Return the mean and a root of the covariance of parameters, shapes (r,) and (r, r)."""
    parameters = np.column_stack([w, V])
    parameters = parameters[parameters.any(axis=1)]
    n, r = parameters.shape
    if n == 0:
        return np.zeros(r), np.zeros((r, r))
    mean, squares = parameters.mean(axis=0), np.mean(parameters**2, axis=0)
    if r > 1:
        squares[1:] = squares[1:].mean()
    deviations = parameters - mean
    covariance = (deviations.T @ deviations + r * np.diag(squares)) / (n + r)
    values, vectors = np.linalg.eigh(covariance)
    return mean, vectors * np.sqrt(np.maximum(values, 0))


@dataclass(frozen=True, eq=False)
class Machines:
    """The samples of a model, or the model alone, as machines with the same interaction.

    Attributes
    ----------
    biases : ndarray of shape (M,)
    parameters : list of (w, V)
        As the model has them.
    interaction : Interaction
        Of all features.
    loss : Loss or None
        None: probit, which samples of a model of classes have.
    offset, scale : float
        Targets of a regression are offset + scale * (those of a machine).
    are_samples : bool
    """

    biases: Float
    parameters: list[tuple[Array, Array]]
    interaction: Interaction
    loss: Loss | None
    offset: float = 0.0
    scale: float = 1.0
    are_samples: bool = False

    @classmethod
    def of(cls, model: Model, loss: Loss) -> Machines:
        """Return those of a model that was trained with a loss."""
        if not isinstance(model, SampledModel):
            parts = [(model.w, model.V)]
            return cls(np.array([model.w0]), parts, model._interaction(), loss)
        biases = np.array([sample.w0 for sample in model.samples])
        parts = [(sample.w, sample.V) for sample in model.samples]
        plain = Interaction(np.zeros(model.n_features, int), 1)
        of_sample = loss if model.task == "regression" else None
        return cls(biases, parts, plain, of_sample, model.offset, model.scale, True)

    def __len__(self) -> int:
        return len(self.biases)

    def one(self, number: int, features: Array) -> tuple[Float, Float]:
        """Return w (m,) and V (m, k) of some features in one machine."""
        w, V = (part[features].astype(np.float64) for part in self.parameters[number])
        return w, self.interaction.vectors(V)

    def lines(self, X: sp.csr_matrix, field: int) -> tuple[Float, Float]:
        """Return the c of each row, shape (M, n), and (1, T) of one field, shape (M, n, r).

        Parameters
        ----------
        X : csr_matrix of shape (n, d)
            Rows without features of the field.
        field : int
        """
        features, places = np.unique(X.indices, return_inverse=True)
        X = sp.csr_matrix((X.data, places, X.indptr), (X.shape[0], len(features)))
        interaction = replace(self.interaction, fields=self.interaction.fields[features])
        parts = [self.one(number, features) for number in range(len(self))]
        w, V = np.stack([one[0] for one in parts], 1), np.stack([one[1] for one in parts], 1)
        n, F = X.shape[0], interaction.n_fields
        # All machines side by side, then apart: one product with X instead of M.
        S = sums_by_field(X, V.reshape(len(features), -1), interaction.fields, F)
        S = np.moveaxis(S.reshape(n, F, *V.shape[1:]), 2, 0)
        T = interaction.terms(S)
        alone = np.sum(interaction.own[interaction.fields][:, None] * V**2, axis=2)
        pairs = np.einsum("mnfk,mnfk->mn", S, T) - (X.multiply(X) @ alone).T
        constants = self.biases[:, None] + (X @ w).T + pairs / 2
        of_field = T[:, :, field if F > 1 else 0]
        return constants, np.concatenate([np.ones((len(self), n, 1)), of_field], axis=2)


def of_categories(
    machines: Machines,
    prior: Prior,
    X: sp.csr_matrix,
    field: int,
    rows: Sequence[Array],
    targets: Float,
    weights: Float,
) -> Float:
    """Return the parameters of C categories of one field, shape (C, M, r).

    Parameters
    ----------
    machines : Machines
    prior : Prior
    X : csr_matrix of shape (n, d)
        Rows without features of the field.
    field : int
    rows : sequence of C ndarrays of int
        Those of each category.
    targets, weights : ndarray of shape (n,)
    """
    found = np.empty((len(rows), *prior.means.shape))
    ends = np.cumsum([len(own) for own in rows])
    step = max(1, AT_ONCE // (prior.means.size * machines.interaction.n_fields))
    for block in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(ends // step)) + 1):
        lines = machines.lines(X[np.concatenate([rows[place] for place in block])], field)
        end = 0
        for place in block:
            own, begin, end = rows[place], end, end + len(rows[place])
            alone = lines[0][:, begin:end], lines[1][:, begin:end]
            found[place] = learned(machines, prior, alone, targets[own], weights[own])
    return found


def learned(
    machines: Machines, prior: Prior, lines: tuple[Float, Float], targets: Float, weights: Float
) -> Float:
    """Return the parameters of one category, shape (M, r): the most likely ones.

    Those of samples are samples themselves, of the normal distribution around the most likely ones,
    so that their spread tells how much the rows leave open.

    Parameters
    ----------
    machines : Machines
    prior : Prior
    lines : ndarrays of shapes (M, n) and (M, n, r)
        Those of its rows.
    targets, weights : ndarray of shape (n,)
    """
    constants, vectors = lines
    y = (targets - machines.offset) / machines.scale
    A = vectors @ prior.roots
    start = constants + _times(vectors, prior.means)
    with np.errstate(over="ignore"):
        omega = weights / prior.variances[:, None]
    if not np.isfinite(omega).all():
        raise ValueError(
            "sample_weight has weights that are not finite, divided by the variance of the noise"
        )
    u = np.zeros_like(prior.means)
    for _ in range(STEPS):
        scores = start + _times(A, u)
        slopes, curvatures = parabola(machines.loss, y, scores)
        inverse, rotated = _least_squares(A, omega, slopes, curvatures, u)
        step = _times(inverse, rotated)
        if isinstance(machines.loss, Squared) or np.abs(step).max() <= TOLERANCE:
            u += step
            break
        u += _length(machines.loss, y, scores, omega, u, step, _times(A, step))[:, None] * step
    if machines.are_samples:
        u += _times(inverse, _normals(*u.shape))
    return np.asarray(prior.means + _times(prior.roots, u))


def _length(
    loss: Loss | None, y: Float, scores: Float, omega: Float, u: Float, step: Float, moved: Float
) -> Float:
    """Return how far to go along a step, which moves scores by `moved`; shape (M,).

    There the slope of the objective along the step is at most a tenth of what it was.
    """
    unit = omega.max(axis=1, keepdims=True) + 1  # so that no sum is too large

    def slope(length: Float) -> Float:
        slopes, _ = parabola(loss, y, scores + length[:, None] * moved)
        of_rows = np.sum(omega / unit * slopes * moved, axis=1)
        return np.asarray(of_rows + np.sum((u + length[:, None] * step) / unit * step, axis=1))

    low, high, length = np.zeros(len(u)), np.full(len(u), np.inf), np.ones(len(u))
    enough = np.abs(slope(low)) / 10
    for _ in range(STEPS):
        found = slope(length)
        goes_on = np.abs(found) > enough
        if not goes_on.any():
            break
        low, high = np.where(found < 0, length, low), np.where(found < 0, high, length)
        middle = np.where(np.isinf(high), 2 * length, (low + high) / 2)
        length = np.where(goes_on, middle, length)
    return length


def _least_squares(
    A: Float, omega: Float, slopes: Float, curvatures: Float, u: Float
) -> tuple[Float, Float]:
    r"""Return what the step to the minimum of a parabola is the product of, (M, r, r) and (M, r).

    The step d minimises the sum of squares of :math:`\sqrt{\omega c} \, (A d + g / c)` and
    :math:`d + u`, with slopes g and curvatures c. A rotation makes R of its matrix, and R'R is the
    Hessian; to form that would lose the prior beside large weights. Nothing moves in directions of
    which R says less than `LEAST` of what it says of others, as rounding is all that there is.
    """
    r = A.shape[2]
    roots = np.sqrt(omega) * np.sqrt(curvatures)
    of_rows = np.concatenate([A, -(slopes / curvatures)[:, :, None]], axis=2) * roots[:, :, None]
    of_prior = np.concatenate([np.broadcast_to(np.eye(r), (len(u), r, r)), -u[:, :, None]], axis=2)
    rows = np.concatenate([of_rows, of_prior], axis=1)
    R: Float = np.asarray(np.linalg.qr(rows, mode="r"), np.float64)[:, :r]
    R *= np.where(np.diagonal(R, axis1=1, axis2=2) < 0, -1, 1)[:, :, None]
    return np.asarray(np.linalg.pinv(R[:, :, :r], rcond=LEAST), np.float64), R[:, :, r]


def _times(matrices: Float, vectors: Float) -> Float:
    """Return the product of each of M matrices with its vector."""
    return np.asarray((matrices @ vectors[:, :, None])[:, :, 0])


def _normals(n: int, r: int) -> Float:
    """Return standard normal numbers, the same in each call, whose mean over the samples is 0."""
    numbers = np.random.Generator(np.random.PCG64(0)).standard_normal((n, r))
    numbers -= numbers.mean(axis=0)
    return np.asarray(numbers * np.sqrt(n / max(n - 1, 1)))


def parabola(loss: Loss | None, y: Float, s: Float) -> tuple[Float, Float]:
    """Return the slope and the curvature of a parabola that touches a loss at scores s."""
    if isinstance(loss, Squared):
        return s - y, np.ones_like(s)
    if isinstance(loss, Huber):
        curvatures = 1 / np.maximum(1, np.abs(s - y) / loss.delta)
        return curvatures * (s - y), curvatures
    sign = 2 * y - 1
    if isinstance(loss, Logistic):
        wrong = expit(-sign * s)  # the probability of the other class
        # Far on the wrong side the loss is nearly straight, and steps would have no end.
        return -sign * wrong, np.maximum(
            wrong * expit(sign * s), np.maximum(1e-10 * wrong**2, FLAT)
        )
    log_density = -(s**2) / 2 - np.log(2 * np.pi) / 2  # probit
    ratio = np.exp(log_density - log_ndtr(sign * s))
    return -sign * ratio, np.clip(ratio * (ratio + sign * s), FLAT, 1)
