"""``sparsefm evaluate``: how good a model is on rows with targets."""

from typing import Any

import click
import numpy as np

import sparsefm as fm
from sparsefm.cli import data
from sparsefm.cli.console import as_json, common, show
from sparsefm.data.validation import as_classes, as_labels
from sparsefm.estimators.labels import as_labels as labels_of
from sparsefm.estimators.sources import has_names
from sparsefm.losses import LOSSES
from sparsefm.training.metrics import metrics_of


@click.command("evaluate")
@click.argument("model", type=click.Path())
@click.argument("paths", nargs=-1, required=True, metavar="DATA...")
@click.option("--target", help="Column of a table with the targets.")
@data.data_options
@data.threads_option
@as_json
@common
def evaluate_(
    model: str,
    paths: tuple[str, ...],
    target: str | None,
    format: str,
    names: str,
    zero_based: bool | None,
    threads: int | None,
    in_json: bool,
) -> None:
    """Print metrics of the model of a file on the rows of DATA.

    Regression: rmse, mae and r2. Two classes: log loss, accuracy and auc. More classes: log loss
    and accuracy. They are means over the rows, by the weights of a file of rows if it has some.

    \b
    sparsefm evaluate model.safetensors valid.svm
    sparsefm evaluate price.safetensors valid.csv --target price --json
    """
    loaded = fm.load(model)
    if has_names(loaded) != (target is not None):
        where = "needs --target" if target is None else "of text takes its targets from the text"
        raise click.UsageError(f"this model {where}")
    given = data.Data(paths, format, names, zero_based, threads)
    X, y, weights = data.rows_for_model(given, loaded, target)
    if isinstance(loaded, fm.Model):
        metrics = _of_model(loaded, X, y, weights, threads)
    else:
        loaded.set_params(n_threads=threads)
        metrics = _of_estimator(loaded, X, y, weights)
    show({"rows": len(y), **metrics}, in_json)


def _of_model(
    model: fm.Model, X: Any, y: Any, weights: Any, threads: int | None
) -> dict[str, float]:
    if model.task == "regression":
        return _errors(y, model.predict(X, n_threads=threads), weights)
    loss = LOSSES[model.loss]()
    if model.task == "ordinal":
        probabilities = model.predict(X, n_threads=threads)
        codes = as_classes(y, "the targets", probabilities.shape[1])
        with np.errstate(divide="ignore"):
            return metrics_of(loss, codes, np.log(probabilities), weights)
    scores = model.score(X, n_threads=threads)
    return metrics_of(loss, as_labels(y, "the targets"), scores, weights)


def _of_estimator(model: Any, X: Any, y: Any, weights: Any) -> dict[str, float]:
    from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

    if not hasattr(model, "classes_"):
        return _errors(np.asarray(y, np.float64), model.predict(X), weights)
    y, classes = labels_of(y, "the targets"), model.classes_
    unknown = [label for label in y.tolist() if label not in set(classes.tolist())]
    if unknown:
        raise ValueError(f"the class {unknown[0]!r:.80} is none of those of the model: {classes}")
    metrics = {}
    if hasattr(model, "predict_proba"):
        probabilities = model.predict_proba(X)
        metrics["log_loss"] = float(
            log_loss(y, probabilities, labels=classes, sample_weight=weights)
        )
    metrics["accuracy"] = float(accuracy_score(y, model.predict(X), sample_weight=weights))
    if len(classes) == 2:
        both = bool((y == classes[0]).any() and (y == classes[1]).any())
        scores = model.decision_function(X)
        auc = roc_auc_score(y == classes[1], scores, sample_weight=weights) if both else np.nan
        metrics["auc"] = float(auc)
    return metrics


def _errors(y: Any, predicted: Any, weights: Any) -> dict[str, float]:
    if not np.isfinite(y).all():
        raise ValueError("the targets must be finite numbers: some are missing or infinite")
    errors = np.asarray(y, np.float64) - np.asarray(predicted, np.float64)
    variance = np.average((y - np.average(y, weights=weights)) ** 2, weights=weights)
    squares = np.average(errors**2, weights=weights)
    return {
        "rmse": float(np.sqrt(squares)),
        "mae": float(np.average(np.abs(errors), weights=weights)),
        "r2": 1 - float(squares / variance) if variance else float("nan"),
    }
