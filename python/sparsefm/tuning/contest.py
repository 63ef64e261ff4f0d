"""The candidates for one encoding of the columns, and which of them is chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sparsefm.data.dataset import Dataset
from sparsefm.losses import Loss
from sparsefm.optimizers import Optimizer
from sparsefm.sampling import Gibbs
from sparsefm.training.hyperparameters import Hyperparameters
from sparsefm.tuning.portfolio import FEW, FEW_OF_ALL_CLASSES, PORTFOLIO, Sampling
from sparsefm.tuning.racing import (
    CHANCE_OF_FIELDS,
    Candidate,
    Race,
    may_be_equal,
    plain_if_equal,
    ranked,
    significant,
)

CLASSES_AS_ONE = 10  # what so many classes cost together
MANY_ROWS = 50_000  # with more there are fewer candidates, and fewer sweeps of each
FEWER_SWEEPS = 30
FIRST_RANK = 8  # of samplers
WORTH_IT = 0.999  # what twice the rank must multiply the loss with
LARGEST_RANK = {"fast": 16, "thorough": 64}
# Standard errors by which an optimizer must be better than a sampler. The best of a dozen looks
# better than it is; but samplers are too sure of classes that can nearly be told apart.
CHANCE, CHANCE_OF_CLASSES = 2.0, 1.0
FEW_BYTES, MOST_BYTES = 1 << 27, 1 << 30  # of all samples of a model
BYTES_FOR_ENTRY = 512  # of X: between these limits, so that a model does not dwarf the data
MOST_FACTORS_FOR_FIELD = 4  # libffm's default
FEWEST_FIELDS, MOST_FIELDS = 3, 100  # whose pairs may have weights
FEWEST_SAMPLES = 10  # with fewer the mean is noisy


@dataclass(frozen=True, eq=False)
class Candidates:
    """Candidates of one kind.

    Parameters
    ----------
    race : Race
    dataset : Dataset
        All rows of the race's folds.
    given : mapping
        Hyperparameters that the user set.
    effort : {"fast", "thorough"}
    """

    race: Race
    dataset: Dataset
    given: Mapping[str, Any]
    effort: str


class Samplers(Candidates):
    """Samplers of growing rank, and the linear one."""

    def run(self, known: Sequence[Candidate] = ()) -> list[Candidate]:
        """Try candidates; return the best first. Interactions must be worth it.

        Parameters
        ----------
        known : sequence of Candidate
            That of the first rank if it has been tried already.
        """
        sweeps = sweeps_for(len(self.dataset.rows), self.effort)

        def tried(rank: int, leader: float = np.inf) -> list[Candidate]:
            return self.race.run([Sampling(rank, epochs=sweeps)], leader)

        if "rank" in self.given:
            return list(known) or tried(self.given["rank"])
        found = list(known) or tried(FIRST_RANK)
        found = ranked([*found, *tried(0, found[0].best)])
        rank = 2 * FIRST_RANK
        most = LARGEST_RANK[self.effort]
        while rank <= most and samples_for(self.dataset, rank) >= FEWEST_SAMPLES:
            if found[0].settings.rank != rank // 2:
                break
            before = found[0].best
            found = ranked([*found, *tried(rank, before)])
            if not found[0].best < WORTH_IT * before:
                break
            rank *= 2
        linear = next((one for one in found if one.settings.rank == 0), None)
        if linear is None or found[0].best < WORTH_IT * linear.best:
            return found
        return [linear, *(one for one in found if one is not linear)]

    def complete(self, samplers: list[Candidate], leader: float) -> list[Candidate]:
        """Give the best sampler all its sweeps, if it had fewer and a leader is ahead."""
        best = samplers[0].settings
        assert isinstance(best, Sampling)
        if best.epochs == Gibbs.default_epochs or samplers[0].best <= leader:
            return samplers
        complete = replace(best, epochs=Gibbs.default_epochs)
        return ranked([*samplers, *self.race.run([complete], leader)])


@dataclass(frozen=True, eq=False)
class Optimizers(Candidates):
    """The portfolio, and variations of its best.

    Parameters
    ----------
    kind : type of Optimizer
        Only such are candidates.
    """

    kind: type[Optimizer] = Optimizer

    def run(self, samplers: Sequence[Candidate]) -> list[Candidate]:
        """Try the portfolio beside samplers that have been tried; return the best first."""
        entrants = self._portfolio(samplers)
        if len(entrants) == 1 and not samplers:
            return [self.race.untried(entrants[0])]
        leader = samplers[0].best if samplers else np.inf
        race = replace(self.race, patient=not samplers)
        found = race.run(entrants, leader)
        if not found:  # time is up
            return []
        weighted = [replace(settings, variant="fwfm") for settings in self._to_weigh(found)]
        # The sampler ahead has no settings to vary, which these have.
        return ranked([*found, *race.run(weighted, found[0].best)])

    def _to_weigh(self, candidates: Sequence[Candidate]) -> list[Hyperparameters]:
        """Return the best settings with interactions, if pairs of fields may have weights."""
        if "variant" in self.given or self._is_of_all_classes or self.dataset.fields is None:
            return []
        n_fields = int(self.dataset.fields.max(initial=-1)) + 1
        if not FEWEST_FIELDS <= n_fields <= MOST_FIELDS:
            return []
        finite = [one.settings for one in candidates if np.isfinite(one.best)]
        return [one for one in finite if isinstance(one, Hyperparameters) and one.rank][:1]

    def vary(self, candidates: list[Candidate]) -> list[Candidate]:
        """Vary the best of some candidates, unless that takes long; return the best first."""
        if self._is_slow or "solver" in self.given:
            return candidates
        best = plain_if_equal(candidates)
        others = [one for one in candidates if one is not best]
        return ranked([*self.race.vary(best, self.given), *others])

    @property
    def _is_slow(self) -> bool:
        """Whether there are many rows; if all classes have scores, ten classes count as one."""
        n_classes = self.race.folds[0].training.n_classes if self._is_of_all_classes else 1
        n_rows = len(self.dataset.rows) * max(n_classes / CLASSES_AS_ONE, 1)
        return n_rows > MANY_ROWS and self.effort == "fast"

    @property
    def _is_of_all_classes(self) -> bool:
        return self.race.conditions.loss.is_of_all_classes

    def _portfolio(self, samplers: Sequence[Candidate]) -> list[Hyperparameters]:
        """Return candidates, with the given hyperparameters in place."""
        solver = self.given.get("solver")
        portfolio: tuple[Hyperparameters, ...] = PORTFOLIO
        if self._is_slow and solver is None:
            if self._is_of_all_classes:
                portfolio = FEW_OF_ALL_CLASSES
            elif samplers:
                portfolio = FEW
        fitting = [
            self._with_given(candidate)
            for candidate in portfolio
            if isinstance(candidate.solver, self.kind if solver is None else type(solver))
        ]
        return list(dict.fromkeys(fitting)) or [replace(Hyperparameters(), **self.given)]

    def _with_given(self, candidate: Hyperparameters) -> Hyperparameters:
        """Return a candidate with what the user set; factors for each field are fewer."""
        if self.given.get("variant") == "ffm":
            candidate = replace(candidate, rank=min(candidate.rank, MOST_FACTORS_FOR_FIELD))
        return replace(candidate, **self.given)


def chosen(samplers: Sequence[Candidate], others: Sequence[Candidate], loss: Loss) -> Candidate:
    """Return the best sampler, or the best of the others if it is better than by chance."""
    if not samplers:
        return significant(others)
    if not others or not np.isfinite(others[0].best):
        return samplers[0]
    errors = CHANCE if loss.task == "regression" else CHANCE_OF_CLASSES
    rival = plain_if_equal(others)
    if not may_be_equal(samplers[0], rival, errors):
        return significant(others)
    if rival is not others[0] and not may_be_equal(samplers[0], others[0], CHANCE_OF_FIELDS):
        return others[0]
    return samplers[0]


def sweeps_for(n_rows: int, effort: str) -> int:
    """Return the number of sweeps of a sampler in a search."""
    few = n_rows <= MANY_ROWS or effort == "thorough"
    return Gibbs.default_epochs if few else FEWER_SWEEPS


def samples_for(dataset: Dataset, rank: int) -> int:
    """Return how many samples a model of that rank may keep."""
    n_parameters = (rank + 1) * dataset.X.n_features * len(dataset.targets)
    most = min(max(BYTES_FOR_ENTRY * dataset.X.n_nonzeros, FEW_BYTES), MOST_BYTES)
    return min(most // (n_parameters * dataset.dtype.itemsize), Gibbs.samples)
