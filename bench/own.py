"""sparsefm alone: lazy and exact updates, and threads when other processes want the cores too."""

import itertools
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import sparsefm as fm
from bench import data as sets
from bench.machine import cores, thread_counts
from bench.table import ratio, show
from bench.throughput import ADAM, OURS, REPEATS, measure
from bench.worker import alternate, call, medians

RANK = 16
BATCHES = (64, 4096)
BUSY_EPOCHS = 10
BUSY_REPEATS = 5


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
    """Measure beside each kind of competitor, and print."""
    kinds = {
        "nobody": [],
        "a loop on each core": [partial(spinning)] * cores(),
        "a training with two threads": [partial(training, folder)],
    }
    cases = list(itertools.product(BATCHES, thread_counts()))
    calls = {
        (batch, threads): partial(
            call, measure_epochs, threads=threads, folder=folder, batch=batch,
            epochs=2 if quick else BUSY_EPOCHS,
        )
        for batch, threads in cases
    }  # fmt: skip
    rows = []
    for kind, competitors in kinds.items():
        with ExitStack() as running:
            for start in competitors:
                running.enter_context(start())
            found = alternate(calls, 1 if quick else BUSY_REPEATS)
        seconds = {case: medians(results)["seconds"] for case, results in found.items()}
        rows += [[kind, *case, seconds[case], ratio(seconds[case] / seconds[case[0], 1])]
                 for case in cases]  # fmt: skip
    header = ["beside", "batch", "threads", "s an epoch", "time / 1 thread's, as busy"]
    show(f"Threads on a busy machine, {sets.title(name, quick)}, rank {RANK}", header, rows)


def measure_epochs(threads: int, folder: str, batch: int, epochs: int) -> dict[str, float]:
    """Return the mean time of an epoch, except the first: others' time slices are long."""
    times: list[float] = []
    train(threads, folder, batch, epochs, lambda _: times.append(time.perf_counter()))
    return {"seconds": (times[-1] - times[0]) / (epochs - 1)}


def train_on(threads: int, folder: str) -> None:
    """Train until ended; say so after the first epoch."""

    def say(epoch: fm.Epoch) -> None:
        if epoch.epoch == 1:
            print(flush=True)

    train(threads, folder, BATCHES[-1], 10**6, say)


def train(threads: int, folder: str, batch: int, epochs: int, callback: Any) -> None:
    """Train on stored data."""
    data = sets.load(folder)
    solver = fm.Adam(learning_rate=ADAM["learning_rate"], epsilon=ADAM["epsilon"])
    options = {"rank": RANK, "epochs": epochs, "batch_size": batch, "n_threads": threads}
    fm.train(data.X, data.y, task="binary", solver=solver, callbacks=[callback], **options)


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
def spinning() -> Iterator[None]:
    """Keep one core busy meanwhile, without memory."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        try:
            yield
        finally:
            process.kill()


@contextmanager
def training(folder: str) -> Iterator[None]:
    """Train meanwhile, with two threads."""
    command = [sys.executable, "-m", "bench.worker", f"{__name__}:{train_on.__name__}"]
    where = Path(__file__).parents[1]
    pipes = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=where, text=True, **pipes) as process:
        try:
            json.dump({"threads": 2, "folder": folder}, process.stdin)
            process.stdin.close()
            process.stderr.readline()
            yield
        finally:
            process.kill()
