"""Which files an argument names: a path, a pattern, or a list of them."""

import errno
import glob
import os
from typing import Any

from sparsefm.io.replacing import name_of

SUFFIX = ".sparsefm-rows"  # of the file that `train` keeps beside a text


def names_files(value: Any) -> bool:
    """Return whether a value is a path or a list of paths, and no matrix."""
    if isinstance(value, list | tuple):
        return len(value) > 0 and all(isinstance(part, str | os.PathLike) for part in value)
    return isinstance(value, str | os.PathLike)


def as_paths(value: Any, name: str) -> list[str]:
    """Return the files that a value names: those of a list in its order, of a pattern sorted.

    Text with ``*``, ``?`` or ``[`` is a pattern of `glob`, unless a file has just that name. Files
    with the suffix `SUFFIX` match no pattern.

    Raises
    ------
    FileNotFoundError
        If no file matches a pattern.
    """
    if not names_files(value):
        raise TypeError(f"{name} must be a path, a pattern or a list of them, got {value!r:.80}")
    given = list(value) if isinstance(value, list | tuple) else [value]
    return [path for part in given for path in _matching(part, name)]


def _matching(part: Any, name: str) -> list[str]:
    try:
        path = name_of(part)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name} names no file: {error}") from None
    if not isinstance(part, str) or not glob.has_magic(path) or os.path.exists(path):
        return [path]
    found = sorted(
        match
        for match in glob.glob(path, recursive=True)
        if not os.path.isdir(match) and not match.endswith(SUFFIX)
    )
    if not found:
        raise FileNotFoundError(errno.ENOENT, f"{name} is a pattern that no file matches", path)
    return found
