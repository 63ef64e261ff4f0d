"""Training on a text file within a budget of memory, beside training on its rows in memory."""

import os
import sys
import tempfile
import time
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import numpy as np

from bench import machine
from bench.table import show
from bench.vw_side import linear, peak_memory
from bench.worker import WorkerError, alternate, call

ENTRIES, FEATURES = 39, 1_000_000  # of a row, as in Criteo's data
DIFFERENT = 100_000  # rows; they repeat
EPOCHS = 4
MB = 1_000_000

VOWPAL_WABBIT = "VOWPAL_WABBIT"  # a Python that has it, if this one does not


def ours(path: str, budget: int | None, epochs: int, threads: int) -> dict[str, Any]:
    """Train; return the seconds of each epoch and of everything, and the most memory, in bytes."""
    import sparsefm as fm

    started = time.perf_counter()
    options: dict[str, Any] = {"epochs": epochs, "n_threads": threads, "memory_budget": budget}
    model = fm.train(path, task="binary", rank=8, **options)
    total = time.perf_counter() - started
    seconds = np.diff([0.0, *(epoch.seconds for epoch in model.history)]).tolist()
    return {"epochs": seconds, "total": total, "peak": peak_memory()}


def write(folder: Path, size: int, *, for_vw: bool) -> tuple[Path, int]:
    """Write about `size` bytes of libsvm, or for Vowpal Wabbit; return the path and the rows."""
    rng = np.random.default_rng(0)
    step = FEATURES // ENTRIES
    ranks = np.minimum(rng.zipf(1.3, (DIFFERENT, ENTRIES)), step - 1)  # few values are frequent
    columns = ranks + step * np.arange(ENTRIES) + 1
    labels = rng.integers(0, 2, DIFFERENT)
    lines = []
    for label, row in zip(labels.tolist(), columns.tolist(), strict=True):
        entries = " ".join(f"{i}" if for_vw else f"{i}:1" for i in row)
        lines.append(f"{2 * label - 1} | {entries}\n" if for_vw else f"{label} {entries}\n")
    block = "".join(lines).encode()
    times = max(size // len(block), 1)
    path = folder / ("rows.vw" if for_vw else "rows.svm")
    with path.open("wb") as file:
        for _ in range(times):
            file.write(block)
    return path, times * DIFFERENT


def row_of(name: str, runs: list[dict[str, Any]] | WorkerError, rows: int) -> list[Any]:
    """Return a row of the table: medians of some runs."""
    if isinstance(runs, WorkerError):
        raise click.ClickException(f"{name}: {runs}")
    later = float(np.median([seconds for one in runs for seconds in one["epochs"][1:]]))
    first = runs[0]["total"] - sum(runs[0]["epochs"][1:])  # later ones need not parse the text
    return [name, max(one["peak"] for one in runs) / MB, first, later, later / rows * 1e6]


@click.command()
@click.option("--size", default=2000, help="Of the text, in MB.")
@click.option("--budget", default=500, help="Of memory, in MB.")
@click.option("--repeats", default=3)
@click.option("--quick", is_flag=True, help="Small data, to see that it works.")
def streams(size: int, budget: int, repeats: int, quick: bool) -> None:
    """Train on a file within a budget of memory: 39 features a row, as in Criteo's data."""
    click.echo(machine.describe())
    click.echo(f"\nload {machine.load()}")
    if quick:
        size, repeats = 40, 1
    with tempfile.TemporaryDirectory() as name:
        path, rows = write(Path(name), size * MB, for_vw=False)
        threads = machine.cores()
        calls = {
            side: partial(call, ours, threads=threads, path=str(path), budget=given, epochs=EPOCHS)
            for side, given in (("in memory", None), ("within the budget", budget * MB))
        }
        runs = alternate(calls, repeats)  # the first time, the text is parsed
        results = [row_of(f"sparsefm, {side}", found, rows) for side, found in runs.items()]
        path.unlink()
        python = os.environ.get(VOWPAL_WABBIT) or (
            sys.executable if find_spec("vowpalwabbit") else None
        )
        if python:
            path, rows = write(Path(name), size * MB, for_vw=True)
            found = call(linear, threads=1, python=python, path=str(path), passes=EPOCHS)
            results.append(row_of("Vowpal Wabbit, linear", [found], rows))
        title = f"{rows:,} rows, {size} MB of text, budget {budget} MB, {EPOCHS} epochs, rank 8"
        heads = ["side", "peak, MB", "first epoch and before, s", "later epoch, s", "us a row"]
        show(title, heads, results)
        ratio = results[0][3] / results[1][3]
        click.echo(f"\nspeed of a later epoch, relative to memory: {ratio:.2f}")
