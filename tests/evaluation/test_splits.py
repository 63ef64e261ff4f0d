"""Splits of interactions against plain loops, of every kind of time, and what they refuse."""

import datetime
import math

import numpy as np
import pytest
import reference_ranking as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsefm.evaluation import leave_last_out, split_by_time

UTC = datetime.timezone.utc
TIMES = st.lists(st.integers(0, 9), min_size=1, max_size=30)


@settings(deadline=None, max_examples=100)
@given(TIMES, st.floats(0.01, 0.99))
def test_the_latest_rows_are_test_rows(times, test_size):
    wanted = reference.by_time(times, test_size)
    if not wanted[0]:
        with pytest.raises(ValueError, match="times leaves no training rows: with test_size="):
            split_by_time(times, test_size)
        return
    train, test = split_by_time(np.array(times), test_size)
    assert (train.tolist(), test.tolist()) == wanted
    assert max(times[row] for row in train) < min(times[row] for row in test)
    assert len(test) >= test_size * len(times)
    assert train.dtype == test.dtype == np.intp


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), max_size=30), st.integers(1, 4))
def test_the_last_rows_of_each_user_are_test_rows(rows, n):
    users, times = [user for user, _ in rows], [time for _, time in rows]
    names = [f"user {user}" for user in users]
    for given_users in (users, names, np.array(users, np.int8), np.array(names, object)):
        for given_times, wanted in ((times, times), (None, range(len(users)))):
            train, test = leave_last_out(given_users, given_times, n)
            assert (train.tolist(), test.tolist()) == reference.last_out(users, wanted, n)


DAYS = [3, 1, 2, 3, 0]
MOMENTS = [datetime.datetime(2024, 1, 1) + datetime.timedelta(days=day) for day in DAYS]
KINDS = {
    "int8": np.array(DAYS, np.int8),
    "float32": np.array(DAYS, np.float32),
    "datetime64": np.array(MOMENTS, "M8[ns]"),
    "timedelta64": np.array(DAYS, "m8[D]"),
    "datetimes": MOMENTS,
    "dates": [moment.date() for moment in MOMENTS],
    "with a time zone": [moment.replace(tzinfo=UTC) for moment in MOMENTS],
    "large integers": np.array([2**53 + day for day in DAYS], object),
}


@pytest.mark.parametrize("times", KINDS.values(), ids=KINDS)
def test_every_kind_of_time(times):
    train, test = split_by_time(times, 0.4)
    assert (train.tolist(), test.tolist()) == ([1, 2, 4], [0, 3])
    train, test = leave_last_out(["a"] * 5, times)
    assert (train.tolist(), test.tolist()) == ([0, 1, 2, 4], [3])


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
@pytest.mark.parametrize("zone", [None, UTC])
def test_columns_of_tables_are_times_and_users(library, zone):
    module = pytest.importorskip(library)
    make = getattr(module, "array" if library == "pyarrow" else "Series")
    times = make([moment.replace(tzinfo=zone) for moment in MOMENTS])
    train, test = split_by_time(times, 0.4)
    assert (train.tolist(), test.tolist()) == ([1, 2, 4], [0, 3])
    train, test = leave_last_out(make(["a", "b", "a", "b", "c"]), times)
    assert (train.tolist(), test.tolist()) == ([1, 2, 4], [0, 3])


@pytest.mark.parametrize(
    ("kind", "message", "times"),
    [
        (ValueError, "times holds nan in row 1: remove", [1.0, math.nan]),
        (ValueError, "times holds None in row 1: remove", [MOMENTS[0], None]),
        (ValueError, "times holds NaT in row 0: remove", np.array(["NaT", "2024"], "M8[s]")),
        (ValueError, "times has no rows", []),
        (ValueError, r"times must be one-dimensional, got shape \(1, 2\)", [[1, 2]]),
        (TypeError, "times must hold numbers or dates, got dtype <U1", np.array(["a", "b"])),
        (TypeError, "times must hold numbers or dates, got dtype bool", [True, False]),
        (TypeError, "times must hold numbers or dates, but holds str", ["a", 1]),
        (TypeError, "times holds values that cannot be compared: ",
         [MOMENTS[0], MOMENTS[0].replace(tzinfo=UTC)]),
    ],
)  # fmt: skip
def test_times_that_are_refused(kind, message, times):
    with pytest.raises(kind, match=message):
        split_by_time(times)
    if len(times):
        with pytest.raises(kind, match=message):
            leave_last_out([1] * 2, times)


@pytest.mark.parametrize(
    ("kind", "message", "wrong"),
    [
        (ValueError, "column 'users' holds nothing .* in row 1", {"users": [1, None]}),
        (ValueError, "column 'users' holds inf in row 1", {"users": [1, math.inf]}),
        (TypeError, "column 'users' holds values of several types", {"users": [1, "a"]}),
        (ValueError, "column 'users' must be one-dimensional", {"users": [[1]]}),
        (ValueError, "times has 3 entries, but users has 2 rows", {"times": [1, 2, 3]}),
        (ValueError, "n must be at least 1, got 0", {"n": 0}),
        (TypeError, "n must be an integer, got 0.5", {"n": 0.5}),
    ],
)  # fmt: skip
def test_arguments_that_are_refused(kind, message, wrong):
    with pytest.raises(kind, match=message):
        leave_last_out(**{"users": [1, 1]} | wrong)


@pytest.mark.parametrize("test_size", [0, -0.5, 1, 3, math.nan])
def test_shares_that_are_refused(test_size):
    with pytest.raises(ValueError, match="test_size must be"):
        split_by_time([1, 2], test_size)
