"""A callback that saves the model and the training."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from sparsefm.data.validation import check_flag, check_integer
from sparsefm.history import Epoch
from sparsefm.io.container import Arrays
from sparsefm.io.file import write_file
from sparsefm.io.reader import add_prefix
from sparsefm.io.replacing import FilePath, find_target, name_of

TRAINING = "training"  # the entry of a file, and the prefix of its arrays


class CanSave(Protocol):
    """A model or an estimator."""

    def _content(self) -> tuple[dict[str, Any], Arrays]:
        """Return what `save` writes."""


class IsTraining(Protocol):
    """What a checkpoint needs of the training."""

    @property
    def model(self) -> CanSave:
        """The current model, with parameters of its own."""

    @property
    def history(self) -> Sequence[Epoch]:
        """The records so far."""

    def to_content(self) -> tuple[dict[str, Any], Arrays]:
        """Return what it takes to go on."""


class Checkpoint:
    """A callback that saves the model and the training, to predict with it or to go on later.

    `load` returns the model or estimator with the parameters after the epoch, and the records of
    the epochs so far. ``resume=path`` of `train`, or of an estimator's `fit`, goes on with the
    training, and ends with the same bits as one that was never interrupted.

    Files are written as by `save`: completely, or an existing file is kept. They also hold the
    optimizer's moments and, with early stopping, the parameters and moments of the best epoch: with
    `Adam` they are four times as large as what `save` writes, or seven times. Checkpoints are
    called after all other callbacks, and save what these leave.

    Parameters
    ----------
    path : str or path-like
        Path of the file; ``{epoch}`` in it is replaced by the number of the epoch. Without it each
        file replaces the previous one.
    every : int
        Save after every so many epochs.
    best : bool
        Of these epochs, save only after one with the lowest validation loss so far.

    Examples
    --------
    >>> import sparsefm as fm
    >>> checkpoint = fm.Checkpoint("model-{epoch}.safetensors", every=5)
    >>> model = fm.train([[0], [1]], [0, 1], epochs=10, callbacks=[checkpoint])
    >>> len(fm.load("model-5.safetensors").w)
    1

    The same call begins a training, or goes on with it after an interruption:

    >>> last = "last.safetensors"
    >>> model = fm.train([[0], [1]], [0, 1], callbacks=[fm.Checkpoint(last)], resume=last)
    """

    def __init__(self, path: FilePath, every: int = 1, best: bool = False) -> None:
        self.path = name_of(path)
        self.every = check_integer(every, "every", 1)
        self.best = check_flag(best, "best")
        self._training: IsTraining | None = None
        self._least = math.inf

    def begin(self, training: IsTraining) -> None:
        """Prepare for a training, before its first epoch."""
        first = self.path.replace("{epoch}", "1")
        folder = Path(first).parent
        find_target(first)  # fail now, and not after an epoch
        if not folder.is_dir():
            raise FileNotFoundError(f"path of Checkpoint: there is no folder {str(folder)!r}")
        self._training, self._least = training, math.inf
        for epoch in training.history:  # of a training that is resumed
            self._is_one_to_save(epoch)

    def __call__(self, epoch: Epoch) -> None:
        """Save the model if this epoch is one to save."""
        if self._training is None:
            raise RuntimeError("Checkpoint must be told by `begin` what is trained")
        if self.best and epoch.val_loss is None:
            raise ValueError("best=True of Checkpoint compares validation losses: pass X_val")
        if self._is_one_to_save(epoch):
            self._save(self.path.replace("{epoch}", str(epoch.epoch)), self._training)

    def close(self) -> None:
        """Release the model."""
        self._training = None

    def _is_one_to_save(self, epoch: Epoch) -> bool:
        if epoch.epoch % self.every:
            return False
        if self.best:
            if epoch.val_loss is None or not epoch.val_loss < self._least:
                return False
            self._least = epoch.val_loss
        return True

    def _save(self, path: str, training: IsTraining) -> None:
        header, arrays = training.model._content()
        of_training, more = training.to_content()
        header = {**header, TRAINING: of_training}
        write_file(path, header, arrays | add_prefix(f"{TRAINING}.", more))
