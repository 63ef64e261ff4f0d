"""What a measurement was made on."""

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from sparsefm.versions import versions


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def thread_counts() -> list[int]:
    """Return 1, 2, 4 and so on, and every core."""
    powers = [1 << power for power in range(cores().bit_length())]
    return sorted({*powers, cores()})


def describe() -> str:
    """Return processor, memory and versions in one paragraph."""
    found = versions()
    parts = [
        f"{_processor()}, {cores()} cores, {_memory()}",
        f"{platform.system()} {platform.release()}",
        *(f"{name} {found[name]}" for name in ("Python", "NumPy", "SciPy", "scikit-learn")),
        f"sparsefm {found['sparsefm']} ({found['instruction set']}; {found['compiler']})",
    ]
    return "; ".join(parts)


def load() -> str:
    """Return how many processes wanted a core in the last minute."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


def version_of(distribution: str) -> str | None:
    """Return the version of an installed distribution, or None."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def _memory() -> str:
    try:
        pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return "memory unknown"
    return f"{pages * size / 2**30:.0f} GiB"
