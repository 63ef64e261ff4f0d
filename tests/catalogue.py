"""Users, items and models that recommend; the scores of all pairs, as estimators predict them."""

from functools import cache

import numpy as np
import pandas as pd

import sparsefm as fm

_rng = np.random.default_rng(0)

USERS = pd.DataFrame({"user": [f"u{i}" for i in range(30)], "age": _rng.integers(18, 70, 30)})
ITEMS = pd.DataFrame(
    {
        "movie": [f"m{i:02}" for i in range(90)],
        "genres": [
            sorted(_rng.choice(list("abcdef"), 1 + i % 3, replace=False)) for i in range(90)
        ],
        "price": _rng.normal(size=90),
    }
)

FAST = {"rank": 3, "solver": fm.AdaGrad(), "epochs": 4, "search": None}
MODELS = {
    "fm": fm.FMClassifier(**FAST),
    "fwfm": fm.FMClassifier(**FAST, variant="fwfm"),
    "ffm": fm.FMRegressor(**FAST, variant="ffm"),
    "pairs": fm.FMRegressor(**FAST, pairs=[("user", "movie"), ("age", "genres")]),
    "gibbs": fm.FMRegressor(rank=3, solver=fm.Gibbs(samples=8), search=None, bounds=None),
    "gibbs classifier": fm.FMClassifier(rank=3, solver=fm.Gibbs(samples=8), search=None),
    "float64": fm.FMRegressor(**FAST, dtype="float64"),
    "hinge": fm.FMClassifier(**FAST, loss="hinge"),
    "linear": fm.FMRegressor(**{**FAST, "rank": 0}),
    "without hour": fm.FMRegressor(**FAST),
    "fwfm without hour": fm.FMRegressor(**FAST, variant="fwfm"),
    "ffm without hour": fm.FMRegressor(**FAST, variant="ffm"),
}

SCORED = [name for name in MODELS if name != "gibbs classifier"]
"""Those whose score is their prediction or ``decision_function``."""


@cache
def table():
    """Return rows of users, items and hours."""
    rng = np.random.default_rng(1)
    users = USERS.iloc[rng.integers(0, 30, 1500)].reset_index(drop=True)
    items = ITEMS.iloc[rng.integers(0, 90, 1500)].reset_index(drop=True)
    hour = pd.Series(rng.choice(["day", "night"], 1500), name="hour")
    return pd.concat([users, hour, items], axis=1)


@cache
def fitted(name):
    """Return one of `MODELS`, fitted."""
    rows = table().drop(columns="hour") if "without hour" in name else table()
    rng = np.random.default_rng(2)
    taste = rng.normal(size=(30, 90))
    users, items = rows["user"].str[1:].astype(int), rows["movie"].str[1:].astype(int)
    y = taste[users, items] + 0.02 * rows["age"].to_numpy() + 0.3 * rng.normal(size=len(rows))
    model = MODELS[name]
    return model.fit(rows, (y > np.median(y)) * 1 if isinstance(model, fm.FMClassifier) else y)


def all_scores(model, contexts):
    """Return what a model says of each context with each item, shape (n, items)."""
    rows = contexts.merge(ITEMS, how="cross")[list(model.feature_names_in_)]
    is_classifier = isinstance(model, fm.FMClassifier)
    scores = model.decision_function(rows) if is_classifier else model.predict(rows)
    return scores.reshape(len(contexts), len(ITEMS)).astype(float)
