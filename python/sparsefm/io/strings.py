"""Strings as arrays: their UTF-8 bytes, one after the other, and where each begins."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.errors import FileFormatError


def strings_to_arrays(
    strings: Iterable[str],
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Return n strings as arrays.

    Returns
    -------
    text : ndarray of uint8
        All of them in UTF-8, without separators; a lone surrogate as if it were a character.
    offsets : ndarray of int64, shape (n + 1,)
        String i is ``text[offsets[i] : offsets[i + 1]]``.
    """
    parts = [string.encode("utf-8", "surrogatepass") for string in strings]
    offsets = np.zeros(len(parts) + 1, np.int64)
    np.cumsum([len(part) for part in parts], out=offsets[1:])
    return np.frombuffer(b"".join(parts), np.uint8), offsets


def strings_from_arrays(text: npt.NDArray[Any], offsets: npt.NDArray[Any]) -> list[str]:
    """Return the strings of `strings_to_arrays`.

    Raises
    ------
    FileFormatError
        If the arrays are none that it made.
    """
    if text.dtype != np.uint8 or offsets.dtype != np.int64 or text.ndim != 1 or offsets.ndim != 1:
        raise FileFormatError("has strings that are not bytes and offsets")
    inside = len(offsets) and offsets[0] == 0 and offsets[-1] == len(text)
    if not inside or (offsets[1:] < offsets[:-1]).any():
        raise FileFormatError("has strings whose offsets do not divide their bytes")
    data, ends = text.tobytes(), offsets.tolist()
    try:
        return [data[begin:end].decode("utf-8", "surrogatepass") for begin, end in pairwise(ends)]
    except UnicodeDecodeError as error:
        raise FileFormatError(f"has strings that are no UTF-8 ({error})") from None
