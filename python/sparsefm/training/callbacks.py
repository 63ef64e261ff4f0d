"""Callbacks: they are called after each epoch, and may act on the training.

A callback is a callable that takes an `Epoch`; if it returns True, training stops after that epoch.
If it has a method ``begin(training)``, that is called before the first epoch with a handle:
`training.model` is the current model, or the estimator in training (the one whose `fit` was called
changes when that returns); `training.learning_rate` can be read and set, and
`training.restore(snapshot)` goes back to what `training.snapshot()` returned. If it has a method
``close()``, that is called when training ends, also after an error.

A callback that decides by what it saw in earlier epochs has the methods ``state_dict()``, which
returns a dict of numbers, strings, None, lists and snapshots for a `Checkpoint` to save, and
``load_state_dict(state)``, which is called after ``begin`` if a training is resumed from there.
`training.epoch` and `training.history` say what was before. Estimators call the method
``search(candidate)``, if there is one, after each candidate of the search for settings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import numpy as np

from sparsefm.data.validation import check_flag, check_integer, check_real, takes
from sparsefm.history import Epoch

LESS_IS_BETTER = ("train_loss", "val_loss", "rmse", "log_loss", "class_error")
MORE_IS_BETTER = ("accuracy", "auc", "score")


Callback = Callable[[Epoch], bool | None]


class Training(Protocol):
    """A training in progress, as callbacks see it."""

    epoch: int
    """Number of the current epoch; 0 before the first."""
    learning_rate: float
    """The learning rate of the following epochs; it can be set."""

    @property
    def model(self) -> Any:
        """The current model, an object with a method ``save(path)``."""

    def snapshot(self) -> Any:
        """Return a copy of all parameters and moments."""

    def restore(self, snapshot: Any) -> None:
        """Restore the parameters and moments of a snapshot."""


def check_callbacks(callbacks: Any) -> Sequence[Callback]:
    """Return the argument `callbacks` if it is a list of callables."""
    wrong = TypeError(f"callbacks must be a list of callables, got {callbacks!r:.80}")
    if callable(callbacks) or not isinstance(callbacks, Iterable):
        raise wrong
    try:
        listeners = tuple(callbacks)
    except TypeError:  # some things only look as if they could be iterated over
        raise wrong from None
    for listener in listeners:
        if not callable(listener) or isinstance(listener, type):
            raise TypeError(f"callbacks must be callables, such as objects, got {listener!r:.80}")
        for name in ("begin", "close", "search", "state_dict", "load_state_dict"):
            if not callable(getattr(listener, name, len)):
                raise TypeError(f"callbacks: {name!r} of {listener!r:.80} must be a method")
        if not takes(listener, 1):
            raise TypeError(
                f"callbacks are called with one argument, an Epoch: not {listener!r:.80}"
            )
    return listeners


class ChangedError(ValueError):
    """A callback, asked to go on from a state, has other settings than the one that had it."""


class EarlyStopping:
    """Stop when a loss or metric has not improved for some epochs, and keep the best epoch.

    Parameters
    ----------
    monitor : str
        ``"val_loss"``, ``"train_loss"`` or the name of a metric.
    patience : int
        Stop after this many epochs in a row without improvement.
    min_delta : float
        A change counts as an improvement if it is larger than this.
    greater_is_better : bool, optional
        Needed only for a metric of your own.

    Attributes
    ----------
    best_epoch : int
        The epoch whose parameters are kept; 0 before the first.
    best : float
        The value of the loss or metric in that epoch.

    Examples
    --------
    >>> import sparsefm as fm
    >>> X, y, X_val, y_val = [[0], [1]] * 50, [0, 1] * 50, [[1], [0]], [1, 0]
    >>> stopping = fm.EarlyStopping(patience=2)
    >>> model = fm.train(X, y, X_val, y_val, epochs=100, callbacks=[stopping])
    >>> stopping.best_epoch <= len(model.history) <= 100
    True
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        *,
        patience: int = 3,
        min_delta: float = 0.0,
        greater_is_better: bool | None = None,
    ) -> None:
        if not isinstance(monitor, str):
            raise TypeError(f"monitor must be the name of a loss or metric, got {monitor!r:.80}")
        if greater_is_better is None:
            if monitor not in LESS_IS_BETTER + MORE_IS_BETTER:
                raise ValueError(f"greater_is_better must say whether more of {monitor!r} is good")
            greater_is_better = monitor in MORE_IS_BETTER
        self.monitor = monitor
        self.patience = check_integer(patience, "patience", 1)
        self.min_delta = check_real(min_delta, "min_delta")
        self.greater_is_better = check_flag(greater_is_better, "greater_is_better")
        self.best_epoch, self.best = 0, np.nan
        self._training: Training | None = None
        self._snapshot: Any = None

    def begin(self, training: Training) -> None:
        """Start again."""
        self._training = training
        self.best_epoch, self.best = 0, np.nan

    def __call__(self, epoch: Epoch) -> bool:
        """Keep the epoch if it is the best so far; return whether patience has run out."""
        if getattr(self._training, "is_burning_in", False):
            return False
        value = self._value(epoch)
        gain = value - self.best if self.greater_is_better else self.best - value
        if self.best_epoch == 0 or gain > self.min_delta or np.isnan(self.best):
            self.best_epoch, self.best = epoch.epoch, value
            if self._training is not None:
                self._snapshot = self._training.snapshot()
        return epoch.epoch - self.best_epoch >= self.patience

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint needs of it, see `load_state_dict`."""
        found = {"best_epoch": self.best_epoch, "best": float(self.best)}
        return {**self._settings, **found, "snapshot": self._snapshot}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from the state of a training that is resumed."""
        for name, value in self._settings.items():
            if state[name] != value:
                raise ChangedError(
                    f"{name} of EarlyStopping is {value!r} now, but was {state[name]!r}: "
                    "restore it, or begin anew"
                )
        self.best_epoch = check_integer(state["best_epoch"], "best_epoch", 0)
        self.best, self._snapshot = float(state["best"]), state["snapshot"]

    @property
    def _settings(self) -> dict[str, Any]:
        names = ("monitor", "patience", "min_delta", "greater_is_better")
        return {name: getattr(self, name) for name in names}

    def close(self) -> None:
        """Restore the parameters of the best epoch."""
        if self._training is not None and self._snapshot is not None:
            self._training.restore(self._snapshot)
        self._training = self._snapshot = None

    def _value(self, epoch: Epoch) -> float:
        values = {"train_loss": epoch.train_loss, "val_loss": epoch.val_loss, **epoch.metrics}
        value = values.get(self.monitor)
        if value is None:
            known = ", ".join(name for name, number in values.items() if number is not None)
            hint = "" if epoch.val_loss is not None else "; give validation data"
            raise ValueError(f"there is no {self.monitor!r} to monitor, only {known}{hint}")
        return float(value)


class LearningRateSchedule:
    """Change the learning rate in each epoch.

    Parameters
    ----------
    factor : callable
        ``factor(epoch)`` is called for the epochs 1, 2, 3 and so on. The learning rate is
        multiplied by its result: the solver's rate, or where the parameters were searched for, that
        of the stage of training.

    Examples
    --------
    >>> import sparsefm as fm
    >>> halve_every_ten = fm.LearningRateSchedule(lambda epoch: 0.5 ** ((epoch - 1) // 10))
    """

    def __init__(self, factor: Callable[[int], float]) -> None:
        if not callable(factor) or isinstance(factor, type) or not takes(factor, 1):
            raise TypeError(f"factor must be a function of the epoch, got {factor!r:.80}")
        self.factor = factor
        self._training: Training | None = None
        self._base = 0.0  # the rate without this schedule
        self._rate = 0.0  # the rate that this schedule set last
        self._epoch = 0  # that it was set for

    def begin(self, training: Training) -> None:
        """Set the learning rate of the first epoch."""
        self._training = training
        self._base = self._rate = training.learning_rate
        self._set(1)

    def __call__(self, epoch: Epoch) -> None:
        """Set the learning rate of the next epoch, if there is one."""
        if epoch.epoch < epoch.epochs:
            self._set(epoch.epoch + 1)

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint needs of it, see `load_state_dict`."""
        return {"base": self._base, "rate": self._rate, "epoch": self._epoch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from the state of a training that is resumed, perhaps with more epochs."""
        assert self._training is not None
        self._base, self._rate = (
            float(check_real(state[name], name, above=0)) for name in ("base", "rate")
        )
        self._epoch = check_integer(state["epoch"], "epoch", 1)
        if self._epoch == self._training.epoch:  # the last, before there were to be more
            self._set(self._epoch + 1)

    def close(self) -> None:
        """Restore the solver's learning rate."""
        if self._training is not None:
            self._training.learning_rate = self._base
        self._training = None

    def _set(self, epoch: int) -> None:
        assert self._training is not None
        factor = check_real(self.factor(epoch), f"factor({epoch})", above=0)
        if self._training.learning_rate != self._rate:  # another callback changed it
            self._base *= self._training.learning_rate / self._rate
        self._rate = self._training.learning_rate = self._base * factor
        self._epoch = epoch


class ProgressBar:
    """A progress bar of the epochs that shows the losses (needs tqdm).

    While an estimator searches for settings, another bar counts the candidates.

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
        self._done = 0  # epochs of a training that is resumed

    def search(self, candidate: Any) -> None:
        """Count a candidate of a search."""
        if self._bar is None:
            self._bar = self._tqdm(unit="candidate", **{"desc": "search", **self._options})
            self._least = np.inf
        self._least = min(self._least, candidate.best)
        self._bar.set_postfix({"val": f"{self._least:.4f}"}, refresh=False)
        self._bar.update()

    def begin(self, training: Training) -> None:
        """Close the bar of the search."""
        self.close()
        self._done = getattr(training, "epoch", 0)

    def __call__(self, epoch: Epoch) -> None:
        """Update the bar."""
        if self._bar is None:
            options = {"unit": "epoch", "initial": self._done, **self._options}
            self._bar = self._tqdm(total=epoch.epochs, **options)
        shown = {"train": f"{epoch.train_loss:.4f}"}
        if epoch.val_loss is not None:
            shown["val"] = f"{epoch.val_loss:.4f}"
        self._bar.set_postfix(shown, refresh=False)
        self._bar.update()

    def close(self) -> None:
        """Close the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
