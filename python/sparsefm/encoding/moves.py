"""How features of numbers that follow a stream relate to what they were."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sparsefm.encoding.columns import Encoding
from sparsefm.encoding.dates import Calendar
from sparsefm.encoding.following import line
from sparsefm.encoding.numeric import Number

MOST = 10.0  # standard deviations before, that one of now may be

Move = tuple[int, int, float, float]


def moves(before: Sequence[Encoding], after: Sequence[Encoding]) -> list[Move]:
    """Return what changed: each a feature, that of missing values, and a factor and an offset.

    The old value is the factor times the new one, plus the offset.
    """
    return [
        (new.column, new.missing, *_near(*_line(old, new)))
        for old, new in zip(map(_number, before), map(_number, after), strict=False)
        if old is not None and new is not None
        if old.std > 0 and new.std > 0 and _statistics(old) != _statistics(new)
    ]


def _near(factor: float, offset: float) -> tuple[float, float]:
    """Return factor and offset, or zeros where what was learned would be stretched too far.

    A slope of numbers between 0 and 1 says nothing of numbers around 300, and so large a weight is
    never unlearned.
    """
    near = 0 < factor < MOST and abs(offset) < MOST
    return (factor, offset) if near else (0.0, 0.0)


def _number(encoding: Encoding) -> Number | None:
    """Return the standardised feature of a column, if it has one."""
    if isinstance(encoding, Calendar) and encoding.linear is not None:
        return replace(encoding.linear, missing=encoding.missing)
    return encoding if isinstance(encoding, Number) else None


def _moments(number: Number) -> tuple[int, float, float]:
    return number.exponent, number.mean, number.std


def _statistics(number: Number) -> tuple[float, ...]:
    return *_moments(number), number.low, number.high


def _line(old: Number, new: Number) -> tuple[float, float]:
    """Return factor and offset; where there is no such line, the one with the least squares.

    There is none where the old encoding clips what the new one does not. Where units differ wildly,
    both are zero: the feature begins anew.
    """
    widened = new.low < old.low or new.high > old.high
    if old.is_binary or not widened or new.followed is None:
        points = np.array([0.0, 1.0])
        if not old.is_binary or type(new) is Number:
            return line(_moments(old), _moments(new))
        zero, one = new.deviations(points)
        if one - zero < 1e-12:  # of numbers so large that 0 and 1 are the same
            return 0.0, 0.0
        return float(1 / (one - zero)), float(-zero / (one - zero))
    sample = new.followed.sample
    x, y = new.standardised(sample.values), old.standardised(sample.values)
    share = sample.weights / sample.weights.sum()
    mean_x, mean_y = share @ x, share @ y
    factor = share @ ((x - mean_x) * (y - mean_y)) / (share @ (x - mean_x) ** 2)
    return float(factor), float(mean_y - factor * mean_x)
