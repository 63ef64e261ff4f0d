"""Peak memory of training, of every side and at scale, and what ``docs/inputs.md`` says of ours.

What is counted is the growth of the process from when it holds the data: libraries are loaded, and
a few rows trained on, before. On Linux alone.
"""

import time
from functools import partial
from pathlib import Path

from scipy.sparse import csr_matrix

import sparsefm as fm
from bench import data as sets
from bench.data import Clicks, Data, distinct_features, load
from bench.machine import cores
from bench.peers import SIDES, installed
from bench.table import ratio, show
from bench.throughput import ADAM, OURS, SETTINGS
from bench.worker import WorkerError, alternate, call, medians

RANK = 16
ROWS, FIELDS = 5_000_000, 39  # at scale
FEATURES = (1_000_000, 10_000_000)
QUICK = 20  # quick data at scale are smaller by this factor


def peak_memory(folder: str, name: str, quick: bool) -> None:
    """Measure every side that trains on all rows, and print."""
    sides = [side for side, module in installed().items() if module.MAX_ROWS is None]
    calls = {side: partial(call, measure, threads=1, side=side, folder=folder) for side in sides}
    found = alternate(calls, 1)
    rows = []
    for side, result in found.items():
        if isinstance(result, WorkerError):
            rows.append([side, f"failed: {result}", None, None])
            continue
        documented = result[0]["documented"] / 2**20 if side == OURS else None
        relative = ratio(result[0]["peak"] / found[OURS][0]["peak"])
        rows.append([side, result[0]["peak"] / 2**20, documented, relative])
    header = ["side", "MiB besides the data", "documented", "side / sparsefm"]
    show(f"Peak memory, {sets.title(name, quick)}, rank {RANK}, 1 thread", header, rows)


def measure(threads: int, side: str, folder: str) -> dict[str, float]:
    """Return the growth of the memory while one side trains an epoch."""
    data = load(folder)
    source = Clicks(4, 100)
    _train(side, Data(*source.draw(64), *source.draw(64)), threads)
    peak = Peak()
    _train(side, data, threads)
    return {"peak": peak.growth(), "documented": documented(data.X)}


def _train(side: str, data: Data, threads: int) -> None:
    for _ in SIDES[side].epochs(data, RANK, 1, threads, SETTINGS[side]):
        pass


class Peak:
    """Watches how the memory of this process grows from now on."""

    def __init__(self) -> None:
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
        self._before = self._status("VmRSS")

    def growth(self) -> float:
        """Return by how many bytes the peak is above what was used at first."""
        return self._status("VmHWM") - self._before

    @staticmethod
    def _status(name: str) -> float:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith(name)) * 1024


def documented(X: csr_matrix) -> float:
    """Return the bytes that ``docs/inputs.md`` states for Adam on ones in float32."""
    batch, features = ADAM["batch"], X.shape[1]
    parameters = features * (3 * RANK + 4) * 4  # the rank is a multiple of 16
    transposes = 4 * X.nnz + 12 * len(distinct_features(X, batch))
    rows = 16 * X.shape[0] + batch * RANK * 4
    return parameters + transposes + rows + features * (RANK + 1) * 4


def scale(quick: bool) -> None:
    """Train on many rows with few and with many features in turns, and print."""
    divide = QUICK if quick else 1
    calls = {
        features: partial(
            call, measure_scale, threads=cores(), rows=ROWS // divide, features=features // divide
        )
        for features in FEATURES
    }
    found = alternate(calls, 1 if quick else 3)
    found = {features: medians(results) for features, results in found.items()}
    rows = [
        [f"{features // divide:,}", result["first"], result["epoch"],
         result["epoch"] / result["entries"] * 1e9,
         ratio(result["epoch"] / found[FEATURES[0]]["epoch"]),
         result["peak"] / 2**20, result["documented"] / 2**20]
        for features, result in found.items()
    ]  # fmt: skip
    header = ["features", "s to the first epoch's end", "s an epoch", "ns a non-zero"]
    header += ["time / few features", "MiB besides the data", "documented"]
    title = f"Scale: {ROWS // divide:,} rows x {FIELDS} ones, rank {RANK}, {cores()} threads"
    show(title, header, rows)


def measure_scale(threads: int, rows: int, features: int) -> dict[str, float]:
    """Return times and the growth of the memory in two epochs on rows made here."""
    X, y = Clicks(FIELDS, features).draw(rows)
    settings = {name: value for name, value in ADAM.items() if name != "batch"}
    seconds: list[float] = []
    peak = Peak()
    started = time.perf_counter()
    fm.train(
        X,
        y,
        task="binary",
        rank=RANK,
        epochs=2,
        batch_size=ADAM["batch"],
        solver=fm.Adam(**settings),
        n_threads=threads,
        callbacks=[lambda _: seconds.append(time.perf_counter() - started)],
    )
    return {
        "first": seconds[0],
        "epoch": seconds[1] - seconds[0],
        "entries": float(X.nnz),
        "peak": peak.growth(),
        "documented": documented(X),
    }
