"""Models of several classes in plain NumPy, float64: the definition of softmax training.

Symbols as in `reference`, and for C classes w0 (C,), w (d, C), V (d, k) and class vectors U (C, k),
which weigh the factors for each class. Targets are the numbers of classes, 0 to C - 1.
"""

import numpy as np
from reference import _shares, active


def class_scores(X, w0, w, V, U):
    """Score rows for each class, by the definition, a sum over all pairs of features.

    s_c(x) = w0_c + sum_i w_ic x_i + sum_{i<j} x_i x_j sum_f u_cf v_if v_jf

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Rows.
    w0, w, V, U : ndarray
        Parameters.

    Returns
    -------
    ndarray of shape (n, C)

    """
    s = np.tile(np.asarray(w0, dtype=np.float64), (X.shape[0], 1)) + X @ w
    for i in range(X.shape[1]):
        for j in range(i + 1, X.shape[1]):
            s += np.outer(X[:, i] * X[:, j], U @ (V[i] * V[j]))
    return s


def softmax(s):
    """Return the probabilities of the classes, exp(s_c) / sum_b exp(s_b), shape (n, C)."""
    odds = np.exp(s - s.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def class_objective(X, y, w0, w, V, U, weights=None, l2_linear=0.0, l2_factors=0.0):
    """Evaluate the objective of a batch: mean of -log p_y, and L2 by occurrence.

    The biases and the class vectors are not penalised. See `objective`.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Rows.
    y : ndarray of int, shape (n,)
        Classes.
    w0, w, V, U : ndarray
        Parameters.
    weights, l2_linear, l2_factors
        As for `objective`.

    Returns
    -------
    float

    """
    s = class_scores(X, w0, w, V, U)
    losses = np.logaddexp.reduce(s, axis=1) - s[np.arange(len(y)), y]
    penalty_of_feature = l2_linear * (w**2).sum(axis=1) + l2_factors * (V**2).sum(axis=1)
    return float(_shares(weights, len(y)) @ (losses + 0.5 * (active(X) @ penalty_of_feature)))


def class_objective_gradients(X, y, w0, w, V, U, weights=None, l2_linear=0.0, l2_factors=0.0):
    """Differentiate `class_objective` with respect to w0, w, V and U.

    With e_rc = a_r (p_rc - [c = y_r]), S = X V, P = (S * S - (X * X) (V * V)) / 2 and G = e U:

    dw0 = sum_r e_r,   dw = X' e,   dU = e' P,   dV = X' (G * S) - ((X * X)' G) * V

    Parameters
    ----------
    X, y, w0, w, V, U, weights, l2_linear, l2_factors
        As for `class_objective`.

    Returns
    -------
    tuple of ndarray
        dw0 (C,), dw (d, C), dV (d, k) and dU (C, k).

    """
    shares = _shares(weights, len(y))
    e = softmax(class_scores(X, w0, w, V, U))
    e[np.arange(len(y)), y] -= 1
    e *= shares[:, None]
    S, G = X @ V, e @ U
    P = (S * S - (X * X) @ (V * V)) / 2
    occurrence = active(X).T @ shares
    dV = X.T @ (G * S) - ((X * X).T @ G) * V
    dw = X.T @ e + (l2_linear * occurrence)[:, None] * w
    return e.sum(0), dw, dV + (l2_factors * occurrence)[:, None] * V, e.T @ P
