"""What is read from a file must be there and be what it should be; errors name it in full."""

import numpy as np
import pytest

from sparsefm.errors import FileFormatError
from sparsefm.io.reader import Reader, add_prefix

HEADER = {
    "count": 3,
    "share": 0.5,
    "name": "a",
    "flag": True,
    "list": [1],
    "nothing": None,
    "odd": {"float": "nan"},
    "inner": {"count": 7},
}
ARRAYS = {
    "w": np.float32([1, 2]),
    "inner.w": np.arange(6.0).reshape(2, 3),
    "inner.deep.w": np.array([5]),
    "innermost": np.array(1.0),
}


@pytest.fixture
def reader():
    return Reader(dict(HEADER), dict(ARRAYS))


# --- entries --------------------------------------------------------------------------------------


def test_entries(reader):
    for name, kind in (("count", int), ("share", float), ("name", str), ("list", list)):
        assert reader.entry(name, kind) is HEADER[name]
        assert reader.entry(name, kind) is HEADER[name]  # as often as one likes
    assert np.isnan(reader.value("odd"))
    has = [reader.has_entry(name) for name in ("count", "nothing", "missing")]
    assert has == [True, False, False]


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("missing", int, "^has no entry 'missing' in its header$"),
        ("count", float, "^count must be of type float, got 3$"),
        ("flag", int, "^flag must be of type int, got True$"),
        ("share", int, "^share must be of type int, got 0.5$"),
        ("nothing", str, "^nothing must be of type str, got None$"),
    ],
)
def test_entries_refused(reader, name, kind, message):
    with pytest.raises(FileFormatError, match=message):
        reader.entry(name, kind)


def test_integers(reader):
    for bounds in ((3,), (3, 3), (-1, 9)):
        assert reader.integer("count", *bounds) == 3
    with pytest.raises(FileFormatError, match=r"^count must be at least 4, got 3$"):
        reader.integer("count", 4)
    with pytest.raises(FileFormatError, match=r"^count must be at least 0 and at most 2, got 3$"):
        reader.integer("count", 0, 2)
    with pytest.raises(FileFormatError, match=r"^flag must be of type int, got True$"):
        reader.integer("flag", 0)


def test_reals(reader):
    for bounds in ({}, {"least": 0.5}, {"above": 0.4}):
        assert reader.real("share", **bounds) == 0.5
    with pytest.raises(FileFormatError, match=r"^share must be at least 0\.6, got 0\.5$"):
        reader.real("share", least=0.6)
    with pytest.raises(FileFormatError, match=r"^share must be greater than 0\.5, got 0\.5$"):
        reader.real("share", above=0.5)
    with pytest.raises(FileFormatError, match=r"^count must be of type float"):
        reader.real("count")
    for value in (float("nan"), float("inf"), -float("inf")):
        with pytest.raises(FileFormatError, match=r"^x must be finite"):
            Reader({"x": value}, {}).real("x")


def test_messages_stay_short():
    with pytest.raises(FileFormatError) as caught:
        Reader({"x": "y" * 10_000}, {}).entry("x", int)
    assert len(str(caught.value)) < 100


# --- arrays ---------------------------------------------------------------------------------------


def test_an_array_is_read_once(reader):
    assert reader.has_array("w")
    assert reader.array("w", (None,), ("float32",)) is ARRAYS["w"]
    assert not reader.has_array("w")
    with pytest.raises(FileFormatError, match=r"^has no array 'w'$"):
        reader.array("w", (None,), ("float32",))


@pytest.mark.parametrize(
    ("shape", "dtypes", "message"),
    [
        ((2,), ("int32",), "^w must be of int32, got float32$"),
        ((2,), ("int32", "float64"), "^w must be of int32 or float64, got float32$"),
        ((3,), ("float32",), r"^w must have shape \(3\), got \(2,\)$"),
        ((), ("float32",), r"^w must have shape \(\), got \(2,\)$"),
        ((2, None), ("float32",), r"^w must have shape \(2, any\), got \(2,\)$"),
    ],
)
def test_arrays_refused(reader, shape, dtypes, message):
    with pytest.raises(FileFormatError, match=message):
        reader.array("w", shape, dtypes)


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (2, 3), (2, 3, 4)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_are_finite(shape, dtype):
    whole = np.ones(shape, dtype)
    assert Reader({}, {"x": whole}).numbers("x", shape) is whole
    for value in (np.nan, np.inf, -np.inf):
        if whole.size:
            wrong = whole.copy()
            wrong[(-1,) * len(shape)] = value
            row = len(wrong) - 1
            with pytest.raises(FileFormatError, match=f"^x holds {value} at row {row}$"):
                Reader({}, {"x": wrong}).numbers("x", shape)


def test_numbers_of_other_types():
    for values in (np.array([True]), np.array([3], np.int64)):
        assert Reader({}, {"x": values}).numbers("x", (1,), (values.dtype.name,)) is values
        with pytest.raises(FileFormatError, match=r"^x must be of float32 or float64"):
            Reader({}, {"x": values}).numbers("x", (1,))


# --- parts ----------------------------------------------------------------------------------------


def test_a_part_has_a_header_and_arrays_of_its_own(reader):
    inner = reader.part("inner")
    assert inner.integer("count", 0) == 7
    assert inner.array("w", (2, 3), ("float64",)) is ARRAYS["inner.w"]
    assert inner.part("deep").array("w", (1,), ("int64",)) is ARRAYS["inner.deep.w"]
    assert reader.part("list", {"a": 1}).entry("a", int) == 1
    with pytest.raises(FileFormatError, match=r": 'innermost', 'w'$"):
        reader.check_all_read()


def test_errors_of_a_part_name_it_in_full(reader):
    inner = reader.part("inner")
    for call, message in (
        (lambda: inner.entry("x", int), "has no entry 'inner.x' in its header"),
        (lambda: inner.integer("count", 8), "inner.count must be at least 8, got 7"),
        (lambda: inner.array("x", (), ()), "has no array 'inner.x'"),
        (lambda: inner.array("w", (), ("float64",)), "inner.w must have shape"),
        (lambda: inner.part("count"), "inner.count must be a JSON object, got 7"),
        (lambda: reader.part("0", [1]), "0 must be a JSON object, got [1]"),
        (lambda: Reader(None, {}), "the header must be a JSON object, got None"),
    ):
        with pytest.raises(FileFormatError) as caught:
            call()
        assert str(caught.value).startswith(message)


def test_what_nobody_read_is_an_error(reader):
    reader.array("w", (2,), ("float32",))
    reader.array("innermost", (), ("float64",))
    reader.part("inner").array("w", (2, 3), ("float64",))
    for part in (reader, reader.part("inner")):
        with pytest.raises(FileFormatError, match=r"not belong to it: 'inner.deep.w'$"):
            part.check_all_read()
    reader.part("inner").part("deep").array("w", (1,), ("int64",))
    reader.check_all_read()
    many = Reader({}, {f"{'x' * 100}{i}": np.ones(1) for i in range(100)})
    with pytest.raises(FileFormatError) as caught:
        many.check_all_read()
    assert len(str(caught.value)) < 300


def test_a_prefix_is_what_a_part_reads():
    arrays = add_prefix("a.", add_prefix("b.", {"x": np.ones(2)}))
    reader = Reader({}, arrays)
    assert reader.part("a").part("b").numbers("x", (2,)).tolist() == [1, 1]
    reader.check_all_read()
