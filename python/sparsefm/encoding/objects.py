"""Columns of Python objects: of arrays, of lists of rows, and of rows as dicts.

SHAP, LIME, ensembles and `permutation_importance` of scikit-learn hand tables on as arrays of
objects, and JSON gives rows as dicts.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from sparsefm.encoding.names import Names
from sparsefm.encoding.tables import (
    Column,
    Integers,
    Table,
    as_column,
    as_finite,
    kind_of,
    unsupported,
)


def array_table(rows: npt.NDArray[Any]) -> Table:
    """Return an array of text or of objects as a table without names."""
    columns = [column.tolist() for column in rows.astype(object).T]
    return Table(columns, None, rows.shape, read_objects)


def record_table(rows: Sequence[Mapping[Any, Any]], known: Names | None) -> Table:
    """Return rows as a table whose columns are their keys; a key that a row lacks is missing.

    The columns of the fit come first, in their order, also if no row has them.
    """
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise TypeError(f"row 0 of X is a dict, but row {number} is {type(row).__name__}")
    keys = list(dict.fromkeys(chain.from_iterable(rows)))
    found = Names.of(keys)
    key_of = dict(zip(found.texts, keys, strict=True))
    if known is not None:
        are_text = found.are_text if keys else known.are_text
        found = Names(list(dict.fromkeys([*known.texts, *found.texts])), are_text)
    columns = [[row.get(key_of.get(name)) for row in rows] for name in found.texts]
    return Table(columns, found, (len(rows), len(columns)), read_objects)


def read_objects(rows: list[Any], name: str, *, is_categorical: bool = False) -> Column:
    """Return a column of objects: of text, of bools, or of numbers."""
    if not is_categorical and set(map(type, rows)) == {float}:  # sooner than a dict
        numbers = np.array(rows)
        if not np.isnan(numbers).all():
            return as_finite(numbers, name)
    try:
        codes, found = distinct(rows)
    except TypeError:
        refuse(rows, name)
    return as_column(codes, found, name, is_categorical=is_categorical)


def distinct(rows: Sequence[Any]) -> tuple[Integers, list[Any]]:
    """Return a code for each row, -1 where missing, and the distinct values.

    Values of different types are different, also if they are equal, such as 1 and True.
    """
    keys = list(zip(map(type, rows), rows, strict=True))
    code_of: dict[Any, int] = {}
    found: list[Any] = []
    for key in dict.fromkeys(keys):
        is_value = not is_missing(key[1])
        code_of[key] = len(found) if is_value else -1
        if is_value:
            found.append(key[1])
    return np.array([code_of[key] for key in keys], np.int64), found


def is_missing(value: Any) -> bool:
    """Return whether a value is None, NaN, or pandas' NA or NaT."""
    if value is None or type(value).__name__ == "NAType":
        return True
    try:
        return bool(value != value)
    except (TypeError, ValueError):  # such as of an array
        return False


def refuse(rows: list[Any], name: str) -> NoReturn:
    """Raise the error for a column whose values cannot be hashed."""
    for value in dict(zip(map(type, rows), rows, strict=True)).values():
        if value is not None:
            kind_of(value, name)
    raise unsupported(name, "objects that are not plain values")
