"""Factorization machines on Spark: estimators of `pyspark.ml` that train where the rows are."""

try:
    import pyspark.ml  # noqa: F401
except ImportError as error:
    raise ImportError('sparsefm.spark needs pyspark: pip install "sparsefm[spark]"') from error

from sparsefm.spark.estimators import (
    SparkFMClassifier,
    SparkFMClassifierModel,
    SparkFMRegressor,
    SparkFMRegressorModel,
)

__all__ = [
    "SparkFMClassifier",
    "SparkFMClassifierModel",
    "SparkFMRegressor",
    "SparkFMRegressorModel",
]
