"""Files are written completely or not at all, and whatever is not such a file is refused."""

import json
import os
import pickle
import re
import struct
import sys
import time
import tracemalloc
import zlib
from importlib import metadata

import numpy as np
import pytest
from files import (
    DAMAGED,
    DATA,
    HEADER,
    TENSORS,
    V,
    W,
    container,
    with_entries,
    with_tensor,
    within_memory,
)

from sparsefm.errors import FileFormatError
from sparsefm.io.container import COSTS, LARGEST_COST, LARGEST_TABLE
from sparsefm.io.file import FORMAT_VERSION, MOST_LEVELS, read_file, write_file

ARRAYS = {
    "reals": np.array([[0.5, -0.0], [np.nan, np.inf]]),
    "single": np.float32([1, 2, 3]),
    "scalar": np.array(7.0),
    "flags": np.array([True, False]),
    "empty": np.empty((0, 3), np.int32),
    "large": np.array([2**63], np.uint64),
    "swapped": np.array([1, 2], ">i4"),
    "strided": np.arange(12).reshape(3, 4)[:, ::2],
}


# --- writing and reading --------------------------------------------------------------------------


def test_round_trip(tmp_path):
    header = {"kind": "é", "list": [1, 2.5, None, True, {"a": []}]}
    write_file(tmp_path / "file", header, ARRAYS)
    found, arrays = read_file(tmp_path / "file")
    versions = {"format_version": FORMAT_VERSION, "sparsefm": metadata.version("sparsefm")}
    assert found == {**versions, **header}
    assert arrays.keys() == ARRAYS.keys()
    for name, expected in ARRAYS.items():
        assert arrays[name].dtype == expected.dtype.newbyteorder("=")
        assert arrays[name].flags.c_contiguous
        np.testing.assert_array_equal(arrays[name], expected)


def test_any_reader_of_safetensors_sees_the_arrays(tmp_path):
    load_file = pytest.importorskip("safetensors.numpy").load_file
    write_file(tmp_path / "file", {"kind": "test"}, {"V": V})
    data = (tmp_path / "file").read_bytes()
    header = json.loads(data[8 : 8 + struct.unpack("<Q", data[:8])[0]])
    assert header["__metadata__"].keys() == {"sparsefm", "checksum"}
    json.loads(header["__metadata__"]["sparsefm"], parse_constant=pytest.fail)
    write_file(tmp_path / "file", {"kind": "test"}, ARRAYS)
    arrays = load_file(tmp_path / "file")
    assert arrays.keys() == ARRAYS.keys()
    for name, expected in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], expected)


def test_files_of_safetensors_are_read(tmp_path):
    save_file = pytest.importorskip("safetensors.numpy").save_file
    arrays = {name: np.ascontiguousarray(array) for name, array in ARRAYS.items()}
    arrays["swapped"] = arrays["swapped"].astype("i4")
    save_file(arrays, tmp_path / "file", metadata={"sparsefm": json.dumps(HEADER)})
    header, found = read_file(tmp_path / "file")
    assert header == HEADER
    for name, expected in arrays.items():
        np.testing.assert_array_equal(found[name], expected)


def test_what_json_cannot_hold_is_not_written(tmp_path):
    deep = []
    for _ in range(MOST_LEVELS):
        deep = [deep]
    many = [[]] * 1_000_000
    for wrong in (float("nan"), {1, 2}, "x" * LARGEST_TABLE, deep, many):
        header = {"a": wrong}
        with pytest.raises((TypeError, ValueError)):
            write_file(tmp_path / "file", header, {})
    assert not os.listdir(tmp_path)


def test_the_longest_header(tmp_path, monkeypatch):
    write_file(tmp_path / "file", {"a": ""}, {})
    length = struct.unpack("<Q", (tmp_path / "file").read_bytes()[:8])[0]
    header, _ = read_file(tmp_path / "file")
    monkeypatch.setattr("sparsefm.io.container.LARGEST_TABLE", length)
    write_file(tmp_path / "file", {"a": ""}, {})
    assert read_file(tmp_path / "file")[0] == header
    with pytest.raises(ValueError, match="characters of JSON; a file holds at most"):
        write_file(tmp_path / "file", {"a": "x" * 8}, {})
    monkeypatch.setattr("sparsefm.io.container.LARGEST_TABLE", length - 1)
    with pytest.raises(FileFormatError, match=f"has a header of {length} characters"):
        read_file(tmp_path / "file")


def test_a_copy_that_was_not_installed_writes_files(tmp_path, monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr("sparsefm.io.file.version", missing)
    write_file(tmp_path / "file", {}, {"V": V})
    assert read_file(tmp_path / "file")[0]["sparsefm"] == "unknown"


# --- checksums ------------------------------------------------------------------------------------


def changed_at(path, place, data):
    """Return another file with other bytes."""
    content = bytearray(path.read_bytes())
    content[place : place + len(data)] = data
    other = path.with_name("other")
    other.write_bytes(content)
    return other


def test_no_flipped_bit_is_read_in_silence(tmp_path):
    write_file(tmp_path / "file", {"number": 0.5}, {"w": W})
    content = (tmp_path / "file").read_bytes()
    for bit in range(8 * len(content)):
        flipped = bytes([content[bit // 8] ^ 1 << bit % 8])
        with pytest.raises(FileFormatError):
            read_file(changed_at(tmp_path / "file", bit // 8, flipped))


def test_the_checksum_can_be_skipped(tmp_path):
    write_file(tmp_path / "file", {}, {"V": V})
    other = changed_at(tmp_path / "file", (tmp_path / "file").stat().st_size - 1, b"\x41")
    with pytest.raises(FileFormatError, match="does not have the checksum that it names"):
        read_file(other)
    for mapped in (False, True):
        assert read_file(other, verify=False, mapped=mapped)[1]["V"][-1, -1] != V[-1, -1]


def test_the_checksum_is_one_of_meaning(tmp_path):
    """Another program may write the same arrays in another order, with other spaces."""
    safetensors = pytest.importorskip("safetensors.numpy")
    write_file(tmp_path / "file", {"a": 1}, {"V": V, "w": W, "b": np.arange(3)})
    content = (tmp_path / "file").read_bytes()
    table = json.loads(content[8 : 8 + struct.unpack("<Q", content[:8])[0]])
    arrays = safetensors.load_file(tmp_path / "file")
    safetensors.save_file(arrays, tmp_path / "again", metadata=table["__metadata__"])
    assert read_file(tmp_path / "again")[0]["a"] == 1


def test_the_checksum_tells_names_types_and_shapes_apart(tmp_path):
    checksums = set()
    for arrays in ({"V": V}, {"W": V}, {"V": V.T.copy()}, {"V": V.view("i4")}, {"V": V, "w": W}):
        write_file(tmp_path / "file", {}, arrays)
        content = (tmp_path / "file").read_bytes()
        checksums.add(re.search(rb'"checksum":"(crc32:[0-9a-f]{8})"', content)[1])
    assert len(checksums) == 5
    assert zlib.crc32(V.tobytes()) == zlib.crc32(V.view("i4").tobytes())


# --- time and memory ------------------------------------------------------------------------------


def test_the_time_is_linear_in_the_number_of_arrays(tmp_path):
    write_file(tmp_path / "file", {}, {f"array{i}": W for i in range(20_000)})
    started = time.process_time()
    _, arrays = read_file(tmp_path / "file")
    assert time.process_time() - started < 5
    assert len(arrays) == 20_000


ITEMS = ["[]", "{}", '{"a":0}', "[0]", "1.5", "[[[[]]]]", '"\u0101"', '"ab"', '{"#":{"#":"##"}}']


@pytest.mark.parametrize("share", [0.99, 1.1])
@pytest.mark.parametrize("item", ITEMS)
def test_the_memory_of_a_header_is_bounded(tmp_path, item, share):
    cost = sum(each * (item + ",").encode().count(character) for character, each in COSTS.items())
    characters = len(json.dumps(item)) - 1
    count = int(share * min(LARGEST_COST // cost, LARGEST_TABLE // characters))
    text = json.dumps(HEADER)[:-1] + ', "a": ['
    text += ",".join([item.replace("#", f"{i:x}") for i in range(count)]) + "]}"
    path = tmp_path / "file"
    path.write_bytes(container(text))
    size = path.stat().st_size
    del text
    tracemalloc.start()
    if share < 1:
        read_file(path)
    else:
        with pytest.raises(FileFormatError, match=r"too many values|header of .* characters"):
            read_file(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < size + 100 * 2**20


def test_a_file_that_shrinks_while_it_is_read(tmp_path, monkeypatch):
    write_file(tmp_path / "file", {}, {"V": np.zeros(100_000)})
    fill = sys.modules["sparsefm.io.container"]._fill

    def shrink(file, array):
        if array.nbytes > 1000:
            os.truncate(tmp_path / "file", 5000)
        fill(file, array)

    monkeypatch.setattr("sparsefm.io.container._fill", shrink)
    with pytest.raises(FileFormatError, match="it ends too early"):
        read_file(tmp_path / "file")


def test_memory_that_is_not_there(tmp_path, monkeypatch):
    write_file(tmp_path / "file", {}, {"V": V})

    def fail(*_, **__):
        raise MemoryError

    monkeypatch.setattr("sparsefm.io.container._fill", fail)
    with pytest.raises(MemoryError):
        read_file(tmp_path / "file")


def test_mapped_arrays_stay_in_the_file(tmp_path):
    write_file(tmp_path / "file", {"a": 1}, ARRAYS | {"much": np.arange(1_000_000.0)})
    tracemalloc.start()
    header, arrays = read_file(tmp_path / "file", mapped=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000
    assert header["a"] == 1
    assert not arrays["much"].flags.writeable
    for name, expected in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], expected)


# --- what is not such a file ----------------------------------------------------------------------


def test_the_files_made_by_hand_can_be_read(tmp_path):
    header, arrays = within_memory(read_file, tmp_path / "file", container())
    assert header == HEADER
    np.testing.assert_array_equal(arrays["w"], W)
    np.testing.assert_array_equal(arrays["V"], V)


CASES = {
    # other files
    "empty": (b"", DAMAGED),
    "one byte": (b"\x01", DAMAGED),
    "text": (b"w0 = 1, w = [2, 3]\n" * 9, DAMAGED),
    "random": (np.random.default_rng(0).bytes(4096), DAMAGED),
    "zeros": (bytes(4096), DAMAGED),
    "pickle": (pickle.dumps({"w": W, "V": V}), DAMAGED),
    "numpy": (b"\x93NUMPY\x01\x00" + bytes(120), DAMAGED),
    "length 2**63": (container(length=2**63), DAMAGED),
    "length 2**64 - 1": (container(length=2**64 - 1), DAMAGED),
    "length 0": (container(length=0), DAMAGED),
    "length + 1": (struct.pack("<Q", 3) + b"{} ", "not one that sparsefm wrote"),
    "of another program": (
        container().replace(b'"sparsefm": "{', b'"anotherfm": "{'),
        "not one that sparsefm wrote|damaged",
    ),
    # arrays that lie
    "overlap": (container(offsets={"V": [8, 40]}), DAMAGED),
    "hole": (container(offsets={"V": [25, 57]}, data=DATA + b"0"), DAMAGED),
    "out of range": (container(offsets={"V": [24, 2**40]}), DAMAGED),
    "backwards": (container(offsets={"V": [56, 24]}), DAMAGED),
    "negative offset": (container(offsets={"V": [-8, 24]}), DAMAGED),
    "data missing": (container(data=DATA[:-1]), DAMAGED),
    "data left over": (container(data=DATA + b"0"), DAMAGED),
    "overflow": (with_tensor("V", "F32", [2**62, 2**62], 32), "larger than the file"),
    "overflow to fit": (with_tensor("V", "F32", [2**63, 2], 32), DAMAGED),
    "negative d": (with_tensor("V", "F32", [-4, -2], 32), DAMAGED),
    "unknown dtype": (with_tensor("V", "F128", [2, 1], 32), "unsupported type F128"),
    "dtype of no use": (
        with_tensor("V", "F8_E5M2", [16, 2], 32),
        "array 'V' of the unsupported type F8_E5M2",
    ),
    "nothing, but long": (with_tensor("x", "F32", [2**62, 0], 0), "larger than the file"),
    "no bytes, much rank": (
        container(
            tensors={**TENSORS, "w": ("F32", [0], 0), "V": ("F32", [0, 2**40], 0)}, data=DATA[:8]
        ),
        "larger than the file",
    ),
    "70 dimensions": (with_tensor("x", "F32", [0] * 70, 0), "array 'x' that cannot be read"),
    "80 of a kilobyte": (
        with_tensor("x", "F32", [0, *[200] * 9], 0),
        "array 'x' that cannot be read",
    ),
    "no boolean": (
        with_tensor("x", "BOOL", [1], 1, data=DATA + b"\x02"),
        "booleans that are neither 0 nor 1",
    ),
    # headers
    "future": (
        with_entries(format_version=FORMAT_VERSION + 1),
        rf"written by a newer sparsefm \(format {FORMAT_VERSION + 1}\); upgrade",
    ),
    "future of another shape": (
        container({"format_version": 99}, {"q": ("BF16", [1], 2)}, b"00"),
        r"newer sparsefm \(format 99\)",
    ),
    **{
        f"version {wrong!r}": (with_entries(format_version=wrong), "has an unknown format_version")
        for wrong in (0, -1, True, 1.0, "1", None, [1], {"a": 1})
    },
    "nothing": (container({}), "has an unknown format_version None"),
    "no JSON": (container("{"), "header that is not JSON"),
    "no object": (container("[1]"), "not a JSON object"),
    "deep": (container("[" * 100_000 + "]" * 100_000), "header that is not JSON"),
    "deep objects": (container('{"a":' * 50_000 + "1" + "}" * 50_000), "header that is not JSON"),
    "nested": (with_entries(a=json.loads("[" * 70 + "]" * 70)), "nested deeper than 64 levels"),
    "other metadata": (container(more={"chequesum": ""}), "unknown metadata: 'chequesum'"),
    "another checksum": (container(more={"checksum": "crc32:00000000"}), "not have the checksum"),
    "metadata that are no strings": (container(more={"a": 1}), DAMAGED),
    "two of a name": (container().replace(b'"V": {', b'"w": {'), DAMAGED),
    "no description": (container().replace(b'"shape"', b'"Shape"'), DAMAGED),
    "long number": (container("9" * 100_000), "not JSON"),
}


@pytest.mark.parametrize(("data", "message"), CASES.values(), ids=CASES)
def test_refused(tmp_path, data, message):
    answer = within_memory(read_file, tmp_path / "file", data)
    assert isinstance(answer, str), answer
    assert re.search(message, answer)
    assert len(answer) < 600


@pytest.mark.parametrize("number", range(1, FORMAT_VERSION + 1))
def test_every_version_so_far_is_read(tmp_path, number):
    header, _ = within_memory(read_file, tmp_path / "file", with_entries(format_version=number))
    assert header["format_version"] == number


def test_huge_header(tmp_path):
    text = json.dumps(HEADER)[:-1] + ', "more": "' + "x" * LARGEST_TABLE + '"}'
    answer = within_memory(read_file, tmp_path / "file", container(text))
    assert re.search("header of 1677.* characters", answer)


def test_folders_and_missing_files(tmp_path):
    with pytest.raises(FileFormatError, match=r"^is a folder"):
        read_file(tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_file(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="null"):
        read_file("a\0b")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_a_fifo_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(FileFormatError, match="not a file"):
        read_file(tmp_path / "fifo")
