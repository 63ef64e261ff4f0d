"""A round: what a partition makes of its rows, from the parameters that all partitions share.

A partition has only some of the rows that a feature has in the round. If it took no notice, the
mean of the partitions' changes would move a feature that m of them met by what the rows of one
would move it. The sum would move it m times as far as each believes is right, and together with
the other features of its rows far beyond. So a partition trains as if the rows that it lacks were
like those that it has: it lets each feature count as often as all partitions together meet it.

That is done by the feature's unit. With sqrt(m) x instead of x, and theta / sqrt(m) instead of
theta, scores are the same and gradients sqrt(m) times as large, so that AdaGrad makes the step

    h = h + m (B g)^2,   theta = theta - learning_rate m B g / sqrt(h):

m times as far, with an accumulator of the squares of m batches. The mean of the partitions' changes
is then about what all rows would change; and where the rows of each lead to the end of a way, so
does the mean. Penalties are in the same unit. Numbers that all rows share, such as the constant,
keep theirs: rows of every partition lead to their end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm import _core
from sparsefm.data.dataset import Dataset
from sparsefm.distributed.changes import Change
from sparsefm.distributed.layout import along, of_all_rows, of_features, refresh
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
        The parameters that all share, and the solver, an `AdaGrad`.
    sharing : ndarray of float32, shape (d,)
    batch_size : int
    number : int
        Of the round, counted over all epochs.
    threads : int
    """

    learner: Learner
    sharing: npt.NDArray[np.float32]
    batch_size: int
    number: int
    threads: int = 1

    def run(self, dataset: Dataset, partition: int) -> Change:
        """Train on the rows that a partition has for this round; return what they change."""
        features = dataset.used_features
        times = self.sharing[features]
        units = np.sqrt(times, dtype=np.float64).astype(dataset.dtype)
        own, learner = _compact(dataset, features, units), self.learner.copy(features)
        for state in learner.states:
            for part in of_features(state):
                part[:, 0] /= along(units, part[:, 0])
            refresh(state)
        before = [state.copy() for state in learner.states]
        losses, steps = self._train(learner, own, times, partition)
        counts = occurrences(own)
        of_outputs, shared = [], []
        for state, old in zip(learner.states, before, strict=True):
            pairs = zip(of_features(state), of_features(old), strict=True)
            parts = [now - then for now, then in pairs]
            for part in parts:
                part[:, 0] *= along(units, part[:, 0])
                part *= along(counts.astype(part.dtype), part)
            of_outputs.append(parts)
            rows = dataset.dtype.type(len(dataset.rows))
            pairs = zip(of_all_rows(state), of_all_rows(old), strict=True)
            shared.append([rows * (now - then) for now, then in pairs])
        weight = dataset.total_weight
        n_rows = len(dataset.rows)
        return Change(features, counts, of_outputs, n_rows, shared, losses * weight, weight, steps)

    def _train(
        self, learner: Learner, dataset: Dataset, times: Array, partition: int
    ) -> tuple[Counts, int]:
        """Make a step for each batch; return the mean losses and the number of steps."""
        plan = new_planner(learner.seed, self.threads).plan(dataset, self.batch_size)
        trainers = learner.trainers(self.threads, dataset.fields)
        times = times.astype(dataset.dtype)
        for trainer in trainers:
            of_all = trainer.optimizer
            factors = of_all.l2_factors if trainer.penalties is None else trainer.penalties
            linear = times * times.dtype.type(of_all.l2_linear)
            trainer.penalise(linear, times * np.asarray(factors, times.dtype))
        targets = [target[plan.rows] for target in dataset.targets]
        random = stream(learner.seed, "batches", self.number, partition)
        return np.array(run_epoch(trainers, plan, targets, random)), plan.n_batches


def _compact(dataset: Dataset, features: Features, units: Array) -> Dataset:
    """Return rows with the features that they have alone, and values multiplied by their units."""
    X = dataset.X
    places = np.zeros(X.n_features, X.indices.dtype)
    places[features] = np.arange(len(features))
    indices = places[X.indices[: X.n_nonzeros]]
    values = units[indices]
    if X.values is not None:
        values *= X.values[: X.n_nonzeros]
    own = _core.Csr(X.indptr, indices, values, len(features), "rows")
    fields = None if dataset.fields is None else dataset.fields[features]
    return replace(dataset, X=own, fields=fields)
