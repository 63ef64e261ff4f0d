"""Strings as arrays, and back."""

import numpy as np
import pytest

from sparsefm.errors import FileFormatError
from sparsefm.io.reader import Reader
from sparsefm.io.strings import read_strings, strings_to_arrays


@pytest.mark.parametrize("strings", [[], [""], ["", "a", "", "é😀\ud800", "x" * 1000]])
def test_strings_round_trip(strings):
    arrays = strings_to_arrays(strings, "text")
    assert arrays.keys() == {"text", "offsets"}
    assert (arrays["text"].dtype, arrays["offsets"].dtype) == (np.uint8, np.int64)
    assert arrays["offsets"].shape == (len(strings) + 1,)
    reader = Reader({}, arrays)
    assert read_strings(reader, "text") == strings
    reader.check_all_read()


@pytest.mark.parametrize(
    ("text", "offsets"),
    [
        (b"abc", []),
        (b"abc", [0]),
        (b"abc", [1, 3]),
        (b"abc", [0, 2]),
        (b"abc", [0, 4]),
        (b"abc", [0, 2, 1, 3]),
        (b"abc", [0, 2**62, 3]),
        (b"abc", [0, -1, 3]),
        ("é".encode(), [0, 1, 2]),
    ],
)
def test_strings_refused(text, offsets):
    arrays = {"text": np.frombuffer(text, np.uint8), "offsets": np.array(offsets, np.int64)}
    with pytest.raises(FileFormatError, match="has strings"):
        read_strings(Reader({}, arrays), "text")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"text": np.zeros(3, np.int8)}, "text must be of uint8"),
        ({"text": np.zeros((3, 1), np.uint8)}, "text must have shape"),
        ({"offsets": np.array([0.0, 3.0])}, "offsets must be of int64"),
        ({"offsets": np.array([[0, 3]])}, "offsets must have shape"),
        ({"offsets": np.array(3)}, "offsets must have shape"),
    ],
)
def test_arrays_refused(change, message):
    arrays = strings_to_arrays(["abc"], "text") | change
    with pytest.raises(FileFormatError, match=message):
        read_strings(Reader({}, arrays), "text")
    for missing in ("text", "offsets"):
        arrays = strings_to_arrays(["abc"], "text")
        del arrays[missing]
        with pytest.raises(FileFormatError, match=f"has no array '{missing}'"):
            read_strings(Reader({}, arrays), "text")
