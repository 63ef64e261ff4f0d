"""The strongest pairs of features."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from sparsefm.data.csr import as_csr, as_scipy
from sparsefm.data.validation import check_integer
from sparsefm.interaction import PAIRS_AT_ONCE, Interaction
from sparsefm.model import Model

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Interactions:
    """Pairs of features, strongest first; each attribute is an array of shape (n_pairs,).

    Attributes
    ----------
    first, second : ndarray of int
        Columns i < j.
    weight : ndarray of float
        What the pair adds to the score where both features are 1: ``<v_i, v_j>``, times the weight
        of their fields if there is one; of a field-aware model, the product of the factors of each
        for the field of the other.
    share : ndarray of float
        Share of the rows that have both features.
    strength : ndarray of float
        Standard deviation, over the rows, of what the pair adds to the score and neither feature
        could add alone.
    """

    first: npt.NDArray[np.int32]
    second: npt.NDArray[np.int32]
    weight: npt.NDArray[np.float64]
    share: npt.NDArray[np.float64]
    strength: npt.NDArray[np.float64]

    def arrays(self) -> tuple[Array, ...]:
        """Return the attributes in their order."""
        return self.first, self.second, self.weight, self.share, self.strength


def strongest_interactions(model: Model, X: Any, top: int = 20) -> Interactions:
    r"""Return the pairs of features whose interactions change the scores of `X` most.

    A pair adds :math:`\langle v_i, v_j \rangle x_i x_j` to the score of a row. The part of it that
    is linear in :math:`x_i` and :math:`x_j` is not an interaction: if two features always occur
    together, the pair carries the same information as one of them. Pairs are ranked by the standard
    deviation of the rest: the residual of regressing :math:`x_i x_j` on :math:`1, x_i, x_j`.

    Parameters
    ----------
    model : Model
    X : sparse matrix, sparse array or array-like of shape (n, d)
        The time is O(sum of squared row lengths).
    top : int
        Number of pairs; there are fewer if fewer occur.
    """
    checked = as_csr(X, model.dtype, n_features=model.n_features)
    interaction = model._interaction()
    return rank_pairs(interaction.vectors(model.V), as_scipy(checked), top, interaction)


def rank_pairs(
    V: Array,
    X: sp.csr_matrix,
    top: int,
    interaction: Interaction,
    *,
    within_fields: bool = True,
) -> Interactions:
    """Return the `top` strongest pairs of factors `V` (d, k) or (d, F, k) on the rows `X` (n, d).

    See `strongest_interactions`. `X` is of float64, without duplicates or stored zeros. Pairs of
    features of one field, such as the knots of a spline, can be left out.
    """
    check_integer(top, "top", 1)
    found = [(np.empty(0, np.int32), np.empty(0, np.int32), *np.empty((3, 0)))]
    if V.shape[-1] and X.shape[0]:
        products = _Products(X)
        for begin, end in products.blocks():
            pairs = products.statistics(begin, end)
            if not within_fields:
                fields = interaction.fields
                between = fields[pairs[0]] != fields[pairs[1]]
                pairs = tuple(column[between] for column in pairs)
            i, j, share, residual = pairs
            weight = interaction.pair_weights(V, i, j)
            found.append((i, j, weight, share, np.abs(weight) * np.sqrt(residual)))
            found = [_strongest(found, top)]  # the rest is dropped, to bound memory
    return Interactions(*_strongest(found, top))


def _strongest(found: list[tuple[Array, ...]], top: int) -> tuple[Array, ...]:
    """Join columns of pairs and keep the pairs of greatest strength, the last column."""
    columns = [np.concatenate(parts) for parts in zip(*found, strict=True)]
    best = np.argsort(-columns[-1], kind="stable")[:top]  # ties stay in order
    return tuple(column[best] for column in columns)


class _Products:
    """Means, over the rows, of products of two features, for the pairs that occur."""

    def __init__(self, X: sp.csr_matrix) -> None:
        self.n_rows, self.n_features = X.shape
        self.ones = bool((X.data == 1).all())
        self.X = X
        self.square = X if self.ones else _with_data(X, X.data**2)
        self.present = X if self.ones else _with_data(X, np.ones(X.nnz))
        self.mean = np.asarray(X.mean(axis=0)).ravel()
        self.variance = np.asarray(self.square.mean(axis=0)).ravel() - self.mean**2
        self.X_t = X.T.tocsr()  # the rows of each feature
        self.square_t = self.X_t if self.ones else self.square.T.tocsr()
        self.present_t = self.X_t if self.ones else self.present.T.tocsr()

    def blocks(self) -> Iterator[tuple[int, int]]:
        """Divide the features into ranges with about `PAIRS_AT_ONCE` pairs each."""
        lengths = np.diff(self.X.indptr)
        pairs = self.present_t @ lengths.astype(np.float64)
        block = np.cumsum(np.minimum(pairs, self.n_features)) // PAIRS_AT_ONCE
        edges = [0, *(np.flatnonzero(np.diff(block)) + 1).tolist(), self.n_features]
        return pairwise(edges)

    def statistics(self, begin: int, end: int) -> tuple[Array, Array, Array, Array]:
        """Return statistics of the pairs i < j, begin <= i < end, that occur in a row.

        Returns
        -------
        i, j : ndarray of int
        share : ndarray of float
            Share of the rows that have both.
        residual : ndarray of float
            Residual variance of x_i x_j given x_i and x_j.
        """
        # Sums of products can cancel, counts cannot: only counts show which pairs occur.
        counts = sp.triu(self.present_t[begin:end] @ self.present, k=begin + 1, format="csr")
        counts.sort_indices()
        pairs = counts.tocoo()
        rows, j = pairs.row, pairs.col
        share: Array = pairs.data / self.n_rows
        i = rows + begin

        def mean(left_t: sp.csr_matrix, right: sp.csr_matrix) -> Array:
            if self.ones or not len(share):
                return share
            products = left_t[begin:end] @ right
            products.sort_indices()
            means: Array = np.asarray(products[rows, j]).ravel() / self.n_rows
            return means

        product = mean(self.X_t, self.X)
        covariance = product - self.mean[i] * self.mean[j]
        with_i = mean(self.square_t, self.X) - product * self.mean[i]  # cov(x_i x_j, x_i)
        with_j = mean(self.X_t, self.square) - product * self.mean[j]
        total = mean(self.square_t, self.square) - product**2

        var_i, var_j = self.variance[i], self.variance[j]
        determinant = var_i * var_j - covariance**2
        regular = determinant > 1e-9 * var_i * var_j  # else one determines the other
        both = with_i**2 * var_j - 2 * with_i * with_j * covariance + with_j**2 * var_i
        explained = np.where(regular, both / np.where(regular, determinant, 1), total)
        return i, j, share, np.maximum(total - explained, 0)


def _with_data(X: sp.csr_matrix, data: Array) -> sp.csr_matrix:
    return sp.csr_matrix((data, X.indices, X.indptr), X.shape)
