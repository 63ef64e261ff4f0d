"""Cells of several values: lists, sets, arrays, dicts of weights, and text with separators."""

import decimal
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from reliability.fuzz.choices import Choices

try:
    import polars as pl
except ImportError:
    pl = None

SEPARATORS = ("|", ", ", " ", "a", "\0", "||")
USUAL_WEIGHTS = (1.0, 0.5, 2.0, 0.0, -1.0, 3.0, None)
ODD_WEIGHTS = (2, True, "1", decimal.Decimal("0.1"), 10**400, 1e308, 1e-320, np.inf, np.nan)


def weights(values: list[Any], choices: Choices) -> dict[Any, Any]:
    """Return a dict from values to weights."""
    return {
        value: choices.one_of(USUAL_WEIGHTS if choices.below(8) else ODD_WEIGHTS)
        for value in values
    }


def objects(values: list[Any], choices: Choices) -> Any:
    """Return an array of objects."""
    array = np.empty(len(values), object)
    array[:] = values
    return array


# How the values of a row become a cell.
CONTAINERS: dict[str, Callable[[list[Any], Choices], Any]] = {
    "list": lambda values, choices: values,
    "tuple": lambda values, choices: tuple(values),
    "set": lambda values, choices: set(values),
    "frozenset": lambda values, choices: frozenset(values),
    "array": lambda values, choices: np.array(values),
    "array of objects": objects,
    "series": lambda values, choices: pd.Series(values, dtype=object),
    "dict": weights,
    "text": lambda values, choices: choices.one_of(SEPARATORS[:2]).join(map(str, values)),
    "nested": lambda values, choices: [values],
}


def maker(value: Callable[[Choices], Any], choices: Choices) -> Callable[[Choices], Any]:
    """Return what chooses a cell of such values, mostly in one container, perhaps of one length."""
    container = choices.one_of([*CONTAINERS])
    length = choices.below(8)

    def cell(choices: Choices) -> Any:
        kind = container if choices.below(16) else choices.one_of([*CONTAINERS])
        size = choices.below(4) if length > 3 else length
        values = [value(choices) if choices.below(8) else None for _ in range(size)]
        return CONTAINERS[kind](values, choices)

    return cell


def are_lists(rows: list[Any]) -> bool:
    """Return whether some rows hold several values."""
    return any(isinstance(row, list | tuple | set | frozenset | dict | np.ndarray) for row in rows)


# Types of values in Arrow; an older Arrow lacks some, where a column is no case.
ARROW_VALUES: tuple[Callable[[Any], Any], ...] = (
    *[lambda found: found] * 16,
    lambda found: pa.string(),
    lambda found: pa.large_string(),
    lambda found: pa.string_view(),
    lambda found: pa.dictionary(pa.int8(), pa.string()),
    lambda found: pa.int16(),
    lambda found: pa.uint64(),
    lambda found: pa.float16(),
    lambda found: pa.float32(),
    lambda found: pa.decimal128(20, 2),
    lambda found: pa.bool_(),
    lambda found: pa.date32(),
    lambda found: pa.null(),
    lambda found: pa.binary(),
    lambda found: pa.list_(found),
)
ARROW_LISTS: tuple[Callable[[Any, int], Any], ...] = (
    lambda values, size: pa.list_(values),
    lambda values, size: pa.large_list(values),
    lambda values, size: pa.list_(values, size),
    lambda values, size: pa.list_view(values),
    lambda values, size: pa.large_list_view(values),
)
ARROW_WEIGHTS = (*["float64"] * 5, "float32", "int32", "bool_", "null", "string")


def as_arrow(rows: list[Any], choices: Choices) -> Any:
    """Return lists or dicts as an array of Arrow."""
    values, size = choices.one_of(ARROW_VALUES), choices.below(4)
    if any(isinstance(row, dict) for row in rows):
        keys = pa.array([key for row in rows if isinstance(row, dict) for key in row])
        kind = pa.map_(values(keys.type), getattr(pa, choices.one_of(ARROW_WEIGHTS))())
        # Arrow aborts on maps that hold None instead of a pair.
        rows = [[*row.items()] if isinstance(row, dict) else None for row in rows]
    else:
        rows = [[*row] if isinstance(row, set | frozenset) else row for row in rows]
        found = pa.array(rows, from_pandas=True).type.value_type
        kind = choices.one_of(ARROW_LISTS)(values(found), size)
    return pa.array(rows, kind, from_pandas=True)


def as_polars(rows: list[Any], choices: Choices) -> Any:
    """Return lists as a column of Polars."""
    kinds = (
        *(pl.String, pl.Categorical, pl.Float32, pl.Float64, pl.Int16, pl.UInt64, pl.Boolean),
        *(pl.Date, pl.Null, pl.Binary, pl.Decimal(20, 2), pl.Enum(["", "a"]), pl.List(pl.String)),
    )
    inner, size = choices.one_of(kinds), choices.below(4)
    dtype = choices.one_of([None, None, pl.List(inner), pl.List(inner), pl.Array(inner, size)])
    rows = [[*row] if isinstance(row, set | frozenset) else row for row in rows]
    return pl.Series(rows, strict=False, dtype=dtype)
