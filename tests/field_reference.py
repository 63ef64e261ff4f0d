"""Field-weighted factorization machines in plain NumPy, float64: the definition.

Symbols as in `reference`; besides, `fields` (d,) has the number of each feature's field, 0 to
F - 1, and R (F, F) is symmetric and has the weight of each pair of fields.
"""

import numpy as np
from reference import LOSSES, _shares, active


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
        dV + l2_factors * occurrence[:, None] * V,
        dR,
    )
