"""Spark's own factorization machines beside ours, in one session on this machine's cores.

Both train on one column of sparse vectors, kept in memory. The seconds of an epoch come from fits
of few and of more epochs; the rest is what is done once.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import click
import numpy as np

from bench import generated, machine
from bench.table import show

RANK, FEATURES = 16, 100_000
TEST_ROWS = 20_000
STEP_SIZES = (0.001, 0.01, 0.1)  # of MLlib, for which no one value suits all data
TIMED = {"sparsefm": (1, 5), "MLlib": (2, 12)}  # epochs; one of MLlib is a step with all rows
TRAINED = {"sparsefm": (1, 2), "MLlib": (10, 40)}


def session() -> Any:
    """Return a session of all cores of this machine."""
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    settings = {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": "6g",
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


def sides() -> dict[str, Callable[..., Any]]:
    """Return for each trainer a function that makes an estimator of so many epochs."""
    from pyspark.ml.classification import FMClassifier

    import sparsefm as fm
    from sparsefm.spark import SparkFMClassifier

    def ours(epochs: int) -> Any:
        return SparkFMClassifier(
            labelCol="label",
            featuresCol="features",
            rank=RANK,
            solver=fm.AdaGrad(),
            epochs=epochs,
            random_state=0,
        )

    def mllib(epochs: int, step_size: float = 0.01) -> Any:
        return FMClassifier(
            labelCol="label",
            featuresCol="features",
            factorSize=RANK,
            maxIter=epochs,
            stepSize=step_size,
            tol=0.0,
            seed=0,
        )

    return {"sparsefm": ours, "MLlib": mllib}


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


def measure(train: Any, repeats: int) -> dict[str, tuple[float, float]]:
    """Return for each trainer the seconds of an epoch, and those of what is done once."""
    makers = sides()
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in makers}
    for _ in range(repeats):
        for name, make in makers.items():
            few, many = TIMED[name]
            short, long = (seconds(make(epochs), train) for epochs in (few, many))
            epoch = (long - short) / (many - few)
            runs[name].append((epoch, short - few * epoch))
    return {
        name: (
            statistics.median(one[0] for one in found),
            statistics.median(one[1] for one in found),
        )
        for name, found in runs.items()
    }


def best_losses(train: Any, test: Any) -> dict[str, float]:
    """Return the best log loss of each trainer, by epochs and, of MLlib, by step size."""
    makers = sides()
    tried = {
        "sparsefm": [makers["sparsefm"](epochs) for epochs in TRAINED["sparsefm"]],
        "MLlib": [
            makers["MLlib"](epochs, step_size)
            for epochs in TRAINED["MLlib"]
            for step_size in STEP_SIZES
        ],
    }
    return {
        name: min(loss(estimator.fit(train), test) for estimator in estimators)
        for name, estimators in tried.items()
    }


@click.command()
@click.option("--rows", default=200_000, show_default=True)
@click.option("--repeats", default=3, show_default=True)
@click.option("--quick", is_flag=True, help="Small data, to see that it works.")
def spark(rows: int, repeats: int, quick: bool) -> None:
    """Seconds an epoch, and loss, of Spark MLlib's FMClassifier and ours, in local[*]."""
    if quick:
        rows, repeats = 2_000, 1
    click.echo(machine.describe())
    running = session()
    train, test = frames(running, rows)
    costs, losses = measure(train, repeats), best_losses(train, test)
    table = [
        [name, epoch, epoch / rows * 1e6, once, f"{losses[name]:.4f}"]
        for name, (epoch, once) in costs.items()
    ]
    header = ["", "s an epoch", "µs a row", "s once", "best log loss"]
    show(
        f"Spark {running.version}: {rows:,} rows x 39, {FEATURES:,} features, rank {RANK}",
        header,
        table,
    )
    running.stop()
