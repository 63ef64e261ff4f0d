"""Files in pieces of whole lines, which is all of a file that is in memory at a time."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from sparsefm.errors import FileFormatError
from sparsefm.files.streams import Source, opened

PIECE = 1 << 24  # bytes
LONGEST = 1 << 30  # bytes of a line, with its newline and one that is free
MARK = b"\xef\xbb\xbf"  # which some programs write before UTF-8

Text = npt.NDArray[np.uint8]


def pieces(path: str, size: int = PIECE) -> Iterator[Text]:
    """Yield the text of a file in pieces of whole lines; the last line ends with a newline, too.

    Each piece is overwritten by the next. It has `size` bytes at most, or one line.

    Raises
    ------
    FileFormatError
        If the file is damaged, or a line is longer than 2^30 - 2 bytes, or a very long one holds a
        NUL: then the file is no text.
    """
    with opened(path) as source:
        room, used, first = bytearray(size), 0, True
        before = 0  # bytes of the text that are not in the room any more
        while True:
            filled = _fill(source, room, used)
            over = filled < len(room) - 1
            if over and filled and room[filled - 1] != ord("\n"):
                room[filled] = ord("\n")
                filled += 1
            begin = len(MARK) if first and room.startswith(MARK) else 0
            end = room.rfind(b"\n", begin, filled) + 1
            if end > begin:
                yield np.frombuffer(room, np.uint8, end - begin, begin)
                first = False
            if over:
                return
            nul = -1 if end else room.find(0, used, filled)
            used, before = filled - end, before + end
            if end:
                room[:used] = room[end:filled]
            elif nul >= 0:
                raise FileFormatError(f"{path} is no text: its byte {before + nul + 1} is NUL")
            elif len(room) >= LONGEST:
                raise FileFormatError(f"{path} has a line of more than {len(room) - 2} bytes")
            else:  # a new one: the last piece may still be in use
                room = room + bytes(len(room))


def _fill(source: Source, room: bytearray, used: int) -> int:
    """Read until the room is full but for one byte, or the file is over; return what is used."""
    with memoryview(room) as view:
        while used < len(room) - 1:
            read = source.readinto(view[used:-1])
            if not read:
                break
            used += read
    return used
