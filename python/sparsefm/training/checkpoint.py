"""A callback that saves the model during training."""

import math
from pathlib import Path
from typing import Protocol

from sparsefm.data.validation import check_flag, check_integer
from sparsefm.history import Epoch
from sparsefm.io.replacing import FilePath, find_target, name_of


class CanSave(Protocol):
    """A model or an estimator."""

    def save(self, path: FilePath) -> None:
        """Write itself to a file."""


class HasModel(Protocol):
    """What a checkpoint needs of the training."""

    @property
    def model(self) -> CanSave:
        """The current model, with parameters of its own."""


class Checkpoint:
    """A callback that saves the model during training, to predict with it later.

    Files are written as by `save`: if writing fails, an existing file is kept. They hold the
    parameters after the epoch, but not the state of the training: neither the optimizer's moments
    nor the order of the rows to come. An estimator that is loaded from one has the records of the
    epochs so far, ``history_`` and ``n_iter_``; `partial_fit` goes on from it with new moments, so
    the result is not that of a training without a break.

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
    """

    def __init__(self, path: FilePath, every: int = 1, best: bool = False) -> None:
        self.path = name_of(path)
        self.every = check_integer(every, "every", 1)
        self.best = check_flag(best, "best")
        self._training: HasModel | None = None
        self._least = math.inf

    def begin(self, training: HasModel) -> None:
        """Prepare for a training, before its first epoch."""
        first = self.path.replace("{epoch}", "1")
        folder = Path(first).parent
        find_target(first)  # fail now, and not after an epoch
        if not folder.is_dir():
            raise FileNotFoundError(f"path of Checkpoint: there is no folder {str(folder)!r}")
        self._training, self._least = training, math.inf

    def __call__(self, epoch: Epoch) -> None:
        """Save the model if this epoch is one to save."""
        if self._training is None:
            raise RuntimeError("Checkpoint must be told by `begin` what is trained")
        if self.best and epoch.val_loss is None:
            raise ValueError("best=True of Checkpoint compares validation losses: pass X_val")
        if epoch.epoch % self.every:
            return
        if self.best:
            if epoch.val_loss is None or not epoch.val_loss < self._least:
                return
            self._least = epoch.val_loss
        self._training.model.save(self.path.replace("{epoch}", str(epoch.epoch)))

    def close(self) -> None:
        """Release the model."""
        self._training = None
