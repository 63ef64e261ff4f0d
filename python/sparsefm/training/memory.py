"""The argument `memory_budget`: how it is divided."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sparsefm.data.dataset import Dataset
from sparsefm.data.plan import Room
from sparsefm.data.validation import check_integer
from sparsefm.optimizers import Optimizer
from sparsefm.training.callbacks import EarlyStopping
from sparsefm.training.checkpoint import Checkpoint
from sparsefm.training.learner import Learner

MIB = 1 << 20
OF_PROCESS = 96 * MIB  # the interpreter, NumPy and SciPy
OF_ROW = 24  # bytes: its number and its target, each in two orders
BEFORE = 12  # more bytes of a row, before the first epoch
OF_VALIDATION_ROW = 128  # bytes: also its scores, and what metrics take
OF_FEATURE = 16  # bytes: what transposing on several threads, and linking batches, takes
OF_ENTRY = 48  # bytes, while rows are shuffled
OF_BATCH = 16  # bytes of a transposed entry
LEAST = 32 * MIB
LEAST_TO_SHUFFLE = 16 * MIB
LARGEST_BUCKET = 1 << 26  # entries
LARGEST = 1 << 60


def check_budget(memory_budget: Any, solver: Any) -> int | None:
    """Return the argument `memory_budget`, if there is one that the solver can obey."""
    if memory_budget is None:
        return None
    if not isinstance(solver, Optimizer):
        raise ValueError(
            f"memory_budget needs Adam or AdaGrad, which train on a part of the rows at a time; "
            f"{type(solver).__name__} needs all of them in memory"
        )
    budget = check_integer(memory_budget, "memory_budget", 1)
    if budget < OF_PROCESS + LEAST:
        raise ValueError(
            f"memory_budget is {budget} bytes, but even for small models and few rows at least "
            f"{OF_PROCESS + LEAST} are needed"
        )
    return min(budget, LARGEST)


def copies_of(callbacks: Iterable[Any], saved: Any) -> int:
    """Return how many copies of parameters and moments callbacks, and a checkpoint, take."""
    kept = sum(isinstance(callback, EarlyStopping) for callback in callbacks)
    return (
        2 * kept + sum(isinstance(callback, Checkpoint) for callback in callbacks) + 2 * bool(saved)
    )


@dataclass(frozen=True)
class Memory:
    """The memory that a training may take, and the folder of its temporary files.

    Attributes
    ----------
    budget : int or None
        In bytes. None: as much as is usual.
    folder : str or None
        None: the system's, if the other one cannot be written to, either.
    n_validation : int
        Validation rows.
    copies : int
        How many copies of parameters and moments callbacks and resuming make.
    """

    budget: int | None = None
    folder: str | None = None
    n_validation: int = 0
    copies: int = 0

    def room(self, learner: Learner, dataset: Dataset) -> Room:
        """Return the room that is left for rows.

        It depends on sizes alone, and not on the computer, as the last bits of a result may.
        """
        folder = self.folder
        if folder is not None and not os.access(folder, os.W_OK):
            folder = None
        if self.budget is None:
            return Room(folder=folder)
        model = 1 / (1 + learner.hyperparameters.solver._moments)  # the one that is returned
        parameters = int((1 + model + self.copies) * learner.size) * dataset.dtype.itemsize
        rows = OF_ROW * dataset.X.n_rows + OF_VALIDATION_ROW * self.n_validation
        features = OF_FEATURE * dataset.X.n_features
        left = self.budget - OF_PROCESS - parameters - rows - features
        before = BEFORE * dataset.X.n_rows
        least = max(LEAST, before + LEAST_TO_SHUFFLE)
        if left < least:
            need = self.budget - left + least
            taken = {
                "parameters and their copies": parameters,
                "rows without entries": rows + before,
            }
            taken["features"] = features
            what = ", ".join(f"{name} {size / MIB:.0f} MiB" for name, size in taken.items())
            raise ValueError(
                f"memory_budget is {self.budget / MIB:.0f} MiB, but at least {need / MIB:.0f} MiB "
                f"are needed, of which are for {what}"
            )
        size = learner.hyperparameters.batch_size_for(len(dataset.rows))
        batch = OF_BATCH * size * dataset.X.n_nonzeros // dataset.X.n_rows
        if batch > left // 3:
            raise ValueError(
                f"memory_budget leaves {left // 3 / MIB:.0f} MiB for a batch, but one of {size} "
                f"rows takes {batch / MIB:.0f} MiB: lower batch_size"
            )
        # The rest is for what links the transposes, and for the rows that belong to them.
        return Room(left // 3, min((left - before) // OF_ENTRY, LARGEST_BUCKET), folder)
