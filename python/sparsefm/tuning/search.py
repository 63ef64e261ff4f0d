"""The search for the settings that the user leaves open."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from sparsefm.data.dataset import Dataset
from sparsefm.losses import Loss
from sparsefm.sampling import Gibbs
from sparsefm.sampling.design import can_repeat
from sparsefm.training.hyperparameters import Hyperparameters
from sparsefm.training.learner import new_planner
from sparsefm.training.random import stream
from sparsefm.tuning.numbers import NumericChoice
from sparsefm.tuning.portfolio import FEW, PAIRS, PORTFOLIO, Sampling, Settings
from sparsefm.tuning.racing import (
    DECAYS,
    MAX_EPOCHS,
    Candidate,
    Race,
    may_be_equal,
    ranked,
    significant,
)
from sparsefm.tuning.schedule import stages_of
from sparsefm.tuning.splits import Split, folds, rest_of
from sparsefm.tuning.trials import Conditions, Fold

logger = logging.getLogger("sparsefm")

SEED = 0  # what is chosen depends on the data only, not on `random_state`
FEWEST_ROWS = 10  # with fewer there is no search
FOLDS = 10
VALIDATION_ROWS = 3_000  # one fold if a tenth of the rows is as many, else several
FEWEST_VALIDATION_ROWS = 1_000  # in one fold; with fewer there are two at least
FOLDS_COST, FEATURE_COST = 3_000_000, 50  # of all folds; of a feature, in entries of X
MOST_VALIDATION_ROWS = 50_000  # of the one fold
MANY_ROWS = 50_000  # with more there are fewer candidates, and fewer sweeps of each
FEWER_SWEEPS = 30
NUMERIC_RANK = 8  # of the models that encodings of numbers are compared with
NUMERIC_ENTRIES = 2_000_000  # of numbers; with more, encodings are compared on a part of the rows
NUMERIC_ROWS = 5_000  # at least
SEARCH_OUTPUTS = 6  # candidates are trained for at most so many classes
# Standard errors by which an optimizer must be better than a sampler. The best of a dozen looks
# better than it is; but samplers are too sure of classes that can nearly be told apart.
CHANCE, CHANCE_OF_CLASSES = 2.0, 1.0
WORTH_IT = 0.999  # what twice the rank must multiply the loss with
LARGEST_RANK = {"fast": 16, "thorough": 64}
FEW_BYTES, MOST_BYTES = 1 << 27, 1 << 30  # of all samples of a model
BYTES_FOR_ENTRY = 512  # of X: between these limits, so that a model does not dwarf the data
FEWEST_SAMPLES = 10  # with fewer the mean is noisy
DEFAULT_EPOCHS = 10

Encode = Callable[[NumericChoice | None], tuple[Dataset, Dataset | None]]


@dataclass(frozen=True, eq=False)
class Choice:
    """The result of a search.

    Attributes
    ----------
    settings : Hyperparameters or Sampling
    numeric : NumericChoice or None
        How columns of numbers are encoded; None if that was not open.
    stages : tuple of int
        The number of epochs at the learning rate, and at each lower one.
    record : dict of str to list
        The candidates, the best first.
    linear, pairs : float
        The lowest validation losses of a linear model, and of one with interactions.
    """

    settings: Settings
    numeric: NumericChoice | None
    stages: tuple[int, ...]
    record: dict[str, list[Any]] = field(default_factory=dict)
    linear: float = np.nan
    pairs: float = np.nan


@dataclass(frozen=True, eq=False)
class Search:
    """Chooses the settings that are open, and the number of epochs.

    Parameters
    ----------
    given : mapping
        Hyperparameters that the user set.
    epochs : int, sequence of int or None
        The number of epochs (of each stage), if the user set it.
    loss : Loss
    threads : int
    effort : {"fast", "thorough"}
    seconds : float
        After so many no more candidates are begun.
    sampling : bool
        Whether samplers may be candidates.
    report : callable
        Called with each candidate at its end.
    """

    given: Mapping[str, Any]
    epochs: int | Sequence[int] | None
    loss: Loss
    threads: int
    effort: str = "fast"
    seconds: float = np.inf
    sampling: bool = True
    report: Callable[[Candidate], None] = lambda candidate: None

    def run(self, encode: Encode, numerics: Sequence[NumericChoice]) -> Choice:
        """Search.

        Parameters
        ----------
        encode : callable
            Returns the dataset, and the validation rows or None, in an encoding of the numbers.
            Rows are the same in all encodings.
        numerics : sequence of NumericChoice
            The encodings that are open; empty if there is nothing to choose.
        """
        deadline = time.perf_counter() + self.seconds
        planner = new_planner(SEED, self.threads)
        with ThreadPoolExecutor(self.threads) as pool:
            conditions = Conditions(self.loss, planner, SEED, self.threads, deadline, pool)
            return self._run(encode, numerics, conditions)

    def _run(
        self, encode: Encode, numerics: Sequence[NumericChoice], conditions: Conditions
    ) -> Choice:
        numeric = numerics[0] if numerics else None
        dataset, validation = encode(numeric)
        n_rows = len(dataset.rows)
        can_sample = self._can_sample(dataset)
        sampling = can_sample and self._may_sample
        if self._may_sample and not can_sample:
            logger.info("samplers are left out: weights are no repetitions, or memory is short")
        if validation is None and self._has_too_few_rows(dataset):
            return self._fixed(numeric, sampling=sampling)
        splits = self._splits(dataset, validation)
        del dataset, validation  # other encodings need the memory
        tried: list[Candidate] = []
        if len(numerics) > 1:
            tried = self._numerics(encode, numerics, splits, can_sample, conditions)
            numeric = tried[0].numeric
        dataset, validation = encode(numeric)
        conditions.planner.keep_only(dataset)
        parts = [_some_outputs(split.fold(dataset, validation)) for split in splits]
        race = self._race(parts, numeric, conditions)
        n_training, late = len(parts[0].training.rows), time.perf_counter() >= conditions.deadline
        known = [one for one in tried[:1] if one.samples and (late or one.rows == n_training)]
        samplers = self._samplers(race, dataset, known) if sampling else []
        others = self._optimizers(race, samplers, n_rows)
        if samplers and others and others[0].best < samplers[0].best:
            samplers = self._completed(race, samplers, others[0].best)
        best = self._chosen(samplers, others)
        if not best.samples and self._varies(n_rows):
            others = ranked([*race.vary(others[0], self.given), *others[1:]])
            best = significant(others)
        for winner in (best, *tried[:1]):
            winner.outcome = "chosen"
        settings, record = best.settings, _record(ranked([*samplers, *others]), tried)
        figures = _figures([*samplers, *others])
        if isinstance(settings, Sampling):
            settings = replace(settings, epochs=Gibbs.default_epochs)
            return Choice(settings, numeric, (settings.epochs,), record, **figures)
        if self.epochs is not None:
            return Choice(settings, numeric, stages_of(self.epochs), record, **figures)
        decays = DECAYS if "solver" not in self.given else 0
        return Choice(settings, numeric, race.stages(settings, decays), record, **figures)

    # --- candidates -----------------------------------------------------------------------------

    def _fixed(self, numeric: NumericChoice | None, *, sampling: bool) -> Choice:
        """Return settings for rows that are too few to search with."""
        if sampling:
            few = Sampling(
                self.given.get("rank", 0 if self.loss.task != "ordinal" else NUMERIC_RANK)
            )
            return Choice(few, numeric, (few.epochs,))
        chosen = replace(Hyperparameters(), **self.given)
        return Choice(chosen, numeric, stages_of(self.epochs or DEFAULT_EPOCHS))

    def _numerics(
        self,
        encode: Encode,
        numerics: Sequence[NumericChoice],
        splits: Sequence[Split],
        sampling: bool,
        conditions: Conditions,
    ) -> list[Candidate]:
        """Train a model with each encoding; return candidates, the chosen one first.

        It is the first whose loss is higher than the lowest by at most a standard error.
        """
        dataset, _ = encode(None)
        n_rows = len(dataset.rows)
        entrant: Settings = replace(PAIRS, **self.given)
        if sampling:
            entrant = Sampling(self.given.get("rank", NUMERIC_RANK), epochs=self._sweeps(n_rows))
        most = max(NUMERIC_ENTRIES * n_rows // max(dataset.X.n_nonzeros, 1), NUMERIC_ROWS)
        splits = [split.smaller(n_rows, most) for split in splits]
        tried: list[Candidate] = []
        del dataset
        for numeric in numerics:
            parts = [_some_outputs(split.fold(*encode(numeric))) for split in splits]
            leader = min((candidate.best for candidate in tried), default=np.inf)
            tried += self._race(parts, numeric, conditions).run([entrant], leader)
        best = min(tried, key=lambda candidate: candidate.best)
        simple = next(one for one in tried if may_be_equal(one, best))
        return [simple, *ranked(one for one in tried if one is not simple)]

    def _samplers(self, race: Race, dataset: Dataset, known: list[Candidate]) -> list[Candidate]:
        """Try samplers of growing rank, and the linear one, and return the best first.

        One may be known already. Interactions must be worth it.
        """
        sweeps = self._sweeps(len(dataset.rows))

        def sampling(rank: int) -> Sampling:
            return Sampling(rank, epochs=sweeps)

        if "rank" in self.given:
            return known or race.run([sampling(self.given["rank"])])
        tried = known or race.run([sampling(NUMERIC_RANK)])
        tried = ranked([*tried, *race.run([sampling(0)], tried[0].best)])
        rank = 2 * NUMERIC_RANK
        while rank <= LARGEST_RANK[self.effort] and samples_for(dataset, rank) >= FEWEST_SAMPLES:
            if tried[0].settings.rank != rank // 2:
                break
            before = tried[0].best
            tried = ranked([*tried, *race.run([sampling(rank)], before)])
            if not tried[0].best < WORTH_IT * before:
                break
            rank *= 2
        linear = next((one for one in tried if one.settings.rank == 0), None)
        if linear is None or tried[0].best < WORTH_IT * linear.best:
            return tried
        return [linear, *(one for one in tried if one is not linear)]

    def _completed(self, race: Race, samplers: list[Candidate], leader: float) -> list[Candidate]:
        """Give the best sampler all its sweeps, if it had fewer and others are ahead."""
        best = samplers[0].settings
        if not isinstance(best, Sampling) or best.epochs == Gibbs.default_epochs:
            return samplers
        complete = replace(best, epochs=Gibbs.default_epochs)
        return ranked([*samplers, *race.run([complete], leader)])

    def _optimizers(
        self, race: Race, samplers: Sequence[Candidate], n_rows: int
    ) -> list[Candidate]:
        """Try the portfolio."""
        if self.loss.task == "ordinal":
            return []
        few = bool(samplers) and n_rows > MANY_ROWS and self.effort == "fast"
        entrants = self._portfolio(few=few)
        if len(entrants) == 1 and not samplers:
            return [Candidate(entrants[0], n_rows, race.numeric, outcome="only one")]
        leader = samplers[0].best if samplers else np.inf
        return replace(race, patient=not samplers).run(entrants, leader)

    def _varies(self, n_rows: int) -> bool:
        """Return whether the best candidate is varied."""
        return "solver" not in self.given and (n_rows <= MANY_ROWS or self.effort == "thorough")

    def _portfolio(self, *, few: bool) -> list[Hyperparameters]:
        """Return candidates, with the given hyperparameters in place."""
        solver = self.given.get("solver")
        fitting = [
            replace(candidate, **self.given)
            for candidate in (FEW if few and solver is None else PORTFOLIO)
            if solver is None or candidate.solver.name == solver.name
        ]
        return list(dict.fromkeys(fitting)) or [replace(Hyperparameters(), **self.given)]

    def _chosen(self, samplers: Sequence[Candidate], others: Sequence[Candidate]) -> Candidate:
        """Return the best sampler, or the best of the others if it is better than by chance."""
        if not samplers:
            return significant(others)
        if not others or not np.isfinite(others[0].best):
            return samplers[0]
        errors = CHANCE if self.loss.task == "regression" else CHANCE_OF_CLASSES
        if not may_be_equal(samplers[0], others[0], errors):
            return significant(others)
        return samplers[0]

    @property
    def _may_sample(self) -> bool:
        """Whether samplers are candidates, where they can be."""
        return self.sampling and may_sample(self.given, self.epochs, self.loss)

    def _can_sample(self, dataset: Dataset) -> bool:
        """Return whether there are samplers for these data."""
        if dataset.X.n_nonzeros == 0:
            return False
        if self.loss.task == "ordinal":
            return True
        if self.loss.name not in Gibbs.losses:
            return False
        if self.loss.task != "regression" and not can_repeat(dataset.weights_of(dataset.rows)):
            return False
        return samples_for(dataset, self.given.get("rank", NUMERIC_RANK)) >= FEWEST_SAMPLES

    def _sweeps(self, n_rows: int) -> int:
        few = n_rows <= MANY_ROWS or self.effort == "thorough"
        return Gibbs.default_epochs if few else FEWER_SWEEPS

    def _has_too_few_rows(self, dataset: Dataset) -> bool:
        """Return whether there can be no folds; every ordered class must be in each of them."""
        if len(dataset.rows) < FEWEST_ROWS:
            return True
        if self.loss.task != "ordinal":
            return False
        return bool(np.unique(dataset.y[dataset.rows], return_counts=True)[1].min() < 2)

    # --- rows -----------------------------------------------------------------------------------

    def _splits(self, dataset: Dataset, validation: Dataset | None) -> list[Split]:
        """Return the folds; several if there are few validation rows."""
        if validation is not None:
            return [Split()]
        random, n_rows = stream(SEED, "splits"), len(dataset.rows)
        n_parts = max(FOLDS, -(-n_rows // MOST_VALIDATION_ROWS))
        parts = folds(dataset, n_parts, random, stratify=self.loss.task != "regression")
        n_scored = max(len(parts[0]), 1) * min(len(dataset.targets), SEARCH_OUTPUTS)
        # As many as give enough validation rows, but no more than can be afforded.
        cost = dataset.X.n_nonzeros + FEATURE_COST * len(dataset.used_features)
        fewest = 2 if n_scored < FEWEST_VALIDATION_ROWS else 1
        most = max(FOLDS_COST // max(cost, 1), fewest)
        n_folds = int(np.clip(VALIDATION_ROWS // n_scored, 1, min(most, FOLDS)))
        return [Split(rest_of(parts, fold), np.sort(parts[fold])) for fold in range(n_folds)]

    def _race(
        self, parts: Sequence[Fold], numeric: NumericChoice | None, conditions: Conditions
    ) -> Race:
        return Race(
            parts,
            conditions,
            MAX_EPOCHS if self.epochs is None else sum(stages_of(self.epochs)),
            numeric,
            self.report,
        )


def may_sample(given: Mapping[str, Any], epochs: Any, loss: Loss) -> bool:
    """Return whether what the user set leaves room for a sampler."""
    return not given.keys() - {"rank"} and epochs is None and loss.name in Gibbs.losses


def samples_for(dataset: Dataset, rank: int) -> int:
    """Return how many samples a model of that rank may keep."""
    n_parameters = (rank + 1) * dataset.X.n_features * len(dataset.targets)
    most = min(max(BYTES_FOR_ENTRY * dataset.X.n_nonzeros, FEW_BYTES), MOST_BYTES)
    return min(most // (n_parameters * dataset.dtype.itemsize), Gibbs.samples)


def _some_outputs(fold: Fold) -> Fold:
    """Return a fold with at most `SEARCH_OUTPUTS` outputs; all outputs share settings."""
    n_outputs = len(fold.training.targets)
    some = np.unique(np.linspace(0, n_outputs - 1, SEARCH_OUTPUTS).astype(int))
    training, validation = (
        replace(part, targets=tuple(part.targets[output] for output in some))
        for part in (fold.training, fold.validation)
    )
    return Fold(training, validation)


def _figures(candidates: Sequence[Candidate]) -> dict[str, float]:
    """Return the lowest losses without and with interactions."""
    linear = [one.best for one in candidates if one.settings.rank == 0]
    pairs = [one.best for one in candidates if one.settings.rank > 0]
    return {"linear": min(linear, default=np.nan), "pairs": min(pairs, default=np.nan)}


def _record(models: Sequence[Candidate], numerics: Sequence[Candidate]) -> dict[str, list[Any]]:
    """Return a table of the candidates: those for the model, then those for the encoding."""
    candidates = [*models, *numerics]
    settings = [candidate.settings for candidate in candidates]
    return {
        "stage": ["model"] * len(models) + ["encoding"] * len(numerics),
        "numeric": [str(one.numeric) if one.numeric else "" for one in candidates],
        "solver": [str(one.solver) for one in settings],
        "rank": [one.rank for one in settings],
        "init": [getattr(one, "init", "normal") for one in settings],
        "init_scale": [getattr(one, "init_scale", None) for one in settings],
        "rows": [one.rows for one in candidates],
        "epochs": [one.epochs for one in candidates],
        "loss": [one.best for one in candidates],
        "seconds": [one.seconds for one in candidates],
        "outcome": [one.outcome for one in candidates],
        "losses": [one.losses for one in candidates],
    }
