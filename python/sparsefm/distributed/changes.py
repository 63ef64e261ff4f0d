"""What partitions changed in a round, and how the changes of several are joined.

Each partition that met a feature says how it would change it. The joined change is their mean,
weighted by how often each met the feature. Changes are kept as sums of weight times change, so
changes of changes can be joined, in any tree.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Change:
    """The change of one partition, or the joined ones of several.

    Attributes
    ----------
    features : ndarray of int64, shape (m,)
        The features that a row had, ascending.
    occurrences : ndarray of float64, shape (m,)
        How many rows had each.
    of_features : list of list of ndarray, each of shape (m, 1 + moments, ...)
        For each output: sums of occurrences times the change of the features' numbers.
    rows : int
    of_all_rows : list of list of ndarray, each of shape (1 + moments, ...)
        For each output: sums of rows times the change of numbers that all rows share.
    losses : ndarray of float64, shape (outputs,)
        Sums of weight times loss.
    weight : float
        Sum of the rows' weights.
    steps : int
        The largest number of steps of a partition.
    """

    features: npt.NDArray[np.int64]
    occurrences: npt.NDArray[np.float64]
    of_features: list[list[Array]]
    rows: int
    of_all_rows: list[list[Array]]
    losses: npt.NDArray[np.float64]
    weight: float
    steps: int


def join(changes: Sequence[Change]) -> Change:
    """Return the joined change of at least one; its bits depend on their order."""
    if len(changes) == 1:
        return changes[0]
    # No sort: features are numbers of an array that the parameters would fill as well.
    known = np.zeros(1 + max(int(change.features.max(initial=-1)) for change in changes), bool)
    for change in changes:
        known[change.features] = True
    features, numbers = np.flatnonzero(known), np.cumsum(known) - 1
    places = [numbers[change.features] for change in changes]

    def spread(parts: Sequence[Array]) -> Array:
        """Return the sum of arrays, each of the features of a change."""
        total = np.zeros((len(features), *parts[0].shape[1:]), parts[0].dtype)
        for place, part in zip(places, parts, strict=True):
            if len(place) == len(total):
                total += part
            else:
                total[place] += part
        return total

    return Change(
        features,
        spread([change.occurrences for change in changes]),
        _by_output([change.of_features for change in changes], spread),
        sum(change.rows for change in changes),
        _by_output([change.of_all_rows for change in changes], _total),
        _total([change.losses for change in changes]),
        sum(change.weight for change in changes),
        max(change.steps for change in changes),
    )


def _by_output(
    of_changes: Sequence[list[list[Array]]], add: Callable[[Sequence[Array]], Array]
) -> list[list[Array]]:
    """Return the sums of arrays that stand at the same place."""
    return [
        [add(arrays) for arrays in zip(*outputs, strict=True)]
        for outputs in zip(*of_changes, strict=True)
    ]


def _total(arrays: Sequence[Array]) -> Array:
    """Return the sum of arrays, from the first to the last."""
    total: Array = arrays[0].copy()
    for array in arrays[1:]:
        total += array
    return total
