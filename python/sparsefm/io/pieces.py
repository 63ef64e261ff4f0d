"""Files whose arrays are larger than memory, in the format of `sparsefm.io.file`."""

import json
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.errors import FileFormatError
from sparsefm.io.container import Arrays, Table, bytes_of, packed
from sparsefm.io.file import CHECKSUM, ENTRY, FORMAT_VERSION, combined, package_version, read_file
from sparsefm.io.replacing import FilePath, replacing

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


def write_pieces(path: FilePath, header: Mapping[str, Any], arrays: Mapping[str, Pieces]) -> None:
    """Write what `write_file` would, completely or not at all, with a piece in memory at a time."""
    text = json.dumps({"format_version": FORMAT_VERSION, "sparsefm": package_version(), **header})
    stored = dict(sorted(arrays.items(), key=lambda item: (-item[1].itemsize, item[0])))

    def head(checksum: str) -> bytes:
        return packed(stored, {ENTRY: text, CHECKSUM: checksum})

    with replacing(path) as file:
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


def read_mapped(path: FilePath) -> tuple[dict[str, Any], Arrays]:
    """Return what `read_file` does, with arrays that are mapped; the checksum is checked."""
    header, arrays = read_file(path, mapped=True, verify=False)
    with open(path, "rb", buffering=0) as file:
        table = Table(file, os.fstat(file.fileno()).st_size)
        listed = []
        for entry in table.entries:
            number = 0
            for piece in _pieces(file, entry.end - entry.begin):
                number = zlib.crc32(piece, number)
            array = arrays[entry.name]
            listed.append((entry.name, array.dtype.newbyteorder("<").str, array.shape, number))
    if table.metadata.get(CHECKSUM) != combined(table.metadata[ENTRY], listed):
        raise FileFormatError("is damaged: its content does not have the checksum that it names")
    return header, arrays


def _pieces(file: Any, size: int) -> Iterator[memoryview]:
    room = memoryview(bytearray(min(size, PIECE)))
    while size:
        count = file.readinto(room[:size])
        if not count:
            return  # cut off meanwhile: the checksum tells
        yield room[:count]
        size -= count
