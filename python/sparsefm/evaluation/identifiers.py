"""Users, items and ranks, as they are read from tables and arrays.

What reads columns is that of the encoder. Importing it takes scikit-learn, half a second: so this
module is imported on first use.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from sparsefm.data.validation import is_mapping, read_array, unmasked
from sparsefm.encoding.libraries import as_table
from sparsefm.encoding.objects import read_objects
from sparsefm.encoding.tables import Column, Dates, Integers, Labels, Lists, Numbers

MOST = 2**53  # the first whole number that float64 does not tell from all others


def read_columns(frame: Any, argument: str, names: dict[str, Any]) -> list[Column]:
    """Return columns of a table, or of a dict of arrays.

    Parameters
    ----------
    frame : table or mapping
    argument : str
        What errors call it.
    names : dict
        The names of the columns by the parameter that says so.

    Raises
    ------
    TypeError, ValueError
        If it is no table, lacks a column, or one cannot be read.
    """
    for parameter, name in names.items():
        if not isinstance(name, str):
            raise TypeError(f"{parameter} must be the name of a column, got {name!r:.80}")
    read: Callable[[Any, str], Column]
    if is_mapping(frame):
        columns, read = dict(frame), read_vector
    else:
        table = as_table(frame, argument)
        if table is None or table.names is None:
            raise TypeError(
                f"{argument} must be a table (of pandas, Polars or PyArrow) or a dict of arrays, "
                f"got {type(frame).__name__}"
            )
        columns = dict(zip(table.names.texts, table.series, strict=True))
        read = table.read_column
    for parameter, name in names.items():
        if name not in columns:
            shown = ", ".join([repr(one) for one in columns][:10] + ["..."] * (len(columns) > 10))
            raise ValueError(
                f"{argument} has no column {name!r}: {parameter}= names it; its columns are "
                f"{shown or 'none at all'}"
            )
    try:
        read_ones = [read(columns[name], name) for name in names.values()]
    except (TypeError, ValueError) as error:
        text = str(error).replace("Input X", "it")  # what the encoder says to scikit-learn
        raise type(error)(f"{argument}: {text}") from None
    sizes = {column.n_rows for column in read_ones}
    if len(sizes) > 1:
        raise ValueError(f"{argument} has columns of different lengths: {sorted(sizes)}")
    return read_ones


def read_vector(values: Any, name: str) -> Column:
    """Return an array or a list as a column of that name."""
    array = as_vector(values, f"column {name!r}")
    if array.dtype.kind not in "iuf":
        return read_objects(array.tolist(), name)
    with np.errstate(over="ignore"):  # infinite is refused later
        return Numbers(array.astype(np.float64), array if array.dtype.kind in "iu" else None)


def as_vector(values: Any, what: str) -> npt.NDArray[Any]:
    """Return values as an array of one dimension."""
    if sp.issparse(values):
        raise TypeError(f"{what} must be a one-dimensional array, got a sparse matrix")
    array = read_array(unmasked(values, what), what)
    if array.dtype.kind == "U" and not isinstance(values, np.ndarray):
        array = read_array(
            values, what, object
        )  # NumPy makes text of numbers, and drops a last NUL
    if array.ndim != 1:
        raise ValueError(f"{what} must be one-dimensional, got shape {array.shape}")
    return array


def as_identifiers(column: Column, what: str) -> Labels:
    """Return the text or the integers of a column as labels.

    Parameters
    ----------
    column : Column
    what : str
        What errors call it.

    Raises
    ------
    TypeError
        If it holds something else.
    ValueError
        If one is missing or has a fraction.
    """
    if isinstance(column, Numbers) and column.kind == "numbers":
        _check_whole(column, what, "identifiers are integers or text")
        exact = column.values.astype(np.int64) if column.exact is None else column.exact
        integers, codes = np.unique(exact, return_inverse=True)
        return Labels(codes, integers.tolist())
    if not isinstance(column, Labels) or any(isinstance(one, bool) for one in column.values[:1]):
        raise TypeError(f"{what} holds {_kind_of(column)}: identifiers are integers or text")
    _refuse(column.codes < 0, column, what, "remove such rows")
    for value in () if _are_text(column) else column.values:
        if not isinstance(value, int):
            raise ValueError(f"{what} holds {value!r}: identifiers are integers or text")
    return column


def as_ranks(column: Column, what: str) -> npt.NDArray[np.int64]:
    """Return a column of ranks; refuse what is no integer from 1 on."""
    if not isinstance(column, Numbers) or column.kind != "numbers":
        raise TypeError(f"{what} holds {_kind_of(column)}: ranks are integers, and 1 is the best")
    _check_whole(column, what, "ranks are integers, and 1 is the best")
    wrong = (column.values < 1) | (column.values >= MOST)
    _refuse(wrong, column, what, "ranks are integers, and 1 is the best")
    return column.values.astype(np.int64)


def joined(
    first: Labels, second: Labels, what: Sequence[str]
) -> tuple[Integers, Integers, list[Any]]:
    """Return the codes of two columns for the values of both, and these.

    Raises
    ------
    TypeError
        If one holds text and the other integers: none of them would be equal.
    """
    if first.values and second.values and _are_text(first) != _are_text(second):
        kinds = ["text" if _are_text(one) else "integers" for one in (first, second)]
        raise TypeError(
            f"{what[0]} holds {kinds[0]}, but {what[1]} holds {kinds[1]}: make both the same"
        )
    place_of = {value: place for place, value in enumerate(first.values)}
    for value in second.values:
        place_of.setdefault(value, len(place_of))
    places = np.fromiter(map(place_of.__getitem__, second.values), np.int64, len(second.values))
    return first.codes.astype(np.int64), places[second.codes], list(place_of)


def _are_text(labels: Labels) -> bool:
    return bool(labels.values) and isinstance(labels.values[0], str)


def _kind_of(column: Column) -> str:
    if isinstance(column, Numbers):
        return column.kind
    if isinstance(column, Labels):
        return "text" if _are_text(column) else "bools or categories"
    return {Dates: "dates", Lists: "lists"}[type(column)]


def _check_whole(column: Numbers, what: str, remedy: str) -> None:
    _refuse(np.isnan(column.values), column, what, "remove such rows")
    _refuse(column.values != np.floor(column.values), column, what, remedy)
    if column.exact is None:  # they are no integers, or small ones
        _refuse(np.abs(column.values) >= MOST, column, what, "make such numbers integers or text")


def _refuse(wrong: npt.NDArray[Any], column: Column, what: str, remedy: str) -> None:
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(f"{what} holds {column.show(row)} in row {row}: {remedy}")
