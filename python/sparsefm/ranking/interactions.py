"""From tables of interactions, users and items to what a training on comparisons takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from sklearn.base import clone

from sparsefm.data.csr import as_scipy
from sparsefm.data.validation import as_vector
from sparsefm.encoding import TableEncoder
from sparsefm.encoding.partial import encode_columns
from sparsefm.evaluation.identifiers import as_identifiers, read_columns
from sparsefm.evaluation.splits import moments_of
from sparsefm.ranking.comparing import Positives
from sparsefm.retrieval.frames import Identifiers, as_frame, ids_of, table_of

Array = npt.NDArray[Any]
Rows = npt.NDArray[np.int64]

LARGEST_WEIGHT = 1e30


@dataclass(frozen=True)
class Columns:
    """The names of the columns of interactions.

    Attributes
    ----------
    user, item : str
    weight, time : str or None
        These two are no features.
    """

    user: str
    item: str
    weight: str | None = None
    time: str | None = None

    def __post_init__(self) -> None:
        given = [name for name in vars(self).values() if isinstance(name, str)]
        for parameter, name in vars(self).items():
            is_text = isinstance(name, str)
            if not (is_text or (name is None and parameter in ("weight", "time"))):
                raise TypeError(f"{parameter} must be the name of a column, got {name!r:.80}")
            if is_text and given.count(name) > 1:
                raise ValueError(f"{parameter} is {name!r}, and so is another of the columns")

    def context_of(self, frame: Any) -> list[str]:
        """Return the columns of a table that say in which context a user chose."""
        return [name for name in frame.columns if name not in vars(self).values()]


@dataclass(frozen=True, eq=False)
class Interactions:
    """What users chose, by number.

    Attributes
    ----------
    frame : narwhals.DataFrame
        The rows of positive weight.
    columns : Columns
    user, item : ndarray of int32, shape (n,)
    users, items : list
        Their identifiers.
    weights : ndarray of float64, shape (n,), or None
    times : ndarray of int, shape (n,), or None
        Integers in the order of the times.
    """

    frame: Any
    columns: Columns
    user: Array
    item: Array
    users: list[Any]
    items: list[Any]
    weights: Array | None
    times: Array | None

    @classmethod
    def read(cls, table: Any, columns: Columns, name: str = "X") -> Interactions:
        """Read a table; errors call it `name`."""
        frame = as_frame(table, name)
        for parameter, column in vars(columns).items():
            if column is not None and column not in frame.columns:
                raise ValueError(
                    f"{name} has no column {column!r}, which {parameter}= names; it has "
                    f"{frame.columns!r:.200}"
                )
        if len(frame) == 0:
            raise ValueError(f"{name} has no rows")
        weights = None
        if columns.weight is not None:
            weights = _weights_of(frame, columns.weight, name)
            if (weights == 0).any():
                kept = np.flatnonzero(weights)
                frame, weights = frame[kept], weights[kept]
        numbers = []
        for kind in ("user", "item"):
            column = getattr(columns, kind)
            labels = as_identifiers(
                read_columns(frame.select(column).to_native(), name, {kind: column})[0],
                f"column {column!r} of {name}",
            )
            numbers.append(_by_appearance(labels.codes, labels.values))
        (user, users), (item, items) = numbers
        times = None
        if columns.time is not None:
            times = moments_of(frame[columns.time].to_numpy(), f"column {columns.time!r} of {name}")
        return cls(frame, columns, user, item, users, items, weights, times)

    def __len__(self) -> int:
        return len(self.user)

    def known(self) -> sp.csr_matrix:
        """Return the pairs as a matrix (n_users, n_items) of True."""
        shape = len(self.users), len(self.items)
        pairs = sp.csr_matrix((np.ones(len(self), bool), (self.user, self.item)), shape)
        pairs.sum_duplicates()
        return pairs


def _weights_of(frame: Any, column: str, name: str) -> Array:
    what = f"column {column!r} of {name}"
    weights = as_vector(frame[column].to_numpy(), len(frame), np.dtype(np.float64), what)
    if (weights < 0).any():
        row = int(np.argmax(weights < 0))
        raise ValueError(f"{what} has the weight {weights[row]:g} in row {row}: none is negative")
    if weights.max() > LARGEST_WEIGHT:
        raise ValueError(f"{what} has the weight {weights.max():g}: at most {LARGEST_WEIGHT:g}")
    if not weights.any():
        raise ValueError(f"{what} has no positive weight")
    return weights


@dataclass(frozen=True, eq=False)
class Side:
    """What is known of users, or of items.

    Attributes
    ----------
    frame : narwhals.DataFrame
        A row for each.
    rows : ndarray of int64
        The row of each user or item of the interactions.
    columns : list of str
        The columns that are features.
    known : Identifiers or None
        Those of the rows, if there is a table.
    """

    frame: Any
    rows: Rows
    columns: list[str]
    known: Identifiers | None = None

    @classmethod
    def read(cls, table: Any, key: str, ids: Sequence[Any], like: Any, name: str) -> Side:
        """Read a table of features; None stands for a table of nothing but the identifiers."""
        if table is None:
            frame = as_frame(table_of(like, {key: ids}), name)
            return cls(frame, np.arange(len(ids)), [key])
        frame = as_frame(table, name)
        known = Identifiers(frame, key, name)
        rows = known.rows(list(ids), "X", f"{key} of {name}")
        return cls(frame, rows, list(frame.columns), known)


@dataclass(frozen=True, eq=False)
class Sides:
    """The tables of a training, and the encoder of all columns.

    Attributes
    ----------
    interactions : Interactions
    users, items : Side
    context : list of str
        Columns of interactions.
    encoder : TableEncoder
    """

    interactions: Interactions
    users: Side
    items: Side
    context: list[str]
    encoder: TableEncoder

    @classmethod
    def learn(
        cls, interactions: Interactions, users: Side, items: Side, encoder: TableEncoder | None
    ) -> Sides:
        """Fit an encoder on the rows of interactions with the features of both sides."""
        columns = interactions.columns
        context = columns.context_of(interactions.frame)
        names = [*users.columns, *context, *items.columns]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(
                f"the column {twice[0]!r} is in more than one of X, user_features and "
                "item_features: rename it, or leave it out of one"
            )
        chosen = TableEncoder() if encoder is None else clone(encoder)
        hashed = chosen.hashed or {}
        ids = [name for name in (columns.user, columns.item) if name not in hashed]
        chosen.set_params(categorical=[*ids, *(set(chosen.categorical or ()) - set(ids))])
        sides = cls(interactions, users, items, context, chosen)
        chosen.fit(sides._joined(), sample_weight=interactions.weights)
        return sides

    def _joined(self) -> Any:
        every = self._contexts(np.arange(len(self.interactions)))
        rows = self.items.rows[self.interactions.item]
        every |= {name: self.items.frame[name][rows] for name in self.items.columns}
        return table_of(self.interactions.frame, every)

    def _contexts(self, rows: Rows) -> dict[str, Any]:
        """Return the columns of the contexts of some interactions."""
        data = self.interactions
        users = self.users.rows[data.user[rows]]
        return {
            **{name: self.users.frame[name][users] for name in self.users.columns},
            **{name: data.frame[name][rows] for name in self.context},
        }

    def _encoded(self, table: Any) -> sp.csr_matrix:
        return as_scipy(encode_columns(self.encoder, table, self.encoder))

    def positives(self) -> Positives:
        """Return what a training takes: of each user one context, or of each interaction."""
        data = self.interactions
        if self.context:
            context, rows = np.arange(len(data), dtype=np.int32), np.arange(len(data))
        else:
            context, rows = data.user, _first_rows(data.user, len(data.users))
        items = {name: self.items.frame[name][self.items.rows] for name in self.items.columns}
        return Positives(
            self._encoded(table_of(data.frame, self._contexts(rows))),
            self._encoded(table_of(data.frame, items)),
            context,
            data.user,
            data.item,
            data.weights,
            None,
            data.known(),
        )


def completed(table: Any, wanted: Sequence[str], sides: dict[str, Side], name: str) -> Any:
    """Return those of some columns that a table or the sides have, in their order.

    Parameters
    ----------
    table : table of pandas, Polars or PyArrow
    wanted : sequence of str
    sides : dict of str to Side
        What is known of users and of items, by the column of their identifiers.
    name : str
        What errors call the table.
    """
    frame = as_frame(table, name)
    columns = {column: frame[column] for column in wanted if column in frame.columns}
    for key, side in sides.items():
        missing = [one for one in side.columns if one in wanted and one not in frame.columns]
        if missing and side.known is not None and key in frame.columns:
            rows = side.known.rows(ids_of(frame, key, name), name, key)
            columns |= {column: side.frame[column][rows] for column in missing}
    if not columns:
        return table  # the model says what it lacks
    return table_of(frame, {column: columns[column] for column in wanted if column in columns})


def _by_appearance(codes: Array, values: Sequence[Any]) -> tuple[Array, list[Any]]:
    """Return codes, and what they stand for, in the order in which rows first have them."""
    first = _first_rows(codes, len(values))
    order = np.argsort(first)[: int(np.sum(first < len(codes)))]
    numbers = np.zeros(len(values), np.int32)
    numbers[order] = np.arange(len(order))
    return numbers[codes], [values[code] for code in order]


def _first_rows(codes: Array, n: int) -> Rows:
    """Return the first row of each code; the number of rows where none has it."""
    rows = np.full(n, len(codes), np.int64)
    np.minimum.at(rows, codes, np.arange(len(codes)))
    return rows
