"""How one input column becomes output columns: one kind of encoding a class.

A row has at most one entry for each input column. So what a column encodes to is, for every row,
one output column and one value; and assembling the matrix is putting such pairs side by side.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from sparsefm.encoding.statistics import LARGEST, Distribution, scale_down
from sparsefm.encoding.tables import Column, Labels, Numbers, Value

NOTHING, UNKNOWN = -1, -2  # instead of an output column: the value zero, one never seen before

Codes = npt.NDArray[np.int32]
Values = npt.NDArray[np.float64]
Spans = npt.NDArray[np.int64]


class Encoding(Protocol):
    """What the encodings of a column have in common."""

    def spans(self) -> Spans:
        """Return the output columns as spans [begin, end), shape (n_spans, 2)."""

    def names(self, name: str) -> Iterator[tuple[int, str]]:
        """Yield each output column with its name, for an input column of this name."""

    def grown(self, column: Column, name: str, end: int) -> "Encoding":
        """Return the encoding with new output columns, from `end` on, for what is new to it."""

    def encode(self, column: Column, name: str) -> tuple[Codes, Values | None]:
        """Return for each row its output column, NOTHING or UNKNOWN, and its value (None: 1)."""


@dataclass(frozen=True, eq=False)
class Categories:
    """One output column for each category, and for missing values if there were any.

    Attributes
    ----------
    values : list
        Sorted in the first fit; later ones follow.
    columns : ndarray of int32
        The output column of each.
    missing : int
        That of missing values, UNKNOWN if there were none.
    """

    values: list[Value]
    columns: Codes
    missing: int = UNKNOWN

    @cached_property
    def column_of(self) -> dict[Value, int]:
        """The output column of each category."""
        return dict(zip(self.values, self.columns.tolist(), strict=True))

    def spans(self) -> Spans:
        """Return a span for each category."""
        return _with_missing(np.column_stack([self.columns, self.columns + 1]), self.missing)

    def names(self, name: str) -> Iterator[tuple[int, str]]:
        """Yield ``name=value``."""
        for value, column in self.column_of.items():
            yield column, f"{name}={_text(value)}"
        yield from _missing_name(self.missing, name)

    def grown(self, column: Column, name: str, end: int) -> "Categories":
        """Append the categories that are new, sorted."""
        labels = self._labels(column, name)
        new = [value for value in labels.occurring() if value not in self.column_of]
        columns = np.arange(end, end + len(new), dtype=np.int32)
        missing = _grown_missing(self.missing, labels.codes < 0, end + len(new))
        return Categories([*self.values, *new], np.append(self.columns, columns), missing)

    def encode(self, column: Column, name: str) -> tuple[Codes, None]:
        """Look up each distinct value."""
        labels = self._labels(column, name)
        known = [self.column_of.get(value, UNKNOWN) for value in labels.values]
        return np.array([*known, self.missing], np.int32)[labels.codes], None

    def _labels(self, column: Column, name: str) -> Labels:
        """Return a column as labels of the kind that is known."""
        labels = as_labels(column)
        was, found = _kind(self.values), _kind(labels.values)
        if found == was or not self.values or not labels.values:
            return labels
        if was == "truth values" and set(labels.values) <= {0, 1}:
            return Labels(labels.codes, [bool(value) for value in labels.values])
        raise _changed(name, was, found)


@dataclass(frozen=True, eq=False)
class Hashed:
    """Categories that share a fixed number of output columns, by a hash of their text."""

    first: int
    n_buckets: int

    def spans(self) -> Spans:
        """Return the one span of all buckets."""
        return np.array([[self.first, self.first + self.n_buckets]])

    def names(self, name: str) -> Iterator[tuple[int, str]]:
        """Yield ``name#bucket``."""
        for bucket in range(self.n_buckets):
            yield self.first + bucket, f"{name}#{bucket}"

    def grown(self, column: Column, name: str, end: int) -> "Hashed":
        """Return itself: nothing is new to a hash."""
        return self

    def encode(self, column: Column, name: str) -> tuple[Codes, None]:
        """Hash each distinct value; missing is a value like others."""
        from sklearn.utils import murmurhash3_32

        labels = as_labels(column)
        texts = [_text(value).encode("utf-8", "surrogatepass") for value in labels.values]
        hashes = [murmurhash3_32(text, positive=True) for text in texts]
        hashes.append(murmurhash3_32(b"missing", seed=1, positive=True))
        return (self.first + np.array(hashes, np.int64) % self.n_buckets).astype(np.int32)[
            labels.codes
        ], None


@dataclass(frozen=True)
class Number:
    """One output column for a number, standardised, and one for missing values if there were any.

    The value is ``(x / 2**exponent - mean) / std`` of x brought into [low, high]; a column that was
    constant (`std` 0) never contributes.
    """

    column: int
    exponent: int = 0
    mean: float = 0.0
    std: float = 1.0
    low: float = -LARGEST
    high: float = LARGEST
    missing: int = UNKNOWN

    @classmethod
    def fitted(cls, distribution: Distribution, column: int) -> "Number":
        """Standardise by the mean and standard deviation, unless all is 0 and 1.

        What is far out would rule both, and a product of two such values the whole prediction.
        """
        if distribution.is_binary:
            return cls(column)
        low, high = distribution.usual_range()
        return cls(column, *distribution.clipped(low, high).moments(), low, high)

    def spans(self) -> Spans:
        """Return the span of the one column."""
        return _with_missing(np.array([[self.column, self.column + 1]]), self.missing)

    def names(self, name: str) -> Iterator[tuple[int, str]]:
        """Yield the name itself."""
        yield self.column, name
        yield from _missing_name(self.missing, name)

    def grown(self, column: Column, name: str, end: int) -> "Number":
        """Learn that values may be missing."""
        return _grown_number(self, column, name, end)

    def encode(self, column: Column, name: str) -> tuple[Codes, Values]:
        """Standardise."""
        numbers = as_numbers(column, name).values
        missing = np.isnan(numbers)
        if self.std > 0:
            with np.errstate(over="ignore"):
                usual = np.clip(numbers, self.low, self.high)
                scaled = (scale_down(usual, self.exponent) - self.mean) / self.std
        else:
            scaled = np.zeros(len(numbers))
        columns = np.where(missing, self.missing, np.where(scaled == 0, NOTHING, self.column))
        return columns.astype(np.int32), np.where(missing, 1.0, scaled)


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
    """

    first: int
    edges: Values
    missing: int = UNKNOWN

    def spans(self) -> Spans:
        """Return the span of the intervals."""
        return _with_missing(
            np.array([[self.first, self.first + len(self.edges) + 1]]), self.missing
        )

    def names(self, name: str) -> Iterator[tuple[int, str]]:
        """Yield ``name in [a, b)``."""
        edges = ["-inf", *map(_text, self.edges.tolist()), "inf"]
        for bin in range(len(edges) - 1):
            yield self.first + bin, f"{name} in [{edges[bin]}, {edges[bin + 1]})"
        yield from _missing_name(self.missing, name)

    def grown(self, column: Column, name: str, end: int) -> "Bins":
        """Learn that values may be missing."""
        return _grown_number(self, column, name, end)

    def encode(self, column: Column, name: str) -> tuple[Codes, None]:
        """Find the interval of each number."""
        numbers = as_numbers(column, name).values
        bins = self.first + np.searchsorted(self.edges, numbers, side="right")
        return np.where(np.isnan(numbers), self.missing, bins).astype(np.int32), None


def begin(column: Column, weights: Values | None, first: int, n_bins: int | None) -> Encoding:
    """Return an encoding for a column, output columns from `first` on; `grown` completes it.

    Parameters
    ----------
    column : Numbers or Labels
    weights : ndarray of float64, shape (n,), optional
    first : int
    n_bins : int or None
        Into how many bins numbers go; None standardises them.
    """
    if isinstance(column, Labels):
        return Categories([], np.empty(0, np.int32))
    distribution = Distribution.of(column.values, weights)
    if n_bins is None or distribution.is_binary:
        return Number.fitted(distribution, first)
    return Bins(first, distribution.quantiles(n_bins))


def as_labels(column: Column) -> Labels:
    """Return a column for an encoding of categories; numbers become labels."""
    if isinstance(column, Labels):
        return column
    present = ~np.isnan(column.values)
    values, inverse = np.unique(column.values[present], return_inverse=True)
    codes = np.full(len(column.values), -1)
    codes[present] = inverse
    return Labels(codes, values.tolist())


def as_numbers(column: Column, name: str) -> Numbers:
    """Return a column for an encoding of numbers; categories that are numbers become such."""
    if isinstance(column, Numbers):
        return column
    if column.values and _kind(column.values) == "text":
        raise _changed(name, "numbers", "text")
    return Numbers(np.array([*column.values, np.nan], np.float64)[column.codes])


AnyNumber = TypeVar("AnyNumber", Number, Bins)


def _grown_number(encoding: AnyNumber, column: Column, name: str, end: int) -> AnyNumber:
    missing = np.isnan(as_numbers(column, name).values)
    return replace(encoding, missing=_grown_missing(encoding.missing, missing, end))


def _grown_missing(known: int, missing: npt.NDArray[np.bool_], end: int) -> int:
    return end if known == UNKNOWN and missing.any() else known


def _missing_name(missing: int, name: str) -> Iterator[tuple[int, str]]:
    if missing != UNKNOWN:
        yield missing, f"{name}=missing"


def _with_missing(spans: npt.NDArray[Any], missing: int) -> Spans:
    extra = [] if missing == UNKNOWN else [[missing, missing + 1]]
    return np.concatenate([spans, np.array(extra, np.int64).reshape(-1, 2)]).astype(np.int64)


def _text(value: Value) -> str:
    """Return the text of a value, the same for 1 and 1.0."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    return str(value)


def _kind(values: list[Value]) -> str:
    """Return what a column's values are; they are all of one kind."""
    kinds = {str: "text", bool: "truth values"}
    return kinds.get(type(values[0]), "numbers") if values else "nothing"


def _changed(name: str, was: str, found: str) -> TypeError:
    return TypeError(
        f"column {name!r} held {was} in training, but holds {found} now: convert it as it was"
    )
