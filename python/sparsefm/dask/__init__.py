"""Training on rows on a Dask cluster: `pip install "sparsefm[dask]"`."""

try:
    from sparsefm.dask.estimators import DaskFMClassifier, DaskFMRegressor
except ModuleNotFoundError as error:
    raise ImportError(f"sparsefm.dask needs {error.name}: pip install 'sparsefm[dask]'") from error
from sparsefm.distributed.settings import Rounds

__all__ = ["DaskFMClassifier", "DaskFMRegressor", "Rounds"]
