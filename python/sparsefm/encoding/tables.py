"""Columns as they are read from a table: numbers, or codes with their distinct values."""

from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from numbers import Integral, Real
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Value: TypeAlias = str | int | float | bool
Integers: TypeAlias = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, eq=False)
class Numbers:
    """A numeric column.

    Attributes
    ----------
    values : ndarray of float64, shape (n,)
        NaN where missing.
    """

    values: npt.NDArray[np.float64]

    def take(self, rows: npt.NDArray[np.bool_]) -> "Numbers":
        """Return the column of some of the rows."""
        return Numbers(self.values[rows])

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
        Distinct values in any order, all text or all numbers, no more than there are rows or bools.
        Some may not occur.
    """

    codes: Integers
    values: list[Value]

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


Column: TypeAlias = Numbers | Labels


def as_finite(numbers: Any, name: str) -> Numbers:
    """Return the numbers of the column of that name, NaN where missing; none may be infinite."""
    column = Numbers(np.ascontiguousarray(numbers, np.float64))
    infinite = np.isinf(column.values)
    if infinite.any():
        raise ValueError(
            "Input X contains infinity or a value too large for dtype('float64'): "
            f"column {name!r}, row {int(np.argmax(infinite))}"
        )
    return column


def as_column(codes: Integers, found: list[Any], name: str, *, is_categorical: bool) -> Column:
    """Return a column of distinct values, checked; numbers stay labels only if it is categorical.

    Parameters
    ----------
    codes : ndarray of int, shape (n,)
        For each row the position of its value in `found`, -1 where missing.
    found : list
        Distinct values of any type.
    name : str
        What error messages call the column.
    is_categorical : bool
    """
    examples = dict(zip(map(type, found), found, strict=True))  # types are few, values may be many
    kinds = {_kind(value, name) for value in examples.values()}
    if len(kinds) > 1:
        raise TypeError(
            f"column {name!r} holds values of several types ({', '.join(sorted(kinds))}): "
            "make them all text, or all numbers"
        )
    if examples.keys() <= {str, bool}:
        return Labels(codes, found)
    values = [_plain(value, name) for value in found]
    if any(isinstance(value, float) for value in values):
        values = list(map(float, values))  # of 1 and 2.5 both
    if kinds == {"number"} and not is_categorical:
        return as_finite(np.array([*values, np.nan], np.float64)[codes], name)
    return Labels(codes, values)


def temporal(name: str, kind: object) -> TypeError:
    """Return the error that a column holds dates or times."""
    return TypeError(
        f"column {name!r} holds dates or times ({kind}): make numbers of it (such as days since a "
        "date) or text (such as the day of the week), or drop it"
    )


def unsupported(name: str, kind: object) -> TypeError:
    """Return the error that a column is of a type that is neither numbers nor categories."""
    return TypeError(
        f"column {name!r} holds {kind}, which is neither numbers nor categories: convert it to "
        "numbers or text, or drop it"
    )


def _kind(value: Any, name: str) -> str:
    if isinstance(value, str):
        return "text"
    if isinstance(value, bool | np.bool_):
        return "bool"
    if isinstance(value, Real | Decimal):
        return "number"
    if isinstance(value, date | time | timedelta | np.datetime64 | np.timedelta64):
        raise temporal(name, type(value).__name__)
    raise TypeError(
        f"column {name!r} holds objects of type {type(value).__name__}, such as {value!r:.40}: "
        "convert them to text or numbers, or drop the column"
    )


def _plain(value: Any, name: str) -> Value:
    """Return a value as Python's own type."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if not isinstance(value, Integral):
        return float(value)
    if not -(2**63) <= int(value) < 2**63:
        raise ValueError(f"column {name!r} holds {value}, beyond 64 bits: make the column text")
    return int(value)
