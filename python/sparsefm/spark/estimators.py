"""`SparkFMRegressor` and `SparkFMClassifier`."""

from __future__ import annotations

from typing import Any, ClassVar

from pyspark import StorageLevel
from pyspark.ml import Estimator
from pyspark.ml.util import MLReadable, MLWritable

from sparsefm.data.validation import check_integer
from sparsefm.distributed.columns import Columns
from sparsefm.distributed.fitting import fit
from sparsefm.distributed.settings import Rounds
from sparsefm.estimators import FMClassifier, FMRegressor
from sparsefm.spark.engine import SparkTables
from sparsefm.spark.frames import check_frame, plain, type_of, vectors_of
from sparsefm.spark.models import SparkFMClassifierModel, SparkFMModel, SparkFMRegressorModel
from sparsefm.spark.params import ClassColumnParams, ColumnParams, TrainingParams, settings_of
from sparsefm.spark.persistence import Reader, Writer


class SparkFM(ColumnParams, TrainingParams, Estimator, MLReadable, MLWritable):  # type: ignore[misc]
    """Common part of `SparkFMRegressor` and `SparkFMClassifier`, which document it."""

    _plain: ClassVar[Any]
    _settings: ClassVar[dict[str, Any]]
    _model: ClassVar[type[SparkFMModel]]

    def __init__(self, **given: Any) -> None:
        super().__init__()
        self._setDefault(numPartitions=None, roundsPerEpoch=None, resume=None)
        for name, value in self._settings.items():
            self._setDefault(**{name: value})
        self.setParams(**given)

    def write(self) -> Writer:
        """Return what writes the estimator: ``estimator.write().overwrite().save(path)``."""
        return Writer(self)

    @classmethod
    def read(cls) -> Reader:
        """Return what reads an estimator, see `load`."""
        return Reader(cls)

    def _fit(self, dataset: Any) -> SparkFMModel:
        frame = check_frame(dataset)
        names, is_vector = vectors_of(self, frame)
        columns = Columns(
            names,
            self._named("labelCol", frame) or "",
            self._named("weightCol", frame),
            self._named("validationIndicatorCol", frame),
            is_vector,
        )
        used = [*names, *filter(None, (columns.target, columns.weight, columns.validation))]
        n_partitions = self.getNumPartitions()
        for name in ("numPartitions", "roundsPerEpoch"):
            if self.getOrDefault(name) is not None:
                check_integer(self.getOrDefault(name), name, 1)
        estimator = self._plain(**{name: self.getOrDefault(name) for name in self._settings})
        tables = SparkTables(
            frame.select(*plain(frame, used)), keep=frame.storageLevel == StorageLevel.NONE
        )
        try:
            fit(
                estimator,
                tables,
                columns,
                rounds=Rounds(per_epoch=self.getRoundsPerEpoch()),
                n_partitions=n_partitions,
                n_workers=frame.sparkSession.sparkContext.defaultParallelism,
                resume=self.getOrDefault("resume"),
            )
        finally:
            tables.release()
        return self._copyValues(self._model(estimator))  # type: ignore[no-any-return]

    def _named(self, param: str, frame: Any) -> str | None:
        """Return the column that a parameter names; None if it names none."""
        name = self.getOrDefault(param) if self.isDefined(param) else None
        if name:
            type_of(frame, name, param)
        return name or None


@settings_of(FMRegressor)
class SparkFMRegressor(SparkFM):
    """Factorization machine for regression, trained on the rows of a Spark DataFrame.

    Parameters
    ----------
    labelCol : str
        Column of targets, numbers. Default: "label".
    featuresCols : list of str
        Columns of features: numbers, texts, booleans, dates, times, or lists of texts. See
        `TableEncoder` for how they are encoded.
    featuresCol : str
        Instead of them a column of vectors, sparse or dense. Default: "features".
    weightCol : str, optional
        Column of the weights of rows.
    validationIndicatorCol : str, optional
        Column of booleans. Rows where it is true are not trained on: training stops early by
        their loss.
    predictionCol : str
        Column that `transform` adds. Default: "prediction".
    numPartitions : int, optional
        Into how many partitions the rows are divided, one task each. The model depends on it, but
        not on the partitions of the DataFrame, nor on how many executors there are. There are
        fewer if a partition would have less than 1,600 rows. Default: the cores of the cluster,
        `SparkContext.defaultParallelism`, or fewer if that leaves a partition less than ten million
        rows.
    roundsPerEpoch : int, optional
        How often in an epoch the partitions join what they learned. Default: 32 times for each
        partition but the first, at most 512; see `sparsefm.dask.Rounds`.
    resume : str, optional
        A file of a `Checkpoint` on the driver: see `FMRegressor.fit`.
    **settings
        Those of `FMRegressor`, such as ``rank=16``, except `warm_start`. An `Adam` must have lazy
        updates; `Gibbs` and `ALS` need all rows in each task. `callbacks` run on the driver.
        `n_threads` is the number of threads of each task; default: 1. More need
        ``spark.task.cpus``.
    """

    _model = SparkFMRegressorModel


@settings_of(FMClassifier)
class SparkFMClassifier(SparkFM, ClassColumnParams):
    """Factorization machine for classification, trained on the rows of a Spark DataFrame.

    Parameters
    ----------
    labelCol : str
        Column of classes: numbers, booleans or texts. Default: "label".
    probabilityCol, rawPredictionCol : str
        Columns of vectors that `transform` adds; "" leaves one out. Default: "probability",
        "rawPrediction".
    **others
        Those of `SparkFMRegressor`, but the settings of `FMClassifier`.
    """

    _model = SparkFMClassifierModel
