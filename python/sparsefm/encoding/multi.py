"""Columns of lists as features: several entries in a row, one for each value of the list."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from sparsefm.encoding.categories import Categories, Hashed
from sparsefm.encoding.columns import (
    UNKNOWN,
    Codes,
    Ragged,
    Spans,
    Values,
    as_labels,
    changed,
    kind,
)
from sparsefm.encoding.dividing import Divider
from sparsefm.encoding.tables import Column, Labels, Lists

COMBINERS = ("mean", "sqrt", "sum")
ROWS_AT_ONCE = 1 << 12  # bounds temporary arrays


@dataclass(frozen=True, eq=False)
class Multi:
    """The features of single values, of which a row has those of its list.

    Attributes
    ----------
    single : Categories or Hashed
        The encoding of the values.
    combiner : {"mean", "sqrt", "sum"}
        What the weights of a row's values are divided by: their sum, the root of the sum of their
        squares, or nothing. Weights count without sign there.
    separator : str or None
        Divides text into values; None if there were lists in training.
    has_weights : bool
        Whether lists had weights in training.
    """

    n_entries: ClassVar[int] = 0

    single: Categories | Hashed
    combiner: str
    separator: str | None = None
    has_weights: bool = False

    @property
    def n_outputs(self) -> int:
        """How many output columns there are."""
        return self.single.n_outputs

    def spans(self) -> Spans:
        """Return the spans of the values."""
        return self.single.spans()

    def names(self, name: str) -> Iterator[tuple[int, str]]:
        """Yield the names of the values."""
        return self.single.names(name)

    def grown(self, column: Column, name: str, end: int) -> "Multi":
        """Append the values that are new, sorted."""
        lists = self._lists(column, name)
        single = self.single.grown(lists.items, name, end)
        has_weights = self.has_weights or lists.weights is not None
        return replace(self, single=single, has_weights=has_weights)

    def encode(self, column: Column, name: str) -> Ragged:
        """Look up each distinct value, and add up what is twice in a row."""
        lists = self._lists(column, name)
        values = lists.items.values
        each = Labels(np.append(np.arange(len(values)), -1), values)  # and what is missing
        columns, _ = self.single.encode(each, name)
        joined = Growing(lists.n_rows, len(lists.items.codes))
        unknown = None
        for begin in range(0, lists.n_rows, ROWS_AT_ONCE):
            rows = lists.between(begin, begin + ROWS_AT_ONCE)
            part = self._encoded(columns[rows.items.codes], rows)
            joined.append(part)
            if unknown is None and part.unknown is not None:
                unknown = begin + part.unknown
        return replace(joined.finished(), unknown=unknown)

    def _encoded(self, columns: Codes, lists: Lists) -> Ragged:
        """Return the entries of some rows, given the output column of each item."""
        indptr, weights, unknown = lists.indptr, lists.weights, None
        known = columns != UNKNOWN
        if not known.all():
            first = int(np.argmin(known))
            unknown = int(np.searchsorted(indptr, first, side="right")) - 1
            indptr = np.append(0, np.cumsum(known))[indptr]
            columns, weights = columns[known], None if weights is None else weights[known]
        if weights is not None and isinstance(self.single, Hashed):
            order = np.lexsort(
                (weights, columns, _rows(indptr))
            )  # in a bucket too, no order may count
            columns, weights = columns[order], weights[order]
        return replace(_combined(columns, weights, indptr, self.combiner), unknown=unknown)

    def _lists(self, column: Column, name: str) -> Lists:
        """Return a column as lists; text is divided."""
        if isinstance(column, Lists):
            return column
        labels = as_labels(column, name)
        if self.separator is None and isinstance(self.single, Hashed):  # it may be older than lists
            return Lists(np.arange(len(labels.codes) + 1), labels)
        if self.separator is None and labels.values:
            raise changed(name, "lists", kind(labels.values[0]))
        divider = Divider(self.separator or " ")
        divider.append(labels)
        return divider.finished()


class Growing:
    """Entries of rows, to which those of more rows are added, in arrays that do not move.

    Parameters
    ----------
    n_rows : int
    most : int
        How many entries there will be at most.
    """

    def __init__(self, n_rows: int, most: int) -> None:
        self._indptr, self._columns = np.zeros(n_rows + 1, np.int64), np.empty(most, np.int32)
        self._values: Values | None = None
        self._rows = 0  # so far

    def append(self, part: Ragged) -> None:
        """Add the entries of the next rows."""
        begin, rows = int(self._indptr[self._rows]), len(part.indptr) - 1
        self._indptr[self._rows : self._rows + rows + 1] = begin + part.indptr
        self._rows += rows
        entries = slice(begin, begin + len(part.columns))
        self._columns[entries] = part.columns
        if part.values is not None and self._values is None:
            self._values = np.empty(len(self._columns))
            self._values[:begin] = 1
        if self._values is not None:
            self._values[entries] = 1 if part.values is None else part.values

    def finished(self) -> Ragged:
        """Return all entries; the arrays give back what room they did not need."""
        size = int(self._indptr[-1])
        self._columns.resize(size, refcheck=False)
        if self._values is not None:
            self._values.resize(size, refcheck=False)
        return Ragged(self._indptr, self._columns, self._values)


def _combined(
    columns: Codes, weights: Values | None, indptr: npt.NDArray[np.int64], combiner: str
) -> Ragged:
    """Return the entries of each row: equal columns added up, and divided as the combiner says."""
    n_rows = len(indptr) - 1
    values = np.ones(len(columns)) if weights is None else weights.copy()  # changed below
    if combiner != "sum" and weights is not None:
        values = _scaled(weights, indptr)
    if combiner == "mean":
        sizes = np.bincount(_rows(indptr), np.abs(values), n_rows)
    matrix = sp.csr_matrix((values, columns, indptr), (n_rows, int(columns.max(initial=0)) + 1))
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    rows, values = _rows(matrix.indptr), matrix.data
    if combiner == "sqrt":
        sizes = np.sqrt(np.bincount(rows, values**2, n_rows))
    if combiner != "sum":
        with np.errstate(under="ignore"):
            values = values / sizes[rows]
    are_ones = bool((values == 1).all())
    columns = matrix.indices.astype(np.int32, copy=False)
    return Ragged(matrix.indptr.astype(np.int64), columns, None if are_ones else values)


def _rows(indptr: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return the row of each entry."""
    return np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))


def _scaled(weights: Values, indptr: npt.NDArray[np.int64]) -> Values:
    """Return weights in units near the largest of their row: sums of them do not overflow.

    Units are powers of two, so weights that cancel still do.
    """
    lengths = np.diff(indptr)
    lengths, begins = lengths[lengths > 0], indptr[:-1][lengths > 0]
    if len(begins) == 0:
        return weights
    with np.errstate(under="ignore"):
        _, exponents = np.frexp(np.maximum.reduceat(np.abs(weights), begins))
        return np.asarray(np.ldexp(weights, -np.repeat(exponents, lengths)))
