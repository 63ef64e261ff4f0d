"""Versions and limits, for bug reports."""

import os
import platform
import sys
from contextlib import suppress
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from sparsefm import _core
from sparsefm.data.memory import memory_limits
from sparsefm.io.file import package_version
from sparsefm.threads import default_threads

OPTIONAL = (
    *("narwhals", "pandas", "polars", "pyarrow", "matplotlib", "tqdm", "click", "joblib"),
    "threadpoolctl",
)
PREFIXES = ("SPARSEFM_", "OMP_", "GOMP_", "KMP_")  # of environment variables that matter


def versions() -> dict[str, str]:
    """Return how this copy was built, its system, and the versions of its dependencies."""
    return {
        "sparsefm": package_version(),
        "instruction set": f"{_core.isa} (available: {', '.join(_core.isa_levels)})",
        "OpenMP": _openmp(),
        "default threads": str(default_threads()),
        "compiler": _core.compiler,
        "Eigen": _core.eigen_version,
        "Python": sys.version.split()[0],
        "NumPy": _version("numpy"),
        "SciPy": _version("scipy"),
        "scikit-learn": _version("scikit-learn", "sklearn"),
        "platform": platform.platform(),
    }


def circumstances() -> dict[str, str]:
    """Return what else may matter to a bug: where, beside what, on what and within which limits."""
    names = sorted(name for name in os.environ if name.startswith(PREFIXES))
    variables = [f"{name}={os.environ[name]}" for name in names]
    limits = (f"{name} {limit / 2**30:.1f} GiB" for name, limit in memory_limits().items())
    return {
        "folder": _without_user(Path(__file__).parent),
        "implementation": _implementation(),
        "optional packages": ", ".join(f"{name} {_version(name)}" for name in OPTIONAL),
        "OpenMP libraries": _openmp_libraries(),
        "processor": _processor(),
        "cores": _cores(),
        "memory": ", ".join(limits) or "unknown",
        "environment": ", ".join(variables) or "nothing set",
    }


def show_versions() -> None:
    """Print how this copy was built, its system, and the versions of its dependencies.

    ``sparsefm doctor``, or ``python -m sparsefm.cli.doctor``, also tries whether this copy works.
    """
    for name, value in {**versions(), **circumstances()}.items():
        print(f"{name:>17}: {value}")


def _version(distribution: str, module: str = "") -> str:
    """Return the version of a package; one that was copied or frozen may not tell it."""
    module = module or distribution
    # Whatever is wrong with another package, the report goes on.
    with suppress(Exception):
        return metadata.version(distribution)
    with suppress(Exception):
        return str(sys.modules[module].__version__)
    with suppress(Exception):
        return "unknown" if find_spec(module) else "missing"
    return "missing"


def _openmp() -> str:
    if _core.openmp_version:
        return f"{_core.openmp_version} (yyyymm of the standard)"
    return "none: std::thread"


def _openmp_libraries() -> str:
    """Return the OpenMP libraries in this process; two of them are a known cause of trouble."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return "unknown: threadpoolctl is missing"
    libraries = [lib for lib in threadpool_info() if lib["user_api"] == "openmp"]
    return ", ".join(sorted(Path(lib["filepath"]).name for lib in libraries)) or "none"


def _implementation() -> str:
    """Return which Python this is, beyond its version."""
    enabled = getattr(sys, "_is_gil_enabled", None)
    parts = [platform.python_implementation(), f"{sys.maxsize.bit_length() + 1} bits"]
    parts += ["with GIL" if enabled is None or enabled() else "without GIL"]
    return ", ".join(parts + ["frozen"] * bool(getattr(sys, "frozen", False)))


def _processor() -> str:
    """Return the name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{(names or [platform.processor()])[0] or 'unknown'} ({platform.machine()})"


def _cores() -> str:
    cores = str(os.cpu_count() or "unknown")
    if hasattr(os, "sched_getaffinity"):
        return f"{cores}, of which this process may use {len(os.sched_getaffinity(0))}"
    return cores


def _without_user(path: Path) -> str:
    """Return a path without the name of the user."""
    home = os.path.expanduser("~")
    text = str(path)
    return "~" + text[len(home) :] if text.startswith(home + os.sep) else text
