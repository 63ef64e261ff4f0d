"""Rows that tests of distributed training divide."""

from dataclasses import replace

import numpy as np
from scipy import sparse

import sparsefm as fm
from sparsefm.data.dataset import Dataset
from sparsefm.losses import find_loss
from sparsefm.training.hyperparameters import Hyperparameters
from sparsefm.training.learner import Learner, new_planner
from sparsefm.training.random import stream
from sparsefm.training.trainer import run_epoch

SOLVER = fm.AdaGrad(learning_rate=0.05, initial_accumulator=0.7, l2_linear=0.03, l2_factors=0.02)


def one_hot(n=600, sizes=(3, 30, 200), loss="logistic", seed=0, dtype="float64", fields=False):
    """Draw rows of one-hot fields, the values of the last seldom, and targets of a machine."""
    rng = np.random.default_rng(seed)
    starts = np.cumsum([0, *sizes[:-1]])
    columns = np.column_stack([rng.zipf(1.3, n) % size for size in sizes]) + starts
    indptr = np.arange(0, n * len(sizes) + 1, len(sizes))
    X = sparse.csr_matrix((np.ones(columns.size), columns.ravel(), indptr), (n, sum(sizes)))
    w, V = rng.normal(size=X.shape[1]), rng.normal(size=(X.shape[1], 2)) * 0.7
    s = X @ w / 2 + ((X @ V) ** 2 - X @ V**2).sum(axis=1) / 2
    y = s + 0.5 * rng.normal(size=n)
    if loss in ("logistic", "hinge"):
        y = (y > np.median(s)) * 1.0
    task = "binary" if loss in ("logistic", "hinge") else "regression"
    dataset = Dataset.training(X, y, None, np.dtype(dtype), task=task)
    found = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes) if fields else None
    return replace(dataset, fields=found), find_loss(task, loss)


def begin(rows, loss, rank=3, solver=SOLVER, batch_size=20, **given):
    """Return a model at the start of training."""
    chosen = Hyperparameters(rank=rank, solver=solver, batch_size=batch_size, **given)
    return Learner.begin(chosen, loss, rows, seed=1)


def alone(dataset, loss, epochs, **given):
    """Return a model that was trained on one machine."""
    learner, random = begin(dataset, loss, **given), stream(1, "batches", 0)
    plan = new_planner(1, 1).plan(dataset, learner.hyperparameters.batch_size_for(0))
    trainers = learner.trainers(1, dataset.fields)
    for _ in range(epochs):
        run_epoch(trainers, plan, [target[plan.rows] for target in dataset.targets], random)
    return learner


def mean_loss(learner, dataset):
    """Return the mean loss of the rows."""
    scores = learner.states[0].scores(dataset.X)
    return learner.loss.values(dataset.targets[0], scores).mean()
