"""Class labels as arrays that a file can hold, and back, with the same type."""

from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.errors import FileFormatError
from sparsefm.io.container import Arrays
from sparsefm.io.reader import Reader
from sparsefm.io.strings import read_strings, strings_to_arrays

NUMBERS = ("bool", *(f"{u}int{n}" for u in ("", "u") for n in (8, 16, 32, 64)))
NUMBERS += ("float16", "float32", "float64")
LARGEST_CODE_POINT = 0x10FFFF


def labels_to_arrays(labels: npt.NDArray[Any]) -> Arrays:
    """Return labels, shape (C,), as arrays whose names tell their type.

    Numbers and booleans are stored as they are ("numbers"). NumPy's strings of fixed width are
    stored as the code points that they are in memory ("characters", shape (C, width)): a file then
    takes no less space than what it loads to. Python's strings, in an array of objects, are stored
    as UTF-8 ("text" and "offsets").

    Raises
    ------
    TypeError
        If they are of any other type.
    """
    labels = labels.astype(labels.dtype.newbyteorder("="), copy=False)
    if labels.dtype.name in NUMBERS:
        return {"numbers": labels}
    if labels.dtype.kind == "U":
        width = labels.dtype.itemsize // 4
        points = np.ascontiguousarray(labels).view(np.uint32)
        return {"characters": points.reshape(len(labels), width)}
    if labels.dtype == object and all(type(label) is str for label in labels):
        return strings_to_arrays(labels, "text")
    raise TypeError(
        f"labels of type {labels.dtype} cannot be saved: fit with integers, floats, booleans or "
        "strings as labels"
    )


def read_labels(reader: Reader) -> npt.NDArray[Any]:
    """Return the labels of `labels_to_arrays`.

    Raises
    ------
    FileFormatError
        If the arrays are missing, or do not hold labels.
    """
    if reader.has_array("numbers"):
        return reader.array("numbers", (None,), NUMBERS)
    if reader.has_array("characters"):
        points = reader.array("characters", (None, None), ("uint32",))
        count, width = points.shape
        if width == 0 or (points > LARGEST_CODE_POINT).any():
            raise FileFormatError("has labels that are not text")
        characters: npt.NDArray[Any] = points.view(f"U{width}").reshape(count)
        return characters
    strings = read_strings(reader, "text")
    labels = np.empty(len(strings), object)
    labels[:] = strings
    return labels
