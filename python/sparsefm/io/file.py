"""One file: a JSON header and named arrays, in the safetensors format.

The header is one entry of the format's own metadata, under "sparsefm", so any reader of safetensors
sees the arrays too. Beside it there is a checksum. Nothing in a file is ever executed. This module
writes a file completely or not at all, and reads one without trusting it. What the entries and
arrays mean is up to the classes that write them.
"""

import json
import mmap
import os
import stat
import zlib
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any, BinaryIO, NamedTuple

import numpy.typing as npt

from sparsefm.errors import FileFormatError
from sparsefm.io.container import Arrays, Table, as_stored, bytes_of, packed
from sparsefm.io.replacing import FilePath, replacing
from sparsefm.io.values import shown

# 1: estimators always held a sample of their training rows.
# 2: they hold it only on request; an encoder has no format number of its own.
FORMAT_VERSION = 2
ENTRY, CHECKSUM = "sparsefm", "checksum"
MOST_LEVELS = 64  # of lists and objects in one another


def write_file(
    path: FilePath, header: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]
) -> None:
    """Write `header` and `arrays` to `path`, completely or not at all.

    Parameters
    ----------
    path : str or path-like
        Replaced if it exists; a symbolic link stays, and the file that it leads to is replaced.
    header : mapping
        JSON values; the versions of the format and of the package are added.
    arrays : mapping of str to ndarray
        Booleans, integers and floats of up to 64 bits.

    Raises
    ------
    OSError
        If the file cannot be written: its folder is missing or read-only, the disk is full, or
        `path` is a folder, a device, a pipe or a socket.
    ValueError
        If the header is too long, or nested too deep.
    """
    versions = {"format_version": FORMAT_VERSION, "sparsefm": package_version()}
    if _is_deep(header):
        raise ValueError(f"a parameter is nested deeper than {MOST_LEVELS} levels: flatten it")
    text = json.dumps({**versions, **header}, allow_nan=False)
    stored = as_stored(arrays)
    checksum = _checksum(text, ((name, array) for name, array in stored.items()))
    head = packed(stored, {ENTRY: text, CHECKSUM: checksum})
    with replacing(path) as file:
        file.write(head)
        for array in stored.values():
            file.write(bytes_of(array))


def read_file(
    path: FilePath, *, mapped: bool = False, verify: bool = True
) -> tuple[dict[str, Any], Arrays]:
    """Return the header and the arrays of a file; the caller checks what they hold.

    Parameters
    ----------
    path : str or path-like
    mapped : bool
        Whether the arrays stay in the file, mapped into memory and read-only, instead of being
        copied. The file must then not be cut off while they are in use.
    verify : bool
        Whether to compute the checksum, which reads all arrays. Files of before there was one are
        read without.

    Raises
    ------
    FileFormatError
        If the file is not one that `write_file` wrote. The message says what is wrong, and leaves
        out the name of the file.
    OSError
        If it cannot be read, such as `FileNotFoundError`.
    """
    with open_file(path) as file:
        content = read_open(file, mmap.mmap if mapped else None)
    if verify:
        content.verify(_checksum(content.text, content.arrays.items()))
    return content.header, content.arrays


class Content(NamedTuple):
    """What a file says: the header, also as text, the arrays, and the checksum if there is one."""

    header: dict[str, Any]
    text: str
    arrays: Arrays
    checksum: str | None

    def verify(self, checksum: str) -> None:
        """Raise `FileFormatError` if the file has another checksum."""
        if self.checksum not in (None, checksum):
            why = "its content does not have the checksum that it names"
            raise FileFormatError(f"is damaged: {why}")


def open_file(path: FilePath) -> BinaryIO:
    """Open a file to read it, without a buffer."""
    return open(path, "rb", buffering=0, opener=_open_at_once)


def read_open(file: BinaryIO, mapping: type[mmap.mmap] | None) -> Content:
    """Return the content of a file that is open at its beginning; the checksum is not compared.

    Parameters
    ----------
    file : binary file
    mapping : class or None
        What maps the file into memory. None: the arrays are read.
    """
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        raise FileFormatError("is a folder or a device, not a file that `save` wrote")
    table = Table(file, status.st_size)
    text = table.metadata.pop(ENTRY, None)
    if text is None:
        raise FileFormatError("is a safetensors file, but not one that sparsefm wrote")
    header = _read_header(text)
    arrays = {entry.name: array for entry, array in table.arrays(mapping)}
    checksum = table.metadata.pop(CHECKSUM, None)
    if table.metadata:  # such as a checksum whose name is damaged
        raise FileFormatError(f"has unknown metadata: {shown(min(table.metadata))}")
    return Content(header, text, arrays, checksum)


def package_version() -> str:
    """Return the version of the package; a copy that was not installed does not know it."""
    try:
        return version("sparsefm")
    except PackageNotFoundError:
        return "unknown"


def _open_at_once(path: str, flags: int) -> int:
    """Open a file; do not wait for the other end of a pipe."""
    if os.path.isdir(path):  # which only some systems open
        raise FileFormatError("is a folder or a device, not a file that `save` wrote")
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _checksum(text: str, arrays: Iterable[tuple[str, npt.NDArray[Any]]]) -> str:
    """Return a checksum of all that a file says, however it says it."""
    return combined(
        text,
        (
            (name, array.dtype.newbyteorder("<").str, array.shape, zlib.crc32(bytes_of(array)))
            for name, array in arrays
        ),
    )


def combined(text: str, arrays: Iterable[tuple[str, str, tuple[int, ...], int]]) -> str:
    """Return the checksum of a file, given the name, type, shape and CRC-32 of each array."""
    return f"crc32:{zlib.crc32(json.dumps([text, sorted(arrays)]).encode()):08x}"


def _read_header(text: str) -> dict[str, Any]:
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"has a header that is not JSON ({error})") from None
    if not isinstance(header, dict):
        raise FileFormatError(f"has a header that is not a JSON object: {shown(header)}")
    number = header.get("format_version")
    if type(number) is not int or number < 1:
        raise FileFormatError(f"has an unknown format_version {shown(number)}")
    if number > FORMAT_VERSION:
        raise FileFormatError(f"was written by a newer sparsefm (format {number}); upgrade")
    if _is_deep(header):
        raise FileFormatError(f"has a header that is nested deeper than {MOST_LEVELS} levels")
    return header


def _is_deep(header: Mapping[str, Any]) -> bool:
    """Return whether lists and objects are nested so deep that reading could fail half-way."""
    level: list[Any] = [header]
    for _ in range(MOST_LEVELS):
        inner = (value.values() if isinstance(value, Mapping) else value for value in level)
        level = [v for values in inner for v in values if isinstance(v, list | tuple | dict)]
    return bool(level)
