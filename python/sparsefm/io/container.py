"""The safetensors container: a length in eight bytes, a JSON table of arrays, and their bytes.

The table has an entry for each array, {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
and a few strings under "__metadata__". The arrays follow one another without gaps, up to the end of
the file. Reading trusts nothing: memory is bounded by the size of the file, time by that of the
table.
"""

import json
import math
import mmap
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

import numpy as np
import numpy.typing as npt

from sparsefm.errors import FileFormatError

Arrays = dict[str, npt.NDArray[Any]]

METADATA = "__metadata__"
SIGNED = {f"I{8 * size}": f"<i{size}" for size in (1, 2, 4, 8)}
UNSIGNED = {f"U{8 * size}": f"<u{size}" for size in (1, 2, 4, 8)}
FLOATS = {f"F{8 * size}": f"<f{size}" for size in (2, 4, 8)}
BFLOAT16 = np.dtype(
    [("bfloat16", "<u2")]
)  # the upper half of a float32, which NumPy has no type of
TYPES: dict[str, Any] = {"BOOL": "?", **SIGNED, **UNSIGNED, **FLOATS, "BF16": BFLOAT16}
NAMES = {np.dtype(dtype): name for name, dtype in TYPES.items()}
MOST_DIMENSIONS = 32

LARGEST_TABLE = 1 << 24  # bytes of JSON
# About what Python's objects take, in bytes, for each such character of JSON.
COSTS = {b"{": 256, b"[": 96, b",": 48, b'"': 24}
LARGEST_COST = 80 << 20


@dataclass(frozen=True)
class Entry:
    """Where an array is, and what it is."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


class Table:
    """The checked table of a file.

    Parameters
    ----------
    file : binary file
        Open at its beginning.
    size : int
        Of the file, in bytes.
    """

    def __init__(self, file: BinaryIO, size: int) -> None:
        length = int.from_bytes(_read(file, min(8, size)), "little")
        if not 2 <= length <= size - 8:
            raise damaged("it has no header")
        self.metadata, self.entries = _parse(file, length)
        self._file, self._size, self._start = file, size, 8 + length
        end = 0
        for entry in self.entries:
            if entry.begin != end or entry.end < entry.begin:
                raise damaged(f"the array {entry.name!r:.80} overlaps another, or leaves a gap")
            end = entry.end
        if self._start + end != size:
            raise damaged(f"its arrays have {end} bytes, but {size - self._start} are there")

    def arrays(self, mapping: type[mmap.mmap] | None) -> Iterator[tuple[Entry, npt.NDArray[Any]]]:
        """Yield the arrays, one after the other.

        Parameters
        ----------
        mapping : class or None
            What maps the file into memory; the arrays are then read-only. None: they are read.
        """
        for entry in self.entries:
            self._check(entry)
        whole = None
        if mapping is not None:
            whole = mapping(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        for entry in self.entries:
            try:
                array = self._array(entry, whole)
            except ValueError as error:  # shapes beyond NumPy's
                raise _refused(entry, f"that cannot be read ({error})") from None
            if entry.dtype == "BOOL" and (array.view(np.uint8) > 1).any():
                raise _refused(entry, "of booleans that are neither 0 nor 1")
            yield entry, array

    def _check(self, entry: Entry) -> None:
        if entry.dtype not in TYPES:
            raise _refused(entry, f"of the unsupported type {entry.dtype:.40}")
        if len(entry.shape) > MOST_DIMENSIONS:
            raise _refused(entry, "that cannot be read: it has too many dimensions")
        # The bytes of an array lie in the file; but one that has none may claim any shape.
        if max(entry.shape, default=0) > self._size:
            raise _refused(entry, "that is larger than the file")
        size = np.dtype(TYPES[entry.dtype]).itemsize * math.prod(entry.shape)
        if size != entry.end - entry.begin:
            raise damaged(f"the array {entry.name!r:.80} has another size than its shape says")

    def _array(self, entry: Entry, whole: mmap.mmap | None) -> npt.NDArray[Any]:
        dtype = np.dtype(TYPES[entry.dtype])
        if whole is None or entry.begin == entry.end:
            array = np.empty(entry.shape, dtype)
            _fill(self._file, array)
        else:
            place, count = self._start + entry.begin, math.prod(entry.shape)
            array = np.frombuffer(whole, dtype, count, place).reshape(entry.shape)
        return np.require(array, dtype.newbyteorder("="), ["C", "A"])


class Sized(Protocol):
    """What the table of a file says of an array."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the entries."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the dimensions."""

    @property
    def nbytes(self) -> int:
        """Bytes of all entries."""


def packed(arrays: Mapping[str, Sized], metadata: Mapping[str, str]) -> bytes:
    """Return what stands before the bytes of the arrays, which follow in their order.

    Raises
    ------
    ValueError
        If there is too much to describe.
    """
    table: dict[str, Any] = {METADATA: dict(metadata)}
    begin = 0
    for name, array in arrays.items():
        place = [begin, begin + array.nbytes]
        table[name] = {"dtype": NAMES[array.dtype], "shape": array.shape, "data_offsets": place}
        begin += array.nbytes
    text = json.dumps(table, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # so that arrays are aligned
    if len(text) > LARGEST_TABLE or _cost(text) > LARGEST_COST:
        raise ValueError(
            f"the parameters and the history take {len(text)} characters of JSON; a file holds at "
            f"most {LARGEST_TABLE}, and fewer if they stand for many small values: shorten them"
        )
    return len(text).to_bytes(8, "little") + text


def as_stored(arrays: Mapping[str, npt.NDArray[Any]]) -> Arrays:
    """Return arrays with the bytes that a file has, in the order of a file: the widest first."""
    stored = {
        name: np.require(array, array.dtype.newbyteorder("<"), "C")
        for name, array in arrays.items()
    }
    return dict(sorted(stored.items(), key=lambda item: (-item[1].itemsize, item[0])))


def bytes_of(array: npt.NDArray[Any]) -> memoryview:
    """Return the bytes of an array that is C-contiguous."""
    if sys.byteorder == "big":
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return array.reshape(-1).view(np.uint8).data


def damaged(why: str) -> FileFormatError:
    """Return the error that a file is not in this format."""
    return FileFormatError(f"is not a safetensors file, or a damaged one ({why})")


def _refused(entry: Entry, why: str) -> FileFormatError:
    return FileFormatError(f"has an array {entry.name!r:.80} {why}")


def _cost(text: bytes) -> int:
    return sum(cost * text.count(character) for character, cost in COSTS.items())


def _parse(file: BinaryIO, length: int) -> tuple[dict[str, str], list[Entry]]:
    """Return the metadata, and the entries in the order of their bytes."""
    if length > LARGEST_TABLE:
        raise FileFormatError(f"has a header of {length} characters, over {LARGEST_TABLE}")
    text = _read(file, length)
    if not text.startswith(b"{"):
        raise damaged("its header is not a JSON object")
    if _cost(text) > LARGEST_COST:
        raise FileFormatError("has a header of too many values")
    try:
        table = json.loads(text.decode())
    except (ValueError, RecursionError) as error:
        raise damaged(f"its header is not JSON: {error}") from None
    metadata = table.pop(METADATA, {})
    if not isinstance(metadata, dict) or not all(type(v) is str for v in metadata.values()):
        raise damaged("its metadata are not strings")
    entries = [_entry(name, description) for name, description in table.items()]
    return metadata, sorted(entries, key=lambda entry: (entry.begin, entry.end))


def _entry(name: str, found: Any) -> Entry:
    if isinstance(found, dict) and found.keys() == {"dtype", "shape", "data_offsets"}:
        dtype, shape, place = found["dtype"], found["shape"], found["data_offsets"]
        if type(dtype) is str and _are_sizes(shape) and _are_sizes(place) and len(place) == 2:
            return Entry(name, dtype, tuple(shape), *place)
    raise damaged(f"the array {name!r:.80} is not described")


def _are_sizes(values: Any) -> bool:
    return isinstance(values, list) and all(type(v) is int and 0 <= v < 2**63 for v in values)


def _read(file: BinaryIO, size: int) -> bytes:
    data = np.empty(size, np.uint8)
    _fill(file, data)
    return data.tobytes()


def _fill(file: BinaryIO, array: npt.NDArray[Any]) -> None:
    """Read the bytes of an array."""
    view = array.reshape(-1).view(np.uint8).data
    done = 0
    while done < len(view):
        count = file.readinto(view[done:])  # type: ignore[attr-defined]
        if not count:
            raise damaged("it ends too early: it was cut off, or is being written")
        done += count
