"""What `streams` measures in a Python that may have no sparsefm."""

import re
import time
from pathlib import Path
from typing import Any


def linear(path: str, passes: int, threads: int) -> dict[str, Any]:
    """Train a linear model of Vowpal Wabbit, which keeps a cache beside the text for later passes.

    It does not tell when a pass is over, so each takes its share.
    """
    from vowpalwabbit import Workspace

    started = time.perf_counter()
    options = f"--passes {passes} -c -k --holdout_off -b 20 --loss_function logistic --quiet"
    with Workspace(f"-d {path} {options}"):
        pass  # it reads its files as soon as it is made
    total = time.perf_counter() - started
    return {"epochs": [total / passes] * passes, "total": total, "peak": peak_memory()}


def peak_memory() -> int:
    """Return the most memory that this process has taken, in bytes (Linux)."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) << 10 if found else 0
