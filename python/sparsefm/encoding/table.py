"""Tables, column by column, where the weights of lists may be in a column of their own."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from numbers import Real
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.encoding.dividing import read_divided
from sparsefm.encoding.names import Names
from sparsefm.encoding.tables import Column, Integers, Labels, Lists, is_missing

NO_WEIGHTS: Mapping[int, int] = MappingProxyType({})
NO_SEPARATORS: Mapping[int, str] = MappingProxyType({})
PLAIN_NUMBERS = frozenset({bool, int, float, *(np.dtype(code).type for code in "?bBhHiIlLqQefd")})
"""Types of which NumPy makes float64 in one call."""


@dataclass(frozen=True, eq=False)
class Parts:
    """A column of lists, with what is missing in them.

    Attributes
    ----------
    present : ndarray of bool, shape (n,)
        Which rows have a list.
    lengths : ndarray of int
        How many items each of these lists has.
    items : callable
        Returns the items of all lists, one after the other, as labels.
    values : callable
        Returns the same as Python has them, or as an array of numbers, NaN where missing.
    weights : ndarray of float64, optional
        Of the items, NaN where missing.
    """

    present: npt.NDArray[np.bool_]
    lengths: Integers
    items: Callable[[], Labels]
    values: Callable[[], Any]
    weights: npt.NDArray[np.float64] | None = None

    def joined(self) -> Lists:
        """Return the column."""
        return Lists.of(self.present, self.lengths, self.items(), self.weights)


@dataclass(frozen=True, eq=False)
class Table:
    """A table of one of the libraries, or of Python objects.

    Attributes
    ----------
    series : list
        The columns, as the library has them.
    names : Names or None
        Of the columns, if they have any.
    shape : (int, int)
    read_column : callable
        Returns numbers, labels, dates or lists for one of `series` and its name.
    read_parts : callable
        Returns the parts of a column of lists.
    """

    series: list[Any]
    names: Names | None
    shape: tuple[int, ...]
    read_column: Callable[[Any, str], Column]
    read_parts: Callable[[Any, str], Parts]

    def columns(
        self,
        names: list[str],
        weights: Mapping[int, int] = NO_WEIGHTS,
        separators: Mapping[int, str] = NO_SEPARATORS,
    ) -> Iterator[Column]:
        """Yield the columns, one at a time, except those that are weights.

        Parameters
        ----------
        names : list of str
            What errors call the columns.
        weights : mapping of int to int
            From the positions of columns of lists to those of the columns of their weights.
        separators : mapping of int to str
            What divides text into lists, in the columns at these positions.
        """
        skipped = set(weights.values())
        for position, (series, name) in enumerate(zip(self.series, names, strict=True)):
            if position in weights:
                own = weights[position]
                found = (self.read_parts(self.series[own], names[own]), names[own])
                yield aligned(self.read_parts(series, name), name, *found)
            elif position not in skipped:
                lists = None
                if position in separators:
                    lists = self._divided(series, name, separators[position])
                yield self.read_column(series, name) if lists is None else lists

    def only(self, row: int) -> "Table":
        """Return a table of one row."""
        series = [rows_of(one, row, row + 1) for one in self.series]
        return replace(self, series=series, shape=(1, self.shape[1]))

    def _divided(self, series: Any, name: str, separator: str) -> Lists | None:
        """Return a column of text as lists; None if it holds something else."""

        def read(begin: int, end: int) -> Column:
            return self.read_column(rows_of(series, begin, end), name)

        return read_divided(read, self.shape[0], separator)


def rows_of(series: Any, begin: int, end: int) -> Any:
    """Return some rows of a column of one of the libraries, not copied if it can be."""
    if hasattr(series, "iloc"):
        return series.iloc[begin:end]
    return series[begin:end]


def aligned(lists: Parts, name: str, weights: Parts, own: str) -> Lists:
    """Return lists with weights from another column, of the name `own`.

    Raises
    ------
    ValueError, TypeError
        If a list has not as many weights as items, or something else than numbers.
    """
    if lists.weights is not None or weights.weights is not None:
        both = name if lists.weights is not None else own
        raise TypeError(
            f"list_weights names column {both!r}, which holds weights beside its values: leave it "
            "out there"
        )
    differ = lists.present != weights.present
    if differ.any():
        row = int(np.argmax(differ))
        with_list, without = (name, own) if lists.present[row] else (own, name)
        raise ValueError(
            f"column {without!r} holds nothing (a missing value) in row {row}, where column "
            f"{with_list!r} holds a list: values and weights must be missing in the same rows"
        )
    rows = np.flatnonzero(lists.present)
    differ = lists.lengths != weights.lengths
    if differ.any():
        place = int(np.argmax(differ))
        raise ValueError(
            f"column {own!r} holds {weights.lengths[place]} weights in row {rows[place]}, where "
            f"column {name!r} holds {lists.lengths[place]} values: give each value one weight"
        )
    numbers = _as_weights(weights.values(), own, lambda place: _row_of(place, weights, rows))
    return Lists.of(lists.present, lists.lengths, lists.items(), numbers)


def _row_of(place: int, parts: Parts, rows: npt.NDArray[Any]) -> int:
    """Return the row of an item."""
    return int(rows[np.searchsorted(np.cumsum(parts.lengths), place, side="right")])


def _as_weights(
    values: Sequence[Any], name: str, row_of: Callable[[int], int]
) -> npt.NDArray[np.float64]:
    """Return weights as numbers; none may be missing or infinite."""
    plain = None
    if isinstance(values, np.ndarray) or PLAIN_NUMBERS.issuperset(map(type, values)):
        with suppress(OverflowError):  # of an integer
            plain = np.asarray(values, np.float64)
    if plain is None:
        for place, value in enumerate(values):
            if not isinstance(value, Real | Decimal | np.bool_) and not is_missing(value):
                raise TypeError(
                    f"column {name!r} holds {value!r:.40} in row {row_of(place)}, but weights of "
                    "lists must be numbers"
                )
        values = [np.nan if is_missing(value) else _as_float(value) for value in values]
    numbers = np.asarray(values, np.float64) if plain is None else plain
    wrong = ~np.isfinite(numbers)
    if wrong.any():
        place = int(np.argmax(wrong))
        what = "no number" if np.isnan(numbers[place]) else "an infinite or too large number"
        raise ValueError(
            f"column {name!r} holds {what} in its list of row {row_of(place)}: each value needs a "
            "finite weight, 0 to leave it out"
        )
    return numbers


def _as_float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return np.inf
