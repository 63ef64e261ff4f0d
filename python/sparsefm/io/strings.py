"""Strings as arrays: their UTF-8 bytes, one after the other, and where each begins."""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from sparsefm.errors import FileFormatError
from sparsefm.io.container import Arrays
from sparsefm.io.reader import Reader


def strings_to_arrays(strings: Iterable[str], name: str) -> Arrays:
    """Return n strings as two arrays.

    Returns
    -------
    dict of str to ndarray
        Under `name`, uint8: all strings in UTF-8, without separators; a lone surrogate is encoded
        as if it were a character. Under "offsets", int64 of shape (n + 1,): string i begins at byte
        ``offsets[i]`` and ends before byte ``offsets[i + 1]``.
    """
    encoded = [string.encode("utf-8", "surrogatepass") for string in strings]
    offsets = np.zeros(len(encoded) + 1, np.int64)
    np.cumsum([len(text) for text in encoded], out=offsets[1:])
    return {name: np.frombuffer(b"".join(encoded), np.uint8), "offsets": offsets}


def read_strings(reader: Reader, name: str) -> list[str]:
    """Return the strings of `strings_to_arrays`.

    Raises
    ------
    FileFormatError
        If the arrays are missing, or do not hold strings.
    """
    text = reader.array(name, (None,), ("uint8",)).tobytes()
    offsets = reader.array("offsets", (None,), ("int64",))
    inside = len(offsets) and offsets[0] == 0 and offsets[-1] == len(text)
    if not inside or (offsets[1:] < offsets[:-1]).any():
        raise FileFormatError("has strings whose offsets do not divide their bytes")
    try:
        return [
            text[begin:end].decode("utf-8", "surrogatepass")
            for begin, end in pairwise(offsets.tolist())
        ]
    except UnicodeDecodeError as error:
        raise FileFormatError(f"has strings that are not UTF-8 ({error})") from None
