"""What the sides reach on a data set.

Every side trains on the same rows and predicts the same test rows. A difference is shown with its
standard error, from the differences of the single rows' losses: less than twice that is noise. It
knows nothing of the chance in the choice of the training rows; more tables do.
"""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from bench.datasets import FIXED, DataSet, load
from bench.predictors import SkippedError
from bench.results import Result, Results
from bench.sides import Side

MIN_PROBABILITY = 1e-7


@dataclass(eq=False)
class Comparison:
    """What was found on one data set: of each side, or why not.

    Attributes
    ----------
    data : DataSet
        The first split, or made table.
    losses : dict of str to ndarray of shape (test rows of all tables,)
        Squared errors, or log losses; means over the seeds.
    figures : dict of str to list of list of float
        The metric of each table and seed.
    seconds : dict of str to float
        Training and prediction, mean over tables and seeds.
    notes : dict of str to str
        Why a side has no losses.
    """

    data: DataSet
    losses: dict[str, np.ndarray] = field(default_factory=dict)
    figures: dict[str, list[list[float]]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    def metric(self, side: str) -> float | None:
        """Return RMSE for regression, else log loss; None if there is none."""
        return metric(self.losses[side], self.data.task) if side in self.losses else None

    def difference(self, side: str, other: str) -> tuple[float, float] | None:
        """Return by how much a side's metric exceeds another's, and the standard error."""
        of_side, of_other = self.metric(side), self.metric(other)
        if of_side is None or of_other is None:
            return None
        per_row = self.losses[side] - self.losses[other]
        error = float(per_row.std(ddof=1)) / len(per_row) ** 0.5
        if self.data.task == "regression":  # a - b = (a² - b²) / (a + b)
            error /= of_side + of_other
        return of_side - of_other, error

    def change(self, side: str, other: str) -> tuple[float, float] | None:
        """Return the difference and its standard error as shares of the other's metric."""
        difference, reference = self.difference(side, other), self.metric(other)
        if difference is None or not reference:
            return None
        return difference[0] / reference, difference[1] / reference

    def spread(self, side: str) -> float | None:
        """Return (max - min) / mean over the seeds, the largest of the tables."""
        found = [
            (max(figures) - min(figures)) / np.mean(figures)
            for figures in self.figures.get(side, [])
            if len(figures) > 1 and max(figures) > 0
        ]
        return float(max(found)) if found else None

    def add(self, side: str, tables: list[list[Result]]) -> None:
        """Note what a side has reached on each table with each seed."""
        task = self.data.task
        self.losses[side] = np.concatenate(
            [np.mean([result.losses for result in seeds], axis=0) for seeds in tables]
        )
        self.figures[side] = [[metric(found.losses, task) for found in seeds] for seeds in tables]
        self.seconds[side] = float(
            np.mean([result.seconds for seeds in tables for result in seeds])
        )


def metric(losses: np.ndarray, task: str) -> float:
    """Return RMSE for regression, else log loss."""
    mean = float(losses.mean())
    return mean**0.5 if task == "regression" else mean


def row_losses(data: DataSet, predictions: np.ndarray) -> np.ndarray:
    """Return the loss of each test row."""
    if not np.isfinite(predictions).all():
        raise SkippedError("some predictions are not finite")
    if data.task == "regression":
        return np.square(data.y_test - predictions)
    found = predictions[np.arange(len(data.y_test)), data.y_test].astype(np.float64)
    return -np.log(np.clip(found, MIN_PROBABILITY, 1))


def compare(
    name: str,
    sides: Mapping[str, Side],
    chosen: Collection[str],
    results: Results,
    tables: int = 1,
    seeds: int = 1,
) -> Comparison:
    """Let the chosen sides predict on so many tables of a data set, or on the only one.

    What was kept of a side is not computed again; of sides that are not chosen, nothing else is
    shown.
    """
    loaded = [load(name, number) for number in range(1 if name in FIXED else tables)]
    found = Comparison(loaded[0])
    for title, side in sides.items():
        try:
            runs = [
                [
                    _run(data, title, side, seed, results, compute=title in chosen)
                    for seed in range(seeds if side.seeded else 1)
                ]
                for data in loaded
            ]
        except Exception as error:  # whatever happens to one side, the others go on
            text = str(error).partition("\n")[0]
            known = isinstance(error, SkippedError)
            found.notes[title] = text if known else f"{type(error).__name__}: {text}"
            continue
        if all(run is not None for seeds_of_table in runs for run in seeds_of_table):
            found.add(title, runs)
    return found


def _run(
    data: DataSet, title: str, side: Side, seed: int, results: Results, compute: bool
) -> Result | None:
    """Return what was kept, or what the side reaches now; None if neither is to be had."""
    version = None if side.version is None else side.version()
    if version is not None:
        kept = results.find(data, title, version)
        if kept is not None:
            return kept
    if not compute:
        return None
    started = time.perf_counter()
    predictions = side.predict(data, seed) if side.seeded else side.predict(data)
    seconds = time.perf_counter() - started
    result = Result(row_losses(data, predictions), seconds)
    if version is not None:
        results.keep(data, title, version, result)
    return result
