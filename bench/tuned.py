"""A factorization machine tuned at length: about the best result possible on a dataset.

A random search over hyperparameters of `sparsefm.train`, each with its best epoch by
cross-validation, as for the linear model; then training on all training rows. With several classes
there is one model for each against the rest, and the probabilities are divided by their sum.
"""

import itertools
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

import sparsefm as fm
from bench.datasets import DataSet
from bench.predictors import encode, folds

SETTINGS = 50
SEARCH_SECONDS = 60.0  # large data sets try fewer settings than `SETTINGS`
MAX_EPOCHS, PATIENCE = 300, 5

Settings = dict[str, Any]


@dataclass(frozen=True)
class Choice:
    """The best settings found, their number of epochs and their loss in cross-validation."""

    settings: Settings
    epochs: int
    loss: float


def tuned(data: DataSet) -> np.ndarray:
    """Predict as `bench.predictors` do."""
    return refit(data, search(data))


def search(data: DataSet, settings: int = SETTINGS, seconds: float = SEARCH_SECONDS) -> Choice:
    """Return the best of so many random settings, or of as many as time allows."""
    X, _ = _encode(data)
    targets = _targets(data)
    random = np.random.default_rng(0)
    found: list[Choice] = []
    deadline = time.perf_counter() + seconds
    while not found or (settings > 0 and time.perf_counter() < deadline):
        settings -= 1
        drawn = _draw(random)
        try:
            curve = _curve(data, drawn, X, targets)
        except fm.DivergenceError:
            continue
        found.append(Choice(drawn, int(curve.argmin()) + 1, float(curve.min())))
    return min(found, key=lambda choice: choice.loss)


def refit(data: DataSet, choice: Choice) -> np.ndarray:
    """Train on all of the training rows and predict the test rows."""
    X, X_test = _encode(data)
    machines = [
        fm.train(X, y, task=_task(data), epochs=choice.epochs, **choice.settings)
        for y in _targets(data).T
    ]
    found = np.column_stack([machine.predict(X_test) for machine in machines]).astype(np.float64)
    if data.task == "regression":
        return found[:, 0] * data.y_train.std() + data.y_train.mean()
    if data.task == "binary":
        return np.column_stack([1 - found, found])
    return found / found.sum(1, keepdims=True)


class _Patience:
    """Stops when the validation loss has not improved for `PATIENCE` epochs."""

    def __init__(self) -> None:
        self._best = (np.inf, 0)

    def __call__(self, epoch: fm.Epoch) -> bool:
        self._best = min(self._best, (epoch.val_loss, epoch.epoch))
        return epoch.epoch >= self._best[1] + PATIENCE


def _curve(data: DataSet, settings: Settings, X: csr_matrix, targets: np.ndarray) -> np.ndarray:
    """Return the validation loss after each epoch: mean over folds, sum over the outputs."""
    arguments = settings | {"task": _task(data), "epochs": MAX_EPOCHS}
    parts = list(folds(data).split(X, data.y_train))
    curve = np.zeros(MAX_EPOCHS)
    for (train, val), y in itertools.product(parts, targets.T):
        rows = X[train], y[train], X[val], y[val]
        machine = fm.train(*rows, callbacks=[_Patience()], **arguments)
        losses = [epoch.val_loss for epoch in machine.history]
        # Where a fold has ended early it would not have got better.
        curve += np.pad(losses, (0, MAX_EPOCHS - len(losses)), mode="edge") / len(parts)
    return curve


def _draw(random: np.random.Generator) -> Settings:
    """Draw settings; half of them of either solver."""
    rank = int(random.choice([0, 2, 4, 8, 16, 32]))
    batch_size = random.choice([None, 64, 256])
    l2 = {
        "l2_linear": _log_uniform(random, 1e-4, 1e-1),
        "l2_factors": _log_uniform(random, 1e-3, 1),
    }
    solver: fm.Adam | fm.AdaGrad
    if random.random() < 0.5:
        rate, epsilon = _log_uniform(random, 1e-3, 3e-2), _log_uniform(random, 1e-5, 1e-2)
        solver = fm.Adam(learning_rate=rate, epsilon=epsilon, **l2)
    else:
        rate, start = _log_uniform(random, 1e-2, 0.3), _log_uniform(random, 1, 100)
        solver = fm.AdaGrad(learning_rate=rate, initial_accumulator=start, **l2)
    init_scale = _log_uniform(random, 0.01, 0.2)
    return {"rank": rank, "batch_size": batch_size, "solver": solver, "init_scale": init_scale}


def _log_uniform(random: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(random.uniform(np.log(low), np.log(high))))


def _encode(data: DataSet) -> tuple[csr_matrix, csr_matrix]:
    X, X_test = (csr_matrix(X, dtype=np.float32) for X in encode(data))
    return X, X_test


def _task(data: DataSet) -> str:
    return "regression" if data.task == "regression" else "binary"


def _targets(data: DataSet) -> np.ndarray:
    """Return a column for each output: standardised targets, or 1 for the output's own class."""
    if data.task == "regression":
        return ((data.y_train - data.y_train.mean()) / data.y_train.std())[:, None]
    classes = [1] if data.task == "binary" else range(data.y_train.max() + 1)
    return np.column_stack([data.y_train == c for c in classes]).astype(np.float64)
