"""How many threads to use."""

import os
from functools import cache
from pathlib import Path
from typing import Any

from sparsefm import _core
from sparsefm.data.validation import check_integer

MAX_THREADS = 256  # where the system refuses more, OpenMP would end the process

_forked = False


def _after_fork() -> None:
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def default_threads() -> int:
    """Return the number of threads that this process may keep busy.

    The least of the cores it may run on, its container's CPU quota (Linux control groups) and
    ``OMP_NUM_THREADS``.
    """
    if hasattr(os, "sched_getaffinity"):
        threads = len(os.sched_getaffinity(0))
    else:
        threads = os.cpu_count() or 1
    limits = [threads, _quota(), _omp_num_threads()]
    return max(1, min(limit for limit in limits if limit))


def resolve_threads(n_threads: Any) -> int:
    """Return `n_threads` as a number of threads that is safe to start; None is the default.

    At most 256. In a build that borrows its threads from OpenMP a child made by ``fork`` gets one:
    GNU's would wait for threads that only its parent has. The results are the same bits.
    """
    threads = default_threads() if n_threads is None else check_integer(n_threads, "n_threads", 1)
    return 1 if _forked and _core.openmp_version else min(threads, MAX_THREADS)


@cache
def _quota() -> int:
    """Return the CPU quota of the control group, rounded up; 0 for none."""
    root = Path("/sys/fs/cgroup")
    try:
        quota, period = (root / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:  # control groups, version 1
            quota = (root / "cpu/cpu.cfs_quota_us").read_text()
            period = (root / "cpu/cpu.cfs_period_us").read_text()
        except OSError:
            return 0
    try:
        return max(0, -(-int(quota) // int(period)))
    except (ValueError, ZeroDivisionError):  # "max"
        return 0


def _omp_num_threads() -> int:
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    try:
        return max(0, int(first))
    except ValueError:
        return 0
