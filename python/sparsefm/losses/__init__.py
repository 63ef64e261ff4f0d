"""The losses: which task each serves, its constant solution, and what it predicts.

The formulas themselves, the same that training uses, are in ``cpp/core/losses.hpp``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm import _core

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Loss:
    """A loss L(y, s) of a target y and a score s."""

    name: str
    task: str
    constant: Callable[[float], float]
    """The constant score of least mean loss, from the mean target."""
    link: Callable[[Array], Array]
    """What `predict` returns for scores."""

    def values(self, targets: Array, scores: Array) -> Array:
        """Return L(y, s) for each row, shape (n,)."""
        return _core.loss_values(self.name, targets, scores)

    def slopes(self, targets: Array, scores: Array) -> Array:
        """Return dL/ds for each row, shape (n,)."""
        return _core.loss_slopes(self.name, targets, scores)


def sigmoid(scores: Array) -> Array:
    """Return 1 / (1 + exp(-s)), without overflow at any finite s."""
    decay = np.exp(-np.abs(scores))
    return np.where(scores >= 0, 1, decay) / (1 + decay)  # type: ignore[no-any-return]


def _identity(scores: Array) -> Array:
    return scores


def _log_odds(mean: float) -> float:
    """Return log(p / (1 - p)), finite also where one class has next to no weight.

    Where one class is absent this is 0: in other rows it may not be.
    """
    if mean in (0, 1):
        return 0.0
    share = float(np.clip(mean, np.finfo(float).eps, 1 - np.finfo(float).eps))
    return float(np.log(share) - np.log1p(-share))


LOSSES = {
    loss.name: loss
    for loss in (
        Loss("squared", "regression", lambda mean: mean, _identity),
        Loss("logistic", "binary", _log_odds, sigmoid),
        Loss("hinge", "binary", lambda mean: float(np.sign(mean - 0.5)), _identity),
    )
}
DEFAULT_LOSS = {"regression": "squared", "binary": "logistic"}


def find_loss(task: Any, loss: Any) -> Loss:
    """Return the loss of that name, or the task's own for None."""
    from sparsefm.data.validation import check_choice

    check_choice(task, "task", tuple(DEFAULT_LOSS))
    if loss is None:
        return LOSSES[DEFAULT_LOSS[task]]
    names = tuple(name for name, entry in LOSSES.items() if entry.task == task)
    return LOSSES[check_choice(loss, f"loss (of task {task!r})", names)]
