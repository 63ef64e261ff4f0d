"""Trials: a candidate in training on one fold, epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from sparsefm.data.dataset import Dataset
from sparsefm.data.plan import Planner
from sparsefm.errors import DivergenceError
from sparsefm.losses import Loss
from sparsefm.training.hyperparameters import Hyperparameters
from sparsefm.training.learner import Learner
from sparsefm.training.random import stream
from sparsefm.training.sampling_run import SamplingRun
from sparsefm.training.start import Start
from sparsefm.training.trainer import run_epoch
from sparsefm.tuning.portfolio import Sampling, Settings
from sparsefm.tuning.schedule import RATE_DECAY

Losses = npt.NDArray[np.float64]

NEVER_FINITE = np.array([np.inf])


@dataclass(frozen=True, eq=False)
class Fold:
    """Training rows and validation rows."""

    training: Dataset
    validation: Dataset


@dataclass(frozen=True, eq=False)
class Conditions:
    """What all trials of a search have in common.

    Attributes
    ----------
    loss : Loss
    planner : Planner
        Makes the plans that candidates share.
    seed : int
    threads : int
    deadline : float
        At this time (`time.perf_counter`) no more candidates are begun.
    pool : Executor or None
        Trains small folds of a candidate at the same time.
    """

    loss: Loss
    planner: Planner
    seed: int
    threads: int
    deadline: float = np.inf
    pool: Executor | None = None


class Trial(Protocol):
    """A candidate in training on one fold.

    Attributes
    ----------
    steps_per_epoch : int
    """

    @property
    def steps_per_epoch(self) -> int:
        """Number of batches; a sweep counts as one."""

    def run_epoch(self) -> Losses:
        """Run an epoch; return the loss of each validation row times its share of the weight.

        It is the mean over the outputs; see `_shared_losses`.
        """

    def size_of_factors(self) -> float:
        """Return the sum of the squares of all factors."""


class OptimizerTrial:
    """A training with mini-batches."""

    def __init__(self, chosen: Hyperparameters, fold: Fold, conditions: Conditions) -> None:
        self._fold, self._conditions = fold, conditions
        rows = len(fold.training.rows)
        self._learner = Learner.begin(chosen, conditions.loss, fold.training, conditions.seed)
        self._plan = conditions.planner.plan(fold.training, chosen.batch_size_for(rows))
        self._targets = [target[self._plan.rows] for target in fold.training.targets]
        self._random = stream(conditions.seed, "batches", 0)
        self.trainers = self._learner.trainers(conditions.threads, fold.training.fields)

    @property
    def steps_per_epoch(self) -> int:
        """Number of batches."""
        return self._plan.n_batches

    def run_epoch(self) -> Losses:
        """Run an epoch; return the losses of the validation rows, see `Trial`."""
        training_losses = run_epoch(self.trainers, self._plan, self._targets, self._random)
        if not np.isfinite(training_losses).all():
            return NEVER_FINITE
        X, threads = self._fold.validation.X, self._conditions.threads
        return _shared_losses(
            self._fold.validation,
            self._conditions.loss,
            lambda output: self.trainers[output].state.scores(X, threads),
        )

    def size_of_factors(self) -> float:
        """Return the sum of the squares of all factors."""
        factors = [trainer.state.V for trainer in self.trainers]
        return float(sum(np.square(V, dtype=np.float64).sum() for V in factors))

    def snapshot(self) -> Learner:
        """Return a copy of all parameters and moments."""
        return replace(self._learner.copy(), steps=self.trainers[0].steps)

    def lower_rate(self, snapshot: Learner) -> None:
        """Restore a snapshot and lower the learning rate."""
        for trainer, state in zip(self.trainers, snapshot.states, strict=True):
            trainer.state.assign(state)
            trainer.steps = snapshot.steps
            trainer.learning_rate *= RATE_DECAY


class SamplerTrial:
    """Sweeps of a sampler; validation rows are scored by the mean of the samples so far."""

    steps_per_epoch = 1

    def __init__(self, chosen: Sampling, fold: Fold, conditions: Conditions) -> None:
        self._fold, self._loss = fold, conditions.loss
        self._run = SamplingRun(
            fold.training,
            fold.validation,
            replace(chosen.solver, samples=1),  # the mean of predictions is kept anyway
            conditions.loss,
            Start(chosen.rank),
            seed=conditions.seed,
            threads=conditions.threads,
        )

    def run_epoch(self) -> Losses:
        """Run a sweep; return the losses of the validation rows, see `Trial`."""
        try:
            self._run.sweep()
            scores = self._run.scores(self._fold.validation)
        except (DivergenceError, OverflowError):
            return NEVER_FINITE
        columns = list(self._loss.of_outputs(scores))
        return _shared_losses(self._fold.validation, self._loss, lambda output: columns[output])

    def size_of_factors(self) -> float:
        """Return zero: a sampler leaves the saddle by itself."""
        return 0.0


def begin(chosen: Settings, fold: Fold, conditions: Conditions) -> Trial:
    """Return a trial of a candidate before its first epoch."""
    if isinstance(chosen, Sampling):
        return SamplerTrial(chosen, fold, conditions)
    return OptimizerTrial(chosen, fold, conditions)


def _shared_losses(validation: Dataset, loss: Loss, scores: Callable[[int], Any]) -> Losses:
    """Return the loss of each row, the mean over the outputs, times its share of the weight.

    With several classes, all of which have an output, it is the log loss of their probabilities.
    """
    share = validation.shares
    found = [
        np.asarray(scores(output)).astype(target.dtype)
        for output, target in enumerate(validation.targets)
    ]
    if len(found) > 1 and loss.has_probabilities:
        classes = np.column_stack(validation.targets)
        if (classes.sum(axis=1) == 1).all():
            logs = loss.log_probabilities(np.column_stack(found))
            of_rows = logs[np.arange(len(logs)), classes.argmax(axis=1)]
            return np.asarray(-share * of_rows)
    of_outputs = [
        loss.values(target, of_output)
        for target, of_output in zip(validation.targets, found, strict=True)
    ]
    if len(of_outputs) == 1:  # its mean, in less time
        return np.asarray(share * of_outputs[0].astype(np.float64))
    return np.asarray(share * np.mean(of_outputs, axis=0, dtype=np.float64))
