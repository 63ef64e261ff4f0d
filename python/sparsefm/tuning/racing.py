"""Racing: candidates are trained, one after the other, and scored on validation rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from sparsefm.training.hyperparameters import Hyperparameters
from sparsefm.training.start import VARIANTS
from sparsefm.tuning.numbers import NumericChoice
from sparsefm.tuning.portfolio import Sampling, Settings, variations
from sparsefm.tuning.trials import Conditions, Fold, Losses, OptimizerTrial, Trial, begin

MAX_EPOCHS = 100
PATIENCE = 640  # a candidate stops after so many steps without improvement (in 3 to 10 epochs)
FEWEST_STEPS = 640  # before a candidate is stopped for being behind (in 3 to 10 epochs)
OPTIMISM = 3.0  # a candidate may still gain this many times the gain of its second half
FEWEST_SWEEPS = 20  # before a sampler is stopped: factors may need so many to be found
DECAYS = 3  # of the learning rate, at most
PLATEAU = 1.002  # a loss is on a plateau up to so many times the best
LARGE_FOLD = 10_000  # entries; smaller folds are trained one after the other
CHANCE_OF_FIELDS = 2.0  # standard errors by which weights of fields must be better than none
GROWTH = 1.01  # of the squares of the factors in an epoch: the model still moves


@dataclass(eq=False)
class Candidate:
    """Settings that are tried.

    Attributes
    ----------
    settings : Hyperparameters or Sampling
    rows : int
        On which it was trained.
    numeric : NumericChoice or None
        How columns of numbers are encoded; None where that was not open.
    objective : str
        The name of the loss that is minimised.
    losses : list of float
        Mean validation loss after each epoch.
    row_losses : ndarray of float64
        The loss of each validation row after the best epoch, times the row's share of the weight.
    seconds : float
    outcome : str
        Why it ended.
    """

    settings: Settings
    rows: int
    numeric: NumericChoice | None = None
    objective: str = ""
    losses: list[float] = field(default_factory=list)
    row_losses: Losses = field(default_factory=lambda: np.empty(0))
    seconds: float = 0.0
    outcome: str = "complete"

    @property
    def samples(self) -> bool:
        """Whether it is a sampler."""
        return isinstance(self.settings, Sampling)

    @property
    def variant(self) -> str:
        """How features of two fields interact."""
        return getattr(self.settings, "variant", VARIANTS[0])

    @property
    def best(self) -> float:
        """The lowest loss so far; of a sampler the last, which is that of the mean so far."""
        if self.samples:
            return self.losses[-1] if self.losses else np.inf
        return min(self.losses, default=np.inf)

    @property
    def epochs(self) -> int:
        """After how many epochs the loss was least; zero if it was not trained."""
        if self.samples or not self.losses:
            return len(self.losses)
        return int(np.argmin(self.losses)) + 1

    def __str__(self) -> str:
        settings = self.settings
        numeric = f"{self.numeric}, " if self.numeric else ""
        kind = type(settings.solver).__name__
        kind += "" if self.variant == VARIANTS[0] else f" {self.variant}"
        return (
            f"search: {numeric}{kind}, rank {settings.rank}, {self.rows} rows: validation loss "
            f"{self.best:.5g} after {len(self.losses)} epochs, {self.seconds:.1f} s "
            f"({self.outcome})"
        )

    def has_settled(self, steps_per_epoch: int) -> bool:
        """Return whether patience has run out; a sampler is done when all its sweeps are."""
        if self.samples:
            return not np.isfinite(self.losses[-1])
        patience = epochs_of(PATIENCE, steps_per_epoch)
        return len(self.losses) - self.epochs >= patience or not np.isfinite(self.losses[-1])

    def is_hopeless(self, leader: float, steps_per_epoch: int) -> bool:
        """Return whether more epochs are unlikely to bring the loss below the leader's."""
        done = len(self.losses)
        fewest = FEWEST_SWEEPS if self.samples else epochs_of(FEWEST_STEPS, steps_per_epoch)
        if done < fewest and np.isfinite(self.best):
            return False
        gain = self.losses[done // 2 - 1] - self.losses[-1] if done > 1 else np.inf
        return not self.best - OPTIMISM * gain <= leader


@dataclass(frozen=True, eq=False)
class Race:
    """Scores candidates by their loss on validation rows.

    One candidate is trained at a time, so a race needs hardly more memory than a training.

    Parameters
    ----------
    folds : sequence of Fold
    conditions : Conditions
    max_epochs : int
        Of a training with mini-batches.
    numeric : NumericChoice or None
        The encoding of the folds.
    report : callable
        Called with each candidate at its end.
    patient : bool
        Whether a training whose factors grow is not stopped: it may be leaving a saddle. Samplers
        do that by themselves, and where they take part nobody else has to.
    """

    folds: Sequence[Fold]
    conditions: Conditions
    max_epochs: int = MAX_EPOCHS
    numeric: NumericChoice | None = None
    report: Callable[[Candidate], None] = lambda candidate: None
    patient: bool = False

    def run(self, entrants: Iterable[Settings], leader: float = np.inf) -> list[Candidate]:
        """Train candidates until they stop or are hopeless; return them, the best first."""
        finished: list[Candidate] = []
        for settings in entrants:
            if np.isfinite(leader) and time.perf_counter() >= self.conditions.deadline:
                break
            candidate = self._tried(settings, leader)
            finished.append(candidate)
            leader = min(leader, candidate.best)
        return ranked(finished)

    def vary(self, best: Candidate, given: Mapping[str, Any], rounds: int = 1) -> list[Candidate]:
        """Vary the best in one hyperparameter at a time while that helps; return all, ranked.

        Parameters
        ----------
        best : Candidate
            With hyperparameters of an optimizer.
        given : mapping
            Hyperparameters that are not varied.
        rounds : int
            At most so often the best of the variations is varied again.
        """
        finished, tried = [best], {best.settings}
        for _ in range(rounds):
            best = finished[0]
            assert isinstance(best.settings, Hyperparameters)
            varied = (replace(other, **given) for other in variations(best.settings))
            new = [other for other in dict.fromkeys(varied) if other not in tried]
            tried.update(new)
            finished = ranked([*finished, *self.run(new, best.best)])
            if finished[0] is best:
                break
        return finished

    def stages(self, chosen: Hyperparameters, decays: int = DECAYS) -> tuple[int, ...]:
        """Return the number of epochs at the learning rate, and at each lower one.

        Each stage starts from the best epoch of the stage before. The stages end when one does not
        improve the loss.
        """
        trials = [OptimizerTrial(chosen, fold, self.conditions) for fold in self.folds]
        stages: list[int] = []
        least = np.inf
        for _ in range(1 + decays):
            if stages and time.perf_counter() >= self.conditions.deadline:
                break
            stage = self._candidate(chosen)
            best = [trial.snapshot() for trial in trials]
            for loss, moves in self._epochs(stage, trials, self.max_epochs):
                if loss == stage.best:
                    best = [trial.snapshot() for trial in trials]
                if stage.has_settled(trials[0].steps_per_epoch) and not (moves and not stages):
                    break
                if time.perf_counter() >= self.conditions.deadline:
                    break
            if stages and stage.best >= least:
                break
            stages.append(stage.epochs)
            least = stage.best
            for trial, snapshot in zip(trials, best, strict=True):
                trial.lower_rate(snapshot)
        return tuple(stages)

    def untried(self, settings: Settings) -> Candidate:
        """Return a candidate without any losses, as the only one that there is."""
        candidate = self._candidate(settings)
        candidate.outcome = "only one"
        return candidate

    def _candidate(self, settings: Settings) -> Candidate:
        rows, objective = len(self.folds[0].training.rows), self.conditions.loss.name
        return Candidate(settings, rows, self.numeric, objective)

    def _tried(self, settings: Settings, leader: float) -> Candidate:
        """Train a candidate until it stops or is hopeless."""
        started = time.perf_counter()
        candidate = self._candidate(settings)
        conditions = self.conditions
        if len(self.folds) > 1:  # a fold is small, or has a thread of its own
            conditions = replace(conditions, threads=1)
        trials = [begin(settings, fold, conditions) for fold in self.folds]
        epochs = settings.epochs if isinstance(settings, Sampling) else self.max_epochs
        for _, moves in self._epochs(candidate, trials, epochs):
            if moves:
                continue
            if candidate.has_settled(trials[0].steps_per_epoch):
                break
            if candidate.is_hopeless(leader, trials[0].steps_per_epoch):
                candidate.outcome = "stopped: behind"
                break
        if not np.isfinite(candidate.best):
            candidate.outcome = "diverged"
        candidate.seconds = time.perf_counter() - started
        self.report(candidate)
        return candidate

    def _epochs(
        self, candidate: Candidate, trials: Sequence[Trial], epochs: int
    ) -> Iterator[tuple[float, bool]]:
        """Run epochs on all folds; record and yield the mean loss, and whether factors grow."""
        size, run = 0.0, map if self._pool is None else self._pool.map
        for _ in range(epochs):
            losses = np.concatenate(list(run(lambda trial: trial.run_epoch(), trials)))
            loss = float(losses.sum() / len(self.folds))
            candidate.losses.append(loss if np.isfinite(loss) else np.inf)
            if candidate.losses[-1] == candidate.best:
                candidate.row_losses = losses
            moves = False
            if self.patient:
                before, size = size, sum(trial.size_of_factors() for trial in trials)
                on_plateau = candidate.losses[-1] <= PLATEAU * candidate.best
                moves = on_plateau and size > GROWTH * before > 0
            yield candidate.losses[-1], moves

    @property
    def _pool(self) -> Executor | None:
        """What trains several folds at the same time, if these are large enough to gain by it."""
        entries = self.folds[0].training.X.n_nonzeros
        return self.conditions.pool if len(self.folds) > 1 and entries > LARGE_FOLD else None


def epochs_of(steps: int, steps_per_epoch: int) -> int:
    """Return how many epochs about so many steps are; three at least, ten at most."""
    return min(max(steps // steps_per_epoch, 3), 10)


def ranked(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Return candidates, the best first."""
    return sorted(candidates, key=lambda candidate: candidate.best)


def excess(other: Candidate, best: Candidate) -> tuple[float, float]:
    """Return by how much a loss is higher than another, and the standard error of that."""
    if other.row_losses.shape != best.row_losses.shape:
        return np.inf, 0.0
    differences = other.row_losses - best.row_losses
    return float(differences.sum()), float(np.std(differences) * np.sqrt(len(differences)))


def may_be_equal(other: Candidate, best: Candidate, errors: float = 1.0) -> bool:
    """Return whether a loss is higher than another by at most so many standard errors of that."""
    if other is best or not np.isfinite(other.best):
        return other is best
    more, error = excess(other, best)
    return more <= errors * error


def plain_if_equal(candidates: Sequence[Candidate]) -> Candidate:
    """Return the best candidate, or the best plain machine if the difference may be chance.

    Weights of pairs of fields are more to estimate, and take more time.
    """
    best = candidates[0]
    if best.variant == VARIANTS[0]:
        return best
    plain = next((one for one in candidates if one.variant == VARIANTS[0]), best)
    return plain if may_be_equal(plain, best, CHANCE_OF_FIELDS) else best


def significant(candidates: Sequence[Candidate]) -> Candidate:
    """Return the best candidate, or the best linear one if the difference may be chance.

    The best linear candidate is returned if its loss is higher by at most two standard errors of
    the difference, row by row, and by at most a quarter. The quarter matters with few rows.
    Otherwise weights of fields must be better than by chance, see `plain_if_equal`.
    """
    best = candidates[0]
    for linear in candidates:
        if linear.settings.rank == 0 and np.isfinite(linear.best):
            more, error = excess(linear, best)
            if more <= 2 * error and linear.best <= 1.25 * best.best:
                return linear
            break
    return plain_if_equal([one for one in candidates if one is best or one.settings.rank > 0])
