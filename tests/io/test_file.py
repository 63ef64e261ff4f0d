"""Files are written completely or not at all, and whatever is not such a file is refused."""

import json
import os
import pickle
import re
import struct
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

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
from sparsefm.io.file import FORMAT_VERSION, LARGEST_HEADER, read_file, write_file

pytest.importorskip("safetensors")

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
    versions = {"format_version": FORMAT_VERSION, "sparsefm": version("sparsefm")}
    assert found == {**versions, **header}
    assert arrays.keys() == ARRAYS.keys()
    for name, expected in ARRAYS.items():
        assert arrays[name].dtype == expected.dtype.newbyteorder("=")
        assert arrays[name].flags.c_contiguous
        np.testing.assert_array_equal(arrays[name], expected)


def test_any_reader_of_safetensors_sees_the_arrays(tmp_path):
    from safetensors.numpy import load_file

    write_file(tmp_path / "file", {"kind": "test"}, {"V": V})
    data = (tmp_path / "file").read_bytes()
    header = json.loads(data[8 : 8 + struct.unpack("<Q", data[:8])[0]])
    assert header["__metadata__"].keys() == {"sparsefm"}
    json.loads(header["__metadata__"]["sparsefm"], parse_constant=pytest.fail)
    arrays = load_file(tmp_path / "file")
    assert arrays.keys() == {"V"}
    np.testing.assert_array_equal(arrays["V"], V)


def test_what_json_cannot_hold_is_not_written(tmp_path):
    for header in ({"a": float("nan")}, {"a": {1, 2}}, {"a": "x" * LARGEST_HEADER}):
        with pytest.raises((TypeError, ValueError)):
            write_file(tmp_path / "file", header, {})
    assert not os.listdir(tmp_path)


def test_a_failing_write_leaves_the_old_file(tmp_path, monkeypatch):
    write_file(tmp_path / "file", {}, {"V": V})
    before = (tmp_path / "file").read_bytes()

    def half(arrays, path, metadata):
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.numpy.save_file", half)
    with pytest.raises(OSError, match="No space"):
        write_file(tmp_path / "file", {}, {"V": 2 * V})
    assert (tmp_path / "file").read_bytes() == before
    assert os.listdir(tmp_path) == ["file"]


def test_a_name_reaches_the_disk_after_its_content(tmp_path, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        call = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, n=name, c=call: (calls.append(n), c(*a)))
    write_file(tmp_path / "file", {}, {"V": V})
    assert calls == ["fsync", "replace"]


def test_the_longest_header(tmp_path, monkeypatch):
    write_file(tmp_path / "file", {"a": ""}, {})
    header, _ = read_file(tmp_path / "file")
    monkeypatch.setattr("sparsefm.io.file.LARGEST_HEADER", len(json.dumps(header)))
    write_file(tmp_path / "file", {"a": ""}, {})
    assert read_file(tmp_path / "file")[0] == header
    with pytest.raises(ValueError, match="characters of JSON; a file holds at most"):
        write_file(tmp_path / "file", {"a": "x"}, {})


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX")
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_permissions_are_those_of_any_new_file(tmp_path, mask):
    before = os.umask(mask)
    try:
        write_file(tmp_path / "file", {}, {"V": V})
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o666 & ~mask


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX")
def test_permissions_of_an_existing_file_stay(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "file").chmod(0o600)
    write_file(tmp_path / "file", {}, {"V": V})
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600


def test_names_of_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in ("model", "a b.é", Path("model.pkl"), str(tmp_path / ("n" * 255))):
        for _ in range(2):
            write_file(path, {}, {"V": V})
        np.testing.assert_array_equal(read_file(path)[1]["V"], V)
    assert len(os.listdir()) == 4
    os.symlink("model.pkl", "link")
    write_file("link", {}, {"V": 2 * V})
    assert Path("link").is_symlink()
    np.testing.assert_array_equal(read_file("model.pkl")[1]["V"], 2 * V)
    with pytest.raises(IsADirectoryError, match="is a folder: name a file in it"):
        write_file(tmp_path, {}, {"V": V})
    with pytest.raises(FileNotFoundError):
        write_file(tmp_path / "nowhere" / "model", {}, {"V": V})
    assert len(os.listdir()) == 5
    for wrong in (None, 3):
        with pytest.raises(TypeError):
            write_file(wrong, {}, {"V": V})


def test_without_safetensors(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    for call in (lambda path: write_file(path, {}, {}), read_file):
        with pytest.raises(ImportError, match="pip install safetensors"):
            call(tmp_path / "file")


def test_importing_sparsefm_imports_no_safetensors():
    code = "import sys, sparsefm, sparsefm.io.file; print('safetensors' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


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
    "overflow": (with_tensor("V", "F32", [2**62, 2**62], 32), DAMAGED),
    "overflow to fit": (with_tensor("V", "F32", [2**63, 2], 32), DAMAGED),
    "negative d": (with_tensor("V", "F32", [-4, -2], 32), DAMAGED),
    "unknown dtype": (with_tensor("V", "F128", [2, 1], 32), DAMAGED),
    "dtype of no use": (
        with_tensor("V", "BF16", [8, 2], 32),
        "array 'V' of the unsupported type BF16",
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
    text = json.dumps(HEADER)[:-1] + ', "more": "' + "x" * LARGEST_HEADER + '"}'
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
