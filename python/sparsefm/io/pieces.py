"""Files whose arrays are larger than memory, in the format of `sparsefm.io.file`."""

import json
import mmap
import os
import zlib
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as Map
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from sparsefm.io.container import bytes_of, packed
from sparsefm.io.file import (
    CHECKSUM,
    ENTRY,
    FORMAT_VERSION,
    Content,
    combined,
    open_file,
    package_version,
    read_open,
)
from sparsefm.io.replacing import FilePath

PIECE = 1 << 22  # bytes
NO_CHECKSUM = combined("", [])  # until there is one, of the same length


@dataclass(frozen=True, eq=False)
class Pieces:
    """A one-dimensional array that is written piece by piece.

    Attributes
    ----------
    dtype : dtype
    size : int
    parts : iterable of ndarray
        Its consecutive parts.
    """

    dtype: np.dtype[Any]
    size: int
    parts: Iterable[npt.NDArray[Any]]

    @property
    def shape(self) -> tuple[int]:
        """The shape of the whole."""
        return (self.size,)

    @property
    def itemsize(self) -> int:
        """Bytes of an entry."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all entries."""
        return self.size * self.dtype.itemsize


class Mapping(mmap.mmap):
    """A file that is mapped into memory, and of which a part is in memory at a time.

    What it holds cannot be changed, so memory can be given back at any time.
    """


def write_pieces(file: BinaryIO, header: Map[str, Any], arrays: Map[str, Pieces]) -> None:
    """Write what `write_file` would to an open file, with a piece in memory at a time.

    Parameters
    ----------
    file : binary file
        Empty, and open to be written and read.
    header : mapping
        JSON values.
    arrays : mapping of str to Pieces
    """
    text = json.dumps({"format_version": FORMAT_VERSION, "sparsefm": package_version(), **header})
    stored = dict(sorted(arrays.items(), key=lambda item: (-item[1].itemsize, item[0])))

    def head(checksum: str) -> bytes:
        return packed(stored, {ENTRY: text, CHECKSUM: checksum})

    file.write(head(NO_CHECKSUM))
    listed = []
    for name, array in stored.items():
        number = 0
        for part in array.parts:
            piece = bytes_of(np.ascontiguousarray(part, array.dtype))
            number = zlib.crc32(piece, number)
            file.write(piece)
        listed.append((name, array.dtype.newbyteorder("<").str, array.shape, number))
    file.seek(0)
    file.write(head(combined(text, listed)))
    file.flush()


def read_written(file: BinaryIO) -> Content:
    """Return what `write_pieces` has just written, mapped."""
    file.seek(0)
    return read_open(file, Mapping)


def read_mapped(path: FilePath) -> Content:
    """Return the content of a file, mapped; the checksum is compared."""
    with open_file(path) as file:
        content = read_open(file, Mapping)
        size = sum(array.nbytes for array in content.arrays.values())
        file.seek(-size, os.SEEK_END)
        listed = []
        for name, array in content.arrays.items():  # in the order of the file
            number = 0
            for piece in _pieces(file, array.nbytes):
                number = zlib.crc32(piece, number)
            listed.append((name, array.dtype.newbyteorder("<").str, array.shape, number))
    content.verify(combined(content.text, listed))
    return content


def _pieces(file: Any, size: int) -> Iterator[memoryview]:
    room = memoryview(bytearray(min(size, PIECE)))
    while size:
        count = file.readinto(room[:size])
        if not count:
            return  # cut off meanwhile: the checksum tells
        yield room[:count]
        size -= count
