"""A callback that saves the model while training goes on."""

import math
import os
from pathlib import Path
from typing import Protocol

from sparsefm.data.validation import check_flag, check_integer
from sparsefm.history import Epoch
from sparsefm.io.file import FilePath, import_safetensors


class CanSave(Protocol):
    """A model or an estimator."""

    def save(self, path: FilePath) -> None:
        """Write itself to a file."""


class HasModel(Protocol):
    """What a checkpoint needs of the training that it watches."""

    @property
    def model(self) -> CanSave:
        """The model as it stands, with parameters of its own."""


class Checkpoint:
    """A callback that saves the model during training (needs safetensors).

    Each file is written as `save` does: if writing fails, the file of before is kept.

    Parameters
    ----------
    path : str or path-like
        Where to save; ``{epoch}`` in it stands for the number of the epoch. Without it each file
        replaces the one before.
    every : int
        Save after every so many epochs.
    best : bool
        Of those epochs, save only after one whose validation loss is the lowest so far.

    Examples
    --------
    >>> import sparsefm as fm
    >>> checkpoint = fm.Checkpoint("model-{epoch}.safetensors", every=5)
    >>> model = fm.train([[0], [1]], [0, 1], epochs=10, callbacks=[checkpoint])
    >>> len(fm.load("model-5.safetensors").w)
    1
    """

    def __init__(self, path: FilePath, every: int = 1, best: bool = False) -> None:
        import_safetensors()  # or say now that it is missing, not after an epoch
        self.path = os.fspath(path)
        self.every = check_integer(every, "every", 1)
        self.best = check_flag(best, "best")
        self._training: HasModel | None = None
        self._least = math.inf

    def begin(self, training: HasModel) -> None:
        """Be told what is trained, before its first epoch."""
        folder = Path(self.path.replace("{epoch}", "1")).parent
        if not folder.is_dir():
            raise FileNotFoundError(f"path of Checkpoint: there is no folder {str(folder)!r}")
        self._training, self._least = training, math.inf

    def __call__(self, epoch: Epoch) -> None:
        """Save the model, if it is time to."""
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
        """Let go of what was trained."""
        self._training = None
