"""Training on rows on a Dask cluster: `pip install "sparsefm[dask]"`."""

try:
    import dask.array
    import dask.dataframe
    import distributed
    import pyarrow  # noqa: F401
except ImportError as error:
    raise ImportError(
        f"sparsefm.dask needs Dask, and {error.name} is missing: pip install 'sparsefm[dask]'"
    ) from error

from sparsefm.dask.estimators import DaskFMClassifier, DaskFMRegressor
from sparsefm.distributed.settings import Rounds

__all__ = ["DaskFMClassifier", "DaskFMRegressor", "Rounds"]
