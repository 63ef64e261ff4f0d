"""The epoch loop of `train` and of the estimators."""

import logging
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.data.dataset import Dataset
from sparsefm.errors import FileFormatError
from sparsefm.history import Epoch
from sparsefm.io.reader import Reader, add_prefix, naming
from sparsefm.io.values import to_json
from sparsefm.model import history_to_json, read_history
from sparsefm.training.callbacks import Callback, ChangedError
from sparsefm.training.checkpoint import Checkpoint
from sparsefm.training.guard import Guard
from sparsefm.training.metrics import Metrics
from sparsefm.training.resuming import (
    VALIDATION,
    Content,
    Resumption,
    Saved,
    Snapshot,
    as_read,
    callbacks_to_content,
    checksum_of,
    read_callbacks,
)

logger = logging.getLogger("sparsefm")

Evaluate = Callable[[], tuple[float | None, Mapping[str, float]]]


class Run(ABC):
    """A training in progress; callbacks see it as a `Training`.

    Attributes
    ----------
    epoch : int
        Number of the current epoch; 0 before the first.
    history : list of Epoch
        The records so far.
    learning_rate : float
        That of the following epochs; it can be set.
    """

    epoch: int = 0
    learning_rate: float
    _is_over: bool = False
    """Whether a callback has stopped the training."""

    def __init__(self, model: Callable[[], Any]) -> None:
        self._model = model
        self.history: list[Epoch] = []
        self._callbacks: Sequence[Callback] = ()
        self._resumption = Resumption()
        self._data: Mapping[str, Any] = {}

    @property
    def model(self) -> Any:
        """The current model, an object with a method ``save(path)``."""
        return self._model()

    @abstractmethod
    def snapshot(self) -> Snapshot:
        """Return a copy of all parameters."""

    @abstractmethod
    def restore(self, snapshot: Snapshot) -> None:
        """Restore the parameters of a snapshot."""

    @abstractmethod
    def scores(self, validation: Dataset) -> npt.NDArray[np.float64]:
        """Return the current scores of the validation rows, shape (n, outputs)."""

    @property
    def is_burning_in(self) -> bool:
        """Whether the current model is one that later epochs do not build on."""
        return False

    @property
    def diagnostics(self) -> Metrics:
        """Further figures of an epoch."""
        return {}

    def check_validation(  # noqa: B027
        self, losses: Sequence[float], validation: Dataset
    ) -> None:
        """Raise `ValueError` if the loss of the validation rows, after an epoch, is not finite."""

    @abstractmethod
    def _run_epoch(self) -> float:
        """Run an epoch; return the training loss, summed over the outputs."""

    def _check_end(self) -> None:  # noqa: B027
        """Raise an error if the parameters cannot be used."""

    def run(
        self,
        epochs: int,
        evaluate: Evaluate,
        callbacks: Sequence[Callback] = (),
        announce: Callable[[str], None] = lambda message: None,
        *,
        validation: Dataset | None = None,
        resumption: Resumption | None = None,
    ) -> tuple[Epoch, ...]:
        """Run epochs until all are done or a callback returns True; return their records.

        Parameters
        ----------
        epochs : int
        evaluate : callable
            Returns the validation loss and metrics after an epoch.
        callbacks : sequence of callable
            Those that are a `Checkpoint` are called after the others.
        announce : callable
            Called with each record as a string.
        validation : Dataset or None
            The rows that `evaluate` looks at.
        resumption : Resumption, optional
        """
        self._callbacks, self._resumption = callbacks, resumption or Resumption()
        saved = self._resumption.saved
        writers = [callback for callback in callbacks if isinstance(callback, Checkpoint)]
        others = [callback for callback in callbacks if not isinstance(callback, Checkpoint)]
        if writers or saved:
            self._data = {**self._checksums(), VALIDATION: checksum_of(validation)}
        started = time.perf_counter()
        with ExitStack() as stack:
            for callback in callbacks:
                stack.callback(getattr(callback, "close", _nothing))
            if saved:
                self._go_on(saved, epochs)
                started -= self.history[-1].seconds
            rate = self.learning_rate if saved and self._has_rate else None
            for callback in callbacks:
                getattr(callback, "begin", _nothing)(self)
            if saved:
                self._go_on_with_callbacks(saved, rate)
                if self._is_over or self.epoch == epochs:
                    logger.info("the training in %s had ended at epoch %d", saved.path, self.epoch)
            while self.epoch < epochs and not self._is_over:
                self.epoch += 1
                train_loss = self._run_epoch()
                val_loss, metrics = evaluate()
                seconds = time.perf_counter() - started
                record = Epoch(self.epoch, epochs, train_loss, val_loss, metrics, seconds)
                if saved and _figures(record) != _figures(self.history[-1]):
                    raise ValueError(
                        f"resume: the figures of an epoch are {_figures(record)}, but were "
                        f"{_figures(self.history[-1])} in {saved.path}"
                    )
                self.history.append(record)
                announce(str(record))
                answers = [callback(record) for callback in others]  # call every one
                self._is_over = any(
                    isinstance(answer, bool | np.bool_) and answer for answer in answers
                )
                for writer in writers:
                    writer(record)
        self._check_end()
        return tuple(self.history)

    # --- checkpoints ------------------------------------------------------------------------------

    def to_content(self) -> Content:
        """Return what it takes to go on after this epoch, as JSON values and arrays."""
        callbacks, arrays = callbacks_to_content(self._callbacks, self._snapshot_to_content)
        state, more = self._state_to_content()
        header = {
            "trained_by": self._resumption.trained_by,
            "settings": self._resumption.settings | self._settings,
            "data": self._data,
            "choice": self._resumption.choice,
            "history": history_to_json(tuple(self.history)),
            "is_over": self._is_over,
            "learning_rate": to_json(self.learning_rate if self._has_rate else None),
            "callbacks": callbacks,
            "state": state,
        }
        return header, arrays | add_prefix("state.", more)

    def _go_on(self, saved: Saved, epochs: int) -> None:
        """Continue after the last epoch of a checkpoint."""
        saved.check("settings", as_read(self._resumption.settings | self._settings))
        saved.check("data", self._data)
        with naming(saved.path):
            reader = saved.reader
            history = read_history(reader)
            numbers = [record.epoch for record in history]
            alike = len(set(map(_figures, history))) == 1  # which there is one of, at least
            if not alike or numbers != list(range(1, len(numbers) + 1)):
                raise FileFormatError("has a damaged history of its training")
            rate = reader.real("learning_rate", above=0.0) if self._has_rate else None
            self._is_over = reader.entry("is_over", bool)
            self.epoch = len(history)
            self._read_state(reader.part("state"))
        if len(history) > epochs:
            raise ValueError(
                f"resume: epochs is {epochs}, but {saved.path} has made {len(history)} already: "
                "ask for as many or more"
            )
        self.history += [replace(record, epochs=epochs) for record in history]
        if rate is not None:
            self.learning_rate = rate

    def _go_on_with_callbacks(self, saved: Saved, rate: float | None) -> None:
        """Give callbacks the states that they had, when all have begun."""
        if rate is not None:  # callbacks may have set that of a first epoch
            self.learning_rate = rate
        states = read_callbacks(saved, self._callbacks, self._read_snapshot)
        with naming(saved.path):
            saved.reader.check_all_read()
        for callback, state in states:
            own = type(callback).__module__.startswith("sparsefm.")
            changed: ChangedError | None = None
            with naming(saved.path) if own else nullcontext():
                try:
                    callback.load_state_dict(state)
                except ChangedError as error:  # of the arguments, and not of the file
                    changed = error
            if changed is not None:
                raise ValueError(f"resume: {changed}, in {saved.path}")
        for callback in self._callbacks:
            if isinstance(callback, Guard):
                callback.check()

    _has_rate: bool = True

    @property
    @abstractmethod
    def _settings(self) -> dict[str, Any]:
        """What this kind of training depends on besides the data, as JSON values."""

    @abstractmethod
    def _checksums(self) -> dict[str, int]:
        """Return checksums of the training rows and of the initial parameters."""

    @abstractmethod
    def _snapshot_to_content(self, snapshot: Snapshot) -> Content:
        """Return a snapshot as JSON values and arrays."""

    @abstractmethod
    def _read_snapshot(self, reader: Reader) -> Snapshot:
        """Return the snapshot of a content; it fits this training."""

    @abstractmethod
    def _state_to_content(self) -> Content:
        """Return all that the next epoch depends on."""

    @abstractmethod
    def _read_state(self, reader: Reader) -> None:
        """Restore the state of a content; `epoch` is set already."""


def announcer(verbose: bool) -> Callable[[str], None]:
    """Return a function that logs an epoch, or prints it if nothing listens to the logger."""
    if not verbose:
        return _nothing
    if logger.isEnabledFor(logging.INFO) and logger.hasHandlers():
        return logger.info
    return lambda message: print(message, file=sys.stderr, flush=True)


def _nothing(*_: object) -> None:
    pass


def _figures(record: Epoch) -> tuple[str, ...]:
    """Return the names of the figures of an epoch."""
    return (*(() if record.val_loss is None else ("val_loss",)), *record.metrics)
