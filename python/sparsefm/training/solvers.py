"""The argument `solver`."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sparsefm.losses import Loss
from sparsefm.model import Model
from sparsefm.optimizers import Optimizer, check_optimizer
from sparsefm.sampling import SampledModel, Sweeper
from sparsefm.training.sampled import Sampled
from sparsefm.training.start import VARIANTS, Start


def check_solver(solver: Any, loss: Loss, real: np.dtype[Any]) -> Optimizer | Sweeper:
    """Return the argument `solver` if it can train with a loss, in arithmetic of a type."""
    if not isinstance(solver, Sweeper):
        if loss.task == "ordinal":
            raise ValueError("ordered classes (loss='ordinal') need solver=sparsefm.Gibbs()")
        return check_optimizer(solver, real)
    losses = solver._losses
    if loss.name not in losses:
        known = " or ".join(map(repr, losses))
        raise ValueError(f"solver {type(solver).__name__} has a loss of {known}, not {loss.name!r}")
    return solver


def check_start(start: Start) -> None:
    """Check the start of a training with mini-batches."""
    if isinstance(start.model, SampledModel):
        raise ValueError(
            "init was sampled, and its mean has another rank: to train that on, use "
            "init=(model.w0, model.w, model.V)"
        )


def check_sweeps(
    solver: Sweeper, epochs: int, batch_size: Any, start: Start, *, going_on: bool
) -> None:
    """Check arguments of `train` that `Gibbs` and `ALS` do not have, or have other limits for."""
    name = type(solver).__name__
    refuse_fields(name, start.variant, start.pairs)
    if batch_size is not None:
        raise ValueError(f"{name} has no batches: leave batch_size out")
    if start.init != "normal":
        raise ValueError(f"{name} starts from a normal distribution, not init={start.init!r}")
    if not going_on and epochs <= solver.burn_in:
        raise ValueError(f"{epochs} epochs leave none after a burn-in of {solver.burn_in}")


def refuse_fields(name: str, variant: str, pairs: Any) -> None:
    """Refuse what depends on fields, for a sampler of that name."""
    if variant != VARIANTS[0]:
        raise ValueError(f"variant={variant!r} needs solver=Adam() or AdaGrad(), not {name}")
    if pairs is not None:
        raise ValueError(f"pairs need solver=Adam() or AdaGrad(): {name} has all pairs")


def check_going_on(fitted: Any, solver: Any) -> None:
    """Check that a solver can continue the training of what was fitted before."""
    sampled = isinstance(fitted, Sampled)
    if sampled and not isinstance(solver, Sweeper):
        raise ValueError(
            "an optimizer cannot go on from a model that was sampled: fit anew, with "
            "warm_start=True (or solver=sparsefm.Adam()) from the first fit on"
        )
    if isinstance(solver, Sweeper) and not (sampled and solver._random):
        name = type(solver).__name__
        raise ValueError(f"{name} cannot go on from what was fitted before: fit anew")


def sampled_models(
    models: Sequence[Model], solver: Sweeper, n_features: int
) -> Sequence[SampledModel]:
    """Return models that sampling continues from, or say why it cannot."""
    sampled = [model for model in models if isinstance(model, SampledModel)]
    if len(sampled) < len(models):
        raise ValueError("warm_start continues chains of Gibbs, but there are none: fit anew")
    if models[0].n_features != n_features:
        raise ValueError("warm_start of Gibbs cannot add features: fit anew, with warm_start=False")
    chains = len(sampled[0].progress.chains)
    if chains != solver.chains:
        raise ValueError(
            f"sampling continues with the {chains} chains that it has: chains is {solver.chains}"
        )
    return sampled
