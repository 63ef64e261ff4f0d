"""Numbers as several features: in bins, or between the knots of a spline."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

from sparsefm.encoding.columns import (
    NOTHING,
    UNKNOWN,
    Codes,
    Spans,
    Values,
    as_numbers,
    grown_missing,
    missing_name,
    text,
    with_missing,
)
from sparsefm.encoding.tables import Column


@dataclass(frozen=True, eq=False)
class Bins:
    """One output column for each interval of a number, and for missing values if there were any.

    Attributes
    ----------
    first : int
        The output column of numbers below ``edges[0]``.
    edges : ndarray of float64
        Each begins an interval, which it belongs to.
    missing : int
    rest : int
        The output column of numbers from ``edges[0]`` on, before those of the other intervals.
    """

    n_entries: ClassVar[int] = 1

    first: int
    edges: Values
    missing: int = UNKNOWN
    rest: int = UNKNOWN

    def __post_init__(self) -> None:
        _set_rest(self)

    @property
    def n_outputs(self) -> int:
        """How many output columns there are."""
        return len(self.edges) + 1 + (self.missing != UNKNOWN)

    def spans(self) -> Spans:
        """Return the span of the intervals."""
        return _spans(self, len(self.edges) + 1)

    def names(self, name: str) -> Iterator[tuple[int, str]]:
        """Yield ``name in [a, b)``."""
        edges = ["-inf", *map(text, self.edges.tolist()), "inf"]
        for bin in range(len(edges) - 1):
            interval = f"{name} in [{edges[bin]}, {edges[bin + 1]})"
            yield self.first if bin == 0 else self.rest + bin - 1, interval
        yield from missing_name(self.missing, name)

    def grown(self, column: Column, name: str, end: int) -> "Bins":
        """Learn that values may be missing."""
        return _grown(self, column, name, end)

    def encode(self, column: Column, name: str) -> tuple[Codes, None]:
        """Find the interval of each number."""
        numbers = as_numbers(column, name).values
        bins = _at(self, np.searchsorted(self.edges, numbers, side="right"))
        return np.where(np.isnan(numbers), self.missing, bins).astype(np.int32), None


@dataclass(frozen=True, eq=False)
class Spline:
    """Piecewise linear functions of a number: one output column for each knot.

    The value of a knot's column is 1 at the knot, falls linearly to 0 at the knots beside it, and
    is 0 beyond them. So at most two adjacent columns are not zero, and their values add up to 1.
    Beyond the outer knots the outer column is 1.

    Attributes
    ----------
    first : int
        The output column of ``knots[0]``.
    knots : ndarray of float64
        At least two, ascending.
    missing : int
    rest : int
        The output column of ``knots[1]``, before those of the knots after it.
    """

    n_entries: ClassVar[int] = 2

    first: int
    knots: Values
    missing: int = UNKNOWN
    rest: int = UNKNOWN

    def __post_init__(self) -> None:
        _set_rest(self)

    @property
    def n_outputs(self) -> int:
        """How many output columns there are."""
        return len(self.knots) + (self.missing != UNKNOWN)

    def spans(self) -> Spans:
        """Return the span of the knots."""
        return _spans(self, len(self.knots))

    def names(self, name: str) -> Iterator[tuple[int, str]]:
        """Yield ``name@knot``."""
        for place, knot in enumerate(self.knots.tolist()):
            yield self.first if place == 0 else self.rest + place - 1, f"{name}@{text(knot)}"
        yield from missing_name(self.missing, name)

    def grown(self, column: Column, name: str, end: int) -> "Spline":
        """Learn that values may be missing."""
        return _grown(self, column, name, end)

    def encode(self, column: Column, name: str) -> tuple[Codes, Values]:
        """Return the knots on either side of each number, and how near it is to each."""
        numbers = as_numbers(column, name).values
        places = np.searchsorted(self.knots[1:-1], numbers, side="right")
        with np.errstate(over="ignore"):  # the width of an interval may be too large for float64
            units = np.where(np.isinf(np.diff(self.knots)), 0.5, 1.0)
        begins, widths = self.knots[:-1] * units, self.knots[1:] * units - self.knots[:-1] * units
        inside = np.minimum(np.maximum(numbers, self.knots[0]), self.knots[-1])
        values = np.empty((len(numbers), 2))
        values[:, 1] = (inside * units[places] - begins[places]) / widths[places]
        values[:, 0] = 1 - values[:, 1]
        columns = np.empty(values.shape, np.int32)
        columns[:, 0], columns[:, 1] = _at(self, places), _at(self, places + 1)
        missing = np.isnan(numbers)
        if missing.any():
            columns[missing], values[missing] = (self.missing, NOTHING), (1, 0)
        return columns, values


def places_of(encoding: Bins | Spline, columns: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Return the numbers of the intervals or knots of output columns."""
    columns = np.asarray(columns)
    return np.where(columns == encoding.first, 0, columns - encoding.rest + 1)


def _set_rest(encoding: Bins | Spline) -> None:
    """Put the output columns side by side, unless they were begun later than the first."""
    if encoding.rest == UNKNOWN:
        object.__setattr__(encoding, "rest", encoding.first + 1)


def _at(encoding: Bins | Spline, places: npt.NDArray[np.integer]) -> Codes:
    """Return the output columns of intervals or knots."""
    return np.where(places == 0, encoding.first, encoding.rest - 1 + places)


def _spans(encoding: Bins | Spline, n_columns: int) -> Spans:
    """Return the spans of the output columns, one if they are side by side."""
    first, rest = encoding.first, encoding.rest
    spans = [[first, rest - 1 + n_columns]]
    if rest != first + 1:
        spans = [[first, first + 1], [rest, rest - 1 + n_columns]]
    return with_missing(np.array(spans[: 1 + (n_columns > 1)]), encoding.missing)


Intervals = TypeVar("Intervals", Bins, Spline)


def _grown(encoding: Intervals, column: Column, name: str, end: int) -> Intervals:
    missing = grown_missing(encoding.missing, np.isnan(as_numbers(column, name).values), end)
    return encoding if missing == encoding.missing else replace(encoding, missing=missing)
