"""How one input column becomes output columns: one kind of encoding a class.

A row has at most one entry for each input column. So what a column encodes to is, for every row,
one output column and one value; and assembling the matrix is putting such pairs side by side.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import compress
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from sparsefm.encoding.statistics import LARGEST, Distribution, scale_down
from sparsefm.encoding.tables import Column, Labels, Numbers, Value
from sparsefm.encoding.vocabulary import Vocabulary

NOTHING, UNKNOWN = -1, -2  # instead of an output column: the value zero, one never seen before

Codes = npt.NDArray[np.int32]
Values = npt.NDArray[np.float64]
Spans = npt.NDArray[np.int64]


class Encoding(Protocol):
    """What the encodings of a column have in common."""

    @property
    def n_outputs(self) -> int:
        """How many output columns there are."""

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
    vocabulary : Vocabulary
        The output column of each category: sorted in the first fit, later ones follow.
    missing : int
        That of missing values, UNKNOWN if there were none.
    """

    vocabulary: Vocabulary
    missing: int = UNKNOWN

    @property
    def values(self) -> list[Value]:
        """The categories."""
        return self.vocabulary.values

    @property
    def columns(self) -> Codes:
        """The output column of each category."""
        return np.array(self.vocabulary.columns, np.int32)

    @property
    def n_outputs(self) -> int:
        """How many output columns there are."""
        return len(self.vocabulary) + (self.missing != UNKNOWN)

    def spans(self) -> Spans:
        """Return a span for each run of adjacent output columns."""
        columns = self.columns.astype(np.int64)
        first = np.flatnonzero(np.diff(columns, prepend=-2) != 1)
        last = np.flatnonzero(np.diff(columns, append=-2) != 1)
        return _with_missing(np.column_stack([columns[first], columns[last] + 1]), self.missing)

    def names(self, name: str) -> Iterator[tuple[int, str]]:
        """Yield ``name=value``."""
        for value, column in zip(self.values, self.vocabulary.columns, strict=True):
            yield column, f"{name}={_text(value)}"
        yield from _missing_name(self.missing, name)

    def grown(self, column: Column, name: str, end: int) -> "Categories":
        """Append the categories that are new, sorted."""
        labels = self._labels(column, name)
        occurring = labels.occurring()
        known = np.array(self.vocabulary.find(occurring, UNKNOWN), np.int32) != UNKNOWN
        new = list(compress(occurring, ~known))
        columns = dict(zip(new, range(end, end + len(new)), strict=True))
        if len(columns) < len(new):  # an Arrow dictionary may hold a value twice
            columns = dict(zip(columns, range(end, end + len(columns)), strict=True))
        missing = _grown_missing(self.missing, labels.codes < 0, end + len(columns))
        return Categories(self.vocabulary.added(columns), missing)

    def encode(self, column: Column, name: str) -> tuple[Codes, None]:
        """Look up each distinct value."""
        labels = self._labels(column, name)
        columns = self.vocabulary.find(labels.values, UNKNOWN)
        return np.array([*columns, self.missing], np.int32)[labels.codes], None

    def _labels(self, column: Column, name: str) -> Labels:
        """Return a column as labels of the kind that is known."""
        labels = as_labels(column)
        if len(self.vocabulary) == 0 or not labels.values:
            return labels
        was, found = _kind(self.vocabulary.example()), _kind(labels.values[0])
        if found == was:
            return labels
        if was == "truth values" and set(labels.values) <= {0, 1}:
            return Labels(labels.codes, [bool(value) for value in labels.values])
        raise _changed(name, was, found)


@dataclass(frozen=True, eq=False)
class Hashed:
    """Categories that share a fixed number of output columns, by a hash of their text."""

    first: int
    n_buckets: int

    @property
    def n_outputs(self) -> int:
        """How many output columns there are."""
        return self.n_buckets

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

    @property
    def n_outputs(self) -> int:
        """How many output columns there are."""
        return 1 + (self.missing != UNKNOWN)

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
        if self.std > 0:
            usual = np.minimum(np.maximum(numbers, self.low), self.high)
            with np.errstate(over="ignore"):
                scaled = (scale_down(usual, self.exponent) - self.mean) / self.std
        else:
            scaled = np.zeros(len(numbers))
        columns = np.where(scaled == 0, np.int32(NOTHING), np.int32(self.column))
        missing = np.isnan(numbers)
        if missing.any():
            columns[missing], scaled[missing] = self.missing, 1.0
        return columns, scaled


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

    @property
    def n_outputs(self) -> int:
        """How many output columns there are."""
        return len(self.edges) + 1 + (self.missing != UNKNOWN)

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
        return Categories(Vocabulary())
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
    if column.values and _kind(column.values[0]) == "text":
        raise _changed(name, "numbers", "text")
    return Numbers(np.array([*column.values, np.nan], np.float64)[column.codes])


AnyNumber = TypeVar("AnyNumber", Number, Bins)


def _grown_number(encoding: AnyNumber, column: Column, name: str, end: int) -> AnyNumber:
    missing = _grown_missing(encoding.missing, np.isnan(as_numbers(column, name).values), end)
    return encoding if missing == encoding.missing else replace(encoding, missing=missing)


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


def _kind(value: Value) -> str:
    """Return what the values of a column are, of which this is one."""
    return {str: "text", bool: "truth values"}.get(type(value), "numbers")


def _changed(name: str, was: str, found: str) -> TypeError:
    return TypeError(
        f"column {name!r} held {was} in training, but holds {found} now: convert it as it was"
    )
