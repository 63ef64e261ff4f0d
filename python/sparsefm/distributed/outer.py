"""What becomes of the joined change of a round."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.distributed.changes import Change
from sparsefm.distributed.layout import along, of_all_rows, of_features, refresh
from sparsefm.distributed.settings import Rounds
from sparsefm.io.reader import Reader
from sparsefm.training.learner import Learner
from sparsefm.training.resuming import array_like

Array = npt.NDArray[Any]


class OuterStep:
    """Moves the parameters that all share by the joined changes of rounds.

    Parameters
    ----------
    learner : Learner
        Changed in place.
    rounds : Rounds
    """

    def __init__(self, learner: Learner, rounds: Rounds) -> None:
        self._learner, self._rounds = learner, rounds
        self.velocity: list[list[Array]] = []
        """Of parameters of features, with momentum."""
        if rounds.outer_momentum:
            self.velocity = [
                [np.zeros_like(part[:, 0]) for part in of_features(state)]
                for state in learner.states
            ]

    def apply(self, change: Change) -> None:
        """Make a step. Moments of optimizers take the mean change as it is.

        A mean of squares, the last moment, can fall almost to zero; rounding must not make it less.
        """
        rate = self._rounds.outer_learning_rate
        for output, state in enumerate(self._learner.states):
            for number, part in enumerate(of_features(state)):
                total = change.of_features[output][number]
                mean = total / along(change.occurrences.astype(total.dtype), total)
                mean[:, 0] *= rate
                if self.velocity:
                    velocity = self.velocity[output][number]
                    mean[:, 0] += self._rounds.outer_momentum * velocity[change.features]
                    velocity[change.features] = mean[:, 0]
                moved = part[change.features] + mean
                np.maximum(moved[:, -1], 0, out=moved[:, -1])
                part[change.features] = moved
            for part, total in zip(of_all_rows(state), change.of_all_rows[output], strict=True):
                mean = total / part.dtype.type(change.rows)
                mean[0] *= rate
                part += mean
                np.maximum(part[-1:], 0, out=part[-1:])
            refresh(state, change.features)
        self._learner.steps += change.steps

    def stop(self) -> None:
        """Take away the momentum."""
        for parts in self.velocity:
            for part in parts:
                part[:] = 0

    def to_arrays(self) -> dict[str, Array]:
        """Return what the next step depends on besides the learner, by name."""
        return {
            f"velocity.{output}.{number}": part
            for output, parts in enumerate(self.velocity)
            for number, part in enumerate(parts)
        }

    def read(self, reader: Reader) -> None:
        """Restore what `to_arrays` returned."""
        for output, parts in enumerate(self.velocity):
            for number, part in enumerate(parts):
                part[:] = array_like(reader, f"velocity.{output}.{number}", part)
