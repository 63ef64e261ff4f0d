"""river: FM on one dictionary at a time, in Python."""

import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from bench.data import Data
from bench.peers.losses import log_loss

NAME = DISTRIBUTION = "river"
NOTE = "rows are dictionaries, batches of 1, one thread; first 1,000 rows"
THREADED = False
MAX_ROWS = 1000
GRID: list[dict[str, Any]] = []  # an epoch of the flights would take half an hour


def epochs(
    data: Data, rank: int, epochs: int, threads: int, settings: dict[str, Any]
) -> Iterator[tuple[float, float]]:
    """Call `learn_one` for each row; the loss is that of the first validation rows."""
    from river import facto, optim

    rate = settings["learning_rate"]
    model = facto.FMClassifier(
        n_factors=rank,
        weight_optimizer=optim.Adam(rate),
        latent_optimizer=optim.Adam(rate),
        seed=0,
    )
    training = list(zip(_dictionaries(data.X), data.y > 0, strict=True))
    validation, y_val = _dictionaries(data.X_val[:MAX_ROWS]), data.y_val[:MAX_ROWS]
    seconds = 0.0
    for _ in range(epochs):
        started = time.perf_counter()
        for row, late in training:
            model.learn_one(row, late)
        seconds += time.perf_counter() - started
        found = np.array([model.predict_proba_one(row)[True] for row in validation])
        found = np.clip(found, 1e-9, 1 - 1e-9)
        yield seconds, log_loss(y_val, np.log(found / (1 - found)))


def _dictionaries(X: csr_matrix) -> list[dict[int, float]]:
    bounds = pairwise(X.indptr)
    return [dict.fromkeys(X.indices[begin:end].tolist(), 1.0) for begin, end in bounds]
