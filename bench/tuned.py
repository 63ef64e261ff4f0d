"""The ceiling: a factorization machine tuned at length, about the best result possible here.

A random search over ways to encode numbers and over hyperparameters of `sparsefm.train`, each with
its best epoch by cross-validation on all training rows, as for the linear model; then training on
all of them. With several classes there is one model for each against the rest, and the
probabilities are divided by their sum.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.model_selection import ShuffleSplit

import sparsefm as fm
from bench import encodings
from bench.datasets import DataSet
from bench.predictors import FOLDS_UP_TO, HOLD_OUT, folds

SETTINGS = 200
SEARCH_SECONDS = 600.0  # large data sets try fewer settings than `SETTINGS`
SHARE = 1 / 20  # of the time, that settings may take
MAX_EPOCHS, PATIENCE = 300, 10
MAX_SWEEPS, SWEEP_PATIENCE = 200, 40
BEHIND = 1.03  # settings that are worse by this factor on the first fold are not tried on others
VERSION = 1  # another number for other settings to draw from

Settings = dict[str, Any]


@dataclass(frozen=True)
class Choice:
    """The best settings found: of the encoding, of `train`, epochs, and the loss.

    Attributes
    ----------
    tried : int
        How many settings there were time for.
    """

    encoding: Settings
    settings: Settings
    epochs: int
    loss: float
    tried: int = 0


def tuned(data: DataSet, settings: int = SETTINGS, seconds: float = SEARCH_SECONDS) -> np.ndarray:
    """Predict as `bench.predictors` do."""
    return refit(data, search(data, settings, seconds))


def search(data: DataSet, settings: int = SETTINGS, seconds: float = SEARCH_SECONDS) -> Choice:
    """Return the best of so many random settings, or of as many as time allows.

    No settings take more than a `SHARE` of the time: their training stops there, as it does after
    the best epoch.
    """
    targets = _targets(data)
    random = np.random.default_rng(0)
    best, limit, tried = None, np.inf, 0
    deadline = time.perf_counter() + seconds
    while best is None or (tried < settings and time.perf_counter() < deadline):
        tried += 1
        encoding, drawn = encodings.draw(random, data), _draw(random)
        curves = _curves(data, encoding, drawn, targets, SHARE * seconds)
        try:
            first = next(curves)
            if first.min() > limit:
                continue
            curve = np.mean([first, *curves], axis=0)
        except fm.DivergenceError:
            continue
        found = Choice(encoding, drawn, int(curve.argmin()) + 1, float(curve.min()))
        if np.isfinite(found.loss) and (best is None or found.loss < best.loss):
            best, limit = found, BEHIND * first.min()
    return replace(best, tried=tried)


def refit(data: DataSet, choice: Choice) -> np.ndarray:
    """Train on all of the training rows and predict the test rows."""
    rows = encodings.features(data, **choice.encoding)
    epochs = max(choice.epochs, _burn_in(choice.settings) + 1)
    machines = [
        fm.train(rows.X, y, task=_task(data), epochs=epochs, **_arguments(rows, choice.settings))
        for y in _targets(data).T
    ]
    scores = [machine.predict(rows.X_test) for machine in machines]
    found = np.column_stack(scores).astype(np.float64)
    if data.task == "regression":
        return found[:, 0] * data.y_train.std() + data.y_train.mean()
    if data.task == "binary":
        return np.column_stack([1 - found, found])
    return found / found.sum(1, keepdims=True)


class _Patience:
    """Stops when the validation loss has not improved for some epochs, or when time is up."""

    def __init__(self, epochs: int, seconds: float) -> None:
        self._epochs, self._end = epochs, time.perf_counter() + seconds
        self._best = (np.inf, 0)

    def __call__(self, epoch: fm.Epoch) -> bool:
        self._best = min(self._best, (epoch.val_loss, epoch.epoch))
        late = time.perf_counter() > self._end
        return late or epoch.epoch >= self._best[1] + self._epochs


def _curves(
    data: DataSet, encoding: Settings, settings: Settings, targets: np.ndarray, seconds: float
) -> Iterator[np.ndarray]:
    """Make the validation loss after each epoch, fold by fold: the sum over the outputs."""
    rows = encodings.features(data, **encoding)
    burn_in = _burn_in(settings)
    most, patience = (MAX_SWEEPS, SWEEP_PATIENCE) if burn_in else (MAX_EPOCHS, PATIENCE)
    arguments = _arguments(rows, settings) | {"task": _task(data), "epochs": most}
    parts = list(_folds(data, targets).split(rows.X, data.y_train))
    seconds /= len(parts) * targets.shape[1]
    for train, val in parts:
        curve = np.zeros(most)
        for y in targets.T:
            stop = _Patience(patience, seconds)
            split = rows.X[train], y[train], rows.X[val], y[val]
            machine = fm.train(*split, callbacks=[stop], **arguments)
            losses = [epoch.val_loss for epoch in machine.history]
            # Where one output has ended early it would not have got better.
            curve += np.pad(losses, (0, most - len(losses)), mode="edge")
        # Single samples, before the mean begins, are no choice.
        curve[:burn_in] = np.inf
        yield curve


def _folds(data: DataSet, targets: np.ndarray) -> Any:
    """Return folds as for the linear model; one, if there are many rows or outputs."""
    if targets.size > FOLDS_UP_TO:
        return ShuffleSplit(1, test_size=HOLD_OUT, random_state=0)
    return folds(data)


def _draw(random: np.random.Generator) -> Settings:
    """Draw settings of `train`: half of them for sampling, a quarter for each other solver."""
    rank = int(random.choice([0, 2, 4, 8, 16, 32]))
    if random.random() < 0.5:
        beta0, burn_in = _log_uniform(random, 1e-3, 10), int(random.choice([5, 10, 20]))
        return {"rank": rank, "solver": fm.Gibbs(beta0=beta0, burn_in=burn_in)}
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
    init_scale = _log_uniform(random, 0.01, 0.5)
    return {"rank": rank, "batch_size": batch_size, "solver": solver, "init_scale": init_scale}


def _arguments(rows: encodings.Features, settings: Settings) -> Settings:
    """Return arguments of `train`; samplers have a prior for each field."""
    return settings | ({"fields": rows.fields} if _burn_in(settings) else {})


def _burn_in(settings: Settings) -> int:
    """Return how many sweeps make no mean; 0 for solvers that do not sample."""
    solver = settings["solver"]
    return solver.burn_in if isinstance(solver, fm.Gibbs) else 0


def _log_uniform(random: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(random.uniform(np.log(low), np.log(high))))


def _task(data: DataSet) -> str:
    return "regression" if data.task == "regression" else "binary"


def _targets(data: DataSet) -> np.ndarray:
    """Return a column for each output: standardised targets, or 1 for the output's own class."""
    if data.task == "regression":
        return ((data.y_train - data.y_train.mean()) / data.y_train.std())[:, None]
    classes = [1] if data.task == "binary" else range(data.y_train.max() + 1)
    return np.column_stack([data.y_train == c for c in classes]).astype(np.float64)
