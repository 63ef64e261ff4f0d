"""Tables whose columns interact, and estimators with fields for them."""

import numpy as np
import pytest

import sparsefm as fm

pd = pytest.importorskip("pandas")
pytest.importorskip("narwhals")

QUICK = {
    "variant": "fwfm",
    "rank": 3,
    "solver": fm.AdaGrad(learning_rate=0.1, initial_accumulator=0.5),
    "epochs": 4,
    "search": None,
}
SOLVERS = {
    "adagrad": QUICK["solver"],
    "lazy": fm.Adam(learning_rate=0.02),
    "exact": fm.Adam(learning_rate=0.02, updates="exact"),
}


def table(n=300, seed=0):
    """Return columns of text, lists and numbers."""
    rng = np.random.default_rng(seed)
    tags = [list(rng.choice(list("pqrs"), rng.integers(0, 4), replace=False)) for _ in range(n)]
    frame = pd.DataFrame({name: rng.choice(list("abcde"), n) for name in ("u", "v", "w")})
    return frame.assign(tags=tags, x=rng.normal(size=n))


def targets(kind, frame, seed=1):
    """Return what depends much on u and v together, and on the others little."""
    rng = np.random.default_rng(seed)
    first, second = rng.normal(size=(2, 5, 2))
    u, v = (np.searchsorted(list("abcde"), frame[name]) for name in "uv")
    y = (first[u] * second[v]).sum(axis=1) + 0.2 * frame["x"].to_numpy()
    y += 0.1 * rng.normal(size=len(y))
    if kind == "regressor":
        return 100 + 10 * y
    edges = [0.0] if kind == "classifier" else [-0.5, 0.5]
    return np.searchsorted(edges, y)


def make(kind, **settings):
    cls = fm.FMRegressor if kind == "regressor" else fm.FMClassifier
    return cls(**QUICK | settings)


def fitted(kind, n=300, **settings):
    frame = table(n)
    return make(kind, **settings).fit(frame, targets(kind, frame)), frame


KINDS = ["regressor", "classifier", "several"]
