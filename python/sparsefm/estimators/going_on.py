"""Parameters that are changed between a fit and one that goes on from it: none is ignored."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from sparsefm.encoding import TableEncoder
from sparsefm.estimators.mapped import MappedLearner
from sparsefm.field_aware_model import FieldAwareModel
from sparsefm.field_model import FieldWeightedModel
from sparsefm.model import Model
from sparsefm.sampling import SampledModel
from sparsefm.training.class_model import ClassModel
from sparsefm.training.class_state import ClassState
from sparsefm.training.field_aware_state import FieldAwareState
from sparsefm.training.learner import Learner
from sparsefm.training.parameters import State
from sparsefm.training.start import VARIANTS

Parameters = dict[str, Any]

SMALL_MODEL = 1 << 18  # numbers: copied in less time than a call of `partial_fit` takes anyway
SETTINGS = ("rank", "variant", "pairs", "solver", "init", "init_scale")
RANKING = "ranking_loss"  # in the history of what was trained to rank
ANEW = "fit anew, with warm_start=False"


def parameters_of(estimator: Any) -> Parameters:
    """Return the parameters that a fit fixes for those that go on from it."""
    encoder = TableEncoder() if estimator.encoder is None else estimator.encoder
    seed = estimator.random_state
    return {
        **{name: getattr(estimator, name) for name in SETTINGS},
        **estimator._pairs_given(),
        "batch_size": estimator.batch_size,
        "loss": estimator._loss,
        "dtype": np.dtype(estimator.dtype),
        "random_state": int(seed) if isinstance(seed, int | np.integer) else None,
        "encoder": _encoder_parameters(encoder),
    }


def changes(estimator: Any) -> Parameters:
    """Return the parameters that are set now and differ from those of the fit.

    Parameters of None are left open, so what the fit has is right. So is what a search chose.
    """
    now = parameters_of(estimator)
    then = vars(estimator).get("_fitted_with", now)
    changed = {name: value for name, value in now.items() if value is not None}
    changed = {name: value for name, value in changed.items() if value != then[name]}
    if not changed:
        return changed
    chosen = _chosen(estimator)
    return {name: v for name, v in changed.items() if name not in chosen or v != chosen[name]}


def refuse_ranker(estimator: Any, what: str) -> None:
    """Refuse to learn from targets what was trained to rank, whose scores are no predictions."""
    if RANKING in vars(estimator).get("history_", {}):
        raise ValueError(
            f"{what} learns from targets, but this model was trained to rank, and its scores are "
            "none: fit FMRanker anew"
        )


def check_changes(estimator: Any, changed: Parameters) -> None:
    """Refuse changes that training cannot go on with; warn of those that it goes on without."""
    refuse_ranker(estimator, "partial_fit")
    learner = estimator._learner
    old = parameters_of(estimator) | vars(estimator).get("_fitted_with", {}) | _chosen(estimator)
    sampled = not isinstance(learner, Learner)
    for name in ("variant", "pairs", "init", "init_scale", *(("rank", "dtype") if sampled else ())):
        if name in changed:
            raise ValueError(
                f"{name} is {_shown(changed[name])} now, but was {_shown(old[name])} in the fit to "
                f"go on from, which has its parameters already: {ANEW}"
            )
    if "rank" in changed and changed["rank"] < old["rank"]:
        raise ValueError(
            f"rank is {changed['rank']} now, but the fit to go on from has {old['rank']} factors "
            f"of each feature, of which none can be left out: {ANEW}"
        )
    if "encoder" in changed:
        names = [n for n, v in changed["encoder"].items() if v != old["encoder"][n]]
        warnings.warn(
            f"{', '.join(names)} of the encoder changed, but training goes on with the columns "
            f"encoded as they were: to encode them otherwise, {ANEW}",
            UserWarning,
            stacklevel=2,
        )


def _with_penalties(
    estimator: Any, changed: Mapping[str, Any]
) -> tuple[Learner, Mapping[str, Any]]:
    """Return the model in training and the changes, with a penalty for each field, if by field.

    The encoder may have got new fields, whose penalties are no change: the learning rate stays.
    """
    learner: Learner = estimator._learner
    if isinstance(learner, MappedLearner):
        learner = learner.plain()
    before = learner.hyperparameters.solver
    now = estimator._by_field_given().get("solver")
    if before._is_by_field:
        n_fields = len(estimator.encoder_.field_names_)
        before = before._with_fields_of(now, n_fields)
        learner = replace(learner, hyperparameters=replace(learner.hyperparameters, solver=before))
    if now is not None:
        others = {name: value for name, value in changed.items() if name != "solver"}
        changed = others if now == before else {**others, "solver": now}
    return learner, changed


def adapted(estimator: Any, changed: Mapping[str, Any]) -> Learner:
    """Return the model in training of an estimator, which goes on with changed parameters.

    Another learning rate or penalty counts from the next step on. Another kind of solver, type or
    rank makes new moments; where the rank is larger, the new factors start at random.
    """
    learner, changed = _with_penalties(estimator, changed)
    before = learner.hyperparameters
    names = ("rank", "solver", "batch_size")
    chosen = replace(before, **{name: changed[name] for name in names if name in changed})
    learner = replace(
        learner,
        hyperparameters=chosen,
        loss=changed.get("loss", learner.loss),
        seed=changed.get("random_state", learner.seed),
        rate_factor=1.0 if "solver" in changed else learner.rate_factor,
    )
    same_kind = type(chosen.solver) is type(before.solver)
    if same_kind and not changed.keys() & {"rank", "dtype"}:
        return learner
    models = [
        _with_rank(model, output, learner) if chosen.rank > before.rank else model
        for output, model in enumerate(learner.models())
    ]
    dtype = changed.get("dtype", models[0].dtype)
    begun = Learner.of_models(models, chosen, learner.loss, dtype, learner.seed)
    return replace(begun, rate_factor=learner.rate_factor)


def own(estimator: Any, learner: Learner) -> Learner:
    """Return a model in training that may be changed: nobody else has it, or notices."""
    is_shared = estimator._is_shared or learner.size <= SMALL_MODEL
    return learner.copy() if is_shared else learner


def _with_rank(model: Model | ClassModel, output: int, learner: Learner) -> Model | ClassModel:
    """Return a model with more factors; the new ones are random where a feature has factors."""
    chosen, rank = learner.hyperparameters, model.rank
    if isinstance(model, ClassModel):
        return _class_model_with_rank(model, learner)
    if isinstance(model, FieldAwareModel):
        return _aware_with_rank(model, output, learner)
    state = State.begin(model.n_features, chosen.rank, chosen.solver, model.dtype)
    features = np.flatnonzero(model.V.any(axis=1))
    state.draw_factors(learner.seed, output, chosen.init, chosen.init_scale, features)
    state.V[:, :rank] = model.V
    parameters = model.w0, model.w, state.V
    if isinstance(model, FieldWeightedModel):
        return FieldWeightedModel._of(parameters, model.fields, model.R, learner.loss)
    return Model._view(*parameters, learner.loss)


def _aware_with_rank(model: FieldAwareModel, output: int, learner: Learner) -> Model:
    """Return a field-aware model with more factors."""
    chosen, rank = learner.hyperparameters, model.rank
    V = np.zeros((*model.V.shape[:2], chosen.rank), model.dtype)
    V[:, :, :rank] = model.V
    state = FieldAwareState.of_model(model.w0, model.w, V, model.fields, chosen.solver)
    features = np.flatnonzero(V.any(axis=(1, 2)))
    state.draw_factors(learner.seed, output, chosen.init, chosen.init_scale, features)
    state.V[:, :, :rank] = model.V
    return state.model(learner.loss)


def _class_model_with_rank(model: ClassModel, learner: Learner) -> ClassModel:
    """Return a model of several classes with more factors."""
    chosen, old, rank = learner.hyperparameters, model.state, model.rank
    state = ClassState.begin(model.n_features, old.w0, chosen.rank, chosen.solver, learner.seed)
    features = np.flatnonzero(old.V.any(axis=1))
    state.draw_factors(learner.seed, 0, chosen.init, chosen.init_scale, features)
    state.w[:], state.V[:, :rank], state.U[:, :rank] = old.w, old.V, old.U
    return ClassModel(state)


def _chosen(estimator: Any) -> Parameters:
    """Return what the fitted model has, whoever chose it."""
    learner = estimator._learner
    chosen: Parameters = {"encoder": _encoder_parameters(estimator.encoder_), "loss": learner.loss}
    if isinstance(learner, Learner):
        found = learner.hyperparameters
        return chosen | {name: getattr(found, name) for name in SETTINGS}
    chosen["variant"] = VARIANTS[0]
    if isinstance(learner.outputs[0], SampledModel):
        return chosen | {"rank": learner.outputs[0].rank}
    return chosen


def _encoder_parameters(encoder: TableEncoder) -> Parameters:
    parameters = encoder.get_params(deep=False)
    if parameters["fields"] is not None:  # arrays do not compare to one truth
        parameters["fields"] = np.asarray(parameters["fields"]).tolist()
    return {name: value for name, value in parameters.items() if name != "dtype"}


def _shown(value: Any) -> str:
    return str(value) if isinstance(value, np.dtype) else repr(value)
