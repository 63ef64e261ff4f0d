"""Let the n-th large allocation fail, or all from the n-th one on, for every n."""

import ctypes
import errno
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from reliability import children
from reliability.out_of_memory import operations
from reliability.report import Budget, Report

SOURCE = Path(__file__).with_suffix(".c")
LARGE = 1 << 17  # bytes; without the 64 KiB for buffers of its loops, NumPy crashes
NEVER = -1
FOR_EVER = 1 << 60


def hooks() -> ctypes.CDLL:
    """Return the functions of the preloaded library."""
    library = ctypes.CDLL(None)
    library.fail_allocations.argtypes = (ctypes.c_size_t, ctypes.c_long, ctypes.c_long)
    library.allocations_counted.restype = ctypes.c_long
    return library


def attempt(
    operation: Callable[[], Any], check: Callable[[], bool], first: int, last: int
) -> tuple[str, int]:
    """Try an operation; return how it ended, and how many large allocations it made."""
    library = hooks()
    library.fail_allocations(LARGE, first, last)
    try:
        operation()
        ended = "succeeded"
    except MemoryError:
        ended = "MemoryError"
    except OSError as error:  # a folder could not be listed
        if error.errno != errno.ENOMEM:
            raise
        ended = "ENOMEM"
    finally:
        counted = library.allocations_counted()
        library.fail_allocations(-1, NEVER, NEVER)
    return ended if check() else f"finding: changed by what ended as: {ended}", counted


def cases(folder: Path) -> Iterator[tuple[str, Callable[[], Any], Callable[[], bool], int, int]]:
    """Yield every operation with every first and last allocation that fails."""
    for name, operation, check in operations(folder):
        answer, died = children.call(attempt, operation, check, NEVER, NEVER)
        assert not died, died
        for n in range(answer[1]):
            yield f"{name}, allocation {n}", operation, check, n, n
            yield f"{name}, allocations from {n}", operation, check, n, FOR_EVER


def run_preloaded(budget: Budget) -> Report:
    """Try the cases in random order."""
    report = Report()
    with tempfile.TemporaryDirectory() as folder:
        tried = list(cases(Path(folder)))
        order = np.random.default_rng(budget.seed).permutation(len(tried))
        for number in budget:
            if number == len(tried):
                break
            name, *case = tried[order[number]]
            answer, died = children.call(attempt, *case)
            if died or answer[0].startswith("finding"):
                report.find(f"{name}: {died or answer[0]}")
            else:
                report.add(answer[0])
    report.figures.append(f"{len(tried)} cases")
    return report


def run(budget: Budget, report: Report) -> None:
    """Compile the library, and try the cases in a process that has it preloaded."""
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder, "failing_allocations.so")
        subprocess.run(
            [os.environ.get("CC", "cc"), "-O2", "-shared", "-fPIC", "-o", library, SOURCE],
            check=True,
        )
        code = (
            "import pickle, sys, warnings; warnings.simplefilter('ignore')\n"
            "from reliability import failing_allocations as tried\n"
            "report = tried.run_preloaded(pickle.loads(sys.stdin.buffer.read()))\n"
            "sys.stdout.buffer.write(pickle.dumps(report))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            input=pickle.dumps(budget),
            stdout=subprocess.PIPE,
            env={**os.environ, "LD_PRELOAD": str(library), "PYTHONPATH": os.pathsep.join(sys.path)},
            check=True,
        )
    inner = pickle.loads(done.stdout)
    report.outcomes += inner.outcomes
    report.findings += inner.findings
    report.figures += inner.figures
