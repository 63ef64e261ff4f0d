"""What cannot fit into memory is refused before it is tried."""

import subprocess
import sys

import numpy as np
import pytest
from scipy import sparse

import sparsefm as fm
from sparsefm.data import memory
from sparsefm.data.memory import check_width, total_memory

Y = np.arange(40.0)


def wide(n_columns):
    """Return 40 rows with an entry each."""
    return sparse.csr_matrix((np.ones(40), (np.arange(40), np.arange(40))), (40, n_columns))


def test_the_bound(monkeypatch):
    monkeypatch.setattr(memory, "_physical_memory", lambda: 8 * 9 * 1000.0)
    check_width(1000, 8, 4)
    with pytest.raises(MemoryError, match=r"^X has 1001 columns.*hash names to fewer columns"):
        check_width(1001, 8, 4)
    check_width(9000, 0, 4)


def test_rows_without_entries_are_bounded(monkeypatch):
    monkeypatch.setattr(memory, "_physical_memory", lambda: 32e6)
    model = fm.Model(0.0, np.zeros(3), np.zeros((3, 2)))
    tall = sparse.coo_array(([1.0], ([0], [1])), (1_000_000, 3))
    for X in (tall, tall.tocsr(), tall.todia(), tall.todok()):
        assert len(fm.predict(X, model)) == 1_000_000
    for shape in ((1_000_001, 3), (2**40, 3)):
        tall._shape = shape
        with pytest.raises(MemoryError, match=r"^X has \d* rows"):
            fm.predict(tall, model)


def test_memory_is_known_where_the_system_tells():
    assert total_memory() > 1 << 28


@pytest.mark.parametrize(
    "call",
    [
        lambda X: fm.train(X, Y),
        lambda X: fm.train(X, Y, solver=fm.Gibbs()),
        lambda X: fm.FMRegressor().fit(X, Y),
        lambda X: fm.FMClassifier().fit(X, Y > 20),
        lambda X: fm.FMRegressor().partial_fit(X, Y),
        lambda X: fm.TableEncoder().fit(X),
    ],
)
def test_a_matrix_that_is_too_wide(monkeypatch, call):
    monkeypatch.setattr(memory, "_physical_memory", lambda: 1 << 24)
    with pytest.raises(MemoryError, match=r"^X has 2147483647 columns"):
        call(wide(2**31 - 1))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of Linux")
def test_the_widest_matrix_takes_no_memory():
    """Whether it is refused or trained depends on the machine; here there are 20 GiB."""
    code = """
import resource, numpy as np, scipy.sparse as sp, sparsefm as fm
resource.setrlimit(resource.RLIMIT_AS, (20 << 30, 20 << 30))
X = sp.csr_matrix((np.ones(40), (range(40), range(40))), (40, 2**31 - 1))
try:
    fm.FMRegressor().fit(X, np.arange(40.0))
except MemoryError:
    pass
status = open("/proc/self/status").read()  # ru_maxrss would be that of the parent
print(status.split("VmHWM:")[1].split()[0])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 1 << 20  # KiB
