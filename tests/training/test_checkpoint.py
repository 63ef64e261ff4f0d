"""A callback that saves the model while training goes on; a stand-in trains."""

import os
from pathlib import Path

import numpy as np
import pytest

import sparsefm as fm
from sparsefm.loading import load
from sparsefm.training.checkpoint import Checkpoint


class Training:
    """What a callback gets hold of: the parameters say how many epochs there were."""

    learning_rate, history = 0.1, ()

    def __init__(self):
        self.epochs, self.snapshots = 0, 0

    @property
    def model(self):
        self.snapshots += 1
        return fm.Model(float(self.epochs), np.ones(3), np.ones((3, 2)))

    def to_content(self):
        return {"some": 1}, {"array": np.ones(2)}


def run(checkpoint, val_losses):
    """Return the training, and after each epoch how many files there were."""
    training = Training()
    checkpoint.begin(training)
    for epoch, val_loss in enumerate(val_losses, 1):
        training.epochs = epoch
        answer = checkpoint(fm.Epoch(epoch, len(val_losses), 0.5, val_loss))
        assert answer is None
    checkpoint.close()
    return training


@pytest.mark.parametrize("make", [str, Path])
def test_one_file_is_the_last(tmp_path, make):
    run(Checkpoint(make(tmp_path / "model")), [None] * 3)
    assert os.listdir(tmp_path) == ["model"]
    assert load(tmp_path / "model").w0 == 3


def test_a_file_each(tmp_path):
    training = run(Checkpoint(tmp_path / "{epoch}-of-{x}.{epoch}", every=2), [None] * 5)
    assert sorted(os.listdir(tmp_path)) == ["2-of-{x}.2", "4-of-{x}.4"]
    assert load(tmp_path / "4-of-{x}.4").w0 == 4
    assert training.snapshots == 2


def test_the_best_of_a_training_that_is_resumed(tmp_path):
    """What was the best before the interruption still has to be beaten."""
    checkpoint, training = Checkpoint(tmp_path / "{epoch}", best=True), Training()
    training.history = [fm.Epoch(epoch, 5, 0.5, loss) for epoch, loss in ((1, 3.0), (2, 4.0))]
    checkpoint.begin(training)
    for epoch, loss in ((3, 3.5), (4, 3.0), (5, 2.9)):
        checkpoint(fm.Epoch(epoch, 5, 0.5, loss))
    assert os.listdir(tmp_path) == ["5"]


@pytest.mark.parametrize(
    ("every", "val_losses", "epochs"),
    [
        (1, [3, 2, 2, np.nan, 2.5, 1], [1, 2, 6]),
        (1, [np.nan, np.inf, 3, -1], [3, 4]),
        (2, [0, 3, 1, 4, 0, 2, 0], [2, 6]),
    ],
)
def test_only_the_best(tmp_path, every, val_losses, epochs):
    checkpoint = Checkpoint(tmp_path / "{epoch}", every=every, best=True)
    for _ in range(2):  # another training begins anew
        training = run(checkpoint, val_losses)
        assert sorted(map(int, os.listdir(tmp_path))) == epochs
        assert training.snapshots == len(epochs)
        for path in tmp_path.iterdir():
            path.unlink()


def test_training_is_let_go_of(tmp_path):
    checkpoint = Checkpoint(tmp_path / "model")
    training = run(checkpoint, [1.0])
    assert training not in vars(checkpoint).values()
    with pytest.raises(RuntimeError, match="begin"):
        checkpoint(fm.Epoch(1, 1, 0.5))
    checkpoint.close()


def test_said_before_an_epoch_is_lost(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"path of Checkpoint.*nowhere"):
        Checkpoint(tmp_path / "nowhere" / "model").begin(Training())
    with pytest.raises(IsADirectoryError, match="path is a folder"):
        Checkpoint(tmp_path).begin(Training())
    with pytest.raises(OSError, match="path is a device"):
        Checkpoint(os.devnull).begin(Training())
    with pytest.raises(ValueError, match=r"^best=True .* pass X_val"):
        run(Checkpoint(tmp_path / "model", best=True), [None])
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize(
    ("wrong", "name"),
    [({"every": 0}, "every"), ({"every": 1.5}, "every"), ({"best": "yes"}, "best")],
)
def test_settings_refused(tmp_path, wrong, name):
    with pytest.raises((TypeError, ValueError), match=f"^{name} must be"):
        Checkpoint(tmp_path / "model", **wrong)


def test_path_refused():
    with pytest.raises(TypeError):
        Checkpoint(3)
