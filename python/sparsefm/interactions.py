"""Which pairs of features matter."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from sparsefm.inputs import check_integer
from sparsefm.matrices import as_csr
from sparsefm.model import Model

PAIRS_AT_ONCE = 1 << 20  # bounds temporary copies of factors


@dataclass(frozen=True, eq=False)
class Interactions:
    """Pairs of features, strongest first; each attribute is an array of shape (n_pairs,).

    Attributes
    ----------
    first, second : ndarray of int
        Columns i < j.
    weight : ndarray of float
        ``<v_i, v_j>``: what the pair adds to the score where both features are 1.
    share : ndarray of float
        Share of the rows that have both.
    strength : ndarray of float
        Standard deviation, over the rows, of what the pair adds to the score and neither feature
        could add alone.
    """

    first: npt.NDArray[np.int32]
    second: npt.NDArray[np.int32]
    weight: npt.NDArray[np.float64]
    share: npt.NDArray[np.float64]
    strength: npt.NDArray[np.float64]


def strongest_interactions(model: Model, X: Any, top: int = 20) -> Interactions:
    r"""Return the pairs of features whose interaction moves the scores of `X` most.

    What a pair adds to a row's score is :math:`\langle v_i, v_j \rangle x_i x_j`. Of that, the part
    that is linear in :math:`x_i` and :math:`x_j` is no interaction: a pair that always occurs
    together says no more than one of the two. Pairs are ranked by the standard deviation of the
    rest, that is of the residual of regressing :math:`x_i x_j` on :math:`1, x_i, x_j`.

    Parameters
    ----------
    model : Model
    X : sparse matrix, sparse array or array-like of shape (n, d)
        Costs O(sum of squared row lengths) time, and memory for each pair that occurs.
    top : int
        How many pairs.
    """
    check_integer(top, "top", 1)
    checked = as_csr(X, model.dtype, n_features=model.n_features)
    values = np.ones(checked.n_nonzeros) if checked.values is None else checked.values
    matrix = sp.csr_matrix(
        (values, checked.indices, checked.indptr),
        (checked.n_rows, checked.n_features),
        dtype=np.float64,
    )
    i, j, share, residual = _pair_statistics(matrix)
    weight = _pair_weights(model.V, i, j)
    strength = np.abs(weight) * np.sqrt(residual)
    best = np.argsort(-strength, kind="stable")[:top]
    return Interactions(i[best], j[best], weight[best], share[best], strength[best])


def _pair_statistics(
    X: sp.csr_matrix,
) -> tuple[
    npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.float64], npt.NDArray[np.float64]
]:
    """Return the pairs i < j that occur, and for each its share of the rows and a variance.

    That is the residual variance of x_i x_j given x_i and x_j.
    """
    square = X if (X.data == 1).all() else X.multiply(X).tocsr()
    pairs = _mean_products(X, X)
    i, j, mean = pairs.row, pairs.col, pairs.data
    mu = np.asarray(X.mean(axis=0)).ravel()
    variance = np.asarray(square.mean(axis=0)).ravel() - mu**2
    var_i, var_j = variance[i], variance[j]
    covariance = mean - mu[i] * mu[j]
    if square is X:
        mean_i, mean_j, mean_square, share = mean, mean, mean, mean
    else:  # the same pairs, in the same order
        mean_i = _mean_products(square, X).data
        mean_j = _mean_products(X, square).data
        mean_square = _mean_products(square, square).data
        present = (X != 0).astype(np.float64)
        share = _mean_products(present, present).data
    with_i = mean_i - mean * mu[i]  # cov(x_i x_j, x_i)
    with_j = mean_j - mean * mu[j]
    total = mean_square - mean**2

    determinant = var_i * var_j - covariance**2
    regular = determinant > 1e-9 * var_i * var_j  # else one of the two says what the other does
    both = with_i**2 * var_j - 2 * with_i * with_j * covariance + with_j**2 * var_i
    explained = np.where(regular, both / np.where(regular, determinant, 1), total)
    return i, j, share, np.maximum(total - explained, 0)


def _mean_products(left: sp.csr_matrix, right: sp.csr_matrix) -> sp.coo_matrix:
    """Return the mean over the rows of left_i right_j, for i < j."""
    products = sp.triu(left.T @ right, k=1, format="csr")
    products.sort_indices()
    return products.tocoo() / max(left.shape[0], 1)


def _pair_weights(
    V: npt.NDArray[Any], first: npt.NDArray[Any], second: npt.NDArray[Any]
) -> npt.NDArray[np.float64]:
    """Return <v_i, v_j> for each pair."""
    weights = np.empty(len(first))
    for begin in range(0, len(first), PAIRS_AT_ONCE):
        part = slice(begin, begin + PAIRS_AT_ONCE)
        weights[part] = np.einsum("pf,pf->p", V[first[part]], V[second[part]])
    return weights
