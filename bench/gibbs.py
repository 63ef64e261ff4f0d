"""Gibbs sampling: seconds a sweep, and quality against time, in turns with myFM.

myFM has wheels for few versions of Python, so it may be in the environment of another one. It has
one thread; where nothing else is said, sparsefm has every core.
"""

import os
import statistics
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import numpy as np

from bench import datasets, generated, machine
from bench import gibbs_sides as sides
from bench.data import QUICK
from bench.gibbs_sides import Problem, Trace
from bench.machine import cores, thread_counts
from bench.own import spinning
from bench.table import ratio, show
from bench.worker import WorkerError, alternate, call

MYFM = "SPARSEFM_BENCH_MYFM"
RANKS, RANK = (8, 16, 32), 16
SWEEPS, QUICK_SWEEPS = 8, sides.BURN_IN + 2  # to time
BUSY_SWEEPS, BUSY_REPEATS = 40, 5  # others' time slices are long
MARKS, MANY_MARKS, QUICK_MARKS = (10, 20, 50, 100), (10, 20, 30), (6, 8)  # sweeps to tell of
CHAINS = 4
REPEATS = 3
TARGETS = (0.4241, 0.4138, 0.412)  # test log losses of the flights
MOVIELENS = {"movielens_ids": "ids alone", "movielens_full": "all columns"}

Results = list[Trace] | WorkerError


@click.command(
    epilog=f"myFM is measured if it is installed here, or if the environment variable {MYFM} is "
    "the path of another Python that has it: python3.12 -m venv ENV; ENV/bin/pip install myfm; "
    f"{MYFM}=ENV/bin/python"
)
@click.option("--busy", is_flag=True, help="Instead: beside a busy process on each core.")
@click.option(
    "--plot",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Draw the flights' losses; needs matplotlib.",
)
@click.option("--quick", is_flag=True, help="Small data, to see that it works.")
def gibbs(busy: bool, plot: Path | None, quick: bool) -> None:
    """Gibbs sampling: seconds a sweep, and quality against time, beside myFM."""
    click.echo(machine.describe())
    measure(quick, None if busy else find_myfm(), busy=busy, plot=plot)


def measure(
    quick: bool, python: str | None, *, busy: bool = False, plot: Path | None = None
) -> None:
    """Measure and print; `python` is one that has myFM."""
    with stored(_flights(quick)) as flights, stored(_ratings(quick)) as ratings:
        folders = {
            f"flights, 18 one-hot fields, two classes{_small(quick)}": flights,
            f"made ratings, 855,000 x 2 ids{_small(quick)}": ratings,
        }
        for title, folder in folders.items():
            if busy:
                beside_busy(folder, title, quick)
            else:
                speed(folder, title, quick, python)
        if not busy:
            quality(flights, quick, python, plot)
            movielens(quick, python)


def find_myfm() -> str | None:
    """Return a Python that has myFM; say what was found."""
    python = os.environ.get(MYFM) or (sys.executable if find_spec("myfm") else None)
    try:
        found = python and call(sides.myfm_version, threads=1, python=python)
    except (OSError, WorkerError) as error:
        found = None
        click.echo(f"\nmyFM cannot be imported by {MYFM}: {error}")
    click.echo(f"\nmyFM {found}" if found else f"\nmyFM: not measured ({MYFM}: see --help)")
    return python if found else None


# --- data ---------------------------------------------------------------------------------------


def _flights(quick: bool) -> Problem:
    from sparsefm.datasets import load_flights

    found = load_flights()
    train, test = (found.X_train, found.y_train), (found.X_test, found.y_test)
    problem = Problem(*train, *test, found.feature_fields, binary=True)
    return problem.head(len(found.y_train) // QUICK) if quick else problem


def _ratings(quick: bool) -> Problem:
    rows = generated.RATINGS_ROWS // (QUICK if quick else 1)
    X, y = generated.ratings(np.random.default_rng(0), rows)
    return Problem(X, y, X[:0], y[:0], np.repeat([0, 1], generated.RATINGS_IDS), binary=False)


def _movielens(name: str) -> Problem:
    """Encode as `FMRegressor` does."""
    from sparsefm.encoding import TableEncoder

    data = datasets.load(name)
    encoder = TableEncoder().fit(data.X_train)
    X, X_test = encoder.transform(data.X_train), encoder.transform(data.X_test)
    return Problem(X, data.y_train, X_test, data.y_test, encoder.fields_, binary=False)


@contextmanager
def stored(problem: Problem) -> Iterator[str]:
    """Keep a problem in a folder, for the sides to load, meanwhile."""
    with TemporaryDirectory() as folder:
        problem.save(Path(folder))
        yield folder


# --- seconds a sweep ----------------------------------------------------------------------------


def speed(folder: str, title: str, quick: bool, python: str | None) -> None:
    """Measure sweeps of both sides, and print."""
    ranks, load = RANKS[:1] if quick else RANKS, machine.load()
    options = {"folder": folder, "sweeps": QUICK_SWEEPS if quick else SWEEPS}
    calls = {}
    for rank in ranks:
        for threads in thread_counts():
            ours = partial(call, sides.sparsefm, threads=threads, rank=rank, **options)
            calls[rank, "sparsefm", threads] = ours
        if python:
            peer = partial(call, sides.myfm, threads=1, python=python, rank=rank, **options)
            calls[rank, "myFM", 1] = peer
    found = alternate(calls, 1 if quick else REPEATS)
    rows = []
    for (rank, side, threads), results in found.items():
        if isinstance(results, WorkerError):
            rows.append([rank, side, threads, f"failed: {results}", *[None] * 3])
            continue
        seconds = a_sweep(results)
        ratios = []
        for other in ("myFM", "sparsefm"):
            had = found.get((rank, other, 1))
            ratios.append(ratio(a_sweep(had) / seconds) if isinstance(had, list) else None)
        rows.append([rank, side, threads, seconds, a_sweep(results, "cpu"), *ratios])
    header = ["k", "side", "threads", "s a sweep", "CPU s a sweep", "myFM / side"]
    header += ["sparsefm, 1 thread / side"]
    show(f"A sweep, {title}; {_load(load)}", header, rows)


def beside_busy(folder: str, title: str, quick: bool) -> None:
    """Measure sweeps beside nobody and beside a busy process for each core, and print."""
    load = machine.load()
    options = {"folder": folder, "rank": RANK, "sweeps": QUICK_SWEEPS if quick else BUSY_SWEEPS}
    calls = {
        threads: partial(call, sides.sparsefm, threads=threads, **options)
        for threads in thread_counts()
    }
    rows = []
    for kind, number in {"nobody": 0, "a loop on each core": cores()}.items():
        with ExitStack() as running:
            for _ in range(number):
                running.enter_context(spinning())
            found = alternate(calls, 1 if quick else BUSY_REPEATS)
        seconds = {threads: a_sweep(results) for threads, results in found.items()}
        rows += [[kind, threads, had, ratio(had / seconds[1])] for threads, had in seconds.items()]
    header = ["beside", "threads", "s a sweep", "time / 1 thread's, as busy"]
    title = f"Sweeps on a busy machine, {title}, k = {RANK}"
    show(f"{title}; {_load(load)}", header, rows)


def a_sweep(results: Results, clock: str = "seconds") -> float:
    """Return the median, over runs, of the mean time of a sweep but the first."""
    if isinstance(results, WorkerError):
        raise results
    return statistics.median(
        (had[clock][-1] - had[clock][0]) / (len(had[clock]) - 1) for had in results
    )


# --- quality against time -----------------------------------------------------------------------


def quality(folder: str, quick: bool, python: str | None, plot: Path | None) -> None:
    """Measure the test loss of the flights after each sweep; print, and draw."""
    marks, many = (QUICK_MARKS, QUICK_MARKS) if quick else (MARKS, MANY_MARKS)
    load, ours = machine.load(), partial(call, threads=cores(), folder=folder, losses=True)
    options = {"rank": RANK, "sweeps": marks[-1]}
    one, several, adam = "Gibbs", f"Gibbs, {CHAINS} chains", "Adam as in the demo"
    calls = {
        one: partial(ours, sides.sparsefm, **options),
        several: partial(
            ours, sides.sparsefm, **options | {"sweeps": many[-1]}, chains=CHAINS
        ),
        adam: partial(ours, sides.adam),
    }  # fmt: skip
    if python:
        peer = partial(ours, sides.myfm, **options, python=python)
        calls["myFM"] = partial(peer, threads=1)
    traces = typical(alternate(calls, 1 if quick else REPEATS))
    shown = {one: marks, several: many, adam: (), "myFM": marks}
    title = f"flights{_small(quick)}, k = {RANK}, threads: {cores()} (myFM: 1); {_load(load)}"
    show(f"Test log loss, {title}", *at_marks(traces, shown, "log loss"))
    rows = [
        [side, *(seconds_until(trace, target) for target in TARGETS)]
        for side, trace in traces.items()
    ]
    show(f"Seconds until a test log loss, {title}", ["side", *map(str, TARGETS)], rows)
    if plot is not None:
        draw(traces, plot)


def movielens(quick: bool, python: str | None) -> None:
    """Measure the RMSE of ratings of MovieLens after equal sweeps, and print."""
    marks = QUICK_MARKS if quick else MARKS
    options = {"rank": RANK, "sweeps": marks[-1], "losses": True}
    for name, columns in MOVIELENS.items():
        try:
            problem = _movielens(name)
        except datasets.UnavailableError as error:
            click.echo(f"\n{name}: skipped: {error}")
            continue
        load = machine.load()
        with stored(problem) as folder:
            calls = {
                f"FMRegressor, threads: {threads}": partial(
                    call, sides.regressor, threads=threads, name=name, **options
                )
                for threads in sorted({1, cores()})
            }
            if python:
                peer = partial(call, sides.myfm, threads=1, python=python, **options)
                calls["myFM"] = partial(peer, folder=folder)
            traces = typical(alternate(calls, 1 if quick else REPEATS))
        title = f"Test RMSE, MovieLens 100K, {columns}, k = {RANK}; {_load(load)}"
        show(title, *at_marks(traces, dict.fromkeys(traces, marks), "RMSE"))


def typical(found: dict[str, Results]) -> dict[str, Trace]:
    """Return one trace of each side: the losses, and medians of the times. Say what failed."""
    traces = {}
    for side, results in found.items():
        if isinstance(results, WorkerError):
            click.echo(f"\n{side} failed: {results}")
            continue
        clocks = {
            clock: np.median([had[clock] for had in results], axis=0).tolist()
            for clock in ("seconds", "cpu")
        }
        traces[side] = {**clocks, "loss": results[0]["loss"]}
    return traces


def at_marks(
    traces: dict[str, Trace], marks: dict[str, tuple[int, ...]], loss: str
) -> tuple[list[str], list[list[Any]]]:
    """Return the header and the rows of a table of what each side has after some sweeps."""
    rows = []
    peer = traces.get("myFM")
    for side, trace in traces.items():
        for sweep in marks[side] or [len(trace["loss"])]:
            seconds = trace["seconds"][sweep - 1]
            known = peer is not None and marks[side] == marks["myFM"]
            factor = ratio(peer["seconds"][sweep - 1] / seconds) if known else None
            cpu, had = trace["cpu"][sweep - 1], f"{trace['loss'][sweep - 1]:.4f}"
            rows.append([side, sweep, seconds, cpu, had, factor])
    return ["side", "sweeps or epochs", "s", "CPU s", loss, "myFM's s / side's s"], rows


def seconds_until(trace: Trace, target: float) -> float | None:
    """Return when the loss, rounded as the target is, is first as low; None for never."""
    times = zip(trace["seconds"], trace["loss"], strict=True)
    return next((seconds for seconds, loss in times if round(loss, 4) <= target), None)


def draw(traces: dict[str, Trace], file: Path) -> None:
    """Draw the losses against the seconds."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
    for side, trace in traces.items():
        # Single samples, before the mean begins, are far above.
        start = 0 if side.startswith("Adam") else sides.BURN_IN
        axes.semilogx(trace["seconds"][start:], trace["loss"][start:], ".-", ms=4, label=side)
    lowest = min(min(trace["loss"]) for trace in traces.values())
    axes.set(
        xlabel=f"training time [s] with {cores()} threads; myFM has one",
        ylabel="test log loss",
        ylim=(lowest - 0.002, lowest + 0.03),
        title=f"New York flights of 2013: more than 15 minutes late? Rank {RANK}",
    )
    axes.xaxis.set_major_formatter("{x:g}")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25, which="both")
    axes.legend(frameon=False)
    figure.savefig(file, dpi=130)


def _load(before: str) -> str:
    return f"load {before} to {machine.load()}"


def _small(quick: bool) -> str:
    return f", quick: 1/{QUICK} of the rows" if quick else ""
