"""A round: what a partition makes of its rows, from the parameters that all partitions share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm import _core
from sparsefm.data.dataset import Dataset
from sparsefm.distributed.changes import Change
from sparsefm.distributed.layout import along, of_all_rows, of_features, refresh
from sparsefm.distributed.units import Units
from sparsefm.training.learner import Learner, new_planner
from sparsefm.training.random import stream
from sparsefm.training.trainer import run_epoch

Array = npt.NDArray[Any]
Counts = npt.NDArray[np.float64]
Features = npt.NDArray[np.int64]


def occurrences(dataset: Dataset) -> Counts:
    """Return how many of the rows that take part have each feature, shape (d,)."""
    found = np.zeros(dataset.X.n_features)
    for rows in dataset.training_rows():
        found += np.bincount(rows.indices[: rows.n_nonzeros], minlength=rows.n_features)
    return found


def sharing(counts: Counts, squares: Counts) -> npt.NDArray[np.float32]:
    """Return by how many partitions each feature is met in a round, shape (d,).

    It is ``counts**2 / squares``: m, if m partitions meet it equally often; 1 if none does.

    Parameters
    ----------
    counts, squares : ndarray of shape (d,)
        Sums, over the partitions, of how many rows have the feature, and of their squares.
    """
    return (counts**2 / np.maximum(squares, 1)).clip(min=1).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Round:
    """What all partitions are told in a round.

    Attributes
    ----------
    learner : Learner
        The parameters that all share, and the solver, an `AdaGrad` or `Adam`.
    sharing : ndarray of float32, shape (d,)
    batch_size : int
        See `Units.of`.
    rows : int
        How many the round has, of all partitions.
    number : int
        Of the round, counted over all epochs.
    threads : int
    """

    learner: Learner
    sharing: npt.NDArray[np.float32]
    batch_size: int
    rows: int
    number: int
    threads: int = 1

    def run(self, dataset: Dataset, partition: int) -> Change:
        """Train on the rows that a partition has for this round; return what they change."""
        met, n_rows = occurrences(dataset), len(dataset.rows)
        features = np.flatnonzero(met)
        counts = met[features]
        solver, times = self.learner.hyperparameters.solver, self.sharing[features]
        units = Units.of(solver, self.batch_size, self.rows, times, n_rows, counts)
        before = self.learner.copy(features)
        for state in before.states:
            for part in of_features(state):
                units.convert(part)
            refresh(state)
        learner = before.copy()
        losses, steps = self._train(learner, _compact(dataset, features, units), units, partition)
        of_outputs, of_all = [], []
        for state, old in zip(learner.states, before.states, strict=True):
            changes = _differences(of_features(state), of_features(old))
            for change in changes:
                units.convert_back(change)
                change *= along(counts.astype(change.dtype), change)
            of_outputs.append(changes)
            changes = _differences(of_all_rows(state), of_all_rows(old))
            for change in changes:
                change[0] *= units.of_all_rows
                change *= n_rows
            of_all.append(changes)
        weight = dataset.total_weight
        return Change(features, counts, of_outputs, n_rows, of_all, losses * weight, weight, steps)

    def _train(
        self, learner: Learner, dataset: Dataset, units: Units, partition: int
    ) -> tuple[Counts, int]:
        """Make a step for each batch; return the mean losses and the number of steps."""
        plan = new_planner(learner.seed, self.threads).plan(dataset, units.batch_size)
        chosen = replace(learner.hyperparameters, solver=units.solver)
        trainers = replace(learner, hyperparameters=chosen).trainers(self.threads, dataset.fields)
        times = (units.of_features**2).astype(dataset.dtype)
        for trainer in trainers:
            solver = trainer.optimizer
            factors = solver.l2_factors if trainer.penalties is None else trainer.penalties
            linear = times * times.dtype.type(solver.l2_linear)
            trainer.penalise(linear, times * np.asarray(factors, times.dtype))
        targets = [target[plan.rows] for target in dataset.targets]
        random = stream(learner.seed, "batches", self.number, partition)
        return np.array(run_epoch(trainers, plan, targets, random)), plan.n_batches


def _differences(now: Sequence[Array], then: Sequence[Array]) -> list[Array]:
    return [new - old for new, old in zip(now, then, strict=True)]


def _compact(dataset: Dataset, features: Features, units: Units) -> Dataset:
    """Return rows with the features that they have alone, and values multiplied by their units."""
    X = dataset.X
    places = np.zeros(X.n_features, X.indices.dtype)
    places[features] = np.arange(len(features))
    indices = places[X.indices[: X.n_nonzeros]]
    values = X.values
    if (units.of_features != 1).any():
        values = units.of_features.astype(dataset.dtype)[indices]
        if X.values is not None:
            values *= X.values[: X.n_nonzeros]
    own = _core.Csr(X.indptr, indices, values, len(features), "rows")
    fields = None if dataset.fields is None else dataset.fields[features]
    return replace(dataset, X=own, fields=fields)
