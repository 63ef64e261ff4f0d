"""Training rows and test rows of interactions: the past and what came after it."""

import math
from datetime import date
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.data.validation import NO_NUMBERS, check_integer, check_length, check_real

Rows = npt.NDArray[np.intp]


def split_by_time(times: Any, test_size: float = 0.2) -> tuple[Rows, Rows]:
    """Return training rows and test rows: the test rows are the latest.

    Rows of equal time stay together. Where the cut is among them, all are test rows: every training
    row is earlier than every test row, and there are at least ``test_size * n_rows`` test rows.

    Parameters
    ----------
    times : array-like of shape (n_rows,)
        Numbers, dates or durations, none of them missing.
    test_size : float, default 0.2
        The share of rows to test on, between 0 and 1.

    Returns
    -------
    train, test : ndarray of int
        Numbers of rows, ascending.

    Raises
    ------
    ValueError
        If a time is missing, or no row is earlier than the test rows.
    TypeError
        If `times` holds something else.

    Examples
    --------
    >>> from sparsefm.evaluation import split_by_time
    >>> train, test = split_by_time([5, 1, 4, 2, 5], test_size=0.2)
    >>> train.tolist(), test.tolist()
    ([1, 2, 3], [0, 4])
    """
    share = check_real(test_size, "test_size", above=0.0)
    if share >= 1:
        raise ValueError(f"test_size must be less than 1, got {test_size}")
    moments = moments_of(times)
    n_rows = len(moments)
    if not n_rows:
        raise ValueError("times has no rows")
    cut = np.sort(moments)[n_rows - math.ceil(share * n_rows)]
    is_test = moments >= cut
    if is_test.all():
        raise ValueError(
            f"times leaves no training rows: with test_size={share:g} all {n_rows} rows are test "
            "rows, as rows of equal time stay together"
        )
    return _divided(is_test)


def leave_last_out(users: Any, times: Any = None, n: int = 1) -> tuple[Rows, Rows]:
    """Return training rows and test rows: the last `n` rows of each user are test rows.

    All rows of a user who has no more than `n` are training rows.

    Parameters
    ----------
    users : array-like of shape (n_rows,)
        Integers or text, none of them missing.
    times : array-like of shape (n_rows,), optional
        Numbers, dates or durations, none of them missing. Of equal times the later row is the
        later one. None: the rows are in order.
    n : int, default 1
        How many rows of each user to test on.

    Returns
    -------
    train, test : ndarray of int
        Numbers of rows, ascending.

    Raises
    ------
    ValueError
        If a user or a time is missing, or lengths differ.
    TypeError
        If an argument holds something else.

    Examples
    --------
    >>> from sparsefm.evaluation import leave_last_out
    >>> train, test = leave_last_out(["ann", "bob", "ann", "cat", "bob"])
    >>> train.tolist(), test.tolist()
    ([0, 1, 3], [2, 4])
    """
    from sparsefm.evaluation.identifiers import as_identifiers, read_vector  # see there

    n = check_integer(n, "n", 1)
    codes = as_identifiers(read_vector(users, "users"), "column 'users'").codes
    if times is None:
        order = np.argsort(codes, kind="stable")
    else:
        moments = moments_of(times)
        check_length(moments, len(codes), "times", "users")
        order = np.lexsort((moments, codes))
    sizes = np.bincount(codes)
    ends = np.cumsum(sizes)
    after = np.repeat(ends, sizes) - np.arange(1, len(order) + 1)  # later rows of the same user
    is_test = np.empty(len(order), bool)
    is_test[order] = (after < n) & (np.repeat(sizes, sizes) > n)
    return _divided(is_test)


def _divided(is_test: npt.NDArray[np.bool_]) -> tuple[Rows, Rows]:
    return np.flatnonzero(~is_test), np.flatnonzero(is_test)


def moments_of(times: Any, name: str = "times") -> npt.NDArray[np.intp]:
    """Return integers in the order of the times, equal ones for equal times."""
    from sparsefm.encoding.tables import is_missing
    from sparsefm.evaluation.identifiers import as_vector  # see there

    array = as_vector(times, name)
    kind = array.dtype.kind
    if kind not in "iufmMO":
        raise TypeError(f"{name} must hold numbers or dates, got dtype {array.dtype}")
    if kind == "O":
        missing = np.fromiter(map(is_missing, array), bool, len(array))
        for one in set(map(type, array[~missing])):
            if not issubclass(one, date | Real) or issubclass(one, NO_NUMBERS):
                raise TypeError(f"{name} must hold numbers or dates, but holds {one.__name__}")
    else:
        missing = np.isnat(array) if kind in "mM" else np.isnan(array)
    if missing.any():
        row = int(np.argmax(missing))
        raise ValueError(f"{name} holds {array[row]} in row {row}: remove such rows")
    try:
        _, moments = np.unique(array, return_inverse=True)
    except (TypeError, ValueError) as error:  # such as of dates with and without a time zone
        raise TypeError(f"{name} holds values that cannot be compared: {error}") from None
    return moments
