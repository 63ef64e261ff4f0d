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
from sparsefm.optimizers import Optimizer
from sparsefm.sampling import Gibbs
from sparsefm.sampling.design import can_repeat
from sparsefm.training.hyperparameters import Hyperparameters
from sparsefm.training.learner import new_planner
from sparsefm.training.random import stream
from sparsefm.training.start import VARIANTS
from sparsefm.tuning.classes import (
    SEARCH_OUTPUTS,
    of_all_classes,
    some_outputs,
)
from sparsefm.tuning.contest import (
    FEWEST_SAMPLES,
    FIRST_RANK,
    Optimizers,
    Samplers,
    chosen,
    samples_for,
    sweeps_for,
)
from sparsefm.tuning.numbers import NumericChoice
from sparsefm.tuning.portfolio import PAIRS, Sampling, Settings
from sparsefm.tuning.racing import (
    DECAYS,
    MAX_EPOCHS,
    Candidate,
    Race,
    may_be_equal,
    plain_if_equal,
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
NUMERIC_ENTRIES = 2_000_000  # of numbers; with more, encodings are compared on a part of the rows
NUMERIC_ROWS = 5_000  # at least
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
    loss : Loss
        Another than that of the search if one model of all classes was chosen.
    linear, pairs : float
        The lowest validation losses of a linear model, and of one with interactions.
    """

    settings: Settings
    numeric: NumericChoice | None
    stages: tuple[int, ...]
    loss: Loss
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
    loss_of_all : Loss or None
        With several classes, the loss of one model of all classes, if it is a candidate too.
    report : callable
        Called with each candidate at its end.
    kind : type of Optimizer
        Only such are candidates.
    """

    given: Mapping[str, Any]
    epochs: int | Sequence[int] | None
    loss: Loss
    threads: int
    effort: str = "fast"
    seconds: float = np.inf
    sampling: bool = True
    loss_of_all: Loss | None = None
    report: Callable[[Candidate], None] = lambda candidate: None
    kind: type[Optimizer] = Optimizer

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
        parts = [split.fold(dataset, validation) for split in splits]
        race, found = self._contest(parts, dataset, numeric, conditions, tried, sampling=sampling)
        best = found[0]
        for winner in (best, *tried[:1]):
            winner.outcome = "chosen"
        settings, record, figures = best.settings, _record(ranked(found), tried), _figures(found)
        if isinstance(settings, Sampling):
            settings = replace(settings, epochs=Gibbs.default_epochs)
            return Choice(settings, numeric, (settings.epochs,), self.loss, record, **figures)
        loss = race.conditions.loss
        if self.epochs is not None:
            return Choice(settings, numeric, stages_of(self.epochs), loss, record, **figures)
        decays = DECAYS if "solver" not in self.given else 0
        return Choice(settings, numeric, race.stages(settings, decays), loss, record, **figures)

    # --- candidates -----------------------------------------------------------------------------

    def _contest(
        self,
        parts: Sequence[Fold],
        dataset: Dataset,
        numeric: NumericChoice | None,
        conditions: Conditions,
        tried: Sequence[Candidate],
        *,
        sampling: bool,
    ) -> tuple[Race, list[Candidate]]:
        """Return the race of the optimizers, and all candidates, the chosen one first.

        With several classes samplers have an output for each class against the rest. Optimizers
        train one model of all classes, unless the user set another loss.
        """
        late, n_rows = time.perf_counter() >= conditions.deadline, len(parts[0].training.rows)
        known = [one for one in tried[:1] if one.samples and (late or one.rows == n_rows)]
        race = self._race(list(map(some_outputs, parts)), numeric, conditions)
        sampler = Samplers(race, dataset, self.given, self.effort)
        samplers = sampler.run(known) if sampling else []
        if self.loss_of_all is not None:
            # Now with all outputs, to be compared: in time, or there are no optimizers.
            late = time.perf_counter() >= conditions.deadline
            if samplers and len(dataset.targets) > SEARCH_OUTPUTS and not late:
                sampler = replace(sampler, race=self._race(parts, numeric, conditions))
                samplers = sampler.race.run([samplers[0].settings])
            conditions = replace(conditions, loss=self.loss_of_all)
            race = self._race(list(map(of_all_classes, parts)), numeric, conditions)
        optimizer = Optimizers(race, dataset, self.given, self.effort, self.kind)
        others = optimizer.run(samplers) if self.loss.task != "ordinal" else []
        if samplers and others:
            samplers = sampler.complete(samplers, others[0].best)
        varied = bool(others) and plain_if_equal(others).variant != VARIANTS[0]
        if varied:  # fields have weights, which no sampler has: compare the best of these
            others = optimizer.vary(others)
        best = chosen(samplers, others, self.loss)
        if not best.samples and not varied:
            others = optimizer.vary(others)
            best = significant(others)
        return race, [best, *(one for one in [*samplers, *others] if one is not best)]

    def _fixed(self, numeric: NumericChoice | None, *, sampling: bool) -> Choice:
        """Return settings for rows that are too few to search with."""
        if sampling:
            rank = 0 if self.loss.task != "ordinal" else FIRST_RANK
            few = Sampling(self.given.get("rank", rank))
            return Choice(few, numeric, (few.epochs,), self.loss)
        chosen = replace(Hyperparameters(), **self.given)
        return Choice(chosen, numeric, stages_of(self.epochs or DEFAULT_EPOCHS), self.loss)

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
            sweeps = sweeps_for(n_rows, self.effort)
            entrant = Sampling(self.given.get("rank", FIRST_RANK), epochs=sweeps)
        most = max(NUMERIC_ENTRIES * n_rows // max(dataset.X.n_nonzeros, 1), NUMERIC_ROWS)
        splits = [split.smaller(n_rows, most) for split in splits]
        tried: list[Candidate] = []
        if not sampling and self.loss_of_all is not None:
            conditions = replace(conditions, loss=self.loss_of_all)
        del dataset
        for numeric in numerics:
            parts = [split.fold(*encode(numeric)) for split in splits]
            few = some_outputs if sampling or self.loss_of_all is None else of_all_classes
            parts = list(map(few, parts))
            leader = min((candidate.best for candidate in tried), default=np.inf)
            tried += self._race(parts, numeric, conditions).run([entrant], leader)
        best = min(tried, key=lambda candidate: candidate.best)
        simple = next(one for one in tried if may_be_equal(one, best))
        return [simple, *ranked(one for one in tried if one is not simple)]

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
        if self.loss.name not in Gibbs._losses:
            return False
        if self.loss.task != "regression" and not can_repeat(dataset.weights_of(dataset.rows)):
            return False
        return samples_for(dataset, self.given.get("rank", FIRST_RANK)) >= FEWEST_SAMPLES

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
        n_scores = dataset.n_classes if self.loss.task == "classes" else len(dataset.targets)
        n_scored = max(len(parts[0]), 1) * min(n_scores, SEARCH_OUTPUTS)
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
    is_plain = given.get("variant", VARIANTS[0]) == VARIANTS[0]
    others = given.keys() - {"rank", "variant"}
    return is_plain and not others and epochs is None and loss.name in Gibbs._losses


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
        "objective": [one.objective for one in candidates],
        "solver": [str(one.solver) for one in settings],
        "rank": [one.rank for one in settings],
        "variant": [one.variant for one in candidates],
        "init": [getattr(one, "init", "normal") for one in settings],
        "init_scale": [getattr(one, "init_scale", None) for one in settings],
        "rows": [one.rows for one in candidates],
        "epochs": [one.epochs for one in candidates],
        "loss": [one.best for one in candidates],
        "seconds": [one.seconds for one in candidates],
        "outcome": [one.outcome for one in candidates],
        "losses": [one.losses for one in candidates],
    }
