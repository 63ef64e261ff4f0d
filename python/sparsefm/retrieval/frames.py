"""Tables of pandas, Polars and PyArrow, by narwhals: columns of identifiers, and results."""

from __future__ import annotations

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


def ids_of(frame: Any, column: str, name: str) -> Ids:
    """Return a column of identifiers, none of which may be missing."""
    if column not in frame.columns:
        raise ValueError(f"{name} needs a column {column!r}; it has {frame.columns!r:.200}")
    return _checked(frame[column].to_list(), f"column {column!r} of {name}")


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
            f"{name} must be a list of identifiers, such as ['a', 'b'], got {given!r:.80}"
        )
    if isinstance(given, list | tuple | range):
        return _checked(list(given), name)
    if isinstance(given, np.ndarray):
        return _checked(given.tolist(), name)
    return _checked(_narwhals().from_native(given, allow_series=True).to_list(), name)


def numbered(ids: Ids, column: str, name: str) -> dict[Any, int]:
    """Return the row of each identifier, of which none may be there twice."""
    rows = {one: row for row, one in enumerate(ids)}
    if len(rows) < len(ids):
        row = next(row for row, one in enumerate(ids) if rows[one] != row)
        raise ValueError(
            f"column {column!r} of {name} has {ids[row]!r:.80} in several rows: give each one row"
        )
    return rows


def rows_of(wanted: Ids, rows: dict[Any, int], name: str, what: str) -> npt.NDArray[np.int64]:
    """Return the rows of identifiers, all of which must be known.

    Parameters
    ----------
    wanted : list
    rows : dict
    name, what : str
        What errors call the list, and one of the identifiers.
    """
    found = np.array([rows.get(one, -1) for one in wanted], np.int64)
    if (found < 0).any():
        unknown = wanted[int(np.argmax(found < 0))]
        raise ValueError(
            f"{name} has {unknown!r:.80}, which is no known {what}: there are {len(rows):,}, such "
            f"as {next(iter(rows), None)!r:.80}"
        )
    return found


def _checked(ids: Ids, name: str) -> Ids:
    """Return identifiers, none of which may be missing."""
    for one in ids:
        if one is None or type(one).__name__ in MISSING or (isinstance(one, float) and one != one):
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


def table_like(frame: Any, columns: dict[str, Any]) -> Any:
    """Return a table of the library that a narwhals DataFrame comes from.

    Parameters
    ----------
    frame : narwhals.DataFrame
    columns : dict of str to list or ndarray
    """
    library = _narwhals().get_native_namespace(frame)
    make = library.table if hasattr(library, "table") else library.DataFrame
    return make(columns)
