"""Tables of columns of every kind: whatever is fitted is saved, loaded, and predicts the same."""

import datetime
import decimal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

import sparsefm as fm
from reliability.fuzz import lists
from reliability.fuzz.choices import Choices
from reliability.problems import KINDS, scores, targets

try:
    import polars as pl
except ImportError:
    pl = None

ROWS = 12
MANY = 20  # times as many: large tables are read in other ways than small ones
DAY = datetime.datetime(2024, 2, 29, 23, 59)
NAMES = ("a", "", "ä=1", "a b", "0", "\U0001f600")

# How a value of each kind is chosen.
VALUES: dict[str, Callable[[Choices], Any]] = {
    "text": Choices.text,
    "integer": Choices.integer,
    "real": Choices.real,
    "boolean": lambda choices: bool(choices.below(2)),
    "date": lambda choices: DAY.date() + datetime.timedelta(choices.below(300)),
    "time": lambda choices: DAY + datetime.timedelta(hours=choices.below(10_000)),
    "span": lambda choices: datetime.timedelta(seconds=choices.below(10_000)),
    "decimal": lambda choices: decimal.Decimal(choices.one_of(["0.1", "1E+30", "-3", "NaN"])),
    "odd": lambda choices: choices.one_of([(1, 2), [1], {"a": 1}, b"a", 1j, 10**400]),
}
MISSING = (None, float("nan"), pd.NA, pd.NaT)
ARROW_TYPES = ("string", "large_string", "int8", "uint64", "float32", "bool_", "date32")


def as_arrow(rows: list[Any], choices: Choices) -> Any:
    """Return a column of Arrow, of several chunks, perhaps as dictionaries."""
    is_plain = not lists.are_lists(rows)
    array = pa.array(rows, from_pandas=True) if is_plain else lists.as_arrow(rows, choices)
    if is_plain and not choices.below(3):
        array = array.cast(getattr(pa, choices.one_of(ARROW_TYPES))())
    middle = choices.below(ROWS)
    chunks = [array[:middle], array[middle:]]
    if is_plain and not choices.below(3):
        chunks = [chunk.dictionary_encode() for chunk in chunks]
    return pa.chunked_array(chunks)


def as_polars(rows: list[Any], choices: Choices) -> Any:
    """Return a column of Polars; where that panics, there is none."""
    if lists.are_lists(rows):
        return lists.as_polars(rows, choices)
    kinds = (None, None, pl.Categorical, pl.Float32, pl.Int16, pl.String)
    return pl.Series(rows, strict=False, dtype=choices.one_of(kinds))


# How a column is made of its values; what a library refuses is no case.
PANDAS: tuple[Callable[[list[Any], Choices], Any], ...] = (
    lambda rows, choices: pd.Series(rows),
    lambda rows, choices: pd.Series(rows, dtype=object),
    lambda rows, choices: pd.Series(pd.Categorical(rows, ordered=bool(choices.below(2)))),
    lambda rows, choices: pd.Series(rows).convert_dtypes(),
    lambda rows, choices: pd.Series(rows).convert_dtypes(dtype_backend="pyarrow"),
    lambda rows, choices: pd.Series(rows).astype("string"),
    lambda rows, choices: pd.Series(rows).astype(choices.one_of(["f4", "Int64", "u1", "M8[ns]"])),
    lambda rows, choices: pd.Series(pd.arrays.SparseArray(rows)),
    lambda rows, choices: pd.Series(pd.cut(rows, 3)),
    lambda rows, choices: pd.Series(rows).dt.tz_localize("Europe/Oslo", ambiguous="NaT"),
    lambda rows, choices: pd.Series(rows).dt.to_period("M"),
    lambda rows, choices: pd.Series(pd.arrays.ArrowExtensionArray(as_arrow(rows, choices))),
)
NUMERIC = ("standardize", "log", "spline", "bin")
LIBRARIES = ("pandas", "pandas", "arrow", "polars", "objects", "rows", "dicts")


def column(choices: Choices) -> list[Any]:
    """Return the values of a column, mostly of one kind, some missing."""
    usual = [*VALUES][:4]  # the others are often refused
    value = VALUES[choices.one_of(usual if choices.below(4) else [*VALUES])]
    if not choices.below(3):
        value = lists.maker(value, choices)
    few = [value(choices) for _ in range(1 + choices.below(5))]
    rows = [choices.one_of(few) for _ in range(ROWS)]
    if not choices.below(3):
        missing = choices.one_of(MISSING)
        rows = [missing if not choices.below(4) else value for value in rows]
    if not choices.below(8):
        rows[choices.below(ROWS)] = VALUES[choices.one_of([*VALUES])](choices)
    return rows


def table(names: list[str], times: int, choices: Choices) -> Any:
    """Return a table of columns of these names, whose rows come so many times."""
    library = choices.one_of(LIBRARIES if pl else LIBRARIES[:3])
    columns = [column(choices) * times for _ in names]
    if library == "pandas":
        made = [choices.one_of(PANDAS)(rows, choices) for rows in columns]
        frame = pd.concat(made, axis=1)
        frame.columns = names if choices.below(4) else range(len(names))
        return frame
    if library == "arrow":
        return pa.table([as_arrow(rows, choices) for rows in columns], names=names)
    if library == "polars":
        made = [as_polars(rows, choices) for rows in columns]
        return pl.DataFrame(dict(zip(names, made, strict=True)))
    if library == "dicts":
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    objects = np.empty((ROWS * times, len(columns)), object)
    for position, rows in enumerate(columns):
        for row, value in enumerate(rows):
            objects[row, position] = value
    return objects if library == "objects" else objects.tolist()


def make(names: list[str], times: int, choices: Choices) -> Any:
    """Return a table, or None where its library makes none."""
    try:
        return table(names, times, choices)
    except KeyboardInterrupt:
        raise
    except BaseException:  # Polars ends in a panic where others raise
        return None


def encoder(names: list[str], choices: Choices) -> fm.TableEncoder:
    """Return an encoder whose parameters name some columns, perhaps those that they cannot."""
    keys = names if choices.below(4) else range(len(names))

    def some(values: Sequence[Any]) -> dict[Any, Any]:
        return {key: choices.one_of(values) for key in keys if choices.below(4) == 3}

    kind = choices.one_of(["auto", *NUMERIC])
    return fm.TableEncoder(
        numeric={**some(NUMERIC), "*": kind} if choices.below(2) else kind,
        n_bins=choices.one_of(["auto", 2, 5]),
        clip=choices.one_of(["auto", False, True]),
        unknown=choices.one_of(["ignore", "error"]),
        hashed=some([1, 3, 1000]),
        multi=some(lists.SEPARATORS),
        combiner=choices.one_of(["mean", "sqrt", "sum"]),
        dtype=choices.one_of(["float32", "float64"]),
    )


def outcome(method: Callable[..., Any], *args: Any) -> Any:
    """Return what a method returns, or the words of its refusal."""
    try:
        return method(*args)
    except (ValueError, TypeError, fm.DivergenceError) as error:
        assert str(error)
        assert type(error) in (ValueError, TypeError, fm.DivergenceError), error
        return str(error)


def test(data: bytes, folder: Path) -> None:
    """Fit, perhaps go on with another table, save, load and predict: this, a part, the other."""
    choices = Choices(data)
    kind = choices.one_of([*KINDS])
    going_on = not choices.below(4) and kind != "sampled"
    names = [choices.one_of(NAMES) + str(number) for number in range(1 + choices.below(3))]
    times = 1 if choices.below(4) else MANY
    model, y = KINDS[kind][0](), targets(kind, ROWS * times)
    if choices.below(2):
        model.set_params(encoder=encoder(names, choices))
    X = make(names, times, choices)
    if X is None or isinstance(outcome(model.partial_fit if going_on else model.fit, X, y), str):
        return
    other = make(names if choices.below(4) else [*names, "new"], times, choices)
    if going_on and other is not None and outcome(model.partial_fit, other, y) is model:
        X = other  # which may have more columns
    path = folder / "fuzzed.safetensors"
    model.save(path)
    loaded = fm.load(path)
    assert np.array_equal(scores(loaded, X), scores(model, X))
    assert np.array_equal(scores(model, X[:ROWS]), scores(model, X)[:ROWS])
    assert list(loaded.get_feature_names_out()) == list(model.get_feature_names_out())
    if other is not None:
        was, found = outcome(scores, model, other), outcome(scores, loaded, other)
        assert np.array_equal(found, was)
