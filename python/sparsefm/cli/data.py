"""Files in and out: sparse text and tables, also by standard input and output."""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import click
import numpy as np

from sparsefm.cli.console import warn
from sparsefm.errors import FileFormatError
from sparsefm.files import SparseData, read

STANDARD = "-"
TEXTS = ("libsvm", "libffm")
TABLES = {".csv": "csv", ".tsv": "tsv", ".parquet": "parquet"}
FORMATS = ("auto", *TEXTS, *TABLES.values())
COMPRESSED = (".gz", ".zst", ".bz2", ".xz")

F = TypeVar("F", bound=Callable[..., Any])


def data_options(command: F) -> F:
    """Add the options that say what is in files of data."""
    for decorate in (
        click.option(
            "--zero-based/--one-based",
            default=None,
            help="Where indices of text begin. Default: with 0 if there is a 0, else with 1.",
        ),
        click.option(
            "--format",
            type=click.Choice(FORMATS),
            default="auto",
            help="Default: the suffix tells tables, and the first row what text it is.",
        ),
    ):
        command = decorate(command)
    return command


def threads_option(command: F) -> F:
    """Add the option ``--threads``."""
    return click.option("--threads", type=click.IntRange(1), help="Default: every core.")(command)


def table_format(paths: Sequence[str], format: str, standard: str | None = None) -> str | None:
    """Return the format if files are tables, None if they are text.

    `standard` is that of standard input, where neither the name nor `format` tells.
    """
    if format != "auto":
        return None if format in TEXTS else format
    found = {standard if path == STANDARD else _suffix(path) for path in paths}
    if len(found) > 1:
        raise click.UsageError("files of one call must be all tables of one format, or all text")
    return found.pop()


def _suffix(path: str) -> str | None:
    stem, suffix = os.path.splitext(path.lower())
    return TABLES.get(os.path.splitext(stem)[1] if suffix in COMPRESSED else suffix)


def read_text(paths: Sequence[str], format: str, **options: Any) -> SparseData:
    """Read sparse text, as `sparsefm.read`; `-` is standard input."""
    with _files(paths) as (names, renamed):
        try:
            return read(names, "auto" if format == "auto" else format, **options)
        except FileFormatError as error:
            raise FileFormatError(renamed(str(error))) from None


def read_for_model(
    paths: Sequence[str], format: str, model: Any, zero_based: bool | None, threads: int | None
) -> SparseData:
    """Read sparse text with the features of a model, and warn where indices may be off by one."""
    n_features = getattr(model, "n_features", None) or model.n_features_in_
    data = read_text(
        paths,
        format,
        zero_based="auto" if zero_based is None else zero_based,
        n_features=n_features,
        dtype=str(np.dtype(model.dtype)),
        n_threads=threads,
    )
    ambiguous = zero_based is None and not data.zero_based and data.X.nnz
    if ambiguous and data.X.indices.max() < n_features - 1:
        warn("no index is 0, so indices are taken to begin with 1: if not, say --zero-based")
    return data


def read_table(paths: Sequence[str], format: str) -> Any:
    """Read tables of the same columns, one after the other; `-` is standard input."""
    try:
        import pandas as pd
    except ImportError:
        raise ImportError("tables need pandas: pip install 'sparsefm[cli]'") from None
    frames = []
    with _files(paths) as (names, renamed):
        for name in names:
            try:
                if format == "parquet":
                    frames.append(pd.read_parquet(name))
                else:
                    frames.append(pd.read_csv(name, sep="\t" if format == "tsv" else ","))
            except (ValueError, UnicodeError) as error:
                text = renamed(f"{name} is no table in {format}: {error}")
                raise FileFormatError(text) from None
    for name, frame in zip(paths, frames, strict=True):
        if set(frame.columns) != set(frames[0].columns):
            other = sorted(map(str, set(frame.columns) ^ set(frames[0].columns)))
            raise ValueError(f"{name} has other columns than {paths[0]}: {', '.join(other)}")
    return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)


def column_of(frame: Any, name: str, path: str) -> Any:
    """Return a column of a table."""
    if name not in frame.columns:
        known = ", ".join(map(str, frame.columns))
        raise ValueError(f"{path} has no column {name!r:.80}; there are {known:.200}")
    return frame[name]


def columns_for_model(frame: Any, model: Any, path: str) -> Any:
    """Return the columns that an estimator was trained with."""
    for name in model.feature_names_in_:
        column_of(frame, name, path)
    return frame[list(model.feature_names_in_)]


def is_of_tables(model: Any) -> bool:
    """Return whether a model was trained on a table, whose columns have names."""
    return hasattr(model, "feature_names_in_")


def write_columns(columns: Mapping[str, Any], path: str) -> None:
    """Write columns: a table where the suffix says so, else text, one row a line."""
    format = None if path == STANDARD else _suffix(path)
    if format is None:
        with click.open_file(path, "w") as file:
            if len(columns) > 1:
                file.write("\t".join(columns) + "\n")
            rows = zip(
                *(np.asarray(column).astype(str) for column in columns.values()), strict=True
            )
            file.writelines("\t".join(row) + "\n" for row in rows)
        return
    import pandas as pd

    frame = pd.DataFrame(dict(columns))
    if format == "parquet":
        frame.to_parquet(path, index=False)
    else:
        frame.to_csv(path, sep="\t" if format == "tsv" else ",", index=False)


def write_model(model: Any, path: str, **options: bool) -> None:
    """Save a model, also to standard output."""
    if path != STANDARD:
        model.save(path, **options)
        return
    with tempfile.TemporaryDirectory() as folder:
        name = os.path.join(folder, "model")
        model.save(name, **options)
        with open(name, "rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)


@contextmanager
def _files(paths: Sequence[str]) -> Iterator[tuple[list[str], Callable[[str], str]]]:
    """Yield paths of files, standard input copied to one, and what gives it its name back."""
    if STANDARD not in paths:
        yield list(paths), str
        return
    if sys.stdin.isatty():
        warn("waiting for data on standard input")
    with tempfile.TemporaryDirectory() as folder:
        name = os.path.join(folder, "data")
        with open(name, "wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        names = [name if path == STANDARD else path for path in paths]
        yield names, lambda text: text.replace(name, "standard input")
