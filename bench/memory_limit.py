"""How near an epoch of sparsefm comes to the time that its accesses to memory take by themselves.

The limit is measured on the same machine, rows, batches and rank by two bare loops, compiled here
(`memory_limit.cpp`). One gathers: for each non-zero, the rank floats of its factors. The other
updates: for each distinct feature of each batch it reads and writes the 3 * rank floats of its
factors and both moments. Both prefetch, and nothing keeps threads waiting for each other.
"""

import ctypes
import statistics
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from bench import data as sets
from bench.data import distinct_features, load
from bench.machine import thread_counts
from bench.native import COMPILER, compiled, has_compiler
from bench.table import show
from bench.throughput import ADAM, OURS, RANKS, REPEATS, measure
from bench.worker import alternate, call, medians

BATCH = ADAM["batch"]
PASSES = 3  # after one more that counts for nothing
SOURCE = Path(__file__).with_suffix(".cpp")


def memory_limit(folder: str, name: str, quick: bool) -> None:
    """Measure the bare loops and sparsefm in turns, and print."""
    if not has_compiler():
        show("Memory limit", ["not measured"], [[f"no C++ compiler: {COMPILER} not found"]])
        return
    with TemporaryDirectory() as built:
        library = compiled(SOURCE, built, "-fopenmp")
        ranks = RANKS[:1] if quick else RANKS
        cases = [(rank, threads) for rank in ranks for threads in thread_counts()]
        calls: dict = {}
        for rank, threads in cases:
            common = {"threads": threads, "folder": folder, "rank": rank}
            calls["limit", rank, threads] = partial(call, bare, library=library, **common)
            calls[OURS, rank, threads] = partial(call, measure, side=OURS, settings=ADAM, **common)
        found = alternate(calls, 1 if quick else REPEATS)
    found = {key: medians(results) for key, results in found.items()}
    rows = [
        _row(rank, threads, found["limit", rank, threads], found[OURS, rank, threads])
        for rank, threads in cases
    ]
    header = [
        "k",
        "threads",
        "gather GB/s",
        "update GB/s",
        "limit s",
        "sparsefm s",
        "sparsefm GB/s",
    ]
    title = f"Memory limit, {sets.title(name, quick)}, batches of {BATCH}"
    show(title, [*header, "limit / sparsefm"], rows)


def _row(rank: int, threads: int, limit: dict[str, float], ours: dict[str, float]) -> list:
    total = limit["gather seconds"] + limit["update seconds"]
    moved = limit["gather bytes"] + limit["update bytes"]
    return [
        rank,
        threads,
        *(limit[f"{what} bytes"] / limit[f"{what} seconds"] / 1e9 for what in ("gather", "update")),
        total,
        ours["seconds"],
        moved / ours["seconds"] / 1e9,
        f"{total / ours['seconds']:.0%}",
    ]


def bare(threads: int, folder: str, rank: int, library: str) -> dict[str, float]:
    """Return the seconds and the bytes of both loops for one epoch."""
    run = ctypes.CDLL(library).run
    pointer, integer = ctypes.c_void_p, ctypes.c_int
    run.argtypes = [pointer, ctypes.c_int64, pointer, integer, integer, integer]
    run.restype = ctypes.c_float
    X = load(folder).X
    shuffled = X[np.random.default_rng(0).permutation(X.shape[0])]
    distinct = distinct_features(shuffled, BATCH)
    rows = aligned_ones(X.shape[1] * 3 * rank)
    result: dict[str, float] = {}
    loops = {"gather": (shuffled.indices, rank, 0), "update": (distinct, 2 * 3 * rank, 1)}
    for name, (features, floats, write) in loops.items():
        times = []
        for _ in range(1 + PASSES):
            started = time.perf_counter()
            run(features.ctypes.data, len(features), rows.ctypes.data, rank, write, threads)
            times.append(time.perf_counter() - started)
        result[f"{name} seconds"] = statistics.median(times[1:])
        result[f"{name} bytes"] = float(len(features) * floats * rows.itemsize)
    return result


def aligned_ones(size: int) -> np.ndarray:
    """Return that many float32 ones that begin where a line of the cache does."""
    room = np.ones(size + 15, np.float32)
    skipped = -room.ctypes.data % 64 // 4
    return room[skipped : skipped + size]
