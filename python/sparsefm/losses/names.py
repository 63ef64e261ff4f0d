"""Losses by name."""

from typing import Any

from sparsefm.data.validation import check_choice
from sparsefm.losses.classification import Hinge, Logistic, Ordinal, Softmax
from sparsefm.losses.loss import Loss
from sparsefm.losses.regression import Huber, Squared

LOSSES: dict[str, type[Loss]] = {
    loss.name: loss for loss in (Squared, Huber, Logistic, Hinge, Ordinal, Softmax)
}
DEFAULT_LOSS = {"regression": "squared", "binary": "logistic", "ordinal": "ordinal"}


def find_loss(task: Any, loss: Any) -> Loss:
    """Return the loss for the arguments `task` and `loss`.

    Parameters
    ----------
    task : {"regression", "binary", "ordinal"}
    loss : str, Loss or None
        A name stands for the loss with its default parameters, None for the task's default.
    """
    check_choice(task, "task", tuple(DEFAULT_LOSS))
    return check_loss(task, DEFAULT_LOSS[task] if loss is None else loss)


def check_loss(tasks: str | tuple[str, ...], loss: Any) -> Loss:
    """Return the loss of a name, or `loss` itself if it is one of a task, or of several."""
    tasks = (tasks,) if isinstance(tasks, str) else tasks
    names = tuple(name for name, kind in LOSSES.items() if kind.task in tasks)
    argument = f"loss (of task {' or '.join(map(repr, tasks))})"
    if isinstance(loss, Loss):
        check_choice(loss.name, argument, names)
        return loss
    return LOSSES[check_choice(loss, argument, names)]()
