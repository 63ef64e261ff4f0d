"""Loader of the golden cases: numbers that Apache SystemDS computed (see README.md)."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

FOLDER = Path(__file__).parent

# Settings that all cases share.
BATCH_ROWS = 10
ADAM = {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
REPORTED_L2 = 5e-4  # part of the printed loss only: it never enters a gradient

AS_IS = tuple(f"{task}_{data}_k2_asis" for task in ("reg", "bin") for data in ("sparse", "dense"))
FIXED = tuple(f"{task}_{data}_k4_fixed" for task in ("reg", "bin") for data in ("sparse", "dense"))


class Step(NamedTuple):
    """One mini-batch of a recorded run; all numbers count from 1, `rows` is a Python slice."""

    number: int
    epoch: int
    iteration: int
    rows: slice
    t: int


@dataclass(frozen=True)
class Case:
    """Inputs, settings and recorded outputs of one run.

    Attributes
    ----------
    X, y, X_val, y_val : ndarray
        Dense rows (n, d) and targets (n,), for training and for validation.
    init : tuple
        Start values w0 (float), w (d,), V (d, k).
    recorded : dict of str to ndarray
        What SystemDS wrote, by the name of its file: tables are 2-d, the rest takes the shape of
        the thing itself (float, (n,), (d,) or (d, k)).

    """

    name: str
    X: np.ndarray
    y: np.ndarray
    X_val: np.ndarray
    y_val: np.ndarray
    init: tuple[float, np.ndarray, np.ndarray]
    recorded: dict[str, np.ndarray]
    is_binary: bool
    is_as_is: bool
    epochs: int

    @property
    def iterations(self) -> int:
        """Batches an epoch; the stock binary script has its 100 hard-coded."""
        if self.is_binary and self.is_as_is:
            return 100
        return -(-len(self.y) // BATCH_ROWS)

    def steps(self) -> Iterator[Step]:
        """Yield the mini-batches in the order of the run."""
        number = 0
        for epoch in range(1, self.epochs + 1):
            for iteration in range(1, self.iterations + 1):
                number += 1
                # With more batches than rows to fill them, a script starts over from the top.
                first = (iteration - 1) * BATCH_ROWS % len(self.y)
                rows = slice(first, min(first + BATCH_ROWS, len(self.y)))
                t = epoch * iteration if self.is_as_is else number
                yield Step(number, epoch, iteration, rows, t)


@cache
def _read(path: str) -> np.ndarray:
    """Read a CSV file as a read-only matrix: all tests read the same one."""
    matrix = np.loadtxt(FOLDER / f"{path}.csv", delimiter=",", ndmin=2)
    matrix.setflags(write=False)
    return matrix


def _natural_shape(name: str, matrix: np.ndarray) -> np.ndarray | float:
    """Undo the CSV's "a column vector is one value a line" and "a number is a 1 x 1 table"."""
    if name.endswith("w0"):
        return float(matrix[0, 0])
    if name in {"loss", "printed"} or name.endswith("V"):
        return matrix
    return matrix.ravel()


@cache
def golden(name: str) -> Case:
    """Read the case called `name` (one of `AS_IS` or `FIXED`), with the data it was run on."""
    task, data, rank, variant = name.split("_")
    files = sorted(path.stem for path in (FOLDER / name).glob("*.csv"))
    start = (f"{data}_w0_init", f"{data}_W_init", f"{data}_V_init_{rank}")
    w0, w, V = (_read(f"data/{file}") for file in start)
    return Case(
        name=name,
        X=_read(f"data/{data}_X"),
        y=_read(f"data/{data}_y_{task}").ravel(),
        X_val=_read(f"data/{data}_Xval"),
        y_val=_read(f"data/{data}_yval_{task}").ravel(),
        init=(float(w0[0, 0]), w.ravel(), V),
        recorded={file: _natural_shape(file, _read(f"{name}/{file}")) for file in files},
        is_binary=task == "bin",
        is_as_is=variant == "asis",
        epochs=10 if (data, variant) == ("dense", "fixed") else 3,
    )
