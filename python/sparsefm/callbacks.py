"""What training tells about each epoch, and who listens.

A callback is anything that can be called with an `Epoch`; if it returns True, training stops after
that epoch. If it has a method ``close()``, that is called when training ends, however it ends.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Epoch:
    """The record of one epoch.

    Attributes
    ----------
    epoch : int
        Number of the epoch, from 1.
    epochs : int
        How many were asked for.
    train_loss : float
        Weighted mean of the loss over the training rows, each taken just before the step that used
        it, without penalties.
    val_loss : float or None
        Mean loss over the validation rows after the epoch, without penalties.
    metrics : mapping of str to float
        Of the validation rows, after the epoch: ``rmse``; or ``log_loss``, ``accuracy``, ``auc``.
    seconds : float
        Training time since the start, validation included.
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
            if name != "log_loss"  # is val loss
        ]
        return ", ".join([*parts, f"{self.seconds:.2f} s"])


Callback = Callable[[Epoch], bool | None]


class ProgressBar:
    """A bar that grows with each epoch and shows its losses (needs tqdm).

    Parameters
    ----------
    **options
        Passed on to `tqdm.auto.tqdm`, such as ``desc`` or ``file``.
    """

    def __init__(self, **options: Any) -> None:
        try:
            from tqdm.auto import tqdm
        except ImportError:
            raise ImportError("ProgressBar needs tqdm: pip install tqdm") from None
        self._tqdm: Any = tqdm
        self._options = options
        self._bar: Any = None

    def __call__(self, epoch: Epoch) -> None:
        """Show one more epoch."""
        if self._bar is None:
            self._bar = self._tqdm(total=epoch.epochs, unit="epoch", **self._options)
        shown = {"train": f"{epoch.train_loss:.4f}"}
        if epoch.val_loss is not None:
            shown["val"] = f"{epoch.val_loss:.4f}"
        self._bar.set_postfix(shown, refresh=False)
        self._bar.update()

    def close(self) -> None:
        """Leave the bar as it is and end its line."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
