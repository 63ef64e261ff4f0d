"""Fuzz files, the CSR boundary, the encoder, texts and rows; each target in its own process.

Guided by coverage where atheris is installed; else by chance, from the same corpus.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from reliability.report import Budget, Report

TARGETS = ("model_files", "checkpoints", "matrices", "tables", "texts", "stored_rows")
CORPUS = Path(__file__).parent.parent / "corpus"


def fuzz(target: str, budget: Budget, report: Report) -> None:
    """Run one target; a crash, an unknown error or a hang of it is a finding."""
    with tempfile.TemporaryDirectory() as folder:
        settings = [target, str(budget.count), str(int(budget.seconds)), str(budget.seed), folder]
        command = [sys.executable, "-W", "ignore", "-m", "reliability.fuzz.driver", *settings]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        limit = budget.seconds + 120
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=limit, check=False
        )
        counted = Path(folder, "count")
        report.add(target.replace("_", " "), int(counted.read_text()) if counted.exists() else 0)
        if done.returncode:
            inputs = [path.read_bytes() for path in Path(folder).glob("input*")]
            report.find(
                f"{target}: status {done.returncode}, with {inputs}\n"
                f"{done.stdout[-2000:]}{done.stderr[-4000:]}"
            )


def run(budget: Budget, report: Report) -> None:
    """Run each target for as long as the budget says."""
    for target in TARGETS:
        fuzz(target, budget, report)
    try:
        import atheris  # noqa: F401
    except ImportError:
        report.figures.append("by chance, without atheris")
    else:
        report.figures.append("guided by coverage")
