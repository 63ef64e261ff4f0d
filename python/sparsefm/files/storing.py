"""From text, or whatever yields rows, to a file of rows that is read piece by piece."""

from __future__ import annotations

import errno
import inspect
import json
import logging
import os
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.data.csr import as_csr
from sparsefm.data.validation import as_vector
from sparsefm.errors import FileFormatError
from sparsefm.files.cache import (
    MATRIX,
    Description,
    StoredRows,
    is_file_of_rows,
    open_expected,
    open_rows,
    write_rows,
)
from sparsefm.files.paths import SUFFIX, as_paths
from sparsefm.files.rows import Expected, Rows
from sparsefm.files.spool import Block, Spool
from sparsefm.files.texts import are_files, as_text
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
    name : str
        What errors call the rows.
    about : Description
        What is known of them. Where indices of a text begin is decided when other files are
        known.
    folder : str
        Of temporary files.
    paths : list of str
        Of a text; empty for a stream or a file of rows.
    keep : bool
        Whether the rows of a text are kept in a file beside it.
    stored : StoredRows or None
    spool : Spool or None
    rows : Rows or None
        Of a text: what is known of its indices.
    """

    name: str
    about: Description
    folder: str
    paths: list[str] = field(default_factory=list)
    keep: bool = False
    stored: StoredRows | None = None
    spool: Spool | None = None
    rows: Rows | None = None

    @property
    def is_text(self) -> bool:
        """Whether the indices are those of a text, and not columns of matrices."""
        return self.about.format != MATRIX

    def finish(self, *, zero_based: bool) -> StoredRows:
        """Return the rows in their file, which is written if it is not there.

        Parameters
        ----------
        zero_based : bool
            Where the indices of text begin.
        """
        if self.stored is not None:
            return self.stored
        if self.keep:
            if zero_based != self.about.zero_based:  # the other file tells
                way, *files = self.about.sources
                way = {**way, "zero_based": zero_based}
                self.about = replace(self.about, sources=[way, *files])
            path = _path_beside(self.paths, self.about.sources)
            mode = _common_mode(self.paths)
            try:
                if _may_replace(path):
                    return self.write(path, zero_based=zero_based, mode=mode)
            except OSError as error:  # such as that of a folder that is read-only
                if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
                    raise
            logger.warning("%s cannot be written: the text will be parsed each time", path)
        return self.write(None, zero_based=zero_based)

    def write(
        self, path: FilePath | None, *, zero_based: bool, mode: int | None = None
    ) -> StoredRows:
        """Write the rows of the spool to a file; None: one without a name."""
        assert self.spool is not None
        about, fields = self.about, None
        if self.rows is not None:
            n_features = self.rows.n_features(zero_based)
            about = replace(about, zero_based=zero_based, n_features=n_features)
            if about.format == "libffm":
                fields = self.rows.field_table.of[0 if zero_based else 1 :]
        return write_rows(
            path, self.spool, about, fields, name=self.name, folder=self.folder, mode=mode
        )


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
    if not are_files(value):
        folder = tempfile.gettempdir()
        spool = opened.enter_context(Spool(folder, expected.dtype))
        width = _spool_chunks(spool, value, name, expected)
        return Draft(name, Description(width), folder, spool=spool)
    paths = as_paths(as_text(value).path, name)
    if any(map(is_file_of_rows, paths)):
        stored = open_expected(paths, expected, name)
        return Draft(paths[0], stored.description, _folder_of(paths[0]), stored=stored)
    return text_draft(paths, expected, threads, opened, keep=keep)


def text_draft(
    paths: list[str],
    expected: Expected,
    threads: int,
    opened: ExitStack,
    *,
    keep: bool = False,
) -> Draft:
    """Return the rows of texts, read to the end, or from the file beside them."""
    are_files = all(map(os.path.isfile, paths))  # and no pipes
    folder = _folder_of(paths[0]) if are_files else tempfile.gettempdir()
    if not os.access(folder, os.W_OK):
        folder = tempfile.gettempdir()
    name, keep = ", ".join(paths), keep and are_files
    sources = _state_of(paths, expected) if keep else None
    if keep:
        path = _path_beside(paths, sources)
        with suppress(FileFormatError, OSError):  # then it is made anew
            stored = open_rows(path, name=name)
            bad = stored.description.n_bad_lines
            if stored.description.sources == sources and bad <= expected.max_bad_lines:
                logger.info("the rows of %s are read from %s", name, path)
                if bad:
                    logger.warning("%d bad lines of %s are left out", bad, name)
                return Draft(name, stored.description, folder, paths, keep=True, stored=stored)
    spool = opened.enter_context(Spool(folder, expected.dtype))
    rows = Rows(expected)
    for one in paths:
        for _ in rows.read(one, threads):
            spool.append(rows.drain(threads))
    zero_based = rows.zero_based is not False
    about = Description(
        rows.n_features(zero_based),
        rows.form.format or "libsvm",
        zero_based,
        rows.lowest,
        rows.n_bad_lines,
        sources,
    )
    return Draft(name, about, folder, paths, keep, spool=spool, rows=rows)


def _spool_chunks(spool: Spool, value: Any, name: str, expected: Expected) -> int:
    """Append the chunks of a stream; return how many features they have."""
    chunks = _called(value, name) if callable(value) else value
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


def _called(function: Any, name: str) -> Any:
    """Return what a function without arguments returns."""
    try:
        inspect.signature(function).bind()
    except ValueError:  # some of C have no signature
        pass
    except TypeError:
        raise TypeError(
            f"{name} is a function that needs arguments, got {function!r:.80}: pass an iterator of "
            "chunks, or a function without arguments that returns one"
        ) from None
    return function()


# --- the file beside a text -------------------------------------------------------------------


def _state_of(paths: list[str], expected: Expected) -> Any:
    """Return what a file of rows depends on, as JSON values."""
    folder = _folder_of(paths[0])
    way = {name: getattr(expected, name) for name in ("zero_based", "n_features", "format")}
    found: list[Any] = [{"dtype": expected.dtype.name, **way}]
    for path in paths:
        status = os.stat(path)
        times = status.st_mtime_ns, status.st_ctime_ns
        found.append([os.path.relpath(path, folder), status.st_size, *times])
    return found


def _path_beside(paths: list[str], sources: Any) -> str:
    """Return the path of the file beside texts: one for each way to read them."""
    way, *files = sources
    usual = len(files) == 1 and way == {**dict.fromkeys(way), "dtype": "float32"}
    told = json.dumps([way, [file[0] for file in files]])
    return paths[0] + ("" if usual else f".{zlib.crc32(told.encode()):08x}") + SUFFIX


def _may_replace(path: str) -> bool:
    """Return whether a file is not there, or was kept beside a text; damage does not matter."""
    if not os.path.lexists(path):
        return True
    if not is_file_of_rows(path):
        return False
    try:
        return open_rows(path).description.sources is not None
    except FileFormatError:
        return True


def _common_mode(paths: list[str]) -> int:
    """Return who may read all of some files."""
    mode = 0o666
    for path in paths:
        mode &= os.stat(path).st_mode
    return mode


def _folder_of(path: str) -> str:
    return os.path.dirname(os.path.abspath(path))
