"""Metrics by name or callable, and whether greater is better."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sklearn.metrics import get_scorer, get_scorer_names, make_scorer

from sparsefm.data.validation import takes

SHORT_NAMES = {
    "auc": "roc_auc",
    "mae": "neg_mean_absolute_error",
    "mse": "neg_mean_squared_error",
    "rmse": "neg_root_mean_squared_error",
}
RECORDED = ("epoch", "train_loss", "val_loss", "seconds")
GREATER_IS_BETTER = {"_score": True, "_error": False, "_loss": False, "_deviance": False}


@dataclass(frozen=True)
class Metric:
    """A metric of an estimator on validation rows.

    Attributes
    ----------
    name : str
    greater_is_better : bool
    scorer : callable
        As in scikit-learn: ``scorer(estimator, X, y)``, where greater is better.
    """

    name: str
    greater_is_better: bool
    scorer: Callable[..., float]

    def value(self, estimator: Any, X: Any, y: Any, weights: Any = None) -> float:
        """Return the metric with the sign of its name: a loss is positive."""
        function: Any = getattr(self.scorer, "_score_func", self.scorer)
        takes_weights = any(one.name == "sample_weight" for one in _arguments(function))
        weighted = {"sample_weight": weights} if weights is not None and takes_weights else {}
        found = self.scorer(estimator, X, y, **weighted)
        try:
            score = float(found)
        except (TypeError, ValueError):
            raise TypeError(
                f"scoring={self.name} must return a number, got {found!r:.80}"
            ) from None
        return score if self.greater_is_better else -score


def find_metric(scoring: Any) -> Metric:
    """Return the metric that the parameter `scoring` asks for.

    Parameters
    ----------
    scoring : str or callable
        A name of one of scikit-learn's scorers, with or without "neg_"; "rmse", "mae", "mse" or
        "auc"; a scorer ``f(estimator, X, y)``, where greater is better; or a metric
        ``f(y_true, y_pred)`` whose name ends in "_score" if greater is better, else in "_error" or
        "_loss".
    """
    metric = _found(scoring)
    if metric.name in RECORDED:
        raise ValueError(f"scoring is called {metric.name!r}, as a column of history_: rename it")
    return metric


def _found(scoring: Any) -> Metric:
    if isinstance(scoring, str):
        return _named(scoring)
    if not callable(scoring) or isinstance(scoring, type):
        raise TypeError(f"scoring must be a name or a callable, got {scoring!r:.80}")
    name = getattr(scoring, "__name__", type(scoring).__name__)
    if inspect.isfunction(scoring) and scoring.__module__.startswith("sklearn.metrics"):
        for known in (name, name.removesuffix("_score"), name.removesuffix("_loss")):
            if known in get_scorer_names() or f"neg_{known}" in get_scorer_names():
                return _named(known)
        if {"pred_decision", "y_score"} & inspect.signature(scoring).parameters.keys():
            raise ValueError(
                f"scoring={name} takes scores, not predictions: pass "
                f"sklearn.metrics.make_scorer({name}, response_method='decision_function', ...)"
            )
    if not takes(scoring, 3) and not takes(scoring, 2):
        raise TypeError(f"scoring={name} must be f(estimator, X, y) or f(y_true, y_pred)")
    if _n_required(scoring) != 2:
        return Metric(name, True, scoring)
    for suffix, greater in GREATER_IS_BETTER.items():
        if name.endswith(suffix):
            return Metric(name, greater, make_scorer(scoring, greater_is_better=greater))
    raise ValueError(
        f"scoring={name} does not say whether greater is better: end its name in _score or _error, "
        "or pass sklearn.metrics.make_scorer(function, greater_is_better=...)"
    )


def _named(scoring: str) -> Metric:
    name = SHORT_NAMES.get(scoring, scoring)
    names = get_scorer_names()
    if name not in names and f"neg_{name}" in names:
        name = f"neg_{name}"
    if name not in names:
        raise ValueError(
            f"scoring={scoring!r} is not a metric of scikit-learn; "
            "sklearn.metrics.get_scorer_names() lists them"
        )
    return Metric(scoring.removeprefix("neg_"), not name.startswith("neg_"), get_scorer(name))


def _n_required(function: Callable[..., Any]) -> int:
    """Return the number of required arguments of a function."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    found = _arguments(function)
    if not found:
        return 3
    return sum(p.kind in kinds and p.default is inspect.Parameter.empty for p in found)


def _arguments(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """Return the arguments of a function, none if it does not tell."""
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return []
