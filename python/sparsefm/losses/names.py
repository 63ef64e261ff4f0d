"""Losses by name."""

from typing import Any

from sparsefm.data.validation import check_choice
from sparsefm.losses.classification import Hinge, Logistic
from sparsefm.losses.loss import Loss
from sparsefm.losses.regression import Huber, Squared

LOSSES: dict[str, type[Loss]] = {loss.name: loss for loss in (Squared, Huber, Logistic, Hinge)}
DEFAULT_LOSS = {"regression": "squared", "binary": "logistic"}


def find_loss(task: Any, loss: Any) -> Loss:
    """Return the loss for the arguments `task` and `loss`.

    Parameters
    ----------
    task : {"regression", "binary"}
    loss : str, Loss or None
        A name stands for the loss with its default parameters, None for the task's default.
    """
    check_choice(task, "task", tuple(DEFAULT_LOSS))
    return check_loss(task, DEFAULT_LOSS[task] if loss is None else loss)


def check_loss(task: str, loss: Any) -> Loss:
    """Return the loss of a name, or `loss` itself if it is one of the task."""
    names = tuple(name for name, kind in LOSSES.items() if kind.task == task)
    if isinstance(loss, Loss):
        check_choice(loss.name, f"loss (of task {task!r})", names)
        return loss
    return LOSSES[check_choice(loss, f"loss (of task {task!r})", names)]()
