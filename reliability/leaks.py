"""Fit, predict, save and load again and again in one process; see whether it grows."""

import ctypes
import gc
import os
import tempfile
from pathlib import Path

import sparsefm as fm
from reliability.problems import KINDS, matrix, scores, table, targets
from reliability.report import Budget, Report

MOST_GROWTH = 4 << 20  # bytes
ROWS = 60
SETTLED = 0.2  # of the rounds, after which nothing may grow


def resources() -> dict[str, int]:
    """Return what this process has: memory in bytes, threads and descriptors."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "memory": pages * os.sysconf("SC_PAGE_SIZE"),
        "threads": len(os.listdir("/proc/self/task")),
        "descriptors": len(os.listdir("/proc/self/fd")),
    }


def once(kind: str, path: Path, number: int) -> None:
    """Fit, predict, save, load and predict again; every other time with an error on the way."""
    X, y = table(ROWS, number % 50), targets(kind, ROWS)
    model = KINDS[kind][0]().fit(X, y)
    scores(model, X)
    model.save(path)
    scores(fm.load(path), X)
    if number % 2:
        for wrong in (lambda: model.predict(X[["x"]]), lambda: fm.load(os.devnull)):
            try:
                wrong()
            except ValueError:
                continue


def grown(before: dict[str, int], after: dict[str, int]) -> list[str]:
    """Return what has grown by more than it may."""
    most = {"memory": MOST_GROWTH}
    return [name for name in before if after[name] - before[name] > most.get(name, 0)]


def run(budget: Budget, report: Report) -> None:
    """Try every kind of estimator, and `train`, in turn."""
    kinds, before, settled = list(KINDS), resources(), False
    X, y = matrix(ROWS), targets("regressor", ROWS)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "saved.safetensors")
        for number in budget:
            once(kinds[number % len(kinds)], path, number)
            fm.predict(X, fm.train(X, y, rank=2, epochs=1))
            report.add("fit, predict, save, load")
            if not settled and number >= SETTLED * budget.count:
                before, settled = resources(), True
    after = resources()
    if settled:
        for name in grown(before, after):
            report.find(f"{name} grew from {before[name]:,} to {after[name]:,}")
    else:
        report.find(f"only {report.outcomes.total():,} rounds in this time: allow more")
    growth = (after["memory"] - before["memory"]) / 1024
    report.figures.append(
        f"{growth:+,.0f} KiB, {after['threads'] - before['threads']:+d} threads, "
        f"{after['descriptors'] - before['descriptors']:+d} descriptors in the last four fifths"
    )
