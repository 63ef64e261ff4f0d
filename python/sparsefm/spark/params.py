"""The parameters of Spark's estimators: names of columns, and all settings of the plain ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from inspect import getdoc, signature
from typing import Any, TypeVar

from pyspark.ml.param import Param, Params, TypeConverters
from pyspark.ml.param.shared import (
    HasFeaturesCol,
    HasLabelCol,
    HasPredictionCol,
    HasProbabilityCol,
    HasRawPredictionCol,
    HasValidationIndicatorCol,
    HasWeightCol,
)

from sparsefm.estimators import FMClassifier, FMRegressor

Estimator = type[FMRegressor] | type[FMClassifier]
Self = TypeVar("Self", bound="ColumnParams")  # typing.Self from Python 3.11 on

# Settings that mean nothing here, and why.
REFUSED = {
    "warm_start": "each fit begins anew",
}


class ColumnParams(HasFeaturesCol, HasPredictionCol):  # type: ignore[misc]
    """What estimators and models have in common."""

    featuresCols: Any = Param(  # noqa: N815
        Params._dummy(),
        "featuresCols",
        "names of the columns of features, of numbers, texts, booleans, dates or lists of texts; "
        "instead of featuresCol, which is one column of vectors",
        TypeConverters.toListString,
    )

    def setParams(self: Self, **given: Any) -> Self:
        """Set parameters by name; None leaves the name of a column as it is."""
        for name in given:
            check_name(self, name)
        of_columns = {param.name for param in type(self)._column_params()}
        kept = {n: v for n, v in given.items() if v is not None or n not in of_columns}
        return self._set_values(kept)

    def setFeaturesCols(self: Self, value: Sequence[str]) -> Self:
        """Set the names of the columns of features."""
        return self.setParams(featuresCols=list(value))

    def setFeaturesCol(self: Self, value: str) -> Self:
        """Set the name of the column of vectors."""
        return self.setParams(featuresCol=value)

    def setPredictionCol(self: Self, value: str) -> Self:
        """Set the name of the column of predictions."""
        return self.setParams(predictionCol=value)

    def getFeaturesCols(self) -> list[str] | None:
        """Return the names of the columns of features; None if there is a column of vectors."""
        return self.getOrDefault("featuresCols") if self.isSet("featuresCols") else None

    def explainParam(self, param: Any) -> str:
        """Return name, description, default and value of a parameter as text."""
        found = self._resolveParam(param)
        shown = [f"default: {self._defaultParamMap[found]!r}"] if self.hasDefault(found) else []
        shown += [f"current: {self._paramMap[found]!r}"] if self.isSet(found) else []
        return f"{found.name}: {found.doc} ({', '.join(shown) or 'undefined'})"

    def _set_values(self: Self, given: dict[str, Any]) -> Self:
        """Set parameters to values, of which None is one."""
        for name, value in given.items():
            self.set(self.getParam(name), value)
        return self

    @classmethod
    def _column_params(cls) -> list[Any]:
        """Return the parameters that are no settings."""
        settings = getattr(cls, "_settings", ())
        params = [getattr(cls, name) for name in dir(cls)]
        return [p for p in params if isinstance(p, Param) and p.name not in settings]


class ClassColumnParams(ColumnParams, HasProbabilityCol, HasRawPredictionCol):  # type: ignore[misc]
    """What classifiers and their models have in common."""

    def setProbabilityCol(self: Self, value: str) -> Self:
        """Set the name of the column of probabilities; "" leaves it out."""
        return self.setParams(probabilityCol=value)

    def setRawPredictionCol(self: Self, value: str) -> Self:
        """Set the name of the column of scores; "" leaves it out."""
        return self.setParams(rawPredictionCol=value)


class TrainingParams(HasLabelCol, HasWeightCol, HasValidationIndicatorCol):  # type: ignore[misc]
    """What estimators have besides."""

    numPartitions: Any = Param(  # noqa: N815
        Params._dummy(),
        "numPartitions",
        "into how many partitions the rows are divided, on which the model depends; None: as many "
        "as there are cores, spark.default.parallelism, or one for each ten million rows",
    )
    roundsPerEpoch: Any = Param(  # noqa: N815
        Params._dummy(),
        "roundsPerEpoch",
        "how often in an epoch the partitions join what they learned; None: 32 times for each "
        "partition but one, at most 512",
    )
    resume: Any = Param(
        Params._dummy(),
        "resume",
        "a file of a sparsefm.Checkpoint on the driver, from which training goes on; None: begin",
    )

    def setLabelCol(self: Any, value: str) -> Any:
        """Set the name of the column of targets."""
        return self.setParams(labelCol=value)

    def setWeightCol(self: Any, value: str) -> Any:
        """Set the name of the column of weights."""
        return self.setParams(weightCol=value)

    def setValidationIndicatorCol(self: Any, value: str) -> Any:
        """Set the name of the column of booleans that is true in validation rows."""
        return self.setParams(validationIndicatorCol=value)

    def setNumPartitions(self: Any, value: int) -> Any:
        """Set into how many partitions the rows are divided."""
        return self.setParams(numPartitions=value)

    def setRoundsPerEpoch(self: Any, value: int) -> Any:
        """Set how often in an epoch the partitions join what they learned."""
        return self.setParams(roundsPerEpoch=value)

    def getNumPartitions(self) -> int | None:
        """Return into how many partitions the rows are divided; None: chosen."""
        return self.getOrDefault("numPartitions")  # type: ignore[no-any-return]

    def getRoundsPerEpoch(self) -> int | None:
        """Return how often in an epoch the partitions join what they learned; None: chosen."""
        return self.getOrDefault("roundsPerEpoch")  # type: ignore[no-any-return]


def settings_of(plain: Estimator) -> Callable[[type], type]:
    """Return a class decorator: the class has the settings of an estimator as parameters."""
    defaults = {
        name: parameter.default
        for name, parameter in signature(plain).parameters.items()
        if name not in REFUSED
    }

    def add(cls: Any) -> Any:
        texts = _documented(plain)
        for name in defaults:
            setattr(cls, name, Param(Params._dummy(), name, texts.get(name, "see sparsefm")))
        cls._plain, cls._settings = plain, defaults
        return cls

    return add


def check_name(params: Any, name: str) -> None:
    """Refuse the name of a parameter that there is not."""
    kind = type(params).__name__
    if name in REFUSED:
        raise TypeError(f"{kind} has no parameter {name!r}: {REFUSED[name]}")
    if not params.hasParam(name):
        known = ", ".join(sorted(param.name for param in params.params))
        raise TypeError(f"{kind} has no parameter {name!r:.80}: it has {known}")


def _documented(plain: Estimator) -> dict[str, str]:
    """Return what the docstring says of each parameter."""
    text = (getdoc(plain) or "").partition("Parameters\n----------\n")[2].partition("\n\n")[0]
    entries = re.findall(r"(?m)^(\w+) : .*\n((?:    .*\n?)*)", text)
    return {name: " ".join(described.split()) for name, described in entries}
