"""Versions and limits: each tells what it is named after, and nothing that it should not."""

import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import scipy

from sparsefm import versions
from sparsefm.data import memory
from sparsefm.io import file


@pytest.fixture
def frozen(monkeypatch):
    """Make all packages forget their metadata."""

    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    monkeypatch.setattr(file, "version", missing)


def test_packages_tell_their_versions():
    told = versions.versions()
    assert (told["NumPy"], told["SciPy"]) == (np.__version__, scipy.__version__)


def test_packages_without_metadata_tell_what_they_know(frozen, monkeypatch):
    told = versions.versions()
    assert (told["NumPy"], told["SciPy"]) == (np.__version__, scipy.__version__)
    assert told["sparsefm"] == "unknown"
    names = ("no_such_module", "no_such_module.child", "antigravity")
    monkeypatch.setattr(versions, "OPTIONAL", names)
    told = versions.circumstances()["optional packages"]
    assert told == "no_such_module missing, no_such_module.child missing, antigravity unknown"
    assert "antigravity" not in sys.modules


def test_what_matters_of_the_environment_is_told(monkeypatch):
    for name in versions.os.environ:
        if name.startswith(versions.PREFIXES):
            monkeypatch.delenv(name)
    assert versions.circumstances()["environment"] == "nothing set"
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setenv("SPARSEFM_ISA", "baseline")
    monkeypatch.setenv("MY_PASSWORD", "secret")
    told = versions.circumstances()["environment"]
    assert told == "OMP_NUM_THREADS=2, SPARSEFM_ISA=baseline"


def test_the_name_of_the_user_is_not_told(monkeypatch):
    monkeypatch.setenv("HOME", str(Path(versions.__file__).parents[1]))
    monkeypatch.setenv("USERPROFILE", str(Path(versions.__file__).parents[1]))
    assert versions.circumstances()["folder"].replace("\\", "/") == "~/sparsefm"


def test_limits_of_memory_are_told(monkeypatch):
    monkeypatch.setattr(memory, "_machine_memory", lambda: 16.0 * 2**30)
    monkeypatch.setattr(memory, "_group_memory", lambda: 2.0**63)  # what "none" may look like
    monkeypatch.setattr(memory, "_address_space", lambda: 3.0 * 2**30)
    assert versions.circumstances()["memory"] == "machine 16.0 GiB, address space 3.0 GiB"
    for name in ("_machine_memory", "_group_memory", "_address_space"):
        monkeypatch.setattr(memory, name, lambda: float("inf"))
    assert versions.circumstances()["memory"] == "unknown"
