"""Training throughput: threads, batch sizes, lazy and exact updates, on a quiet and a busy machine.

Run as ``python -m bench.throughput``; prints a Markdown table. Data are made here: `FIELDS` one-hot
fields whose values follow a power law, as clicks do. The sides alternate; figures are medians.
"""

import itertools
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import scipy.sparse as sp

import sparsefm as fm

ROWS, FIELDS, FEATURES, RANK = 300_000, 20, 200_000, 16
EPOCHS, REPEATS = 3, 3
THREADS = sorted({1, 2, os.cpu_count() or 1})


def clicks() -> tuple[sp.csr_matrix, np.ndarray]:
    """Return X of shape (ROWS, FEATURES), FIELDS ones a row, and labels."""
    random = np.random.default_rng(0)
    of_field = FEATURES // FIELDS
    values = np.minimum(random.zipf(1.3, (ROWS, FIELDS)) - 1, of_field - 1)
    columns = (values + of_field * np.arange(FIELDS)).astype(np.int32)
    offsets = np.arange(0, ROWS * FIELDS + 1, FIELDS, dtype=np.int32)
    X = sp.csr_matrix((np.ones(columns.size, np.float32), columns.ravel(), offsets))
    X.resize(ROWS, FEATURES)
    effects = random.normal(0, 0.3, FEATURES)
    return X, random.random(ROWS) < 1 / (1 + np.exp(-X @ effects))


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


def seconds_per_epoch(
    X: sp.csr_matrix, y: np.ndarray, batch: int, threads: int, kind: str
) -> float:
    """Return the time of one epoch, the first one and the planning of batches left out."""
    model = fm.train(
        X,
        y,
        task="binary",
        rank=RANK,
        epochs=EPOCHS,
        batch_size=batch,
        n_threads=threads,
        solver=fm.Adam(updates=kind),
    )
    return (model.history[-1].seconds - model.history[0].seconds) / (EPOCHS - 1)


def main() -> None:
    """Measure and print."""
    X, y = clicks()
    fm.show_versions()
    print(f"\n{ROWS:,} rows x {FIELDS} ones, {FEATURES:,} features, rank {RANK}, float32\n")
    print("| busy cores | batch | updates | threads | s an epoch | million non-zeros a second |")
    print("|---|---|---|---|---|---|")
    for busy, batch in itertools.product((0, os.cpu_count() or 1), (64, 4096)):
        sides = list(itertools.product(("lazy", "exact"), THREADS))
        times: dict[tuple[str, int], list[float]] = {side: [] for side in sides}
        with competitors(busy):
            for _ in range(REPEATS):
                for kind, threads in sides:
                    times[kind, threads].append(seconds_per_epoch(X, y, batch, threads, kind))
        for (kind, threads), measured in times.items():
            median = statistics.median(measured)
            rate = X.nnz / median / 1e6
            print(f"| {busy} | {batch} | {kind} | {threads} | {median:.3f} | {rate:.1f} |")


if __name__ == "__main__":
    main()
