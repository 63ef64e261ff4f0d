"""The learning rate schedule of a search: lower in each stage."""

from collections.abc import Sequence

import numpy as np

from sparsefm.history import Epoch
from sparsefm.training.callbacks import Training

RATE_DECAY = 0.25  # the learning rate of a stage, divided by that of the stage before


def stages_of(epochs: int | Sequence[int]) -> tuple[int, ...]:
    """Return the parameter `epochs` as the number of epochs of each stage."""
    return (epochs,) if isinstance(epochs, int | np.integer) else tuple(epochs)


class StagedRate:
    """A callback that lowers the learning rate from stage to stage.

    Parameters
    ----------
    stages : sequence of int
        The number of epochs of each stage.
    """

    def __init__(self, stages: Sequence[int]) -> None:
        self._ends = np.cumsum(stages)
        self._training: Training | None = None

    def begin(self, training: Training) -> None:
        """Prepare for a training."""
        self._training = training

    def __call__(self, epoch: Epoch) -> None:
        """Lower the learning rate if the next epoch begins a stage."""
        assert self._training is not None
        more = self.stage(epoch.epoch + 1) - self.stage(epoch.epoch)
        self._training.learning_rate *= RATE_DECAY**more

    def stage(self, epoch: int) -> int:
        """Return the stage of an epoch, from 0."""
        return min(int(np.searchsorted(self._ends, epoch)), len(self._ends) - 1)
