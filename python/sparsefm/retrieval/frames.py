"""Tables of pandas, Polars and PyArrow, by narwhals: columns of identifiers, and results."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Ids = list[Any]


def as_frame(table: Any, name: str) -> Any:
    """Return a table as a narwhals DataFrame.

    Parameters
    ----------
    table : table of pandas, Polars or PyArrow
    name : str
        What errors call it.
    """
    try:
        import narwhals
    except ImportError:
        raise ImportError("recommending needs narwhals: pip install narwhals") from None
    frame = narwhals.from_native(table, pass_through=True)
    if not isinstance(frame, narwhals.DataFrame):
        raise TypeError(
            f"{name} must be a table of pandas, Polars or PyArrow, got {type(table).__name__}"
        )
    return frame


def ids_of(frame: Any, column: str, name: str) -> Ids:
    """Return a column of identifiers, none of which may be missing."""
    if column not in frame.columns:
        raise ValueError(f"{name} needs a column {column!r}; it has {frame.columns!r:.200}")
    series = frame[column]
    ids: Ids = series.to_list()
    missing = sum(one is None or one != one for one in ids)
    if missing:
        raise ValueError(f"column {column!r} of {name} has {missing} missing identifiers")
    return ids


def numbered(ids: Ids, column: str, name: str) -> dict[Any, int]:
    """Return the row of each identifier, of which none may be there twice."""
    rows = {one: row for row, one in enumerate(ids)}
    if len(rows) < len(ids):
        row = next(row for row, one in enumerate(ids) if rows[one] != row)
        raise ValueError(
            f"column {column!r} of {name} has {ids[row]!r:.80} in several rows: give each one row"
        )
    return rows


def rows_of(wanted: Iterable[Any], rows: dict[Any, int], what: str) -> npt.NDArray[np.int64]:
    """Return the rows of identifiers, all of which must be known."""
    found = [(one, rows.get(one, -1)) for one in wanted]
    unknown = [one for one, row in found if row < 0]
    if unknown:
        raise ValueError(
            f"{unknown[0]!r:.80} is no known {what}: there are {len(rows):,}, such as "
            f"{next(iter(rows))!r:.80}"
        )
    return np.array([row for _, row in found], np.int64)


def is_listed(given: Any) -> bool:
    """Return whether something is a list of identifiers, not a table."""
    return isinstance(given, list | tuple | range) or len(getattr(given, "shape", ())) == 1


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
    convert = getattr(given, "tolist", None) or getattr(given, "to_list", None)
    ids: Ids = list(given) if convert is None else convert()
    if any(isinstance(one, list | dict | set) for one in ids):
        raise TypeError(f"{name} must be a list of identifiers, got {given!r:.80}")
    return ids


def table_like(frame: Any, columns: dict[str, Sequence[Any]]) -> Any:
    """Return a table of the library that a narwhals DataFrame comes from."""
    import narwhals

    library = narwhals.get_native_namespace(frame)
    make = library.table if hasattr(library, "table") else library.DataFrame
    return make(columns)
