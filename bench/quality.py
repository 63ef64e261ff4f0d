"""Time to quality: the seconds of training until each peer's own best validation loss is reached.

Each side has a small grid of settings (`GRID` in its module); it trains until its validation loss
has not improved for some epochs, and its best setting is the one of least loss. That setting is
then timed again, in turns with sparsefm, which has one setting for all data. A loss counts as
reached when it is within a ten-thousandth. Every side has all cores that it can use.
"""

import statistics
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from bench import data as sets
from bench.data import load
from bench.machine import cores
from bench.peers import SIDES, installed
from bench.table import ratio, show
from bench.throughput import OURS, REPEATS
from bench.worker import WorkerError, alternate, call

RANK = 16
MAX_EPOCHS, PATIENCE = 20, 2
TOLERANCE = 1e-4
MAX_ROWS = 100_000  # of the made data, to keep the time bearable

Trace = list[list[float]]  # seconds and loss after each epoch


@dataclass(frozen=True)
class Best:
    """A side's best setting, the loss that it reaches and in how many epochs."""

    settings: dict[str, Any]
    loss: float
    epochs: int


def trace(
    threads: int, side: str, folder: str, settings: dict[str, Any], epochs: int, test: bool = False
) -> Trace:
    """Train until the loss stops improving, or that many epochs.

    With `test` the losses are those of the test rows.
    """
    data = load(folder)
    if test:
        data = replace(data, X_val=data.X_test, y_val=data.y_test)
    if data.X_test is None:
        data = replace(data, X=data.X[:MAX_ROWS], y=data.y[:MAX_ROWS])
    found: Trace = []
    for seconds, loss in SIDES[side].epochs(data, RANK, epochs, threads, settings):
        found.append([seconds, loss])
        if min(range(len(found)), key=lambda e: found[e][1]) < len(found) - PATIENCE:
            break
    return found


def epochs_to(found: Trace, loss: float) -> int | None:
    """Return after how many epochs the loss is at most that, give or take the tolerance."""
    enough = (epoch for epoch, (_, had) in enumerate(found, 1) if had <= loss * (1 + TOLERANCE))
    return next(enough, None)


def quality(folder: str, name: str, quick: bool) -> None:
    """Find the best setting of each side, time it in turns with sparsefm, and print."""
    sides = {side: module for side, module in installed().items() if module.GRID}
    limit = 2 if quick else MAX_EPOCHS
    grid = {
        (side, number): _call(side, folder, settings, limit)
        for side, module in sides.items()
        for number, settings in enumerate(module.GRID[: 1 if quick else None])
    }
    found = alternate(grid, 1)
    best = {side: _best(side, found) for side in sides}
    again = {side: _call(side, folder, had.settings, had.epochs) for side, had in best.items()}
    traces = alternate(again, 1 if quick else REPEATS)
    rows = [_row(side, had, traces) for side, had in best.items()]
    header = ["side", "its best setting", "log loss", "epochs", "s", "sparsefm epochs"]
    header += ["sparsefm s", "side / sparsefm"]
    part = f", first {MAX_ROWS:,} rows" if name != "c" and not quick else ""
    show(f"Time to quality, {sets.title(name, quick)}{part}, rank {RANK}", header, rows)


def _call(side: str, folder: str, settings: dict[str, Any], epochs: int, **more: Any) -> partial:
    threads = cores() if SIDES[side].THREADED else 1
    arguments = {"side": side, "folder": folder, "settings": settings, "epochs": epochs}
    return partial(call, trace, threads=threads, **arguments, **more)


def _best(side: str, found: dict) -> Best:
    """Return the setting of least loss; one that fails has an infinite one."""
    candidates = []
    for (name, number), results in found.items():
        if name == side:
            failed = isinstance(results, WorkerError)
            trace = [] if failed else [had for had in results[0] if np.isfinite(had[1])]
            loss = min((loss for _, loss in trace), default=np.inf)
            epochs = epochs_to(trace, loss) or 1
            candidates.append(Best(SIDES[side].GRID[number], loss, epochs))
    return min(candidates, key=lambda best: best.loss)


def _row(side: str, best: Best, traces: dict) -> list[Any]:
    """Return the times of one side and of sparsefm to the same loss."""
    settings = ", ".join(f"{name} {value}" for name, value in best.settings.items())
    if isinstance(traces[side], WorkerError):
        return [side, settings, f"failed: {traces[side]}", *[None] * 5]
    seconds = statistics.median(found[-1][0] for found in traces[side])
    start = [side, settings, f"{best.loss:.4f}", best.epochs, seconds]
    epochs = epochs_to(traces[OURS][0], best.loss)
    if epochs is None:
        return [*start, "not reached", None, None]
    ours = statistics.median(found[epochs - 1][0] for found in traces[OURS])
    return [*start, epochs, ours, ratio(seconds / ours)]


def flights(folder: str, quick: bool) -> None:
    """Print the validation and the test loss of sparsefm after each epoch, with times."""
    [settings] = SIDES[OURS].GRID
    calls = {
        split: _call(OURS, folder, settings, 2 if quick else 4, test=split == "test")
        for split in ("validation", "test")
    }
    found = alternate(calls, 1 if quick else REPEATS)
    times = [[seconds for seconds, _ in result] for result in found["validation"]]
    epoch = statistics.median((had[-1] - had[0]) / (len(had) - 1) for had in times)
    rows = []
    for number, (_, loss) in enumerate(found["validation"][0]):
        seconds = statistics.median(had[number] for had in times)
        test = found["test"][0][number][1]
        rows.append([number + 1, seconds, seconds / epoch, f"{loss:.4f}", f"{test:.4f}"])
    header = ["epochs", "s from the call of train", "s / s of a later epoch", "validation", "test"]
    shown = ", ".join(f"{name} {value}" for name, value in settings.items())
    show(f"sparsefm, {sets.title('c', quick)}, rank {RANK}: {shown}", header, rows)
