"""The argument `memory_budget`: how it is divided."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from sparsefm.data.dataset import Dataset
from sparsefm.data.plan import Room
from sparsefm.data.validation import check_integer
from sparsefm.optimizers import Optimizer
from sparsefm.training.learner import Learner

MIB = 1 << 20
OF_PROCESS = 128 * MIB  # the interpreter, NumPy and SciPy
OF_ROW = 48  # bytes: its number twice, its target twice, and what checks of targets take
OF_FEATURE = 32  # bytes: what transposing on several threads, and linking batches, takes
OF_ENTRY = 48  # bytes, while rows are shuffled
LEAST = 32 * MIB
LARGEST_BUCKET = 1 << 26  # entries


def check_budget(memory_budget: Any, solver: Any) -> int | None:
    """Return the argument `memory_budget`, if there is one that the solver can obey."""
    if memory_budget is None:
        return None
    if not isinstance(solver, Optimizer):
        raise ValueError(
            f"memory_budget needs Adam or AdaGrad, which train on a part of the rows at a time; "
            f"{type(solver).__name__} needs all of them in memory"
        )
    return check_integer(memory_budget, "memory_budget", 1)


@dataclass(frozen=True)
class Memory:
    """The memory that a training may take, and the folder of its temporary files.

    Attributes
    ----------
    budget : int or None
        In bytes. None: as much as is usual.
    folder : str or None
        None: the system's, if the other one cannot be written to, either.
    """

    budget: int | None = None
    folder: str | None = None

    def room(self, learner: Learner, dataset: Dataset) -> Room:
        """Return the room that is left for rows.

        It depends on sizes alone, and not on the computer, as the last bits of a result may.
        """
        folder = self.folder
        if folder is not None and not os.access(folder, os.W_OK):
            folder = None
        if self.budget is None:
            return Room(folder=folder)
        copies = 1 + 1 / (1 + learner.hyperparameters.solver._moments)  # of the model returned
        parameters = int(copies * learner.size) * dataset.dtype.itemsize
        rows = OF_ROW * dataset.X.n_rows
        features = OF_FEATURE * dataset.X.n_features
        left = self.budget - OF_PROCESS - parameters - rows - features
        if left < LEAST:
            need = self.budget - left + LEAST
            raise ValueError(
                f"memory_budget is {self.budget / MIB:.0f} MiB, but at least {need / MIB:.0f} MiB "
                f"are needed: parameters take {parameters / MIB:.0f} MiB, {dataset.X.n_rows} rows "
                f"{rows / MIB:.0f} MiB besides their entries, {dataset.X.n_features} features "
                f"{features / MIB:.0f} MiB"
            )
        # Half of it is for the rows that belong to the transposes.
        return Room(left // 2, min(left // OF_ENTRY, LARGEST_BUCKET), folder)
