"""A fitted estimator in one screen of text."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sparsefm.field_aware_model import FieldAwareModel
from sparsefm.field_model import FieldWeightedModel
from sparsefm.sampling import SampledModel
from sparsefm.snapshots import consistent
from sparsefm.training.class_model import ClassModel
from sparsefm.tuning.classes import SEARCH_OUTPUTS


class DescribingMixin:
    """Gives a fitted estimator `describe`."""

    @consistent
    def describe(self) -> str:
        """Return what was fitted and why, in a few lines.

        They say how many rows, columns and features there are, how numbers are encoded, what the
        model is, how its validation loss compares with that of the best linear candidate, and
        how the last epoch went.
        """
        check_is_fitted(self)
        lines = {
            "data": _data(self),
            "numbers": _numbers(self),
            "model": _model(self),
            "training": _training(self),
            "search": _search(self),
            "choice": _choice(self),
        }
        name = type(self).__name__
        return "\n".join([name, *(f"  {key:<9} {text}" for key, text in lines.items() if text)])


def _data(estimator: Any) -> str:
    features = estimator.encoder_.n_features_out_
    columns = f"{estimator.n_features_in_:,} columns, {features:,} features"
    rows = max(estimator.__dict__.get("search_", {}).get("rows", [0]), default=0)
    n_classes = len(getattr(estimator, "classes_", ()))
    classes = f", {n_classes} classes" if n_classes else ""
    return columns + classes + (f"; candidates had {rows:,} training rows" if rows else "")


def _numbers(estimator: Any) -> str:
    encoder = estimator.encoder_
    if not encoder._has_numbers and encoder._plain() is None:
        return ""
    bins = f", n_bins={encoder.n_bins}" if encoder.numeric in ("spline", "bin") else ""
    return f"numeric={encoder.numeric!r}{bins}, clip={encoder.clip}"


def _model(estimator: Any) -> str:
    model = estimator._models[0]
    names = {FieldWeightedModel: "field-weighted ", FieldAwareModel: "field-aware "}
    kind = f"{names.get(type(model), '')}factorization machine of rank {model.rank}"
    if model.rank == 0:
        kind = "linear (rank 0)"
    if isinstance(model, SampledModel):
        kind += f", mean of {len(model.samples)} samples"
    outputs = len(estimator._models)
    if outputs > 1:
        return f"{kind}, {outputs} outputs: each class against the rest"
    return kind + (", which all classes share (softmax)" if isinstance(model, ClassModel) else "")


def _training(estimator: Any) -> str:
    history = estimator.history_
    parts = [f"{estimator.n_iter_} epochs, the best is {estimator.best_epoch_}"]
    place = estimator.best_epoch_ - 1
    for name in ("train_loss", "val_loss", "rmse", "log_loss"):
        values = history.get(name, [])
        if place < len(values) and values[place] is not None:
            parts.append(f"{name} {values[place]:.5g}")
    if history.get("seconds"):
        parts.append(f"{history['seconds'][-1]:.1f} s")
    return ", ".join(parts)


def _search(estimator: Any) -> str:
    search = estimator.__dict__.get("search_")
    if not search:
        return "none: settings were given, or there are few rows"
    return f"{len(search['loss'])} candidates, {sum(search['seconds']):.1f} s; see search_"


def _choice(estimator: Any) -> str:
    """Return the validation figures of the best candidates with and without interactions."""
    search = estimator.__dict__.get("search_")
    if not search:
        return ""
    models = [place for place, stage in enumerate(search["stage"]) if stage == "model"]
    rank, loss = np.array(search["rank"])[models], np.array(search["loss"])[models]
    least = [loss[chosen].min(initial=np.inf) for chosen in (rank == 0, rank > 0)]
    known = np.isfinite(least)
    if not known.any():
        return ""
    if not known.all():
        name, value = _figure(estimator, min(least))
        return f"validation {name} {value:.5g}"
    (name, linear), (_, pairs) = (_figure(estimator, value) for value in least)
    won = "linear" if estimator._models[0].rank == 0 else "interactions"
    return f"{won}: validation {name} {linear:.5g} linear, {pairs:.5g} with interactions"


def _figure(estimator: Any, loss: float) -> tuple[str, float]:
    """Return a validation loss in the user's terms."""
    if estimator._loss.name == "squared":
        return "RMSE", float(np.sqrt(2 * loss) * estimator._target.scale)
    all_outputs = estimator.loss is None or len(estimator._models) <= SEARCH_OUTPUTS
    is_log_loss = estimator._loss.has_probabilities and all_outputs
    return "log loss" if is_log_loss else "loss", loss
