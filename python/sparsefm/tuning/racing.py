"""Choosing settings: candidates train side by side on some rows, and are judged by others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.data.dataset import Rows
from sparsefm.errors import DivergenceError
from sparsefm.training.trainer import Trainer
from sparsefm.tuning.hyperparameters import COOLER, Settings

MAX_EPOCHS = 100
PATIENCE = 640  # steps without improvement after which a candidate ends: ten epochs, or three
OPTIMISM = 3.0  # times what the second half of its epochs gained: what a candidate may still gain
ROUNDS = 2  # of variations of the best, at most
COOLINGS = 3  # times that the learning rate is lowered, at most

NewTrainers = Callable[[Settings], Sequence[Trainer]]


@dataclass(eq=False)
class Candidate:
    """Settings in the race.

    Attributes
    ----------
    settings : Settings
    trainers : sequence of Trainer
    losses : list of float
        Mean validation loss after each epoch.
    rows : ndarray of float64
        The loss of each validation row after the best epoch, times its share of the weight.
    """

    settings: Settings
    trainers: Sequence[Trainer]
    losses: list[float] = field(default_factory=list)
    rows: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty(0))

    @property
    def best(self) -> float:
        """The least loss so far."""
        return min(self.losses, default=np.inf)

    @property
    def epochs(self) -> int:
        """After how many epochs the loss was least."""
        return int(np.argmin(self.losses)) + 1

    @property
    def has_settled(self) -> bool:
        """Whether the loss has not improved for a while."""
        steps = self.trainers[0].steps_per_epoch
        patience = min(max(PATIENCE // steps, 3), 10)
        return len(self.losses) - self.epochs >= patience or not np.isfinite(self.losses[-1])

    def is_hopeless(self, leader: float) -> bool:
        """Return whether more epochs will not bring the loss below the leader's."""
        done = len(self.losses)
        gain = self.losses[done // 2 - 1] - self.losses[-1] if done > 1 else np.inf
        return self.best - OPTIMISM * gain > leader


@dataclass(frozen=True, eq=False)
class Race:
    """Judges settings by the loss of rows that they were not trained on.

    Parameters
    ----------
    new_trainers : callable
        Returns trainers for settings: for each fold those of all machines.
    validations : sequence of Rows
        What each trainer is judged by.
    threads : int
    max_epochs : int
    """

    new_trainers: NewTrainers
    validations: Sequence[Rows]
    threads: int
    max_epochs: int = MAX_EPOCHS

    def run(self, portfolio: Iterable[Settings]) -> list[Candidate]:
        """Return candidates that have been trained as long as there was hope, the best first."""
        return self._heat(portfolio, np.inf)

    def vary(self, ranked: Sequence[Candidate], given: Mapping[str, Any]) -> list[Candidate]:
        """Vary the best in one respect at a time, as long as that helps; return them ranked again.

        Parameters
        ----------
        ranked : sequence of Candidate
        given : mapping
            Settings that stay.
        """
        finished = list(ranked)
        tried = {candidate.settings for candidate in finished}
        for _ in range(ROUNDS):
            best = finished[0]
            variations = (settings.fixed(given) for settings in best.settings.variations())
            new = [settings for settings in dict.fromkeys(variations) if settings not in tried]
            tried.update(new)
            finished = _ranked([*finished, *self._heat(new, best.best)])
            if finished[0] is best:
                break
        return finished

    def schedule(self, settings: Settings, coolings: int = COOLINGS) -> tuple[int, ...]:
        """Return how many epochs to run at the learning rate, then at lower and lower ones.

        Each stage starts from the best epoch of the one before, and there is no stage that does
        not improve on it.
        """
        trainers = self.new_trainers(settings)
        stages: list[int] = []
        least = np.inf
        for _ in range(1 + coolings):
            stage = Candidate(settings, trainers)
            best = [trainer.state.copy() for trainer in trainers]
            steps = trainers[0].steps
            for loss in self._epochs(stage):
                if loss == stage.best:
                    best, steps = [trainer.state.copy() for trainer in trainers], trainers[0].steps
                if stage.has_settled:
                    break
            if stages and stage.best >= least:
                break
            stages.append(stage.epochs)
            least = stage.best
            for trainer, state in zip(trainers, best, strict=True):
                trainer.state.assign(state)
                trainer.steps = steps
                trainer.learning_rate *= COOLER
        return tuple(stages)

    def _heat(self, entrants: Iterable[Settings], leader: float) -> list[Candidate]:
        running = [Candidate(settings, self.new_trainers(settings)) for settings in entrants]
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
            candidate.trainers = ()  # and their memory
        return _ranked(finished)

    def _epochs(self, candidate: Candidate) -> Iterator[float]:
        """Run epochs of all trainers; yield, and note, the mean loss of the rows not shown."""
        for _ in range(self.max_epochs):
            try:
                losses = np.concatenate([*map(self._judge, candidate.trainers, self.validations)])
            except DivergenceError:
                losses = np.array([np.inf])
            loss = float(losses.sum() / len(self.validations))
            candidate.losses.append(loss if np.isfinite(loss) else np.inf)
            if candidate.losses[-1] == candidate.best:
                candidate.rows = losses
            yield candidate.losses[-1]

    def _judge(self, trainer: Trainer, rows: Rows) -> npt.NDArray[np.float64]:
        """Run an epoch; return the loss of each row that was not shown, times its share."""
        trainer.run_epoch()
        losses = trainer.loss.values(rows.y, trainer.state.scores(rows.X, self.threads))
        weights = np.ones(len(losses)) if rows.weights is None else rows.weights.astype(np.float64)
        return np.asarray(weights / weights.sum() * losses)


def significant(ranked: Sequence[Candidate]) -> Candidate:
    """Return the best candidate, or the best without interactions if that may be as good.

    It may if what it loses is within two standard errors of the difference, row by row, and no more
    than a quarter: so much would not be given away for want of rows to judge by.
    """
    best = ranked[0]
    for linear in ranked:
        if linear.settings.rank == 0 and np.isfinite(linear.best):
            excess = linear.rows - best.rows
            error = np.std(excess) * np.sqrt(len(excess))
            may_be_chance = excess.sum() <= 2 * error and linear.best <= 1.25 * best.best
            return linear if may_be_chance else best
    return best


def _ranked(candidates: Sequence[Candidate]) -> list[Candidate]:
    return sorted(candidates, key=lambda candidate: candidate.best)
