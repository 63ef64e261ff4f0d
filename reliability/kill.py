"""Kill processes while they save and while they train with a checkpoint; look at the file."""

import os
import random
import signal
import tempfile
import time
from pathlib import Path

import numpy as np

import sparsefm as fm
from reliability import children
from reliability.problems import matrix
from reliability.report import Budget, Report


def save_for_ever(path: Path) -> None:
    """Save models whose parameters are all one number."""
    number = 0
    while True:
        number += 1
        same = np.full((50_000, 4), number, np.float32)
        fm.Model(float(number), same[:, 0].copy(), same).save(path)


def train_for_ever(path: Path) -> None:
    """Train with a checkpoint after each epoch."""
    X = matrix(200)
    y = np.linspace(-1, 1, 200)
    fm.train(X, y, rank=16, epochs=10**6, callbacks=[fm.Checkpoint(path)])


def is_whole(path: Path, operation: object) -> bool:
    """Return whether a file is one that was saved."""
    model = fm.load(path)
    if operation is save_for_ever:
        return set(model.V.flat) == set(model.w.flat) == {model.w0}
    return model.V.shape == (2000, 16) and len(model.history) > 0


def run(budget: Budget, report: Report) -> None:
    """Try, saving and training in turn."""
    moments, operations = random.Random(budget.seed), (save_for_ever, train_for_ever)
    left = 0
    with tempfile.TemporaryDirectory() as folder:
        for number in budget:
            operation = operations[number % 2]
            path = Path(folder, f"{operation.__name__}.safetensors")
            before = path.stat().st_ino if path.exists() else None
            child = children.start(operation, path)
            while not path.exists() or path.stat().st_ino == before:  # the first save of the child
                time.sleep(0.001)
            time.sleep(moments.uniform(0, 0.05))
            os.kill(child, signal.SIGKILL)
            ended = children.end(child)
            if "SIGKILL" not in ended:
                report.find(f"{operation.__name__}: {ended} before it was killed")
                continue
            left += len(list(Path(folder).glob(".*.tmp")))
            try:
                whole = is_whole(path, operation)
            except (ValueError, OSError) as error:
                report.find(f"{operation.__name__}: {error}")
                continue
            if whole:
                report.add(f"whole ({operation.__name__.replace('_', ' ')})")
            else:
                report.find(f"{operation.__name__}: the file is a mixture")
        fm.Model(0.0, np.zeros(1, np.float32), np.zeros((1, 1), np.float32)).save(path)
        if remaining := list(Path(folder).glob(".*.tmp")):
            report.find(f"the next save left {len(remaining)} temporary files")
    report.figures.append(f"{left:,} killed within a save, whose files the next one removed")
