"""The only epoch loop, and what callbacks may do from within it."""

import logging
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np

from sparsefm.training.callbacks import Callback, Epoch
from sparsefm.training.parameters import State
from sparsefm.training.trainer import Trainer

logger = logging.getLogger("sparsefm")


class Training:
    """A training under way, as callbacks see it.

    Parameters
    ----------
    trainers : sequence of Trainer
        Machines trained side by side: one, or one for each class.
    model : callable
        Returns the model as it stands.
    loss_unit : float
        A loss of 1 of a trainer, in units of the user's.
    """

    def __init__(
        self, trainers: Sequence[Trainer], model: Callable[[], Any], loss_unit: float = 1.0
    ) -> None:
        self._trainers = trainers
        self._model = model
        self._loss_unit = loss_unit

    @property
    def model(self) -> Any:
        """The model as it stands: something with a method ``save(path)``."""
        return self._model()

    @property
    def learning_rate(self) -> float:
        """The learning rate of the epochs to come; set it to change them."""
        return self._trainers[0].learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        for trainer in self._trainers:
            trainer.learning_rate = value

    def snapshot(self) -> list[tuple[State, int]]:
        """Return a copy of all parameters and moments."""
        return [(trainer.state.copy(), trainer.steps) for trainer in self._trainers]

    def restore(self, snapshot: Sequence[tuple[State, int]]) -> None:
        """Put parameters and moments back to where a snapshot was taken."""
        for trainer, (state, steps) in zip(self._trainers, snapshot, strict=True):
            trainer.state.assign(state)
            trainer.steps = steps

    def run(
        self,
        epochs: int,
        evaluate: Callable[[], tuple[float | None, Mapping[str, float]]],
        callbacks: Sequence[Callback] = (),
        announce: Callable[[str], None] = lambda message: None,
    ) -> tuple[Epoch, ...]:
        """Run epochs until they are done or a callback returns True; return their records.

        Parameters
        ----------
        epochs : int
        evaluate : callable
            Returns the validation loss and metrics after an epoch.
        callbacks : sequence of callable
        announce : callable
            Is told each record as a string.
        """
        history: list[Epoch] = []
        started = time.perf_counter()
        with ExitStack() as stack:
            for callback in callbacks:
                stack.callback(getattr(callback, "close", _nothing))
            for callback in callbacks:
                getattr(callback, "begin", _nothing)(self)
            for epoch in range(1, epochs + 1):
                losses = [trainer.run_epoch() for trainer in self._trainers]
                train_loss = sum(losses) * self._loss_unit
                val_loss, metrics = evaluate()
                seconds = time.perf_counter() - started
                record = Epoch(epoch, epochs, train_loss, val_loss, metrics, seconds)
                history.append(record)
                announce(str(record))
                answers = [callback(record) for callback in callbacks]  # every one is told
                if any(isinstance(answer, bool | np.bool_) and answer for answer in answers):
                    break
        for trainer in self._trainers:
            trainer.check_end()
        return tuple(history)


def as_columns(history: Sequence[Epoch]) -> dict[str, list[float]]:
    """Return records as columns of equal length, of which a data frame can be made."""
    columns: dict[str, list[float]] = {
        "epoch": [record.epoch for record in history],
        "train_loss": [record.train_loss for record in history],
    }
    if history[0].val_loss is not None:
        columns["val_loss"] = [record.val_loss for record in history if record.val_loss is not None]
    for name in history[0].metrics:
        columns[name] = [record.metrics[name] for record in history]
    columns["seconds"] = [record.seconds for record in history]
    return columns


def check_callbacks(callbacks: Any) -> Sequence[Callback]:
    """Return the argument `callbacks` if it is a list of callables."""
    if callable(callbacks) or not isinstance(callbacks, Iterable):
        raise TypeError(f"callbacks must be a list of callables, got {callbacks!r:.80}")
    listeners = tuple(callbacks)
    for listener in listeners:
        if not callable(listener):
            raise TypeError(f"callbacks must be callables, got {listener!r:.80}")
    return listeners


def announcer(verbose: bool) -> Callable[[str], None]:
    """Return what tells of an epoch: the logger, or standard error if nobody listens to it."""
    if not verbose:
        return _nothing
    if logger.isEnabledFor(logging.INFO) and logger.hasHandlers():
        return logger.info
    return lambda message: print(message, file=sys.stderr, flush=True)


def _nothing(*_: object) -> None:
    pass
