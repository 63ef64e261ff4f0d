"""The epoch loop of `train` and of the estimators, and what an epoch of mini-batches is."""

import logging
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.data.dataset import Dataset
from sparsefm.data.plan import Planner
from sparsefm.history import Epoch
from sparsefm.training.callbacks import Callback
from sparsefm.training.class_state import ClassState
from sparsefm.training.divergence import DivergenceWatch
from sparsefm.training.learner import Learner
from sparsefm.training.metrics import Metrics
from sparsefm.training.parameters import State
from sparsefm.training.random import stream
from sparsefm.training.trainer import run_epoch

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

    def __init__(self, model: Callable[[], Any]) -> None:
        self._model = model
        self.history: list[Epoch] = []

    @property
    def model(self) -> Any:
        """The current model, an object with a method ``save(path)``."""
        return self._model()

    @abstractmethod
    def snapshot(self) -> Any:
        """Return a copy of all parameters."""

    @abstractmethod
    def restore(self, snapshot: Any) -> None:
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
                self.epoch = epoch
                train_loss = self._run_epoch()
                val_loss, metrics = evaluate()
                seconds = time.perf_counter() - started
                record = Epoch(epoch, epochs, train_loss, val_loss, metrics, seconds)
                self.history.append(record)
                announce(str(record))
                answers = [callback(record) for callback in callbacks]  # call every one
                if any(isinstance(answer, bool | np.bool_) and answer for answer in answers):
                    break
        self._check_end()
        return tuple(self.history)


class TrainingRun(Run):
    """A training with mini-batches.

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
        super().__init__(model)
        self._learner, self._loss_unit, self._threads = learner, loss_unit, threads
        self._trainers = learner.trainers(threads)
        self._plan = planner.plan(dataset, batch_size)
        self._targets = [target[self._plan.rows] for target in dataset.targets]
        self._random = stream(learner.seed, "batches", learner.steps) if shuffle else None
        self._watch = DivergenceWatch(learner, dataset, self._plan, random_start=random_start)

    @property
    def learning_rate(self) -> float:
        """The learning rate of the following epochs; it can be set."""
        return self._trainers[0].learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        for trainer in self._trainers:
            trainer.learning_rate = value

    def snapshot(self) -> tuple[list[State | ClassState], int]:
        """Return a copy of all parameters and moments."""
        return [trainer.state.copy() for trainer in self._trainers], self._learner.steps

    def restore(self, snapshot: tuple[Sequence[State | ClassState], int]) -> None:
        """Restore the parameters and moments of a snapshot."""
        states, steps = snapshot
        for trainer, state in zip(self._trainers, states, strict=True):
            trainer.state.assign(state)
            trainer.steps = steps
        self._learner.steps = steps

    def scores(self, validation: Dataset) -> npt.NDArray[np.float64]:
        """Return the current scores of the validation rows, shape (n, outputs)."""
        return self._learner.scores(validation.X, self._threads)

    def check_validation(self, losses: Sequence[float], validation: Dataset) -> None:
        """Raise `ValueError` if the loss of the validation rows, after an epoch, is not finite."""
        for loss, target in zip(losses, validation.targets, strict=True):
            self._watch.check_validation(self.epoch, loss, validation, target)

    def _run_epoch(self) -> float:
        """Run an epoch; return the training loss, summed over the outputs."""
        losses = run_epoch(self._trainers, self._plan, self._targets, self._random)
        self._learner.steps = self._trainers[0].steps
        self._watch.check_epoch(self.epoch, losses)
        for trainer in self._trainers:  # callbacks see, and save, a model with all its properties
            trainer.state.fix_scores()
        return sum(losses) * self._loss_unit

    def _check_end(self) -> None:
        self._watch.check_end(self.epoch)


def announcer(verbose: bool) -> Callable[[str], None]:
    """Return a function that logs an epoch, or prints it if nothing listens to the logger."""
    if not verbose:
        return _nothing
    if logger.isEnabledFor(logging.INFO) and logger.hasHandlers():
        return logger.info
    return lambda message: print(message, file=sys.stderr, flush=True)


def _nothing(*_: object) -> None:
    pass
