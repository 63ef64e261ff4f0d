"""Models in files: every bit comes back, and nothing is written that could not be read."""

import os
import tracemalloc

import numpy as np
import pytest

import sparsefm as fm
from sparsefm.io.file import read_file
from sparsefm.loading import load

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


def test_a_failing_write_leaves_the_old_model(tmp_path, monkeypatch):
    model = trained()
    model.save(tmp_path / "model")

    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", fail)
        with pytest.raises(OSError, match="No space"):
            trained(rank=5).save(tmp_path / "model")
    assert_same(load(tmp_path / "model"), model)
    for wrong in (None, 3):
        with pytest.raises(TypeError):
            model.save(wrong)


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
    header, arrays = read_file(tmp_path / "model")
    assert header.keys() == {"format_version", "sparsefm", "kind", "task", "loss", "history"}
    assert (header["kind"], header["task"], header["loss"]) == ("model", "regression", "squared")
    assert arrays.keys() == {"w0", "w", "V"}
    np.testing.assert_array_equal(arrays["V"], model.V)
