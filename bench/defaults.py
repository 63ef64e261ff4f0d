"""How well the estimators predict with no argument at all, beside tuned linear models and peers.

Every side trains on the same rows and predicts the same test rows. A difference is shown with its
standard error, from the differences of the single rows' losses: less than twice that is noise. It
knows nothing of the chance in the choice of the training rows; more splits do (`repeats`).
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import numpy as np

from bench import predictors
from bench.datasets import FIXED, DataSet, UnavailableError, load
from bench.table import show
from bench.tuned import tuned

SIDES: dict[str, Callable[[DataSet], np.ndarray]] = {
    "constant": predictors.constant,
    "linear": predictors.linear,
    "modern-fm": predictors.modern_fm,
    "sparsefm": predictors.sparsefm,
    "tuned": tuned,
}
OURS = "sparsefm"
MIN_PROBABILITY = 1e-7
HEADER = ["data set", "rows x columns", *SIDES, "sparsefm - linear", "sparsefm - tuned"]
HEADER += ["linear s", "modern-fm s", "sparsefm s"]


@dataclass(eq=False)
class Comparison:
    """What was found on one data set: of each side, or why not.

    Attributes
    ----------
    data : DataSet
        The first split's.
    losses : dict of str to ndarray of shape (test rows of all splits,)
        Squared errors, or log losses.
    seconds : dict of str to float
        Training and prediction, mean over splits.
    notes : dict of str to str
        Why a side has no losses.
    """

    data: DataSet
    losses: dict[str, np.ndarray] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    def metric(self, side: str) -> float | None:
        """Return RMSE for regression, else log loss; None if there is none."""
        if side not in self.losses:
            return None
        mean = float(self.losses[side].mean())
        return mean**0.5 if self.data.task == "regression" else mean

    def difference(self, side: str, other: str) -> tuple[float, float] | None:
        """Return by how much a side's metric exceeds another's, and the standard error."""
        metric, reference = self.metric(side), self.metric(other)
        if metric is None or reference is None:
            return None
        per_row = self.losses[side] - self.losses[other]
        error = float(per_row.std(ddof=1)) / len(per_row) ** 0.5
        if self.data.task == "regression":  # a - b = (a² - b²) / (a + b)
            error /= metric + reference
        return metric - reference, error


def row_losses(data: DataSet, predictions: np.ndarray) -> np.ndarray:
    """Return the loss of each test row."""
    if not np.isfinite(predictions).all():
        raise predictors.SkippedError("some predictions are not finite")
    if data.task == "regression":
        return np.square(data.y_test - predictions)
    found = predictions[np.arange(len(data.y_test)), data.y_test].astype(np.float64)
    return -np.log(np.clip(found, MIN_PROBABILITY, 1))


def compare(name: str, sides: Sequence[str], repeats: int) -> Comparison:
    """Let the sides predict on so many splits of a data set, or on the only one."""
    splits = [load(name, seed) for seed in range(1 if name in FIXED else repeats)]
    found = Comparison(splits[0])
    for side in sides:
        losses, started = [], time.perf_counter()
        try:
            losses = [row_losses(data, SIDES[side](data)) for data in splits]
        except (predictors.SkippedError, ValueError) as error:
            found.notes[side] = str(error).partition("\n")[0]
            continue
        found.losses[side] = np.concatenate(losses)
        found.seconds[side] = (time.perf_counter() - started) / len(splits)
    return found


def defaults(
    names: Sequence[str], repeats: int = 1, with_tuned: bool = True, file: Path | None = None
) -> None:
    """Compare on each of the data sets, and print; write to `file` after each of them."""
    sides = [side for side in SIDES if with_tuned or side != "tuned"]
    found: dict[str, Comparison] = {}
    for name in names:
        try:
            found[name] = compare(name, sides, repeats)
        except UnavailableError as error:
            click.echo(f"{name}: skipped: {error}", err=True)
            continue
        if file is not None:
            records = {name: record(comparison) for name, comparison in found.items()}
            file.write_text(json.dumps(records, indent=1) + "\n")
    title = "Predictions with defaults: RMSE for regression, else log loss, of the test rows"
    show(title, HEADER, [_row(comparison) for comparison in found.values()])
    for name, comparison in found.items():
        for side, note in comparison.notes.items():
            click.echo(f"\n{name}, {side}: {note}")


def record(comparison: Comparison) -> dict[str, Any]:
    """Return what was found, for JSON; differences of sparsefm as [difference, standard error]."""
    rows, columns = comparison.data.X_train.shape
    return {
        "task": comparison.data.task,
        "rows": rows,
        "columns": columns,
        "metric": {side: comparison.metric(side) for side in comparison.losses},
        "difference": {
            side: comparison.difference(OURS, side) for side in comparison.losses if side != OURS
        },
        "seconds": comparison.seconds,
        "notes": comparison.notes,
    }


def _row(comparison: Comparison) -> list[Any]:
    rows, columns = comparison.data.X_train.shape
    metrics = [_digits(comparison.metric(side)) for side in SIDES]
    relative = [_percent(comparison, other) for other in ("linear", "tuned")]
    seconds = [comparison.seconds.get(side) for side in ("linear", "modern-fm", OURS)]
    return [comparison.data.name, f"{rows} x {columns}", *metrics, *relative, *seconds]


def _digits(metric: float | None) -> str | None:
    """Return four digits: fewer would hide what is significant on many rows."""
    return None if metric is None else f"{metric:#.4g}"


def _percent(comparison: Comparison, other: str) -> str | None:
    """Return the difference and its standard error in per cent of the other's metric."""
    difference, reference = comparison.difference(OURS, other), comparison.metric(other)
    if difference is None or not reference:
        return None
    value, error = (100 * part / reference for part in difference)
    return f"{value:+.1f}% ± {error:.1f}"
