"""The sides of ``python -m bench gibbs``: each trains once and says what it had after each sweep.

A side may live in the environment of another Python. So this module imports only NumPy and SciPy,
and each side imports itself. Every side gets the same rows, fields, rank and number of sweeps; all
else is its default. During the burn-in a loss is that of the last sample alone, then that of the
mean over all later ones.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, load_npz, save_npz
from scipy.special import ndtr

BURN_IN = 5

Trace = dict[str, list[float]]  # "seconds", "cpu" and "loss", each after each sweep


@dataclass(frozen=True, eq=False)
class Problem:
    """Rows to train on, rows to test on, and the field of each feature."""

    X: csr_matrix
    y: np.ndarray
    X_test: csr_matrix
    y_test: np.ndarray
    fields: np.ndarray
    binary: bool

    def head(self, rows: int) -> "Problem":
        """Return the first rows of each kind."""
        parts = {name: getattr(self, name)[:rows] for name in ("X", "y", "X_test", "y_test")}
        return replace(self, **parts)

    def save(self, folder: Path) -> None:
        """Write the problem for `load`."""
        for name in ("X", "X_test"):
            save_npz(folder / f"{name}.npz", getattr(self, name), compressed=False)
        rest = {name: getattr(self, name) for name in ("y", "y_test", "fields", "binary")}
        np.savez(folder / "rest.npz", **rest)

    @classmethod
    def load(cls, folder: str) -> "Problem":
        """Read what `save` wrote."""
        matrices = {name: load_npz(Path(folder) / f"{name}.npz") for name in ("X", "X_test")}
        with np.load(Path(folder) / "rest.npz") as rest:
            return cls(**matrices, **{**rest, "binary": bool(rest["binary"])})


class Clock:
    """The times at which sweeps end, from now on."""

    def __init__(self) -> None:
        self._start = _now()
        self._times: list[np.ndarray] = []

    def tick(self, *_: Any) -> None:
        """Note that a sweep ends."""
        self._times.append(_now() - self._start)

    def skip(self) -> None:
        """Leave out what was since the last tick."""
        self._start = _now() - self._times[-1]

    def trace(self, losses: list[float]) -> Trace:
        """Return the times, and these losses."""
        seconds, cpu = np.transpose(self._times).tolist()
        return {"seconds": seconds, "cpu": cpu, "loss": losses}


def sparsefm(
    threads: int, folder: str, rank: int, sweeps: int, chains: int = 1, losses: bool = False
) -> Trace:
    """Call `sparsefm.train` with `Gibbs`."""
    import sparsefm as fm

    solver = fm.Gibbs(burn_in=BURN_IN, chains=chains)
    return _train(folder, threads, losses, solver=solver, rank=rank, epochs=sweeps)


def adam(threads: int, folder: str, losses: bool = False) -> Trace:
    """Train as ``sparsefm demo`` does, which has settings chosen for the flights."""
    from sparsefm.cli import demo

    settings = {"rank": demo.RANK, "epochs": demo.EPOCHS, "batch_size": demo.BATCH_SIZE}
    return _train(folder, threads, losses, solver=demo.SOLVER, **settings)


def regressor(threads: int, name: str, rank: int, sweeps: int, losses: bool = False) -> Trace:
    """Call `FMRegressor.fit` on a table of `bench.datasets`; its encoding is part of the time."""
    import sparsefm as fm
    from bench.datasets import load

    data = load(name)

    def train(callbacks: list[Callable], **held_out: Any) -> None:
        model = fm.FMRegressor(
            solver=fm.Gibbs(burn_in=BURN_IN), rank=rank, epochs=sweeps, early_stopping=False,
            callbacks=callbacks, n_threads=threads,
        )  # fmt: skip
        model.fit(data.X_train, data.y_train, **held_out)

    return _trace(train, {"eval_set": (data.X_test, data.y_test)} if losses else None, "rmse")


def myfm(threads: int, folder: str, rank: int, sweeps: int, losses: bool = False) -> Trace:
    """Call myFM's `fit`; it has one thread."""
    from myfm import MyFMGibbsClassifier, MyFMGibbsRegressor

    problem = Problem.load(folder)
    kind = MyFMGibbsClassifier if problem.binary else MyFMGibbsRegressor
    X, X_test = (X.astype(np.float64) for X in (problem.X, problem.X_test))
    y = problem.y > 0 if problem.binary else problem.y.astype(np.float64)
    found: list[float] = []
    mean = Mean(problem)

    def after(sweep: int, machine: Any, *_: Any) -> tuple[bool, None]:
        clock.tick()
        if losses:
            found.append(mean.add(sweep, machine.predict_score(X_test, [])))
        clock.skip()
        return False, None

    model = kind(rank=rank, random_seed=0)
    clock = Clock()
    model.fit(X, y, n_iter=sweeps, grouping=problem.fields.tolist(), callback=after)
    return clock.trace(found)


def myfm_version(threads: int) -> str:
    """Return the version of myFM."""
    from importlib.metadata import version

    return version("myfm")


class Mean:
    """The mean of predictions over samples, and its loss on the test rows."""

    def __init__(self, problem: Problem) -> None:
        self._y, self._binary = problem.y_test, problem.binary
        self._sum, self._count = np.zeros(len(self._y)), 0

    def add(self, sweep: int, scores: np.ndarray) -> float:
        """Add the scores of a sample, whose sweeps count from 0; return the loss."""
        # The probability of the class that the row has keeps its digits near 0.
        predicted = ndtr(np.where(self._y > 0, scores, -scores)) if self._binary else scores
        if sweep <= BURN_IN:
            self._sum, self._count = np.zeros(len(self._y)), 0
        self._sum, self._count = self._sum + predicted, self._count + 1
        mean = self._sum / self._count
        if self._binary:
            return float(-np.log(np.maximum(mean, 1e-300)).mean())
        return float(((mean - self._y) ** 2).mean() ** 0.5)


def _train(folder: str, threads: int, losses: bool, **options: Any) -> Trace:
    """Call `sparsefm.train` on a stored problem."""
    import sparsefm as fm

    problem = Problem.load(folder)
    task, metric = ("binary", "log_loss") if problem.binary else ("regression", "rmse")
    train = partial(
        fm.train, problem.X, problem.y, task=task, fields=problem.fields, n_threads=threads,
        **options,
    )  # fmt: skip
    held_out = {"X_val": problem.X_test, "y_val": problem.y_test}
    return _trace(train, held_out if losses else None, metric)


def _trace(train: Callable, held_out: dict[str, Any] | None, metric: str) -> Trace:
    """Train once for the times; if there are rows to test on, once more, to the same bits."""
    clock = Clock()
    train(callbacks=[clock.tick])
    found: list[float] = []
    if held_out is not None:
        train(callbacks=[lambda epoch: found.append(epoch.metrics[metric])], **held_out)
    return clock.trace(found)


def _now() -> np.ndarray:
    return np.array([time.perf_counter(), time.process_time()])
