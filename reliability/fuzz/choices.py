"""Choices made of bytes, so that a fuzzer of bytes can search for tables and for lies."""

import struct
from collections.abc import Sequence
from typing import TypeVar

Choice = TypeVar("Choice")

INTEGERS = (0, 1, -1, 2, 7, 255, 2**31 - 1, 2**31, -(2**31), 2**53 + 1, 2**63 - 1, 2**64 - 1)
REALS = (0.0, -0.0, 1.0, 0.1, 1e-320, 1e38, 1e308, float("inf"), float("-inf"), float("nan"))
TEXTS = ("", "a", "A", " a", "ä", "a\u0308", "\0", "=", "nan", "None", "1", "1.0", "\U0001f600")


class Choices:
    """Reads bytes as choices; when there are no more, all are the first."""

    def __init__(self, data: bytes) -> None:
        self._data, self._place = data, 0

    def __bool__(self) -> bool:
        return self._place < len(self._data)

    def take(self, size: int) -> bytes:
        """Return so many bytes."""
        taken = self._data[self._place : self._place + size]
        self._place += size
        return taken.ljust(size, b"\0")

    def below(self, count: int) -> int:
        """Return an integer of [0, count)."""
        return int.from_bytes(self.take(1 if count <= 256 else 4), "little") % count

    def one_of(self, values: Sequence[Choice]) -> Choice:
        """Return one of the values."""
        return values[self.below(len(values))]

    def integer(self) -> int:
        """Return an integer, often one at the end of a type's range."""
        return self.one_of(INTEGERS) if self.below(2) else self.below(8)

    def real(self) -> float:
        """Return a number, often an odd one."""
        kind = self.below(4)
        if kind == 0:
            return self.below(256) / 16 - 8
        return self.one_of(REALS) if kind < 3 else float(struct.unpack("<d", self.take(8))[0])

    def text(self) -> str:
        """Return a short text."""
        if self.below(4):
            return self.one_of(TEXTS)
        errors = self.one_of(["replace", "surrogateescape"])
        return self.take(self.below(6)).decode("utf-8", errors)
