"""What is saved comes back, whole or not at all."""

import json
import os
import re
import struct
import subprocess
import sys
import tracemalloc
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from reference import score_brute_force
from safetensors.numpy import load_file
from sklearn.base import BaseEstimator

import sparsefm as fm
from sparsefm.errors import FileFormatError
from sparsefm.io import load as persistence
from sparsefm.io.labels import labels_from_arrays, labels_to_arrays
from sparsefm.io.load import PersistenceMixin, load
from sparsefm.io.reader import add_prefix, take_array, take_prefix, take_value
from sparsefm.io.values import settings_from_json, settings_to_json

FIXTURES = Path(__file__).parents[1] / "fixtures"
RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 6)) * (RNG.random((40, 6)) < 0.6)
TASKS = {"squared": "regression", "logistic": "binary", "hinge": "binary"}


def trained(loss="squared", **settings):
    y = X[:, 0] + X[:, 1] * X[:, 2]
    y = y if loss == "squared" else (y > 0) * 1
    settings = {"rank": 3, "epochs": 3, **settings}
    return fm.train(X, y, X[:20], y[:20], task=TASKS[loss], loss=loss, **settings)


def assert_same(a, b):
    """Bit for bit, history and all (NaN is written as NaN)."""
    assert (repr(a), repr(a.history)) == (repr(b), repr(b.history))
    assert np.array(a.w0).tobytes() == np.array(b.w0).tobytes()
    for x, y in ((a.w, b.w), (a.V, b.V)):
        assert (x.dtype, x.shape, x.tobytes()) == (y.dtype, y.shape, y.tobytes())


# --- models -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", TASKS)
@pytest.mark.parametrize("rank", [0, 1, 5])
def test_model_round_trip(tmp_path, loss, dtype, rank):
    model = trained(loss, dtype=dtype, rank=rank)
    model.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert type(again) is fm.Model
    assert_same(again, model)
    assert again.predict(X).tobytes() == model.predict(X).tobytes()
    assert [type(value) for value in vars(again.history[0]).values()] == [
        type(value) for value in vars(model.history[0]).values()
    ]


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0), (1, 1)])
def test_small_models(tmp_path, shape):
    tiny = np.nextafter(0, 1)
    model = fm.Model(-0.0, np.full(shape[0], -0.0), np.full(shape, tiny))
    model.save(tmp_path / "model")
    assert_same(load(tmp_path / "model"), model)


def test_history_of_every_kind(tmp_path):
    metrics = {"auc": float("nan"), "log_loss": float("inf"), "count": 3, "é": np.float32(0.1)}
    history = (fm.Epoch(1, 2, 0.1), fm.Epoch(2, 2, 0.3, 1e-300, metrics, 1 / 3))
    model = fm.Model(0.0, np.ones(2), np.ones((2, 1)), history=history)
    model.save(tmp_path / "model")
    again = load(tmp_path / "model").history
    assert again[0] == history[0]
    assert repr(again[1].metrics) == repr({**metrics, "é": float(np.float32(0.1))})


@pytest.mark.parametrize("wrong", [fm.Epoch("1", 2, 0.1), fm.Epoch(1, 2, None), "epoch 1"])
def test_what_could_not_be_loaded_is_not_saved(tmp_path, wrong):
    model = fm.Model(0.0, np.ones(2), np.ones((2, 1)), history=(wrong,))
    with pytest.raises((TypeError, ValueError)):
        model.save(tmp_path / "model")
    assert not os.listdir(tmp_path)


def test_a_loaded_model_is_one_like_any_other(tmp_path):
    model = trained()
    model.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert again.V.flags.c_contiguous
    assert again.V.flags.writeable
    assert trained(init=again, rank=None).V.tobytes() == trained(init=model, rank=None).V.tobytes()
    (tmp_path / "model").unlink()
    assert_same(again, model)


def test_loading_holds_the_parameters_once(tmp_path):
    model = fm.Model(0.5, np.ones(100_000), np.ones((100_000, 8)))
    model.save(tmp_path / "model")
    tracemalloc.start()
    again = load(tmp_path / "model")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert again.V.nbytes <= peak < 1.3 * (tmp_path / "model").stat().st_size


def test_the_format_is_what_it_is_said_to_be(tmp_path):
    model = trained()
    model.save(tmp_path / "model")
    data = (tmp_path / "model").read_bytes()
    header = json.loads(data[8 : 8 + struct.unpack("<Q", data[:8])[0]])
    assert header["__metadata__"].keys() == {"sparsefm"}
    own = json.loads(header["__metadata__"]["sparsefm"], parse_constant=pytest.fail)
    assert own.keys() == {"format_version", "sparsefm", "kind", "task", "loss", "history"}
    assert (own["format_version"], own["sparsefm"]) == (1, version("sparsefm"))
    assert own["kind"] == "model"
    arrays = load_file(tmp_path / "model")
    assert arrays.keys() == {"w0", "w", "V"}
    np.testing.assert_array_equal(arrays["V"], model.V)


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*.safetensors")), ids=lambda path: path.stem)
def test_files_of_old_stay_loadable(path):
    expected = json.loads(path.with_suffix(".json").read_text("utf-8"))
    predicted = load(path).predict(np.array(expected["X"]))
    np.testing.assert_allclose(predicted, expected["predicted"], rtol=1e-6)


def test_there_is_a_file_of_old():
    model = load(FIXTURES / "model-1.safetensors")
    expected = json.loads((FIXTURES / "model-1.json").read_text("utf-8"))
    exact = score_brute_force(np.array(expected["X"]), model.w0, model.w, model.V)
    assert exact.tolist() == expected["predicted"]  # no rounding, so the same on any processor
    assert (model.n_features, model.rank, model.dtype, model.w0) == (6, 3, "float32", 0.375)
    assert model.history[0] == fm.Epoch(1, 2, 0.75, 0.5, {"rmse": 1.0}, 0.125)
    assert model.history[1].val_loss is None
    assert np.isnan(model.history[1].metrics["rmse"])


# --- writing ------------------------------------------------------------------------------------


def test_a_failing_write_leaves_the_old_file(tmp_path, monkeypatch):
    trained().save(tmp_path / "model")
    before = (tmp_path / "model").read_bytes()

    def half(arrays, path, metadata):
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.numpy.save_file", half)
    with pytest.raises(OSError, match="No space"):
        trained(rank=5).save(tmp_path / "model")
    assert (tmp_path / "model").read_bytes() == before
    assert os.listdir(tmp_path) == ["model"]


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX")
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_permissions_are_those_of_any_new_file(tmp_path, mask):
    before = os.umask(mask)
    try:
        trained().save(tmp_path / "model")
    finally:
        os.umask(before)
    assert (tmp_path / "model").stat().st_mode & 0o777 == 0o666 & ~mask


def test_names_of_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = trained()
    for path in ("model", "a b.é", Path("model.pkl"), str(tmp_path / ("n" * 255))):
        model.save(path)
        model.save(path)
        assert_same(load(path), model)
    assert len(os.listdir()) == 4
    os.symlink("model.pkl", "link")
    trained(rank=1).save("link")
    assert Path("link").is_symlink()
    assert load("model.pkl").rank == 1
    for wrong in (tmp_path, tmp_path / "nowhere" / "model"):
        with pytest.raises(OSError, match=r"tmp|nowhere|directory"):
            model.save(wrong)
    assert len(os.listdir()) == 5
    for wrong in (None, 3):
        with pytest.raises(TypeError):
            model.save(wrong)
        with pytest.raises(TypeError):
            load(wrong)


def test_without_safetensors(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    for call in (trained().save, load):
        with pytest.raises(ImportError, match="pip install safetensors"):
            call(tmp_path / "model")


def test_importing_sparsefm_imports_no_safetensors():
    code = "import sys, sparsefm, sparsefm.io.load; print('safetensors' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# --- estimators, of which these know the protocol and nothing else --------------------------------


class Encoder(BaseEstimator):
    """Stands in for `TableEncoder`."""

    def __init__(self, rare=1):
        self.rare = rare

    def _to_state(self):
        return {"columns": ["a", "b"]}, {"codes": self.codes_}

    @classmethod
    def _from_state(cls, header, arrays):
        encoder = cls()
        assert take_value(header, "columns", list) == ["a", "b"]
        encoder.codes_ = take_array(arrays, "codes", (None,), ("int32",))
        return encoder


class Classifier(PersistenceMixin, BaseEstimator):
    """Stands in for `FMClassifier`."""

    def __init__(self, rank=8, solver=None, encoder=None, callbacks=()):
        self.rank = rank
        self.solver = solver
        self.encoder = encoder
        self.callbacks = callbacks

    def fit(self, encoder=None):
        self.V_ = np.arange(12.0).reshape(3, 2, 2)
        self.classes_ = np.array(["no", "yes", "é"])
        self.moments_ = np.ones(3)
        self.encoder_ = encoder
        return self

    def _to_state(self, optimizer_state):
        header = {"settings": settings_to_json(self.get_params(deep=False))}
        arrays = {"V": self.V_, **add_prefix("classes.", labels_to_arrays(self.classes_))}
        return header, arrays | ({"moments": self.moments_} if optimizer_state else {})

    @classmethod
    def _from_state(cls, header, arrays):
        estimator = cls(**settings_from_json(header["settings"], cls))
        estimator.V_ = take_array(arrays, "V", (3, None, None), ("float32", "float64"))
        estimator.classes_ = labels_from_arrays(take_prefix("classes.", arrays))
        if "moments" in arrays:
            estimator.moments_ = take_array(arrays, "moments", (3,), ("float64",))
        return estimator


Classifier.__name__, Encoder.__name__ = "FMClassifier", "TableEncoder"


@pytest.fixture
def stand_ins(monkeypatch):
    monkeypatch.setattr(fm, "FMClassifier", Classifier, raising=False)
    monkeypatch.setattr(fm, "TableEncoder", Encoder, raising=False)


@pytest.mark.usefixtures("stand_ins")
@pytest.mark.parametrize("optimizer_state", [False, True])
@pytest.mark.parametrize("with_encoder", [False, True])
def test_estimator_round_trip(tmp_path, optimizer_state, with_encoder):
    encoder = Encoder(rare=3)
    encoder.codes_ = np.arange(4, dtype=np.int32)
    estimator = Classifier(rank=5, solver=fm.AdaGrad(learning_rate=0.5), encoder=encoder)
    estimator.fit(encoder if with_encoder else None)
    estimator.save(tmp_path / "file", optimizer_state=optimizer_state)
    again = load(tmp_path / "file")
    assert type(again) is Classifier
    assert (again.rank, again.solver, again.encoder.rare) == (5, fm.AdaGrad(learning_rate=0.5), 3)
    assert again.V_.tobytes() == estimator.V_.tobytes()
    assert (again.classes_.dtype, list(again.classes_)) == ("<U3", ["no", "yes", "é"])
    assert hasattr(again, "moments_") == optimizer_state
    assert ("encoder.codes" in load_file(tmp_path / "file")) == with_encoder
    if with_encoder:
        np.testing.assert_array_equal(again.encoder_.codes_, encoder.codes_)


@pytest.mark.usefixtures("stand_ins")
def test_warning_about_callbacks_points_here(tmp_path):
    with pytest.warns(UserWarning, match=r"^callbacks=\[.*cannot be saved") as caught:
        Classifier(callbacks=[print]).fit().save(tmp_path / "file")
    assert caught[0].filename == __file__
    assert load(tmp_path / "file").callbacks == ()


@pytest.mark.usefixtures("stand_ins")
def test_estimators_refused(tmp_path):
    class Own(Classifier):
        pass

    with pytest.raises(ValueError, match="not fitted"):
        Classifier().save(tmp_path / "file")
    with pytest.raises(TypeError, match="subclass Own"):
        Own().fit().save(tmp_path / "file")
    with pytest.raises(TypeError, match="optimizer_state"):
        Classifier().fit().save(tmp_path / "file", optimizer_state="yes")
    assert not os.listdir(tmp_path)


@pytest.mark.usefixtures("stand_ins")
@pytest.mark.parametrize("error", [KeyError("V"), AttributeError("items"), RecursionError("deep")])
def test_whatever_a_state_raises_names_the_file(tmp_path, monkeypatch, error):
    Classifier().fit().save(tmp_path / "file")

    def fail(header, arrays):
        raise error

    monkeypatch.setattr(Classifier, "_from_state", fail)
    message = re.escape(f"{tmp_path / 'file'}: {type(error).__name__}: {error}")
    with pytest.raises(FileFormatError, match=message):
        load(tmp_path / "file")


def test_no_other_class_is_reached(tmp_path, monkeypatch):
    monkeypatch.setattr(persistence, "_estimator_class", pytest.fail)
    persistence.write_container(tmp_path / "file", {"kind": "show_versions"}, {"w": X})
    with pytest.raises(FileFormatError, match="holds a 'show_versions', which is unknown here"):
        load(tmp_path / "file")
