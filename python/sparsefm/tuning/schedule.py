"""The learning rate schedule of a search: lower in each stage."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sparsefm.history import Epoch
from sparsefm.training.callbacks import ChangedError, Training

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
        self._lower(self.stage(epoch.epoch + 1) - self.stage(epoch.epoch))

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint needs of it, see `load_state_dict`."""
        return {"ends": [int(end) for end in self._ends]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on with a training that is resumed, perhaps with more epochs."""
        assert self._training is not None
        other, epoch = StagedRate(np.diff(state["ends"], prepend=0)), self._training.epoch
        if any(self.stage(past) != other.stage(past) for past in range(1, epoch + 1)):
            raise ChangedError(
                "epochs has other stages than before, when they ended with the epochs "
                f"{state['ends']}: only what follows epoch {epoch} may change"
            )
        self._lower(self.stage(epoch + 1) - other.stage(epoch + 1))

    def stage(self, epoch: int) -> int:
        """Return the stage of an epoch, from 0."""
        return min(int(np.searchsorted(self._ends, epoch)), len(self._ends) - 1)

    def _lower(self, more: int) -> None:
        """Go on by so many stages."""
        assert self._training is not None
        self._training.learning_rate *= RATE_DECAY**more
