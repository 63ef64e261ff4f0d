"""Columns out of tables: each becomes an array of numbers, or of codes with their distinct values.

Tables are read through narwhals, which knows pandas, Polars and PyArrow. Only the search for
distinct values goes to the library itself, several times as fast as what narwhals offers.
"""

import sys
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from numbers import Integral, Real
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Value: TypeAlias = str | int | float | bool


@dataclass(frozen=True, eq=False)
class Numbers:
    """A numeric column.

    Attributes
    ----------
    values : ndarray of float64, shape (n,)
        NaN where missing.
    """

    values: npt.NDArray[np.float64]

    def take(self, rows: npt.NDArray[np.bool_]) -> "Numbers":
        """Return the column of some of the rows."""
        return Numbers(self.values[rows])

    def show(self, row: int) -> str:
        """Return what a row holds, for an error message."""
        value = self.values[row]
        return "nothing (a missing value)" if np.isnan(value) else f"{value:g}"


@dataclass(frozen=True, eq=False)
class Labels:
    """A categorical column.

    Attributes
    ----------
    codes : ndarray of int, shape (n,)
        For each row the position of its value, -1 where missing.
    values : list
        Distinct values in any order, all text or all numbers; some may not occur.
    """

    codes: npt.NDArray[np.integer[Any]]
    values: list[Value]

    def take(self, rows: npt.NDArray[np.bool_]) -> "Labels":
        """Return the column of some of the rows."""
        return Labels(self.codes[rows], self.values)

    def show(self, row: int) -> str:
        """Return what a row holds, for an error message."""
        code = self.codes[row]
        return "nothing (a missing value)" if code < 0 else repr(self.values[code])

    def occurring(self) -> list[Value]:
        """Return the values that occur, sorted."""
        counts = np.bincount(self.codes + 1, minlength=1 + len(self.values))
        return sorted(self.values[code] for code in np.flatnonzero(counts[1:]))


Column: TypeAlias = Numbers | Labels


def as_table(X: Any) -> Any:
    """Return `X` as a narwhals data frame, or None if it is no table."""
    if not any(kind.__module__.split(".")[0] in _table_modules() for kind in type(X).__mro__):
        return None
    try:
        import narwhals
    except ImportError:
        raise ImportError(
            f"reading a table ({type(X).__name__}) requires narwhals: pip install narwhals"
        ) from None
    try:
        table = narwhals.from_native(X, pass_through=True)
    except narwhals.exceptions.DuplicateError as error:
        raise ValueError(f"X must have distinct column names: {error}") from None
    if isinstance(table, narwhals.LazyFrame):
        raise TypeError(f"X is a lazy table ({type(X).__name__}): pass X.collect()")
    return table if isinstance(table, narwhals.DataFrame) else None


def _table_modules() -> set[str]:
    """Return the modules whose objects may be tables: those that are loaded, less the usual ones.

    Asking narwhals about everything would make it a requirement for arrays, too.
    """
    return {"pandas", "polars", "pyarrow", "modin", "cudf", "narwhals"} & sys.modules.keys()


def read_columns(table: Any, names: list[str]) -> list[Column]:
    """Return the columns of a narwhals data frame; errors call them by `names`."""
    series = table.iter_columns()
    return [read_column(one, name) for one, name in zip(series, names, strict=True)]


def read_column(series: Any, name: str) -> Column:
    """Return a narwhals series as numbers or labels."""
    import narwhals as nw

    dtype = series.dtype
    if dtype.is_temporal():
        raise _temporal(name, str(dtype))
    if dtype.is_numeric():
        return _finite(Numbers(_floats(series)), name)
    if dtype == nw.Boolean:
        floats = _floats(series)
        return Labels(np.where(np.isnan(floats), -1, floats).astype(np.int8), [False, True])
    if dtype == nw.Unknown and series.null_count() == len(series):
        return Numbers(np.full(len(series), np.nan))
    if dtype in (nw.String, nw.Categorical, nw.Enum, nw.Object):
        return _labels(*_factorize(series), name, is_object=dtype == nw.Object)
    raise TypeError(
        f"column {name!r} holds {dtype}, which is neither numbers nor categories: convert it to "
        "numbers or text, or drop it"
    )


def _floats(series: Any) -> npt.NDArray[np.float64]:
    import narwhals as nw

    numbers = series.cast(nw.Float64).fill_null(float("nan")).to_numpy()
    return np.ascontiguousarray(numbers, np.float64)


def _finite(column: Numbers, name: str) -> Numbers:
    infinite = np.flatnonzero(np.isinf(column.values))
    if len(infinite):
        raise ValueError(
            "Input X contains infinity or a value too large for dtype('float64'): "
            f"column {name!r}, row {infinite[0]}"
        )
    return column


def _factorize(series: Any) -> tuple[npt.NDArray[np.integer[Any]], list[Any]]:
    """Return a code for each row, -1 where missing, and the distinct values."""
    import narwhals as nw

    native = series.to_native()
    if series.implementation.is_pandas_like():
        try:
            codes, found = native.factorize()
        except TypeError as error:
            raise TypeError(
                f"column {series.name!r} holds objects that are no plain values ({error}): "
                "convert them to text or numbers, or drop the column"
            ) from None
        return np.asarray(codes), list(found.astype(object).to_numpy())
    if series.implementation.is_polars():
        text = series.cast(nw.String)
        found = text.drop_nulls().unique().to_list()
        codes = text.cast(nw.Enum(found)).to_native().to_physical().cast(int).fill_null(-1)
        return codes.to_numpy(), found
    encoded = native if hasattr(native.type, "value_type") else native.dictionary_encode()
    encoded = encoded.unify_dictionaries().combine_chunks()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return codes, encoded.dictionary.to_pylist()


def _labels(
    codes: npt.NDArray[np.integer[Any]], found: list[Any], name: str, *, is_object: bool
) -> Column:
    """Check the distinct values of a column; Python objects that are numbers make it numeric."""
    examples = dict(zip(map(type, found), found, strict=True))  # types are few, values may be many
    kinds = {_kind(value, name) for value in examples.values()}
    if len(kinds) > 1:
        raise TypeError(
            f"column {name!r} holds values of several types ({', '.join(sorted(kinds))}): "
            "make them all text, or all numbers"
        )
    values = found if examples.keys() <= {str, bool} else [_plain(value, name) for value in found]
    if any(isinstance(value, float) for value in values):
        values = list(map(float, values))  # of 1 and 2.5 both
    if is_object and kinds == {"number"}:
        return _finite(Numbers(np.array([*values, np.nan], np.float64)[codes]), name)
    return Labels(codes, values)


def _kind(value: Any, name: str) -> str:
    if isinstance(value, str):
        return "text"
    if isinstance(value, bool | np.bool_):
        return "bool"
    if isinstance(value, Real | Decimal):
        return "number"
    if isinstance(value, date | time | timedelta | np.datetime64 | np.timedelta64):
        raise _temporal(name, type(value).__name__)
    raise TypeError(
        f"column {name!r} holds objects of type {type(value).__name__}, such as {value!r:.40}: "
        "convert them to text or numbers, or drop the column"
    )


def _plain(value: Any, name: str) -> Value:
    """Return a value as Python's own type."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if not isinstance(value, Integral):
        return float(value)
    if not -(2**63) <= int(value) < 2**63:
        raise ValueError(f"column {name!r} holds {value}, beyond 64 bits: make the column text")
    return int(value)


def _temporal(name: str, kind: str) -> TypeError:
    return TypeError(
        f"column {name!r} holds dates or times ({kind}): make numbers of it (such as days since a "
        "date) or text (such as the day of the week), or drop it"
    )
