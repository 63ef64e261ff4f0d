"""The bytes of a file, decompressed if need be; its first bytes tell."""

import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from sparsefm.errors import FileFormatError

GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
SKIPPABLE = tuple(bytes([first]) + b"\x2a\x4d\x18" for first in range(0x50, 0x60))  # frames of zstd
ZSTD_BYTES = 4096  # at a time: compressed as hard as may be, they are 128 MiB


class Source(Protocol):
    """What bytes are read from."""

    def readinto(self, room: memoryview, /) -> int | None:
        """Fill some of the room, and return how much; 0 at the end."""


@contextmanager
def opened(path: str) -> Iterator[Source]:
    """Open a file to read its text; what cannot be decompressed is a `FileFormatError`."""
    with open(path, "rb") as file:
        head = file.read(len(ZSTD))  # all of it, even of a pipe that gives a byte at a time
        raw = io.BufferedReader(_Whole(head, file))
        if head.startswith(GZIP):
            yield from _checked(path, _gzip(raw))
        elif head.startswith((ZSTD, *SKIPPABLE)):
            yield from _checked(path, _zstd(raw, path))
        else:
            yield raw


class _Whole(io.RawIOBase):
    """A file whose first bytes were read already; a pipe cannot go back to them."""

    def __init__(self, head: bytes, rest: io.BufferedReader) -> None:
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        return True

    def readinto(self, room: Any, /) -> int:
        if not self._head:
            return self._rest.readinto(room)
        size = min(len(room), len(self._head))
        room[:size], self._head = self._head[:size], self._head[size:]
        return size


def _checked(path: str, source: Source) -> Iterator[Source]:
    try:
        yield source
    except (EOFError, zlib.error) as error:
        raise FileFormatError(f"{path} is damaged or ends too early: {error}") from None
    except OSError as error:  # of gzip, which has no number
        if error.errno is not None:
            raise
        raise FileFormatError(f"{path} is damaged: {error}") from None


def _gzip(raw: io.BufferedIOBase) -> Source:
    import gzip

    return gzip.GzipFile(fileobj=raw, mode="rb")


def _zstd(raw: io.BufferedIOBase, path: str) -> Source:
    try:
        import zstandard
    except ImportError:
        raise ImportError(
            f"{path} is compressed by zstd, which needs zstandard: "
            "pip install 'sparsefm[zstd]', or decompress the file"
        ) from None
    return _Zstd(raw, zstandard.ZstdDecompressor(), zstandard.ZstdError)


class _Zstd:
    """Decompresses frame after frame; a reader of zstandard itself takes half a frame for all."""

    def __init__(self, raw: io.BufferedIOBase, zstd: Any, error: type[Exception]) -> None:
        self._raw, self._zstd, self._error = raw, zstd, error
        self._frame: Any = None
        self._left = b""  # compressed
        self._ready = memoryview(b"")

    def readinto(self, room: memoryview, /) -> int:
        while not self._ready:
            data = self._left or self._raw.read(ZSTD_BYTES)
            self._left = b""
            if not data:
                if self._frame is not None:
                    raise EOFError("the last frame is not complete")
                return 0
            self._ready = memoryview(self._decompress(data))
        size = min(len(room), len(self._ready))
        room[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size

    def _decompress(self, data: bytes) -> bytes:
        if self._frame is None:
            self._frame = self._zstd.decompressobj()
        try:
            text: bytes = self._frame.decompress(data)
        except self._error as error:
            raise OSError(str(error)) from None
        if self._frame.eof:
            self._left, self._frame = self._frame.unused_data, None
        return text
