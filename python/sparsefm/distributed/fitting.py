"""Fitting an estimator on rows that an engine holds.

What must be known of all rows is found where they are: the distinct values of columns, of which the
encoding is made; a sample, on which settings are chosen; and the sums of `Summary`. Then rows are
encoded, each is sent to its partition, and training runs in rounds.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import clone

from sparsefm.data.dataset import Dataset
from sparsefm.distributed.columns import Columns
from sparsefm.distributed.counts import VALUE, WEIGHT, Counting, Counts
from sparsefm.distributed.encoded import Cut, Encoder, assemble
from sparsefm.distributed.engine import Engine
from sparsefm.distributed.gathering import check_bytes, check_held_out, validation_rows
from sparsefm.distributed.parts import Cells, Tables
from sparsefm.distributed.run import DistributedRun
from sparsefm.distributed.sample import SAMPLE_ROWS, draw
from sparsefm.distributed.sampling import sample, sampling_of
from sparsefm.distributed.settings import Rounds, partitions_for
from sparsefm.distributed.units import least_rows_of_a_round, refuse
from sparsefm.encoding import TableEncoder
from sparsefm.encoding.counted import fit_counted, fit_counted_matrix
from sparsefm.encoding.settings import position_of, weights_of
from sparsefm.estimators.going_on import parameters_of
from sparsefm.estimators.parameters import check_fraction, check_parameters
from sparsefm.estimators.resuming import choice_to_json, chosen_before, resumption_of
from sparsefm.estimators.targets import Classes
from sparsefm.estimators.views import Views
from sparsefm.estimators.weighting import SAMPLE_SIZE, sample_of
from sparsefm.evaluation.scoring import RankingScorer
from sparsefm.history import as_columns
from sparsefm.optimizers import AdaGrad
from sparsefm.sampling import Sweeper
from sparsefm.training.hyperparameters import Hyperparameters
from sparsefm.training.learner import Learner
from sparsefm.training.loop import announcer
from sparsefm.training.start import DEFAULT_SCALE
from sparsefm.tuning.portfolio import Sampling
from sparsefm.tuning.schedule import RATE_DECAY, StagedRate, stages_of
from sparsefm.tuning.search import DEFAULT_EPOCHS, Choice


def fit(
    estimator: Any,
    tables: Tables,
    columns: Columns,
    *,
    rounds: Rounds | None = None,
    n_partitions: int | None = None,
    n_workers: int = 1,
    resume: Any = None,
) -> Any:
    """Fit an estimator on the rows of tables.

    Settings that are left open are chosen on this node, on at most 100,000 of the rows. Then all
    rows are trained on, in rounds, by `AdaGrad` unless the estimator has `Adam`. With `Gibbs` or
    `ALS`, tasks have a copy of all rows, each for some of the chains.

    Parameters
    ----------
    estimator : FMRegressor or FMClassifier
    tables : Tables
    columns : Columns
    rounds : Rounds, optional
    n_partitions : int, optional
        By how many the rows are divided, or fewer if that leaves a partition less than 1,600 rows.
        The result depends on it, not on who works on them. Default: one for each worker, or fewer
        if that leaves a partition less than ten million rows.
    n_workers : int
        How many partitions can be worked on at a time.
    resume : str or path-like, optional
        See `FMRegressor.fit`; a checkpoint of the same rows, partitions and rounds.

    Returns
    -------
    FMRegressor or FMClassifier
        The estimator, fitted.
    """
    rounds = Rounds() if rounds is None else rounds
    if not isinstance(rounds, Rounds):
        raise TypeError(f"rounds must be like Rounds(per_epoch=16), got {rounds!r:.80}")
    fitted = _unfitted(estimator)
    divided = partial(partitions_for, asked=n_partitions, n_workers=n_workers, rounds=rounds)
    _Fit(fitted, tables, columns, rounds, divided, n_partitions or n_workers).run(resume)
    stale = vars(estimator).keys() - vars(fitted).keys()
    vars(estimator).update(vars(fitted))
    for name in stale:  # what an earlier fit left
        delattr(estimator, name)
    return estimator


class _Fit:
    """A fit, in the order of its steps."""

    def __init__(
        self,
        estimator: Any,
        tables: Tables,
        columns: Columns,
        rounds: Rounds,
        partitions_of: Callable[[int], int],
        n_tasks: int,
    ) -> None:
        self.given = check_parameters(estimator)
        _refuse(estimator)
        self.estimator, self.tables, self.columns = estimator, tables, columns
        self.rounds, self.partitions_of, self.n_tasks = rounds, partitions_of, n_tasks
        self.seed = estimator._seed()
        self.fraction = self.first = None
        if columns.validation is None and estimator.validation_fraction is not None:
            self.fraction = check_fraction(estimator.validation_fraction)

    def run(self, resume: Any) -> None:
        """Run all steps; the estimator is fitted then."""
        owner = self.estimator
        owner._resumption = resumption_of(owner, resume)
        counts = self._count()
        self._learn_target(counts)
        searching = owner._has_open_settings(self.given)
        choice = chosen_before(owner._resumption, owner.epochs) if searching else None
        open_encoder = TableEncoder() if owner.encoder is None else clone(owner.encoder)
        first = clone(open_encoder)
        if searching and isinstance(first.clip, str):
            first.clip = False  # different numbers stay different, until one is chosen
        self._learn_columns(counts, first)
        size = SAMPLE_ROWS if searching else SAMPLE_SIZE
        drawn = draw(self.tables, self._encoder(counts), size)
        if searching and choice is None:
            choice = self._choose(drawn)
        if choice is not None:
            owner._resumption.choice = choice_to_json(choice)
            self._adopt(choice, open_encoder, counts)
        encoder = self._encoder(counts)
        known = encoder.dataset(drawn)
        owner._sample = sample_of(known.X, known.rows, None)
        sampling = sampling_of(owner, choice)
        if sampling is not None:
            self._sample(sampling, encoder, counts, known)
        else:
            self._train(encoder, counts, known, choice)
        del owner._resumption
        owner._fitted_with = parameters_of(owner)

    # --- what is learned from all rows -----------------------------------------------------------

    def _count(self) -> Counts:
        """Return the distinct values of all columns."""
        encoder = TableEncoder() if self.estimator.encoder is None else self.estimator.encoder
        names = list(self.columns.features)
        exact, hashed = (
            frozenset(names[position_of(key, parameter, names)] for key in keys or ())
            for parameter, keys in (
                ("categorical", encoder.categorical),
                ("hashed", encoder.hashed),
            )
        )
        weighted = {names[lists]: names[own] for lists, own in weights_of(encoder, names).items()}
        single = hashed | frozenset(weighted.values())
        classes = self.estimator._loss.task != "regression"
        counting = Counting(self.columns, exact, classes, single, weighted)
        found = self.tables.reduce(counting.of, counting.joined)
        if found is None or found.n_rows == 0:
            raise ValueError("there are no rows (of positive weight) to train on")
        if self.columns.validation is not None and found.n_scored == 0:
            raise ValueError(
                f"column {self.columns.validation!r} is true in no row: there are none for "
                "validation"
            )
        return found

    def _learn_target(self, known: Counts) -> None:
        """Fit the encoding of targets."""
        owner = self.estimator
        values = known.target.column(VALUE).to_numpy()
        weights = known.target.column(WEIGHT).to_numpy()
        y = owner._check_y(values)
        if owner._loss.task != "regression":
            owner._announced = Classes.labels_of(y, weights)
        owner._target = owner._new_target(y, weights / weights.max())
        owner.__dict__.pop("_announced", None)

    def _learn_columns(self, known: Counts, encoder: TableEncoder) -> None:
        """Fit an encoder, and make it that of the estimator."""
        owner = self.estimator
        owner.encoder_ = self._fitted(encoder.set_params(dtype=owner.dtype), known)
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(owner.encoder_, name):
                setattr(owner, name, getattr(owner.encoder_, name))
        owner._find_fields(None, "rows that are divided do not tell")

    def _fitted(self, encoder: TableEncoder, known: Counts) -> TableEncoder:
        """Fit an encoder."""
        if known.matrix is not None:
            fit_counted_matrix(encoder, known.matrix, known.of_matrix)
        else:
            named = zip(self.columns.features, known.features, strict=True)
            distinct = {
                name: (one.column(VALUE), one.column(WEIGHT).to_numpy()) for name, one in named
            }
            fit_counted(encoder, distinct, are_named=self.columns.are_named)
        return encoder

    def _encoder(self, known: Counts) -> Encoder:
        """Return what encodes rows where they are."""
        owner = copy.copy(self.estimator)
        owner.callbacks, owner.scoring = (), None  # they stay here
        owner.__dict__.pop("_resumption", None)
        factors = np.ones(1)
        if isinstance(owner._target, Classes):
            codes = owner._target.codes(owner._check_y(known.target.column(VALUE).to_numpy()))
            weights = known.target.column(WEIGHT).to_numpy()
            totals = np.bincount(codes, weights, owner._target.n_classes)
            every = np.arange(len(totals))
            factors = owner._class_weighted(every, every, totals) / totals
        unit = float(2.0 ** np.frexp(known.largest)[1]) if self.columns.weight else 1.0
        held_out = self.fraction, self.seed, self.first
        return Encoder(owner, self.columns, factors, unit, *held_out)

    # --- settings ---------------------------------------------------------------------------------

    def _choose(self, table: Any) -> Choice:
        """Choose settings that are open, on a sample."""
        chooser = _unfitted(self.estimator)
        arguments = self.columns.X(table), self.columns.y(table), self.columns.weights(table)
        dataset, repeated = chooser._learn(*arguments, go_on=False, searching=True)
        views = Views(chooser, arguments[0], arguments[2], None, dataset, repeated, None)
        given = self.given | chooser._by_field_given()
        announcer(self.estimator.verbose)(f"settings are chosen on {table.num_rows} rows")
        choice: Choice = chooser._choose(given, views, AdaGrad)
        return choice

    def _adopt(self, choice: Choice, encoder: TableEncoder, known: Counts) -> None:
        """Take over the encoding and the loss that were chosen."""
        owner = self.estimator
        if choice.numeric is not None:
            numeric = choice.numeric
            encoder = encoder._resolved(numeric.numeric, numeric.n_bins, clip=numeric.clip)
            encoder._warns = False
        self.first = None if self.fraction is None else owner.encoder_
        self._learn_columns(known, encoder)
        if choice.loss.name != owner._loss.name:
            owner._chosen_loss = choice.loss
            owner._target = owner._target.for_all()
        owner.search_ = choice.record

    def _hyperparameters(self, choice: Choice | None) -> Hyperparameters:
        given = self.given | self.estimator._by_field_given()
        settings = replace(Hyperparameters(), **given) if choice is None else choice.settings
        assert isinstance(settings, Hyperparameters)
        if isinstance(settings.solver, AdaGrad) or "solver" in given:
            return settings
        start = {"init": "uniform", "init_scale": DEFAULT_SCALE["uniform"], **given}
        return replace(
            settings, solver=AdaGrad(), init=start["init"], init_scale=start["init_scale"]
        )

    # --- training ---------------------------------------------------------------------------------

    def _train(
        self, encoder: Encoder, counts: Counts, known: Dataset, choice: Choice | None
    ) -> None:
        """Divide the rows, and train in rounds."""
        owner, chosen = self.estimator, self._hyperparameters(choice)
        stages = stages_of(owner.epochs or DEFAULT_EPOCHS) if choice is None else choice.stages
        validation = None
        if owner.scoring is not None:
            validation = self._validation_rows(encoder, counts, known, f"scoring={owner.scoring!r}")
        n_partitions = self.partitions_of(counts.n_rows)
        least = least_rows_of_a_round(chosen, counts.n_rows)
        self.rounds = self.rounds.chosen_for(counts.n_rows, n_partitions, least)
        assert self.rounds.per_epoch is not None
        cut = Cut(encoder, n_partitions, self.rounds.per_epoch)
        cells = self.tables.divide(cut, assemble, n_partitions)
        try:
            self._run_rounds(cells, encoder, chosen, stages, validation)
        finally:
            cells.release()
        epochs = stages[0] if len(stages) == 1 else tuple(stages)
        owner.best_params_ = {
            "epochs": epochs,
            **vars(chosen),
            "pairs": owner.pairs,
            **owner._kept(),
        }

    def _run_rounds(
        self,
        cells: Cells,
        encoder: Encoder,
        chosen: Hyperparameters,
        stages: Sequence[int],
        validation: Dataset | None,
    ) -> None:
        assert self.rounds.per_epoch is not None
        owner, engine = self.estimator, Engine(cells, self.rounds.per_epoch)
        summary = engine.summarise()
        if self.fraction is not None:
            check_held_out(encoder, engine, summary)
        learner = Learner.begin(chosen, owner._loss, summary, self.seed)
        owner._learner = learner

        def after() -> Any:
            if run.history:
                owner.history_ = as_columns(run.history)
            return owner

        run = DistributedRun(
            learner,
            engine,
            summary,
            self.rounds,
            threads=owner.n_threads or 1,
            loss_unit=owner._loss_unit,
            model=after,
        )
        staged = StagedRate(stages)
        callbacks = [*owner.callbacks, staged]
        stopping = None
        if self._is_validated and owner.early_stopping:
            stopping = owner._early_stopping()
            callbacks.insert(len(owner.callbacks), stopping)

        def evaluate() -> Any:
            owner.n_iter_ = owner.best_epoch_ = run.epoch
            if validation is None:
                return run.evaluate()
            return owner._evaluated(run, validation, run.scores(validation))

        history = run.run(
            sum(stages),
            evaluate,
            callbacks,
            announcer(owner.verbose),
            validation=validation,
            resumption=owner._resumption,
        )
        owner.history_ = as_columns(history)
        owner.n_iter_ = len(history)
        owner.best_epoch_ = len(history) if stopping is None else stopping.best_epoch
        learner.rate_factor *= RATE_DECAY ** staged.stage(owner.best_epoch_)

    def _sample(self, sampling: Sampling, encoder: Encoder, counts: Counts, known: Dataset) -> None:
        """Copy the rows to tasks, and sample."""
        name = f"solver={type(sampling.solver).__name__}()"
        what, instead = f"{name} needs all rows in each of its tasks", "AdaGrad divides them"
        check_bytes(counts.n_rows, known, what, instead)
        validation = self._validation_rows(encoder, counts, known, name)
        plain = self.estimator.encoder_._plain()
        if plain is not None:
            plain = self._fitted(plain, counts)
        owner, tables = self.estimator, self.tables
        sample(owner, sampling, tables, encoder, plain, validation, self.n_tasks)

    @property
    def _is_validated(self) -> bool:
        return self.columns.validation is not None or self.fraction is not None

    def _validation_rows(
        self, encoder: Encoder, counts: Counts, known: Dataset, why: str
    ) -> Dataset | None:
        """Return the validation rows, on this node, or None if there are none."""
        if not self._is_validated:
            return None
        n_rows = counts.n_scored if self.fraction is None else self.fraction * counts.n_rows
        what = f"{why} needs all validation rows on the node that asks"
        check_bytes(n_rows, known, what, "mark fewer")
        return validation_rows(self.tables, encoder)


def _unfitted(estimator: Any) -> Any:
    """Return another estimator with the same parameters; callbacks are not copied."""
    return type(estimator)(**estimator.get_params(deep=False))


def _refuse(estimator: Any) -> None:
    """Refuse parameters that mean nothing here."""
    if estimator.warm_start:
        raise ValueError("warm_start is not supported where rows are divided: each fit begins anew")
    if estimator.solver is not None and not isinstance(estimator.solver, Sweeper):
        refuse(estimator.solver)
    if isinstance(estimator.scoring, RankingScorer):
        raise ValueError(
            "scoring=RankingScorer is not supported where rows are divided: validation rows come "
            "encoded, without their groups; leave scoring at None, or take another metric"
        )
