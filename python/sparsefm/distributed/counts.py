"""What an encoder learns from rows in many parts: the distinct values of columns, with weights.

Whatever an encoding of a column is made of follows from these: its categories, its mean, its
quantiles. A column of numbers, dates or times may have too many; then neighbours become one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from sparsefm.distributed.columns import Columns

Weights = npt.NDArray[np.float64]

MOST_VALUES = 1 << 18  # of a column of numbers
ENDS = 1 << 10  # of these, how many at either end stay as they are

VALUE, WEIGHT = "value", "weight"


@dataclass(frozen=True, eq=False)
class Counts:
    """Distinct values of each column, and the total weight of the rows that have them.

    Attributes
    ----------
    features : list of pyarrow.Table
        One for each column of features, of "value" and "weight". Those of lists have a list of one
        item for each.
    matrix : csr_matrix of shape (m, d), or None
        Instead, if the features are vectors: a row of one entry for each value of each feature.
    of_matrix : ndarray of shape (m,)
        The weights of these rows.
    target : pyarrow.Table
    n_rows : int
        Of positive weight.
    n_scored : int
        Rows for validation.
    largest : float
        The largest weight of a row.
    """

    features: list[Any]
    matrix: sp.csr_matrix | None
    of_matrix: Weights
    target: Any
    n_rows: int
    n_scored: int
    largest: float


@dataclass(frozen=True)
class Counting:
    """Counts the rows that are trained on.

    Attributes
    ----------
    columns : Columns
    exact : frozenset of str
        The columns whose numbers are categories.
    classes : bool
        Whether targets are classes.
    single : frozenset of str
        The columns of which an encoder must know one value alone: hashed ones, and weights.
    weighted : mapping of str to str
        The columns of lists that have weights, with those of the weights. An item of weight zero is
        none.
    """

    columns: Columns
    exact: frozenset[str]
    classes: bool
    single: frozenset[str] = frozenset()
    weighted: Mapping[str, str] = field(default_factory=dict)

    def of(self, table: Any) -> Counts:
        """Return the counts of a part, a `pyarrow.Table`."""
        import pyarrow as pa

        columns = self.columns
        weights = columns.weights(table)
        scored = columns.is_validation(table)
        taken = ~scored
        if weights is not None:
            taken &= weights > 0
        if not taken.all():
            table = table.filter(pa.array(taken))
        columns.y(table)  # for its checks
        weights = np.ones(int(taken.sum())) if weights is None else weights[taken]
        features: list[Any] = []
        matrix, of_matrix = None, np.zeros(0)
        if not columns.is_vector:
            for name in columns.features:
                check_type(table.column(name), name)
                items, each = _items(table.column(name), weights, self._weights_of(name, table))
                if name in self.single:
                    features.append(_one(pa.table({VALUE: items, WEIGHT: each})))
                else:
                    features.append(self._kept(_distinct(items, each), name))
        elif table.num_rows:
            matrix, of_matrix = distinct_entries(columns.X(table), weights)
        target = self._of_target(_distinct(table.column(columns.target), weights))
        numbers = table.num_rows, int(scored.sum()), float(weights.max(initial=0))
        return Counts(features, matrix, of_matrix, target, *numbers)

    def joined(self, parts: Sequence[Counts]) -> Counts:
        """Return the counts of the rows of all parts."""
        features = []
        if not self.columns.is_vector:
            by_column = zip(*(part.features for part in parts), strict=True)
            for name, own in zip(self.columns.features, by_column, strict=True):
                features.append(self._kept(_joined(own, name), name))
        matrices = [part.matrix for part in parts if part.matrix is not None]
        matrix, of_matrix = None, np.zeros(0)
        if matrices:
            widths = sorted({own.shape[1] for own in matrices})
            if len(widths) > 1:
                raise ValueError(f"vectors have different sizes: {widths}")
            weights = np.concatenate([part.of_matrix for part in parts])
            matrix, of_matrix = distinct_entries(sp.vstack(matrices), weights)
        target = self._of_target(_joined([part.target for part in parts], self.columns.target))
        return Counts(
            features,
            matrix,
            of_matrix,
            target,
            sum(part.n_rows for part in parts),
            sum(part.n_scored for part in parts),
            max(part.largest for part in parts),
        )

    def _kept(self, found: Any, name: str) -> Any:
        """Return what is kept of the counts of a column."""
        if name in self.single:
            return _one(found)
        return found if name in self.exact else thinned(found)

    def _weights_of(self, name: str, table: Any) -> Any:
        """Return the weights of the items of a column of lists, None if all are one."""
        if name not in self.weighted:
            return None
        own = self.weighted[name]
        lists, weights = _as_lists(table.column(name)), _as_lists(table.column(own))
        if lists is None or weights is None or not _lengths(lists).equals(_lengths(weights)):
            raise ValueError(
                f"list_weights names column {own!r} as the weights of column {name!r}: each list "
                "needs one with as many weights as it has items"
            )
        return weights.flatten()

    def _of_target(self, found: Any) -> Any:
        return found if self.classes else thinned(found)


def check_type(column: Any, name: str) -> None:
    """Refuse a column of what no encoding takes."""
    import pyarrow as pa

    kind = column.type
    refused = (pa.types.is_struct, pa.types.is_map, pa.types.is_union, pa.types.is_binary)
    if any(refuses(kind) for refuses in (*refused, pa.types.is_large_binary)):
        raise TypeError(f"column {name!r} holds {kind}, which cannot be encoded: leave it out")


def _as_lists(column: Any) -> Any:
    """Return a column of lists as one array, None if it holds something else."""
    import pyarrow as pa

    if pa.types.is_fixed_size_list(column.type):
        column = column.cast(pa.list_(column.type.value_type))
    is_list = pa.types.is_list(column.type) or pa.types.is_large_list(column.type)
    return column.combine_chunks() if is_list else None


def _lengths(lists: Any) -> Any:
    """Return the lengths of lists as an array of Arrow, null where there is none."""
    import pyarrow.compute as pc

    return pc.list_value_length(lists).cast("int64")


def _items(column: Any, weights: Weights, of_items: Any) -> tuple[Any, Weights]:
    """Return the values of a column; of lists those of their items, and nothing for no list."""
    import pyarrow as pa
    import pyarrow.compute as pc

    lists = _as_lists(column)
    if lists is None:
        return column, weights
    lengths = _lengths(lists)
    missing = weights[np.asarray(lengths.is_null())]
    each = np.repeat(weights, np.asarray(lengths.fill_null(0)))
    items = lists.flatten()
    if of_items is not None:
        taken = pc.not_equal(of_items, pa.scalar(0, of_items.type)).fill_null(True)
        items, each = items.filter(taken), each[np.asarray(taken)]
    one = pa.ListArray.from_arrays(np.arange(len(items) + 1, dtype=np.int32), items)
    if len(missing):
        one = pa.concat_arrays([one, pa.nulls(1, one.type)])
        each = np.append(each, missing.sum())
    return one, each


def _distinct(column: Any, weights: Weights) -> Any:
    """Return the distinct values of a column and their total weights."""
    import pyarrow as pa

    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_list(column.type):
        return _distinct_items(column, weights)
    if not pa.types.is_dictionary(column.type):
        return _grouped(pa.table({VALUE: column, WEIGHT: weights}))
    found = _grouped(pa.table({VALUE: column.cast(column.type.value_type), WEIGHT: weights}))
    # Numbers in a dictionary are categories.
    return found.set_column(0, VALUE, found.column(VALUE).combine_chunks().dictionary_encode())


def _distinct_items(column: Any, weights: Weights) -> Any:
    """Return the distinct items of lists of one item, None where a list is missing."""
    import pyarrow as pa

    missing = np.asarray(column.is_null())
    found = _distinct(column.flatten(), weights[~missing])
    values = found.column(VALUE).combine_chunks()
    lists = pa.ListArray.from_arrays(np.arange(len(values) + 1, dtype=np.int32), values)
    totals = np.asarray(found.column(WEIGHT).combine_chunks())
    if missing.any():
        lists = pa.concat_arrays([lists, pa.nulls(1, lists.type)])
        totals = np.append(totals, weights[missing].sum())
    return pa.table({VALUE: lists, WEIGHT: totals})


def _one(found: Any) -> Any:
    """Return one of the values of a table, that of the first row that has one."""
    import pyarrow as pa

    values = found.column(VALUE).combine_chunks()
    has_value = np.array(values.is_valid())
    if pa.types.is_list(values.type):  # of one item each
        has_value[has_value] = np.asarray(values.flatten().is_valid())
    return found.slice(int(np.argmax(has_value)) if len(has_value) else 0, 1)


def _grouped(table: Any) -> Any:
    """Return a table with the weights of equal values added up, in one order."""
    weights = np.asarray(table.column(WEIGHT).combine_chunks())
    if (weights != np.rint(weights)).any():  # else sums are exact
        table = table.take(np.argsort(weights, kind="stable"))
    grouped = table.group_by(VALUE, use_threads=False).aggregate([(WEIGHT, "sum")])
    return grouped.select([VALUE, f"{WEIGHT}_sum"]).rename_columns([VALUE, WEIGHT])


def _joined(parts: Sequence[Any], name: str) -> Any:
    """Return the counts of one column of several parts."""
    import pyarrow as pa

    try:
        table = pa.concat_tables(parts, promote_options="permissive")
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        types = sorted({str(part.column(VALUE).type) for part in parts})
        raise TypeError(
            f"column {name!r} holds {' in one partition and '.join(types)} in another: give it one "
            "type"
        ) from None
    return _distinct(table.column(VALUE), np.asarray(table.column(WEIGHT).combine_chunks()))


def thinned(counts: Any) -> Any:
    """Return a table of numbers, dates or times with at most `MOST_VALUES`; others as they are.

    The least and the greatest values stay; between them neighbours of about equal weight in all
    become their mean.
    """
    import pyarrow as pa

    values = counts.column(VALUE).combine_chunks()
    kind = values.type
    are_times = pa.types.is_temporal(kind)
    if len(values) <= MOST_VALUES or not (
        are_times or pa.types.is_integer(kind) or pa.types.is_floating(kind)
    ):
        return counts
    weights = np.asarray(counts.column(WEIGHT).combine_chunks())
    missing = np.asarray(values.is_null(nan_is_null=True))
    whole = values.view(f"int{kind.bit_width}") if are_times else values
    numbers = np.asarray(whole.filter(pa.array(~missing)), np.float64)
    if not np.isfinite(numbers).all():  # which the encoder refuses
        return counts
    order = np.argsort(numbers, kind="stable")
    numbers, each = numbers[order], weights[~missing][order]
    through = np.cumsum(each[ENDS:-ENDS])
    bins = np.zeros(len(numbers), np.int64)
    bins[:ENDS] = np.arange(ENDS)
    share = (through - each[ENDS:-ENDS]) / through[-1]
    bins[ENDS:-ENDS] = ENDS + (share * (MOST_VALUES // 2)).astype(np.int64)
    bins[-ENDS:] = ENDS + MOST_VALUES // 2 + np.arange(ENDS)
    starts = np.flatnonzero(np.diff(bins, prepend=-1))
    totals = np.add.reduceat(each, starts)
    # From the first of each, so that what is constant stays so.
    gaps = numbers - np.repeat(numbers[starts], np.diff(np.append(starts, len(numbers))))
    means = numbers[starts] + np.add.reduceat(each * gaps, starts) / totals
    kept: Any = pa.array(means)
    if are_times:
        kept = pa.array(np.rint(means).astype(f"int{kind.bit_width}")).view(kind)
    if missing.any():
        kept = pa.concat_arrays([kept, pa.nulls(1, kept.type)])
        totals = np.append(totals, weights[missing].sum())
    return pa.table({VALUE: kept, WEIGHT: totals})


def distinct_entries(X: sp.csr_matrix, weights: Weights) -> tuple[sp.csr_matrix, Weights]:
    """Return a row of one entry for each distinct value of each column, and their weights."""
    entries = sp.coo_matrix(X)
    columns, values, each = entries.col, entries.data, weights[entries.row]
    if (weights == np.rint(weights)).all():  # sums are exact, in any order
        one_of_each = np.zeros(X.shape[1], values.dtype)
        one_of_each[columns] = values
        varied = np.zeros(X.shape[1], bool)
        varied[columns[values != one_of_each[columns]]] = True
        sums = np.bincount(columns, each, X.shape[1])
        alike = np.flatnonzero((sums > 0) & ~varied)
        rest = varied[columns]
        columns = np.append(columns[rest], alike.astype(columns.dtype))
        values = np.append(values[rest], one_of_each[alike])
        each = np.append(each[rest], sums[alike])
    order = np.lexsort((each, values, columns))
    columns, values, each = columns[order], values[order], each[order]
    is_first = np.append(True, (columns[1:] != columns[:-1]) | (values[1:] != values[:-1]))
    starts = np.flatnonzero(is_first[: len(columns)])
    totals = np.add.reduceat(each, starts) if len(starts) else each
    starts, totals = starts[totals > 0], totals[totals > 0]
    indptr = np.arange(len(starts) + 1)
    matrix = sp.csr_matrix((values[starts], columns[starts], indptr), (len(starts), X.shape[1]))
    return matrix, totals
