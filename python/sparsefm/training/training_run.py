"""Training with mini-batches: an epoch is a pass of optimizer steps over the training rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.data.dataset import Dataset
from sparsefm.data.plan import Planner
from sparsefm.io.reader import Reader
from sparsefm.training.contents import read_states, settings_of, states_to_content
from sparsefm.training.divergence import DivergenceWatch
from sparsefm.training.learner import Learner
from sparsefm.training.loop import Run
from sparsefm.training.random import stream
from sparsefm.training.resuming import (
    START,
    TRAINED,
    Content,
    Snapshot,
    checksum,
    checksum_of,
)
from sparsefm.training.trainer import run_epoch


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
        self._dataset = dataset
        self._trainers = learner.trainers(threads, dataset.fields)
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

    def snapshot(self) -> Snapshot:
        """Return a copy of all parameters and moments."""
        states = [trainer.state.copy() for trainer in self._trainers]
        return Snapshot((states, self._learner.steps))

    def restore(self, snapshot: Snapshot) -> None:
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

    # --- checkpoints ------------------------------------------------------------------------------

    @property
    def _settings(self) -> dict[str, Any]:
        settings = settings_of(self._learner, self._dataset.dtype)
        return settings | {"shuffle": self._random is not None}

    def _checksums(self) -> dict[str, int]:
        start = [part for state in self._learner.states for part in state.parts(slice(None))]
        unit, steps = np.array(self._loss_unit), np.array(self._learner.steps)
        rows = checksum(unit, np.array(checksum_of(self._dataset)))
        return {TRAINED: rows, START: checksum(steps, *start)}

    def _snapshot_to_content(self, snapshot: Snapshot) -> Content:
        return states_to_content(snapshot)

    def _read_snapshot(self, reader: Reader) -> Snapshot:
        return read_states(reader, [trainer.state for trainer in self._trainers])

    def _state_to_content(self) -> Content:
        return self._snapshot_to_content(Snapshot((self._learner.states, self._learner.steps)))

    def _read_state(self, reader: Reader) -> None:
        self.restore(self._read_snapshot(reader))
        for _ in range(self.epoch):  # the order of the batches so far
            self._plan.order_of(self._random)
