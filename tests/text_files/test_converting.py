"""`convert`: files of rows, what `read` and `train` make of them, and what damage does."""

import errno
import json
import os

import numpy as np
import pytest
import scipy.sparse as sp
from safetensors.numpy import load_file

import sparsefm as fm
from sparsefm.io import pieces

TEXT = "1 1:0.5 3:1\n-1 2:1 # comment\n1\n-1 1:3 4:0.25\n"
ONES = "1 0:1 3:1\n0 2:1\n"
QUERIES = "1 qid:3 1:1\n0 qid:4 2:1\n"
FIELDS = "1 0:1:1 1:4:0.5\n0 0:2:1 2:5:1\n"


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr("sparsefm.io.pieces.PIECE", 16)
    monkeypatch.setattr("sparsefm.files.spool.PIECE", 16)


def same(one, other):
    """Require that two results of `read` are the same."""
    assert repr(one) == repr(other)
    for name in ("data", "indices", "indptr"):
        a, b = getattr(one.X, name), getattr(other.X, name)
        np.testing.assert_array_equal(a, b)
    assert one.X.dtype == other.X.dtype
    for name in ("y", "qid", "fields"):
        a, b = getattr(one, name), getattr(other, name)
        assert (a is None) == (b is None)
        if a is not None:
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)


@pytest.fixture
def paths(tmp_path):
    return str(tmp_path / "text"), str(tmp_path / "rows")


@pytest.mark.parametrize("text", [TEXT, ONES, QUERIES, FIELDS, ""])
@pytest.mark.parametrize(
    "options", [{}, {"dtype": "float64"}, {"n_features": 9}, {"zero_based": True}]
)
def test_it_is_read_as_the_text_is(paths, text, options):
    source, target = paths
    with open(source, "w") as file:
        file.write(text)
    fm.convert(source, target, **options)
    later = {"dtype": options.get("dtype", "float32")}
    same(fm.read(target, **later), fm.read(source, **options))


def test_bad_lines_are_counted(paths):
    source, target = paths
    with open(source, "w") as file:
        file.write(TEXT + "1 x:1\n")
    with pytest.raises(fm.FileFormatError, match="line 5, column 3"):
        fm.convert(source, target)
    assert not os.path.exists(target)
    fm.convert(source, target, max_bad_lines=1)
    assert fm.read(target).n_bad_lines == 1


def test_streams(paths):
    X = sp.random(20, 9, 0.4, "csr", random_state=0, dtype=np.float32)
    y, weights = np.arange(20.0), np.arange(20) + 0.5
    fm.convert(((X[i : i + 7], y[i : i + 7]) for i in (0, 7, 14)), paths[1])
    data = fm.read(paths[1])
    assert (data.X != X).nnz == 0
    np.testing.assert_array_equal(data.y, y)
    assert (data.format, data.weights) == ("matrix", None)
    fm.convert(lambda: [(X, y, weights)], paths[1])
    np.testing.assert_array_equal(fm.read(paths[1]).weights, weights)


def test_any_reader_of_safetensors_reads_it(paths):
    with open(paths[0], "w") as file:
        file.write(FIELDS)
    fm.convert(*paths)
    arrays = load_file(paths[1])
    assert {name: list(array) for name, array in arrays.items()} == {
        "indptr": [0, 2, 4],
        "indices": [0, 3, 1, 4],
        "values": [1, 0.5, 1, 1],
        "y": [1, 0],
        "fields": [0, 0, -1, 1, 2],
    }


def test_train_takes_it(paths):
    with open(paths[0], "w") as file:
        file.write(TEXT)
    fm.convert(*paths)
    wanted = fm.train(paths[0], task="binary")
    for options in ({}, {"memory_budget": 1 << 28}):
        model = fm.train(paths[1], X_val=paths[1], task="binary", **options)
        np.testing.assert_array_equal(model.V, wanted.V)
    with pytest.raises(ValueError, match="holds values of float32: pass that as dtype"):
        fm.train(paths[1], task="binary", dtype="float64")
    with pytest.raises(fm.FileFormatError, match=r"rows of data and no model: .*sparsefm\.read"):
        fm.load(paths[1])
    fm.train(paths[0], task="binary").save(paths[0])
    with pytest.raises(fm.FileFormatError, match=r"holds a model, and no rows: .*sparsefm\.load"):
        fm.train(paths[0], task="binary")


def test_several_files_of_rows_are_refused(paths):
    with open(paths[0], "w") as file:
        file.write(TEXT)
    fm.convert(*paths)
    for call in (fm.read, lambda both: fm.train(both, task="binary")):
        with pytest.raises(ValueError, match="one of which is a file of rows"):
            call(list(paths))
    with pytest.raises(ValueError, match="source is a file of rows already"):
        fm.convert(paths[1], paths[0])


def test_what_read_expects_must_fit(paths):
    with open(paths[0], "w") as file:
        file.write(TEXT)
    fm.convert(*paths)
    with pytest.raises(ValueError, match=r"n_features is 3, but .* has 4 features"):
        fm.read(paths[1], n_features=3)
    with pytest.raises(ValueError, match="converted from indices that begin with 1"):
        fm.read(paths[1], zero_based=True)
    assert fm.read(paths[1], n_features=6, zero_based=False).X.shape == (4, 6)


@pytest.mark.parametrize("source", [3, None, np.ones((2, 2)), [], [(np.ones((2, 2)), [0, 1])]])
def test_bad_sources(source, tmp_path):
    with pytest.raises(TypeError, match="source must be a path"):
        fm.convert(source, tmp_path / "a")


def test_a_full_disk_leaves_the_old_file(paths, monkeypatch):
    source, target = paths
    with open(source, "w") as file:
        file.write(TEXT)
    fm.convert(source, target)
    with open(target, "rb") as file:
        before = file.read()

    def full(piece, number):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pieces.zlib, "crc32", full)
    with pytest.raises(OSError, match="No space left") as caught:
        fm.convert(source, target)
    assert caught.value.filename == target
    monkeypatch.undo()
    with open(target, "rb") as file:
        assert file.read() == before
    assert sorted(os.listdir(os.path.dirname(target))) == ["rows", "text"]


# --- damage ---------------------------------------------------------------------------------------


def changed(path, **arrays):
    """Write a file of rows again, with other arrays and a valid checksum."""
    content = pieces.read_mapped(path)
    found = content.arrays | arrays
    found = {name: array.copy() for name, array in found.items() if array is not None}
    header = {k: v for k, v in content.header.items() if k not in ("format_version", "sparsefm")}
    parts = {k: pieces.Pieces(v.dtype, len(v), [v]) for k, v in found.items()}
    with open(path, "w+b") as file:
        pieces.write_pieces(file, header, parts)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"indices": np.array([0, 9, 1, 4], np.int32)}, "has column 9 in row 0, but only 5"),
        ({"indices": np.array([0, -1, 1, 4], np.int32)}, "has column -1 in row 0"),
        ({"indices": np.array([3, 0, 1, 4], np.int32)}, "unsorted, duplicate or explicitly zero"),
        ({"indices": np.array([3, 3, 1, 4], np.int32)}, "unsorted, duplicate or explicitly zero"),
        ({"values": np.array([1, 0, 1, 1], np.float32)}, "unsorted, duplicate or explicitly zero"),
        ({"values": np.array([1, np.nan, 1, 1], np.float32)}, "holds NaN at row 0, column 3"),
        ({"values": np.ones(3, np.float32)}, r"values must have shape \(4\)"),
        ({"values": np.ones(4, np.int32)}, "values must be of float32 or float64"),
        ({"indptr": np.array([0, 2])}, r"indptr must have shape \(3\)"),
        ({"indptr": np.array([0, 3, 5])}, "has rows that do not fit their entries"),
        ({"indptr": np.array([0, 2, 3])}, "has rows that do not fit their entries"),
        ({"indptr": np.array([1, 2, 4])}, "has rows that do not fit their entries"),
        ({"indptr": np.array([0, 5, 4])}, "indptr must not decrease: row 1"),
        ({"indptr": np.array([0, -1, 4])}, "indptr must not decrease: row 0"),
        ({"indptr": None}, "has no array 'indptr'"),
        ({"y": np.array([1, np.nan])}, "y holds nan"),
        ({"fields": np.array([0, 0, -2, 1, 2], np.int32)}, "has a negative field"),
        ({"fields": np.zeros(6, np.int32)}, "has 6 fields of 5 features"),
        ({"more": np.zeros(6, np.int32)}, "arrays that do not belong to it: 'more'"),
    ],
)
def test_arrays_that_are_no_rows(paths, arrays, message):
    """Whoever writes a valid checksum can write anything."""
    with open(paths[0], "w") as file:
        file.write(FIELDS)
    fm.convert(*paths)
    changed(paths[1], **arrays)
    with pytest.raises(ValueError, match=message):
        fm.train(paths[1], task="binary")


def test_every_bit_is_checked(paths):
    with open(paths[0], "w") as file:
        file.write(TEXT)
    fm.convert(*paths)
    with open(paths[1], "rb") as file:
        content = file.read()
    wanted = fm.read(paths[1])
    for place in range(len(content)):
        with open(paths[1], "wb") as file:
            file.write(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        for call in (fm.read, lambda path: fm.train(path, task="binary", epochs=1)):
            try:
                found = call(paths[1])
            except fm.FileFormatError:
                continue
            if call is fm.read:
                same(found, wanted)  # a space of the header may be another one


def test_the_header_is_readable(paths):
    with open(paths[0], "w") as file:
        file.write(TEXT)
    fm.convert(*paths)
    with open(paths[1], "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        about = json.loads(json.loads(file.read(length))["__metadata__"]["sparsefm"])
    assert about["kind"] == "rows"
    assert about["n_features"] == 4
    assert not about["zero_based"]
