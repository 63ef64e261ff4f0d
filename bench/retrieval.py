"""How long the exact search for the best items takes, beside NumPy's matrix product."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import click
import numpy as np

from bench import machine
from bench.table import show
from sparsefm.retrieval.index import ItemIndex

RANK, TOP = 16, 10
QUERIES = (1, 64)


def by_product(vectors: Any, biases: Any, queries: Any) -> Any:
    """Return the numbers of the best items, from the scores of all of them."""
    scores = queries @ vectors.T + biases
    some = np.argpartition(-scores, TOP, axis=1)[:, :TOP]
    order = np.argsort(-np.take_along_axis(scores, some, 1), axis=1)
    return np.take_along_axis(some, order, 1)


def seconds(work: Callable[[], Any]) -> float:
    """Return how long some work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@click.command()
@click.option("--items", default=1_000_000, show_default=True)
@click.option("--repeats", default=15, show_default=True)
@click.option("--quick", is_flag=True, help="Few items, to see that it works.")
def retrieval(items: int, repeats: int, quick: bool) -> None:
    """Milliseconds a query for the best ten items of rank 16."""
    if quick:
        items, repeats = 10_000, 3
    click.echo(machine.describe())
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(items, RANK + 1)).astype(np.float32)
    vectors, biases = numbers[:, 1:].copy(), numbers[:, 0].copy()
    index = ItemIndex(items, RANK, vectors.dtype, [(vectors, biases)])
    rows = []
    for count in QUERIES:
        queries = rng.normal(size=(count, RANK)).astype(np.float32)
        found, _ = index.search(queries, TOP)
        same = np.mean(found == by_product(vectors, biases, queries))
        sides: dict[str, Callable[[], Any]] = {
            "sparsefm, 1 thread": lambda q=queries: index.search(q, TOP, None, 1),
            "sparsefm, 2 threads": lambda q=queries: index.search(q, TOP, None, 2),
            "NumPy, as many as its BLAS takes": lambda q=queries: by_product(vectors, biases, q),
        }
        times: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(repeats):
            for name, work in sides.items():
                time.sleep(0.1)  # threads of NumPy's BLAS still spin after a call
                times[name].append(seconds(work) / count * 1e3)
        for name, own in times.items():
            rows.append([count, name, f"{statistics.median(own):.2f}", f"{same:.1%}"])
    header = ["queries at once", "side", "ms a query", "same items"]
    show(f"{items:,} items, rank {RANK}, the best {TOP}", header, rows)
