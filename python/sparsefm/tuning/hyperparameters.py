"""How a machine is trained, and the settings that are tried where the user gives none."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sparsefm.optimizers import AdaGrad, Adam, Solver
from sparsefm.training.callbacks import Epoch
from sparsefm.training.initialization import Start
from sparsefm.training.loop import Training

SMALLEST_BATCH = 16
LARGEST_BATCH = {"adam": 1024, "adagrad": 256}
LARGEST_RANK = 32  # that is tried: twice the rank takes twice the time
COOLER = 0.25  # times the learning rate in the next stage of a schedule


@dataclass(frozen=True)
class Settings:
    """Everything that training depends on besides the data and the seed.

    Attributes
    ----------
    rank : int
    solver : Adam or AdaGrad
    init : {"normal", "uniform"}
    init_scale : float
    batch_size : int or None
        None: a 64th of the rows, within limits.
    """

    rank: int
    solver: Solver
    init: str
    init_scale: float
    batch_size: int | None = None

    @property
    def start(self) -> Start:
        """Where training starts."""
        return Start.check(self.init, self.init_scale, self.rank)

    def batch_size_for(self, n_rows: int) -> int:
        """Return how many rows a step takes."""
        largest = LARGEST_BATCH[self.solver.name]
        return self.batch_size or int(np.clip(n_rows // 64, SMALLEST_BATCH, largest))

    def variations(self) -> Iterator["Settings"]:
        """Yield settings that differ from these in one respect."""
        solver = self.solver
        for factor in (0.5, 2.0):
            yield self._with_solver(learning_rate=factor * solver.learning_rate)
        for factor in (0.25, 4.0):
            yield self._with_solver(l2_linear=factor * solver.l2_linear)
        damping = "epsilon" if isinstance(solver, Adam) else "initial_accumulator"
        for factor in (0.3, 3.0):
            yield self._with_solver(**{damping: factor * getattr(solver, damping)})
        if self.rank:
            for factor in (0.25, 4.0):
                yield self._with_solver(l2_factors=factor * solver.l2_factors)
            yield replace(self, init_scale=2 * self.init_scale)
            yield replace(self, init_scale=self.init_scale / 2)
        yield replace(self, rank=min(2 * self.rank, max(LARGEST_RANK, self.rank)) or 8)

    def fixed(self, given: Mapping[str, Any]) -> "Settings":
        """Return these settings with some replaced by what the user asked for."""
        return replace(self, **given)

    def _with_solver(self, **changes: float) -> "Settings":
        return replace(self, solver=replace(self.solver, **changes))


class Cooling:
    """A callback that lowers the learning rate from stage to stage.

    Parameters
    ----------
    schedule : sequence of int
        How many epochs each stage has.
    """

    def __init__(self, schedule: Sequence[int]) -> None:
        self._ends = np.cumsum(schedule)
        self._training: Training | None = None

    def begin(self, training: Training) -> None:
        """Be told what is trained."""
        self._training = training

    def __call__(self, epoch: Epoch) -> None:
        """Lower the rate if a stage begins."""
        assert self._training is not None
        stages = self.stage(epoch.epoch + 1) - self.stage(epoch.epoch)
        self._training.learning_rate *= COOLER**stages

    def stage(self, epoch: int) -> int:
        """Return the number of the stage, from 0, that an epoch is in."""
        return min(int(np.searchsorted(self._ends, epoch)), len(self._ends) - 1)


def _adam(
    rank: int, learning_rate: float, epsilon: float, l2: tuple[float, float], scale: float
) -> Settings:
    solver = Adam(learning_rate=learning_rate, epsilon=epsilon, l2_linear=l2[0], l2_factors=l2[1])
    return Settings(rank, solver, "normal", scale)


def _adagrad(
    rank: int, learning_rate: float, accumulator: float, l2: tuple[float, float], scale: float
) -> Settings:
    solver = AdaGrad(
        learning_rate=learning_rate,
        initial_accumulator=accumulator,
        l2_linear=l2[0],
        l2_factors=l2[1],
    )
    return Settings(rank, solver, "uniform", scale)


# Where nothing can be judged.
DEFAULT = Settings(8, Adam(), "normal", 0.05)

# Settings such that one of them is close to the best for each of many kinds of data, found by
# greedy choice among random ones (docs/defaults.md). Simple ones first: they win ties.
PORTFOLIO = (
    _adam(0, 0.01, 1.5e-2, (1e-3, 1e-2), 0.05),
    _adam(0, 0.02, 1e-4, (2e-3, 1e-2), 0.05),
    _adagrad(0, 0.075, 10.0, (1e-3, 5e-3), 0.3),
    _adagrad(0, 0.3, 1.0, (1e-5, 1e-2), 0.3),
    _adam(4, 0.004, 2e-3, (2e-3, 1e-2), 0.025),
    _adam(8, 0.013, 1.5e-3, (4e-5, 1e-3), 0.04),
    _adagrad(8, 0.1, 4.5, (2e-5, 7e-3), 0.35),
    _adagrad(16, 0.03, 6.0, (3e-5, 5e-3), 0.1),
    _adam(16, 0.006, 2.5e-4, (1e-4, 5e-2), 0.03),
    _adam(16, 0.002, 1.2e-3, (2e-4, 1.4e-2), 0.04),
    _adam(16, 0.01, 1.5e-2, (5e-4, 1e-2), 0.03),
)
