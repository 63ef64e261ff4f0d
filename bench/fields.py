"""Machines with fields beside plain ones: the time of an epoch."""

import ctypes
import itertools
import os
import sys
import time
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np
import scipy.sparse as sp

import sparsefm as fm
from bench.machine import describe, thread_counts
from bench.modern_fm_side import measure_modern_fm
from bench.native import compiled, has_compiler
from bench.table import ratio, show
from bench.worker import alternate, call, medians

RANK, AWARE_RANK = 16, 4
FIELDS = (18, 39)
FEATURES = 200_000
BATCHES = (256, 1024)
VARIANTS = ("fm", "fwfm")
REPEATS = 5
PAIRS = Path(__file__).with_name("field_aware_pairs.cpp")
BY_PAIRS = "loop over pairs"  # as libffm
MODERN_FM = "MODERN_FM"  # names a Python that has it, if this one does not


@click.command()
@click.option("--quick", is_flag=True, help="Small data, to see that it works.")
def fields(quick: bool) -> None:
    """Measure epochs of machines with fields beside plain ones, by fields, batch and threads."""
    click.echo(describe())
    rows, epochs, repeats = (2_000, 2, 1) if quick else (60_000, 6, REPEATS)
    sizes = (FIELDS[:1], BATCHES[:1]) if quick else (FIELDS, BATCHES)
    weighted(sizes, rows, epochs, repeats)
    aware(sizes[1], rows, epochs, repeats)
    python = os.environ.get(MODERN_FM) or (sys.executable if find_spec("modern_fm") else None)
    if python:
        beside_modern_fm(python, rows, epochs, 1 if quick else 3)
    else:
        click.echo(f"\nmodern-fm: not measured; {MODERN_FM} may name a Python that has it")


def weighted(sizes: tuple, rows: int, epochs: int, repeats: int) -> None:
    """Measure field-weighted machines."""
    cases = list(itertools.product(*sizes, thread_counts(), VARIANTS))
    calls = {
        case: partial(
            call, measure_epochs, n_fields=case[0], batch=case[1], threads=case[2],
            variant=case[3], rank=RANK, solver="Adam", rows=rows, epochs=epochs,
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


def aware(batches: tuple, rows: int, epochs: int, repeats: int) -> None:
    """Measure field-aware machines, beside a loop over pairs if there is a compiler."""
    n_fields = FIELDS[0]
    common = {"n_fields": n_fields, "rows": rows, "epochs": epochs}
    cases = list(itertools.product(("fm", "ffm"), batches, thread_counts()))
    calls = {
        case: partial(
            call, measure_epochs, variant=case[0], batch=case[1], threads=case[2],
            rank=AWARE_RANK, solver="AdaGrad", **common,
        )
        for case in cases
    }  # fmt: skip
    with TemporaryDirectory() as folder:
        if has_compiler():
            library = compiled(PAIRS, folder, "-ffast-math")
            case = BY_PAIRS, 1, 1
            calls[case] = partial(call, measure_pairs, threads=1, library=library, **common)
        found = alternate(calls, repeats)
    seconds = {case: medians(results)["seconds"] for case, results in found.items()}
    table = [[*case, seconds[case], seconds[case] / rows * 1e6] for case in calls]
    header = ["variant", "batch", "threads", "s an epoch", "µs a row"]
    title = f"{rows:,} one-hot rows of {n_fields} fields, rank {AWARE_RANK}, AdaGrad"
    show(title, header, table)


def beside_modern_fm(python: str, rows: int, epochs: int, repeats: int) -> None:
    """Measure machines with fields beside those of modern-fm, with AdaGrad, too."""
    n_fields, batch = FIELDS[0], BATCHES[0]
    columns, y, size = rows_of(n_fields, rows)
    kinds = (("fwfm", RANK), ("ffm", AWARE_RANK))
    cases = list(itertools.product(kinds, thread_counts()))
    with TemporaryDirectory() as folder:
        path = Path(folder, "rows.npz")
        np.savez(path, columns=columns, y=y)
        common = {"n_fields": n_fields, "batch": batch}
        calls = {}
        for case in cases:
            (variant, rank), threads = case
            own = {"variant": variant, "rank": rank, "threads": threads, **common}
            calls[case, "sparsefm"] = partial(
                call, measure_epochs, solver="AdaGrad", rows=rows, epochs=epochs, **own
            )
            calls[case, "modern-fm"] = partial(
                call, measure_modern_fm, python=python, columns=str(path), size=size, **own
            )
        found = alternate(calls, repeats)
    seconds = {key: medians(results)["seconds"] for key, results in found.items()}
    table = [
        [*case[0], case[1], *times, ratio(times[1] / times[0])]
        for case in cases
        if (times := [seconds[case, side] for side in ("sparsefm", "modern-fm")])
    ]
    header = ["variant", "rank", "threads", "sparsefm, s an epoch", "modern-fm", "times faster"]
    show(f"{rows:,} one-hot rows of {n_fields} fields, AdaGrad, batch {batch}", header, table)


def rows_of(n_fields: int, rows: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Return the columns of one-hot rows, their targets, and the size of a field."""
    rng = np.random.default_rng(0)
    size = FEATURES // n_fields
    values = (rng.random((rows, n_fields)) ** 3 * size).astype(np.int32)  # some occur often
    columns = values + np.arange(n_fields, dtype=np.int32) * size
    return columns, (rng.random(rows) < 0.3).astype(np.float32), size


def measure_epochs(
    threads: int,
    n_fields: int,
    batch: int,
    variant: str,
    rank: int,
    solver: str,
    rows: int,
    epochs: int,
) -> dict[str, float]:
    """Return the shortest time of an epoch, except the first."""
    columns, y, size = rows_of(n_fields, rows)
    indptr = np.arange(0, columns.size + 1, n_fields, dtype=np.int32)
    ones = np.ones(columns.size, np.float32)
    X = sp.csr_matrix((ones, columns.ravel(), indptr), (rows, n_fields * size))
    times: list[float] = []
    settings = {"rank": rank, "epochs": epochs, "batch_size": batch, "n_threads": threads}
    numbers = np.repeat(np.arange(n_fields), size)
    fm.train(
        X, y, task="binary", variant=variant, fields=numbers, solver=getattr(fm, solver)(),
        callbacks=[lambda epoch: times.append(time.perf_counter())], **settings,
    )  # fmt: skip
    return {"seconds": float(np.diff(times).min())}


def measure_pairs(
    threads: int, n_fields: int, rows: int, epochs: int, library: str
) -> dict[str, float]:
    """Return the shortest time of an epoch of the loop over pairs, except the first."""
    columns, y, size = rows_of(n_fields, rows)
    epoch = ctypes.CDLL(library).epoch
    epoch.argtypes = (
        [ctypes.c_void_p] * 2 + [ctypes.c_int64] * 2 + [ctypes.c_void_p, ctypes.c_float]
    )
    epoch.restype = None
    shuffled = np.random.default_rng(1).permutation(rows)
    columns, y = np.ascontiguousarray(columns[shuffled]), y[shuffled]
    factors = np.ones((n_fields * size * n_fields, 2, AWARE_RANK), np.float32)
    factors[:, 0] = np.random.default_rng(2).normal(0, 0.05, factors[:, 0].shape)
    times = []
    for _ in range(epochs):
        started = time.perf_counter()
        epoch(columns.ctypes.data, y.ctypes.data, rows, n_fields, factors.ctypes.data, 0.05)
        times.append(time.perf_counter() - started)
    assert np.isfinite(factors).all()
    return {"seconds": min(times[1:])}
