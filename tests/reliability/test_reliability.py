"""A short run of every promise; `python -m reliability` runs long ones."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("click")
pytest.importorskip("pyarrow")

ROOT = Path(__file__).resolve().parent.parent.parent
pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="for Linux"),
    pytest.mark.skipif(not (ROOT / "reliability").is_dir(), reason="only beside the sources"),
]
SHORT = {
    "damaged": ["--count", "1000"],
    "full-disk": ["--count", "36"],
    "interrupt": ["--count", "18"],
    "kill": ["--count", "10"],
    "leaks": ["--count", "80"],
    "resume": ["--count", "6"],
}
LONG = {
    "failing-allocations": ["--count", "60"],
    "fuzz": ["--count", "200", "--seconds", "20"],
    "out-of-memory": ["--count", "40"],
    "processes": ["--count", "14"],
    "resume": ["--count", "50"],
}


def run(name, options):
    command = [sys.executable, "-m", "reliability", name, *options]
    path = os.pathsep.join([str(ROOT), *filter(None, sys.path)])
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        timeout=280,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith(f"| {name} |")


@pytest.mark.parametrize("name", SHORT)
def test_a_promise_is_kept(name):
    run(name, SHORT[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", LONG)
def test_a_promise_that_takes_long_is_kept(name):
    if name == "failing-allocations" and not shutil.which(os.environ.get("CC", "cc")):
        pytest.skip("needs a C compiler")
    run(name, LONG[name])


def test_a_finding_ends_with_status_1(tmp_path):
    """A child that dies is one, and its row says so."""
    code = """
import os, sys
from reliability import __main__, kill
kill.run = lambda budget, report: os.abort()
sys.argv = ["reliability", "kill"]
__main__.main()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 1, done.stderr
    assert "1 finding | 1 |" in done.stdout
    assert "SIGABRT" in done.stderr
