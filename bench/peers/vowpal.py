"""Vowpal Wabbit: its matrix factorization, --rank, with all of a row's features on both sides.

Its nearest thing to a factorization machine, linear in a row's features as an FM is: every feature
has two vectors, one as the left and one as the right of a pair. (Its --lrq and --lrqfa go through
the pairs one by one and are many times slower.) The examples are parsed outside of the time.
"""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from bench.data import Data
from bench.peers.losses import log_loss

NAME, DISTRIBUTION = "Vowpal Wabbit", "vowpalwabbit"
NOTE = "--rank k -q xx, SGD, batches of 1, one thread; throughput of the first 20,000 rows"
THREADED = False
MAX_ROWS = 20_000
GRID = [{"batch": 1, "learning_rate": rate} for rate in (0.005, 0.01, 0.02, 0.05)]


def epochs(
    data: Data, rank: int, epochs: int, threads: int, settings: dict[str, Any]
) -> Iterator[tuple[float, float]]:
    """Learn from the examples one after another, in a new random order each epoch."""
    from vowpalwabbit import Workspace

    bits = int(np.ceil(np.log2(data.X.shape[1] * (2 * rank + 1))))
    vw = Workspace(
        f"--rank {rank} -q xx --loss_function logistic -b {bits} --quiet --random_seed 1 "
        f"--learning_rate {settings['learning_rate']}"
    )
    training = _examples(vw, data.X, data.y)
    validation = _examples(vw, data.X_val, data.y_val)
    random = np.random.default_rng(0)
    seconds = 0.0
    for _ in range(epochs):
        order = random.permutation(len(training))
        started = time.perf_counter()
        for row in order:
            vw.learn(training[row])
        seconds += time.perf_counter() - started
        yield seconds, log_loss(data.y_val, np.array([vw.predict(row) for row in validation]))


def _examples(vw: Any, X: csr_matrix, y: np.ndarray) -> list[Any]:
    examples = []
    for row, label in enumerate(y):
        columns = X.indices[X.indptr[row] : X.indptr[row + 1]]
        text = f"{1 if label > 0 else -1} |x {' '.join(map(str, columns))}"
        examples.append(vw.parse(text))
    return examples
