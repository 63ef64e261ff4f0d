"""sparsefm."""

import time
from collections.abc import Iterator
from typing import Any

import sparsefm as fm
from bench.data import Data

NAME = DISTRIBUTION = "sparsefm"
NOTE = "Adam, lazy updates; AdaGrad in time to quality"
THREADED = True
MAX_ROWS = None
GRID = [{"optimizer": "adagrad", "batch": 64, "learning_rate": 0.06, "l2": 0.004}]


def epochs(
    data: Data, rank: int, epochs: int, threads: int, settings: dict[str, Any]
) -> Iterator[tuple[float, float]]:
    """Train twice, to the same bits: once for the times, once more for the losses.

    The times count from the call of `train`: its checks and its preparations are part of them.
    """
    arguments = {"rank": rank, "epochs": epochs, "n_threads": threads, **_arguments(settings)}
    seconds: list[float] = []
    started = time.perf_counter()
    fm.train(
        data.X,
        data.y,
        callbacks=[lambda _: seconds.append(time.perf_counter() - started)],
        **arguments,
    )
    model = fm.train(data.X, data.y, data.X_val, data.y_val, **arguments)
    yield from zip(seconds, (epoch.val_loss for epoch in model.history), strict=True)


def _arguments(settings: dict[str, Any]) -> dict[str, Any]:
    adagrad = settings.get("optimizer") == "adagrad"
    names = ("learning_rate", "epsilon", "updates")
    own = {name: settings[name] for name in names if name in settings}
    l2 = settings.get("l2", 0)
    solver = (fm.AdaGrad if adagrad else fm.Adam)(l2_linear=l2, l2_factors=l2, **own)
    return {
        "task": "binary",
        "batch_size": settings["batch"],
        "solver": solver,
        "init": "uniform" if adagrad else "normal",
    }
