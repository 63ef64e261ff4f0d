"""sparsefm alone: lazy and exact updates, and threads when other processes want the cores too."""

import itertools
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from bench import data as sets
from bench.machine import cores, thread_counts
from bench.table import ratio, show
from bench.throughput import ADAM, OURS, REPEATS, measure
from bench.worker import alternate, call, medians

RANK = 16
BATCHES = (64, 4096)


def exact(folder: str, name: str, quick: bool) -> None:
    """Measure lazy and exact updates, and print."""
    cases = list(itertools.product(BATCHES, thread_counts(), ("lazy", "exact")))
    seconds = _seconds(folder, cases, quick)
    rows = [
        [*case, seconds[case], ratio(seconds[case] / seconds[(*case[:2], "lazy")])]
        for case in cases
    ]
    header = ["batch", "threads", "updates", "s an epoch", "time / lazy"]
    show(f"Lazy and exact Adam, {sets.title(name, quick)}, rank {RANK}", header, rows)


def busy(folder: str, name: str, quick: bool) -> None:
    """Measure with one competing process for each core, and print."""
    cases = list(itertools.product(BATCHES, thread_counts(), ("lazy",)))
    with competitors(cores()):
        seconds = _seconds(folder, cases, quick)
    rows = [[*case[:2], seconds[case], ratio(seconds[case[0], 1, "lazy"] / seconds[case])]
            for case in cases]  # fmt: skip
    header = ["batch", "threads", "s an epoch", "against 1 thread, as busy"]
    title = f"{cores()} competing processes on {cores()} cores, {sets.title(name, quick)}"
    show(f"{title}, rank {RANK}", header, rows)


def _seconds(folder: str, cases: list[tuple[int, int, str]], quick: bool) -> dict[Any, float]:
    """Return the median time of an epoch for each (batch, threads, updates)."""
    calls = {
        (batch, threads, updates): partial(
            call,
            measure,
            threads=threads,
            side=OURS,
            folder=folder,
            rank=RANK,
            settings=ADAM | {"batch": batch, "updates": updates},
        )
        for batch, threads, updates in cases
    }
    found = alternate(calls, 1 if quick else REPEATS)
    return {case: medians(results)["seconds"] for case, results in found.items()}


@contextmanager
def competitors(number: int) -> Iterator[None]:
    """Keep that many cores busy meanwhile."""
    processes = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(number)
    ]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()
