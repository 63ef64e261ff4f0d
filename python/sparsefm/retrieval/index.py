"""Exact search for the items with the highest scores."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from sparsefm import _core

Array = npt.NDArray[Any]
Numbers = npt.NDArray[np.int64]

NONE = -1  # the number of no item


class ItemIndex:
    """Items, laid out for the search.

    The score of item i for a query q is ``biases[i] + vectors[i] @ q``.

    Parameters
    ----------
    n_items, width : int
        How many items there are, and the dimension D of their vectors.
    dtype : float32 or float64
        Of the arithmetic.
    parts : iterable of (vectors, biases)
        Arrays of shape (m, D) and (m,), of all items in their order.
    """

    def __init__(
        self, n_items: int, width: int, dtype: Any, parts: Iterable[tuple[Array, Array]]
    ) -> None:
        lanes = _core.item_lanes
        self.n_items = n_items
        self._blocks = np.zeros((-(-n_items // lanes), 1 + width, lanes), dtype)
        begin = 0
        for vectors, biases in parts:
            block, lane = np.divmod(np.arange(begin, begin + len(biases)), lanes)
            with np.errstate(over="ignore"):
                self._blocks[block, 0, lane] = biases
                self._blocks[block, 1:, lane] = vectors
            begin += len(biases)
        if not np.isfinite(self._blocks).all():
            raise ValueError(f"what items add to a score is too large for {np.dtype(dtype)}")
        if n_items % lanes:
            self._blocks[-1, 0, n_items % lanes :] = -np.inf  # they never win

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the arithmetic."""
        return np.dtype(self._blocks.dtype)

    def vectors(self, numbers: Numbers | None = None) -> Array:
        """Return the vectors of some items or all, and last what each adds, shape (m, D + 1)."""
        wanted = np.arange(self.n_items) if numbers is None else numbers
        block, lane = np.divmod(wanted, _core.item_lanes)
        return np.roll(self._blocks[block, :, lane], -1, axis=1)

    def among(self, numbers: Numbers) -> ItemIndex:
        """Return an index of some items."""
        vectors = self.vectors(numbers)
        parts = [(vectors[:, :-1], vectors[:, -1])]
        return ItemIndex(len(numbers), vectors.shape[1] - 1, vectors.dtype, parts)

    def search(
        self, queries: Array, top: int, excluded: sp.csr_matrix | None = None, threads: int = 1
    ) -> tuple[Numbers, Array]:
        """Return the numbers of the best items of each query, the best first, and their scores.

        Of equal scores the lower number is better. The bits do not depend on other queries.

        Parameters
        ----------
        queries : ndarray of shape (m, D)
        top : int
        excluded : csr_matrix of shape (m, n), optional
            The items that a query must not get are its entries.
        threads : int

        Returns
        -------
        numbers : ndarray of int64, shape (m, top)
            `NONE` where there are no more items.
        scores : ndarray of shape (m, top)

        Raises
        ------
        ValueError
            If a score is too large for the type of the arithmetic.
        """
        dtype = self._blocks.dtype
        with np.errstate(over="ignore"):
            queries = np.ascontiguousarray(queries, dtype)
        shape = len(queries), top
        numbers, scores = np.empty(shape, np.int64), np.empty(shape, dtype)
        offsets, never = np.zeros(len(queries) + 1, np.int64), np.zeros(0, np.int32)
        if excluded is not None:
            excluded.sum_duplicates()  # which sorts
            offsets, never = excluded.indptr.astype(np.int64), excluded.indices.astype(np.int32)
        _core.top_items(numbers, scores, self._blocks, queries, offsets, never, threads)
        found = numbers != NONE
        there = np.minimum(top, self.n_items - np.diff(offsets))
        if (found.sum(axis=1) != there).any() or not np.isfinite(scores[found]).all():
            raise ValueError(f"contexts have a score that is too large for {dtype}")
        return numbers, scores
