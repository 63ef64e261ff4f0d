"""Encoding of tables: seconds to fit and to transform, for each library that tables come from."""

import time
from collections.abc import Callable
from typing import Any

import click
import numpy as np

from bench.table import show
from sparsefm.encoding import TableEncoder

ROWS, COLUMNS = 1_000_000, 20
CATEGORIES = (100, 100_000)
REPEATS = 3


def text_columns(rows: int, categories: int) -> dict[str, np.ndarray]:
    """Return columns of text, each with that many values of about equal frequency."""
    random = np.random.default_rng(0)
    values = np.array([f"value {number}" for number in range(categories)], object)
    return {f"c{column}": values[random.integers(0, categories, rows)] for column in range(COLUMNS)}


def tables() -> dict[str, Callable[[dict[str, np.ndarray]], Any]]:
    """Return what makes a table of each kind."""
    import pandas
    import polars
    import pyarrow

    return {
        "pandas, object": lambda columns: pandas.DataFrame(columns, dtype=object),
        "pandas, str": lambda columns: pandas.DataFrame(columns).astype("str"),
        "pandas, category": lambda columns: pandas.DataFrame(columns).astype("category"),
        "Polars": lambda columns: polars.DataFrame({k: list(v) for k, v in columns.items()}),
        "PyArrow": lambda columns: pyarrow.table({k: pyarrow.array(v) for k, v in columns.items()}),
    }


def measure(table: Any, repeats: int) -> list[float]:
    """Return the median seconds of `fit`, `transform` and `fit_transform`."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        encoder = TableEncoder().fit(table)
        fitted = time.perf_counter()
        encoder.transform(table)
        transformed = time.perf_counter()
        TableEncoder().fit_transform(table)
        both = time.perf_counter() - transformed
        times.append((fitted - started, transformed - fitted, both))
    return [float(seconds) for seconds in np.median(times, axis=0)]


@click.command()
@click.option("--quick", is_flag=True, help="Small data, to see that it works.")
def encode(quick: bool) -> None:
    """Encode tables of 20 columns of text."""
    rows = 10_000 if quick else ROWS
    for categories in CATEGORIES:
        columns = text_columns(rows, categories)
        results = []
        for kind, make in tables().items():
            results.append([kind, *measure(make(columns), 1 if quick else REPEATS)])
        title = f"Encoding, {rows:,} rows of {COLUMNS} columns of text, {categories:,} values each"
        show(title, ["table", "fit s", "transform s", "fit_transform s"], results)


if __name__ == "__main__":
    encode()
