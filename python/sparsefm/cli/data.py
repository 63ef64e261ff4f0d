"""Files in: sparse text and tables, also by standard input; a model out."""

import glob
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

import click
import numpy as np

from sparsefm.cli.console import warn
from sparsefm.data.csr import as_scipy
from sparsefm.data.mapped import pieces
from sparsefm.errors import FileFormatError
from sparsefm.estimators.sources import (
    has_names,
    known_fields,
    table_parts,
    target_type,
    text_columns,
)
from sparsefm.files import SparseData, read
from sparsefm.files.cache import is_file_of_rows, open_expected
from sparsefm.files.chunks import extent, text_chunks
from sparsefm.files.fields import TRAINING, joined_fields
from sparsefm.files.paths import as_paths
from sparsefm.files.reading import check_fields
from sparsefm.files.rows import Expected
from sparsefm.files.tables import Tables
from sparsefm.threads import resolve_threads

STANDARD = "-"
TEXTS = ("libsvm", "libffm")
FORMATS = ("auto", *TEXTS, "csv", "tsv", "parquet", "arrow")
TEXT_SUFFIXES = (".svm", ".libsvm", ".ffm", ".libffm")
TABLE_SUFFIXES = (".csv", ".tsv", ".parquet", ".arrow", ".feather")
COMPRESSED = (".gz", ".zst")
CHUNK = 1 << 16  # rows of a table that are predicted at a time

QUOTED = r"'(?:[^'\\]|\\.)*'|" + r'"(?:[^"\\]|\\.)*"'
ROW = re.compile(QUOTED + r"|\brow (\d+)")  # what is in quotes is stepped over

F = TypeVar("F", bound=Callable[..., Any])
R = TypeVar("R")


class Data(NamedTuple):
    """Which files to read, and how.

    Attributes
    ----------
    paths : tuple of str
        `-` is standard input.
    format : str
    names : {"header", "numbered"} or list of str
    zero_based : bool or None
    threads : int or None
    """

    paths: tuple[str, ...]
    format: str = "auto"
    names: Any = "header"
    zero_based: bool | None = None
    threads: int | None = None


def data_options(command: F) -> F:
    """Add the options that say what is in files of data."""
    for decorate in (
        click.option(
            "--zero-based/--one-based",
            default=None,
            help="Where indices of text begin. Default: with 0 if there is a 0, else with 1.",
        ),
        click.option(
            "--names",
            default="header",
            help="Of the columns of CSV and TSV without a header: 'numbered' (x0, x1, ...), or "
            "names separated by commas.",
        ),
        click.option(
            "--format",
            type=click.Choice(FORMATS),
            default="auto",
            help="Default: the first bytes of a table, and the first row of text tell.",
        ),
    ):
        command = decorate(command)
    return command


def threads_option(command: F) -> F:
    """Add the option ``--threads``."""
    return click.option("--threads", type=click.IntRange(1), help="Default: every core.")(command)


def are_tables(paths: Sequence[str], format: str, *, otherwise: bool) -> bool:
    """Return whether files are tables, and not text; `otherwise` if no name tells."""
    if format != "auto":
        return format not in TEXTS
    suffixes = {path: suffix_of(path) for path in paths}
    known = {**dict.fromkeys(TEXT_SUFFIXES, False), **dict.fromkeys(TABLE_SUFFIXES, True)}
    found = {known.get(suffixes[path], otherwise) for path in paths}
    if len(found) > 1:
        raise click.UsageError("files of one call must be all tables, or all text")
    return found.pop()


def are_rows(paths: Sequence[str]) -> bool:
    """Return whether there is a file of `sparsefm convert` among some, or those of a pattern."""
    named = [path for path in paths if path != STANDARD]
    return bool(named) and any(map(is_file_of_rows, as_paths(named, "DATA")))


def suffix_of(path: str) -> str:
    """Return the suffix of a file, before that of a compression."""
    stem, suffix = os.path.splitext(path.lower())
    return os.path.splitext(stem)[1] if suffix in COMPRESSED else suffix


@contextmanager
def tables(data: Data) -> Iterator[Tables]:
    """Yield the files as tables; standard input is copied to a file meanwhile."""
    names = data.names
    if isinstance(names, str) and names not in ("header", "numbered"):
        names = names.split(",")
    with local(data.paths) as paths:
        yield Tables.of(paths, data.format, names)


def read_text(data: Data, **options: Any) -> SparseData:
    """Read sparse text, as `sparsefm.read`."""
    zero_based = "auto" if data.zero_based is None else data.zero_based
    with local(data.paths) as paths:
        return read(paths, data.format, zero_based=zero_based, n_threads=data.threads, **options)


def rows_for_model(data: Data, model: Any, target: str | None = None) -> tuple[Any, Any, Any]:
    """Return all rows as a model takes them, the targets, of text or of a column, and weights."""
    if not check_kind(data, model):
        base = _base(data, model)
        rows = read_text(data._replace(zero_based=base), **_of_model(model))
        if base is None and rows.X.nnz:
            warn_of_guess(rows.zero_based, rows.X.indices.max() + 1, rows.X.shape[1])
        check_fields(rows, known_fields(model))
        return rows.X, rows.y, rows.weights
    with tables(data) as files:
        columns, types = model.feature_names_in_.tolist(), text_columns(model)
        if target is None:
            return files.read(columns, types), None, None
        types |= target_type(model, target)
        return *table_parts(files, columns, target, types=types)[:2], None


def of_chunks(data: Data, model: Any, function: Callable[[Any], R]) -> Iterator[R]:
    """Yield what a function returns for the rows as a model takes them, some at a time."""
    if not check_kind(data, model):
        if are_rows(data.paths):
            yield from map(function, _rows_for_model(data, model))
        else:
            yield from (function(chunk.X) for chunk in _text_for_model(data, model))
        return
    with tables(data) as files:
        n_rows, names = 0, model.feature_names_in_.tolist()
        for path, first, rows in files.chunks(CHUNK, names, text_columns(model)):
            try:
                found = function(rows)
            except ValueError as error:
                raise _placed(error, path, first) from None
            n_rows += rows.num_rows
            yield found
        if n_rows == 0:
            raise FileFormatError(f"{files.files[0].path} is empty: it has no row to predict")


def _placed(error: ValueError, path: str, first: int) -> ValueError:
    """Return an error about a row of some, counted from the first of the file."""
    text = ROW.sub(lambda row: f"row {int(row[1]) + first}" if row[1] else row[0], str(error))
    is_of_row = any(row[1] for row in ROW.finditer(text))
    return FileFormatError(f"{path}: {text}") if is_of_row else error


def check_kind(data: Data, model: Any) -> bool:
    """Return whether files are tables; they must be what the model was trained on."""
    in_tables = has_names(model)
    if are_tables(data.paths, data.format, otherwise=in_tables) != in_tables:
        what = "a table" if in_tables else "sparse text"
        raise click.UsageError(f"the model was trained on {what}: DATA must be {what}, too")
    return in_tables


def _text_for_model(data: Data, model: Any) -> Iterator[SparseData]:
    """Yield sparse text with the features of a model; warn where indices may be off by one."""
    expected, n_features = _expected(data, model)
    base, threads = expected.zero_based, resolve_threads(data.threads)
    with local(data.paths) as given:
        paths = as_paths(given, "DATA")
        if base is None:
            base, largest = extent(paths, replace(expected, n_features=None), threads)
            warn_of_guess(base is not False, largest, n_features)
        known = known_fields(model)
        expected = replace(expected, zero_based=base is not False)
        for rows in text_chunks(paths, expected, n_features, threads):
            check_fields(rows, known)
            yield rows


def _rows_for_model(data: Data, model: Any) -> Iterator[Any]:
    """Yield the rows of a file of rows, which stays mapped, some at a time."""
    expected, n_features = _expected(data, model)
    paths, known = as_paths([*data.paths], "DATA"), known_fields(model)
    stored = open_expected(paths, expected, "DATA")
    X, base = stored.matrix(n_features), 0 if stored.zero_based else 1
    if expected.zero_based is None and stored.zero_based is False:
        parts = (int(part.indices.max()) for part in pieces(X) if part.n_nonzeros)
        warn_of_guess(False, max(parts) + 1, n_features)
    if known is not None and stored.fields is not None:
        joined_fields(known, stored.fields, base=base, source=TRAINING)
    for part in pieces(X):
        yield as_scipy(part, expected.dtype)


def _expected(data: Data, model: Any) -> tuple[Expected, int]:
    """Return what is expected of text to predict, and the number of features."""
    width, dtype = _of_model(model).values()
    format = None if data.format == "auto" else data.format
    return Expected(np.dtype(dtype), _base(data, model), width, format=format), width


def _of_model(model: Any) -> dict[str, Any]:
    width = getattr(model, "n_features", None) or model.n_features_in_
    return {"n_features": width, "dtype": str(np.dtype(model.dtype))}


def _base(data: Data, model: Any) -> bool | None:
    """Return where indices begin, if it is given, or known from the text of the training."""
    return vars(model).get("_zero_based") if data.zero_based is None else data.zero_based


def warn_of_guess(zero_based: bool, largest: int, n_features: int) -> None:
    """Warn if indices of text may be off by one from those of a model."""
    if not zero_based and largest < n_features:
        warn("no index is 0, so indices are taken to begin with 1: if not, say --zero-based")


def check_output(output: str, inputs: Sequence[str]) -> None:
    """Refuse an output that would replace what is read."""
    for path in inputs:
        for name in glob.glob(path, recursive=True) or [path]:
            both = os.path.isfile(name) and os.path.isfile(output)
            if both and os.path.samefile(name, output):
                raise click.UsageError(f"-o {output} is a file to read, too: name another")


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
def local(paths: Sequence[str]) -> Iterator[list[str]]:
    """Yield paths of files; what can be read only once is copied to one, and errors name it."""
    streams = {path for path in paths if path == STANDARD or _is_stream(path)}
    if not streams:
        yield list(paths)
        return
    if STANDARD in streams and sys.stdin.isatty():
        warn("waiting for data on standard input")
    with tempfile.TemporaryDirectory() as folder:
        copies = {path: os.path.join(folder, str(n)) for n, path in enumerate(sorted(streams))}
        for path, copy in copies.items():
            with open(copy, "wb") as file:
                if path == STANDARD:
                    shutil.copyfileobj(sys.stdin.buffer, file)
                else:
                    with open(path, "rb") as stream:
                        shutil.copyfileobj(stream, file)
        try:
            yield [copies.get(path, path) for path in paths]
        except FileFormatError as error:
            text = str(error)
            for path, copy in copies.items():
                text = text.replace(copy, "standard input" if path == STANDARD else path)
            raise FileFormatError(text) from None


def _is_stream(path: str) -> bool:
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)
