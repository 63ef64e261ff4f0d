"""Examples of one machine or several, in an order that depends on nothing but what they hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from sparsefm import _core
from sparsefm.data.csr import as_scipy
from sparsefm.data.dataset import Rows

Array = npt.NDArray[Any]
Keys = npt.NDArray[np.uint64]

TARGET_STEPS = 2.0**30  # to a standard deviation: finer differences are none
MOST_BITS = 25  # after the binary point, of weights that are counts times a power of two
NONZEROS_AT_ONCE = 1 << 20  # bounds temporary copies


class Encoded(sp.csr_matrix):  # type: ignore[misc]
    """Rows that the encoder has been through, for scorers: rows can be picked from them."""


@dataclass(frozen=True, eq=False)
class Examples:
    """Encoded rows with the targets of each machine.

    Attributes
    ----------
    rows : sequence of Rows
        One for each machine; they differ in nothing but `y`.
    y : ndarray of shape (n,)
        The user's targets.
    """

    rows: Sequence[Rows]
    y: Array

    @property
    def X(self) -> _core.Csr:
        """The encoded rows."""
        return self.rows[0].X

    @property
    def encoded(self) -> Encoded:
        """The encoded rows as SciPy's, which estimators predict without encoding them again."""
        return Encoded(as_scipy(self.X))

    @property
    def counted(self) -> npt.NDArray[np.int64]:
        """The rows that count."""
        return self.rows[0].counted

    def choose(self, places: npt.NDArray[np.int64]) -> Examples:
        """Return the same examples with only some to count, given by their places in `counted`."""
        rows = self.counted[np.sort(places)]
        return Examples([part.choose(rows) for part in self.rows], self.y)

    def take(self, places: npt.NDArray[np.int64]) -> Examples:
        """Return a copy of some examples, given by their places in `counted`."""
        rows = self.counted[np.sort(places)]
        first = self.rows[0].take(rows)
        return Examples(
            [Rows(first.X, part.y[rows], first.weights) for part in self.rows], self.y[rows]
        )

    def parts(
        self, n_parts: int, random: np.random.Generator, *, stratify: bool
    ) -> list[npt.NDArray[np.int64]]:
        """Divide the places of `counted` at random into parts of about equal size.

        Parameters
        ----------
        n_parts : int
        random : numpy.random.Generator
        stratify : bool
            Whether `y` are classes, to be as frequent in each part.
        """
        places = self._shuffled(random, stratify)
        return [places[part::n_parts] for part in range(n_parts)]

    def split(
        self, fraction: float, random: np.random.Generator, *, stratify: bool
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Divide the places of `counted` at random in two, of which the second is a fraction."""
        places = self._shuffled(random, stratify)
        n_second = min(max(round(fraction * len(places)), 1), len(places) - 1)
        second = np.linspace(0, len(places) - 1, n_second).astype(np.int64)
        return np.delete(places, second), places[second]

    def _shuffled(self, random: np.random.Generator, stratify: bool) -> npt.NDArray[np.int64]:
        places = random.permutation(len(self.counted))
        if not stratify:
            return places
        return places[np.argsort(self.y[self.counted[places]], kind="stable")]


def repetitions(weights: Array) -> npt.NDArray[np.int64]:
    """Return how often to take each merged row, so that steps and splits see rows as they came.

    As often as its weight says, in units of the largest number that divides all weights; but no
    more than some power of two times, such that the rows become no more than four times as many, or
    65,536. Once, if weights are no multiples of one number: then they are no counts.

    Parameters
    ----------
    weights : array of shape (n_merged,)
        Positive.
    """
    by_bits = (np.ldexp(weights, bits) for bits in range(MOST_BITS))
    scaled = next((w for w in by_bits if (w == np.rint(w)).all()), None)
    if scaled is None:
        return np.ones(len(weights), np.int64)
    counts = scaled.astype(np.int64)
    counts //= np.gcd.reduce(counts)
    limit = max(4 * len(counts), 1 << 16)
    caps = (1 << power for power in range(40, -1, -1))
    return next(few for few in (np.minimum(counts, cap) for cap in caps) if few.sum() <= limit)


def merge_repeated(rows: Rows) -> Rows:
    """Choose rows of which no two are the same, in an order that depends on what they hold alone.

    A row of weight 2 and the same row twice then train to the same bits, as scikit-learn asks of an
    estimator, and so do the rows in another order.

    Notes
    -----
    Rows count as the same if a hash of 64 bits is: among ten million rows two different ones are
    taken for the same with a probability of 3 in a million.
    """
    keys = _keys(rows.X, rows.y)
    counted = rows.counted
    by = (keys[counted],) if rows.weights is None else (rows.weights[counted], keys[counted])
    order = counted[np.lexsort(by)]  # weights too: their sum is rounded
    first = np.flatnonzero(np.diff(keys[order], prepend=~keys[order[:1]]))
    chosen = order[first]
    if rows.weights is None and len(chosen) == len(keys):
        return rows.choose(chosen)
    weights = np.ones(len(order)) if rows.weights is None else rows.weights[order]
    merged = np.zeros(len(keys))
    merged[chosen] = np.add.reduceat(weights.astype(np.float64), first)
    return Rows(rows.X, rows.y, merged, chosen)


def _keys(X: _core.Csr, y: Array) -> Keys:
    """Return a hash of each row, shape (n,)."""
    # Standardised targets differ in their last bits if the user's are shifted or scaled.
    keys = _mixed(np.rint(y.astype(np.float64) * TARGET_STEPS) + 0.0)  # + 0: no negative zero
    indptr = X.indptr.astype(np.int64, copy=False)
    begin = 0
    while begin < X.n_rows:
        end = int(np.searchsorted(indptr, indptr[begin] + NONZEROS_AT_ONCE, "right")) - 1
        end = min(max(end, begin + 1), X.n_rows)
        part = slice(indptr[begin], indptr[end])
        entries = _mixed(X.indices[part].astype(np.uint64) + np.uint64(1))  # 0 would stay 0
        values = np.ones(1) if X.values is None else X.values[part].astype(np.float64)
        entries = _mixed(entries ^ _mixed(values))
        sums = np.concatenate([[np.uint64(0)], np.cumsum(entries, dtype=np.uint64)])
        of_rows = indptr[begin : end + 1] - indptr[begin]
        keys[begin:end] += sums[of_rows[1:]] - sums[of_rows[:-1]]
        begin = end
    return _mixed(keys)


def _mixed(values: Array) -> Keys:
    """Scatter the bits of 64-bit numbers (the finaliser of MurmurHash3)."""
    bits: Keys = values.view(np.uint64).copy()
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        bits ^= bits >> np.uint64(33)
        bits *= np.uint64(factor)
    bits ^= bits >> np.uint64(33)
    return bits
