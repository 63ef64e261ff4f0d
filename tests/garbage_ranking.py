"""The entries of rankers, see `garbage_entries`."""

from importlib.util import find_spec
from inspect import signature

import numpy as np

import sparsefm as fm

ROWS = 12


def ranking():
    """Return the entries of rankers, which need tables."""
    if find_spec("pandas") is None or find_spec("narwhals") is None:
        return {}
    import pandas as pd

    users = pd.DataFrame({"user": [f"u{number}" for number in range(4)], "age": range(4)})
    items = pd.DataFrame({"item": [f"i{number}" for number in range(6)], "cost": range(6)})
    rows = pd.DataFrame(
        {
            "user": users["user"][np.arange(ROWS) % 4].to_numpy(),
            "item": items["item"][np.arange(ROWS) % 5].to_numpy(),
            "day": np.arange(ROWS),
            "w": np.ones(ROWS),
        }
    )
    quick = {"rank": 2, "epochs": 1, "n_negatives": 2, "weight": "w", "time": "day"}
    defaults = {
        name: parameter.default for name, parameter in signature(fm.FMRanker).parameters.items()
    }
    fitted = fm.FMRanker(**quick, n_threads=1).fit(rows)
    sides = {"user_features": users, "item_features": items}
    none = {"X": rows, "y": None, "sample_weight": None, "group": None, **sides}
    lists = {
        "X": np.eye(ROWS),
        "y": np.arange(ROWS) % 3,
        "sample_weight": np.ones(ROWS),
        "group": np.arange(ROWS) // 6,
    }
    return {
        "FMRanker": (
            lambda **given: fm.FMRanker(**given).fit(rows),
            {**defaults, **quick, "solver": fm.AdaGrad(), "n_threads": 1},
        ),
        "FMRanker.fit": (fm.FMRanker(**quick, n_threads=1).fit, none),
        "FMRanker.fit: lists": (fm.FMRanker(**quick, n_threads=1).fit, lists),
        "FMRanker.predict": (fitted.predict, {"X": rows[["user", "item"]]}),
        "FMRanker.recommend": (
            fitted.recommend,
            {"contexts": ["u1"], "top": 3, "exclude_seen": True, "candidates": ["i1", "i2"]},
        ),
    }
