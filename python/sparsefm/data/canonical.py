"""The canonical order of rows: it depends only on their content."""

from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm import _core

Array = npt.NDArray[Any]
Keys = npt.NDArray[np.uint64]

TARGET_STEPS = 2.0**30  # of a standard deviation; smaller differences are ignored
MOST_BITS = 25  # after the binary point, of weights that are counts times a power of two
FEW_ROWS = 1 << 16  # repeated rows may add up to so many, however few are different
NONZEROS_AT_ONCE = 1 << 20  # bounds temporary copies


def canonical_rows(
    X: _core.Csr, y: Array, weights: Array | None
) -> tuple[npt.NDArray[np.int64], Array | None]:
    """Return the rows to train on, in canonical order, and the weight of each.

    A row of weight 2 and the same row twice then give the same model, to the bit, as scikit-learn
    demands of an estimator. So do the same rows in another order.

    Parameters
    ----------
    X : Csr of shape (n, d)
    y : ndarray of shape (n,)
        Standardised targets, or codes of classes.
    weights : ndarray of shape (n,), optional

    Returns
    -------
    rows : ndarray of int64
        Rows of positive weight. If weights are counts, a row is repeated as often as it counts.
    weights : ndarray of shape (n,) or None
        The weight of each repetition of a row. None: one.

    Notes
    -----
    Rows are equal if their 64-bit hashes are. The probability that two different rows among ten
    million have the same hash is 3 in a million.
    """
    return canonical_order(row_keys(X, y), weights)


def canonical_order(
    keys: Keys, weights: Array | None
) -> tuple[npt.NDArray[np.int64], Array | None]:
    """Return what `canonical_rows` does, given the keys of rows, shape (n,)."""
    if weights is None:
        order = np.argsort(keys, kind="stable")
    else:
        counted = np.flatnonzero(weights > 0)
        order = counted[np.lexsort((weights[counted], keys[counted]))]  # to fix rounding
    first = np.flatnonzero(np.diff(keys[order], prepend=~keys[order[:1]]))
    if weights is None and len(order) <= most_rows(len(first)):
        counts = np.diff(first, append=len(order))
        if np.gcd.reduce(counts) == 1:  # always, except if every row occurs twice or more
            return order, None
    each = np.ones(len(order)) if weights is None else weights[order].astype(np.float64)
    totals = np.add.reduceat(each, first)
    again = repetitions(totals)
    shares = np.zeros(len(keys))
    shares[order[first]] = totals / again
    return np.repeat(order[first], again), shares


def most_rows(n_different: int) -> int:
    """Return the largest number of rows to train on, given the number of different rows."""
    return max(4 * n_different, FEW_ROWS)


def repetitions(weights: Array) -> npt.NDArray[np.int64]:
    """Return how often to repeat each different row, so that steps and splits see counts.

    A row is repeated as often as its weight says, in units of the largest number that divides all
    weights. The repetitions are limited to a power of two, such that there are at most `most_rows`
    rows. If the weights are not multiples of one number they are not counts: no row is repeated.

    Parameters
    ----------
    weights : array of shape (n_different,)
        Positive.
    """
    by_bits = (np.ldexp(weights, bits) for bits in range(MOST_BITS))
    scaled = next((w for w in by_bits if (w == np.rint(w)).all()), None)
    if scaled is None:
        return np.ones(len(weights), np.int64)
    counts = scaled.astype(np.int64)
    counts //= np.gcd.reduce(counts)
    limit = most_rows(len(counts))
    caps = (1 << power for power in range(40, -1, -1))
    return next(few for few in (np.minimum(counts, cap) for cap in caps) if few.sum() <= limit)


def row_keys(X: _core.Csr, y: Array) -> Keys:
    """Return a hash of each row and its target, shape (n,)."""
    # Standardised targets differ in their last bits if the user's targets are shifted or scaled.
    keys = mixed(_bits(np.rint(y.astype(np.float64) * TARGET_STEPS) + 0.0))  # no negative zero
    indptr = X.indptr.astype(np.int64, copy=False)
    begin = 0
    while begin < X.n_rows:
        end = int(np.searchsorted(indptr, indptr[begin] + NONZEROS_AT_ONCE, "right")) - 1
        end = min(max(end, begin + 1), X.n_rows)
        part = slice(indptr[begin], indptr[end])
        entries = mixed(X.indices[part].astype(np.uint64) + np.uint64(1))  # 0 would stay 0
        values = np.ones(1) if X.values is None else X.values[part].astype(np.float64)
        entries = mixed(entries ^ mixed(_bits(values)))
        sums = np.concatenate([[np.uint64(0)], np.cumsum(entries, dtype=np.uint64)])
        of_rows = indptr[begin : end + 1] - indptr[begin]
        keys[begin:end] += sums[of_rows[1:]] - sums[of_rows[:-1]]
        begin = end
    return mixed(keys)


def _bits(values: npt.NDArray[np.float64]) -> Keys:
    return values.view(np.uint64)


def mixed(bits: Keys) -> Keys:
    """Return 64-bit numbers with their bits scattered (the finaliser of MurmurHash3)."""
    bits = bits.copy()
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        bits ^= bits >> np.uint64(33)
        bits *= np.uint64(factor)
    bits ^= bits >> np.uint64(33)
    return bits
