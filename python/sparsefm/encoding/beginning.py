"""Which encoding a column of numbers begins with, and what more rows make of one that waits."""

from dataclasses import replace

import numpy as np

from sparsefm.data.distinct import distinct_values
from sparsefm.encoding.columns import Encoding, Values
from sparsefm.encoding.intervals import Bins, Spline
from sparsefm.encoding.numeric import ENOUGH_ROWS, Logarithm, Number
from sparsefm.encoding.statistics import LARGEST, Distribution
from sparsefm.encoding.tables import Numbers

AnyNumber = Number | Bins | Spline


def begin(
    column: Numbers, weights: Values | None, first: int, kind: str, n_bins: int, *, clip: bool
) -> AnyNumber:
    """Return an encoding for a column, output columns from `first` on; `grown` completes it.

    Parameters
    ----------
    column : Numbers
    weights : ndarray of float64, shape (n,), optional
    first : int
    kind : {"standardize", "log", "bin", "spline"}
    n_bins : int
        Into how many intervals bins and knots divide the numbers.
    clip : bool
        Whether values far out are brought nearer before they are standardised.
    """
    distribution = Distribution.of(column.values, weights)
    if set(distribution.values[:2].tolist()) != {1.0} and len(distribution.values) < 2:
        return _waiting(distribution, first, clip=clip)
    return _of_kind(distribution, first, first + 1, kind, n_bins, clip=clip)


def followed(
    encoding: Encoding, column: Numbers, weights: Values | None, kind: str = "standardize"
) -> Encoding:
    """Return an encoding of the first rows of a stream, which will follow those to come.

    Bins and knots cannot. If there are few rows, a column of that kind waits for more.
    """
    present = ~np.isnan(column.values)
    values = column.values[present]
    weights = None if weights is None else weights[present]
    if isinstance(encoding, Bins | Spline) and len(values) < ENOUGH_ROWS:
        return Number(encoding.first, std=0.0, seen=tuple(np.sort(values).tolist()))
    if not isinstance(encoding, Number) or encoding.is_waiting:
        return encoding
    if encoding.is_binary and kind in ("bin", "spline") and len(values) < ENOUGH_ROWS:
        return replace(encoding, std=0.0, seen=tuple(distinct_values(values).tolist()))
    return _following(encoding, Distribution.of(values, weights), len(values))


def awakened(
    waiting: Number,
    values: Values,
    weights: Values | None,
    kind: str,
    end: int,
    n_bins: int,
    *,
    clip: bool,
) -> Encoding:
    """Return the encoding that more rows make of one that is waiting, once there are enough.

    Further output columns of bins and splines are those from `end` on.
    """
    present = ~np.isnan(values)
    weights = np.ones(len(values)) if weights is None else weights
    together = np.concatenate([waiting.seen, values[present]])
    weights = np.concatenate([np.ones(len(waiting.seen)), weights[present]])
    distribution = Distribution.of(together, weights)
    if len(together) < ENOUGH_ROWS or len(distribution.values) < 2:
        std = 0.0 if distribution.values.any() else waiting.std  # nothing is learned meanwhile
        return replace(waiting, std=std, seen=tuple(together[:ENOUGH_ROWS].tolist()))
    new = _of_kind(distribution, waiting.column, end, kind, n_bins, clip=clip)
    new = replace(new, missing=waiting.missing)
    return _following(new, distribution, len(together))


def _of_kind(
    distribution: Distribution, first: int, rest: int, kind: str, n_bins: int, *, clip: bool
) -> AnyNumber:
    """Return an encoding of at least two values, or of ones."""
    if distribution.is_binary:
        return Number(first)
    if kind in ("standardize", "auto"):
        return Number.fitted(distribution, first, clip=clip)
    if kind == "log":
        return Logarithm.fitted(distribution, first, clip=clip)
    if kind == "bin":
        return Bins(first, distribution.quantiles(n_bins), rest=rest)
    return Spline(first, distribution.knots(n_bins), rest=rest)


def _waiting(distribution: Distribution, first: int, *, clip: bool) -> Number:
    """Return the encoding of a column that has one value, which has no deviation, or none."""
    begun = Number(first)  # of zeros, which are nothing
    if not distribution.is_binary:
        begun = Number.fitted(distribution, first, clip=clip)
    return replace(begun, seen=tuple(distribution.values.tolist()))


def _following(encoding: Encoding, first: Distribution, n_rows: int) -> Encoding:
    if not isinstance(encoding, Number) or encoding.is_waiting:
        return encoding
    return encoding.begin_following(first, n_rows)


def is_plain(encoding: Encoding) -> bool:
    """Return whether different numbers are different, however far out they are."""
    return type(encoding) is Number and encoding.low == -LARGEST
