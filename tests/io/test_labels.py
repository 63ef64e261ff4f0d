"""Class labels in a form that a file can hold, and back."""

import numpy as np
import pytest

from sparsefm.errors import FileFormatError
from sparsefm.io.labels import labels_to_arrays, read_labels
from sparsefm.io.reader import Reader

LABELS = [
    *(np.array([0, 1, 7], dtype) for dtype in ("int8", "uint16", "int64", "float32", ">f8")),
    np.array([False, True]),
    np.array(["a", "bcd", "é😀"]),
    np.array(["a", ""], "U9"),
    np.array(["\0a", chr(0x10FFFF)]),
    np.array(["a", "bcd", "é\0", "\ud800", ""], object),
    np.array(["x"], ">U3"),
    np.array([], object),
    np.array([], "U3"),
    np.array(["a", "b", "c", "d"])[::2],
]


@pytest.mark.parametrize("labels", LABELS, ids=lambda labels: f"{labels.dtype}-{len(labels)}")
def test_labels_round_trip(labels):
    arrays = labels_to_arrays(labels)
    assert all(array.dtype.kind in "biuf" for array in arrays.values())
    back = read_labels(Reader({}, arrays))
    assert not arrays
    assert back.dtype == labels.dtype.newbyteorder("=")
    assert back.tolist() == labels.tolist()


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["a", 1], object),
        np.array([1, 2], object),
        np.array([b"a"]),
        np.array(["2020-01-01"], "M8[D]"),
        np.array([1j]),
        np.array([1], np.longdouble),
    ],
    ids=lambda labels: str(labels.dtype),
)
def test_labels_that_cannot_be_saved(labels):
    with pytest.raises(TypeError, match="cannot be saved: fit with"):
        labels_to_arrays(labels)


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"numbers": np.ones((2, 2))},
        {"numbers": np.array(["a"])},
        {"characters": np.ones((2, 0), np.uint32)},
        {"characters": np.full((2, 1), 0x110000, np.uint32)},
        {"characters": np.ones((2, 1), np.int32)},
        {"text": np.ones(2, np.uint8)},
        {"text": np.full(1, 0xFF, np.uint8), "offsets": np.array([0, 1])},
    ],
    ids=repr,
)
def test_labels_refused(arrays):
    with pytest.raises(FileFormatError, match=r"^(has|numbers|characters) "):
        read_labels(Reader({}, dict(arrays)))
