"""Racing: candidates train side by side and are scored on validation rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.data.dataset import Dataset
from sparsefm.data.plan import Planner
from sparsefm.losses import Loss
from sparsefm.training.hyperparameters import Hyperparameters
from sparsefm.training.learner import Learner
from sparsefm.training.random import stream
from sparsefm.training.trainer import run_epoch
from sparsefm.tuning.portfolio import variations
from sparsefm.tuning.schedule import RATE_DECAY

MAX_EPOCHS = 100
PATIENCE = 640  # a candidate stops after so many steps without improvement (in 3 to 10 epochs)
OPTIMISM = 3.0  # a candidate may still gain this many times the gain of its second half
ROUNDS = 2  # of variations, at most
DECAYS = 3  # of the learning rate, at most

Losses = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Fold:
    """Training rows and validation rows."""

    training: Dataset
    validation: Dataset


class FoldTraining:
    """The training of a candidate on one fold."""

    def __init__(self, chosen: Hyperparameters, fold: Fold, race: Race) -> None:
        self._validation, self._threads = fold.validation, race.threads
        self._learner = Learner.begin(chosen, race.loss, fold.training, race.seed)
        self._plan = race.planner.plan(
            fold.training, chosen.batch_size_for(len(fold.training.rows))
        )
        self._targets = [target[self._plan.rows] for target in fold.training.targets]
        self._random = stream(race.seed, "batches", 0)
        self.trainers = self._learner.trainers(race.threads)

    @property
    def steps_per_epoch(self) -> int:
        """Number of batches."""
        return self._plan.n_batches

    def run_epoch(self) -> Losses:
        """Run an epoch; return the loss of each validation row times its share of the weight.

        The outputs follow one another, shape (outputs * n,).
        """
        training_losses = run_epoch(self.trainers, self._plan, self._targets, self._random)
        if not np.isfinite(training_losses).all():
            return np.array([np.inf])
        rows = self._validation
        weights = np.ones(rows.X.n_rows) if rows.weights is None else rows.weights
        share = weights.astype(np.float64) / weights.sum(dtype=np.float64)
        losses = [
            share * trainer.loss.values(target, trainer.state.scores(rows.X, self._threads))
            for trainer, target in zip(self.trainers, rows.targets, strict=True)
        ]
        return np.concatenate(losses)

    def snapshot(self) -> Learner:
        """Return a copy of all parameters and moments."""
        return replace(self._learner.copy(), steps=self.trainers[0].steps)

    def lower_rate(self, snapshot: Learner) -> None:
        """Restore a snapshot and lower the learning rate."""
        for trainer, state in zip(self.trainers, snapshot.states, strict=True):
            trainer.state.assign(state)
            trainer.steps = snapshot.steps
            trainer.learning_rate *= RATE_DECAY


@dataclass(eq=False)
class Candidate:
    """Hyperparameters that are tried.

    Attributes
    ----------
    hyperparameters : Hyperparameters
    folds : sequence of FoldTraining
    losses : list of float
        Mean validation loss after each epoch.
    row_losses : ndarray of float64
        The loss of each validation row after the best epoch, times the row's share of the weight.
    """

    hyperparameters: Hyperparameters
    folds: Sequence[FoldTraining]
    losses: list[float] = field(default_factory=list)
    row_losses: Losses = field(default_factory=lambda: np.empty(0))

    @property
    def best(self) -> float:
        """The lowest loss so far."""
        return min(self.losses, default=np.inf)

    @property
    def epochs(self) -> int:
        """After how many epochs the loss was least."""
        return int(np.argmin(self.losses)) + 1

    @property
    def has_settled(self) -> bool:
        """Whether patience has run out."""
        patience = min(max(PATIENCE // self.folds[0].steps_per_epoch, 3), 10)
        return len(self.losses) - self.epochs >= patience or not np.isfinite(self.losses[-1])

    def is_hopeless(self, leader: float) -> bool:
        """Return whether more epochs are unlikely to bring the loss below the leader's."""
        done = len(self.losses)
        gain = self.losses[done // 2 - 1] - self.losses[-1] if done > 1 else np.inf
        return self.best - OPTIMISM * gain > leader


@dataclass(frozen=True, eq=False)
class Race:
    """Scores candidates by their loss on validation rows.

    Parameters
    ----------
    folds : sequence of Fold
    loss : Loss
    planner : Planner
        Makes the plans that the candidates share.
    seed : int
    threads : int
    max_epochs : int
    """

    folds: Sequence[Fold]
    loss: Loss
    planner: Planner
    seed: int
    threads: int
    max_epochs: int = MAX_EPOCHS

    def run(self, portfolio: Iterable[Hyperparameters]) -> list[Candidate]:
        """Train candidates until they stop or are hopeless; return them, the best first."""
        return self._heat(portfolio, np.inf)

    def vary(self, ranked: Sequence[Candidate], given: Mapping[str, Any]) -> list[Candidate]:
        """Vary the best in one hyperparameter at a time while that helps; return all, ranked.

        Parameters
        ----------
        ranked : sequence of Candidate
        given : mapping
            Hyperparameters that are not varied.
        """
        finished = list(ranked)
        tried = {candidate.hyperparameters for candidate in finished}
        for _ in range(ROUNDS):
            best = finished[0]
            varied = (replace(other, **given) for other in variations(best.hyperparameters))
            new = [other for other in dict.fromkeys(varied) if other not in tried]
            tried.update(new)
            finished = _ranked([*finished, *self._heat(new, best.best)])
            if finished[0] is best:
                break
        return finished

    def stages(self, chosen: Hyperparameters, decays: int = DECAYS) -> tuple[int, ...]:
        """Return the number of epochs at the learning rate, and at each lower one.

        Each stage starts from the best epoch of the stage before. The stages end when one does not
        improve the loss.
        """
        folds = self._begin(chosen)
        stages: list[int] = []
        least = np.inf
        for _ in range(1 + decays):
            stage = Candidate(chosen, folds)
            best = [fold.snapshot() for fold in folds]
            for loss in self._epochs(stage):
                if loss == stage.best:
                    best = [fold.snapshot() for fold in folds]
                if stage.has_settled:
                    break
            if stages and stage.best >= least:
                break
            stages.append(stage.epochs)
            least = stage.best
            for fold, snapshot in zip(folds, best, strict=True):
                fold.lower_rate(snapshot)
        return tuple(stages)

    def _begin(self, chosen: Hyperparameters) -> list[FoldTraining]:
        return [FoldTraining(chosen, fold, self) for fold in self.folds]

    def _heat(self, entrants: Iterable[Hyperparameters], leader: float) -> list[Candidate]:
        running = [Candidate(chosen, self._begin(chosen)) for chosen in entrants]
        finished: list[Candidate] = []
        epochs = {id(candidate): self._epochs(candidate) for candidate in running}
        while running:
            for candidate in list(running):
                if next(epochs[id(candidate)], None) is None or candidate.has_settled:
                    running.remove(candidate)
                    finished.append(candidate)
            leader = min(leader, *(c.best for c in running + finished))
            hopeless = [candidate for candidate in running if candidate.is_hopeless(leader)]
            finished += hopeless
            running = [candidate for candidate in running if candidate not in hopeless]
        for candidate in finished:
            candidate.folds = ()  # to free their memory
        return _ranked(finished)

    def _epochs(self, candidate: Candidate) -> Iterator[float]:
        """Run epochs on all folds; record and yield the mean loss of the validation rows."""
        for _ in range(self.max_epochs):
            losses = np.concatenate([fold.run_epoch() for fold in candidate.folds])
            loss = float(losses.sum() / sum(len(fold.training.targets) for fold in self.folds))
            candidate.losses.append(loss if np.isfinite(loss) else np.inf)
            if candidate.losses[-1] == candidate.best:
                candidate.row_losses = losses
            yield candidate.losses[-1]


def significant(ranked: Sequence[Candidate]) -> Candidate:
    """Return the best candidate, or the best linear one if the difference may be chance.

    The best linear candidate is returned if its loss is higher by at most two standard errors of
    the difference, row by row, and by at most a quarter. The quarter matters with few rows.
    """
    best = ranked[0]
    for linear in ranked:
        if linear.hyperparameters.rank == 0 and np.isfinite(linear.best):
            excess = linear.row_losses - best.row_losses
            error = np.std(excess) * np.sqrt(len(excess))
            may_be_chance = excess.sum() <= 2 * error and linear.best <= 1.25 * best.best
            return linear if may_be_chance else best
    return best


def _ranked(candidates: Sequence[Candidate]) -> list[Candidate]:
    return sorted(candidates, key=lambda candidate: candidate.best)
