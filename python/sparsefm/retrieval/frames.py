"""Tables of pandas, Polars and PyArrow, by narwhals: columns of identifiers, and results."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

Ids = list[Any]

MISSING = {"NAType", "NaTType"}  # of pandas


def as_frame(table: Any, name: str) -> Any:
    """Return a table as a narwhals DataFrame.

    Parameters
    ----------
    table : table of pandas, Polars or PyArrow
    name : str
        What errors call it.
    """
    narwhals = _narwhals()
    try:
        frame = narwhals.from_native(table, pass_through=True)
    except narwhals.exceptions.DuplicateError as error:
        raise ValueError(f"{name} must have distinct column names: {error}") from None
    if not isinstance(frame, narwhals.DataFrame):
        raise TypeError(
            f"{name} must be a table of pandas, Polars or PyArrow, got {type(table).__name__}"
        )
    return frame


class Identifiers:
    """A column of identifiers, each of which is there once.

    Parameters
    ----------
    frame : narwhals.DataFrame
    column, name : str
        The name of the column, and what errors call the table.
    """

    def __init__(self, frame: Any, column: str, name: str) -> None:
        self.ids = ids_of(frame, column, name)
        self._column = frame.select(column).clone()[column]
        self._rows = {one: row for row, one in enumerate(self.ids)}
        if len(self._rows) < len(self.ids):
            row = next(row for row, one in enumerate(self.ids) if self._rows[one] != row)
            raise ValueError(
                f"column {column!r} of {name} has {self.ids[row]!r:.80} in several rows: give each "
                "one row"
            )

    def __len__(self) -> int:
        return len(self.ids)

    def row(self, one: Any) -> int:
        """Return the row of an identifier, -1 if it is not there."""
        return self._rows.get(one, -1)

    def rows(self, wanted: Ids, name: str, what: str) -> npt.NDArray[np.int64]:
        """Return the rows of identifiers, all of which must be there.

        Parameters
        ----------
        wanted : list
        name, what : str
            What errors call the list, and one of the identifiers.
        """
        found = np.array([self.row(one) for one in wanted], np.int64)
        if (found < 0).any():
            unknown = wanted[int(np.argmax(found < 0))]
            raise ValueError(
                f"{name} has {unknown!r:.80}, which is no known {what}: there are {len(self):,}, "
                f"such as {self.ids[0] if self.ids else None!r:.80}"
            )
        return found

    def column(self, rows: npt.NDArray[np.int64]) -> Any:
        """Return the identifiers of some rows as a narwhals Series, of the type of the table."""
        return self._column[rows]

    @property
    def like(self) -> Any:
        """A narwhals DataFrame of the library of the table."""
        return self._column.to_frame()


def ids_of(frame: Any, column: str, name: str, *, may_miss: bool = False) -> Ids:
    """Return a column of identifiers; None where one is missing, if that may be."""
    if column not in frame.columns:
        raise ValueError(f"{name} needs a column {column!r}; it has {frame.columns!r:.200}")
    ids = frame[column].to_list()
    if may_miss:
        ids = [None if is_missing(one) else one for one in ids]
    return _checked(ids, f"column {column!r} of {name}", may_miss=may_miss)


def kinds(ids: Ids) -> set[str]:
    """Return what identifiers are: text, numbers, or the names of other types."""
    types = {type(one) for one in ids if one is not None}
    return {
        "text" if issubclass(kind, str) else "numbers" if issubclass(kind, Real) else kind.__name__
        for kind in types
    }


def is_listed(given: Any) -> bool:
    """Return whether something is a list of identifiers, not a table."""
    if isinstance(given, list | tuple | range):
        return True
    if isinstance(given, np.ndarray):
        return given.ndim == 1
    return bool(_narwhals().dependencies.is_into_series(given))


def listed(given: Any, name: str) -> Ids:
    """Return identifiers as a list of Python's objects.

    Parameters
    ----------
    given : list, tuple, range, array of shape (n,) or column of a table
    name : str
        What errors call it.
    """
    if not is_listed(given):
        raise TypeError(
            f"{name} must be a list of identifiers, such as ['a', 'b'], got {type(given).__name__}"
        )
    if isinstance(given, list | tuple | range):
        ids = list(given)
    elif isinstance(given, np.ndarray):
        ids = given.tolist()
    else:
        ids = _narwhals().from_native(given, allow_series=True).to_list()
    found = kinds(_checked(ids, name))
    if len(found) > 1:
        raise TypeError(f"{name} mixes {' and '.join(sorted(found))}: give identifiers one type")
    return ids


def is_missing(one: Any) -> bool:
    """Return whether a value stands for none."""
    is_nan = isinstance(one, float) and one != one
    return one is None or is_nan or type(one).__name__ in MISSING


def _checked(ids: Ids, name: str, *, may_miss: bool = False) -> Ids:
    """Return identifiers that can be looked up."""
    for one in ids:
        if is_missing(one) and not may_miss:
            raise ValueError(f"{name} has a missing identifier, {one!r:.80}")
        try:
            hash(one)
        except Exception:
            kind = type(one).__name__
            raise TypeError(f"{name} has a {kind}, which is no identifier: {one!r:.80}") from None
    return ids


def _narwhals() -> Any:
    try:
        import narwhals
    except ImportError:
        raise ImportError("recommending needs narwhals: pip install narwhals") from None
    return narwhals


def table_of(like: Any, columns: dict[str, Any]) -> Any:
    """Return a table of the library that a narwhals DataFrame comes from.

    Parameters
    ----------
    like : narwhals.DataFrame
    columns : dict of str to narwhals.Series, list or ndarray
    """
    narwhals = _narwhals()
    parts = []
    for name, values in columns.items():
        is_series = isinstance(values, narwhals.Series)
        if is_series and values.implementation != like.implementation:
            values, is_series = values.to_list(), False
        if not is_series:
            values = narwhals.new_series(name, values, backend=like.implementation)
        parts.append(narwhals.maybe_reset_index(values.alias(name).to_frame()))
    return narwhals.concat(parts, how="horizontal").to_native()
