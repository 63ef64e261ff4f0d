"""One machine in training: its rows, its parameters, and the steps it has made."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from sparsefm import _core
from sparsefm.data.dataset import Rows
from sparsefm.interrupts import Pace
from sparsefm.losses import Loss
from sparsefm.model import Model
from sparsefm.optimizers import Solver
from sparsefm.training.divergence import DivergenceWatch
from sparsefm.training.parameters import State

Batches = npt.NDArray[np.int64]

# Bytes of transposed batches kept at a time. No number of this machine: segments end where they are
# full, and with exact updates the last bits of a result know where.
PLAN_BUDGET = 4 << 30
SAMPLE_SIZE = 1024  # rows that tell what training begins with and ends in


class Trainer:
    """Trains the parameters in `state` on `rows`, an epoch at a time.

    Parameters
    ----------
    rows : Rows
    state : State
        Changed in place.
    loss : Loss
    solver : Solver
    batch_size : int
    random : numpy.random.Generator or None
        Shuffles the rows once, and the order of the batches in each epoch; None leaves both.
    threads : int
    steps : int
        That `state` has behind it.
    random_start : bool
        Whether `state` was drawn at random.

    Attributes
    ----------
    steps : int
    epoch : int
        How many epochs were run.
    learning_rate : float
        Of the epochs to come.
    """

    def __init__(
        self,
        rows: Rows,
        state: State,
        loss: Loss,
        solver: Solver,
        *,
        batch_size: int,
        random: np.random.Generator | None,
        threads: int,
        steps: int = 0,
        random_start: bool = True,
    ) -> None:
        order = rows.order(random)
        self.rows, self.state, self.loss = rows, state, loss
        self.steps, self.epoch = steps, 0
        self.learning_rate = solver.learning_rate
        self._random = random
        self._run = _core.TrainingRun(
            rows.X,
            order,
            rows.y[order],
            rows.weights_of(order),
            min(batch_size, len(order)),
            loss.name,
            state.bias,
            state.scalars,
            state.factors,
            solver,
            threads,
        )
        sample = rows.sample(order, SAMPLE_SIZE)
        self._watch = DivergenceWatch(rows, sample, loss, solver, state, random_start=random_start)

    def run_epoch(self) -> float:
        """Run one epoch; return the mean of the losses that its steps found.

        Raises
        ------
        DivergenceError
        """
        self.epoch += 1
        order = np.arange(self._run.n_batches, dtype=np.int64)
        if self._random is not None:
            order = self._random.permutation(order)
        pace = Pace()
        total = 0.0
        for segment in self._segments(order):
            self._run.begin_segment(segment, self.steps, self.learning_rate)
            for begin, end in pace.calls(len(segment)):
                total = self._run.run(begin, end, total)
                self._watch.check_finite(self.epoch, total)
            self.steps += len(segment)
        mean = total / self.rows.total_weight
        self._watch.check_epoch(self.epoch, mean)
        return mean

    @property
    def steps_per_epoch(self) -> int:
        """Number of batches."""
        return int(self._run.n_batches)

    def check_end(self) -> None:
        """Raise `DivergenceError` if the parameters are not fit for use."""
        self._watch.check_end(self.epoch, self.state)

    def check_validation(self, loss: float, validation: Rows) -> None:
        """Raise `ValueError` if the loss of the validation rows, after an epoch, is not finite."""
        self._watch.check_validation(self.epoch, loss, validation)

    def model(self) -> Model:
        """Return a copy of the model as it stands."""
        state = self.state
        return Model(float(state.bias[0]), state.w, state.V, self.loss.task, self.loss.name)

    def _segments(self, order: Batches) -> Iterator[Batches]:
        """Plan the batches of an epoch and yield those whose plans fit into memory together.

        In one segment, and for all epochs, if all fit. Otherwise in several, each forgotten after
        use; where they end depends on the plans alone, not on how many a call happens to make.
        """
        pace = Pace()
        begin = 0
        while begin < len(order):
            for _, end in pace.calls(len(order) - begin):
                self._run.plan(order[begin : begin + end])
                size = self._run.count_planned(order[begin:], PLAN_BUDGET)
                if size < end:
                    break
            segment = order[begin : begin + size]
            yield segment
            begin += size
            if size < len(order):
                self._run.forget(segment)
