"""Training in rounds: an epoch is a round for each block of rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.data.dataset import Dataset
from sparsefm.distributed.engine import Engine
from sparsefm.distributed.outer import OuterStep
from sparsefm.distributed.rounds import Round
from sparsefm.distributed.settings import LEAST_BATCH, Rounds
from sparsefm.distributed.summary import Summary
from sparsefm.distributed.units import refuse
from sparsefm.errors import DivergenceError
from sparsefm.io.reader import Reader
from sparsefm.optimizers import AdaGrad
from sparsefm.training.contents import read_states, settings_of, states_to_content
from sparsefm.training.learner import Learner
from sparsefm.training.loop import Run
from sparsefm.training.metrics import Metrics
from sparsefm.training.random import stream
from sparsefm.training.resuming import START, TRAINED, Content, Snapshot, checksum, checksum_of


def batch_size_of_partitions(batch_size: int, partitions: int) -> int:
    """Return the size of batches that together are one of one machine, if they are not too small.

    That is for `AdaGrad`: a step stands for those of all, so larger batches would be too few steps.
    """
    return min(batch_size, max(batch_size // partitions, LEAST_BATCH))


@dataclass(frozen=True, eq=False)
class Measure:
    """Measures the loss of validation rows, where they are.

    Attributes
    ----------
    learner : Learner
    threads : int
    """

    learner: Learner
    threads: int

    def __call__(self, validation: Dataset) -> tuple[float, float]:
        """Return the sum of weight times loss, and that of the weights."""
        loss = self.learner.loss
        scores = loss.of_outputs(self.learner.scores(validation.X, self.threads))
        losses = [
            validation.mean(loss.values(target, column.astype(target.dtype)))
            for target, column in zip(validation.targets, scores, strict=True)
        ]
        return validation.total_weight * sum(losses), validation.total_weight


class DistributedRun(Run):
    """A training in rounds, on an engine.

    Parameters
    ----------
    learner : Learner
        Changed in place.
    engine : Engine
    summary : Summary
        That of the engine's rows.
    rounds : Rounds
    threads : int
        Of each partition.
    loss_unit : float
        Losses are multiplied by this to be in the user's units.
    model : callable
        Returns the current model, for callbacks.
    """

    def __init__(
        self,
        learner: Learner,
        engine: Engine,
        summary: Summary,
        rounds: Rounds,
        *,
        threads: int = 1,
        loss_unit: float = 1.0,
        model: Callable[[], Any],
    ) -> None:
        super().__init__(model)
        blocks = len(summary.rows)
        if blocks != rounds.per_epoch:
            raise ValueError(f"rows have {blocks} blocks, but an epoch {rounds.per_epoch} rounds")
        solver = learner.hyperparameters.solver
        refuse(solver)
        self._learner, self._engine, self._summary = learner, engine, summary
        self._rounds, self._threads, self._loss_unit = rounds, threads, loss_unit
        self._outer = OuterStep(learner, rounds)
        batch_size = learner.hyperparameters.batch_size_for(int(summary.rows.sum()))
        if isinstance(solver, AdaGrad):
            batch_size = batch_size_of_partitions(batch_size, engine.n_partitions)
        self._batch_size = batch_size

    @property
    def learning_rate(self) -> float:
        """The learning rate of the following epochs; it can be set."""
        return self._learner.hyperparameters.solver.learning_rate * self._learner.rate_factor

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self._learner.rate_factor = value / self._learner.hyperparameters.solver.learning_rate

    def snapshot(self) -> Snapshot:
        """Return a copy of all parameters and moments."""
        return Snapshot(([state.copy() for state in self._learner.states], self._learner.steps))

    def restore(self, snapshot: Snapshot) -> None:
        """Restore the parameters and moments of a snapshot; momentum begins anew."""
        states, self._learner.steps = snapshot
        for state, saved in zip(self._learner.states, states, strict=True):
            state.assign(saved)
        self._outer.stop()

    def scores(self, validation: Dataset) -> npt.NDArray[np.float64]:
        """Return the current scores of the validation rows, shape (n, outputs)."""
        return self._learner.scores(validation.X, self._threads)

    def evaluate(self) -> tuple[float | None, Metrics]:
        """Return the mean loss of the engine's validation rows, None if there are none."""
        found = self._engine.evaluate(Measure(self._learner, self._threads))
        if not found:
            return None, {}
        loss, weight = (sum(numbers) for numbers in zip(*found, strict=True))
        return loss / weight * self._loss_unit, {}

    def _run_epoch(self) -> float:
        """Run the rounds of an epoch; return the training loss, summed over the outputs."""
        learner, blocks = self._learner, len(self._summary.rows)
        first = (self.epoch - 1) * blocks
        total, weight = 0.0, 0.0
        for place, block in enumerate(stream(learner.seed, "blocks", first).permutation(blocks)):
            if self._summary.rows[block] == 0:
                continue
            shared = self._summary.sharing(block)
            rows, number = int(self._summary.rows[block]), first + place
            work = Round(learner, shared, self._batch_size, rows, number, self._threads)
            change = self._engine.train(work, int(block))
            if np.isfinite(change.losses).all():
                self._outer.apply(change)
            finite = [state.is_finite(change.features) for state in learner.states]
            if not (np.isfinite(change.losses).all() and all(finite)):
                raise DivergenceError(
                    f"the training diverged in round {place + 1} of epoch {self.epoch}: numbers "
                    f"are not finite; use a smaller learning rate than {self.learning_rate:g}"
                )
            total += float(change.losses.sum())
            weight += change.weight
        for state in learner.states:
            state.fix_scores()
        return total / weight * self._loss_unit

    # --- checkpoints ------------------------------------------------------------------------------

    @property
    def _settings(self) -> dict[str, Any]:
        rounds = {f"rounds.{name}": value for name, value in vars(self._rounds).items()}
        settings = settings_of(self._learner, self._summary.dtype)
        return settings | rounds | {"partitions": self._engine.n_partitions}

    def _checksums(self) -> dict[str, int]:
        unit, trained = np.array(self._loss_unit), self._summary.checksum
        validation = sum(self._engine.evaluate(checksum_of))
        start = [part for state in self._learner.states for part in state.parts(slice(None))]
        return {
            TRAINED: checksum(unit, np.array([trained], np.uint64)),
            START: checksum(*start),
            "the validation rows of the engine": validation,
        }

    def _snapshot_to_content(self, snapshot: Snapshot) -> Content:
        return states_to_content(snapshot)

    def _read_snapshot(self, reader: Reader) -> Snapshot:
        return read_states(reader, self._learner.states)

    def _state_to_content(self) -> Content:
        header, arrays = states_to_content(Snapshot((self._learner.states, self._learner.steps)))
        return header, arrays | self._outer.to_arrays()

    def _read_state(self, reader: Reader) -> None:
        self.restore(self._read_snapshot(reader))
        self._outer.read(reader)
