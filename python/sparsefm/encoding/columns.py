"""How one input column becomes output columns: what all kinds of encodings have in common.

What a column encodes to is, for every row, one output column and one value, or a fixed number of
them, or, for lists, as many as the row has. Assembling the matrix is putting them side by side.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from sparsefm.encoding.tables import Column, Dates, Labels, Lists, Numbers, Value

NOTHING, UNKNOWN = -1, -2  # instead of an output column: the value zero, one never seen before
TIMES = {"dates", "durations", "times of day"}  # of what a column may hold

Codes = npt.NDArray[np.int32]
Values = npt.NDArray[np.float64]
Spans = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Ragged:
    """As many entries as each row has, in ascending order of their output columns.

    Attributes
    ----------
    indptr : ndarray of int64, shape (n + 1,)
        Row i has the entries from ``indptr[i]`` on, before ``indptr[i + 1]``.
    columns : ndarray of int32
        Their output columns, different ones in a row.
    values : ndarray of floating-point numbers, or None
        Their values; None if all are 1.
    unknown : int or None
        The first row with something that training never saw, which has no entry.
    """

    indptr: npt.NDArray[np.int64]
    columns: Codes
    values: npt.NDArray[Any] | None
    unknown: int | None = None


Encoded: TypeAlias = tuple[Codes, npt.NDArray[Any] | None] | Ragged


class Encoding(Protocol):
    """What the encodings of a column have in common."""

    @property
    def n_outputs(self) -> int:
        """How many output columns there are."""

    @property
    def n_entries(self) -> int:
        """How many of them a row has at most; 0 if it may be any number."""

    def spans(self) -> Spans:
        """Return the output columns as spans [begin, end), shape (n_spans, 2)."""

    def names(self, name: str) -> Iterator[tuple[int, str]]:
        """Yield each output column with its name, for an input column of this name."""

    def grown(self, column: Column, name: str, end: int) -> "Encoding":
        """Return the encoding with new output columns, from `end` on, for what is new to it."""

    def encode(self, column: Column, name: str) -> Encoded:
        """Return for each row its output column, NOTHING or UNKNOWN, and its value (None: 1).

        Both have shape (n,), or (n, n_entries) if a row may have more than one entry. If it may
        have any number they are ragged. An entry of value zero is none.
        """


def n_outputs(encodings: list[Encoding]) -> int:
    """Return how many output columns some encodings have together."""
    return sum(encoding.n_outputs for encoding in encodings)


def as_labels(column: Column, name: str) -> Labels:
    """Return a column for an encoding of categories; numbers become labels."""
    if isinstance(column, Labels):
        return column
    if isinstance(column, Lists):
        raise changed(name, "single values", "lists")
    if isinstance(column, Dates):
        raise changed(name, "categories", "dates")
    source = column.values if column.exact is None else column.exact
    if column.exact is None and (np.abs(source) >= 2**53).any():
        raise ValueError(
            f"column {name!r} is categorical, but holds floating-point numbers of 2**53 or more, "
            "which are not told apart: make them integers or text"
        )
    present = ~np.isnan(column.values)
    values, inverse = np.unique(source[present], return_inverse=True)
    if len(values) and not -(2**63) <= int(values[0]) <= int(values[-1]) < 2**64:
        raise ValueError(f"column {name!r} holds integers beyond 64 bits: make them text")
    if is_whole(values):
        values = values.astype(np.int64)
    codes = np.full(len(column.values), -1)
    codes[present] = inverse
    return Labels(codes, values.tolist())


def is_whole(values: npt.NDArray[Any]) -> bool:
    """Return whether floating-point numbers, none of them missing, have no fractions."""
    return values.dtype.kind == "f" and bool((values == np.floor(values)).all())


def as_numbers(column: Column, name: str) -> Numbers:
    """Return a column for an encoding of numbers; categories that are numbers become such."""
    if isinstance(column, Numbers):
        return column
    if isinstance(column, Lists):
        if not column.items.values:  # nothing but empty lists
            return Numbers(np.full(len(column.indptr) - 1, np.nan))
        raise changed(name, "numbers", "lists")
    if isinstance(column, Dates):
        if not np.isnat(column.local).all():
            raise changed(name, "numbers", "dates")
        return Numbers(column.seconds)
    if column.values and kind(column.values[0]) == "text":
        raise changed(name, "numbers", "text")
    return Numbers(np.array([*column.values, np.nan], np.float64)[column.codes])


def grown_missing(known: int, missing: npt.NDArray[np.bool_], end: int) -> int:
    """Return the output column of missing values: `end` if they are new."""
    return end if known == UNKNOWN and missing.any() else known


def missing_name(missing: int, name: str) -> Iterator[tuple[int, str]]:
    """Yield the output column of missing values with its name, if there is one."""
    if missing != UNKNOWN:
        yield missing, f"{name}=missing"


def with_missing(spans: npt.NDArray[Any], missing: int) -> Spans:
    """Return spans and that of the output column of missing values, if there is one."""
    extra = [] if missing == UNKNOWN else [[missing, missing + 1]]
    return np.concatenate([spans, np.array(extra, np.int64).reshape(-1, 2)]).astype(np.int64)


def text(value: Value) -> str:
    """Return the text of a value, the same for 1 and 1.0."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    return str(value)


def kind(value: Value) -> str:
    """Return what the values of a column are, of which this is one."""
    return {str: "text", bool: "truth values"}.get(type(value), "numbers")


def kind_of_column(column: Column) -> str:
    """Return what a column holds that is not empty."""
    if isinstance(column, Lists | Dates):
        return "lists" if isinstance(column, Lists) else "dates"
    return column.kind if isinstance(column, Numbers) else kind(column.values[0])


def kind_so_far(known: str | None, column: Column) -> str | None:
    """Return what a column holds and has held, None as long as all of it is missing."""
    return known if known or all_missing(column) else kind_of_column(column)


def check_kind(known: str | None, column: Column, name: str) -> None:
    """Refuse dates, durations and times of day where there was something else, and the reverse.

    As numbers they would be in another unit. Encodings tell all others apart.
    """
    if known is None or (isinstance(column, Numbers) and column.kind == known):
        return
    if all_missing(column) or (isinstance(column, Lists) and not column.items.values):
        return
    found = kind_of_column(column)
    if found != known and not TIMES.isdisjoint((found, known)):
        raise changed(name, "text or categories" if known == "text" else known, found)


def all_missing(column: Column) -> bool:
    """Return whether all values of a column are missing."""
    if isinstance(column, Lists):
        return False
    if isinstance(column, Dates):
        return bool(np.isnat(column.local).all())
    if isinstance(column, Labels):
        return bool((column.codes < 0).all())
    return bool(np.isnan(column.values).all())


def changed(name: str, was: str, found: str) -> TypeError:
    """Return the error that a column is of another kind than in training."""
    return TypeError(
        f"column {name!r} held {was} in training, but holds {found} now: convert it to {was}"
    )
