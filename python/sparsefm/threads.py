"""The number of threads to use."""

import os
from functools import cache
from pathlib import Path
from typing import Any

from sparsefm.data.validation import check_integer

MAX_THREADS = 256  # enough for one computer, and few enough for every system to start


def default_threads() -> int:
    """Return the default number of threads.

    It is the smallest of the number of cores that the process may use, its container's CPU quota
    (Linux control groups) and ``OMP_NUM_THREADS``.
    """
    if hasattr(os, "sched_getaffinity"):
        threads = len(os.sched_getaffinity(0))
    else:
        threads = os.cpu_count() or 1
    limits = [threads, _quota(), _omp_num_threads()]
    return max(1, min(limit for limit in limits if limit))


def resolve_threads(n_threads: Any) -> int:
    """Return `n_threads`, at most 256; None stands for the default."""
    threads = default_threads() if n_threads is None else check_integer(n_threads, "n_threads", 1)
    return min(threads, MAX_THREADS)


@cache
def _quota() -> int:
    """Return the CPU quota of the control group, rounded up; 0 if there is none."""
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
