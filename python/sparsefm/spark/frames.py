"""Columns of DataFrames, as work on Spark's workers sees them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyspark.ml.linalg import VectorUDT
from pyspark.sql.functions import col, unwrap_udt
from pyspark.sql.types import DecimalType, TimestampType


def check_frame(frame: Any) -> Any:
    """Return a DataFrame if its rows can be worked on."""
    if not hasattr(frame, "mapInArrow"):
        raise TypeError(f"a Spark DataFrame is needed, got {type(frame).__name__}")
    if ".connect." in type(frame).__module__:
        raise TypeError(
            "sparsefm.spark needs a classic Spark session: a DataFrame of Spark Connect has no "
            "SparkContext"
        )
    return frame


def vectors_of(params: Any, frame: Any) -> tuple[tuple[str, ...], bool]:
    """Return the names of the columns of features, and whether it is one of vectors."""
    named = params.getFeaturesCols()
    if named is None:
        vectors = params.getFeaturesCol()
        if not isinstance(type_of(frame, vectors, "featuresCol"), VectorUDT):
            raise TypeError(
                f"featuresCol: column {vectors!r} has no vectors, but "
                f"{type_of(frame, vectors, 'featuresCol').simpleString()}: name such columns by "
                f"featuresCols=[{vectors!r}]"
            )
        return (vectors,), True
    if params.isSet("featuresCol"):
        raise ValueError("featuresCol and featuresCols are both set: set one of them")
    for name in named:
        if isinstance(type_of(frame, name, "featuresCols"), VectorUDT):
            raise TypeError(
                f"featuresCols: column {name!r} has vectors: name it alone, by featuresCol"
            )
    return tuple(named), False


def type_of(frame: Any, name: str, param: str) -> Any:
    """Return the type of a column."""
    if name not in frame.columns:
        raise ValueError(f"{param}: there is no column {name!r}, but {', '.join(frame.columns)}")
    return frame.schema[name].dataType


def quoted(name: str) -> str:
    """Return the name of a column, of any characters, as Spark reads it."""
    return "`" + name.replace("`", "``") + "`"


def plain(frame: Any, names: Sequence[str]) -> list[Any]:
    """Return columns as work takes them.

    Vectors become structs, decimals floating-point numbers, and times what the clocks of the
    session's time zone show.
    """
    found = []
    for name in names:
        column, kind = col(quoted(name)), frame.schema[name].dataType
        if isinstance(kind, VectorUDT):
            column = unwrap_udt(column)
        elif isinstance(kind, DecimalType):
            column = column.cast("double")
        elif isinstance(kind, TimestampType):
            column = column.cast("timestamp_ntz")
        found.append(column.alias(name))
    return found
