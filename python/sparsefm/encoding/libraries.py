"""Tables of pandas, Polars and PyArrow: each library's own methods read its columns.

narwhals knows what is a table, of these libraries and of others. Reading a column through it costs
more than encoding one: a row is predicted in a fraction of the time without.

Distinct values of few rows are found with a dict, sooner than a library could. Where a dictionary
has more values than the column has rows, only those that occur are read.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparsefm.encoding.tables import (
    Column,
    Integers,
    Labels,
    Numbers,
    as_column,
    as_finite,
    temporal,
    unsupported,
)

FEW_ROWS = 200  # up to so many


@dataclass(frozen=True, eq=False)
class Table:
    """A table of one of the libraries.

    Attributes
    ----------
    series : list
        The columns, as the library has them.
    names : list
        Of the columns; pandas allows other names than text.
    shape : (int, int)
    read_column : callable
        Returns numbers or labels for one of `series` and its name.
    """

    series: list[Any]
    names: list[Any]
    shape: tuple[int, int]
    read_column: Callable[[Any, str], Column]

    def columns(self, names: list[str]) -> Iterator[Column]:
        """Yield the columns, one at a time; errors call them by `names`."""
        return map(self.read_column, self.series, names)


def as_table(X: Any) -> Table | None:
    """Return `X` as a table, or None if it is none."""
    if not any(kind.__module__.split(".")[0] in _table_modules() for kind in type(X).__mro__):
        return None
    try:
        import narwhals
    except ImportError:
        raise ImportError(
            f"reading a table ({type(X).__name__}) requires narwhals: pip install narwhals"
        ) from None
    try:
        frame = narwhals.from_native(X, pass_through=True)
    except narwhals.exceptions.DuplicateError as error:
        raise ValueError(f"X must have distinct column names: {error}") from None
    if isinstance(frame, narwhals.LazyFrame):
        raise TypeError(f"X is a lazy table ({type(X).__name__}): pass X.collect()")
    if not isinstance(frame, narwhals.DataFrame):
        return None
    library = frame.implementation
    if library.is_polars():
        return Table(frame.to_native().get_columns(), frame.columns, frame.shape, _read_polars)
    if library.is_pyarrow():
        return Table(frame.to_native().columns, frame.columns, frame.shape, _read_arrow)
    native = frame.to_native() if library.is_pandas() else frame.to_pandas()
    series = [column for _, column in native.items()]
    return Table(series, frame.columns, frame.shape, _read_pandas)


def _table_modules() -> set[str]:
    """Return the modules whose objects may be tables: those that are loaded, less the usual ones.

    Asking narwhals about everything would make it a requirement for arrays, too.
    """
    return {"pandas", "polars", "pyarrow", "modin", "cudf", "narwhals"} & sys.modules.keys()


def _read_pandas(series: Any, name: str) -> Column:
    import pandas as pd

    dtype = series.dtype
    if isinstance(dtype, pd.ArrowDtype):
        import pyarrow as pa

        column = pa.array(series.array)
        is_chunked = isinstance(column, pa.ChunkedArray)
        return _read_arrow(column if is_chunked else pa.chunked_array([column]), name)
    is_native = isinstance(dtype, np.dtype)
    if dtype.kind in "iuf":
        missing = {} if is_native else {"na_value": np.nan}
        return as_finite(series.to_numpy(np.float64, **missing), name)
    if dtype.kind == "b":
        codes = series.to_numpy(np.int8) if is_native else series.to_numpy(np.int8, na_value=-1)
        return Labels(codes, [False, True])
    if dtype.kind in "mM":
        raise temporal(name, dtype)
    if dtype.kind != "O":
        raise unsupported(name, dtype)
    is_categorical = isinstance(dtype, pd.CategoricalDtype)
    try:
        if len(series) <= FEW_ROWS:
            codes, found = _distinct(series.tolist(), pd.isna)
        elif is_categorical:
            categories = series.array.categories
            codes, occurring = _occurring(np.asarray(series.array.codes), len(categories))
            found = categories[occurring].tolist()
        else:
            codes, uniques = pd.factorize(series.to_numpy() if is_native else series.array)
            found = uniques.tolist()
    except TypeError as error:
        raise TypeError(
            f"column {name!r} holds objects that are not plain values ({error}): "
            "convert them to text or numbers, or drop the column"
        ) from None
    return as_column(codes, found, name, is_categorical=is_categorical)


def _read_polars(series: Any, name: str) -> Column:
    import polars as pl

    dtype = series.dtype
    if dtype.is_numeric():
        return as_finite(series.cast(pl.Float64).to_numpy(), name)
    if dtype == pl.Boolean:
        return Labels(series.cast(pl.Int8).fill_null(-1).to_numpy(), [False, True])
    if dtype == pl.Null:
        return Numbers(np.full(len(series), np.nan))
    if dtype.is_temporal():
        raise temporal(name, dtype)
    if dtype not in (pl.String, pl.Categorical, pl.Enum):
        raise unsupported(name, dtype)
    text = series.cast(pl.String)
    if len(text) <= FEW_ROWS:
        return as_column(*_distinct(text.to_list()), name, is_categorical=True)
    found = text.drop_nulls().unique().to_list()
    codes = text.cast(pl.Enum(found)).to_physical().cast(pl.Int64).fill_null(-1).to_numpy()
    return as_column(codes, found, name, is_categorical=True)


def _read_arrow(column: Any, name: str) -> Column:
    import pyarrow as pa

    kind, is_a = column.type, pa.types
    if is_a.is_integer(kind) or is_a.is_floating(kind):
        return as_finite(column.to_numpy(), name)
    if is_a.is_decimal(kind):
        return as_finite(column.cast(pa.float64()).to_numpy(), name)
    if is_a.is_boolean(kind):
        return Labels(column.cast(pa.int8()).fill_null(-1).to_numpy(), [False, True])
    if is_a.is_null(kind):
        return Numbers(np.full(len(column), np.nan))
    if is_a.is_temporal(kind):
        raise temporal(name, kind)
    if not is_a.is_dictionary(kind) and str(kind) not in ("string", "large_string", "string_view"):
        raise unsupported(name, kind)
    if len(column) <= FEW_ROWS:
        return as_column(*_distinct(column.to_pylist()), name, is_categorical=True)
    if is_a.is_dictionary(kind):
        known = [chunk.dictionary for chunk in column.chunks]
        if sum(map(len, known)) > len(column) or any(values.null_count for values in known):
            column = column.cast(kind.value_type).dictionary_encode()
    else:
        column = column.dictionary_encode()
    encoded = column.unify_dictionaries().combine_chunks()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return as_column(codes, encoded.dictionary.to_pylist(), name, is_categorical=True)


def _distinct(
    rows: list[Any], is_missing: Callable[[Any], Any] = lambda value: value is None
) -> tuple[Integers, list[Any]]:
    """Return a code for each row, -1 where missing, and the distinct values."""
    code_of: dict[Any, int] = {}
    found: list[Any] = []
    for value in rows:
        if value in code_of:
            continue
        if is_missing(value):
            code_of[value] = -1
        else:
            code_of[value] = len(found)
            found.append(value)
    return np.array([code_of[value] for value in rows]), found


def _occurring(codes: Integers, n_values: int) -> tuple[Integers, Any]:
    """Return codes for only the values that occur, and which these are; all if there are few."""
    if n_values <= len(codes):
        return codes, slice(None)
    occurring, positions = np.unique(codes, return_inverse=True)
    n_missing = int(occurring[0] < 0)
    return positions - n_missing, occurring[n_missing:]
