"""Save where there is too little space: a small file system if this may be mounted, else a limit.

The limit is that on the size of a file, whose error has another number.
"""

import errno
import os
import random
import resource
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import sparsefm as fm
from reliability import children
from reliability.problems import KINDS, fitted, matrix
from reliability.report import Budget, Report

SIZE = 1 << 20  # of the file system
FULL = {errno.ENOSPC, errno.EFBIG, errno.EACCES}


@contextmanager
def small_disk(folder: str) -> Iterator[bool]:
    """Mount a small file system at a folder, if that is allowed; yield whether it was."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", folder]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", folder], check=True)


@contextmanager
def space(folder: Path, free: int, mounted: bool) -> Iterator[None]:
    """Leave about so many bytes free."""
    if not mounted:
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (free, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        return
    status = os.statvfs(folder)
    filler = folder / "filler"
    filler.write_bytes(bytes(max(0, status.f_bavail * status.f_frsize - free)))
    try:
        yield
    finally:
        filler.unlink()


def savers() -> dict[str, Callable[[Path], Any]]:
    """Return what saves a file, by name."""
    large = np.ones((10_000, 8), np.float32)
    model = fm.Model(0.0, large[:, 0].copy(), large)
    X, y = matrix(50), np.linspace(-1, 1, 50)

    def train(path: Path) -> None:
        fm.train(X, y, rank=8, epochs=2, callbacks=[fm.Checkpoint(path)])

    estimators = {kind: fitted(kind).save for kind in KINDS}
    return {**estimators, "model": model.save, "checkpoint": train}


def try_one(save: Callable[[Path], Any], path: Path, report: Report) -> None:
    """Save over an old file."""
    before, descriptors = path.read_bytes(), len(os.listdir("/proc/self/fd"))
    try:
        save(path)
    except OSError as error:
        if error.errno not in FULL:
            report.find(f"an error without its number: {error!r}")
        elif path.read_bytes() != before:
            report.find("the old file has changed")
        else:
            report.add(errno.errorcode[error.errno])
    except Exception as error:
        report.find(f"{type(error).__name__}: {error}")
    else:
        fm.load(path)
        report.add("saved")
    if len(os.listdir("/proc/self/fd")) != descriptors:
        report.find("a descriptor stayed open")
    if left := [name for name in os.listdir(path.parent) if name.endswith(".tmp")]:
        report.find(f"left {left}")


def try_read_only(folder: str, save: Callable[[Path], Any]) -> Report:
    """Save in a folder that must not be written."""
    report, path = Report(), Path(folder, "model.safetensors")
    save(path)
    os.chmod(folder, 0o555)
    os.chmod(path, 0o444)
    if os.geteuid() == 0:  # who may write everywhere
        os.setuid(65534)
    try_one(save, path, report)
    return report


def run(budget: Budget, report: Report) -> None:
    """Try each saver with random space; then a read-only folder."""
    numbers, saves = random.Random(budget.seed), savers()
    names = list(saves)
    with tempfile.TemporaryDirectory() as folder, small_disk(folder) as mounted:
        for number in budget:
            save = saves[names[number % len(names)]]
            path = Path(folder, "model.safetensors")
            save(path)
            size = path.stat().st_size
            with space(path.parent, int(size * numbers.uniform(0, 1.2)), mounted):
                try_one(save, path, report)
    report.figures.append("a small tmpfs" if mounted else "a limit on the size of files")
    with tempfile.TemporaryDirectory() as folder:
        tried, died = children.call(try_read_only, folder, saves["model"])
        os.chmod(folder, 0o755)
        if died or tried.findings:
            report.find(f"a read-only folder: {died or tried.findings}")
        else:
            report.outcomes += tried.outcomes
