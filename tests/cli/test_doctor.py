"""``sparsefm doctor``: it tells what a bug report needs, and finds what does not work."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest

import sparsefm as fm
from sparsefm.cli import doctor
from sparsefm.cli.main import main

ROWS = (
    *("sparsefm", "folder", "instruction set", "OpenMP", "OpenMP libraries", "default threads"),
    *("Python", "implementation", "NumPy", "SciPy", "scikit-learn", "optional packages"),
    *("platform", "processor", "cores", "memory", "environment", "self check"),
)


def rows(printed):
    """Return the table as a dict."""
    return dict(line.strip().split(": ", 1) for line in printed.splitlines() if ": " in line)


def test_a_copy_that_works_is_ok(capsys):
    started = time.perf_counter()
    assert doctor.run()
    seconds = time.perf_counter() - started
    printed = rows(capsys.readouterr().out)
    assert set(ROWS) <= set(printed)
    assert printed["self check"].startswith("OK (")
    assert seconds < 20  # about 1 s; computers that run tests are busy


def wrong(X, model):
    return np.zeros(X.shape[0])


def broken(*args, **kwargs):
    raise OSError("the disk is on fire")


@pytest.mark.parametrize(
    ("name", "replacement", "failed"),
    [
        ("load", broken, "save load predict"),
        ("load", lambda path: fm.Model(0.0, np.zeros(20), np.zeros((20, 4))), "save load predict"),
        ("FMClassifier", broken, "estimator"),
        ("Gibbs", broken, "sampling"),
        ("predict", lambda X, model: np.full(X.shape[0], np.nan), "save load predict, sampling"),
        ("train", broken, "train, threads, save load predict, sampling"),
    ],
)
def test_what_does_not_work_is_named(name, replacement, failed, monkeypatch, capsys):
    monkeypatch.setattr(fm, name, replacement)
    assert not doctor.run()
    printed = capsys.readouterr().out
    assert rows(printed)["self check"].startswith(f"FAILED: {failed} (")
    assert "Traceback" in printed
    if replacement is broken:
        assert "OSError: the disk is on fire" in printed


def test_the_command_tells_by_its_exit_status(monkeypatch):
    pytest.importorskip("click")
    monkeypatch.setattr(sys, "argv", ["sparsefm", "doctor"])
    for name, status in (("sp", 0), ("load", 1)):
        with monkeypatch.context() as context:
            if status:
                context.setattr(fm, name, broken)
            with pytest.raises(SystemExit) as end:
                main()
            assert end.value.code == status


def test_without_click_there_is_the_module():
    hide = "import sys; sys.modules['click'] = None; from sparsefm.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-c", hide], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "python -m sparsefm.cli.doctor" in done.stderr
    module = [sys.executable, "-m", "sparsefm.cli.doctor"]
    environment = {**os.environ, "OMP_SCHEDULE": "static"}
    done = subprocess.run(module, capture_output=True, text=True, timeout=60, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert "OMP_SCHEDULE=static" in rows(done.stdout)["environment"]


def test_the_version_is_told_without_metadata():
    """A copy that was not installed, or was frozen, has no metadata of any package."""
    code = """
import importlib.metadata, sys
def missing(name): raise importlib.metadata.PackageNotFoundError(name)
importlib.metadata.version = importlib.metadata.distribution = missing
from sparsefm.cli.main import main
main()
"""
    for argument, told in (("--version", "unknown"), ("versions", "unknown"), ("doctor", "OK (")):
        run = [sys.executable, "-c", code, argument]
        done = subprocess.run(run, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert told in done.stdout
