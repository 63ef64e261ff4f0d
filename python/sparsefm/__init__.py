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

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sparsefm import evaluation, nn, onnx, plots
from sparsefm.errors import DivergenceError, FileFormatError
from sparsefm.field_aware_model import FieldAwareModel
from sparsefm.field_model import FieldWeightedModel
from sparsefm.files import SparseData, SparseText, convert, read, read_table
from sparsefm.history import Epoch
from sparsefm.loading import load
from sparsefm.model import Model, predict
from sparsefm.optimizers import AdaGrad, Adam
from sparsefm.sampling import ALS, Gibbs, SampledModel
from sparsefm.scorer import Scorer
from sparsefm.training.callbacks import EarlyStopping, LearningRateSchedule, ProgressBar
from sparsefm.training.checkpoint import Checkpoint
from sparsefm.training.train import train
from sparsefm.versions import show_versions

# Imported on first use: they need scikit-learn, which takes half a second to import.
_LATER = {
    "FMClassifier": "sparsefm.estimators",
    "FMRanker": "sparsefm.ranking",
    "FMRegressor": "sparsefm.estimators",
    "Recommender": "sparsefm.retrieval",
    "TableEncoder": "sparsefm.encoding",
}

if TYPE_CHECKING:
    from sparsefm.encoding import TableEncoder
    from sparsefm.estimators import FMClassifier, FMRegressor
    from sparsefm.ranking import FMRanker
    from sparsefm.retrieval import Recommender

__all__ = [
    "ALS",
    "AdaGrad",
    "Adam",
    "Checkpoint",
    "DivergenceError",
    "EarlyStopping",
    "Epoch",
    "FMClassifier",
    "FMRanker",
    "FMRegressor",
    "FieldAwareModel",
    "FieldWeightedModel",
    "FileFormatError",
    "Gibbs",
    "LearningRateSchedule",
    "Model",
    "ProgressBar",
    "Recommender",
    "SampledModel",
    "Scorer",
    "SparseData",
    "SparseText",
    "TableEncoder",
    "convert",
    "evaluation",
    "load",
    "nn",
    "onnx",
    "plots",
    "predict",
    "read",
    "read_table",
    "show_versions",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module 'sparsefm' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
