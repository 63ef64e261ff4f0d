"""Exact search for the items with the highest scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from sparsefm import _core

Array = npt.NDArray[Any]

NONE = -1  # the number of no item


class ItemIndex:
    """Items, laid out for the search.

    Parameters
    ----------
    vectors : ndarray of float32 or float64, shape (n, D)
    biases : ndarray of shape (n,)
        The score of item i for a query q is ``biases[i] + vectors[i] @ q``, in the type of the
        vectors.
    """

    def __init__(self, vectors: Array, biases: Array) -> None:
        n_items, width = vectors.shape
        lanes = _core.item_lanes
        filled = np.zeros((-(-n_items // lanes) * lanes, 1 + width), vectors.dtype)
        filled[:n_items, 0], filled[:n_items, 1:] = biases, vectors
        filled[n_items:, 0] = -np.inf
        if not np.isfinite(filled[:n_items]).all():
            raise ValueError("the vector of an item is not finite: train the model again")
        by_block = filled.reshape(-1, lanes, 1 + width)
        self._blocks = np.ascontiguousarray(by_block.swapaxes(1, 2))
        self.n_items = n_items

    def search(
        self, queries: Array, top: int, excluded: sp.csr_matrix | None = None, threads: int = 1
    ) -> tuple[npt.NDArray[np.int64], Array]:
        """Return the numbers of the best items of each query, the best first, and their scores.

        Of equal scores the lower number is better. The bits do not depend on other queries.

        Parameters
        ----------
        queries : ndarray of shape (m, D)
        top : int
        excluded : csr_matrix of shape (m, n), optional
            The items that a query must not get are its non-zeros.
        threads : int

        Returns
        -------
        numbers : ndarray of int64, shape (m, top)
            `NONE` where there are no more items.
        scores : ndarray of shape (m, top)
        """
        dtype = self._blocks.dtype
        queries = np.ascontiguousarray(queries, dtype)
        if not np.isfinite(queries).all():
            raise ValueError("the vector of a context is not finite: train the model again")
        shape = len(queries), top
        numbers, scores = np.empty(shape, np.int64), np.empty(shape, dtype)
        offsets, never = np.zeros(len(queries) + 1, np.int64), np.zeros(0, np.int32)
        if excluded is not None:
            excluded.sort_indices()
            offsets, never = excluded.indptr.astype(np.int64), excluded.indices.astype(np.int32)
        _core.top_items(numbers, scores, self._blocks, queries, offsets, never, threads)
        return numbers, scores
