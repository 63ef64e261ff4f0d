"""Factorization machines on sparse data: fast, exact, the same bits on any number of threads.

Examples
--------
>>> import numpy as np, scipy.sparse as sp, sparsefm as fm
>>> X = sp.random(1000, 50, density=0.1, format="csr", random_state=0)
>>> y = X @ np.arange(50.0)
>>> model = fm.train(X, y, rank=4, epochs=5)
>>> fm.predict(X, model).shape
(1000,)
"""

from sparsefm import nn
from sparsefm.callbacks import Epoch, ProgressBar
from sparsefm.errors import DivergenceError
from sparsefm.model import Model, predict
from sparsefm.solvers import AdaGrad, Adam
from sparsefm.training import train
from sparsefm.versions import show_versions

__all__ = [
    "AdaGrad",
    "Adam",
    "DivergenceError",
    "Epoch",
    "Model",
    "ProgressBar",
    "nn",
    "predict",
    "show_versions",
    "train",
]
