"""The scikit-learn estimators."""

from sparsefm.estimators.classifier import FMClassifier
from sparsefm.estimators.regressor import FMRegressor

__all__ = ["FMClassifier", "FMRegressor"]
