"""`load`: old files, files by hand and mutations; each loads as a whole, or is refused by name."""

import json
import os
import re
import subprocess
import sys
import tracemalloc
from functools import partial
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
from reference import score_brute_force

import sparsefm as fm
from sparsefm import loading
from sparsefm.errors import FileFormatError
from sparsefm.io.file import FORMAT_VERSION, write_file
from sparsefm.loading import load

UNVERIFIED = partial(load, checksum=False)  # a checksum would refuse whatever is damaged
FIXTURES = Path(__file__).parent / "fixtures"
OLD = sorted(FIXTURES.glob("*.safetensors"))
HISTORY = (fm.Epoch(1, 1, 0.5, 0.25, {"rmse": 0.75}, 1.5),)
EPOCH = {"epoch": 1, "epochs": 1, "train_loss": 0.5, "val_loss": None, "metrics": {}, "seconds": 1}


# --- old files ------------------------------------------------------------------------------------


def rows(expected):
    """Return the rows that a file was made with: an array, or a table."""
    if isinstance(expected["X"], list):
        return np.array(expected["X"])
    pytest.importorskip("narwhals")
    return pytest.importorskip("pandas").DataFrame(expected["X"])


@pytest.mark.parametrize("path", OLD, ids=lambda path: path.stem)
def test_old_files_stay_loadable(path):
    expected = json.loads(path.with_suffix(".json").read_text("utf-8"))
    loaded, X = load(path), rows(expected)
    predicted = np.asarray(loaded.predict(X))
    if predicted.dtype.kind == "f":
        np.testing.assert_allclose(predicted, expected["predicted"], rtol=1e-6)
    else:
        assert predicted.tolist() == expected["predicted"]
    if "scores" in expected:
        np.testing.assert_allclose(loaded.decision_function(X), expected["scores"], rtol=1e-6)


@pytest.mark.parametrize("number", range(1, FORMAT_VERSION + 1))
def test_there_is_a_model_of_each_format(number):
    model = load(FIXTURES / f"model-{number}.safetensors")
    expected = json.loads((FIXTURES / f"model-{number}.json").read_text("utf-8"))
    exact = score_brute_force(np.array(expected["X"]), model.w0, model.w, model.V)
    assert exact.tolist() == expected["predicted"]  # no rounding, so the same on any processor
    assert (model.n_features, model.rank, model.dtype, model.w0) == (6, 3, "float32", 0.375)
    assert model.history[0] == fm.Epoch(1, 2, 0.75, 0.5, {"rmse": 1.0}, 0.125)
    assert model.history[1].val_loss is None
    assert np.isnan(model.history[1].metrics["rmse"])


@pytest.mark.parametrize("name", ["regressor", "classifier", "table"])
def test_old_estimators_can_be_saved_again_and_go_on_training(name, tmp_path):
    old = load(FIXTURES / f"{name}-1.safetensors")
    old.save(tmp_path / "file", optimizer_state=True, training_rows=True)
    new = load(tmp_path / "file")
    X = rows(json.loads((FIXTURES / f"{name}-1.json").read_text("utf-8")))
    assert repr(new) == repr(old)
    np.testing.assert_array_equal(new._sample.toarray(), old._sample.toarray())
    y = {"regressor": np.arange(8.0), "classifier": np.arange(8) % 3, "table": ["no", "yes"] * 4}
    for estimator in (old, new):
        estimator.partial_fit(X, np.array(y[name], object if name == "table" else None))
    np.testing.assert_array_equal(new.V_, old.V_)
    np.testing.assert_array_equal(new.predict(X), old.predict(X))


def test_old_estimators_have_their_training_rows():
    old = load(FIXTURES / "regressor-1.safetensors")
    assert len(old.interactions()["first"])
    assert old.field_interactions().shape == (4, 4)
    with pytest.raises(ValueError, match="training rows were not saved"):
        load(FIXTURES / f"regressor-{FORMAT_VERSION}.safetensors").interactions()


# --- what is loaded, and what is not --------------------------------------------------------------


def test_every_class_that_can_save_can_be_loaded():
    assert {cls for _, cls in loading.CLASSES.values()} == {
        *(
            "Model",
            "FieldWeightedModel",
            "FieldAwareModel",
            "SampledModel",
            "FMRegressor",
            "FMClassifier",
        )
    }
    for kind, (_, name) in loading.CLASSES.items():
        assert loading._class_of(kind) is getattr(fm, name)
        models = "model", "field-weighted model", "field-aware model", "sampled model"
        assert kind in (*models, getattr(fm, name).__dict__.get("_kind"))


def test_no_other_class_is_reached(tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "import_module", pytest.fail)
    write_file(tmp_path / "file", {"kind": "show_versions"}, {"w": W})
    with pytest.raises(FileFormatError, match="holds a 'show_versions', which is unknown here"):
        load(tmp_path / "file")


def test_loading_a_model_imports_no_scikit_learn(tmp_path):
    fm.Model(0.5, W, V).save(tmp_path / "file")
    code = "import sys, sparsefm; sparsefm.load(sys.argv[1]); print('sklearn' in sys.modules)"
    call = [sys.executable, "-c", code, str(tmp_path / "file")]
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("error", [KeyError("V"), AttributeError("items"), RecursionError("deep")])
def test_whatever_reading_raises_names_the_file(tmp_path, monkeypatch, error):
    fm.Model(0.5, W, V).save(tmp_path / "file")

    def fail(reader):
        raise error

    monkeypatch.setattr(fm.Model, "_from_file", fail)
    message = re.escape(f"{tmp_path / 'file'}: {type(error).__name__}: {error}")
    with pytest.raises(FileFormatError, match=message):
        load(tmp_path / "file")


@pytest.mark.parametrize("path", OLD, ids=lambda path: path.stem)
def test_mapped_files_predict_the_same_and_go_on(path, tmp_path):
    expected = json.loads(path.with_suffix(".json").read_text("utf-8"))
    X = rows(expected)
    load(path).save(tmp_path / "file")
    for file in (path, tmp_path / "file"):
        mapped, plain = load(file, mmap=True), load(file)
        np.testing.assert_array_equal(mapped.predict(X), plain.predict(X))
        if hasattr(mapped, "partial_fit"):
            y = plain.predict(X)
            for estimator in (mapped, plain):
                estimator.partial_fit(X, y)
            np.testing.assert_array_equal(mapped.predict(X), plain.predict(X))
        mapped.save(tmp_path / "again")
        np.testing.assert_array_equal(load(tmp_path / "again").predict(X), plain.predict(X))


def test_a_mapped_model_takes_no_memory_of_its_own(tmp_path):
    fm.Model(0.5, np.ones(100_000), np.ones((100_000, 8))).save(tmp_path / "file")
    tracemalloc.start()
    model = load(tmp_path / "file", mmap=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < model.V.nbytes / 2
    with pytest.raises(ValueError, match="read-only"):
        model.V[0, 0] = 2


def test_a_damaged_file_loads_only_if_asked_to(tmp_path):
    content = bytearray(written(tmp_path / "file"))
    content[-1] ^= 1
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(FileFormatError, match="does not have the checksum"):
        load(tmp_path / "file", mmap=True, checksum=True)
    assert load(tmp_path / "file", mmap=True).w[-1] != W[-1]
    assert load(tmp_path / "file", checksum=False).w[-1] != W[-1]
    for wrong in ({"mmap": "yes"}, {"checksum": "no"}):
        with pytest.raises(TypeError, match=f"^{min(wrong)} must be True or False"):
            load(tmp_path / "file", **wrong)


def test_folders_and_missing_files(tmp_path):
    with pytest.raises(FileFormatError, match=re.escape(f"{tmp_path}: is a folder")):
        load(tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load(tmp_path / "nowhere")
    for wrong in (None, 3):
        with pytest.raises(TypeError):
            load(wrong)


# --- models made by hand --------------------------------------------------------------------------


def outcome(path, data, read=UNVERIFIED):
    """Load a file of these bytes within the memory it may take; return a model or the refusal."""
    loaded = within_memory(read, path, data)
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


def written(path):
    fm.Model(0.5, W, V, history=HISTORY).save(path)
    return path.read_bytes()


def with_values(begin, *values):
    changed = bytearray(DATA)
    changed[begin : begin + 4 * len(values)] = np.array(values, np.float32).tobytes()
    return container(data=bytes(changed))


def test_the_files_made_by_hand_load(tmp_path):
    model = outcome(tmp_path / "file", container())
    assert (model.w0, model.V.tolist()) == (0.5, V.tolist())


CASES = {
    "no file": (b"w0 = 1", DAMAGED),
    # arrays that do not belong together
    "missing": (container(tensors={"w0": TENSORS["w0"]}, data=DATA[:8]), "has no array 'w'"),
    "extra": (with_tensor("V2", "F32", [0], 0), "do not belong to it: 'V2'"),
    "lengths": (with_tensor("V", "F32", [8, 1], 32), r"V must have shape \(4, any\), got \(8, 1\)"),
    "one dimension": (with_tensor("V", "F32", [8], 32), r"V must have shape .* got \(8,\)"),
    "two dtypes": (with_tensor("V", "F64", [4, 1], 32), "V must be of float32, got float64"),
    "integers": (with_tensor("w", "I32", [4], 16), "w must be of float32 or float64, got int32"),
    "w0 long": (with_tensor("w0", "F64", [1], 8), r"w0 must have shape \(\), got \(1,\)"),
    "NaN": (with_values(24 + 12, np.nan), "V holds nan at row 1"),
    "inf": (with_values(8, 1, np.inf), "w holds inf at row 1"),
    "w0 NaN": (container(data=np.float64(np.nan).tobytes() + DATA[8:]), "w0 must be a finite"),
    "w0 large": (container(data=np.float64(1e300).tobytes() + DATA[8:]), r"w0 holds 1e\+300"),
    # headers
    "lone surrogate": (with_entries(task="\ud800"), "task must be one of"),
    "no kind": (container({"format_version": 1}), "has no entry 'kind'"),
    "kind": (with_entries(kind=["model"]), "kind must be of type str"),
    "kind of Python": (with_entries(kind="__builtins__"), "'__builtins__', which is unknown"),
    "task": (with_entries(task="ranking"), "task must be one of"),
    "task of wrong type": (with_entries(task=None), "task must be of type str, got None"),
    "task and loss": (with_entries(task="binary"), "loss"),
    "history": (with_entries(history={"a": 1}), "history must be of type list"),
    "history of numbers": (with_entries(history=[1, 2]), "history must be a JSON object, got 1"),
    "history of less": (with_entries(history=[{"epoch": 1}]), "has no entry 'history.train_loss'"),
    **{
        f"history with {name} {wrong!r:.20}": (with_entries(history=[EPOCH | {name: wrong}]), error)
        for name, wrong, error in (
            ("epoch", 1.0, "history.epoch must be of type int, got 1.0"),
            ("epochs", True, "history.epochs must be of type int, got True"),
            ("train_loss", "low", "train_loss is not a number"),
            ("train_loss", None, "train_loss is not a number"),
            ("val_loss", True, "val_loss is not a number"),
            ("seconds", {"float": "1e5"}, "is damaged|has a damaged"),
            ("seconds", {"float": ["nan"]}, "has a damaged"),
            ("seconds", {"callable": "print"}, "has a damaged"),
            ("seconds", {"encoder": {}}, "has a damaged|not a number"),
            ("metrics", [1], "metrics must be of type dict"),
            ("metrics", {"rmse": [1]}, "rmse is not a number"),
        )
    },
    "deep history": (
        with_entries(history=[EPOCH | {"train_loss": json.loads('{"tuple":[' * 300 + "]}" * 300)}]),
        "nested deeper than 64 levels",
    ),
}


@pytest.mark.parametrize(("data", "message"), CASES.values(), ids=CASES)
def test_refused(tmp_path, data, message):
    answer = outcome(tmp_path / "file", data)
    assert isinstance(answer, str), answer
    assert re.search(message, answer)


def test_huge_header(tmp_path):
    model = fm.Model(0.5, W, V, history=(fm.Epoch(1, 1, 0.1, metrics={"x" * (1 << 24): 1.0}),))
    with pytest.raises(ValueError, match="characters of JSON"):
        model.save(tmp_path / "long")
    assert not os.listdir(tmp_path)


# --- mutations ------------------------------------------------------------------------------------


def test_every_length_but_the_whole_is_refused(tmp_path):
    data = written(tmp_path / "file")
    for length in range(len(data)):
        assert DAMAGED in outcome(tmp_path / "file", data[:length])
    assert type(outcome(tmp_path / "file", data)) is fm.Model


@pytest.mark.parametrize("flip", [1, 0x80, 0xFF, ord(" ") ^ ord("0")])
def test_a_flip_of_each_byte(tmp_path, flip):
    data = written(tmp_path / "file")
    answers = []
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= flip
        answers.append(outcome(tmp_path / "file", bytes(changed), load))
    refused = [isinstance(answer, str) for answer in answers]
    assert all(refused[:8])  # the length of the header
    assert all(refused)  # by the checksum, if by nothing else


@pytest.mark.parametrize("seed", range(4))
def test_random_mutations(tmp_path, seed):
    random = np.random.default_rng(seed)
    data, loaded = written(tmp_path / "file"), 0
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
    header, loaded = {**HEADER, "history": [epoch, epoch]}, 0
    assert type(outcome(tmp_path / "file", container(header))) is fm.Model
    for _ in range(1000):
        data = container(with_change(header, random))
        loaded += type(outcome(tmp_path / "file", data)) is fm.Model
    assert 0 < loaded < 900
