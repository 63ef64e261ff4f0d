"""The argument `pairs`: which fields interact."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.data.validation import check_integer

Pairs = tuple[tuple[int, int], ...]


def as_pairs(pairs: Any, number_of: Callable[[Any], int]) -> Pairs:
    """Return pairs of the numbers of fields, each pair once, in ascending order.

    Parameters
    ----------
    pairs : sequence of pairs
        Each half is a field or a list of fields; then each of the one half and each of the
        other are a pair.
    number_of : callable
        Returns the number of a field as the user writes it, or raises.
    """
    if not isinstance(pairs, list | tuple) or not pairs:
        raise TypeError(f"pairs must be a list of pairs of fields, got {pairs!r:.80}")
    found = set()
    for pair in pairs:
        is_pair = isinstance(pair, list | tuple) and len(pair) == 2
        if not is_pair or any(isinstance(half, list | tuple) and not half for half in pair):
            raise TypeError(f"pairs must hold pairs, each of two fields or lists, got {pair!r:.80}")
        first, second = (
            [number_of(field) for field in half]
            if isinstance(half, list | tuple)
            else [number_of(half)]
            for half in pair
        )
        found |= {(min(a, b), max(a, b)) for a in first for b in second}
    return tuple(sorted(found))


def number_of_field(field: Any) -> int:
    """Return the number of a field that is given by its number."""
    return check_integer(field, "a field of pairs", 0)


def chosen_weights(pairs: Pairs | None, n_fields: int) -> npt.NDArray[np.float64]:
    """Return 1 for the pairs that interact and 0 for others, shape (n_fields, n_fields)."""
    if pairs is None:
        return np.ones((n_fields, n_fields))
    weights = np.zeros((n_fields, n_fields))
    for a, b in pairs:
        if b < n_fields:  # a field of a stream may have no features yet
            weights[a, b] = weights[b, a] = 1
    return weights
