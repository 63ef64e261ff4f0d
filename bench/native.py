"""Bare loops in C++, compiled where they are measured."""

import shutil
import subprocess
from pathlib import Path

COMPILER = "c++"


def has_compiler() -> bool:
    """Return whether loops can be compiled here."""
    return shutil.which(COMPILER) is not None


def compiled(source: Path, folder: str, *more: str) -> str:
    """Return the path of a shared library made of a source, in a folder."""
    library = str(Path(folder) / f"{source.stem}.so")
    options = ["-O3", "-march=native", "-shared", "-fPIC", "-std=c++17", *more]
    subprocess.run([COMPILER, *options, str(source), "-o", library], check=True)
    return library
