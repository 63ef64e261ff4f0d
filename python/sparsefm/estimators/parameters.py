"""The parameters of an estimator, checked when it is fitted."""

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np

from sparsefm.data.validation import (
    check_choice,
    check_dtype,
    check_flag,
    check_integer,
    check_real,
    is_mapping,
)
from sparsefm.encoding import TableEncoder
from sparsefm.encoding.settings import check_settings
from sparsefm.estimators.bounds import check_bounds
from sparsefm.estimators.scoring import find_metric
from sparsefm.optimizers import Adam, Optimizer
from sparsefm.sampling import Gibbs, Sweeper
from sparsefm.threads import resolve_threads
from sparsefm.training.callbacks import check_callbacks
from sparsefm.training.pairs import as_pairs
from sparsefm.training.solvers import check_solver, refuse_fields
from sparsefm.training.start import VARIANTS, check_init_scale


def check_parameters(estimator: Any) -> dict[str, Any]:
    """Check all parameters; return the hyperparameters that are set."""
    real = check_dtype(estimator.dtype)
    resolve_threads(estimator.n_threads)
    check_integer(estimator.patience, "patience", 1)
    check_real(estimator.min_delta, "min_delta")
    check_callbacks(estimator.callbacks)
    if not isinstance(estimator.callbacks, Sequence):
        raise TypeError(f"callbacks must be a list or tuple, got {estimator.callbacks!r:.80}")
    for name in ("early_stopping", "warm_start", "verbose"):
        check_flag(getattr(estimator, name), name)
    if isinstance(estimator.random_state, Real):
        check_integer(estimator.random_state, "random_state", 0)
    elif not isinstance(estimator.random_state, np.random.RandomState | None):
        raise TypeError(
            "random_state must be an integer, a numpy.random.RandomState or None, "
            f"got {estimator.random_state!r:.80}"
        )
    if isinstance(estimator.epochs, list | tuple) and estimator.epochs:
        for epochs in estimator.epochs:
            check_integer(epochs, "epochs", 1)
    elif estimator.epochs is not None:
        check_integer(estimator.epochs, "epochs", 1)
    if estimator.search is not None:
        check_choice(estimator.search, "search", ("fast", "thorough"))
    if estimator.search_seconds is not None:
        check_real(estimator.search_seconds, "search_seconds", above=0)
    if estimator.scoring is not None:
        find_metric(estimator.scoring)
    if not isinstance(estimator.encoder, TableEncoder | None):
        raise TypeError(f"encoder must be a sparsefm.TableEncoder, got {estimator.encoder!r:.80}")
    if estimator.encoder is not None:
        check_settings(estimator.encoder)
    if estimator.validation_fraction is not None:
        check_fraction(estimator.validation_fraction)
    _check_class_weight(getattr(estimator, "class_weight", None))
    check_bounds(getattr(estimator, "bounds", None))
    given: dict[str, Any] = {}
    if estimator.rank is not None:
        given["rank"] = check_integer(estimator.rank, "rank", 0)
    if estimator.variant is not None:
        given["variant"] = check_choice(estimator.variant, "variant", VARIANTS)
    if estimator.batch_size is not None:
        given["batch_size"] = check_integer(estimator.batch_size, "batch_size", 1)
    solver: Any = estimator.solver
    if solver is None:
        solver = Gibbs() if estimator._loss.task == "ordinal" else Adam()
    solver = check_solver(solver, estimator._loss, real)
    if estimator.solver is not None:
        given["solver"] = solver
    if estimator.pairs is not None:
        as_pairs(estimator.pairs, lambda field: 0)  # which fields there are is not known yet
    if estimator._has_fields:
        _check_fields(estimator, solver)
    if estimator.init is not None:
        given["init"] = estimator.init
    init = "normal" if estimator.init is None else estimator.init
    if estimator.init is not None or estimator.init_scale is not None:
        given["init_scale"] = check_init_scale(init, estimator.init_scale)
    return given


def _check_fields(estimator: Any, solver: Optimizer | Sweeper) -> None:
    """Check a solver and a loss for a model that depends on fields."""
    if estimator._loss.task == "ordinal":
        raise ValueError("ordered classes need Gibbs, which has neither variants nor pairs")
    if isinstance(solver, Sweeper):
        variant = estimator.variant or VARIANTS[0]
        refuse_fields(type(solver).__name__, variant, estimator.pairs)
    if estimator._loss.is_of_all_classes:
        raise ValueError(
            "variants, and pairs, make one model of each class against the rest: use "
            "loss='logistic' or 'hinge'"
        )
    if estimator.variant == "ffm" and estimator.pairs is not None:
        raise ValueError("variant='ffm' has all pairs: leave pairs out")


def check_fraction(value: Any) -> float:
    """Return `validation_fraction` if it is between 0 and 1."""
    fraction = check_real(value, "validation_fraction", above=0)
    if fraction >= 1:
        raise ValueError(f"validation_fraction must be less than 1, got {fraction:g}")
    return fraction


def is_balanced(class_weight: Any) -> bool:
    """Return whether each class shall weigh as much as another."""
    return isinstance(class_weight, str) and class_weight == "balanced"


def _check_class_weight(value: Any) -> None:
    if value is None or is_balanced(value):
        return
    if not is_mapping(value):
        raise ValueError(
            f"class_weight must be 'balanced', a mapping of classes to weights or None, got "
            f"{value!r:.80}"
        )
    for label, weight in value.items():
        check_real(weight, f"class_weight of {label!r:.40}")
