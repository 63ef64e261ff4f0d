"""What a search costs: our default beside a fit with the settings that it has chosen.

Each fit is in a process of its own, which has loaded the data, and trained on a few other rows.
"""

import pickle
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np
import pandas as pd

from bench import ours
from bench.datasets import UnavailableError, load
from bench.machine import cores
from bench.memory import Peak
from bench.table import ratio, show
from bench.worker import WorkerError, call

FEW_ROWS = 40
SETTINGS = "settings.pickle"
MOST_SECONDS, FREE_SECONDS, FROM_ROWS = 8, 1.0, 50_000  # times the fit's own, plus a second
MOST_MEMORY = 3


def prices(names: Sequence[str]) -> None:
    """Measure on each of the data sets, and print."""
    rows, dear = [], []
    for name in names:
        try:
            n_rows = load(name).X_train.shape[0]
            default, chosen = _both(name)
        except (UnavailableError, WorkerError) as error:
            click.echo(f"{name}: skipped: {error}", err=True)
            continue
        row = [name, n_rows, default["seconds"], *[None] * 2, default["peak"] / 2**20, *[None] * 2]
        if chosen is not None:
            time_ratio = default["seconds"] / chosen["seconds"]
            memory_ratio = default["peak"] / max(chosen["peak"], 1)
            row[3:5] = chosen["seconds"], ratio(time_ratio)
            row[6:] = chosen["peak"] / 2**20, ratio(memory_ratio)
            slow = default["seconds"] > MOST_SECONDS * chosen["seconds"] + FREE_SECONDS
            if (n_rows > FROM_ROWS and slow) or memory_ratio > MOST_MEMORY:
                dear.append(name)
        rows.append(row)
    header = ["data set", "rows", "default s", "chosen s", "default / chosen"]
    header += ["default MiB", "chosen MiB", "default / chosen"]
    show("Seconds to fit and peak memory besides the data", header, rows)
    click.echo(
        f"\nmore than {MOST_SECONDS} times the seconds plus {FREE_SECONDS:g} s (above {FROM_ROWS:,}"
        f" rows), or more than {MOST_MEMORY} times the memory: {', '.join(dear) or 'none'}"
    )


def _both(name: str) -> tuple[dict[str, float], dict[str, float] | None]:
    """Measure the default, and a fit with what it has chosen if it tells."""
    with TemporaryDirectory() as folder:
        default = call(measure, threads=cores(), name=name, folder=folder, chosen=False)
        if not Path(folder, SETTINGS).exists():
            return default, None
        return default, call(measure, threads=cores(), name=name, folder=folder, chosen=True)


def measure(threads: int, name: str, folder: str, chosen: bool) -> dict[str, float]:
    """Return seconds and memory of a fit; keep its choice, or take the one that was kept."""
    data, file = load(name), Path(folder, SETTINGS)
    model = ours.estimator(data, seed=0)
    # Libraries are loaded when they are first needed.
    codes = np.arange(FEW_ROWS) % 2
    model.fit(pd.DataFrame({"a": np.where(codes, "b", "c"), "x": np.arange(FEW_ROWS)}), codes)
    model = ours.estimator(data, seed=0)
    if chosen:
        model = type(model)(**pickle.loads(file.read_bytes()))
    peak, started = Peak(), time.perf_counter()
    model.fit(data.X_train, data.y_train)
    found = {"seconds": time.perf_counter() - started, "peak": peak.growth()}
    if not chosen and hasattr(model, "best_params_"):
        file.write_bytes(pickle.dumps(model.best_params_))
    return found
