"""Versions, for bug reports."""

import platform
import sys
from importlib.metadata import version

from sparsefm import _core
from sparsefm.threads import default_threads


def versions() -> dict[str, str]:
    """Return how this copy was built, its system, and the versions of its dependencies."""
    openmp = (
        f"{_core.openmp_version} (yyyymm of the standard)"
        if _core.openmp_version
        else "none: std::thread"
    )
    return {
        "sparsefm": version("sparsefm"),
        "instruction set": f"{_core.isa} (available: {', '.join(_core.isa_levels)})",
        "OpenMP": openmp,
        "default threads": str(default_threads()),
        "compiler": _core.compiler,
        "Eigen": _core.eigen_version,
        "Python": sys.version.split()[0],
        "NumPy": version("numpy"),
        "SciPy": version("scipy"),
        "scikit-learn": version("scikit-learn"),
        "platform": platform.platform(),
    }


def show_versions() -> None:
    """Print how this copy was built, its system, and the versions of its dependencies."""
    for name, value in versions().items():
        print(f"{name:>16}: {value}")
