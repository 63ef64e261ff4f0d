"""Columns of lists as features: several entries in a row, one for each value of the list."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import ClassVar
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from sparsefm.encoding.categories import Categories, Hashed
from sparsefm.encoding.columns import UNKNOWN, Ragged, Spans, Values, as_labels, changed, kind, text
from sparsefm.encoding.tables import Column, Labels, Lists, Value

COMBINERS = ("mean", "sqrt", "sum")
TEXTS_AT_ONCE = 1 << 14  # bounds temporary objects

_DIVIDED: WeakKeyDictionary[Labels, tuple[str, Lists]] = WeakKeyDictionary()


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
    """

    n_entries: ClassVar[int] = 0

    single: Categories | Hashed
    combiner: str
    separator: str | None = None

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
        items = self._lists(column, name).items
        return replace(self, single=self.single.grown(items, name, end))

    def encode(self, column: Column, name: str) -> Ragged:
        """Look up each distinct value, and add up what is twice in a row."""
        lists = self._lists(column, name)
        columns, _ = self.single.encode(lists.items, name)
        indptr, weights, unknown = lists.indptr, lists.weights, None
        known = columns != UNKNOWN
        if not known.all():
            first = int(np.argmin(known))
            unknown = int(np.searchsorted(indptr, first, side="right")) - 1
            indptr = np.append(0, np.cumsum(known))[indptr]
            columns, weights = columns[known], None if weights is None else weights[known]
        values = np.ones(len(columns)) if weights is None else weights
        shape = (len(indptr) - 1, int(columns.max(initial=0)) + 1)
        matrix = sp.csr_matrix((values, columns, indptr), shape)
        matrix.sum_duplicates()
        matrix.eliminate_zeros()
        indptr = matrix.indptr.astype(np.int64)
        combined = _combined(matrix.data, indptr, self.combiner)
        are_ones = bool((combined == 1).all())
        columns = matrix.indices.astype(np.int32, copy=False)
        return Ragged(indptr, columns, None if are_ones else combined, unknown)

    def _lists(self, column: Column, name: str) -> Lists:
        """Return a column as lists; text is divided, once only while it is in use."""
        if isinstance(column, Lists):
            return column
        labels = as_labels(column, name)
        if self.separator is None and labels.values:
            raise changed(name, "lists", kind(labels.values[0]))
        separator, lists = _DIVIDED.get(labels, ("", None))
        if lists is None or separator != self.separator:
            lists = divided(labels, self.separator or " ")
            _DIVIDED[labels] = self.separator or "", lists
        return lists


def divided(labels: Labels, separator: str) -> Lists:
    """Return text as lists of what is between separators; what is blank there is left out."""
    code_of: defaultdict[str, int] = defaultdict()
    code_of.default_factory = code_of.__len__  # numbers what is new
    lengths: list[int] = []
    codes = [np.empty(0, np.int32)]
    for begin in range(0, len(labels.values), TEXTS_AT_ONCE):
        texts = map(text, labels.values[begin : begin + TEXTS_AT_ONCE])
        parts = [one.split(separator) for one in texts]
        lengths += map(len, parts)
        found = map(code_of.__getitem__, chain.from_iterable(parts))
        codes.append(np.fromiter(found, np.int32))
    distinct: dict[Value, int] = {"": -1}
    for part in map(str.strip, code_of):
        distinct.setdefault(part, len(distinct) - 1)
    places = np.array([distinct[part.strip()] for part in code_of] or [-1], np.int32)
    present = np.ones(len(labels.values) + 1, bool)
    present[-1] = False  # which the code -1 means
    items = Labels(places[np.concatenate(codes)], list(distinct)[1:])
    return Lists.of(present, np.array(lengths, np.int64), items).take(labels.codes)


def _combined(values: Values, indptr: npt.NDArray[np.int64], combiner: str) -> Values:
    """Return the values of each row, divided by what the combiner says; none of them is zero."""
    lengths = np.diff(indptr)
    lengths, begins = lengths[lengths > 0], indptr[:-1][lengths > 0]
    if combiner == "sum" or len(begins) == 0:
        return values
    largest = np.maximum.reduceat(np.abs(values), begins)  # a sum must not overflow
    with np.errstate(under="ignore"):
        scaled = values / np.repeat(largest, lengths)
        if combiner == "mean":
            total = np.add.reduceat(np.abs(scaled), begins)
        else:
            total = np.sqrt(np.add.reduceat(scaled**2, begins))
        return np.asarray(scaled / np.repeat(total, lengths))
