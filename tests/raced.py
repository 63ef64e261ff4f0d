"""Small folds, and candidates that have ended, for the tests of the search."""

from dataclasses import replace

import numpy as np
from scipy import sparse

import sparsefm as fm
from sparsefm.data.csr import as_csr
from sparsefm.data.dataset import Dataset
from sparsefm.losses import Squared
from sparsefm.training.hyperparameters import Hyperparameters
from sparsefm.training.learner import new_planner
from sparsefm.tuning.portfolio import Sampling
from sparsefm.tuning.racing import Candidate, Race
from sparsefm.tuning.search import Search
from sparsefm.tuning.trials import Conditions, Fold

LINEAR = Hyperparameters(0, fm.Adam(learning_rate=0.03), batch_size=32)
PRODUCTS = Hyperparameters(4, fm.Adam(learning_rate=0.03), batch_size=32)
STUCK = replace(PRODUCTS, solver=fm.Adam(learning_rate=1e-9))
CONDITIONS = Conditions(Squared(), new_planner(0, 1), 0, 1)


def dataset(rows, outputs=1, seed=0, noise=0.1, linear=1.0, weighted=True):
    """Return rows whose targets are sums of products."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, 4))
    y = X[:, 0] * X[:, 1] + linear * X[:, 2] + noise * rng.normal(size=rows)
    targets = tuple((1.0 + output) * y for output in range(outputs))
    weights = rng.uniform(0.5, 2, rows) if weighted else None
    return Dataset.of(as_csr(X, np.float64), y, targets, weights)


def fold(number=0, **options):
    """Return a fold of 400 training rows and 100 validation rows."""
    return Fold(
        dataset(400, seed=2 * number, **options), dataset(100, seed=2 * number + 1, **options)
    )


def race(n_folds=1, *, race=None, conditions=None, **options):
    """Return a race over such folds, under such conditions."""
    folds = [fold(number, **options) for number in range(n_folds)]
    conditions = replace(CONDITIONS, planner=new_planner(0, 1), **(conditions or {}))
    return Race(folds, conditions, **(race or {}))


def ended(losses, rank=4, row_losses=(), kind=Hyperparameters):
    """Return a candidate that has such losses behind it."""
    return Candidate(kind(rank), 400, losses=list(losses), row_losses=np.array(row_losses))


def sampled(losses, rank=4, row_losses=()):
    """Return a sampler that has such losses behind it."""
    return ended(losses, rank, row_losses, Sampling)


def onehot(rows=150, levels=5, seed=0, noise=0.1):
    """Return rows of two features of value one, which have nothing to encode."""
    rng = np.random.default_rng(seed)
    first, second = rng.integers(0, levels, (2, rows))
    X = np.hstack([np.eye(levels)[first], np.eye(levels)[second]])
    u, v = rng.normal(size=(2, levels))
    return sparse.csr_matrix(X), u[first] * v[second] + noise * rng.normal(size=rows)


def searching(**options):
    """Return a search."""
    settings = {"given": {}, "epochs": None, "threads": 1}
    return Search(loss=Squared(), **settings | options)


def numbers(rows, features=4):
    """Return rows of numbers."""
    X = np.random.default_rng(0).normal(size=(rows, features))
    y = X[:, 0]
    return Dataset.of(as_csr(X, np.float64), y, (y,))
