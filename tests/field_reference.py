"""Field-weighted and field-aware machines in plain NumPy, float64: the definition.

Symbols as in `reference`; besides, `fields` (d,) has the number of each feature's field, 0 to
F - 1, and R (F, F) is symmetric and has the weight of each pair of fields. Of field-aware machines
V is (d, F, k): V[i, b] are the factors of feature i for the features of field b.
"""

import numpy as np
from reference import LOSSES, _shares, active, adam_step

# --- field-weighted -----------------------------------------------------------------------------


def field_scores(X, fields, w0, w, V, R):
    """Score rows by the definition, a sum over all pairs of features.

    s(x) = w0 + sum_i w_i x_i + sum_{i<j} r_f(i)f(j) <v_i, v_j> x_i x_j

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Rows.
    fields : ndarray of int, shape (d,)
        Field of each feature.
    w0, w, V, R : float and ndarrays
        Parameters.

    Returns
    -------
    ndarray of shape (n,)

    """
    s = w0 + X @ w
    for i in range(X.shape[1]):
        for j in range(i + 1, X.shape[1]):
            s += R[fields[i], fields[j]] * np.dot(V[i], V[j]) * X[:, i] * X[:, j]
    return s


def field_objective(X, y, fields, w0, w, V, R, loss, weights=None, l2_linear=0.0, l2_factors=0.0):
    """Evaluate the objective of a batch; R is not penalised. See `objective`."""
    losses = LOSSES[loss].value(y, field_scores(X, fields, w0, w, V, R))
    penalty_of_feature = l2_linear * w**2 + l2_factors * (V**2).sum(axis=1)
    return float(_shares(weights, len(y)) @ (losses + 0.5 * (active(X) @ penalty_of_feature)))


def field_objective_gradients(
    X, y, fields, w0, w, V, R, loss, weights=None, l2_linear=0.0, l2_factors=0.0
):
    """Differentiate `field_objective` with respect to w0, w, V and R.

    With S_ra = sum_{i in a} v_i x_ri, and e_r the slope of row r times its share:

    dv_i = sum_r e_r x_ri (sum_b r_ab S_rb - r_aa v_i x_ri)  for a = f(i)
    dr_ab = sum_r e_r <S_ra, S_rb>,   dr_aa = sum_r e_r (|S_ra|^2 - sum_{i in a} |v_i|^2 x_ri^2) / 2

    Returns
    -------
    tuple
        dw0, dw (d,), dV (d, k) and dR (F, F), whose entries ab and ba are both the derivative with
        respect to the one parameter that they share.

    """
    shares = _shares(weights, len(y))
    e = shares * LOSSES[loss].slope(y, field_scores(X, fields, w0, w, V, R))
    in_field = np.eye(len(R))[fields]  # (d, F)
    S = np.einsum("ri,ia,if->raf", X, in_field, V)
    T = np.einsum("ab,rbf->raf", R, S)
    own = np.diag(R)[fields]
    dV = np.einsum("r,ri,rif->if", e, X, T[:, fields])
    dV -= ((X * X).T @ e * own)[:, None] * V
    dR = np.einsum("r,raf,rbf->ab", e, S, S)
    squares = (X * X) @ (in_field * (V * V).sum(axis=1)[:, None])
    dR[np.diag_indices(len(R))] = (np.diag(dR) - e @ squares) / 2
    occurrence = active(X).T @ shares
    return (
        e.sum(),
        X.T @ e + l2_linear * occurrence * w,
        dV + (l2_factors * occurrence)[:, None] * V,
        dR,
    )


# --- field-aware --------------------------------------------------------------------------------


def aware_scores(X, fields, w0, w, V):
    """Score rows by the definition, a sum over all pairs of features.

    s(x) = w0 + sum_i w_i x_i + sum_{i<j} <v_i,f(j), v_j,f(i)> x_i x_j
    """
    s = w0 + X @ w
    for i in range(X.shape[1]):
        for j in range(i + 1, X.shape[1]):
            s += np.dot(V[i, fields[j]], V[j, fields[i]]) * X[:, i] * X[:, j]
    return s


def aware_objective(X, y, fields, w0, w, V, loss, weights=None, l2_linear=0.0, l2_factors=0.0):
    """Evaluate the objective of a batch. See `objective`."""
    losses = LOSSES[loss].value(y, aware_scores(X, fields, w0, w, V))
    penalty_of_feature = l2_linear * w**2 + l2_factors * (V**2).sum(axis=(1, 2))
    return float(_shares(weights, len(y)) @ (losses + 0.5 * (active(X) @ penalty_of_feature)))


def aware_objective_gradients(
    X, y, fields, w0, w, V, loss, weights=None, l2_linear=0.0, l2_factors=0.0
):
    """Differentiate `aware_objective` with respect to w0, w and V, pair by pair."""
    shares = _shares(weights, len(y))
    e = shares * LOSSES[loss].slope(y, aware_scores(X, fields, w0, w, V))
    occurrence = active(X).T @ shares
    dV = (l2_factors * occurrence)[:, None, None] * V
    for i in range(X.shape[1]):
        for j in range(i + 1, X.shape[1]):
            slope = e @ (X[:, i] * X[:, j])
            dV[i, fields[j]] += slope * V[j, fields[i]]
            dV[j, fields[i]] += slope * V[i, fields[j]]
    return e.sum(), X.T @ e + l2_linear * occurrence * w, dV


# --- steps --------------------------------------------------------------------------------------


def reference_steps(
    X, y, start, objective, gradients, optimizer, weights=None, batch_size=20, learned=()
):
    """Make the steps of three epochs of batches in order.

    Parameters
    ----------
    X, y : ndarrays
        Rows and targets.
    start : tuple
        Parameters: w0, w and V, and others that every step changes.
    objective, gradients : callable
        Of (X, y, parameters, weights) of a batch: a number, and the gradient of each parameter with
        the penalties.
    optimizer : Adam or AdaGrad
        What makes the steps.
    weights : ndarray, optional
        Weights of the rows.
    batch_size : int
        Rows of a batch.
    learned : tuple of ndarray of bool
        Which numbers of each of the other parameters change.

    Returns
    -------
    tuple
        The list of parameters, and the loss of each epoch.

    """
    parameters = [np.array(part, np.float64) for part in start]
    moments = [
        [np.full_like(part, value) for value in optimizer._moment_starts] for part in parameters
    ]
    losses, t = [], 0
    for _ in range(3):
        total = 0.0
        for begin in range(0, len(y), batch_size):
            part = slice(begin, begin + batch_size)
            r = None if weights is None else weights[part]
            batch = X[part], y[part], parameters, r
            total += (len(y[part]) if r is None else r.sum()) * objective(*batch)
            t += 1
            lazy = getattr(optimizer, "updates", None) == "lazy"
            touched = np.flatnonzero(X[part].any(axis=0)) if lazy else ...
            places = (..., touched, touched, *learned)
            for theta, gradient, m, where in zip(
                parameters, gradients(*batch), moments, places, strict=True
            ):
                g = np.asarray(gradient)[where]
                old, more = theta[where], [moment[where] for moment in m]
                if len(m) == 1:  # AdaGrad
                    more[0] = more[0] + (len(y[part]) * g) ** 2
                    old = old - optimizer.learning_rate * len(y[part]) * g / np.sqrt(more[0])
                else:
                    rates = (optimizer.learning_rate, 0.9, 0.999, optimizer.epsilon)
                    adam_step(old, g, *more, t, *rates)
                theta[where] = old
                for moment, value in zip(m, more, strict=True):
                    moment[where] = value
        losses.append(total / (len(y) if weights is None else weights.sum()))
    return parameters, losses
