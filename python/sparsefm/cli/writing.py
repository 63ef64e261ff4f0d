"""Predictions out: lines of text, or a table where the suffix says so; part after part."""

import csv
import gzip
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click
import numpy as np

from sparsefm.cli.data import STANDARD, suffix_of

Columns = Mapping[str, Any]


def write_columns(parts: Iterable[Columns], path: str) -> None:
    """Write columns: a table where the suffix says so, else text, one row a line."""
    suffix = "" if path == STANDARD else suffix_of(path)
    if suffix in (".parquet", ".arrow", ".feather"):
        _write_arrow(parts, path, suffix)
    else:
        _write_text(parts, path, {".csv": ",", ".tsv": "\t"}.get(suffix))


def _write_text(parts: Iterable[Columns], path: str, delimiter: str | None) -> None:
    """Write lines; without a delimiter of a table, one column has no header."""
    with _text_file(path) as file:
        writer = csv.writer(file, delimiter=delimiter or "\t", lineterminator="\n")
        for number, part in enumerate(parts):
            columns = (np.asarray(column).astype(str).tolist() for column in part.values())
            rows: Iterable[Any] = zip(*columns, strict=True)
            if number == 0 and (delimiter is not None or len(part) > 1):
                rows = [part.keys(), *rows]
            if delimiter is None:  # as they are, without quotes
                file.writelines("\t".join(row) + "\n" for row in rows)
            else:
                writer.writerows(rows)


@contextmanager
def _text_file(path: str) -> Iterator[Any]:
    if path.endswith(".gz"):
        with gzip.open(path, "wt", encoding="utf-8", newline="") as file:
            yield file
    else:
        with click.open_file(path, "w", encoding="utf-8") as file:
            yield file


def _write_arrow(parts: Iterable[Columns], path: str, suffix: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer = None
    try:
        for part in parts:
            table = pa.table({name: pa.array(column) for name, column in part.items()})
            if writer is None and suffix == ".parquet":
                writer = pq.ParquetWriter(path, table.schema)
            elif writer is None:
                writer = pa.ipc.new_file(path, table.schema)
            writer.write_table(table)
    finally:
        if writer is not None:
            writer.close()
