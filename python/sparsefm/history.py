"""The record of each epoch of a training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Epoch:
    """The record of one epoch.

    Attributes
    ----------
    epoch : int
        Number of the epoch, from 1.
    epochs : int
        Number of epochs asked for; training may stop earlier.
    train_loss : float
        Weighted mean loss of the training rows, without penalties. The loss of a row is computed
        just before the step that uses the row.
    val_loss : float or None
        Mean loss of the validation rows after the epoch, without penalties. With squared loss, the
        losses of `train` are half the mean squared error; those of `FMRegressor` are all of it.
    metrics : mapping of str to float
        Metrics on the validation rows after the epoch: ``rmse``; or ``log_loss``, ``accuracy`` and
        ``auc``; for ordered classes ``log_loss``, ``accuracy`` and ``class_error``.
    seconds : float
        Time since the start of training, including validation.
    """

    epoch: int
    epochs: int
    train_loss: float
    val_loss: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    def __str__(self) -> str:
        parts = [f"epoch {self.epoch}/{self.epochs}", f"train loss {self.train_loss:.5g}"]
        if self.val_loss is not None:
            parts.append(f"val loss {self.val_loss:.5g}")
        parts += [
            f"{name.replace('_', ' ')} {value:.5g}"
            for name, value in self.metrics.items()
            if value != self.val_loss  # shown already
        ]
        return ", ".join([*parts, f"{self.seconds:.2f} s"])


def as_columns(history: Sequence[Epoch]) -> dict[str, list[float]]:
    """Return records as columns of equal length, which can be turned into a data frame."""
    columns: dict[str, list[float]] = {
        "epoch": [record.epoch for record in history],
        "train_loss": [record.train_loss for record in history],
    }
    if history[0].val_loss is not None:
        columns["val_loss"] = [record.val_loss for record in history if record.val_loss is not None]
    for name in history[0].metrics:
        columns[name] = [record.metrics[name] for record in history]
    columns["seconds"] = [record.seconds for record in history]
    return columns
