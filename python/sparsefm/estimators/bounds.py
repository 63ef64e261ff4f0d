"""The range that predicted numbers are clipped to."""

from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.data.distinct import distinct_values
from sparsefm.data.validation import check_real

MOST_LEVELS = 32
UNBOUNDED = (-np.inf, np.inf)
OFF_STEP = 1e-3  # of a step: what rounding may move a level


def check_bounds(bounds: Any) -> tuple[float, float] | None:
    """Return the parameter `bounds` as two numbers, or None for "auto"."""
    if bounds is None:
        return UNBOUNDED
    if isinstance(bounds, str) and bounds == "auto":
        return None
    if not isinstance(bounds, tuple | list) or len(bounds) != 2:
        raise TypeError(f"bounds must be a tuple (low, high), 'auto' or None, got {bounds!r:.80}")
    low, high = (
        free if _is_free(bound, free) else check_real(bound, "each of bounds", least=-np.inf)
        for bound, free in zip(bounds, UNBOUNDED, strict=True)
    )
    if not low < high:
        raise ValueError(f"bounds must be (low, high) with low < high, got {bounds}")
    return float(low), float(high)


def _is_free(bound: Any, free: float) -> bool:
    return bound is None or (isinstance(bound, Real) and bound == free)


def levels_of(y: npt.NDArray[np.float64]) -> tuple[float, ...]:
    """Return the different values, in ascending order, if they are few and in even steps.

    They are at most 32, and lie at whole multiples of one step from each other, as ratings and
    counts do; else the result is empty. How often a value occurs does not matter, so a row of
    weight 2 counts as the row twice. Without the steps any few rows would be few values.
    """
    if len(distinct_values(y[:1000])) > MOST_LEVELS:  # far less to sort
        return ()
    levels = distinct_values(y)
    if len(levels) > MOST_LEVELS:
        return ()
    if len(levels) > 1:
        with np.errstate(over="ignore", invalid="ignore"):
            gaps = np.diff(levels)
            steps = gaps / gaps.min()
            even = np.abs(steps - np.rint(steps)) <= OFF_STEP  # False for NaN
        if not even.all():
            return ()
    return tuple(levels.tolist())
