"""The search for the hyperparameters that the user leaves open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from sparsefm.data.dataset import Dataset
from sparsefm.data.plan import Planner
from sparsefm.losses import Loss
from sparsefm.training.hyperparameters import Hyperparameters
from sparsefm.training.random import stream
from sparsefm.tuning.portfolio import PORTFOLIO
from sparsefm.tuning.racing import DECAYS, MAX_EPOCHS, Candidate, Fold, Race, significant
from sparsefm.tuning.splits import folds, split

FEWEST_ROWS = 10  # with fewer there is no search
FOLDS = 10
VALIDATION_ROWS = 2_000  # one fold if a tenth of the rows is as many, else several
RACE_ROWS = 50_000  # with more rows, candidates are trained on a sample of so many
MOST_VALIDATION_ROWS = 20_000  # and scored on up to so many other rows
RACE_OUTPUTS = 6  # candidates are trained for at most so many classes
HELD_OUT = 0.1  # share of the rows that chooses the epochs, with more than RACE_ROWS
DEFAULT_EPOCHS = 10


@dataclass(frozen=True, eq=False)
class Choice:
    """The result of a search.

    Attributes
    ----------
    hyperparameters : Hyperparameters
    stages : tuple of int
        The number of epochs at the learning rate, and at each lower one.
    record : dict of str to list
        The candidates, the best first: hyperparameters, validation loss and number of epochs.
    """

    hyperparameters: Hyperparameters
    stages: tuple[int, ...]
    record: dict[str, list[Any]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Search:
    """Chooses the hyperparameters that are open, and the number of epochs.

    Parameters
    ----------
    given : mapping
        Hyperparameters that the user set.
    epochs : int or None
        The number of epochs, if the user set it.
    loss : Loss
    planner : Planner
    seed : int
    threads : int
    """

    given: Mapping[str, Any]
    epochs: int | None
    loss: Loss
    planner: Planner
    seed: int
    threads: int

    def run(self, dataset: Dataset, validation: Dataset | None) -> Choice:
        """Search; score candidates on `validation`, or on parts of `dataset` if it is None."""
        n_rows = len(dataset.rows)
        if n_rows < FEWEST_ROWS and validation is None:
            chosen = replace(Hyperparameters(), **self.given)
            return Choice(chosen, (self.epochs or DEFAULT_EPOCHS,))
        random = stream(self.seed, "splits")
        parts = self._folds(dataset, validation, random)
        candidates = self._candidates()
        record: dict[str, list[Any]] = {}
        if len(candidates) > 1:
            race = self._race(parts)
            ranked = race.run(candidates)
            if "solver" not in self.given:
                ranked = race.vary(ranked, self.given)
            candidates, record = [significant(ranked).hyperparameters], _record(ranked)
        if self.epochs is not None:
            return Choice(candidates[0], (self.epochs,), record)
        if n_rows > RACE_ROWS:
            parts = [Fold(dataset, validation) if validation else self._held_out(dataset, random)]
        decays = DECAYS if "solver" not in self.given else 0
        return Choice(candidates[0], self._race(parts).stages(candidates[0], decays), record)

    def _candidates(self) -> list[Hyperparameters]:
        """Return the candidates, with the given hyperparameters in place."""
        solver = self.given.get("solver")
        fitting = [
            replace(candidate, **self.given)
            for candidate in PORTFOLIO
            if solver is None or candidate.solver.name == solver.name
        ]
        return list(dict.fromkeys(fitting)) or [replace(Hyperparameters(), **self.given)]

    def _folds(
        self, dataset: Dataset, validation: Dataset | None, random: np.random.Generator
    ) -> list[Fold]:
        """Return the folds; several if there are few validation rows."""
        n_rows = len(dataset.rows)
        if n_rows > RACE_ROWS:
            places = random.permutation(n_rows)
            n_scored = min(MOST_VALIDATION_ROWS, n_rows // 5) if validation is None else 0
            scored, trained = np.split(places[: n_scored + RACE_ROWS], [n_scored])
            return [Fold(dataset.choose(trained), validation or dataset.take(np.sort(scored)))]
        if validation is not None:
            return [Fold(dataset, validation)]
        parts = folds(dataset, FOLDS, random, stratify=self._stratify)
        n_scored = max(len(parts[0]), 1) * min(len(dataset.targets), RACE_OUTPUTS)
        n_folds = int(np.clip(VALIDATION_ROWS // n_scored, 1, FOLDS))
        return [
            Fold(
                dataset.choose(np.concatenate(parts[:fold] + parts[fold + 1 :])),
                dataset.take(np.sort(parts[fold])),
            )
            for fold in range(n_folds)
        ]

    def _held_out(self, dataset: Dataset, random: np.random.Generator) -> Fold:
        return Fold(*split(dataset, HELD_OUT, random, stratify=self._stratify))

    @property
    def _stratify(self) -> bool:
        return self.loss.task == "binary"

    def _race(self, parts: Sequence[Fold]) -> Race:
        return Race(
            [_some_outputs(part) for part in parts],
            self.loss,
            self.planner,
            self.seed,
            self.threads,
            self.epochs or MAX_EPOCHS,
        )


def _some_outputs(fold: Fold) -> Fold:
    """Return a fold with at most `RACE_OUTPUTS` outputs; all outputs share hyperparameters."""
    n_outputs = len(fold.training.targets)
    some = np.unique(np.linspace(0, n_outputs - 1, RACE_OUTPUTS).astype(int))
    training, validation = (
        replace(part, targets=tuple(part.targets[output] for output in some))
        for part in (fold.training, fold.validation)
    )
    return Fold(training, validation)


def _record(ranked: Sequence[Candidate]) -> dict[str, list[Any]]:
    chosen = [candidate.hyperparameters for candidate in ranked]
    return {
        "solver": [str(one.solver) for one in chosen],
        "rank": [one.rank for one in chosen],
        "init": [one.init for one in chosen],
        "init_scale": [one.init_scale for one in chosen],
        "loss": [candidate.best for candidate in ranked],
        "epochs": [candidate.epochs for candidate in ranked],
    }
