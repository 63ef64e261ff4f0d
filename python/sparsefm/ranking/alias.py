"""Tables to draw from a distribution over items in constant time."""

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def alias_table(weights: Array) -> tuple[Array, Array, Array]:
    """Return tables for Walker's alias method, made as Vose does (1991).

    A uniform item keeps its place with the probability `keep`, and gives it to its alias otherwise.

    Parameters
    ----------
    weights : ndarray of shape (n_items,)
        Not negative, and not all zero.

    Returns
    -------
    keep : ndarray of float64, shape (n_items,)
    alias : ndarray of int32, shape (n_items,)
    probability : ndarray of float64, shape (n_items,)
        Of each item in a draw.
    """
    probability = weights / np.sum(weights, dtype=np.float64)
    n_items = len(probability)
    keep = probability * n_items
    alias = np.arange(n_items, dtype=np.int32)
    small = [item for item in range(n_items) if keep[item] < 1]
    large = [item for item in range(n_items) if keep[item] >= 1]
    while small and large:
        less, more = small.pop(), large[-1]
        alias[less] = more
        keep[more] -= 1 - keep[less]
        if keep[more] < 1:
            small.append(large.pop())
    for item in small + large:  # 1, but for rounding
        keep[item] = 1
    return keep, alias, probability
