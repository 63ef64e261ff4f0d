"""LightFM: one half of a row's features as a user, the other half as an item.

It models pairs of a user's and an item's feature, not pairs within either: half of an FM's pairs,
at about the same cost a feature. LightFM 1.17 does not build with a plain ``pip install``; with
pip 23, setuptools and wheel installed, ``pip install --no-use-pep517 lightfm`` builds it.
"""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, identity

from bench.data import Data
from bench.peers.losses import log_loss

NAME, DISTRIBUTION = "LightFM", "lightfm"
NOTE = "pairs of the first and the second half of the features only; AdaGrad, batches of 1, Hogwild"
THREADED = True
MAX_ROWS = None
GRID = [
    {"batch": 1, "learning_rate": rate, "l2": l2} for rate in (0.02, 0.05) for l2 in (1e-6, 1e-5)
]


def epochs(
    data: Data, rank: int, epochs: int, threads: int, settings: dict[str, Any]
) -> Iterator[tuple[float, float]]:
    """Call `fit_partial` with row r the meeting of user r and item r."""
    from lightfm import LightFM

    model = LightFM(
        no_components=rank,
        loss="logistic",
        learning_schedule="adagrad",
        learning_rate=settings["learning_rate"],
        user_alpha=settings.get("l2", 0),
        item_alpha=settings.get("l2", 0),
        random_state=0,
    )
    rows = len(data.y)
    meetings = identity(rows, np.float32, "coo")
    meetings.data[:] = np.where(data.y > 0, 1, -1)
    users, items = _halves(data.X)
    val_users, val_items = _halves(data.X_val)
    every = np.arange(len(data.y_val), dtype=np.int32)
    seconds = 0.0
    for _ in range(epochs):
        started = time.perf_counter()
        model.fit_partial(meetings, user_features=users, item_features=items, num_threads=threads)
        seconds += time.perf_counter() - started
        scores = model.predict(
            every, every, user_features=val_users, item_features=val_items, num_threads=threads
        )
        yield seconds, log_loss(data.y_val, scores)


def _halves(X: csr_matrix) -> tuple[csr_matrix, csr_matrix]:
    """Return the first and the second half of each row, over the same columns."""
    columns = X.indices.reshape(X.shape[0], -1)
    middle = columns.shape[1] // 2
    parts = (columns[:, :middle], columns[:, middle:])
    return tuple(
        csr_matrix(
            (
                np.ones(part.size, np.float32),
                part.ravel(),
                np.arange(len(part) + 1) * part.shape[1],
            ),
            X.shape,
        )
        for part in parts
    )
