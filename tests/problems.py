"""Small training problems of every form, and short calls of `train` on them."""

import numpy as np
from scipy import sparse

import sparsefm as fm

TASKS = {"squared": "regression", "huber": "regression", "logistic": "binary", "hinge": "binary"}
FORMS = {"csr": sparse.csr_array, "ones": sparse.csr_matrix, "dense": np.asarray}
L2 = {"l2_linear": 0.3, "l2_factors": 0.7}


def problem(loss="squared", form="csr", rank=3, rows=30, features=9, seed=0):
    """Draw rows, targets, weights and parameters; row 3 is empty and the last feature is absent."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, features))
    if form != "dense":
        X *= rng.random((rows, features)) < 0.4
    X[3:4] = 0
    X[:, features - 1 :] *= features == 1
    if form == "ones":
        X = (X != 0) * 1.0
    y = rng.normal(size=rows) if TASKS[loss] == "regression" else np.arange(rows) % 2.0
    init = (0.3, 0.3 * rng.normal(size=features), 0.3 * rng.normal(size=(features, rank)))
    return X, y, rng.uniform(0.5, 2, rows), init


def fit(X, y, loss="squared", **options):
    """Train; settings of Adam, by default the reference's, and of `train` may be mixed."""
    fields = fm.Adam.__dataclass_fields__
    solver = {"learning_rate": 0.01, "epsilon": 1e-8, "l2_linear": 0.0, "l2_factors": 0.0}
    solver |= {name: options.pop(name) for name in list(options) if name in fields}
    options = {"dtype": "float64", "epochs": 3, "batch_size": 1024, **options}
    return fm.train(X, y, task=TASKS[loss], loss=loss, solver=fm.Adam(**solver), **options)
