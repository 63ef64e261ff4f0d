"""Field-weighted machines beside plain ones: the time of an epoch."""

import itertools
import time
from functools import partial

import click
import numpy as np
import scipy.sparse as sp

import sparsefm as fm
from bench.machine import describe, thread_counts
from bench.table import ratio, show
from bench.worker import alternate, call, medians

RANK = 16
FIELDS = (18, 39)
FEATURES = 200_000
BATCHES = (256, 1024)
VARIANTS = ("fm", "fwfm")
REPEATS = 5


@click.command()
@click.option("--quick", is_flag=True, help="Small data, to see that it works.")
def fields(quick: bool) -> None:
    """Measure epochs of field-weighted machines beside plain ones, by fields, batch and threads."""
    click.echo(describe())
    rows, epochs, repeats = (2_000, 2, 1) if quick else (60_000, 6, REPEATS)
    sizes = (FIELDS[:1], BATCHES[:1]) if quick else (FIELDS, BATCHES)
    cases = list(itertools.product(*sizes, thread_counts(), VARIANTS))
    calls = {
        case: partial(
            call, measure_epochs, n_fields=case[0], batch=case[1], threads=case[2],
            variant=case[3], rows=rows, epochs=epochs,
        )
        for case in cases
    }  # fmt: skip
    found = alternate(calls, repeats)
    seconds = {case: medians(results)["seconds"] for case, results in found.items()}
    table = [
        [*case, seconds[case], ratio(seconds[case] / seconds[(*case[:3], "fm")])] for case in cases
    ]
    header = ["fields", "batch", "threads", "variant", "s an epoch", "time / fm"]
    show(f"{rows:,} one-hot rows, {FEATURES:,} features, rank {RANK}, lazy Adam", header, table)


def measure_epochs(
    threads: int, n_fields: int, batch: int, variant: str, rows: int, epochs: int
) -> dict[str, float]:
    """Return the shortest time of an epoch, except the first."""
    rng = np.random.default_rng(0)
    size = FEATURES // n_fields
    values = (rng.random((rows, n_fields)) ** 3 * size).astype(np.int32)  # some occur often
    columns = values + np.arange(n_fields, dtype=np.int32) * size
    indptr = np.arange(0, columns.size + 1, n_fields, dtype=np.int32)
    ones = np.ones(columns.size, np.float32)
    X = sp.csr_matrix((ones, columns.ravel(), indptr), (rows, n_fields * size))
    y = (rng.random(rows) < 0.3).astype(np.float32)
    times: list[float] = []
    settings = {"rank": RANK, "epochs": epochs, "batch_size": batch, "n_threads": threads}
    numbers = np.repeat(np.arange(n_fields), size)
    fm.train(
        X, y, task="binary", variant=variant, fields=numbers, solver=fm.Adam(), **settings,
        callbacks=[lambda epoch: times.append(time.perf_counter())],
    )  # fmt: skip
    return {"seconds": float(np.diff(times).min())}
