"""modern-fm: FM in Rust, float64, row-parallel with rayon."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from bench.data import Data
from bench.peers.losses import log_loss

NAME = DISTRIBUTION = "modern-fm"
NOTE = "time inside its Rust kernel"
THREADED = True
MAX_ROWS = None
GRID = [
    {"optimizer": "adagrad", "batch": 256, "learning_rate": rate, "l2": l2}
    for rate in (0.02, 0.05)
    for l2 in (1e-5, 1e-4, 1e-3)
]


def epochs(
    data: Data, rank: int, epochs: int, threads: int, settings: dict[str, Any]
) -> Iterator[tuple[float, float]]:
    """Continue one epoch at a time, in a new random order each; time its kernel alone."""
    from modern_fm import FMClassifier, _backend

    kernel = Timed(_backend._rust.fm_fit_csr)
    _backend._rust.fm_fit_csr = kernel
    model = FMClassifier(
        n_factors=rank,
        optimizer=settings.get("optimizer", "adam"),
        learning_rate=settings["learning_rate"],
        epsilon=settings.get("epsilon", 1e-8),
        l2_linear=settings.get("l2", 0),
        l2_factors=settings.get("l2", 0),
        batch_size=settings["batch"],
        init_scale=0.05,
        max_iter=1,
        warm_start=True,
        random_state=np.random.default_rng(0),
        dtype="float64",
        n_jobs=threads,
    )
    X = data.X.astype(np.float64)
    for _ in range(epochs):
        model.fit(X, data.y)
        yield kernel.seconds, log_loss(data.y_val, model.decision_function(data.X_val))


class Timed:
    """A function, and the seconds spent in it."""

    def __init__(self, function: Callable) -> None:
        self._function = function
        self.seconds = 0.0

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call the function."""
        started = time.perf_counter()
        try:
            return self._function(*arguments, **named)
        finally:
            self.seconds += time.perf_counter() - started
