"""The sides of ``python -m bench defaults``: who predicts, and in which version."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import numpy as np

from bench import gibbs_sides, ours, predictors, tuned
from bench.boosting import boosting
from bench.datasets import DataSet
from bench.machine import version_of
from bench.worker import call

OURS, HELD_OUT = "sparsefm", "sparsefm, eval_set"
LINEAR, BOOSTING, CEILING = "linear", "HistGB", "ceiling"


@dataclass(frozen=True)
class Side:
    """Who predicts.

    Attributes
    ----------
    predict : callable
        From a data set, and a seed if `seeded`, to predictions as in `bench.predictors`.
    version : callable, optional
        What results are kept for; without it they are not kept.
    seeded : bool
    """

    predict: Callable[..., np.ndarray]
    version: Callable[[], str] | None = None
    seeded: bool = False


def sides(settings: int = tuned.SETTINGS, seconds: float = tuned.SEARCH_SECONDS) -> dict[str, Side]:
    """Return all sides; the ceiling with so many settings, and so much time for them."""
    scikit_learn = partial(_version, "scikit-learn")
    ceiling = f"{tuned.VERSION}, {settings} settings, {seconds:g} s"
    return {
        "constant": Side(predictors.constant, lambda: "1"),
        LINEAR: Side(predictors.linear, scikit_learn),
        BOOSTING: Side(boosting, scikit_learn),
        "modern-fm": Side(predictors.modern_fm, partial(_version, "modern-fm")),
        "myFM": Side(predictors.myfm, _myfm_version),
        CEILING: Side(partial(_ceiling, settings, seconds), lambda: ceiling),
        OURS: Side(ours.sparsefm, seeded=True),
        HELD_OUT: Side(ours.with_eval_set, seeded=True),
    }


def _ceiling(settings: int, seconds: float, data: DataSet) -> np.ndarray:
    return tuned.tuned(data, settings, seconds)


def _version(distribution: str) -> str:
    return version_of(distribution) or "none"


@cache
def _myfm_version() -> str:
    python = predictors.myfm_python()
    return call(gibbs_sides.myfm_version, threads=1, python=python) if python else "none"


NAMES = tuple(sides())
