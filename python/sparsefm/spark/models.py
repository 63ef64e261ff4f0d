"""Fitted models, which add predictions to a DataFrame."""

from __future__ import annotations

from typing import Any

from pyspark.ml import Model
from pyspark.ml.functions import array_to_vector
from pyspark.ml.util import MLReadable, MLWritable
from pyspark.sql.functions import col

from sparsefm.estimators import FMClassifier, FMRegressor
from sparsefm.spark.frames import check_frame, quoted, vectors_of
from sparsefm.spark.params import ClassColumnParams, ColumnParams
from sparsefm.spark.persistence import Reader, Writer
from sparsefm.spark.predicting import predicted

PREDICTED = "sparsefm predictions"  # a column while others are made of it


class SparkFMModel(Model, ColumnParams, MLReadable, MLWritable):  # type: ignore[misc]
    """Common part of `SparkFMRegressorModel` and `SparkFMClassifierModel`.

    Attributes
    ----------
    estimator : FMRegressor or FMClassifier
        Fitted: it predicts, explains, plots and saves itself without Spark.
    """

    def __init__(self, estimator: Any) -> None:
        super().__init__()
        self.estimator = estimator

    def write(self) -> Writer:
        """Return what writes the model: ``model.write().overwrite().save(path)``."""
        return Writer(self)

    @classmethod
    def read(cls) -> Reader:
        """Return what reads a model, see `load`."""
        return Reader(cls)

    def _transform(self, dataset: Any) -> Any:
        frame = check_frame(dataset)
        names, is_vector = vectors_of(self, frame)
        outputs = [output for output in self._outputs() if output[0]]
        for column, _, _ in outputs:
            if column in frame.columns:
                raise ValueError(
                    f"the column {column!r} is there already: name another, or drop it"
                )
        kinds = {method: kind for _, method, kind in outputs}
        if not kinds:
            return frame
        found = predicted(frame, names, is_vector, self.estimator, kinds)
        columns = []
        for column, method, kind in outputs:
            value = _column(PREDICTED, method)
            columns.append((array_to_vector(value) if "array" in kind else value).alias(column))
        return frame.withColumn(PREDICTED, found).select(*map(_column, frame.columns), *columns)

    def _outputs(self) -> list[tuple[str, str, str]]:
        """Return the name of each column of predictions, the method that makes it, and its type."""
        return [(self.getPredictionCol(), "predict", "double")]


class SparkFMRegressorModel(SparkFMModel):
    """A fitted `SparkFMRegressor`.

    Parameters
    ----------
    estimator : FMRegressor
        Fitted.
    """

    estimator: FMRegressor


class SparkFMClassifierModel(SparkFMModel, ClassColumnParams):
    """A fitted `SparkFMClassifier`.

    `transform` adds the predicted class, as a double if classes are numbers, else as text; the
    vector of probabilities of the classes, in ascending order, if the loss has probabilities; and
    the vector of scores, of two classes those against and for the second.

    Parameters
    ----------
    estimator : FMClassifier
        Fitted.
    """

    estimator: FMClassifier

    @property
    def numClasses(self) -> int:
        """The number of classes."""
        return len(self.estimator.classes_)

    def _outputs(self) -> list[tuple[str, str, str]]:
        kind = "double" if self.estimator.classes_.dtype.kind in "biuf" else "string"
        outputs = [(self.getPredictionCol(), "predict", kind)]
        if hasattr(self.estimator, "predict_proba"):
            outputs.append((self.getProbabilityCol(), "predict_proba", "array<double>"))
        return [*outputs, (self.getRawPredictionCol(), "decision_function", "array<double>")]


def _column(*names: str) -> Any:
    """Return a column, or a part of one, of any name."""
    return col(".".join(map(quoted, names)))
