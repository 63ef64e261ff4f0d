"""`train(resume=...)`: what is refused, and what is said of it."""

import logging

import pytest

import sparsefm as fm
from tests.training.test_resuming import LABELS, NUMBERS, X, train


@pytest.mark.parametrize("known", [True, False])
def test_resume_names_one_file(known, tmp_path):
    """With {epoch} it would never be there, so that each call would begin anew."""
    path = tmp_path / "m-{epoch}.st"
    callbacks = [fm.Checkpoint(path)] if known else []
    with pytest.raises(ValueError, match=r"^resume names one file; .*m-\{epoch\}"):
        train("adam", callbacks, path)
    assert not list(tmp_path.iterdir())


def test_a_file_of_another_kind_of_training(tmp_path):
    path = tmp_path / "file"
    train("adam", [fm.Checkpoint(path)], epochs=1)
    with pytest.raises(ValueError, match=r"the training in .* is of train, not of FMRegressor"):
        fm.FMRegressor().fit(X, NUMBERS, resume=path)
    fm.FMRegressor(callbacks=[fm.Checkpoint(path)], epochs=1, search=None).fit(X, NUMBERS)
    with pytest.raises(ValueError, match=r"is of FMRegressor, not of train"):
        train("adam", resume=path)
    with pytest.raises(ValueError, match=r"is of FMRegressor, not of FMClassifier"):
        fm.FMClassifier().fit(X, LABELS, resume=path)
    fm.FMRegressor(callbacks=[fm.Checkpoint(path)]).partial_fit(X, NUMBERS)
    for resumed in (
        lambda: train("adam", resume=path),
        lambda: fm.FMRegressor().fit(X, NUMBERS, resume=path),
    ):
        with pytest.raises(ValueError, match=r"^resume: .* saved by partial_fit, which cannot be"):
            resumed()
    assert fm.load(path).partial_fit(X, NUMBERS).n_features_in_ == 25


@pytest.mark.parametrize("stop", [2, None])
def test_a_training_that_had_ended_says_so(stop, tmp_path, caplog):
    path = tmp_path / "file"
    train("adam", [fm.Checkpoint(path), lambda epoch: epoch.epoch == stop], epochs=3)
    with caplog.at_level(logging.INFO, "sparsefm"):
        train("adam", resume=path, epochs=3)
    assert f"the training in {path} had ended at epoch {stop or 3}" in caplog.messages
    caplog.clear()
    if stop is None:
        with caplog.at_level(logging.INFO, "sparsefm"):
            train("adam", resume=path, epochs=4)
        assert not caplog.messages


class Keeps:
    """A callback with some state."""

    def __init__(self, state):
        self.state = state

    def __call__(self, epoch):
        pass

    def state_dict(self):
        return self.state


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"good": 1, "seen": {1, 2}}, r"^state_dict of Keeps: 'seen': .*cannot be saved"),
        ({"seen": [object()]}, r"^state_dict of Keeps: 'seen': .*cannot be saved"),
        ([1], r"^state_dict of Keeps must return a dict with names, got \[1\]"),
        (None, r"^state_dict of Keeps must return a dict with names, got None"),
        ({1: 2}, r"^state_dict of Keeps must return a dict with names, got"),
    ],
)
def test_a_state_that_cannot_be_saved_is_named(state, message, tmp_path):
    with pytest.raises(TypeError, match=message):
        train("adam", [Keeps(state), fm.Checkpoint(tmp_path / "file")])


def test_other_arguments_of_a_callback_are_no_damage(tmp_path):
    path = tmp_path / "file"
    train("adam", [fm.Checkpoint(path), fm.EarlyStopping()], epochs=3)
    with pytest.raises(ValueError, match=r"^resume: patience .* is 4 now") as told:
        train("adam", [fm.EarlyStopping(patience=4)], path)
    assert not isinstance(told.value, fm.FileFormatError)
