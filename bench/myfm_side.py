"""myFM with its defaults, in ``python -m bench defaults``; in another Python if it is there.

So this module imports only NumPy and SciPy.
"""

from pathlib import Path

import numpy as np
from scipy.sparse import load_npz

RANK = 10  # it has no default; myFM's own examples have this one


def predict(threads: int, folder: str, regression: bool) -> None:
    """Train on what the folder has; write predictions beside it."""
    from myfm import MyFMGibbsClassifier, MyFMGibbsRegressor

    where = Path(folder)
    X, X_test = (load_npz(where / f"{name}.npz").astype(np.float64) for name in ("X", "X_test"))
    y, groups = np.load(where / "y.npy"), np.load(where / "groups.npy")
    kind = MyFMGibbsRegressor if regression else MyFMGibbsClassifier
    model = kind(rank=RANK, random_seed=0)
    model.fit(X, y if regression else y > 0, grouping=groups.tolist())
    found = model.predict(X_test) if regression else model.predict_proba(X_test)
    np.save(where / "predictions.npy", found)
