"""The candidates of a search: samplers, a fixed portfolio, and variations of one candidate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from sparsefm.optimizers import AdaGrad, Adam
from sparsefm.sampling import Gibbs
from sparsefm.training.hyperparameters import Hyperparameters
from sparsefm.training.start import LARGEST_SCALE

LARGEST_RANK = 32  # of a variation: twice the rank takes twice the time


@dataclass(frozen=True)
class Sampling:
    """A candidate that samples the parameters.

    Attributes
    ----------
    rank : int
    solver : Gibbs
    epochs : int
        Number of sweeps.
    """

    rank: int
    solver: Gibbs = field(default_factory=Gibbs)
    epochs: int = Gibbs.default_epochs


Settings = Hyperparameters | Sampling


def variations(best: Hyperparameters) -> Iterator[Hyperparameters]:
    """Yield candidates that differ from `best` in one hyperparameter."""
    solver = best.solver

    def with_solver(**changes: float) -> Hyperparameters:
        return replace(best, solver=replace(solver, **changes))

    for factor in (0.5, 2.0):
        yield with_solver(learning_rate=factor * solver.learning_rate)
    for factor in (0.25, 4.0):
        yield with_solver(l2_linear=factor * solver.l2_linear)
    for factor in (0.3, 3.0):
        yield with_solver(**{solver._damping: factor * getattr(solver, solver._damping)})
    if best.rank:
        assert isinstance(solver.l2_factors, float)  # the user sets all of a solver, or nothing
        for factor in (0.25, 4.0):
            yield with_solver(l2_factors=factor * solver.l2_factors)
        yield replace(best, init_scale=min(2 * best.init_scale, LARGEST_SCALE))
        yield replace(best, init_scale=best.init_scale / 2)
    yield replace(best, rank=min(2 * best.rank, max(LARGEST_RANK, best.rank)) or 8)


def _adam(
    rank: int, learning_rate: float, epsilon: float, l2: tuple[float, float], scale: float
) -> Hyperparameters:
    solver = Adam(learning_rate=learning_rate, epsilon=epsilon, l2_linear=l2[0], l2_factors=l2[1])
    return Hyperparameters(rank, solver, "normal", scale)


def _adagrad(
    rank: int, learning_rate: float, accumulator: float, l2: tuple[float, float], scale: float
) -> Hyperparameters:
    solver = AdaGrad(
        learning_rate=learning_rate,
        initial_accumulator=accumulator,
        l2_linear=l2[0],
        l2_factors=l2[1],
    )
    return Hyperparameters(rank, solver, "uniform", scale)


# For each of many datasets, one of these is close to the best. They were selected greedily among
# random candidates (docs/defaults.md); the fifth was added for classes that a line separates.
# Simple candidates come first: they win ties.
PORTFOLIO = (
    _adam(0, 0.01, 1.5e-2, (1e-3, 1e-2), 0.05),
    _adam(0, 0.02, 1e-4, (2e-3, 1e-2), 0.05),
    _adagrad(0, 0.075, 10.0, (1e-3, 5e-3), 0.3),
    _adagrad(0, 0.3, 1.0, (1e-5, 1e-2), 0.3),
    _adam(0, 0.1, 1e-4, (1e-5, 1e-2), 0.05),
    _adam(4, 0.004, 2e-3, (2e-3, 1e-2), 0.025),
    _adam(8, 0.013, 1.5e-3, (4e-5, 1e-3), 0.04),
    _adagrad(8, 0.1, 4.5, (2e-5, 7e-3), 0.35),
    _adagrad(16, 0.03, 6.0, (3e-5, 5e-3), 0.1),
    _adam(16, 0.006, 2.5e-4, (1e-4, 5e-2), 0.03),
    _adam(16, 0.002, 1.2e-3, (2e-4, 1.4e-2), 0.04),
    _adam(16, 0.01, 1.5e-2, (5e-4, 1e-2), 0.03),
)

PAIRS = PORTFOLIO[7]  # what encodings are compared with where nothing can be sampled

# With many rows the price of each candidate is that of a training, and sampling has found what
# there is. These are the ones that were better than sampling most often (docs/defaults.md).
FEW = (PORTFOLIO[0], PORTFOLIO[3], PORTFOLIO[4], PAIRS)

# Where no sampler is beside them, there is one of every rank.
FEW_OF_ALL_CLASSES = (PORTFOLIO[3], PORTFOLIO[5], PAIRS, PORTFOLIO[9])
