"""The epoch loop of `train` and of the estimators."""

import logging
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np

from sparsefm.data.dataset import Dataset
from sparsefm.data.plan import Planner
from sparsefm.history import Epoch
from sparsefm.training.callbacks import Callback
from sparsefm.training.divergence import DivergenceWatch
from sparsefm.training.learner import Learner
from sparsefm.training.parameters import State
from sparsefm.training.random import stream
from sparsefm.training.trainer import run_epoch

logger = logging.getLogger("sparsefm")

Evaluate = Callable[[], tuple[float | None, Mapping[str, float]]]


class TrainingRun:
    """A training in progress; callbacks see it as a `Training`.

    Parameters
    ----------
    learner : Learner
        Changed in place.
    dataset : Dataset
    planner : Planner
    threads : int
    shuffle : bool
        Whether to shuffle the batches in each epoch.
    random_start : bool
        Whether the initial parameters are random.
    loss_unit : float
        Losses are multiplied by this to be in the user's units.
    model : callable
        Returns the current model, for callbacks.
    """

    def __init__(
        self,
        learner: Learner,
        dataset: Dataset,
        planner: Planner,
        *,
        threads: int,
        shuffle: bool = True,
        random_start: bool = True,
        loss_unit: float = 1.0,
        model: Callable[[], Any],
    ) -> None:
        batch_size = learner.hyperparameters.batch_size_for(len(dataset.rows))
        self.epoch = 0
        self.history: list[Epoch] = []
        self._learner, self._loss_unit, self._model = learner, loss_unit, model
        self._trainers = learner.trainers(threads)
        self._plan = planner.plan(dataset, batch_size)
        self._targets = [target[self._plan.rows] for target in dataset.targets]
        self._random = stream(learner.seed, "batches", learner.steps) if shuffle else None
        self._watch = DivergenceWatch(learner, dataset, self._plan, random_start=random_start)

    @property
    def model(self) -> Any:
        """The current model, an object with a method ``save(path)``."""
        return self._model()

    @property
    def learning_rate(self) -> float:
        """The learning rate of the following epochs; it can be set."""
        return self._trainers[0].learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        for trainer in self._trainers:
            trainer.learning_rate = value

    def snapshot(self) -> tuple[list[State], int]:
        """Return a copy of all parameters and moments."""
        return [trainer.state.copy() for trainer in self._trainers], self._learner.steps

    def restore(self, snapshot: tuple[Sequence[State], int]) -> None:
        """Restore the parameters and moments of a snapshot."""
        states, steps = snapshot
        for trainer, state in zip(self._trainers, states, strict=True):
            trainer.state.assign(state)
            trainer.steps = steps
        self._learner.steps = steps

    def check_validation(self, losses: Sequence[float], validation: Dataset) -> None:
        """Raise `ValueError` if the loss of the validation rows, after an epoch, is not finite."""
        for loss, target in zip(losses, validation.targets, strict=True):
            self._watch.check_validation(self.epoch, loss, validation, target)

    def run(
        self,
        epochs: int,
        evaluate: Evaluate,
        callbacks: Sequence[Callback] = (),
        announce: Callable[[str], None] = lambda message: None,
    ) -> tuple[Epoch, ...]:
        """Run epochs until all are done or a callback returns True; return their records.

        Parameters
        ----------
        epochs : int
        evaluate : callable
            Returns the validation loss and metrics after an epoch.
        callbacks : sequence of callable
        announce : callable
            Called with each record as a string.
        """
        started = time.perf_counter()
        with ExitStack() as stack:
            for callback in callbacks:
                stack.callback(getattr(callback, "close", _nothing))
            for callback in callbacks:
                getattr(callback, "begin", _nothing)(self)
            for epoch in range(1, epochs + 1):
                train_loss = self._run_epoch() * self._loss_unit
                val_loss, metrics = evaluate()
                seconds = time.perf_counter() - started
                record = Epoch(epoch, epochs, train_loss, val_loss, metrics, seconds)
                self.history.append(record)
                announce(str(record))
                answers = [callback(record) for callback in callbacks]  # call every one
                if any(isinstance(answer, bool | np.bool_) and answer for answer in answers):
                    break
        self._watch.check_end(self.epoch)
        return tuple(self.history)

    def _run_epoch(self) -> float:
        """Run an epoch; return the training loss, summed over the outputs."""
        self.epoch += 1
        losses = run_epoch(self._trainers, self._plan, self._targets, self._random)
        self._learner.steps = self._trainers[0].steps
        self._watch.check_epoch(self.epoch, losses)
        return sum(losses)


def announcer(verbose: bool) -> Callable[[str], None]:
    """Return a function that logs an epoch, or prints it if nothing listens to the logger."""
    if not verbose:
        return _nothing
    if logger.isEnabledFor(logging.INFO) and logger.hasHandlers():
        return logger.info
    return lambda message: print(message, file=sys.stderr, flush=True)


def _nothing(*_: object) -> None:
    pass
