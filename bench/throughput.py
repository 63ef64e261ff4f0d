"""Rows and non-zeros a second in an epoch, of every side.

Every side trains two epochs; the second one is timed, so that whatever a side does once is left
out, and the better loss of both is shown, for the sides that train on all rows. sparsefm and
PyTorch have the same Adam, on the same settings. modern-fm corrects the bias of v before it adds
epsilon, so its epsilon is larger by 1 / sqrt(1 - beta2); the others have settings that suit them.
"""

import statistics
from functools import partial
from typing import Any

from bench import data as sets
from bench.data import load
from bench.machine import thread_counts
from bench.peers import SIDES, installed
from bench.table import ratio, show
from bench.worker import WorkerError, alternate, call

OURS = "sparsefm"
REPEATS = 3
RANKS = (8, 16, 64)
ADAM = {"batch": 4096, "learning_rate": 0.01, "epsilon": 3e-5}
SETTINGS = {
    OURS: ADAM,
    "PyTorch": ADAM,
    "modern-fm": ADAM | {"epsilon": 1e-3},
    "Vowpal Wabbit": {"batch": 1, "learning_rate": 0.02},
    "LightFM": {"batch": 1, "learning_rate": 0.05},
    "river": {"batch": 1, "learning_rate": 0.01},
    "SGDClassifier": {"batch": 1, "learning_rate": 0.03, "l2": 1e-6},
}
EPOCHS = 2


def measure(
    threads: int, side: str, folder: str, rank: int, settings: dict[str, Any]
) -> dict[str, float]:
    """Return rows, entries and seconds of the last epoch, and the best loss."""
    data = load(folder).head(SIDES[side].MAX_ROWS)
    epochs = list(SIDES[side].epochs(data, rank, EPOCHS, threads, settings))
    (before, _), (after, _) = epochs[-2:]
    loss = min(loss for _, loss in epochs)
    return {"rows": len(data.y), "entries": data.X.nnz, "seconds": after - before, "loss": loss}


def throughput(folder: str, name: str, quick: bool) -> None:
    """Measure every side on a stored data set, and print."""
    calls = {
        (side, rank, threads): partial(
            call, measure, threads=threads, side=side, folder=folder, rank=rank,
            settings=SETTINGS[side],
        )
        for rank in (RANKS[:1] if quick else RANKS)
        for threads in thread_counts()
        for side, module in installed().items()
        if module.THREADED or threads == 1
    }  # fmt: skip
    found = alternate(calls, 1 if quick else REPEATS)
    header = ["k", "threads", "side", "s an epoch", "Mrows/s", "Mnnz/s", "against 1 thread"]
    header += ["log loss", "sparsefm / side"]
    rows = [_row(found, *key) for key in sorted(calls, key=lambda key: key[1:])]
    show(f"Throughput, {sets.title(name, quick)}, batches of 4096", header, rows)


def _row(found: dict, side: str, rank: int, threads: int) -> list[Any]:
    """Return what is to be said of one side with so many factors and threads."""
    results, ours, alone = (
        found[key] for key in ((side, rank, threads), (OURS, rank, threads), (side, rank, 1))
    )
    if isinstance(results, WorkerError):
        return [rank, threads, side, f"failed: {results}", *[None] * 5]
    rate = _rate(results)
    entries = results[0]["entries"] / results[0]["rows"]
    return [
        rank,
        threads,
        side,
        results[0]["rows"] / rate,
        rate / 1e6,
        rate * entries / 1e6,
        ratio(rate / _rate(alone)),
        None if SIDES[side].MAX_ROWS else f"{min(found['loss'] for found in results):.4f}",
        ratio(_rate(ours) / rate),
    ]


def _rate(results: list[dict[str, float]]) -> float:
    """Return the median of rows a second."""
    return statistics.median(found["rows"] / found["seconds"] for found in results)
