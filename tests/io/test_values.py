"""Parameters, labels and strings in a form that a file can hold, and back."""

import json
import math
import warnings
from collections import OrderedDict

import numpy as np
import pytest

import sparsefm as fm
from sparsefm.errors import FileFormatError
from sparsefm.io.labels import labels_from_arrays, labels_to_arrays
from sparsefm.io.strings import strings_from_arrays, strings_to_arrays
from sparsefm.io.values import settings_from_json, settings_to_json


class TableEncoder:
    """Stands in for the encoder of tables."""

    def __init__(self, rare=1, hashing=None):
        self.rare, self.hashing = rare, hashing

    def get_params(self, deep=True):
        assert not deep
        return {"rare": self.rare, "hashing": self.hashing}


class Estimator:
    """Takes two parameters."""

    def __init__(self, a=None, b=None):
        self.a, self.b = a, b


@pytest.fixture(autouse=True)
def stand_in(monkeypatch):
    monkeypatch.setattr(fm, "TableEncoder", TableEncoder, raising=False)


def again(**params):
    """Take parameters through JSON as it is in files."""
    text = json.dumps(settings_to_json(params), allow_nan=False)
    return settings_from_json(json.loads(text), Estimator)


# fmt: off
SAME = [
    None, True, False, 0, -1, 2**100, 0.1, -0.0, 5e-324, math.inf, -math.inf, "", "é\n\ud800",
    (), [], {}, (1,), [1, (2.0, [None])], ((), [[]]), {"a": 1, 2: "b", 0.5: (1,), False: None},
    {"tuple": [1]}, {"float": "nan"}, {math.inf: {"solver": ["adam", {}]}},
    fm.Adam(), fm.AdaGrad(), fm.Adam(learning_rate=1 / 3, updates="exact", l2_linear=0),
    [fm.AdaGrad(initial_accumulator=0.1)],
]
CANNOT = [
    print, lambda: 0, fm.Adam, np.random.default_rng(0), np.random.RandomState(0), np.ones(2),
    object(), b"bytes", {1, 2}, 1j, [print], {"a": (1, [print])}, {(1, 2): 3}, {None: 1},
    OrderedDict(), TableEncoder, np.float32, fm.Model(0.0, np.ones(1), np.ones((1, 1))),
]
# fmt: on


@pytest.mark.parametrize("value", SAME, ids=repr)
def test_settings_come_back_the_same(value):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        back = again(a=value, b=1)
    assert back == {"a": value, "b": 1}
    assert repr(back["a"]) == repr(value)  # types, signs of zero and order too


def test_nan_and_numbers_of_numpy():
    assert math.isnan(again(a=float("nan"))["a"])
    weights = {np.int64(3): np.float32(0.1), np.str_("x"): np.bool_(True)}
    back = again(a=weights, b=np.int32(7))
    assert repr(back) == repr({"a": {3: float(np.float32(0.1)), "x": True}, "b": 7})


@pytest.mark.parametrize("value", CANNOT, ids=lambda value: str(value)[:20])
def test_what_cannot_be_saved_is_named_and_left_out(value):
    with pytest.warns(UserWarning, match=r"^a=.*cannot be saved: a loaded estimator has the def"):
        assert again(a=value, b=1) == {"b": 1}


def test_encoders():
    back = again(a=TableEncoder(rare=3, hashing=(1, 2)))["a"]
    assert type(back) is TableEncoder
    assert (back.rare, back.hashing) == (3, (1, 2))
    with pytest.warns(UserWarning, match=r"^a__hashing=<built-in function print> cannot be saved"):
        back = again(a=TableEncoder(rare=3, hashing=print))["a"]
    assert (back.rare, back.hashing) == (3, None)


@pytest.mark.parametrize(
    "saved",
    [
        None,
        [],
        {"c": 1},
        {"self": 1},
        {"a": {"solver": ["sgd", {}]}},
        {"a": {"solver": ["adam"]}},
        {"a": {"solver": ["adam", {"learning_rate": -1}]}},
        {"a": {"solver": ["adam", {"learning_rate": {"float": "nan"}}]}},
        {"a": {"solver": ["adam", {"moments": 7}]}},
        {"a": {"solver": ["adam", []]}},
        {"a": {"solver": [["adam"], {}]}},
        {"a": {"encoder": {"rare": {"callable": "print"}}}},
        {"a": {"encoder": {"common": 1}}},
        {"a": {"encoder": 1}},
        {"a": {"float": "1"}},
        {"a": {"float": 1}},
        {"a": {"tuple": {"a": 1}}},
        {"a": {"tuple": "ab"}},
        {"a": {"dict": [[1]]}},
        {"a": {"dict": [[[1], 2]]}},
        {"a": {"dict": [[None, 2]]}},
        {"a": {"dict": {"ab": 1}}},
        {"a": {"eval": "1"}},
        {"a": {}},
        {"a": {"tuple": [], "dict": []}},
    ],
    ids=str,
)
def test_settings_refused(saved):
    with pytest.raises(FileFormatError, match=r"^has .*setting"):
        settings_from_json(saved, Estimator)


# --- labels and strings -------------------------------------------------------------------------

LABELS = [
    *(np.array([0, 1, 7], dtype) for dtype in ("int8", "uint16", "int64", "float32", ">f8")),
    np.array([False, True]),
    np.array(["a", "bcd", "é😀"]),
    np.array(["a", ""], "U9"),
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
    back = labels_from_arrays(arrays)
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
    with pytest.raises(FileFormatError, match=r"^has "):
        labels_from_arrays(arrays)


@pytest.mark.parametrize("strings", [[], [""], ["", "a", "", "é😀\ud800", "x" * 1000]])
def test_strings_round_trip(strings):
    text, offsets = strings_to_arrays(strings)
    assert (text.dtype, offsets.dtype, offsets.shape) == (np.uint8, np.int64, (len(strings) + 1,))
    assert strings_from_arrays(text, offsets) == strings


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
        (b"abc", [[0, 3]]),
        ("é".encode(), [0, 1, 2]),
        (b"abc", [0.0, 3.0]),
    ],
)
def test_strings_refused(text, offsets):
    offsets = np.array(offsets) if offsets else np.zeros(0, np.int64)
    with pytest.raises(FileFormatError, match="has strings"):
        strings_from_arrays(np.frombuffer(text, np.uint8), offsets)
