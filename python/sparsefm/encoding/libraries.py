"""Tables of pandas, Polars and PyArrow: each library's own methods read its columns.

narwhals knows what is a table, of these libraries and of others. Reading a column through it costs
more than encoding one: a row is predicted in a fraction of the time without.

Distinct values of few rows are found with a dict, sooner than a library could. Where a dictionary
has more values than the column has rows, only those that occur are read.
"""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.encoding import objects
from sparsefm.encoding.arrow import arrow_parts, read_arrow
from sparsefm.encoding.names import Names
from sparsefm.encoding.objects import (
    distinct,
    list_parts,
    no_lists,
    no_weights,
    read_objects,
    read_weights,
)
from sparsefm.encoding.table import Parts, Table
from sparsefm.encoding.tables import (
    Column,
    Dates,
    Integers,
    Labels,
    Numbers,
    as_column,
    as_finite,
    as_items,
    multi_valued,
    nested,
    temporal,
    unsupported,
)
from sparsefm.encoding.times import as_seconds, read_dates, read_durations, zone_name

PLAIN = {str, float, type(None)}  # can be hashed, and are different from each other


def as_table(X: Any, name: str = "X") -> Table | None:
    """Return `X`, which errors call `name`, as a table, or None if it is none."""
    libraries = {kind.__module__.partition(".")[0] for kind in type(X).__mro__}
    if libraries.isdisjoint(_table_modules()):
        return None
    try:
        import narwhals
    except ImportError:
        raise ImportError(
            f"reading a table ({type(X).__name__}) requires narwhals: pip install narwhals"
        ) from None
    try:
        frame = narwhals.from_native(_whole(X, name), pass_through=True)
    except narwhals.exceptions.DuplicateError as error:
        raise ValueError(f"{name} must have distinct column names: {error}") from None
    if isinstance(frame, narwhals.LazyFrame):
        raise TypeError(f"{name} is a lazy table ({type(X).__name__}): pass {name}.collect()")
    if not isinstance(frame, narwhals.DataFrame):
        return None
    library, names = frame.implementation, Names.of(frame.columns, name)
    if library.is_polars():
        series = frame.to_native().get_columns()
        return Table(series, names, frame.shape, _read_polars, _polars_parts)
    if library.is_pyarrow():
        return Table(frame.to_native().columns, names, frame.shape, read_arrow, arrow_parts)
    native = frame.to_native() if library.is_pandas() else frame.to_pandas()
    series = [column for _, column in native.items()]
    return Table(series, names, frame.shape, _read_pandas, _pandas_parts)


def _whole(X: Any, name: str) -> Any:
    """Return rows of Arrow as a table: a batch, or what scikit-learn takes out of one."""
    pa = sys.modules.get("pyarrow")
    if pa is not None and isinstance(X, pa.StructArray):
        X = pa.RecordBatch.from_struct_array(X)
    if pa is not None and isinstance(X, pa.RecordBatch):
        return pa.Table.from_batches([X])
    if pa is not None and isinstance(X, pa.RecordBatchReader):
        raise TypeError(
            f"{name} is a stream of batches (RecordBatchReader): pass {name}.read_all()"
        )
    return X


def _table_modules() -> set[str]:
    """Return the modules whose objects may be tables: those that are loaded, less the usual ones.

    Asking narwhals about everything would make it a requirement for arrays, too.
    """
    return {"pandas", "polars", "pyarrow", "modin", "cudf", "narwhals"} & sys.modules.keys()


def _read_pandas(series: Any, name: str) -> Column:
    import pandas as pd

    dtype = series.dtype
    if isinstance(dtype, pd.ArrowDtype):
        return read_arrow(_arrow_of(series), name)
    is_native = isinstance(dtype, np.dtype)
    if dtype.kind in "iuf":
        missing = {} if is_native else {"na_value": np.nan}
        return as_finite(series.to_numpy(np.float64, **missing), name, _pandas_integers(series))
    if dtype.kind == "b":
        codes = series.to_numpy(np.int8) if is_native else series.to_numpy(np.int8, na_value=-1)
        return Labels(codes, [False, True])
    if dtype.kind in "mM" or isinstance(dtype, pd.PeriodDtype):
        return _read_pandas_times(series, name)
    if dtype.kind != "O":
        raise unsupported(name, dtype)
    if len(series) <= objects.FEW_ROWS:
        is_categorical = isinstance(dtype, pd.CategoricalDtype)
        return read_objects(series.tolist(), name, is_categorical=is_categorical)
    if isinstance(dtype, pd.CategoricalDtype):
        categories = series.array.categories
        codes, occurring = _occurring(np.asarray(series.array.codes), len(categories))
        return as_column(codes, categories[occurring].tolist(), name, is_categorical=True)
    if isinstance(dtype, pd.StringDtype) and dtype.storage != "python":
        codes, uniques = pd.factorize(series.array)
        return as_column(codes, uniques.tolist(), name, is_categorical=False)
    values = np.asarray(series, object)
    if not isinstance(dtype, pd.StringDtype) and not set(map(type, values)) <= PLAIN:
        return read_objects(values.tolist(), name)
    # Sooner than a dict. Of text alone pandas compares what is before a NUL; beside None, all.
    codes, uniques = pd.factorize(np.append(values, np.array([None])))
    return as_column(codes[:-1], uniques.tolist(), name, is_categorical=False)


def _arrow_of(series: Any) -> Any:
    """Return a column of pandas that is one of Arrow."""
    import pyarrow as pa

    column = pa.array(series.array)
    return column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])


def _pandas_parts(series: Any, name: str) -> Parts:
    import pandas as pd

    is_arrow = isinstance(series.dtype, pd.ArrowDtype)
    return arrow_parts(_arrow_of(series), name) if is_arrow else list_parts(series.tolist(), name)


def _pandas_integers(series: Any) -> Callable[[], npt.NDArray[Any]] | None:
    """Return what returns the integers of a column, if they are such."""
    dtype = series.dtype
    if dtype.kind == "f":
        return None
    plain = np.dtype(f"{dtype.kind}8")
    return lambda: series.fillna(0).to_numpy(plain)


def _read_pandas_times(series: Any, name: str) -> Column:
    import pandas as pd

    dtype = series.dtype
    if isinstance(dtype, pd.PeriodDtype):
        return _read_periods(series, name)
    if isinstance(dtype, pd.DatetimeTZDtype):
        clock, utc = series.dt.tz_localize(None), series.dt.tz_convert(None)
        return read_dates(clock.to_numpy(), name, zone_name(dtype.tz), utc.to_numpy())
    return (read_dates if dtype.kind == "M" else read_durations)(np.asarray(series), name)


def _read_periods(series: Any, name: str) -> Dates:
    """Return when periods begin, also where nanoseconds do not reach."""
    moments = series.dt.asfreq("s", how="start").dt
    missing = series.isna().to_numpy()
    year, month, day, hour, minute, second = (
        np.where(missing, 1, getattr(moments, part).to_numpy())
        for part in ("year", "month", "day", "hour", "minute", "second")
    )
    months = (year - 1970).astype("M8[Y]").astype("M8[M]") + (month - 1)
    seconds = (months.astype("M8[D]") + (day - 1)).astype("M8[s]")
    seconds += hour * 3600 + minute * 60 + second
    seconds[missing] = np.datetime64("NaT")
    return read_dates(seconds, name)


def _read_polars(series: Any, name: str) -> Column:
    import polars as pl

    dtype = series.dtype
    if dtype.is_numeric():
        fits = dtype.is_integer() and dtype not in (pl.Int128, getattr(pl, "UInt128", pl.Int128))
        integers = (lambda: series.fill_null(0).to_numpy()) if fits else None
        return as_finite(series.cast(pl.Float64).to_numpy(), name, integers)
    if dtype == pl.Boolean:
        return Labels(series.cast(pl.Int8).fill_null(-1).to_numpy(), [False, True])
    if dtype == pl.Null:
        return Numbers(np.full(len(series), np.nan))
    if dtype.is_temporal():
        return _read_polars_times(series, name)
    if dtype == pl.Object:
        return read_objects(series.to_list(), name)
    if isinstance(dtype, pl.Struct):
        raise nested(name, dtype)
    if isinstance(dtype, pl.List | pl.Array):
        return _polars_parts(series, name).joined()
    if dtype not in (pl.String, pl.Categorical, pl.Enum):
        raise unsupported(name, dtype)
    text = series.cast(pl.String)
    if len(text) <= objects.FEW_ROWS:
        return as_column(*distinct(text.to_list()), name, is_categorical=True)
    found = text.drop_nulls().unique().to_list()
    codes = text.cast(pl.Enum(found)).to_physical().cast(pl.Int64).fill_null(-1).to_numpy()
    return as_column(codes, found, name, is_categorical=True)


def _read_polars_times(series: Any, name: str) -> Column:
    import polars as pl

    dtype = series.dtype
    if dtype == pl.Duration:
        return read_durations(series.to_numpy(), name)
    if dtype == pl.Time:
        return as_seconds(series.cast(pl.Int64).to_numpy() / 1e9, name, "times of day")
    if dtype == pl.Date or dtype.time_zone is None:
        return read_dates(series.to_numpy(), name)
    clock = series.dt.replace_time_zone(None).to_numpy()
    utc = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None).to_numpy()
    return read_dates(clock, name, zone_name(dtype.time_zone), utc)


def _polars_parts(series: Any, name: str) -> Parts:
    import polars as pl

    if series.dtype in (pl.Object, pl.Null):
        return list_parts(series.to_list(), name)
    if not isinstance(series.dtype, pl.List | pl.Array):
        raise no_lists(name, series.dtype)
    inner, weights = series.dtype.inner, None
    is_pair = isinstance(inner, pl.Struct) and len(inner.fields) == 2
    if is_pair:
        weight, inner = inner.fields[1], inner.fields[0].dtype
        if not weight.dtype.is_numeric():
            raise no_weights(name, series.dtype)
    if isinstance(inner, pl.List | pl.Array | pl.Struct | pl.Object):
        raise multi_valued(name, series.dtype)
    if inner.is_temporal():
        raise temporal(name, series.dtype)
    lists = series.arr.to_list() if isinstance(series.dtype, pl.Array) else series
    present = lists.is_not_null().to_numpy()
    lists = lists.drop_nulls()
    lengths = lists.list.len().cast(pl.Int64)
    flat = lists.filter(lengths > 0).explode()
    if is_pair:
        flat, found = (flat.struct.field(part.name) for part in flat.dtype.fields)
        weights = read_weights(found.to_list(), name)

    def items() -> Labels:
        if not inner.is_numeric():
            return as_items(_read_polars(flat, name), name)
        codes, found = distinct(flat.to_list())
        return as_items(as_column(codes, found, name, is_categorical=True), name)

    def values() -> Any:
        return flat.cast(pl.Float64).to_numpy() if inner.is_numeric() else flat.to_list()

    return Parts(present, lengths.to_numpy(), items, values, weights)


def _occurring(codes: Integers, n_values: int) -> tuple[Integers, Any]:
    """Return codes for only the values that occur, and which these are; all if there are few."""
    if n_values <= len(codes):
        return codes, slice(None)
    occurring, positions = np.unique(codes, return_inverse=True)
    n_missing = int(occurring[0] < 0)
    return positions - n_missing, occurring[n_missing:]
