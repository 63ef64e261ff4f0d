"""Factorization machines on Spark: estimators of `pyspark.ml` that train where the rows are."""

try:
    from sparsefm.spark.estimators import SparkFMClassifier, SparkFMRegressor
    from sparsefm.spark.models import SparkFMClassifierModel, SparkFMRegressorModel
except ModuleNotFoundError as error:
    raise ImportError(
        f"sparsefm.spark needs {error.name}: pip install 'sparsefm[spark]'"
    ) from error

__all__ = [
    "SparkFMClassifier",
    "SparkFMClassifierModel",
    "SparkFMRegressor",
    "SparkFMRegressorModel",
]
