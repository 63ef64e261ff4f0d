"""From text, or whatever yields rows, to a file of rows that is read piece by piece."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.data.csr import as_csr
from sparsefm.data.validation import as_vector
from sparsefm.errors import FileFormatError
from sparsefm.files.cache import (
    UNKNOWN,
    Description,
    StoredRows,
    is_file_of_rows,
    open_rows,
    write_rows,
)
from sparsefm.files.detecting import Form
from sparsefm.files.paths import SUFFIX, as_paths, names_files
from sparsefm.files.rows import Expected, Rows
from sparsefm.files.spool import Block, Spool
from sparsefm.io.replacing import FilePath

logger = logging.getLogger("sparsefm")

Array = npt.NDArray[Any]


def is_stream(value: Any) -> bool:
    """Return whether a value yields rows: an iterator, or a function that returns one."""
    return isinstance(value, Iterator) or (callable(value) and not hasattr(value, "shape"))


@dataclass(eq=False)
class Draft:
    """Rows on their way to a file, or in one already.

    Attributes
    ----------
    about : Description
        What is known of them. Where indices of a text begin is decided when other files are
        known, so there is a feature 0.
    stored : StoredRows or None
    spool : Spool or None
    fields : ndarray or None
    path : str or None
        Of the file to write; None: it has no name.
    folder : str
        Of temporary files.
    """

    about: Description
    folder: str
    path: str | None = None
    stored: StoredRows | None = None
    spool: Spool | None = None
    fields: Array | None = None

    def finish(self, *, zero_based: bool) -> StoredRows:
        """Return the rows in their file, which is written if it is not there.

        Parameters
        ----------
        zero_based : bool
            Where the indices of text begin.
        """
        if self.stored is not None:
            return self.stored
        if self.path is not None:
            with suppress(PermissionError):  # then it is kept elsewhere, without a name
                self.write(self.path, zero_based=zero_based)
                return open_rows(self.path)
        with tempfile.TemporaryDirectory(dir=self.folder, ignore_cleanup_errors=True) as folder:
            path = os.path.join(folder, "rows")
            self.write(path, zero_based=zero_based)
            return open_rows(path)

    def write(self, path: FilePath, *, zero_based: bool) -> None:
        """Write the rows of the spool to a file."""
        assert self.spool is not None
        shift = 0 if zero_based else 1
        n_features = max(self.about.n_features - shift, 0)
        about = replace(self.about, zero_based=zero_based, n_features=n_features)
        fields = None if self.fields is None else self.fields[shift:]
        write_rows(path, self.spool, about, fields)


def draft_of(
    value: Any, name: str, expected: Expected, threads: int, opened: ExitStack, *, keep: bool
) -> Draft:
    """Return the rows that an argument stands for, read to the end.

    Parameters
    ----------
    value : path, list of paths, iterator or callable
    name : str
        Of the argument.
    expected : Expected
    threads : int
    opened : ExitStack
        Closes temporary files.
    keep : bool
        Whether the rows of text are kept in a file beside it, or are there already.
    """
    if not names_files(value):
        spool = opened.enter_context(Spool(tempfile.gettempdir(), expected.dtype))
        width = _spool_chunks(spool, value, name, expected)
        return Draft(Description(width), tempfile.gettempdir(), spool=spool)
    paths = as_paths(value, name)
    if any(map(is_file_of_rows, paths)):
        if len(paths) > 1:
            raise ValueError(f"{name} names several files, one of which is a file of rows: name it")
        stored = open_rows(paths[0])
        _check_type(stored, expected.dtype)
        return Draft(stored.description, _folder_of(paths[0]), stored=stored)
    sources = _state_of(paths, expected) if keep else None
    path = paths[0] + SUFFIX if sources else None
    if path is not None:
        with suppress(FileFormatError, OSError):  # then it is made anew
            stored = open_rows(path)
            if stored.description.sources == sources:
                logger.info("the rows of %s are read from %s", name, path)
                return Draft(stored.description, _folder_of(path), path, stored)
    return spooled(paths, Form(None), expected, threads, opened, path=path, sources=sources)


def spooled(
    paths: list[str],
    form: Form,
    expected: Expected,
    threads: int,
    opened: ExitStack,
    *,
    path: str | None = None,
    sources: Any = None,
) -> Draft:
    """Return the rows of texts, read to the end."""
    folder = _folder_of(path or paths[0])
    if not os.access(folder, os.W_OK):
        folder = tempfile.gettempdir()
    spool = opened.enter_context(Spool(folder, expected.dtype))
    rows = Rows(expected, form)
    for one in paths:
        for _ in rows.read(one, threads):
            spool.append(rows.drain(threads))
    zero_based = rows.zero_based is not False
    about = Description(
        rows.n_features(zero_based) + (not zero_based),
        rows.form.format or "libsvm",
        zero_based,
        rows.lowest,
        rows.n_bad_lines,
        sources,
    )
    fields = rows.field_table.of if rows.form.format == "libffm" else None
    return Draft(about, folder, path, spool=spool, fields=fields)


def _spool_chunks(spool: Spool, value: Any, name: str, expected: Expected) -> int:
    """Append the chunks of a stream; return how many features they have."""
    chunks = value() if callable(value) else value
    if not isinstance(chunks, Iterable):
        raise TypeError(f"{name} must return an iterable of chunks, got {chunks!r:.80}")
    width = expected.n_features
    for number, chunk in enumerate(chunks):
        what = f"chunk {number} of {name}"
        if not isinstance(chunk, tuple) or len(chunk) not in (2, 3):
            raise TypeError(f"{what} must be (X, y) or (X, y, sample_weight), got {chunk!r:.80}")
        X = as_csr(chunk[0], expected.dtype, what, width)
        width = X.n_features
        y = as_vector(chunk[1], X.n_rows, np.float64, f"y of {what}")
        weights = None
        if len(chunk) == 3 and chunk[2] is not None:
            weights = as_vector(chunk[2], X.n_rows, np.float64, f"sample_weight of {what}")
        spool.append(Block(X.indptr, X.indices, X.values, y, weights))
    if width is None:
        raise ValueError(f"{name} has no chunks")
    return width


def joint_fields(drafts: Iterable[StoredRows], n_features: int) -> Array | None:
    """Return the field of each feature in any of some files; 0 for one that has none.

    Raises
    ------
    FileFormatError
        If a feature has two fields.
    """
    known = None
    for stored in drafts:
        if stored.fields is None:
            continue
        if known is None:
            known = np.full(n_features, UNKNOWN, np.int32)
        here, before = stored.fields, known[: len(stored.fields)]
        bad = np.flatnonzero((here != UNKNOWN) & (before != UNKNOWN) & (here != before))
        if len(bad):
            index = int(bad[0])
            raise FileFormatError(
                f"{stored.path}: index {index + (not stored.description.zero_based)} is in field "
                f"{here[index]}, but in another file in field {before[index]}; a feature must have "
                "one field"
            )
        known[: len(here)] = np.maximum(here, before)
    return None if known is None else np.maximum(known, 0)


def _check_type(stored: StoredRows, dtype: np.dtype[Any]) -> None:
    if stored.values is not None and stored.values.dtype != dtype:
        raise ValueError(
            f"{stored.path} holds values of {stored.values.dtype}: pass that as dtype, or convert "
            f"the data with dtype={dtype.name!r}"
        )


def _state_of(paths: list[str], expected: Expected) -> Any:
    """Return what a file of rows depends on, as JSON values; None for what is no regular file."""
    if not all(map(os.path.isfile, paths)):
        return None
    states = [(os.path.abspath(path), os.stat(path)) for path in paths]
    return [expected.dtype.name, *([path, s.st_size, s.st_mtime_ns] for path, s in states)]


def _folder_of(path: str) -> str:
    return os.path.dirname(os.path.abspath(path))
