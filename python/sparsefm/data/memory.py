"""How much memory there is: what cannot fit is refused before it is tried."""

import os
from contextlib import suppress
from functools import cache
from pathlib import Path

try:
    import resource
except ImportError:  # on Windows
    resource = None  # type: ignore[assignment]

GROUPS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),  # version 1
)
BYTES_OF_ROW = 32  # at least: where it begins, its target and its prediction
COPIES = 2  # of each parameter at least: itself and a moment, or another sample


def check_width(
    n_features: int, rank: int, itemsize: int, name: str = "X", fields: int = 1
) -> None:
    """Raise `MemoryError` if the parameters of so many columns do not fit into memory.

    Without this, a matrix of a few entries in billions of columns takes all memory there is.

    Parameters
    ----------
    n_features, rank : int
    itemsize : int
        Bytes of a parameter.
    name : str
        What the message calls the matrix.
    fields : int
        How many vectors of factors a column has.
    """
    needed = n_features * (1 + rank * fields) * itemsize * COPIES
    if n_features > rank and needed > total_memory():  # a huge rank is named where it is used
        at = f"rank {rank}" if fields == 1 else f"rank {rank} for each of {fields} fields"
        raise MemoryError(
            f"{name} has {n_features} columns, whose parameters take {needed / 2**30:.0f} GiB or "
            f"more at {at}, but there are {total_memory() / 2**30:.0f} GiB of memory: leave "
            "out columns without entries, hash names to fewer columns (FeatureHasher of "
            "scikit-learn), or lower the rank"
        )


def check_height(n_rows: int, name: str) -> None:
    """Raise `MemoryError` if so many rows do not fit into memory, even without entries.

    Formats other than CSR can say that they have any number of rows.
    """
    needed = n_rows * BYTES_OF_ROW
    if needed > total_memory():
        raise MemoryError(
            f"{name} has {n_rows} rows, which take {needed / 2**30:.0f} GiB or more, but there are "
            f"{total_memory() / 2**30:.0f} GiB of memory: pass fewer rows at a time"
        )


def total_memory() -> float:
    """Return the bytes of memory that this process may use at most; infinity if unknown."""
    return min(_physical_memory(), _address_space())


def memory_limits() -> dict[str, float]:
    """Return what limits the memory of this process, in bytes, for bug reports."""
    limits = {
        "machine": _machine_memory(),
        "control group": _group_memory(),
        "address space": _address_space(),
    }
    most = 1 << 62  # a control group without a limit may name the largest number that it knows
    return {name: limit for name, limit in limits.items() if limit < most}


@cache
def _physical_memory() -> float:
    """Return the memory of the machine, or of the control group of the process."""
    return min(_machine_memory(), _group_memory())


def _machine_memory() -> float:
    with suppress(AttributeError, OSError, ValueError):
        pages = os.sysconf("SC_PHYS_PAGES")
        return float(pages * os.sysconf("SC_PAGE_SIZE")) if pages > 0 else float("inf")
    return float("inf")


def _group_memory() -> float:
    limits = [float("inf")]
    for path in GROUPS:
        with suppress(OSError, ValueError):  # there is none, or it says "max"
            limits.append(int(path.read_text()))
    return min(limit for limit in limits if limit > 0)


def _address_space() -> float:
    if resource is None:
        return float("inf")
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return float("inf") if soft == resource.RLIM_INFINITY else float(soft)
