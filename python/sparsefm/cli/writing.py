"""Predictions out: lines of text, or a table where the suffix says so; part after part."""

import csv
import gzip
import io
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click
import numpy as np

from sparsefm.cli.data import STANDARD, suffix_of
from sparsefm.io.replacing import replacing

BINARY = (".parquet", ".arrow", ".feather")

Columns = Mapping[str, Any]


def check_suffix(path: str) -> None:
    """Refuse a compression that would not be written, although the name has it."""
    name = path.lower()
    if name.endswith(".zst") or (name.endswith(".gz") and suffix_of(path) in BINARY):
        raise click.UsageError(f"-o {path}: only text is compressed, and by gzip: name it so")


def write_columns(parts: Iterable[Columns], path: str) -> None:
    """Write columns: a table where the suffix says so, else text, one row a line.

    A file is replaced when all is written, and stays as it is if something goes wrong.
    """
    suffix = "" if path == STANDARD else suffix_of(path)
    with _opened(path) as file:
        if suffix in BINARY:
            _write_arrow(parts, file, suffix)
        else:
            _write_text(parts, file, {".csv": ",", ".tsv": "\t"}.get(suffix))


@contextmanager
def _opened(path: str) -> Iterator[Any]:
    """Open an output: of bytes for Arrow, else of text."""
    if path == STANDARD:
        with click.open_file(path, "w", encoding="utf-8") as file:
            yield file
        return
    is_regular = not os.path.exists(path) or os.path.isfile(path)
    with replacing(path) if is_regular else open(path, "wb") as file:
        if suffix_of(path) in BINARY:
            yield file
        elif path.endswith(".gz"):
            with gzip.open(file, "wt", encoding="utf-8", newline="") as text:
                yield text
        else:
            text = io.TextIOWrapper(file, encoding="utf-8", newline="")
            yield text
            text.detach()  # which flushes, and leaves the file open to be renamed


def _write_text(parts: Iterable[Columns], file: Any, delimiter: str | None) -> None:
    """Write lines; without a delimiter of a table, one column has no header."""
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


def _write_arrow(parts: Iterable[Columns], file: Any, suffix: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer = None
    try:
        for part in parts:
            table = pa.table({name: pa.array(column) for name, column in part.items()})
            if writer is None and suffix == ".parquet":
                writer = pq.ParquetWriter(file, table.schema)
            elif writer is None:
                writer = pa.ipc.new_file(file, table.schema)
            writer.write_table(table)
    finally:
        if writer is not None:
            writer.close()
