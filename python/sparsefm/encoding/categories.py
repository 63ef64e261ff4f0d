"""Categories as features: one for each, or a fixed number of them shared by a hash."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import compress
from typing import ClassVar

import numpy as np

from sparsefm.encoding.columns import (
    UNKNOWN,
    Codes,
    Spans,
    all_missing,
    as_labels,
    changed,
    grown_missing,
    kind,
    missing_name,
    text,
    with_missing,
)
from sparsefm.encoding.tables import Column, Dates, Labels, Lists, Value
from sparsefm.encoding.vocabulary import Vocabulary


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

    n_entries: ClassVar[int] = 1

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
        return with_missing(np.column_stack([columns[first], columns[last] + 1]), self.missing)

    def names(self, name: str) -> Iterator[tuple[int, str]]:
        """Yield ``name=value``."""
        for value, column in zip(self.values, self.vocabulary.columns, strict=True):
            yield column, f"{name}={text(value)}"
        yield from missing_name(self.missing, name)

    def grown(self, column: Column, name: str, end: int) -> "Categories":
        """Append the categories that are new, sorted."""
        labels = self._labels(column, name)
        occurring = labels.occurring()
        known = np.array(self.vocabulary.find(occurring, UNKNOWN), np.int32) != UNKNOWN
        new = list(compress(occurring, ~known))
        columns = dict(zip(new, range(end, end + len(new)), strict=True))
        missing = grown_missing(self.missing, labels.codes < 0, end + len(columns))
        return Categories(self.vocabulary.added(columns), missing)

    def encode(self, column: Column, name: str) -> tuple[Codes, None]:
        """Look up each distinct value."""
        labels = self._labels(column, name)
        columns = self.vocabulary.find(labels.values, UNKNOWN)
        return np.array([*columns, self.missing], np.int32)[labels.codes], None

    def _labels(self, column: Column, name: str) -> Labels:
        """Return a column as labels of the kind that is known."""
        if isinstance(column, Lists) and len(self.vocabulary) == 0:  # all of it is unknown
            begins = np.append(column.items.codes, 0)[column.indptr[:-1]]
            is_missing = (np.diff(column.indptr) == 1) & (begins < 0)
            return Labels(np.where(is_missing, -1, 0), ["a list"])
        if isinstance(column, Dates) and (len(self.vocabulary) == 0 or all_missing(column)):
            return Labels(np.where(np.isnat(column.local), -1, 0), ["a date"])
        labels = as_labels(column, name)
        if len(self.vocabulary) == 0 or not labels.values:
            return labels
        was, found = kind(self.vocabulary.example()), kind(labels.values[0])
        if found == was:
            return labels
        if was == "truth values" and set(labels.values) <= {0, 1}:
            return Labels(labels.codes, [bool(value) for value in labels.values])
        raise changed(name, was, found)


@dataclass(frozen=True, eq=False)
class Hashed:
    """Categories that share a fixed number of output columns, by a hash of their text."""

    n_entries: ClassVar[int] = 1

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

        labels = as_labels(column, name)
        encoded = [text(value).encode("utf-8", "surrogatepass") for value in labels.values]
        hashes = [murmurhash3_32(value, positive=True) for value in encoded]
        hashes.append(murmurhash3_32(b"missing", seed=1, positive=True))
        return (self.first + np.array(hashes, np.int64) % self.n_buckets).astype(np.int32)[
            labels.codes
        ], None
