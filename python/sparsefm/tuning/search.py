"""What is left open of the settings is chosen here: which rows judge, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sparsefm.data.canonical import Examples
from sparsefm.losses import Loss
from sparsefm.training.learner import Machines
from sparsefm.training.trainer import Trainer
from sparsefm.tuning.hyperparameters import DEFAULT, PORTFOLIO, Settings
from sparsefm.tuning.racing import COOLINGS, MAX_EPOCHS, Candidate, Race, significant

FEWEST_ROWS = 10  # with fewer nothing is judged
FOLDS = 10
JUDGED_ROWS = 2_000  # one fold where a tenth of the rows is as many, else several
RACE_ROWS = 50_000  # no more take part in the race
MOST_JUDGES = 20_000  # of more rows than that
RACE_MACHINES = 6  # of more than two classes
HELD_OUT = 0.1  # of more rows than take part, to choose the number of epochs by
DEFAULT_EPOCHS = 10

Split = tuple[Examples, Examples]  # to train on, to judge by


@dataclass(frozen=True, eq=False)
class Choice:
    """What a search found.

    Attributes
    ----------
    settings : Settings
    schedule : tuple of int
        How many epochs to run at the learning rate, at a lower one, and so on.
    record : dict of str to list
        The candidates, the best first: settings, validation loss and number of epochs.
    """

    settings: Settings
    schedule: tuple[int, ...]
    record: dict[str, list[Any]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Search:
    """Finds settings and for how many epochs to train.

    Parameters
    ----------
    given : mapping
        Settings that the user asked for.
    epochs : int or None
        As asked for.
    loss : Loss
    seed : int
    threads : int
    """

    given: Mapping[str, Any]
    epochs: int | None
    loss: Loss
    seed: int
    threads: int

    def run(self, examples: Examples, validation: Examples | None) -> Choice:
        """Search; judge by the validation examples, or by parts of `examples` if there are none."""
        n_rows = len(examples.counted)
        if n_rows < FEWEST_ROWS and validation is None:
            return Choice(DEFAULT.fixed(self.given), (self.epochs or DEFAULT_EPOCHS,))
        random = np.random.default_rng((self.seed, 0))
        splits = self._splits(examples, validation, random)
        candidates = self._candidates()
        record: dict[str, list[Any]] = {}
        if len(candidates) > 1:
            race = self._race(splits)
            ranked = race.run(candidates)
            if "solver" not in self.given:
                ranked = race.vary(ranked, self.given)
            candidates, record = [significant(ranked).settings], _record(ranked)
        if self.epochs is not None:
            return Choice(candidates[0], (self.epochs,), record)
        if n_rows > RACE_ROWS:
            splits = [(examples, validation) if validation else self._held_out(examples, random)]
        coolings = COOLINGS if "solver" not in self.given else 0
        return Choice(candidates[0], self._race(splits).schedule(candidates[0], coolings), record)

    def _candidates(self) -> list[Settings]:
        """Return settings to try, the given ones in place."""
        solver = self.given.get("solver")
        fitting = [
            settings.fixed(self.given)
            for settings in PORTFOLIO
            if solver is None or settings.solver.name == solver.name
        ]
        return list(dict.fromkeys(fitting))

    def _splits(
        self, examples: Examples, validation: Examples | None, random: np.random.Generator
    ) -> list[Split]:
        """Return what to train on and to judge by; in several ways if that is few rows."""
        n_rows = len(examples.counted)
        if n_rows > RACE_ROWS:
            places = random.permutation(n_rows)
            n_judges = min(MOST_JUDGES, n_rows // 5) if validation is None else 0
            judges, racing = np.split(places[: n_judges + RACE_ROWS], [n_judges])
            return [(examples.choose(racing), validation or examples.take(judges))]
        if validation is not None:
            return [(examples, validation)]
        parts = examples.parts(FOLDS, random, stratify=self._stratify)
        n_judged = max(len(parts[0]), 1) * min(len(examples.rows), RACE_MACHINES)
        n_folds = int(np.clip(JUDGED_ROWS // n_judged, 1, FOLDS))
        return [
            (
                examples.choose(np.concatenate(parts[:fold] + parts[fold + 1 :])),
                examples.take(parts[fold]),
            )
            for fold in range(n_folds)
        ]

    def _held_out(self, examples: Examples, random: np.random.Generator) -> Split:
        train, held_out = examples.split(HELD_OUT, random, stratify=self._stratify)
        return examples.choose(train), examples.take(held_out)

    @property
    def _stratify(self) -> bool:
        return self.loss.task == "binary"

    def _race(self, splits: Sequence[Split]) -> Race:
        def new_trainers(settings: Settings) -> list[Trainer]:
            trainers: list[Trainer] = []
            for train, _ in splits:
                machines = Machines.begin(settings, self.loss, train.rows, self.seed)
                trainers += machines.trainers(train.rows, self.threads)
            return trainers

        splits = [_some_machines(split) for split in splits]
        validations = [rows for _, judge in splits for rows in judge.rows]
        return Race(new_trainers, validations, self.threads, self.epochs or MAX_EPOCHS)


def _some_machines(split: Split) -> Split:
    """Leave out machines, of many, that would tell much the same: settings are those of all."""
    n_machines = len(split[0].rows)
    some = np.unique(np.linspace(0, n_machines - 1, RACE_MACHINES).astype(int))
    train, judge = (Examples([part.rows[m] for m in some], part.y) for part in split)
    return train, judge


def _record(ranked: Sequence[Candidate]) -> dict[str, list[Any]]:
    return {
        "solver": [str(candidate.settings.solver) for candidate in ranked],
        "rank": [candidate.settings.rank for candidate in ranked],
        "init": [candidate.settings.init for candidate in ranked],
        "init_scale": [candidate.settings.init_scale for candidate in ranked],
        "loss": [candidate.best for candidate in ranked],
        "epochs": [candidate.epochs for candidate in ranked],
    }
