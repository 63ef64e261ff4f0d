"""Distinct values, by sorting."""

from typing import Any

import numpy as np
import numpy.typing as npt


def distinct_values(values: npt.ArrayLike) -> npt.NDArray[Any]:
    """Return the distinct values in ascending order.

    Without the counts, NumPy 2.3 and newer use a hash table in C++, whose destructor takes the
    interpreter's lock: in a daemon thread at the end of the interpreter, that aborts the process.
    """
    values, _ = np.unique(values, return_counts=True)
    return values
