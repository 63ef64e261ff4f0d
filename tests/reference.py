"""Factorization machines in plain NumPy, float64: the definition that sparsefm is tested against.

Nothing here is fast, and nothing here calls the library. Symbols, throughout:

=========  =======================================================================================
n, d, k    rows, features, rank (k >= 0)
X          rows (n, d): an ndarray, or a scipy.sparse CSR matrix where the text says so
y, s       targets (n,) and scores (n,); y is 0 or 1 for the logistic and the hinge loss
w0, w, V   parameters: float, (d,), (d, k)
S          X V, shape (n, k)
slopes     dL/ds of each row, (n,), already divided by the number of rows (or weighted)
=========  =======================================================================================
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import sparse

# --- the score and its gradients ----------------------------------------------------------------


def score_brute_force(X, w0, w, V):
    """Score rows by the definition, a sum over all pairs of features.

    s(x) = w0 + sum_i w_i x_i + sum_{i<j} <v_i, v_j> x_i x_j

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Rows.
    w0 : float
        Constant.
    w : ndarray of shape (d,)
        Linear weights.
    V : ndarray of shape (d, k)
        Factors: row i is v_i.

    Returns
    -------
    ndarray of shape (n,)

    """
    features = X.shape[1]
    s = np.full(X.shape[0], float(w0))
    for i in range(features):
        s += w[i] * X[:, i]
        for j in range(i + 1, features):
            s += np.dot(V[i], V[j]) * X[:, i] * X[:, j]
    return s


def score(X, w0, w, V):
    """Score rows in time proportional to the non-zeros.

    s = w0 + X w + 1/2 sum_f [ (X V)_f^2 - (X*X) (V*V)_f ]

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n, d)
        Rows.
    w0 : float
        Constant.
    w : ndarray of shape (d,)
        Linear weights.
    V : ndarray of shape (d, k)
        Factors: row i is v_i.

    Returns
    -------
    ndarray of shape (n,)

    """
    S = X @ V
    return w0 + X @ w + 0.5 * (S * S - _square(X) @ (V * V)).sum(axis=1)


def gradients(X, slopes, w0, w, V):
    """Pull the slopes of the scores back to the parameters.

    dw0 = sum_r g_r,   dw = X' g,   dV = X' (g * S) - ((X*X)' g) * V,   where g are the slopes

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n, d)
        Rows.
    slopes : ndarray of shape (n,)
        dL/ds of each row, already divided by the number of rows (or weighted).
    w0 : float
        Not needed; here so that the backward pass takes what the forward pass took.
    w : ndarray of shape (d,)
        Not needed either.
    V : ndarray of shape (d, k)
        Factors.

    Returns
    -------
    dw0 : float
    dw : ndarray of shape (d,)
    dV : ndarray of shape (d, k)

    """
    S = X @ V
    dV = X.T @ (slopes[:, None] * S) - (_square(X).T @ slopes)[:, None] * V
    return float(slopes.sum()), X.T @ slopes, dV


def _square(X):
    """Square each entry; `X * X` would be a matrix product for a sparse matrix."""
    return X.multiply(X).tocsr() if sparse.issparse(X) else X * X


def active(X):
    """Mark with 1.0 the features that occur in each row: those whose entry is not zero.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n, d)
        Rows.

    Returns
    -------
    ndarray or CSR matrix of shape (n, d)
        A zero that a sparse matrix stores explicitly is not active.

    """
    return (X != 0).astype(np.float64)


# --- losses -------------------------------------------------------------------------------------


class Loss(NamedTuple):
    """A loss of one row, L(y, s), and its slope dL/ds; both work elementwise on arrays."""

    value: Callable
    slope: Callable


def sigmoid(s):
    """Return 1 / (1 + exp(-s)), without ever raising e to a positive power."""
    e = np.exp(-np.abs(s))
    return np.where(s >= 0, 1.0, e) / (1.0 + e)


def _sign(y):
    """Turn a target of 0 or 1 into -1 or 1."""
    return 2.0 * y - 1.0


def _logistic_slope(y, s):
    # sigmoid(s) - y would lose all digits where both are close to 1.
    return -_sign(y) * sigmoid(-_sign(y) * s)


LOSSES = {
    # L = (s - y)^2 / 2,  L' = s - y
    "squared": Loss(
        value=lambda y, s: 0.5 * (s - y) ** 2,
        slope=lambda y, s: s - y,
    ),
    # L = e^2 / 2 up to an error of delta = 1.35, then its tangent,  L' = clip(s - y, -delta, delta)
    "huber": Loss(
        value=lambda y, s: np.where(
            np.abs(s - y) <= 1.35, 0.5 * (s - y) ** 2, 1.35 * (np.abs(s - y) - 0.675)
        ),
        slope=lambda y, s: np.clip(s - y, -1.35, 1.35),
    ),
    # L = softplus(-z) = log(1 + exp(-z)) with z = (2y - 1) s,  L' = sigmoid(s) - y
    "logistic": Loss(
        value=lambda y, s: np.logaddexp(0.0, -_sign(y) * s),
        slope=_logistic_slope,
    ),
    # L = max(0, 1 - z),  L' = -(2y - 1) if z < 1 else 0
    "hinge": Loss(
        value=lambda y, s: np.maximum(0.0, 1.0 - _sign(y) * s),
        slope=lambda y, s: np.where(_sign(y) * s < 1.0, -_sign(y), 0.0),
    ),
}


# --- the objective of a batch -------------------------------------------------------------------


def _shares(weights, rows):
    """Return each row's share r / sum(r) in a (weighted) mean, shape (rows,)."""
    weights = np.ones(rows) if weights is None else np.asarray(weights, dtype=np.float64)
    return weights / weights.sum()


def objective(X, y, w0, w, V, loss, weights=None, l2_linear=0.0, l2_factors=0.0):
    """Evaluate the objective of a batch: mean loss and L2 by occurrence.

    sum_r a_r [ L(y_r, s_r) + 1/2 sum_{i active in row r} (l2_linear w_i^2 + l2_factors |v_i|^2) ]

    where a_r = r_r / sum(r) are the rows' shares; without weights, 1/n.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n, d)
        Rows.
    y : ndarray of shape (n,)
        Targets.
    w0, w, V : float, ndarray of shape (d,), ndarray of shape (d, k)
        Parameters.
    loss : {"squared", "logistic", "hinge"}
        Name in `LOSSES`.
    weights : ndarray of shape (n,), optional
        One weight r per row; only their ratios matter.
    l2_linear, l2_factors : float
        Strengths of the penalties on w and V; w0 is never penalised. l2_factors may be an array, of
        shape (d,).

    Returns
    -------
    float

    """
    shares = _shares(weights, len(y))
    penalty_of_feature = l2_linear * w**2 + l2_factors * (V**2).sum(axis=1)
    per_row = LOSSES[loss].value(y, score(X, w0, w, V)) + 0.5 * (active(X) @ penalty_of_feature)
    return float(shares @ per_row)


def objective_gradients(X, y, w0, w, V, loss, weights=None, l2_linear=0.0, l2_factors=0.0):
    """Differentiate `objective` with respect to w0, w and V.

    With c_i = sum_r a_r [feature i is active in row r], the penalties add l2_linear c_i w_i to dw_i
    and l2_factors c_i v_i to dv_i: exactly zero for a feature that no row of the batch holds.

    Parameters
    ----------
    X, y, w0, w, V, loss, weights, l2_linear, l2_factors
        As for `objective`.

    Returns
    -------
    dw0 : float
    dw : ndarray of shape (d,)
    dV : ndarray of shape (d, k)

    """
    shares = _shares(weights, len(y))
    slopes = shares * LOSSES[loss].slope(y, score(X, w0, w, V))
    dw0, dw, dV = gradients(X, slopes, w0, w, V)
    occurrence = active(X).T @ shares
    return dw0, dw + l2_linear * occurrence * w, dV + (l2_factors * occurrence)[:, None] * V


# --- Adam ---------------------------------------------------------------------------------------


def adam_step(theta, grad, m, v, t, learning_rate, beta1, beta2, epsilon):
    """Move `theta`, `m` and `v`, in place, by one step of Adam.

    m = beta1 m + (1 - beta1) g
    v = beta2 v + (1 - beta2) g^2
    theta -= learning_rate sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + epsilon)

    Epsilon stands beside the uncorrected root of v, unlike in the paper's main algorithm.

    Parameters
    ----------
    theta, m, v : ndarray
        Parameters and their first and second moments, of one shape (0-d included).
    grad : ndarray or float
        Gradient, of the same shape.
    t : int
        Number of this step, from 1.
    learning_rate, beta1, beta2, epsilon : float
        As in the formulas.

    """
    m *= beta1
    m += (1.0 - beta1) * grad
    v *= beta2
    v += (1.0 - beta2) * grad**2
    rate = learning_rate * np.sqrt(1.0 - beta2**t) / (1.0 - beta1**t)
    theta -= rate * m / (np.sqrt(v) + epsilon)


def train(
    X,
    y,
    *,
    init,
    loss,
    batches,
    learning_rate,
    beta1=0.9,
    beta2=0.999,
    epsilon=1e-8,
    l2_linear=0.0,
    l2_factors=0.0,
    weights=None,
    updates="exact",
):
    """Train with Adam over the given mini-batches; t counts all of them from 1.

    Parameters
    ----------
    X, y, loss, l2_linear, l2_factors, weights
        As for `objective`; a batch's mean is weighted by its own rows' weights.
    init : tuple of float, ndarray of shape (d,), ndarray of shape (d, k)
        Start values w0, w, V; they are copied.
    batches : iterable of ndarray of int
        Row numbers of each batch, all epochs one after the other.
    learning_rate, beta1, beta2, epsilon : float
        As for `adam_step`.
    updates : {"exact", "lazy"}
        "exact" moves every coordinate in every step. "lazy" moves w_i and V_i, and their moments,
        only if feature i is active in the batch; w0 always moves.

    Returns
    -------
    w0, w, V : float, ndarray of shape (d,), ndarray of shape (d, k)
    losses : list of float
        Mean loss of each batch before its update, weighted, without the penalty.

    """
    rates = (learning_rate, beta1, beta2, epsilon)
    parameters = [np.array(start, dtype=np.float64) for start in init]  # w0 as a 0-d array
    moments = [(np.zeros_like(theta), np.zeros_like(theta)) for theta in parameters]
    losses = []
    for t, rows in enumerate(batches, start=1):
        batch = (X[rows], y[rows], *parameters, loss, None if weights is None else weights[rows])
        losses.append(objective(*batch))
        grads = objective_gradients(*batch, l2_linear, l2_factors)
        # `...` selects everything.
        moving = {"exact": ..., "lazy": _touched(X[rows])}[updates]
        for theta, grad, (m, v), where in zip(
            parameters, grads, moments, (..., moving, moving), strict=True
        ):
            _adam_step_at(where, theta, np.asarray(grad), m, v, t, rates)
    w0, w, V = parameters
    return float(w0), w, V, losses


def _touched(X):
    """Return the numbers of the features that are active in at least one row."""
    return np.flatnonzero(active(X).sum(axis=0))


def _adam_step_at(where, theta, grad, m, v, t, rates):
    """Take a step of Adam for the coordinates at the index `where` and leave the others alone."""
    theta_part, m_part, v_part = theta[where], m[where], v[where]
    adam_step(theta_part, grad[where], m_part, v_part, t, *rates)
    # A list of numbers selects copies, so write back.
    theta[where], m[where], v[where] = theta_part, m_part, v_part
