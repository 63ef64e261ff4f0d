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

from sparsefm.encoding.names import Names
from sparsefm.encoding.objects import distinct, no_weights, read_objects, read_weights
from sparsefm.encoding.tables import (
    Column,
    Dates,
    Integers,
    Labels,
    Lists,
    Numbers,
    Table,
    as_column,
    as_finite,
    as_items,
    multi_valued,
    nested,
    temporal,
    unsupported,
)
from sparsefm.encoding.times import as_seconds, read_dates, read_durations, zone_name

FEW_ROWS = 200  # up to so many
PLAIN = {str, float, type(None)}  # can be hashed, and are different from each other


def as_table(X: Any) -> Table | None:
    """Return `X` as a table, or None if it is none."""
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
        frame = narwhals.from_native(_whole(X), pass_through=True)
    except narwhals.exceptions.DuplicateError as error:
        raise ValueError(f"X must have distinct column names: {error}") from None
    if isinstance(frame, narwhals.LazyFrame):
        raise TypeError(f"X is a lazy table ({type(X).__name__}): pass X.collect()")
    if not isinstance(frame, narwhals.DataFrame):
        return None
    library, names = frame.implementation, Names.of(frame.columns)
    if library.is_polars():
        return Table(frame.to_native().get_columns(), names, frame.shape, _read_polars)
    if library.is_pyarrow():
        return Table(frame.to_native().columns, names, frame.shape, _read_arrow)
    native = frame.to_native() if library.is_pandas() else frame.to_pandas()
    series = [column for _, column in native.items()]
    return Table(series, names, frame.shape, _read_pandas)


def _whole(X: Any) -> Any:
    """Return rows of Arrow as a table: a batch, or what scikit-learn takes out of one."""
    pa = sys.modules.get("pyarrow")
    if pa is not None and isinstance(X, pa.StructArray):
        X = pa.RecordBatch.from_struct_array(X)
    if pa is not None and isinstance(X, pa.RecordBatch):
        return pa.Table.from_batches([X])
    if pa is not None and isinstance(X, pa.RecordBatchReader):
        raise TypeError("X is a stream of batches (RecordBatchReader): pass X.read_all()")
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
        import pyarrow as pa

        column = pa.array(series.array)
        is_chunked = isinstance(column, pa.ChunkedArray)
        return _read_arrow(column if is_chunked else pa.chunked_array([column]), name)
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
    if len(series) <= FEW_ROWS:
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
        return _read_polars_lists(series, name)
    if dtype not in (pl.String, pl.Categorical, pl.Enum):
        raise unsupported(name, dtype)
    text = series.cast(pl.String)
    if len(text) <= FEW_ROWS:
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
        return as_seconds(series.cast(pl.Int64).to_numpy() / 1e9, name)
    if dtype == pl.Date or dtype.time_zone is None:
        return read_dates(series.to_numpy(), name)
    clock = series.dt.replace_time_zone(None).to_numpy()
    utc = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None).to_numpy()
    return read_dates(clock, name, zone_name(dtype.time_zone), utc)


def _read_polars_lists(series: Any, name: str) -> Lists:
    import polars as pl

    inner = series.dtype.inner
    if isinstance(inner, pl.List | pl.Array | pl.Struct | pl.Object):
        raise multi_valued(name, series.dtype)
    if inner.is_temporal():
        raise temporal(name, series.dtype)
    lists = series.arr.to_list() if isinstance(series.dtype, pl.Array) else series
    present = lists.is_not_null().to_numpy()
    lists = lists.drop_nulls()
    lengths = lists.list.len().cast(pl.Int64)
    flat = lists.filter(lengths > 0).explode()
    if inner.is_numeric():
        codes, found = distinct(flat.to_list())
        items = as_column(codes, found, name, is_categorical=True)
    else:
        items = _read_polars(flat, name)
    return Lists.of(present, lengths.to_numpy(), as_items(items, name))


def _read_arrow(column: Any, name: str) -> Column:
    import pyarrow as pa

    kind, is_a = column.type, pa.types
    if is_a.is_run_end_encoded(kind):
        return _read_arrow(_decoded(column), name)
    value_kind = kind.value_type if is_a.is_dictionary(kind) else kind
    if is_a.is_map(kind) or any(is_list(kind) for is_list in _arrow_lists()):
        return _read_arrow_lists(column, name)
    is_text = str(value_kind) in ("string", "large_string", "string_view")
    is_number = is_a.is_integer(value_kind) or is_a.is_floating(value_kind)
    is_decimal, is_flag = is_a.is_decimal(value_kind), is_a.is_boolean(value_kind)
    if is_a.is_null(kind):
        return Numbers(np.full(len(column), np.nan))
    if is_a.is_null(value_kind):
        return Labels(np.full(len(column), -1), [])
    if is_a.is_temporal(kind):
        return _read_arrow_times(column, name)
    if is_a.is_struct(value_kind):
        raise nested(name, kind)
    if is_a.is_nested(value_kind) and not is_a.is_union(value_kind):
        raise multi_valued(name, kind)
    if is_a.is_temporal(value_kind) and "interval" not in str(value_kind):
        is_text = True  # categories stay categories
    if not (is_text or is_number or is_decimal or is_flag):
        raise unsupported(name, kind)
    if value_kind is kind and (is_number or is_decimal):
        numbers = (column.cast(pa.float64()) if is_decimal else column).to_numpy()
        integers = (lambda: column.fill_null(0).to_numpy()) if is_a.is_integer(kind) else None
        return as_finite(numbers, name, integers)
    if value_kind is kind and is_flag:
        return Labels(column.cast(pa.int8()).fill_null(-1).to_numpy(), [False, True])
    if len(column) <= FEW_ROWS:
        return as_column(*distinct(column.to_pylist()), name, is_categorical=True)
    if value_kind is not kind:
        known = [chunk.dictionary for chunk in column.chunks]
        if sum(map(len, known)) > len(column) or any(values.null_count for values in known):
            column = column.cast(value_kind).dictionary_encode()
    else:
        column = column.dictionary_encode()
    encoded = column.unify_dictionaries().combine_chunks()
    codes = encoded.indices.cast(pa.int64()).fill_null(-1).to_numpy()
    return as_column(codes, encoded.dictionary.to_pylist(), name, is_categorical=True)


def _decoded(column: Any) -> Any:
    """Return a column that is encoded in runs without these."""
    import pyarrow as pa
    import pyarrow.compute as pc

    chunks = [pc.run_end_decode(chunk) for chunk in column.chunks]
    return pa.chunked_array(chunks, column.type.value_type)


def _read_arrow_times(column: Any, name: str) -> Column:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_duration(kind):
        return read_durations(column.to_numpy(), name)
    if pa.types.is_time(kind):
        ticks = column.cast(pa.time64("ns")).cast(pa.int64())
        return as_seconds(ticks.cast(pa.float64(), safe=False).to_numpy() / 1e9, name)
    if not (pa.types.is_date(kind) or pa.types.is_timestamp(kind)):
        raise temporal(name, kind)
    if pa.types.is_date(kind) or kind.tz is None:
        return read_dates(column.to_numpy(), name)
    try:
        clock = pc.local_timestamp(column).to_numpy()
    except pa.ArrowInvalid as error:
        raise ValueError(f"column {name!r} has a time zone that is not known: {error}") from None
    return read_dates(clock, name, zone_name(kind.tz), column.to_numpy())


def _arrow_lists() -> list[Any]:
    import pyarrow.types as is_a

    return [is_a.is_list, is_a.is_large_list, is_a.is_fixed_size_list]


def _read_arrow_lists(column: Any, name: str) -> Lists:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_list(column.type) and str(column.type.value_type) == "string_view":
        # Arrow cannot drop the missing ones of these.
        column = column.cast(pa.list_(pa.string()))
    present = column.is_valid().to_numpy()
    kind, weights = column.type, None
    try:
        column = column.drop_null()
    except pa.ArrowNotImplementedError:
        raise unsupported(name, kind) from None
    is_map = pa.types.is_map(kind)
    value_kind = kind.key_type if is_map else kind.value_type
    if pa.types.is_nested(value_kind):
        raise multi_valued(name, kind)
    if pa.types.is_temporal(value_kind):
        raise temporal(name, kind)
    if is_map and pa.types.is_nested(kind.item_type):
        raise no_weights(name, kind)
    if is_map:
        parts = [(chunk, chunk.offsets.to_numpy()) for chunk in column.chunks]
        inside = [slice(offsets[0], offsets[-1]) for _, offsets in parts]
        chunks = [chunk.keys[part] for (chunk, _), part in zip(parts, inside, strict=True)]
        flat = pa.chunked_array(chunks, value_kind)
        lengths = np.concatenate([np.empty(0, np.int64), *(np.diff(one) for _, one in parts)])
        chunks = [chunk.items[part] for (chunk, _), part in zip(parts, inside, strict=True)]
        found = pa.chunked_array(chunks, kind.item_type)
        weights = read_weights(found.to_pylist(), name)
    else:
        flat, lengths = pc.list_flatten(column), pc.list_value_length(column).to_numpy()
    if pa.types.is_float16(value_kind):
        flat = flat.cast(pa.float32())
    is_number = pa.types.is_primitive(value_kind) or pa.types.is_decimal(value_kind)
    if is_number:
        flat = flat.dictionary_encode()  # numbers are categories here
    return Lists.of(present, lengths, as_items(_read_arrow(flat, name), name), weights)


def _occurring(codes: Integers, n_values: int) -> tuple[Integers, Any]:
    """Return codes for only the values that occur, and which these are; all if there are few."""
    if n_values <= len(codes):
        return codes, slice(None)
    occurring, positions = np.unique(codes, return_inverse=True)
    n_missing = int(occurring[0] < 0)
    return positions - n_missing, occurring[n_missing:]
