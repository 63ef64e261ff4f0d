"""The entries of recommenders, see `garbage_entries`."""

import copy
from importlib.util import find_spec

import numpy as np

import sparsefm as fm

ROWS = 12


def recommending():
    """Return the entries of recommenders, which need tables."""
    if find_spec("pandas") is None or find_spec("narwhals") is None:
        return {}
    import pandas as pd

    users = pd.DataFrame({"user": [f"u{number}" for number in range(ROWS)], "age": range(ROWS)})
    items = pd.DataFrame({"item": [f"i{number}" for number in range(ROWS)], "cost": range(ROWS)})
    rows = pd.concat([users, items[::-1].reset_index(drop=True)], axis=1)
    model = fm.FMRegressor(rank=2, epochs=1, solver=fm.Adam(), search=None, n_threads=1).fit(
        rows, range(ROWS)
    )
    options = {"item": "item", "user": "user", "users": users, "seen": rows, "n_threads": 1}
    given = fm.Recommender(model, items, **options)
    return {
        "Recommender": (fm.Recommender, {"model": model, "items": items, **options}),
        "Recommender.recommend": (
            given.recommend,
            {"contexts": users, "top": 3, "exclude_seen": True, "candidates": ["i1", "i2"]},
        ),
        "Recommender.rank": (given.rank, {"contexts": ["u1"], "candidates": ["i1", "i2"]}),
        "Recommender.similar_items": (given.similar_items, {"items": ["i1"], "top": 3}),
        "Recommender.similar_users": (given.similar_users, {"users": ["u1"], "top": 3}),
        "Recommender: factors": (model.factors, {"column": "user", "target": None}),
        "Recommender: fold_in": (
            lambda **given: copy.copy(model).fold_in(**given),
            {"X": rows, "y": np.arange(12.0), "column": "user", "sample_weight": None},
        ),
        "Recommender.context_vectors": (given.context_vectors, {"contexts": ["u1"]}),
    }
