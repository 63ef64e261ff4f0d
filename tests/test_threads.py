"""Threads beside other packages' and after every kind of start; each test runs interpreters."""

import multiprocessing
import os
import subprocess
import sys
from ctypes.util import find_library
from importlib.util import find_spec

import pytest

from sparsefm import _core
from sparsefm.threads import MAX_THREADS, default_threads, resolve_threads

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has neither fork nor limits")
linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")

MAIN = """
import ctypes, multiprocessing, os, sys, threading, time
import numpy as np, scipy.sparse as sp

def fit(n_threads=4):
    import sparsefm as fm
    rng = np.random.default_rng(0)
    columns = rng.integers(0, 100, (8000, 20)) + 100 * np.arange(20)
    offsets = np.arange(0, columns.size + 1, 20)
    X = sp.csr_matrix((np.ones(columns.size), columns.ravel(), offsets), shape=(8000, 2000))
    y = rng.normal(size=8000)
    model = fm.train(X, y, X, y, epochs=2, batch_size=2000, rank=16, n_threads=n_threads)
    predicted = fm.predict(X, model, n_threads=n_threads)
    return model.w0, model.w.tobytes(), model.V.tobytes(), predicted.tobytes()

def boost():
    from sklearn.ensemble import HistGradientBoostingRegressor
    X = np.random.default_rng(0).normal(size=(4000, 20))
    HistGradientBoostingRegressor(max_iter=5).fit(X, X[:, 0])

def torch():
    import torch
    torch.set_num_threads(2)
    assert torch.randn(2_000_000).exp().sum() > 0

def count_threads():
    return len(os.listdir("/proc/self/task"))

def main():
"""
END = """
if __name__ == "__main__":
    main()
"""
GOMP = find_library("gomp")
BESIDE = {"scikit-learn": "boost", "sparsefm": "fit", "PyTorch": "torch"}


@pytest.fixture
def run(tmp_path):
    """Return a function that runs a body of `main` as a script and returns what it prints."""

    def run(body, timeout=90, **variables):
        script = tmp_path / "main.py"
        script.write_text(MAIN + "    " + body.strip().replace("\n", "\n    ") + END)
        command = [sys.executable, "-W", "ignore::DeprecationWarning", str(script)]
        # Of two threads each, also where there is one core; OpenBLAS would keep some of its own.
        env = os.environ | {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "1"} | variables
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout, check=False, env=env
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    return run


def steps(names):
    """Return the calls that run these packages."""
    if "PyTorch" in names and find_spec("torch") is None:
        pytest.skip("PyTorch is not installed")
    return "\n".join(f"{BESIDE[name]}()" for name in names)


# --- how many -----------------------------------------------------------------------------------


def test_the_number_of_threads_has_a_default_and_a_limit():
    assert resolve_threads(None) == default_threads() >= 1
    assert [resolve_threads(n) for n in (1, 3, MAX_THREADS, 10**9)] == [1, 3, 256, 256]
    with pytest.raises(ValueError, match="n_threads"):
        resolve_threads(0)


# --- children -----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
@pytest.mark.parametrize("ran", [*BESIDE, "all"])
def test_a_child_trains_whatever_its_parent_ran(run, ran, method):
    run(f"""
{steps(BESIDE if ran == "all" else [ran])}
with multiprocessing.get_context("{method}").Pool(1) as pool:
    results = [pool.apply_async(fit, (n_threads,)).get(60) for n_threads in (4, 1)]
assert results == [fit(4)] * 2
""")


@posix
@pytest.mark.parametrize("ran", BESIDE)
def test_a_child_of_a_child_trains(run, ran):
    run(f"""
{steps([ran])}
expected = fit(1)
for generation in range(3):
    child = os.fork()
    if child:
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    assert fit(4) == expected
os._exit(0)
""")


@posix
def test_a_child_trains_that_was_made_while_others_trained(run):
    run("""
expected, stop = fit(1), threading.Event()
def go_on():
    while not stop.is_set():
        fit(4)
others = [threading.Thread(target=go_on) for _ in range(2)]
for other in others:
    other.start()
for _ in range(5):
    time.sleep(0.05)
    child = os.fork()
    if child == 0:
        os._exit(0 if fit(4) == expected else 3)
    assert os.waitpid(child, 0)[1] == 0
stop.set()
for other in others:
    other.join()
""")


@linux
def test_a_forked_child_leaves_openmp_alone(run):
    # No thread has a stack of so much memory: a region of three threads would end the process.
    run(
        """
expected = fit(2)
child = os.fork()
if child == 0:
    os._exit(0 if fit(4) == expected else 3)
assert os.waitpid(child, 0)[1] == 0
""",
        OMP_STACKSIZE="1000000G",
    )


# --- this process -------------------------------------------------------------------------------


def test_the_same_bits_on_every_number_of_threads(run):
    run("""
expected = fit(1)
for n_threads in range(2, 17):
    assert fit(n_threads) == expected
""")


@linux
@pytest.mark.parametrize("n_threads", [2, 8])
def test_no_thread_stays(run, n_threads):
    if not _core.compiler.startswith("GNU"):
        pytest.skip("LLVM's OpenMP keeps its threads asleep")
    run(f"""
fit(1)
before = count_threads()
for _ in range(3):
    fit({n_threads})
    deadline = time.monotonic() + 1  # the system forgets a thread a moment after it has ended
    while count_threads() > before and time.monotonic() < deadline:
        time.sleep(0.001)
    assert count_threads() == before == 1
""")


def test_several_threads_of_the_user_train_at_once(run):
    run("""
from concurrent.futures import ThreadPoolExecutor
expected = fit(1)
with ThreadPoolExecutor(4) as pool:
    assert list(pool.map(fit, [2, 4, 8, 1] * 4)) == [expected] * 16
""")


@linux
def test_training_in_somebody_elses_parallel_region(run):
    if not GOMP:
        pytest.skip("there is no libgomp")
    run(f"""
expected, results = fit(1), []
region = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _: results.append(fit(4)))
ctypes.CDLL("{GOMP}").GOMP_parallel(region, None, 3, 0)
assert results == [expected] * 3
""")


@linux
def test_a_system_that_refuses_threads_does_not_end_the_interpreter(run):
    out = run("""
import resource
expected = fit(1)
in_use = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
for more in range(20, 160, 20):  # MB; the stack of a thread has 8
    resource.setrlimit(resource.RLIMIT_AS, (in_use + more * 10**6, resource.RLIM_INFINITY))
    try:
        assert fit(16) == expected
    except MemoryError:
        continue
    print("trained")
""")
    assert "trained" in out


NEXT = """
def seconds(operation):
    begun = time.perf_counter()
    operation()
    return time.perf_counter() - begun
{prepare}
def ratio():
    duration = seconds(lambda: fit(2))
    rested, after = [], []  # threads that slept are slower to begin, whatever happened meanwhile
    for _ in range(15):
        operation()
        time.sleep(duration)
        rested.append(seconds(operation))
        fit(2)
        after.append(seconds(operation))
    return min(after) / min(rested)  # the undisturbed ones
print(min(ratio() for _ in range(3)))
"""
OPERATIONS = {
    "PyTorch": """
import torch
torch.set_num_threads(2)
x = torch.randn(4_000_000)
operation = lambda: x.exp().sum()
""",
    "scikit-learn": """
from sklearn.ensemble import HistGradientBoostingRegressor
X = np.random.default_rng(0).normal(size=(20_000, 20))
model = HistGradientBoostingRegressor(max_iter=5).fit(X, X[:, 0])
operation = lambda: model.predict(X)
""",
}


@pytest.mark.parametrize("package", OPERATIONS)
def test_others_are_as_fast_after_a_training(run, package):
    steps([package])
    assert float(run(NEXT.format(prepare=OPERATIONS[package]))) < 1.2
