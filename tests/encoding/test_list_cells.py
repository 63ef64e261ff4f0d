"""What a cell of a column of lists may be, in every library."""

import collections
import math

import numpy as np
import pytest
from list_columns import DICTS, MEAN, NAMES, ROWS, TEXT, UNNAMED, encoded, expect, objects

from sparsefm.encoding.tables import Labels, Lists


@pytest.mark.parametrize("rows", [1, 100])  # few, and many
def test_lists_of_every_library(table, rows):
    expect(encoded(table({"g": ROWS * rows})), NAMES, MEAN * rows)
    expect(encoded(table({"g": TEXT * rows}), multi={"g": "|"}), NAMES, MEAN * rows)


@pytest.mark.parametrize(
    "make",
    [
        tuple,
        collections.deque,
        lambda row: np.array(row, object),
        collections.UserList,
    ],
)
def test_cells_of_python(make):
    cells = [None if row is None else make(row) for row in ROWS]
    for missing in (None, math.nan):
        X = objects([missing if cell is None else cell for cell in cells])
        expect(encoded(X), UNNAMED, MEAN)


def test_a_list_of_what_is_missing_is_not_missing():
    for cell in (np.array([math.nan]), [math.nan], [None], np.array([])):
        names, found = encoded(objects([["a"], cell, None]))
        assert (names, found.tolist()) == (["x0=a", "x0=missing"], [[1, 0], [0, 0], [0, 1]])


def test_sets_have_each_value_once():
    for make in (set, frozenset):
        names, rows = encoded(objects([make(["b", "a", "a"]), make(["a"])]))
        assert names == ["x0=a", "x0=b"]
        assert rows.tolist() == [[0.5, 0.5], [1, 0]]


def test_weights_of_dicts():
    expect(encoded(objects(DICTS)), UNNAMED, MEAN)
    counters = [None if row is None else collections.Counter(row) for row in ROWS]
    expect(encoded(objects(counters)), UNNAMED, MEAN)


def test_rows_that_are_dicts_or_lists():
    expect(encoded([{"g": row} if row is not None else {} for row in ROWS]), NAMES, MEAN)
    rows = [[["a"], "m"], [("b", "a"), "n"], [None, "n"]]
    names, found = encoded(rows)
    assert names == ["x0=a", "x0=b", "x0=missing", "x1=m", "x1=n"]
    assert found.tolist() == [[1, 0, 0, 1, 0], [0.5, 0.5, 0, 0, 1], [0, 0, 1, 0, 1]]


@pytest.mark.parametrize("kind", ["list_", "large_list", "fixed", "map", "dictionary", "pandas"])
def test_types_of_arrow(kind):
    pa = pytest.importorskip("pyarrow")
    pd = pytest.importorskip("pandas")
    pytest.importorskip("narwhals")
    rows, expected = ROWS, MEAN
    if kind == "fixed":
        rows = [["war", "drama"], None, ["comedy", None], ["drama", "drama"]]
        expected = [[0, 0.5, 0.5, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, 1, 0, 0]]
        array = pa.array([["x", "y"], *rows], pa.list_(pa.string(), 2))[1:]
    elif kind == "map":
        dicts = [None if row is None else [*row.items()] for row in DICTS]
        dicts[3] = [(key, weight) for key, weight in dicts[3] if key is not None]
        array = pa.array([[("x", 1.0)], *dicts], pa.map_(pa.string(), pa.float64()))[1:]
    elif kind == "dictionary":
        array = pa.array(rows, pa.list_(pa.dictionary(pa.int8(), pa.string())))
    else:
        array = pa.array([["x"], *rows], getattr(pa, kind, pa.list_)(pa.string()))[1:]
    chunked = pa.chunked_array([array[:1], array[1:3], array[3:3], array[3:]])
    X = pa.table({"g": chunked})
    if kind == "pandas":
        X = pd.DataFrame({"g": pd.Series(chunked, dtype=pd.ArrowDtype(chunked.type))})
    expect(encoded(X), NAMES, expected)
    if kind == "list_":
        expect(encoded(pd.DataFrame({"g": array.to_pandas()})), NAMES, MEAN)


def test_arrays_of_polars():
    pl = pytest.importorskip("polars")
    pytest.importorskip("narwhals")
    rows = pl.Series("g", [["b", "a"], None, ["b", "b"]], dtype=pl.Array(pl.String, 2))
    for dtype in (pl.Array(pl.String, 2), pl.Array(pl.Categorical, 2), pl.List(pl.Categorical)):
        names, found = encoded(pl.DataFrame({"g": rows.cast(dtype)}))
        assert names == ["g=a", "g=b", "g=missing"]
        assert found.tolist() == [[0.5, 0.5, 0], [0, 0, 1], [0, 1, 0]]
    cells = objects([["a"], ["b"]])
    cells[0, 0] = pl.Series(["a", "b"])
    assert encoded(cells)[1].tolist() == [[0.5, 0.5], [0, 1]]


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        ([[3, 1], [2**60 + 1]], ["g=1", "g=3", f"g={2**60 + 1}"]),
        ([[True], [False, True]], ["g=False", "g=True"]),
        ([[2.0], [1.0, None]], ["g=1", "g=2"]),
        ([[None], [], [None]], []),
        ([["", "a"], ["ä", "\n"]], ["g=", "g=\n", "g=a", "g=ä"]),
    ],
)
def test_kinds_of_values(table, rows, names):
    assert encoded(table({"g": rows}))[0] == names


def test_numbers_of_arrow():
    pa = pytest.importorskip("pyarrow")
    pytest.importorskip("narwhals")
    for kind in (pa.float16(), pa.float32(), pa.decimal128(5, 2), pa.decimal256(50, 2), pa.uint8()):
        rows = pa.array([[1.0, 2.0], [2.0]]).cast(pa.list_(kind))
        names, found = encoded(pa.table({"g": rows}))
        assert names == ["g=1", "g=2"]
        assert found.tolist() == [[0.5, 0.5], [0, 1]]


@pytest.mark.parametrize("kind", ["list", "map"])
def test_nothing_but_missing_lists(kind):
    pa = pytest.importorskip("pyarrow")
    pytest.importorskip("narwhals")
    types = {"list": pa.list_(pa.string()), "map": pa.map_(pa.string(), pa.int8())}
    names, found = encoded(pa.table({"g": pa.array([None, None], types[kind])}))
    assert (names, found.tolist()) == (["g=missing"], [[1], [1]])


def test_integers_of_64_bits(table):
    rows = [np.array(row, np.uint64) for row in ([2**64 - 1], [2**64 - 2, 2**64 - 1])]
    assert encoded(table({"g": rows}))[0] == [f"g={2**64 - 2}", f"g={2**64 - 1}"]


def test_columns_are_refused_by_name(table):
    for rows in ([[["a"]]], [[0.5, 1.0]]):
        with pytest.raises(TypeError, match=r"column 'g' holds .*: make"):
            encoded(table({"g": rows}))


def test_weights_that_are_none():
    for weight in (math.inf, 10**400, -math.inf):
        with pytest.raises(ValueError, match="column 'x0' holds a weight that is infinite or too"):
            encoded(objects([{"a": 1.0}, {"b": weight}]))
    pa = pytest.importorskip("pyarrow")
    pytest.importorskip("narwhals")
    rows = pa.array([[("a", "b")]], pa.map_(pa.string(), pa.string()))
    with pytest.raises(TypeError, match="column 'g' holds dicts whose values are no numbers"):
        encoded(pa.table({"g": rows}))


def test_take_and_show():
    lists = Lists(np.array([0, 2, 3, 3]), Labels(np.array([1, 0, -1]), ["a", "b"]), None)
    taken = lists.take(np.array([True, False, True]))
    assert (taken.indptr.tolist(), taken.items.codes.tolist()) == ([0, 2, 2], [1, 0])
    assert [lists.show(row) for row in range(3)] == [
        "['b', 'a']",
        "nothing (a missing value)",
        "[]",
    ]
    again = lists.take(np.array([1, 0, 0]))
    assert again.items.codes.tolist() == [-1, 1, 0, 1, 0]
