"""Long tests of the Gibbs reference alone: no change of the package can break them.

They run where the reference's sources are others than those that passed last, whose checksum is in
``recorded.txt``. ``python tests/recorded.py`` runs them and records the sources.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
RECORD = FOLDER / "recorded.txt"
SOURCES = (
    "geweke.py",
    "gibbs_problems.py",
    "gibbs_random.py",
    "gibbs_reference.py",
    "reference.py",
    "sampling/test_geweke.py",
    "sampling/test_posterior.py",
)
ALWAYS = "SPARSEFM_TEST_REFERENCES"  # any value: they run whatever the record says


def checksum():
    """Return the checksum of the sources, the same with any ends of lines."""
    texts = [(FOLDER / name).read_text("utf-8") for name in SOURCES]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def passed():
    """Return whether these sources are those that passed."""
    known = RECORD.read_text("utf-8").strip() if RECORD.exists() else ""
    return not os.environ.get(ALWAYS) and known == checksum()


once = pytest.mark.skipif(passed(), reason="the reference passed, and has not changed since")


if __name__ == "__main__":
    tests = [FOLDER / name for name in SOURCES if name.startswith("sampling/")]
    command = [sys.executable, "-m", "pytest", "-q", "-n", str(os.cpu_count()), "-m", "slow"]
    before = checksum()
    done = subprocess.run([*command, *tests], env={**os.environ, ALWAYS: "1"})
    if done.returncode == 0 and checksum() == before:
        RECORD.write_text(before + "\n", "utf-8")
    sys.exit(done.returncode)
