"""Kill processes while they train, and start them again until they are done; compare the bits."""

import os
import random
import signal
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import sparsefm as fm
from reliability import children
from reliability.problems import matrix, table, targets
from reliability.report import Budget, Report

ROWS, EPOCHS = 200, 12
MOST_KILLS = 4  # of a training

Bits = dict[str, npt.NDArray[Any]]


def train(path: Path | None, **options: Any) -> Bits:
    """Train on a matrix."""
    X, y = matrix(ROWS), np.linspace(-1, 1, ROWS)
    callbacks = [fm.EarlyStopping("train_loss"), *checkpoints(path)]
    given = {"rank": 4, "epochs": EPOCHS, **options}
    model = fm.train(X, y, callbacks=callbacks, resume=path, **given)
    losses = np.array([record.train_loss for record in model.history])
    return {"w0": np.array(model.w0), "w": model.w, "V": model.V, "losses": losses}


def fit(path: Path | None, estimator: Any, kind: str) -> Bits:
    """Fit an estimator to a table, with held-out rows."""
    estimator.set_params(callbacks=checkpoints(path), validation_fraction=0.2)
    estimator.fit(table(ROWS), targets(kind, ROWS), resume=path)
    history = {name: v for name, v in estimator.history_.items() if name != "seconds"}
    return {"w": estimator.w_, "V": estimator.V_, **{n: np.array(v) for n, v in history.items()}}


def checkpoints(path: Path | None) -> list[Any]:
    """Return the callback that saves, if there is where."""
    return [] if path is None else [fm.Checkpoint(path)]


GIBBS = fm.Gibbs(burn_in=2, chains=2, samples=3)
STAGES: dict[str, Any] = {"rank": 2, "epochs": (6, 3, 3), "search": None}
TRAININGS: dict[str, Callable[[Path | None], Bits]] = {
    "Adam": train,
    "exact Adam": lambda path: train(path, solver=fm.Adam(updates="exact")),
    "AdaGrad": lambda path: train(path, solver=fm.AdaGrad()),
    "fwfm": lambda path: train(path, variant="fwfm"),
    "Gibbs": lambda path: train(path, solver=GIBBS),
    "ALS": lambda path: train(path, solver=fm.ALS()),
    "stages": lambda path: fit(path, fm.FMRegressor(solver=fm.Adam(), **STAGES), "regressor"),
    "several classes": lambda path: fit(
        path, fm.FMClassifier(solver=fm.Adam(), **STAGES), "several classes"
    ),
    "search": lambda path: fit(path, fm.FMClassifier(rank=2), "classifier"),
}


def train_to_the_end(name: str, path: Path) -> None:
    """Train; leave the bits in a file beside the checkpoint."""
    bits = TRAININGS[name](path)
    np.savez(path.with_suffix(".new.npz"), **bits)
    os.replace(path.with_suffix(".new.npz"), path.with_suffix(".npz"))


def kill_until_done(name: str, path: Path, seconds: float, kills: int, seed: int) -> int:
    """Kill a training up to so many times, then let it end; return how often it was killed.

    Parameters
    ----------
    name : str
    path : Path
        Of the checkpoint.
    seconds : float
        That an uninterrupted training takes.
    kills : int
    seed : int
    """
    moments, killed = random.Random(seed), 0
    while True:
        child = children.start(train_to_the_end, name, path)
        if killed < kills:
            time.sleep(moments.uniform(0, seconds / 2))
            os.kill(child, signal.SIGKILL)
        ended = children.end(child)
        if not ended:
            return killed
        if "SIGKILL" not in ended:
            raise RuntimeError(ended)
        killed += 1


@cache
def expected(name: str) -> tuple[Bits, float]:
    """Return the bits of an uninterrupted training, and how long one with checkpoints takes."""
    bits, ended = children.call(TRAININGS[name], None)
    if ended:
        raise RuntimeError(ended)
    with tempfile.TemporaryDirectory() as folder:
        begun = time.monotonic()
        children.call(train_to_the_end, name, Path(folder, "file"))
        return bits, time.monotonic() - begun


def run(budget: Budget, report: Report) -> None:
    """Try one kind of training after the other; a try is a kill."""
    numbers = random.Random(budget.seed)
    names, left, trainings = list(TRAININGS), 0, 0
    for number in budget:
        if left:  # of the kills of the training before
            left -= 1
            continue
        name = names[trainings % len(names)]
        bits, seconds = expected(name)
        kills = min(numbers.randint(1, MOST_KILLS), budget.count - number)
        trainings += 1
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "file")
            try:
                killed = kill_until_done(name, path, seconds, kills, budget.seed + number)
            except RuntimeError as error:
                report.find(f"{name}: {error}")
                continue
            with np.load(path.with_suffix(".npz")) as found:
                same = found.keys() == bits.keys() and all(
                    np.array_equal(found[part], bits[part], equal_nan=True) for part in bits
                )
        if same:
            report.add(f"killed ({name})", killed)
        else:
            report.find(f"{name}: other bits after {killed} kills")
        left = max(killed - 1, 0)
    report.figures.append(f"{trainings:,} trainings ended with the same bits")
