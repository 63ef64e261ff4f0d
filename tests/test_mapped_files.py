"""Files that are mapped into memory: opened at once, whatever their size, and safe all the same."""

import copy
import json
import os
import pickle
import subprocess
import sys
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from served import MAKERS, predicted, rows, served

import sparsefm as fm
from sparsefm.inspection.interactions import strongest_interactions
from sparsefm.io.container import packed
from sparsefm.io.file import CHECKSUM, ENTRY, read_file, write_file

X, Y = rows(60, seed=1)
SMALL = ("classifier, softmax", "linear")  # copied, and without factors


@pytest.mark.parametrize("name", MAKERS)
def test_predictions_are_the_same_bits(name, tmp_path):
    model = served(name)
    model.save(tmp_path / "file")
    mapped = fm.load(tmp_path / "file", mmap=True)
    assert predicted(mapped, X).tobytes() == predicted(model, X).tobytes()
    mapped.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "file").read_bytes()


@pytest.mark.parametrize("name", [name for name in MAKERS if name not in SMALL])
def test_parameters_stay_in_the_file(name, tmp_path):
    served(name).save(tmp_path / "file")
    mapped = fm.load(tmp_path / "file", mmap=True)
    for model in mapped._learner.models() if hasattr(mapped, "_learner") else [mapped]:
        for held in getattr(model, "samples", (model,)):
            for array in (held.w, held.V):
                assert not array.flags.writeable
                assert not array.flags.owndata


@pytest.mark.parametrize("name", ["classifier", "classifier, fwfm", "classifier, three"])
def test_an_estimator_trains_a_copy(name, tmp_path):
    served(name).save(tmp_path / "file")
    content = (tmp_path / "file").read_bytes()
    mapped, plain = fm.load(tmp_path / "file", mmap=True), fm.load(tmp_path / "file")
    again = pickle.loads(pickle.dumps(mapped))
    y = Y["three" if "three" in name else "two"]
    for estimator in (mapped, plain, again):
        estimator.partial_fit(X, y)
    assert predicted(mapped, X).tobytes() == predicted(plain, X).tobytes()
    assert predicted(again, X).tobytes() == predicted(plain, X).tobytes()
    assert (tmp_path / "file").read_bytes() == content


def test_a_saved_estimator_is_one_like_any_other(tmp_path):
    served("classifier").save(tmp_path / "file")
    mapped = fm.load(tmp_path / "file", mmap=True)
    mapped.save(tmp_path / "again")
    for copied in (pickle.loads(pickle.dumps(mapped)), copy.deepcopy(mapped)):
        assert predicted(copied, X).tobytes() == predicted(served("classifier"), X).tobytes()


def test_the_state_of_the_optimizer_comes_along(tmp_path):
    served("classifier").save(tmp_path / "file", optimizer_state=True)
    mapped, plain = fm.load(tmp_path / "file", mmap=True), fm.load(tmp_path / "file")
    for estimator in (mapped, plain):
        estimator.partial_fit(X, Y["two"])
    assert predicted(mapped, X).tobytes() == predicted(plain, X).tobytes()


# --- 4 GB ----------------------------------------------------------------------------------------


def zeros(path, header, shapes):
    """Write a file of parameters that are zero, which takes no room on the disk."""
    arrays = {name: np.broadcast_to(np.zeros((), dtype), s) for name, (dtype, s) in shapes.items()}
    text = json.dumps({"format_version": 2, "sparsefm": "0", **header})
    head = packed(arrays, {ENTRY: text, CHECKSUM: "crc32:00000000"})
    with open(path, "wb") as file:
        file.write(head)
        file.truncate(len(head) + sum(array.nbytes for array in arrays.values()))


D, F4 = 4_000_000, "<f4"
HEADER = {"task": "binary", "loss": "logistic", "history": []}
PARAMETERS = {"w0": ("<f8", ()), "w": (F4, (D,))}
LARGE = {
    "model": PARAMETERS | {"V": (F4, (D, 256))},
    "field-weighted model": PARAMETERS
    | {"V": (F4, (D, 256)), "R": (F4, (2, 2)), "fields": ("<i4", (D,))},
    "field-aware model": PARAMETERS | {"V": (F4, (D, 2, 128)), "fields": ("<i4", (D,))},
}


@pytest.mark.skipif(sys.platform == "win32", reason="files are not sparse there")
@pytest.mark.parametrize("kind", LARGE)
def test_four_gigabytes_open_at_once(kind, tmp_path):
    path = tmp_path / "file"
    zeros(path, HEADER | {"kind": kind}, LARGE[kind])
    if getattr(path.stat(), "st_blocks", 2**20) * 512 > 2**20:
        pytest.skip("the file system has no sparse files")
    assert path.stat().st_size > 4e9
    fm.load(path, mmap=True)  # what is imported once
    tracemalloc.start()
    before = time.process_time()
    model = fm.load(path, mmap=True)
    seconds = time.process_time() - before
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seconds < 0.05
    assert peak < 2**20
    row = np.zeros((1, 1))
    assert model.V.shape[0] == D
    with pytest.raises(ValueError, match="features"):
        model.predict(row)


# --- what is not right ---------------------------------------------------------------------------


def damaged(tmp_path, **changed):
    """Return a file of a model with other arrays."""
    served("field-weighted").save(tmp_path / "file")
    header, arrays = read_file(tmp_path / "file")
    write_file(tmp_path / "file", header, {**arrays, **changed})
    return tmp_path / "file"


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("V", np.zeros((11, 3), "f4"), r"V must have shape \(12, any\), got \(11, 3\)"),
        ("w", np.zeros(12), "V must be of float64, got float32"),
        ("w", np.zeros(12, "i4"), "w must be of float32 or float64"),
        ("fields", np.zeros(12), "fields must be of int32"),
    ],
)
def test_shapes_and_types_are_checked(name, array, message, tmp_path):
    with pytest.raises(fm.FileFormatError, match=message):
        fm.load(damaged(tmp_path, **{name: array}), mmap=True)


def test_a_file_that_is_cut_off_is_refused(tmp_path):
    path = damaged(tmp_path)
    os.truncate(path, path.stat().st_size - 4)
    with pytest.raises(fm.FileFormatError, match="its arrays have"):
        fm.load(path, mmap=True)


def test_no_field_beyond_the_weights_is_read(tmp_path):
    fields = np.full(12, 1 << 20, np.int32)
    model = fm.load(damaged(tmp_path, fields=fields), mmap=True)
    with pytest.raises(ValueError, match="no such field"):
        model.predict(X)
    with pytest.raises(fm.FileFormatError, match="fields must be"):
        fm.load(tmp_path / "file", mmap=True, checksum=True)


def test_values_are_looked_at_with_the_checksum(tmp_path):
    path = damaged(tmp_path, w=np.full(12, np.nan, np.float32))
    model = fm.load(path, mmap=True)
    with pytest.raises(ValueError, match="score of row"):
        model.predict(X)
    for options in ({"mmap": True, "checksum": True}, {"mmap": False, "checksum": False}):
        with pytest.raises(fm.FileFormatError, match="w holds nan"):
            fm.load(path, **options)


def test_arrays_out_of_line_are_copied(tmp_path):
    served("model").save(tmp_path / "file")
    content = (tmp_path / "file").read_bytes()
    length = int.from_bytes(content[:8], "little")
    shifted = (length + 1).to_bytes(8, "little") + content[8 : 8 + length] + b" "
    (tmp_path / "file").write_bytes(shifted + content[8 + length :])
    mapped = fm.load(tmp_path / "file", mmap=True)
    assert mapped.V.flags.aligned
    assert predicted(mapped, X).tobytes() == predicted(served("model"), X).tobytes()


# --- estimators ----------------------------------------------------------------------------------


def test_copies_without_assertions(tmp_path):
    served("classifier").save(tmp_path / "file")
    code = (
        "import copy, pickle, sys, sparsefm as fm\n"
        "one = fm.load(sys.argv[1], mmap=True)\n"
        "for each in (pickle.loads(pickle.dumps(one)), copy.deepcopy(one), copy.copy(one)):\n"
        "    print(each.V_.tobytes() == one.V_.tobytes())\n"
    )
    command = [sys.executable, "-O", "-c", code, str(tmp_path / "file")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["True"] * 3, done.stderr[-2000:]


@pytest.mark.parametrize("name", ["classifier", "classifier, fwfm", "classifier, ffm"])
def test_saves_and_pickles_leave_the_parameters_in_the_file(name, tmp_path):
    served(name).save(tmp_path / "file")
    mapped = fm.load(tmp_path / "file", mmap=True)
    before = [model.V for model in mapped._learner.models()]
    mapped.save(tmp_path / "again")
    again = pickle.loads(pickle.dumps(mapped))
    after = [model.V for model in mapped._learner.models()]
    assert all(np.shares_memory(one, other) for one, other in zip(before, after, strict=True))
    assert type(again._learner) is type(served(name)._learner)
    assert (tmp_path / "again").read_bytes() == (tmp_path / "file").read_bytes()


def test_each_use_of_a_damaged_estimator_says_what_is_wrong(tmp_path):
    served("classifier").save(tmp_path / "file")
    header, arrays = read_file(tmp_path / "file")
    arrays["machine.0.V"] = np.full_like(arrays["machine.0.V"], np.nan)
    write_file(tmp_path / "file", header, arrays)
    mapped = fm.load(tmp_path / "file", mmap=True)
    message = r"file: machine\.0\.V holds nan at row 0"
    for _ in range(2):
        with pytest.raises(fm.FileFormatError, match=message):
            mapped.partial_fit(X, Y["two"])
        with pytest.raises(fm.FileFormatError, match=message):
            mapped.save(tmp_path / "again")
        with pytest.raises(fm.FileFormatError, match=message):
            pickle.dumps(mapped)
    assert not (tmp_path / "again").exists()


def test_many_threads_use_one_estimator(tmp_path):
    served("classifier, three").save(tmp_path / "file")
    content = (tmp_path / "file").read_bytes()

    def use(number):
        if number % 3 == 0:
            mapped.save(tmp_path / f"again{number}")
            return (tmp_path / f"again{number}").read_bytes() == content
        if number % 3 == 1:
            again = pickle.loads(pickle.dumps(mapped))
        else:
            again, _ = mapped, mapped._learner.states
        return predicted(again, X).tobytes() == expected

    expected = predicted(served("classifier, three"), X).tobytes()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            for _ in range(5):
                mapped = fm.load(tmp_path / "file", mmap=True)
                assert all(pool.map(use, range(24)))
    finally:
        sys.setswitchinterval(interval)


@pytest.mark.parametrize("field", [3, -1, 1 << 20])
@pytest.mark.parametrize("name", ["field-weighted", "field-aware"])
def test_fields_are_checked_where_they_are_used(name, field, tmp_path):
    served(name).save(tmp_path / "file")
    header, arrays = read_file(tmp_path / "file")
    arrays["fields"] = np.append(arrays["fields"][:-1], np.int32(field))
    write_file(tmp_path / "file", header, arrays)
    model = fm.load(tmp_path / "file", mmap=True)
    y = Y["two" if model.task == "binary" else "number"]
    uses = [
        lambda: strongest_interactions(model, X),
        lambda: fm.onnx.export(model, tmp_path / "model.onnx"),
        lambda: fm.train(X, y, init=model, task=model.task, variant=model._variant),
    ]
    for use in uses:
        with pytest.raises(ValueError, match="fields must be 0 to 2: the model has 3 fields"):
            use()


@pytest.mark.parametrize("name", ["classifier, fwfm", "classifier, ffm"])
def test_estimators_check_fields_where_they_are_used(name, tmp_path):
    served(name).save(tmp_path / "file")
    header, arrays = read_file(tmp_path / "file")
    for machine in [one for one in arrays if one.endswith("fields") and "machine" in one]:
        arrays[machine] = np.append(arrays[machine][:-1], np.int32(99))
    write_file(tmp_path / "file", header, arrays)
    mapped = fm.load(tmp_path / "file", mmap=True)
    target = mapped.classes_[0] if len(mapped.classes_) > 2 else None
    uses = [
        lambda: mapped.explain(X[:3], target),
        lambda: mapped.field_importances(X, target),
        lambda: fm.onnx.export(mapped, tmp_path / "model.onnx"),
    ]
    for use in uses:
        with pytest.raises(ValueError, match="fields must be 0 to"):
            use()
