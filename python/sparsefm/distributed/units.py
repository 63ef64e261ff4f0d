"""How long the steps of a partition are, so that they stand for those of all partitions.

A partition has only some of the rows that a feature has in the round. If it took no notice, the
mean of the partitions' changes would move a feature that m of them met by what the rows of one
would move it. The sum would move it m times as far as each believes is right, and together with
the other features of its rows far beyond. So a partition trains as if the rows that it lacks were
like those that it has. That is done by the feature's unit u: with u x instead of x, and theta / u
instead of theta, scores are the same and gradients u times as large. Penalties are in the same
unit.

AdaGrad, with u = sqrt(m), makes steps that are m times as long, with an accumulator of the squares
of m batches:

    h = h + m (B g)^2,   theta = theta - learning_rate m B g / sqrt(h).

The mean of the changes is then about what all rows would change; and where the rows of each lead to
the end of a way, so does the mean. Numbers that all rows share, such as the constant, keep their
unit: rows of every partition lead to their end.

The length of Adam's step does not depend on the gradient's, so its steps are u times as long, and
its moments, those of u g, are converted. Where gradients are mostly noise, T batches of C rows with
the feature move a parameter by about

    learning_rate T (mean of g) / sqrt(variance of g / (C / T)) ~ learning_rate sqrt(C T),

so u is the root of what one machine has of C T in the round, divided by what the partition has.
Where gradients of batches agree, as at first, that is too long: up to sqrt(partitions) times.
epsilon is for gradients of batches of one machine. A rare feature has one row in a batch, so its
gradient, a mean over the batch, is larger in a smaller batch, and epsilon with it. Beside u g it is
smaller than beside g, by u, which is near 1 for rare features.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.distributed.layout import along
from sparsefm.optimizers import AdaGrad, Adam
from sparsefm.training.hyperparameters import Hyperparameters

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Units:
    """What a partition trains with.

    Attributes
    ----------
    solver : AdaGrad or Adam
    batch_size : int
    of_features : ndarray of float64, shape (k,)
        Values of a feature are multiplied by it, its parameters divided.
    of_moments : tuple of int
        The power of the unit by which each moment is multiplied.
    of_all_rows : float
        The change of numbers that all rows share is multiplied by it.
    """

    solver: AdaGrad | Adam
    batch_size: int
    of_features: npt.NDArray[np.float64]
    of_moments: tuple[int, ...]
    of_all_rows: float

    @classmethod
    def of(
        cls, solver: Any, batch_size: int, rows: int, sharing: Array, own_rows: int, counts: Array
    ) -> Units:
        """Return those of a round.

        Parameters
        ----------
        solver : AdaGrad or Adam
        batch_size : int
            Of `AdaGrad`, that of a partition; of `Adam`, that of one machine.
        rows, own_rows : int
            How many the round has, of all partitions and of this one.
        sharing, counts : ndarray of shape (k,)
            By how many partitions each feature is met, and how many rows of this one have it.
        """
        times = sharing.astype(np.float64)
        if isinstance(solver, AdaGrad):
            return cls(solver, batch_size, np.sqrt(times), (0,), 1.0)
        if own_rows == rows:  # nobody else has any
            return cls(solver, batch_size, np.ones(len(counts)), (1, 2), 1.0)
        n_batches = max(1, round(own_rows / batch_size))
        even = ceil(own_rows / n_batches)  # a small last batch would have a step as long
        damped = replace(solver, epsilon=solver.epsilon * (batch_size / even))
        of_all = max(1.0, rows / batch_size)
        steps = batches_with(times * counts, of_all) / batches_with(counts, n_batches)
        units = np.sqrt(times * steps)
        shared = np.sqrt(rows / own_rows * of_all / n_batches)
        return cls(damped, even, units, (1, 2), float(shared))

    def convert(self, part: Array) -> None:
        """Bring the parameters and moments of features, (k, 1 + moments, ...), into their unit."""
        units = along(self.of_features.astype(part.dtype), part[:, 0])
        part[:, 0] /= units
        for role, power in enumerate(self.of_moments, 1):
            part[:, role] *= units**power

    def convert_back(self, part: Array) -> None:
        """Undo what `convert` does."""
        units = along(self.of_features.astype(part.dtype), part[:, 0])
        part[:, 0] *= units
        for role, power in enumerate(self.of_moments, 1):
            part[:, role] /= units**power


def batches_with(counts: Array, n_batches: float) -> Array:
    """Return in how many of some batches a feature is expected, if rows are in random order.

    Parameters
    ----------
    counts : ndarray of shape (k,)
        How many rows of all batches have each feature, at least 1.
    n_batches : float
        At least 1.
    """
    with np.errstate(divide="ignore"):  # one batch has all
        found: Array = -n_batches * np.expm1(counts * np.log1p(-1 / n_batches))
    return found


def least_rows_of_a_round(chosen: Hyperparameters, n_rows: int) -> int:
    """Return how many rows a round must have: of `Adam`, those of a batch."""
    return 1 if isinstance(chosen.solver, AdaGrad) else chosen.batch_size_for(n_rows)


def refuse(solver: Any) -> None:
    """Refuse an optimizer or sampler that cannot train in rounds."""
    if isinstance(solver, Adam):
        if solver.updates == "exact":
            raise ValueError(
                "solver=Adam(updates='exact') moves all parameters in every step, so there is "
                "nothing that a partition leaves to others; use updates='lazy'"
            )
    elif not isinstance(solver, AdaGrad):
        raise ValueError(
            f"solver must be AdaGrad or Adam where rows are divided, got {solver!r:.80}, each "
            "sweep of which needs all rows"
        )
