"""Columns of Python objects: of arrays, of lists of rows, and of rows as dicts.

SHAP, LIME, ensembles and `permutation_importance` of scikit-learn hand tables on as arrays of
objects, and JSON gives rows as dicts.
"""

from collections.abc import Mapping, Sequence, Set
from decimal import Decimal
from functools import lru_cache
from itertools import chain, compress, filterfalse
from numbers import Real
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from sparsefm.encoding.names import Names
from sparsefm.encoding.table import Parts, Table
from sparsefm.encoding.tables import (
    Column,
    Integers,
    Labels,
    as_column,
    as_finite,
    as_items,
    is_missing,
    kind_of,
    multi_valued,
    temporal,
    unsupported,
)
from sparsefm.encoding.times import is_temporal, read_temporal

FEW_ROWS = 200  # up to so many, columns of libraries are read as objects, too


def array_table(rows: npt.NDArray[Any]) -> Table:
    """Return an array of text or of objects as a table without names."""
    columns = [column.tolist() for column in rows.astype(object).T]
    return Table(columns, None, rows.shape, read_objects, list_parts)


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
    return Table(columns, found, (len(rows), len(columns)), read_objects, list_parts)


def read_objects(rows: list[Any], name: str, *, is_categorical: bool = False) -> Column:
    """Return a column of objects: of text, bools, numbers, dates, times, or of lists."""
    if not is_categorical:
        kinds = set(map(type, rows))
        if kinds == {float}:  # sooner than a dict
            numbers = np.array(rows)
            if not np.isnan(numbers).all():
                return as_finite(numbers, name)
        several = set(filter(has_several, kinds))
        if several:
            return _parts(rows, several, name).joined()
        if any(map(is_temporal, kinds)) and any(map(is_temporal, _kinds_present(rows))):
            return read_temporal(rows, name)
    try:
        codes, found = distinct(rows)
    except TypeError:
        refuse(rows, name)
    return as_column(codes, found, name, is_categorical=is_categorical)


def _kinds_present(rows: list[Any]) -> set[type]:
    """Return the types of values that are not missing; NumPy's NaT has that of a date."""
    return set(map(type, filterfalse(is_missing, rows)))


def distinct(rows: Sequence[Any]) -> tuple[Integers, list[Any]]:
    """Return a code for each row, -1 where missing, and the distinct values.

    Values of different types are different, also if they are equal, such as 1 and True.
    """
    has_one_type = len(set(map(type, rows)) - {type(None)}) < 2
    keys: Sequence[Any] = rows if has_one_type else list(zip(map(type, rows), rows, strict=True))
    code_of: dict[Any, int] = {}
    found: list[Any] = []
    for key in dict.fromkeys(keys):
        value = key if has_one_type else key[1]
        is_value = not is_missing(value)
        code_of[key] = len(found) if is_value else -1
        if is_value:
            found.append(value)
    return np.fromiter(map(code_of.__getitem__, keys), np.int64, len(keys)), found


@lru_cache(maxsize=256)
def has_several(kind: type) -> bool:
    """Return whether cells of a type hold several values."""
    if issubclass(kind, str | bytes | bytearray | memoryview):
        return False
    is_series = kind.__name__ == "Series"  # of a library, in an array of objects
    return is_series or issubclass(kind, Sequence | Set | Mapping | np.ndarray)


def list_parts(rows: Sequence[Any], name: str) -> Parts:
    """Return the parts of a column of lists in order; refuse single values, and sets."""
    kinds = set(map(type, rows))
    several = set(filter(has_several, kinds))
    if not several:
        for row, cell in enumerate(rows):
            if not is_missing(cell):
                raise no_lists(name, f"{cell!r:.40} in row {row}")
    for kind in several:
        if issubclass(kind, Set):
            raise TypeError(
                f"list_weights names column {name!r}, which holds a {kind.__name__}: a set has no "
                "order in which values and weights are pairs, make it a list"
            )
    return _parts(rows, several, name)


def _parts(rows: Sequence[Any], several: set[type], name: str) -> Parts:
    """Return the parts of a column of lists, or of dicts from values to weights.

    Parameters
    ----------
    rows : sequence
    several : set of type
        The types of lists and dicts among the rows.
    name : str
    """
    present = np.fromiter((type(cell) in several for cell in rows), bool, len(rows))
    for cell in compress(rows, ~present):
        if not is_missing(cell):
            kind = min(one.__name__ for one in several)
            raise TypeError(  # "argument ..." is what scikit-learn's own checks look for
                f"column {name!r} holds a {kind} in some rows, but {cell!r:.40} in another: each "
                "argument must be a string or a number, or each a list"
            )
    cells = list(compress(rows, present))
    are_dicts = {issubclass(kind, Mapping) for kind in several}
    if len(are_dicts) > 1:
        raise TypeError(f"column {name!r} holds dicts beside lists: make all of them dicts")
    if any(np.ndim(cell) != 1 for cell in cells if isinstance(cell, np.ndarray)):
        raise multi_valued(name, "arrays that are not one-dimensional")
    lengths = np.fromiter(map(len, cells), np.int64, len(cells))
    flat = list(chain.from_iterable(cells))
    for inner in set(map(type, flat)):
        if has_several(inner):
            raise multi_valued(name, f"{inner.__name__} in {type(cells[0]).__name__}")
        if is_temporal(inner):
            raise temporal(name, f"{inner.__name__} in {type(cells[0]).__name__}")

    def items() -> Labels:
        try:
            codes, found = distinct(flat)
        except TypeError:
            refuse(flat, name)
        return as_items(as_column(codes, found, name, is_categorical=True), name)

    weights = None
    if True in are_dicts:
        weights = read_weights(list(chain.from_iterable(cell.values() for cell in cells)), name)
    return Parts(present, lengths, items, lambda: flat, weights)


def read_weights(found: list[Any], name: str) -> npt.NDArray[np.float64]:
    """Return the weights of values, NaN where missing."""
    for value in dict(zip(map(type, found), found, strict=True)).values():
        if not isinstance(value, Real | Decimal | np.bool_) and not is_missing(value):
            raise no_weights(name, type(value).__name__)
    try:
        weights = np.array([np.nan if is_missing(one) else float(one) for one in found], np.float64)
    except OverflowError:
        weights = np.array([np.inf])
    if np.isinf(weights).any():
        raise ValueError(f"column {name!r} holds a weight that is infinite or too large")
    return weights


def no_weights(name: str, kind: object) -> TypeError:
    """Return the error that dicts do not have weights."""
    return TypeError(
        f"column {name!r} holds dicts whose values are no numbers ({kind}): make them the weights "
        "of their keys, or make each row a list"
    )


def no_lists(name: str, found: object) -> TypeError:
    """Return the error that a column that `list_weights` names holds no lists."""
    return TypeError(
        f"list_weights names column {name!r}, which holds no lists, but {found}: leave it out there"
    )


def refuse(rows: list[Any], name: str) -> NoReturn:
    """Raise the error for a column whose values cannot be hashed."""
    for value in dict(zip(map(type, rows), rows, strict=True)).values():
        if value is not None:
            kind_of(value, name)
    raise unsupported(name, "objects that are not plain values")
