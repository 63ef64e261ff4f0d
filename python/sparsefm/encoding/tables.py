"""Columns as they are read from a table: numbers, dates, or codes with their distinct values."""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from numbers import Integral, Real
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Value: TypeAlias = str | int | float | bool
Integers: TypeAlias = npt.NDArray[np.integer[Any]]

ROWS_AT_ONCE = 1 << 14  # bounds temporary arrays


@dataclass(frozen=True, eq=False)
class Numbers:
    """A numeric column.

    Attributes
    ----------
    values : ndarray of float64, shape (n,)
        NaN where missing.
    exact : ndarray of int, shape (n,), optional
        The same, if they are integers that float64 does not tell apart.
    kind : {"numbers", "durations", "times of day"}
        What they are; the last two are in seconds.
    """

    values: npt.NDArray[np.float64]
    exact: npt.NDArray[Any] | None = None
    kind: str = "numbers"

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return len(self.values)

    def take(self, rows: npt.NDArray[np.bool_]) -> "Numbers":
        """Return the column of some of the rows."""
        exact = None if self.exact is None else self.exact[rows]
        return Numbers(self.values[rows], exact, self.kind)

    def show(self, row: int) -> str:
        """Return what a row holds, for an error message."""
        value = self.values[row]
        return "nothing (a missing value)" if np.isnan(value) else f"{value:g}"


@dataclass(frozen=True, eq=False)
class Labels:
    """A categorical column.

    Attributes
    ----------
    codes : ndarray of int, shape (n,)
        For each row the position of its value, -1 where missing.
    values : list
        Distinct values in any order, of Python's own types: all text, all bools, or all finite
        numbers, integers within 64 bits; no more than there are rows or bools. Some may not occur.
    """

    codes: Integers
    values: list[Value]

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return len(self.codes)

    def take(self, rows: npt.NDArray[np.bool_]) -> "Labels":
        """Return the column of some of the rows."""
        return Labels(self.codes[rows], self.values)

    def show(self, row: int) -> str:
        """Return what a row holds, for an error message."""
        code = self.codes[row]
        return "nothing (a missing value)" if code < 0 else repr(self.values[code])

    def occurring(self) -> list[Value]:
        """Return the values that occur, sorted."""
        counts = np.bincount(self.codes + 1, minlength=1 + len(self.values))
        return sorted(self.values[code] for code in np.flatnonzero(counts[1:]))


@dataclass(frozen=True, eq=False)
class Lists:
    """A column of lists: several values in a row.

    Attributes
    ----------
    indptr : ndarray of int64, shape (n + 1,)
        Row i has the items from ``indptr[i]`` on, before ``indptr[i + 1]``.
    items : Labels
        The values of all rows. None of them is missing, except where the list itself is: such a row
        has one item, which is missing.
    weights : ndarray of float64, or None
        Of each item; None if all are 1.
    """

    indptr: npt.NDArray[np.int64]
    items: Labels
    weights: npt.NDArray[np.float64] | None = None

    @classmethod
    def of(
        cls,
        present: npt.NDArray[np.bool_],
        lengths: Integers,
        items: Labels,
        weights: npt.NDArray[np.float64] | None = None,
    ) -> "Lists":
        """Return a column of which some rows are missing; items missing or of no weight are not.

        Parameters
        ----------
        present : ndarray of bool, shape (n,)
        lengths : ndarray of int
            How many items each row has that is present.
        items : Labels
        weights : ndarray of float64, optional
            NaN where missing.
        """
        codes = items.codes.astype(np.int32, copy=False)
        left_out = codes < 0
        if weights is not None:
            left_out |= (weights == 0) | np.isnan(weights)
        counts = np.ones(len(present), np.int64)
        counts[present] = lengths
        dropped = np.flatnonzero(left_out)
        if len(dropped):
            owners = np.searchsorted(np.cumsum(lengths), dropped, side="right")
            counts[present] -= np.bincount(owners, minlength=len(lengths))
            codes = np.delete(codes, dropped)
            weights = None if weights is None else np.delete(weights, dropped)
        indptr = np.zeros(len(present) + 1, np.int64)
        np.cumsum(counts, out=indptr[1:])
        missing = indptr[:-1][~present]  # a missing list has one item, which is missing
        if len(missing):
            places = missing - np.arange(len(missing))
            codes = np.insert(codes, places, -1)
            weights = None if weights is None else np.insert(weights, places, 1.0)
        return cls(indptr, Labels(codes, items.values), weights)

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return len(self.indptr) - 1

    def take(self, rows: npt.NDArray[np.bool_] | Integers) -> "Lists":
        """Return the column of some of the rows, in any order."""
        chosen = np.flatnonzero(rows) if rows.dtype == bool else rows
        begins, lengths = self.indptr[:-1][chosen], np.diff(self.indptr)[chosen]
        indptr = np.append(0, np.cumsum(lengths))
        codes = np.empty(indptr[-1], self.items.codes.dtype)
        weights = None if self.weights is None else np.empty(indptr[-1])
        for begin in range(0, len(chosen), ROWS_AT_ONCE):
            part = slice(begin, begin + ROWS_AT_ONCE)
            first, last = indptr[begin], indptr[min(begin + ROWS_AT_ONCE, len(chosen))]
            moved = np.repeat(begins[part] - indptr[:-1][part], lengths[part])
            places = np.arange(first, last) + moved
            codes[first:last] = self.items.codes[places]
            if weights is not None and self.weights is not None:
                weights[first:last] = self.weights[places]
        return Lists(indptr, Labels(codes, self.items.values), weights)

    def between(self, begin: int, end: int) -> "Lists":
        """Return the rows from `begin` on, before `end`."""
        indptr = self.indptr[begin : end + 1]
        entries = slice(indptr[0], indptr[-1])
        weights = None if self.weights is None else self.weights[entries]
        items = Labels(self.items.codes[entries], self.items.values)
        return Lists(indptr - indptr[0], items, weights)

    def show(self, row: int) -> str:
        """Return what a row holds, for an error message."""
        codes = self.items.codes[self.indptr[row] : self.indptr[row + 1]].tolist()
        if codes == [-1]:
            return "nothing (a missing value)"
        shown = [repr(self.items.values[code]) for code in codes[:5]]
        return f"[{', '.join(shown)}{', ...' if len(codes) > 5 else ''}]"


@dataclass(frozen=True, eq=False)
class Dates:
    """A column of dates, with or without a time of day.

    Attributes
    ----------
    local : ndarray of datetime64[s], shape (n,)
        What the clock on the wall showed, in whole seconds; NaT where missing.
    seconds : ndarray of float64, shape (n,)
        Seconds since 1970 in UTC, or of that clock if its time zone is not known.
    zone : str or None
        The time zone of the clock; "" if it differs from row to row, None if it is not known.
    """

    local: npt.NDArray[np.datetime64]
    seconds: npt.NDArray[np.float64]
    zone: str | None = None

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return len(self.local)

    def take(self, rows: npt.NDArray[np.bool_]) -> "Dates":
        """Return the column of some of the rows."""
        return Dates(self.local[rows], self.seconds[rows], self.zone)

    def show(self, row: int) -> str:
        """Return what a row holds, for an error message."""
        value = self.local[row]
        return "nothing (a missing value)" if np.isnat(value) else str(value).replace("T", " ")


Column: TypeAlias = Numbers | Labels | Lists | Dates


def as_finite(
    numbers: Any, name: str, integers: Callable[[], npt.NDArray[Any]] | None = None
) -> Numbers:
    """Return the numbers of the column of that name, NaN where missing; none may be infinite.

    `integers` returns the numbers as integers, anything where missing, if they are such.
    """
    column = Numbers(np.ascontiguousarray(numbers, np.float64))
    infinite = np.isinf(column.values)
    if infinite.any():
        raise ValueError(
            "Input X contains infinity or a value too large for dtype('float64'): "
            f"column {name!r}, row {int(np.argmax(infinite))}"
        )
    if integers is not None and (np.abs(column.values) >= 2**53).any():
        return Numbers(column.values, integers())
    return column


def as_column(codes: Integers, found: list[Any], name: str, *, is_categorical: bool) -> Column:
    """Return a column of values, checked; numbers stay labels only if it is categorical.

    What is labels here can be saved and loaded: everything that becomes a category comes this way.

    Parameters
    ----------
    codes : ndarray of int, shape (n,)
        For each row the position of its value in `found`, -1 where missing.
    found : list
        Values of any type; some may be equal, or become equal, as others may be NaN.
    name : str
        What error messages call the column.
    is_categorical : bool
    """
    examples = dict(zip(map(type, found), found, strict=True))  # types are few, values may be many
    kinds = {kind_of(value, name) for value in examples.values()}
    if len(kinds) > 1:
        raise TypeError(
            f"column {name!r} holds values of several types ({', '.join(sorted(kinds))}): "
            "make them all text, or all numbers"
        )
    if kinds == {"number"} and not is_categorical:
        try:
            numbers = np.array([*map(float, found), np.nan], np.float64)[codes]
            are_integers = all(issubclass(kind, Integral) for kind in examples)
            integers = (lambda: np.array([*found, 0], object)[codes]) if are_integers else None
            return as_finite(numbers, name, integers)
        except OverflowError:
            raise ValueError(
                f"column {name!r} holds a number too large for float64: make the column text"
            ) from None
    values = found if examples.keys() <= {str, bool} else [_plain(value, name) for value in found]
    codes, values = _distinct(codes, values)
    return Labels(codes.astype(np.int32, copy=False), values)


def temporal(name: str, kind: object) -> TypeError:
    """Return the error that a column holds dates or times of a kind that is not known."""
    return TypeError(
        f"column {name!r} holds dates or times in a form that is not supported ({kind}): make "
        "dates, numbers or text of them, or drop the column"
    )


def is_missing(value: Any) -> bool:
    """Return whether a value is None, NaN, or pandas' NA or NaT."""
    if value is None or type(value).__name__ == "NAType":
        return True
    try:
        return bool(value != value)
    except (TypeError, ValueError):  # such as of an array
        return False


def as_items(column: Column, name: str) -> Labels:
    """Return the values of the lists of a column; `column` has them one after the other."""
    if isinstance(column, Numbers) and np.isnan(column.values).all():
        return Labels(np.full(len(column.values), -1), [])
    assert isinstance(column, Labels)
    for value in column.values:
        if isinstance(value, float) and not value.is_integer():
            raise TypeError(
                f"column {name!r} holds lists of numbers with fractions, such as {value!r}: make a "
                "column for each place if they are measurements, text if they are categories"
            )
    return column


def multi_valued(name: str, kind: object) -> TypeError:
    """Return the error that a column holds several values in a row in a form that is not known."""
    return TypeError(
        f"column {name!r} holds several values in a row in a form that is not supported ({kind}): "
        "make each row a list of plain values, or a dict from values to weights, or drop the column"
    )


def nested(name: str, kind: object) -> TypeError:
    """Return the error that a column holds records."""
    return TypeError(
        f"column {name!r} holds records ({kind}): make a column of each of their parts, with "
        f"X.unnest({name!r}) in Polars, X.flatten() in Arrow, or X[{name!r}].struct.explode() in "
        "pandas"
    )


def unsupported(name: str, kind: object) -> TypeError:
    """Return the error that a column is of a type that is neither numbers nor categories."""
    return TypeError(
        f"column {name!r} holds {kind}, which is neither numbers nor categories: convert it to "
        "numbers or text, or drop it"
    )


def kind_of(value: Any, name: str) -> str:
    """Return what a value of the column of that name is; refuse what no column may hold."""
    if isinstance(value, str):
        return "text"
    if isinstance(value, bool | np.bool_):
        return "bool"
    kinds = (date, time, timedelta, np.datetime64, np.timedelta64)
    if isinstance(value, kinds) or type(value).__name__ == "Period":
        return "date"
    if isinstance(value, Real | Decimal):
        return "number"
    if type(value).__name__ == "Interval":  # of pandas
        return "interval"
    if isinstance(value, Collection) and not isinstance(value, bytes | bytearray | Mapping):
        raise multi_valued(name, type(value).__name__)
    raise TypeError(  # "argument ..." is what scikit-learn's own checks look for
        f"column {name!r} holds objects of type {type(value).__name__}, such as {value!r:.40}, but "
        "an argument must be a string or a number: convert them, or drop the column"
    )


def _plain(value: Any, name: str) -> Value:
    """Return a category as Python's own type."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if type(value) is timedelta:
        return _duration_text(value)
    if kind_of(value, name) in ("date", "interval"):
        return str(value)
    if not isinstance(value, Integral):
        number = float(value)
        if math.isinf(number):
            raise ValueError(
                f"column {name!r} holds the category {value}: contains infinity or a value too "
                "large for dtype('float64'): make the column text"
            )
        return number
    if not -(2**63) <= int(value) < 2**64:
        raise ValueError(f"column {name!r} holds {value}, beyond 64 bits: make the column text")
    return int(value)


def _duration_text(value: timedelta) -> str:
    """Return a duration as pandas writes its own, so that categories of all libraries are equal."""
    minutes, second = divmod(value.seconds, 60)
    clock = time(minutes // 60, minutes % 60, second, value.microseconds)
    return f"{value.days} days {'+' if value.days < 0 else ''}{clock}"


def _distinct(codes: Integers, values: list[Value]) -> tuple[Integers, list[Value]]:
    """Return codes of distinct values; NaN counts as missing."""
    known = dict.fromkeys(value for value in values if value == value)
    if len(known) == len(values):
        return codes, values
    position_of = dict(zip(known, range(len(known)), strict=True))
    positions = [position_of.get(value, -1) for value in values]
    return np.array([*positions, -1])[codes], list(known)
