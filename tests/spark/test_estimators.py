"""Spark's estimators: beside those of one process, and among the other parts of `pyspark.ml`."""

import datetime
from decimal import Decimal

import numpy as np
import pytest

import sparsefm as fm
from sparsefm.distributed import copied_chains
from sparsefm.distributed.columns import Columns
from sparsefm.distributed.fitting import fit
from sparsefm.distributed.parts import LocalTables
from sparsefm.distributed.settings import Rounds

pytest.importorskip("pyspark")
pa = pytest.importorskip("pyarrow")

from pyspark.ml import Pipeline, PipelineModel  # noqa: E402
from pyspark.ml.evaluation import (  # noqa: E402
    BinaryClassificationEvaluator,
    MulticlassClassificationEvaluator,
    RegressionEvaluator,
)
from pyspark.ml.feature import VectorAssembler  # noqa: E402
from pyspark.ml.linalg import Vectors  # noqa: E402
from pyspark.ml.tuning import CrossValidator, ParamGridBuilder  # noqa: E402
from pyspark.sql.functions import expr, lit  # noqa: E402
from spark_work import DyingTables  # noqa: E402

from sparsefm.spark import (  # noqa: E402
    SparkFMClassifier,
    SparkFMClassifierModel,
    SparkFMRegressor,
    SparkFMRegressorModel,
    predicting,
)
from sparsefm.spark.engine import SparkTables  # noqa: E402
from sparsefm.spark.frames import plain  # noqa: E402

pytestmark = pytest.mark.slow

FEATURES = ["city", "tags", "x", "day", "time", "is_new", "size", "price"]
TYPES = (
    "id int, city string, tags array<string>, x double, day date, time timestamp, is_new boolean, "
    "size bigint, price decimal(8, 2), y double, late string, kind int, w double, v boolean"
)
FAST = {"rank": 2, "solver": fm.AdaGrad(learning_rate=0.2), "epochs": 2, "search": None}
SPARK = {"numPartitions": 3, "roundsPerEpoch": 2}
ROLES = {"weightCol": "w", "validationIndicatorCol": "v"}


def rows_of(n=240):
    """Draw rows with each kind of column, of which most have missing values."""
    rng = np.random.default_rng(0)
    start = datetime.datetime(2026, 1, 1)
    for k in range(n):
        city, size = int(rng.integers(0, 5)), int(rng.integers(0, 4))
        x, hours = float(rng.normal()), int(rng.integers(0, 9000))
        y = np.sin(city) + x * (city % 2) + 0.1 * float(rng.normal())
        time = start + datetime.timedelta(hours=hours)
        tags = [f"t{tag}" for tag in rng.integers(0, 5, rng.integers(0, 4))]
        yield (
            k,
            None if city == 4 else f"c{city}",
            None if size == 3 else tags,
            None if k % 20 == 0 else x,
            None if k % 30 == 0 else time.date(),
            time,
            None if k % 7 == 0 else bool(k % 2),
            None if k % 9 == 0 else size + 2**60,
            Decimal(k % 13) / 4,
            float(y),
            "yes" if y > 0.2 else "no",
            int(y > 0) + int(y > 1),
            k % 3 * 0.5,
            k % 5 == 0,
        )


@pytest.fixture(scope="module")
def frame(spark):
    """Return rows in three partitions."""
    rows = spark.createDataFrame(list(rows_of()), TYPES).repartition(3, "id").cache()
    yield rows
    rows.unpersist()


@pytest.fixture(autouse=True)
def _nothing_stays(spark, frame):
    frame.count()
    before = len(spark.sparkContext._jsc.getPersistentRDDs())
    yield
    assert len(spark.sparkContext._jsc.getPersistentRDDs()) == before


def parts_of(rows, names):
    """Return the partitions of a DataFrame as tables of Arrow."""
    tables = SparkTables(rows.select(*plain(rows, names)), keep=False)
    return tables.reduce(lambda table: [table], lambda parts: [one for own in parts for one in own])


def locally(estimator, rows, features, target, weight=None, validation=None, is_vector=False):
    columns = Columns(tuple(features), target, weight, validation, is_vector)
    names = [*features, *filter(None, [target, weight, validation])]
    tables = LocalTables(parts_of(rows, names))
    return fit(estimator, tables, columns, rounds=Rounds(per_epoch=2), n_partitions=3)


def same(one, other):
    states = [estimator._learner.states for estimator in (one, other)]
    return all(
        np.array_equal(mine, others)
        for pair in zip(*states, strict=True)
        for mine, others in zip(*(state.parts(slice(None)) for state in pair), strict=True)
    )


def same_samples(one, other):
    return all(
        np.array_equal(mine.V, others.V) and np.array_equal(mine.w, others.w)
        for pair in zip(one._models, other._models, strict=True)
        for mine, others in zip(*(model.samples for model in pair), strict=True)
    )


@pytest.fixture(scope="module")
def regression(frame):
    """Return a fitted regressor."""
    return SparkFMRegressor(labelCol="y", featuresCols=FEATURES, **ROLES, **SPARK, **FAST).fit(
        frame
    )


def test_a_regressor_is_that_of_the_same_parts_in_one_process(frame, regression):
    expected = locally(fm.FMRegressor(**FAST), frame, FEATURES, "y", "w", "v")
    assert isinstance(regression, SparkFMRegressorModel)
    assert isinstance(regression.estimator, fm.FMRegressor)
    assert same(regression.estimator, expected)
    assert regression.estimator.history_["val_loss"] == expected.history_["val_loss"]
    assert regression.getFeaturesCols() == FEATURES


def test_predictions_are_those_of_the_estimator(frame, regression, monkeypatch):
    (whole,) = parts_of(frame.coalesce(1), ["id", *FEATURES])
    expected = regression.estimator.predict(whole.select(FEATURES))
    arrow = predicting._on_arrow
    for way in (arrow, predicting._on_pandas):
        monkeypatch.setattr(predicting, "_on_arrow", way)
        found = regression.transform(frame)
        assert found.columns == [*frame.columns, "prediction"]
        assert dict(found.dtypes)["prediction"] == "double"
        rows = {row.id: row.prediction for row in found.collect()}
        assert [rows[number] for number in whole["id"].to_pylist()] == expected.tolist()
    assert regression.setPredictionCol("p").transform(frame).columns[-1] == "p"
    regression.setPredictionCol("prediction")
    error = RegressionEvaluator(labelCol="y").evaluate(regression.transform(frame))
    assert error < 0.8


def test_tasks_that_die_change_no_bit(frame, regression):
    names = [*FEATURES, "y", "w", "v"]
    tables = DyingTables(SparkTables(frame.select(*plain(frame, names)), keep=False))
    columns = Columns(tuple(FEATURES), "y", "w", "v")
    found = fm.FMRegressor(**FAST)
    fit(found, tables, columns, rounds=Rounds(per_epoch=2), n_partitions=3)
    assert same(found, regression.estimator)


def test_many_small_partitions_are_as_good_as_few(spark, frame, regression):
    assert spark.sparkContext.defaultParallelism == 2
    many = frame.repartition(20, "id")
    estimator = SparkFMRegressor(labelCol="y", featuresCols=FEATURES, **ROLES, **SPARK, **FAST)
    assert same(estimator.fit(many).estimator, regression.estimator)


@pytest.mark.parametrize(("label", "kind"), [("late", "string"), ("kind", "double")])
def test_classes(frame, label, kind):
    estimator = SparkFMClassifier(labelCol=label, featuresCols=["city", "x"], **SPARK, **FAST)
    model = estimator.fit(frame)
    assert same(model.estimator, locally(fm.FMClassifier(**FAST), frame, ["city", "x"], label))
    assert model.numClasses == len(model.estimator.classes_)
    found = model.transform(frame)
    assert dict(found.dtypes)["prediction"] == kind
    (whole,) = parts_of(frame.coalesce(1), ["id", "city", "x"])
    X = whole.select(["city", "x"])
    rows = {row.id: row for row in found.collect()}
    ordered = [rows[number] for number in whole["id"].to_pylist()]
    assert [row.prediction for row in ordered] == model.estimator.predict(X).tolist()
    probabilities = np.array([row.probability for row in ordered])
    assert np.array_equal(probabilities, model.estimator.predict_proba(X))
    raw = np.array([row.rawPrediction for row in ordered])
    scores = model.estimator.decision_function(X)
    if kind == "string":
        assert np.array_equal(raw, np.column_stack([-scores, scores]))
        labelled = found.withColumn("target", expr("double(late = 'yes')"))
        assert BinaryClassificationEvaluator(labelCol="target").evaluate(labelled) > 0.8
    else:
        assert np.array_equal(raw, scores)
        assert MulticlassClassificationEvaluator(labelCol=label).evaluate(found) > 0.5
    model.setRawPredictionCol("").setProbabilityCol("q")
    assert model.transform(frame).columns[-2:] == ["prediction", "q"]


def test_a_loss_without_probabilities(frame):
    settings = {**FAST, **SPARK, "loss": "hinge", "epochs": 1}
    model = SparkFMClassifier(labelCol="late", featuresCols=["city"], **settings).fit(frame)
    assert model.transform(frame).columns[-2:] == ["prediction", "rawPrediction"]


def test_vectors(spark):
    rng = np.random.default_rng(0)
    rows = []
    for k in range(120):
        found = rng.choice(1000, 3, replace=False)
        numbers = dict(zip(found.tolist(), rng.normal(size=3).tolist(), strict=True))
        vector = Vectors.sparse(1000, numbers)
        rows.append((k, vector if k % 2 else Vectors.dense(vector.toArray()), float(k % 4)))
    frame = spark.createDataFrame(rows, ["id", "features", "label"]).repartition(3, "id").cache()
    model = SparkFMRegressor(**SPARK, **FAST).fit(frame)
    expected = locally(fm.FMRegressor(**FAST), frame, ["features"], "label", is_vector=True)
    assert same(model.estimator, expected)
    X = np.array([vector.toArray() for _, vector, _ in rows])
    found = {row.id: row.prediction for row in model.transform(frame).collect()}
    assert [found[k] for k in range(120)] == model.estimator.predict(X).tolist()
    frame.unpersist()


def test_a_pipeline_is_fitted_and_saved(frame, tmp_path):
    stages = [
        VectorAssembler(inputCols=["w", "kind"], outputCol="features"),
        SparkFMRegressor(labelCol="y", **SPARK, **FAST),
    ]
    model = Pipeline(stages=stages).fit(frame)
    model.write().overwrite().save(str(tmp_path / "model"))
    loaded = PipelineModel.load(str(tmp_path / "model"))
    expected = model.transform(frame).select("id", "prediction").collect()
    assert sorted(loaded.transform(frame).select("id", "prediction").collect()) == sorted(expected)
    assert loaded.stages[1].uid == model.stages[1].uid


def test_a_model_is_saved_as_a_file_that_needs_no_spark(frame, regression, tmp_path):
    path = str(tmp_path / "model")
    regression.save(path)
    with pytest.raises(Exception, match="already exists"):
        regression.save(path)
    regression.write().overwrite().save(path)
    loaded = SparkFMRegressorModel.load(path)
    assert loaded.getFeaturesCols() == FEATURES
    assert loaded.uid == regression.uid
    (whole,) = parts_of(frame.coalesce(1), FEATURES)
    expected = regression.estimator.predict(whole)
    for estimator in (loaded.estimator, fm.load(f"{path}/model.safetensors")):
        assert np.array_equal(estimator.predict(whole), expected)


def test_an_estimator_is_saved_with_its_settings(spark, tmp_path):
    encoder = fm.TableEncoder(numeric="bin", categorical=["size"])
    given = {"solver": fm.AdaGrad(learning_rate=0.3), "epochs": (2, 1), "encoder": encoder}
    estimator = SparkFMClassifier(featuresCols=["size"], labelCol="kind", **SPARK, **given)
    estimator.save(str(tmp_path / "estimator"))
    loaded = SparkFMClassifier.load(str(tmp_path / "estimator"))
    assert loaded.uid == estimator.uid
    assert loaded.getOrDefault("solver") == given["solver"]
    assert loaded.getOrDefault("epochs") == (2, 1)
    assert loaded.getOrDefault("encoder").get_params() == encoder.get_params()
    assert loaded.getFeaturesCols() == ["size"]
    assert loaded.getNumPartitions() == 3
    estimator.setParams(callbacks=[print])
    with pytest.warns(UserWarning, match="callbacks cannot be saved"):
        estimator.write().overwrite().save(str(tmp_path / "estimator"))


def test_settings_are_chosen_by_cross_validation(frame):
    estimator = SparkFMRegressor(labelCol="y", featuresCols=["city", "x"], **SPARK, **FAST)
    grid = ParamGridBuilder().addGrid(estimator.epochs, [1, 3]).build()
    evaluator = RegressionEvaluator(labelCol="y")
    search = CrossValidator(
        estimator=estimator, estimatorParamMaps=grid, evaluator=evaluator, numFolds=2, seed=1
    )
    found = search.fit(frame)
    assert isinstance(found.bestModel, SparkFMRegressorModel)
    assert found.avgMetrics[1] < found.avgMetrics[0]
    assert found.bestModel.estimator.n_iter_ == 3


def test_callbacks_run_here_and_training_goes_on_from_a_checkpoint(frame, tmp_path):
    seen, path = [], str(tmp_path / "checkpoint")
    estimator = SparkFMRegressor(labelCol="y", featuresCols=["x"], **SPARK, **FAST)
    whole = estimator.copy().setParams(callbacks=[seen.append]).fit(frame)
    assert [epoch.epoch for epoch in seen] == [1, 2]
    estimator.copy().setParams(epochs=1, callbacks=[fm.Checkpoint(path)]).fit(frame)
    found = estimator.setParams(resume=path).fit(frame)
    assert same(found.estimator, whole.estimator)


def test_samples_are_those_of_one_process(frame, tmp_path):
    """Also if tasks die, and if they send a sweep at a time."""
    given = {"rank": 2, "solver": fm.Gibbs(chains=3, burn_in=1), "epochs": 3, "search": None}
    expected = locally(fm.FMClassifier(**given), frame, FEATURES, "late", None, "v")
    roles = {"labelCol": "late", "featuresCols": FEATURES, "validationIndicatorCol": "v"}
    model = SparkFMClassifier(**roles, **given, numPartitions=2).fit(frame)
    assert same_samples(model.estimator, expected)
    assert model.estimator.history_["val_loss"] == expected.history_["val_loss"]
    model.save(str(tmp_path / "model"))
    loaded = SparkFMClassifierModel.load(str(tmp_path / "model"))
    rows = [one.transform(frame).select("id", "probability").collect() for one in (model, loaded)]
    assert sorted(rows[0]) == sorted(rows[1])
    tables = DyingTables(SparkTables(frame.select(*plain(frame, [*FEATURES, "late", "v"])), False))
    found = fm.FMClassifier(**given)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copied_chains, "BYTES_OF_ROUND", 1)
        fit(found, tables, Columns(tuple(FEATURES), "late", None, "v"), n_partitions=2)
    assert same_samples(found, expected)


def test_rows_that_are_held_out_and_a_metric(frame):
    given = FAST | {"validation_fraction": 0.3, "scoring": "rmse"}
    expected = locally(fm.FMRegressor(**given), frame, FEATURES, "y")
    model = SparkFMRegressor(labelCol="y", featuresCols=FEATURES, **SPARK, **given).fit(frame)
    assert same(model.estimator, expected)
    assert model.estimator.history_["rmse"] == expected.history_["rmse"]


def test_errors_say_what_is_wrong(frame):
    estimator = SparkFMRegressor(labelCol="y", featuresCols=["x"], **SPARK, **FAST)

    def refused(error, message, rows=frame, **changes):
        with pytest.raises(error, match=message):
            estimator.copy().setParams(**changes).fit(rows)

    holes = frame.withColumn("y", expr("if(id = 7, null, y)"))
    refused(ValueError, "^column 'y', the target, has 1 rows without a value", holes)
    refused(ValueError, "labelCol: there is no column 'z', but id, city", labelCol="z")
    refused(ValueError, "featuresCols: there is no column 'u'", featuresCols=["x", "u"])
    refused(ValueError, "set one of them", featuresCol="x")
    refused(ValueError, "no rows", frame.filter("id < 0"))
    refused(ValueError, "'x' is given twice", weightCol="x")
    refused(ValueError, "w", frame.withColumn("w", lit(-1.0)), weightCol="w")
    refused(
        ValueError,
        "column 'v'.* must have true or false",
        frame.withColumn("v", lit(None)),
        validationIndicatorCol="v",
    )
    refused(ValueError, "1 epochs leave none after a burn-in of 5", solver=fm.Gibbs(), epochs=1)
    refused(ValueError, "numPartitions", numPartitions=0)
    refused(TypeError, "roundsPerEpoch", roundsPerEpoch="4")
    with pytest.raises(TypeError, match="column 'x' has no vectors, but double"):
        SparkFMRegressor(labelCol="y", featuresCol="x").fit(frame)
    vectors = VectorAssembler(inputCols=["w"], outputCol="x2").transform(frame)
    refused(TypeError, "column 'x2' has vectors: name it alone", vectors, featuresCols=["x2"])


def test_columns_are_not_overwritten(frame, regression):
    with pytest.raises(ValueError, match="the column 'prediction' is there already"):
        regression.transform(regression.transform(frame))
    with pytest.raises(ValueError, match="there is no column 'city'"):
        regression.transform(frame.drop("city"))


def test_a_saved_classifier_model(frame, tmp_path):
    settings = {**FAST, **SPARK, "epochs": 1}
    model = SparkFMClassifier(labelCol="late", featuresCols=["city"], **settings).fit(frame)
    model.setProbabilityCol("q").save(str(tmp_path / "model"))
    loaded = SparkFMClassifierModel.load(str(tmp_path / "model"))
    rows = [one.transform(frame).select("id", "q").collect() for one in (model, loaded)]
    assert rows[0] == rows[1]


def test_names_of_any_characters(spark):
    rows = [(f"k{k % 3}", float(k % 3), False) for k in range(60)]
    frame = spark.createDataFrame(rows, ["a.b", "y`z", "is it"])
    options = {"labelCol": "y`z", "featuresCols": ["a.b"], "numPartitions": 1, "search": None}
    model = SparkFMRegressor(**options, rank=0, solver=fm.AdaGrad(), epochs=1).fit(frame)
    assert model.estimator.feature_names_in_.tolist() == ["a.b"]
    assert model.transform(frame).count() == 60


def test_rows_that_others_keep_stay(spark):
    frame = spark.range(9).selectExpr("string(id) as a", "double(id) as y")
    one, other = SparkTables(frame), SparkTables(frame)
    one.release()
    assert other._frame.storageLevel.useMemory
    other.release()
    assert not other._frame.storageLevel.useMemory


def test_what_no_encoding_takes_is_told(spark):
    frame = spark.range(9).selectExpr("struct(id) as a", "double(id) as y")
    with pytest.raises(TypeError, match="'a' holds struct<id: int64"):
        SparkFMRegressor(labelCol="y", featuresCols=["a"]).fit(frame)
