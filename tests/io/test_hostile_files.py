"""Files that nobody should trust: each loads to something whole, or is refused by name."""

import json
import os
import pickle
import re
import struct
import tracemalloc

import numpy as np
import pytest

import sparsefm as fm
from sparsefm.errors import FileFormatError
from sparsefm.io.load import load

W, V = np.arange(4, dtype=np.float32), np.arange(8, dtype=np.float32).reshape(4, 2)
HISTORY = (fm.Epoch(1, 1, 0.5, 0.25, {"rmse": 0.75}, 1.5),)
OWN = {"format_version": 1, "sparsefm": "0.1.0", "kind": "model", "task": "regression"}
OWN |= {"loss": "squared", "history": []}
TENSORS = {"w0": ("F64", [], 8), "w": ("F32", [4], 16), "V": ("F32", [4, 2], 32)}
DATA = struct.pack("<d", 0.5) + W.tobytes() + V.tobytes()
# Objects that Python makes of JSON, of strings and in raising, besides arrays.
OVERHEAD, PER_BYTE = 400_000, 4


def container(own=OWN, tensors=TENSORS, data=DATA, offsets=None, length=None):
    """Write a file by hand; `own` may be text, `offsets` and `length` may lie."""
    header, begin = {"__metadata__": {"sparsefm": own if type(own) is str else json.dumps(own)}}, 0
    for name, (kind, shape, size) in tensors.items():
        place = (offsets or {}).get(name, [begin, begin + size])
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": place}
        begin += size
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def outcome(path, data):
    """Load a file of these bytes within the memory it may take; return a model or the refusal."""
    path.write_bytes(data)
    tracemalloc.start()
    try:
        loaded = load(path)
    except FileFormatError as error:
        loaded = str(error)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < OVERHEAD + PER_BYTE * len(data)
    if isinstance(loaded, str):
        assert loaded.startswith(f"{path}: ")
        assert len(loaded) < len(str(path)) + 600
        return loaded.removeprefix(f"{path}: ")
    assert type(loaded) is fm.Model
    assert np.isfinite(loaded.V).all()
    assert np.isfinite(loaded.w).all()
    assert loaded.score(np.zeros((1, loaded.n_features))) == np.asarray(loaded.w0, loaded.dtype)
    assert all(str(epoch) for epoch in loaded.history)
    return loaded


def saved(path):
    fm.Model(0.5, W, V, history=HISTORY).save(path)
    return path.read_bytes()


def with_own(**entries):
    return container({**OWN, **entries})


def with_tensor(name, *description, data=DATA):
    return container(tensors={**TENSORS, name: description}, data=data)


def with_values(begin, *values):
    changed = bytearray(DATA)
    changed[begin : begin + 4 * len(values)] = np.array(values, np.float32).tobytes()
    return container(data=bytes(changed))


def test_the_files_made_here_by_hand_load(tmp_path):
    model = outcome(tmp_path / "file", container())
    assert (model.w0, model.V.tolist()) == (0.5, V.tolist())


EPOCH = {"epoch": 1, "epochs": 1, "train_loss": 0.5, "val_loss": None, "metrics": {}, "seconds": 1}
DAMAGED = "is no safetensors file, or a damaged one"
CASES = {
    # not such a file
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
    "dtype of no use": (with_tensor("V", "BF16", [8, 2], 32), "array 'V' of type BF16"),
    "nothing, but long": (with_tensor("x", "F32", [2**62, 0], 0), "larger than the file"),
    "no bytes, much rank": (
        container(
            tensors={**TENSORS, "w": ("F32", [0], 0), "V": ("F32", [0, 2**40], 0)}, data=DATA[:8]
        ),
        "larger than the file",
    ),
    "70 dimensions": (with_tensor("x", "F32", [0] * 70, 0), "array 'x' that is none"),
    "80 of a kilobyte": (with_tensor("x", "F32", [0, *[200] * 9], 0), "'x' that is none"),
    "no boolean": (with_tensor("x", "BOOL", [1], 1, data=DATA + b"\x02"), "neither true nor false"),
    # arrays that do not belong together
    "missing": (container(tensors={"w0": TENSORS["w0"]}, data=DATA[:8]), "has no array 'w'"),
    "extra": (with_tensor("V2", "F32", [0], 0), "do not belong to it: 'V2'"),
    "lengths": (with_tensor("V", "F32", [8, 1], 32), r"V of shape \(8, 1\), not \(4, any\)"),
    "one dimension": (with_tensor("V", "F32", [8], 32), r"V of shape \(8,\)"),
    "two dtypes": (with_tensor("V", "F64", [4, 1], 32), "V of type float64, not float32"),
    "integers": (with_tensor("w", "I32", [4], 16), "w of type int32"),
    "w0 long": (with_tensor("w0", "F64", [1], 8), r"w0 of shape \(1,\), not \(\)"),
    "NaN": (with_values(24 + 12, np.nan), "V holds nan at row 1"),
    "inf": (with_values(8, 1, np.inf), "w holds inf at row 1"),
    "w0 NaN": (container(data=struct.pack("<d", np.nan) + DATA[8:]), "w0 must be a finite"),
    "w0 large": (container(data=struct.pack("<d", 1e300) + DATA[8:]), r"w0 holds 1e\+300"),
    # headers
    "future": (with_own(format_version=2), r"written by a newer sparsefm \(format 2\); upgrade"),
    "future of another shape": (
        container({"format_version": 99}, {"q": ("BF16", [1], 2)}, b"00"),
        r"newer sparsefm \(format 99\)",
    ),
    **{
        f"version {wrong!r}": (with_own(format_version=wrong), "says format_version")
        for wrong in (0, -1, True, 1.0, "1", None, [1], {"a": 1})
    },
    "no JSON": (container("{"), "header that is no JSON"),
    "no object": (container("[1]"), "no JSON object"),
    "deep": (container("[" * 100_000 + "]" * 100_000), "header that is no JSON"),
    "deep objects": (container('{"a":' * 50_000 + "1" + "}" * 50_000), "header that is no JSON"),
    "long number": (container("9" * 100_000), "no JSON"),
    "lone surrogate": (with_own(task="\ud800"), "task must be one of"),
    "nothing": (container({}), "says format_version None"),
    "no kind": (container({"format_version": 1}), "has no entry 'kind'"),
    "kind": (with_own(kind=["model"]), "which is no str"),
    "kind of Python": (with_own(kind="__builtins__"), "'__builtins__', which is unknown"),
    "task": (with_own(task="ranking"), "task must be one of"),
    "task of wrong type": (with_own(task=None), "task None, which is no str"),
    "task and loss": (with_own(task="binary"), "loss"),
    "history": (with_own(history={"a": 1}), "history"),
    "history of numbers": (with_own(history=[1, 2]), "1, which is no epoch"),
    "history of less": (with_own(history=[{"epoch": 1}]), "is no epoch"),
    **{
        f"history with {name} {wrong!r:.20}": (with_own(history=[EPOCH | {name: wrong}]), message)
        for name, wrong, message in (
            ("epoch", 1.0, "epoch 1.0, which is no int"),
            ("epochs", True, "epochs True, which is no int"),
            ("train_loss", "low", "no number"),
            ("train_loss", None, "no number"),
            ("val_loss", True, "no number"),
            ("seconds", {"float": "1e5"}, "is none"),
            ("seconds", {"float": ["nan"]}, "is none"),
            ("seconds", {"callable": "print"}, "is none"),
            ("metrics", [1], "which is no dict"),
            ("metrics", {"rmse": [1]}, "no number"),
        )
    },
    "deep history": (
        with_own(history=[EPOCH | {"train_loss": json.loads('{"tuple":[' * 300 + "]}" * 300)}]),
        "is no number|RecursionError|is none",
    ),
}


@pytest.mark.parametrize(("data", "message"), CASES.values(), ids=CASES)
def test_refused(tmp_path, data, message):
    answer = outcome(tmp_path / "file", data)
    assert isinstance(answer, str), answer
    assert re.search(message, answer)


def test_huge_header(tmp_path):
    own = json.dumps(OWN)[:-1] + ', "more": "' + "x" * (1 << 24) + '"}'
    assert re.search("header of 1677.* characters", outcome(tmp_path / "file", container(own)))
    model = fm.Model(0.5, W, V, history=(fm.Epoch(1, 1, 0.1, metrics={"x" * (1 << 24): 1.0}),))
    with pytest.raises(ValueError, match="characters of JSON"):
        model.save(tmp_path / "long")
    assert os.listdir(tmp_path) == ["file"]


def test_folders_and_missing_files(tmp_path):
    with pytest.raises(FileFormatError, match=re.escape(f"{tmp_path}: is a folder")):
        load(tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="null"):
        load("a\0b")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_a_fifo_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(FileFormatError, match="not a file"):
        load(tmp_path / "fifo")


# --- mutations ----------------------------------------------------------------------------------


def test_every_length_but_the_whole_is_refused(tmp_path):
    data = saved(tmp_path / "file")
    for length in range(len(data)):
        assert DAMAGED in outcome(tmp_path / "file", data[:length])
    assert type(outcome(tmp_path / "file", data)) is fm.Model


@pytest.mark.parametrize("flip", [1, 0x80, 0xFF, ord(" ") ^ ord("0")])
def test_a_flip_of_each_byte(tmp_path, flip):
    data = saved(tmp_path / "file")
    answers = []
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= flip
        answers.append(outcome(tmp_path / "file", bytes(changed)))
    refused = [isinstance(answer, str) for answer in answers]
    assert all(refused[:8])  # the length of the header
    assert not all(refused[-32:])  # V: another number


@pytest.mark.parametrize("seed", range(4))
def test_random_mutations(tmp_path, seed):
    random = np.random.default_rng(seed)
    data, loaded = saved(tmp_path / "file"), 0
    for _ in range(1000):
        changed = bytearray(data)
        for _ in range(random.integers(1, 4)):
            begin, length = random.integers(len(changed)), random.integers(0, 9)
            part = changed[begin : begin + length]
            change = random.integers(5)
            if change == 0:
                part = random.bytes(length)
            elif change == 1:  # the digits of shapes, offsets and versions
                part = bytes(random.choice(list(b'0123456789-e[]{},:"'), length).tolist())
            elif change == 2:
                part = b""
            elif change == 3:
                part = part * 2
            else:
                part = changed[(other := random.integers(len(changed))) : other + length]
            changed[begin : begin + length] = part
        loaded += type(outcome(tmp_path / "file", bytes(changed))) is fm.Model
    assert 0 < loaded < 900


ODD = (None, True, -1, 0, 2, 2**70, 0.5, float("inf"), float("nan"), "", "nan", "model", [], {})
ODD += ([[]], {"tuple": [1]}, {"float": "nan"}, {"dict": [[1, 2]]}, {"dict": [[[], 2]]})
ODD += ({"solver": ["adam", {}]}, {"solver": "adam"}, {"encoder": {}}, {"": 0, "epoch": 1}, "é\0")


def with_change(node, random):
    """Return JSON with something odd in the place of one value, or an entry more or less."""
    if isinstance(node, dict | list) and node and random.random() < 0.8:
        changed = node.copy()
        keys = list(node) if isinstance(node, dict) else range(len(node))
        key = keys[random.integers(len(keys))]
        if random.random() < 0.1:
            del changed[key]
        else:
            changed[key] = with_change(node[key], random)
        return changed
    return ODD[random.integers(len(ODD))]


@pytest.mark.parametrize("seed", range(4))
def test_random_headers(tmp_path, seed):
    random = np.random.default_rng(seed)
    epoch = EPOCH | {"val_loss": {"float": "inf"}, "metrics": {"auc": {"float": "nan"}}}
    own, loaded = {**OWN, "history": [epoch, epoch]}, 0
    assert type(outcome(tmp_path / "file", container(own))) is fm.Model
    for _ in range(1000):
        data = container(with_change(own, random))
        loaded += type(outcome(tmp_path / "file", data)) is fm.Model
    assert 0 < loaded < 900
