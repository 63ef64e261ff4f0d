"""`convert`: from sparse text, or a stream of rows, to a file of rows."""

import os
from contextlib import ExitStack
from typing import Any

from sparsefm.data.validation import check_dtype
from sparsefm.files.cache import is_file_of_rows
from sparsefm.files.paths import as_paths
from sparsefm.files.rows import Expected
from sparsefm.files.storing import draft_of, is_stream, text_draft
from sparsefm.files.texts import SparseText, are_files
from sparsefm.io.replacing import FilePath, find_target
from sparsefm.threads import resolve_threads


def convert(
    source: Any,
    path: FilePath,
    format: str = "auto",
    *,
    zero_based: bool | str = "auto",
    n_features: int | None = None,
    dtype: str = "float32",
    max_bad_lines: int = 0,
    n_threads: int | None = None,
) -> None:
    """Write the rows of text, or of a stream, to a file that `train` reads piece by piece.

    `train` and `read` take the path of the result. It is about half as large as the text, and is
    read without parsing. `train` with a `memory_budget` makes such a file by itself.

    Parameters
    ----------
    source : path, list of paths, iterator or callable
        What `read` takes; or an iterator, or a function without arguments that returns one, of
        chunks ``(X, y)`` or ``(X, y, sample_weight)``.
    path : str or path-like
        Replaced if it exists, once all rows are written.
    format, zero_based, n_features, dtype, max_bad_lines, n_threads
        Of `read`. A stream needs `dtype` alone, and perhaps `n_features`.

    Raises
    ------
    FileFormatError
        If a text is malformed; then no file is written.
    ValueError, TypeError
        If an argument, or a chunk, is invalid.
    OSError
        If a file cannot be read or written; such as when the disk is full, which takes twice the
        size of the result meanwhile.

    Examples
    --------
    >>> import sparsefm as fm
    >>> with open("clicks.svm", "w") as file:
    ...     print("1 1:1 3:0.5", file=file)
    ...     print("0 2:1", file=file)
    >>> fm.convert("clicks.svm", "clicks.rows")
    >>> model = fm.train("clicks.rows", task="binary")

    A table, chunk by chunk:

    >>> import pandas as pd
    >>> table = pd.DataFrame({"user": ["a", "b", "a", "c"], "rating": [3, 4, 5, 1]})
    >>> encoder = fm.TableEncoder().fit(table[["user"]])
    >>> chunks = (table[begin : begin + 2] for begin in (0, 2))
    >>> rows = ((encoder.transform(chunk[["user"]]), chunk["rating"]) for chunk in chunks)
    >>> fm.convert(rows, "ratings.rows")
    >>> model = fm.train("ratings.rows")
    """
    find_target(path)  # before the work
    threads = resolve_threads(n_threads)
    options: dict[str, Any] = {"zero_based": zero_based, "n_features": n_features}
    text = SparseText("", format, max_bad_lines=max_bad_lines, **options)
    expected = text._expected(check_dtype(dtype))
    if not (are_files(source) or is_stream(source)):
        raise TypeError(
            f"source must be a path, a pattern, a list of them, or a stream, got {source!r:.80}"
        )
    with ExitStack() as opened:
        if are_files(source):
            paths = as_paths(source, "source")
            if any(map(is_file_of_rows, paths)):
                raise ValueError("source is a file of rows already: pass its path to train or read")
            if any(
                os.path.exists(one) and os.path.exists(path) and os.path.samefile(path, one)
                for one in paths
            ):
                raise ValueError(f"path is source, {os.fspath(path)!r}: name another file")
            draft = text_draft(paths, expected, threads, opened)
        else:
            if expected != Expected(expected.dtype, n_features=expected.n_features):
                raise ValueError(
                    "format, zero_based and max_bad_lines are for text: a stream has none"
                )
            draft = draft_of(source, "source", expected, threads, opened, keep=False)
        draft.write(path, zero_based=draft.about.zero_based)
