"""Parameters of Spark's estimators, for which no Spark needs to run."""

import subprocess
import sys
from inspect import signature

import numpy as np
import pytest

import sparsefm as fm

pytest.importorskip("pyspark")

from pyspark.ml.tuning import ParamGridBuilder

from sparsefm.spark import SparkFMClassifier, SparkFMRegressor
from sparsefm.spark.params import REFUSED
from sparsefm.spark.sending import Failure, attempt, attempts, check
from sparsefm.spark.slots import partitions_of, slots

KINDS = [(SparkFMRegressor, fm.FMRegressor), (SparkFMClassifier, fm.FMClassifier)]


@pytest.mark.parametrize(("kind", "plain"), KINDS)
def test_settings_are_those_of_the_estimator(kind, plain):
    estimator = kind()
    for name, parameter in signature(plain).parameters.items():
        assert estimator.hasParam(name) == (name not in REFUSED)
        if name not in REFUSED:
            assert estimator.getOrDefault(name) == parameter.default
            assert len(estimator.getParam(name).doc) > 10


def test_values_are_set_and_shown():
    solver = fm.AdaGrad(learning_rate=0.1)
    given = {"rank": 16, "epochs": (3, 2), "solver": solver, "verbose": True}
    estimator = SparkFMClassifier(labelCol="y", featuresCols=["a", "b"], weightCol="w", **given)
    assert {name: estimator.getOrDefault(name) for name in given} == given
    assert estimator.getLabelCol() == "y"
    assert estimator.getFeaturesCols() == ["a", "b"]
    assert estimator.getWeightCol() == "w"
    text = estimator.explainParams()
    assert "rank: Number of factors" in text
    assert "(default: None, current: (3, 2))" in text
    assert "weightCol: " in text


def test_setters_return_the_estimator():
    estimator = SparkFMClassifier()
    assert estimator.setLabelCol("y").setFeaturesCol("v").setWeightCol("w") is estimator
    estimator.setValidationIndicatorCol("valid").setPredictionCol("p").setNumPartitions(3)
    estimator.setRoundsPerEpoch(4).setProbabilityCol("q").setRawPredictionCol("")
    estimator.setParams(rank=4, featuresCols=None)
    assert estimator.getNumPartitions() == 3
    assert estimator.getRoundsPerEpoch() == 4
    assert estimator.getFeaturesCols() is None
    assert estimator.getOrDefault("rank") == 4
    assert estimator.setParams(rank=None).getOrDefault("rank") is None
    assert SparkFMRegressor().getNumPartitions() is None


def test_a_copy_has_its_own_values():
    estimator = SparkFMRegressor(rank=4)
    other = estimator.copy({estimator.rank: 8})
    assert estimator.getOrDefault("rank") == 4
    assert other.getOrDefault("rank") == 8
    grid = ParamGridBuilder().addGrid(estimator.rank, [2, 3]).build()
    assert [estimator.copy(point).getOrDefault("rank") for point in grid] == [2, 3]


def test_what_there_is_not_is_refused():
    with pytest.raises(TypeError, match="SparkFMRegressor has no parameter 'rnk': it has batch"):
        SparkFMRegressor(rnk=3)
    with pytest.raises(TypeError, match="no parameter 'class_weight'"):
        SparkFMRegressor().setParams(class_weight="balanced")
    for name, why in REFUSED.items():
        with pytest.raises(TypeError, match=why):
            SparkFMClassifier(**{name: None})
    with pytest.raises(TypeError, match="list of strings"):
        SparkFMClassifier(featuresCols=3)
    with pytest.raises(TypeError, match="a Spark DataFrame is needed, got list"):
        SparkFMClassifier().fit([1, 2])


def test_errors_come_back_with_their_place():
    def refuse(number, kind=ValueError):
        raise kind(f"not {number}")

    def some():
        yield 1
        refuse(2)

    assert check(attempt(abs, -3)) == 3
    with pytest.raises(ValueError, match=r"^not 3$") as found:
        check(attempt(refuse, 3))
    assert "in refuse" in str(found.value.__cause__)
    first, second = attempts(some)
    assert first == 1
    assert isinstance(second, Failure)
    with pytest.raises(fm.DivergenceError, match="not 3"):
        check(attempt(refuse, 3, fm.DivergenceError))
    with pytest.raises(ZeroDivisionError):  # Spark may try that again
        attempt(lambda: 1 / 0)


def test_each_slot_is_another_partition():
    for n in (1, 2, 7, 1000):
        assert partitions_of(np.array(slots(n)), n).tolist() == list(range(n))


def test_pyspark_is_imported_only_if_asked_for():
    code = (
        "import sys, sparsefm; assert 'pyspark' not in sys.modules; sys.modules['pyspark'] = None"
    )
    code += "\ntry: import sparsefm.spark\nexcept ImportError as error: print(error)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "sparsefm.spark needs pyspark: pip install 'sparsefm[spark]'\n"
