"""Trains one output of a model."""

import numpy as np
import numpy.typing as npt

from sparsefm.data.plan import BatchNumbers, Plan
from sparsefm.interrupts import WorkSplitter
from sparsefm.losses import Loss
from sparsefm.optimizers import Optimizer
from sparsefm.training.class_state import ClassState
from sparsefm.training.parameters import Array, State


class Trainer:
    """Trains the parameters in `state` on the batches of plans.

    Parameters
    ----------
    state : State or ClassState
        Changed in place.
    loss : Loss
    optimizer : Optimizer
    threads : int
    steps : int
        Number of steps that `state` has made already.
    fields : ndarray of int32, shape (d,), optional
        The field of each feature, for penalties by field.

    Attributes
    ----------
    steps : int
    learning_rate : float
        Learning rate of the following steps.
    penalties : ndarray of shape (d,) or None
        Those of the features' factors, if they differ.
    """

    def __init__(
        self,
        state: State | ClassState,
        loss: Loss,
        optimizer: Optimizer,
        *,
        threads: int,
        steps: int = 0,
        fields: npt.NDArray[np.int32] | None = None,
    ) -> None:
        self.state, self.loss, self.optimizer, self.steps = state, loss, optimizer, steps
        self.learning_rate = optimizer.learning_rate
        self._core = state.trainer(loss, optimizer, threads)
        self.penalties = optimizer._penalties_of(fields, state.bias.dtype)
        if self.penalties is not None:
            self.penalise(None, self.penalties)
        self._work = WorkSplitter()

    def penalise(self, linear: Array | None, factors: Array) -> None:
        """Give each feature penalties of its own, (d,), of w if it is not None and of V."""
        self._core.penalise(linear, factors)

    def run(self, plan: Plan, targets: Array, segment: BatchNumbers, total: float) -> float:
        """Make a step for each batch of a segment; add their losses to `total` and return it.

        Parameters
        ----------
        plan : Plan
        targets : ndarray
            Targets of the plan's rows.
        segment : ndarray of int64
            Batches that the plan has transposed.
        total : float
            Sum, over rows, of weight times loss. Once it is not finite, no more steps are made.
        """
        self._core.begin_segment(plan.core, targets, segment, self.steps, self.learning_rate)
        for begin, end in self._work.calls(len(segment)):
            total = self._core.run(begin, end, total)
        self.steps += len(segment)
        return total


def run_epoch(
    trainers: list[Trainer],
    plan: Plan,
    targets: list[npt.NDArray[np.floating]],
    random: np.random.Generator | None,
) -> list[float]:
    """Run an epoch of all trainers; return the mean training loss of each.

    If the batches do not fit into memory together, each is transposed once for all trainers.

    Parameters
    ----------
    trainers : list of Trainer
        One for each output of a model.
    plan : Plan
    targets : list of ndarray
        Targets of each trainer, in the order of the plan's rows.
    random : numpy.random.Generator or None
        Shuffles the batches. None: their order stays.
    """
    totals = [0.0] * len(trainers)
    for segment in plan.segments(plan.order_of(random)):
        for output, trainer in enumerate(trainers):
            totals[output] = trainer.run(plan, targets[output], segment, totals[output])
    return [total / plan.total_weight for total in totals]
