"""scikit-learn's logistic regression by stochastic gradients: a yardstick, no interactions."""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from bench.data import Data
from bench.peers.losses import log_loss

NAME, DISTRIBUTION = "SGDClassifier", "scikit-learn"
NOTE = "logistic regression, no factors, batches of 1, one thread"
THREADED = False
MAX_ROWS = None
GRID = [
    {"batch": 1, "learning_rate": rate, "l2": l2}
    for rate in (0.003, 0.01, 0.03)
    for l2 in (1e-6, 1e-5)
]


def epochs(
    data: Data, rank: int, epochs: int, threads: int, settings: dict[str, Any]
) -> Iterator[tuple[float, float]]:
    """Call `partial_fit`; the rank does not matter."""
    from sklearn.linear_model import SGDClassifier

    model = SGDClassifier(
        loss="log_loss",
        learning_rate="constant",
        eta0=settings["learning_rate"],
        alpha=settings.get("l2", 0),
        random_state=0,
    )
    X, y = data.X.astype(np.float64), data.y.astype(np.float64)
    classes = np.array([0.0, 1.0])
    seconds = 0.0
    for _ in range(epochs):
        started = time.perf_counter()
        model.partial_fit(X, y, classes)
        seconds += time.perf_counter() - started
        yield seconds, log_loss(data.y_val, model.decision_function(data.X_val))
