"""Spark's own factorization machines beside ours, in one session on this machine's cores.

Both train on one column of sparse vectors, kept in memory. The seconds of an epoch come from fits
of few and of more epochs; the rest is what is done once.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import click
import numpy as np

from bench import generated, machine
from bench.table import show

RANK, FEATURES = 16, 100_000
TEST_ROWS = 20_000
STEP_SIZES = (0.001, 0.003, 0.01, 0.03)  # of MLlib, for which no one value suits all data
STEPS = 20  # of MLlib: an epoch of its is one step with all rows


def session() -> Any:
    """Return a session of all cores of this machine."""
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    settings = {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": "10g",
        "spark.driver.maxResultSize": "0",
        "spark.log.level": "OFF",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    builder = SparkSession.builder.master("local[*]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def frames(spark: Any, rows: int) -> tuple[Any, Any]:
    """Return frames of clicks to train and to test on: a label and 39 categories as a vector."""
    from pyspark.ml.linalg import SparseVector

    X, y = generated.clicks(np.random.default_rng(1000), rows + TEST_ROWS, features=FEATURES)
    X.sort_indices()
    ones = [1.0] * X.shape[1]

    def vector(row: int) -> Any:
        places = X.indices[X.indptr[row] : X.indptr[row + 1]].tolist()
        return SparseVector(X.shape[1], places, ones[: len(places)])

    def frame(begin: int, end: int) -> Any:
        pairs = [(float(y[row]), vector(row)) for row in range(begin, end)]
        made = spark.createDataFrame(pairs, ["label", "features"])
        kept = made.repartition(spark.sparkContext.defaultParallelism).persist()
        kept.count()
        return kept

    return frame(0, rows), frame(rows, rows + TEST_ROWS)


def ours(epochs: int, partitions: int, threads: int = 1) -> Any:
    """Return an estimator; there is nothing to search for."""
    import sparsefm as fm
    from sparsefm.spark import SparkFMClassifier

    settings = {"rank": RANK, "solver": fm.AdaGrad(), "search": None, "random_state": 0}
    return SparkFMClassifier(
        labelCol="label",
        featuresCol="features",
        numPartitions=partitions,
        epochs=epochs,
        n_threads=threads,
        **settings,
    )


def mllib(epochs: int, step_size: float = STEP_SIZES[0]) -> Any:
    """Return an estimator."""
    from pyspark.ml.classification import FMClassifier

    return FMClassifier(
        labelCol="label",
        featuresCol="features",
        factorSize=RANK,
        maxIter=epochs,
        stepSize=step_size,
        tol=0.0,
        seed=0,
    )


def loss(model: Any, frame: Any) -> float:
    """Return the log loss of a model."""
    found = model.transform(frame).select("label", "probability").toPandas()
    p = np.clip([row[1] for row in found["probability"]], 1e-15, 1 - 1e-15)
    return float(-np.mean(np.where(found["label"] > 0, np.log(p), np.log1p(-p))))


def seconds(estimator: Any, frame: Any) -> float:
    """Return how long a fit takes."""
    start = time.perf_counter()
    estimator.fit(frame)
    return time.perf_counter() - start


def costs(make: Callable[[int], Any], train: Any, few: int, many: int) -> tuple[float, float]:
    """Return the seconds of an epoch, and those of what is done once."""
    short, long = (seconds(make(epochs), train) for epochs in (few, many))
    epoch = (long - short) / (many - few)
    return epoch, short - few * epoch


@click.command()
@click.option("--rows", default=100_000, show_default=True)
@click.option("--copies", default=1, show_default=True, help="Of each row, while time is measured.")
@click.option("--repeats", default=3, show_default=True)
@click.option("--quick", is_flag=True, help="Small data, to see that it works.")
def spark(rows: int, copies: int, repeats: int, quick: bool) -> None:
    """Seconds an epoch, and loss, of Spark MLlib's FMClassifier and ours, in local[*].

    The losses are on rows that choose nothing of ours, and MLlib's step size.
    """
    if quick:
        rows, repeats = 4_000, 1
    click.echo(machine.describe())
    running = session()
    cores = running.sparkContext.defaultParallelism
    train, test = frames(running, rows)
    many_rows = train
    if copies > 1:
        many_rows = running.range(copies).crossJoin(train).select("label", "features").persist()
        many_rows.count()
    sides: dict[str, tuple[Callable[[int], Any], int, int]] = {
        "sparsefm, 1 partition": (partial(ours, partitions=1), 1, 21),
        f"sparsefm, 1 partition, {cores} threads": (
            partial(ours, partitions=1, threads=cores),
            1,
            21,
        ),
        f"sparsefm, {cores} partitions": (partial(ours, partitions=cores), 1, 3),
        "MLlib": (mllib, 2, 12),
    }
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for _ in range(repeats):
        for name, (make, few, many) in sides.items():
            runs[name].append(costs(make, many_rows, few, many))
    losses = {name: [loss(make(1).fit(train), test)] for name, (make, *_) in sides.items()}
    losses["MLlib"] = [loss(mllib(STEPS, step).fit(train), test) for step in STEP_SIZES]
    table = []
    for name, found in runs.items():
        epoch, once = (statistics.median(numbers) for numbers in zip(*found, strict=True))
        epochs = STEPS if name == "MLlib" else 1
        cost = [epoch, epoch / (copies * rows) * 1e6, once]
        table.append([name, *cost, epochs, f"{min(losses[name]):.4f}"])
    header = ["", "s an epoch", "µs a row", "s once", "epochs", "log loss"]
    title = (
        f"Spark {running.version}: {copies * rows:,} rows x 39, {FEATURES:,} features, rank {RANK}"
    )
    show(title, header, table)
    running.stop()
