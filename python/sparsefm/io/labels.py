"""Class labels as arrays that a file can hold, and back, type and all."""

from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.errors import FileFormatError
from sparsefm.io.reader import Arrays, take_array
from sparsefm.io.strings import strings_from_arrays, strings_to_arrays

NUMBERS = ("bool", *(f"{u}int{n}" for u in ("", "u") for n in (8, 16, 32, 64)))
NUMBERS += ("float16", "float32", "float64")
LARGEST_CODE_POINT = 0x10FFFF


def labels_to_arrays(labels: npt.NDArray[Any]) -> Arrays:
    """Return labels, shape (C,), as arrays whose names tell their type.

    Numbers and booleans as they are ("numbers"). NumPy's strings of fixed width as the code points
    that they are in memory ("characters", shape (C, width)): a file then takes no less than what it
    loads to. Python's strings, in an array of objects, as UTF-8 ("text" and "offsets").

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
        text, offsets = strings_to_arrays(labels)
        return {"text": text, "offsets": offsets}
    raise TypeError(
        f"labels of type {labels.dtype} cannot be saved: fit with integers, floats, booleans or "
        "strings as labels"
    )


def labels_from_arrays(arrays: Arrays) -> npt.NDArray[Any]:
    """Return the labels of `labels_to_arrays`, taken out of `arrays`.

    Raises
    ------
    FileFormatError
        If there are none.
    """
    if "numbers" in arrays:
        return take_array(arrays, "numbers", (None,), NUMBERS)
    if "characters" in arrays:
        points = take_array(arrays, "characters", (None, None), ("uint32",))
        count, width = points.shape
        if width == 0 or (points > LARGEST_CODE_POINT).any():
            raise FileFormatError("has labels that are no text")
        characters: npt.NDArray[Any] = points.view(f"U{width}").reshape(count)
        return characters
    text = take_array(arrays, "text", (None,), ("uint8",))
    strings = strings_from_arrays(text, take_array(arrays, "offsets", (None,), ("int64",)))
    labels = np.empty(len(strings), object)
    labels[:] = strings
    return labels
