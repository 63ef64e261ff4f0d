"""Interrupts, forks, pools and imports: each test runs interpreters of its own."""

import os
import signal
import subprocess
import sys
import time

import pytest

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has neither SIGINT for one nor fork")

PROBLEM = """
import multiprocessing, os, sys, threading, time
import numpy as np, scipy.sparse as sp
import sparsefm as fm

def problem(rows, features, nonzeros=20):
    rng = np.random.default_rng(0)
    columns = rng.integers(0, features // nonzeros, (rows, nonzeros), dtype=np.int32)
    columns += np.arange(nonzeros, dtype=np.int32) * (features // nonzeros)
    offsets = np.arange(0, columns.size + 1, nonzeros, dtype=np.int32)
    data = np.ones(columns.size, np.float32), columns.ravel(), offsets
    return sp.csr_matrix(data, shape=(rows, features)), rng.normal(size=rows)

def fit(n_threads=4, **options):
    X, y = problem(4000, 2000)
    model = fm.train(X, y, X[:500], y[:500], n_threads=n_threads, epochs=2, **options)
    predicted = fm.predict(X, model, n_threads=n_threads)
    return model.w0, model.w.tobytes(), model.V.tobytes(), predicted.tobytes()
"""


def run(code, timeout=60):
    """Run a script; return what it prints."""
    command = [sys.executable, "-c", PROBLEM + code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode == 0, f"exit status {done.returncode}: {done.stderr}"
    return done.stdout


# --- Ctrl-C -------------------------------------------------------------------------------------

INTERRUPTED = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
X, y = problem({rows}, {rows})
print("ready", flush=True)
try:
    fm.train(X, y, epochs=100_000, callbacks=[lambda e: print(e, flush=True)], {options})
except KeyboardInterrupt:
    print("interrupted", flush=True)
expected = fit(1)
assert fit() == expected
print("trained again")
"""
REPLAYING = 'solver=fm.Adam(beta1=0.95, beta2=0.99, updates="exact"), batch_size=1'


@posix
@pytest.mark.parametrize(
    ("rows", "delay", "options"),
    [
        (100_000, 1.5, ""),
        (100_000, 1.5, 'solver=fm.Adam(updates="exact"), X_val=X, y_val=y'),
        (100_000, 1.5, "batch_size=10**9, rank=64, dtype='float64'"),
        (100_000, 0.5, "batch_size=1"),
        (150_000, 1.0, REPLAYING),
    ],
    ids=["lazy", "exact", "one batch", "one row", "replaying"],
)
def test_ctrl_c_is_heard_within_two_seconds(rows, delay, options):
    code = PROBLEM + INTERRUPTED.format(rows=rows, options=options)
    with subprocess.Popen([sys.executable, "-c", code], stdout=-1, stderr=-1, text=True) as child:
        try:
            assert child.stdout.readline() == "ready\n"
            time.sleep(delay)
            child.send_signal(signal.SIGINT)
            sent = time.monotonic()
            lines = iter(child.stdout.readline, "")
            assert "interrupted\n" in lines  # consumes the epochs before it
            waited = time.monotonic() - sent
            out, err = child.communicate(timeout=60)
        finally:
            child.kill()
    assert out == "trained again\n", err
    assert waited < 2


# --- forks and pools ----------------------------------------------------------------------------


@posix
def test_a_forked_child_trains_after_its_parent_did():
    run("""
expected = fit()
for _ in range(3):
    child = os.fork()
    if child == 0:
        os._exit(0 if fit() == expected == fit(None) else 3)
    assert os.waitpid(child, 0)[1] == 0
assert fit() == expected
""")


@posix
def test_a_fork_while_another_thread_trains():
    run("""
expected, stop = fit(), threading.Event()
X, y = problem(4000, 2000)
options = {"epochs": 10**6, "n_threads": 4, "callbacks": [lambda epoch: stop.is_set()]}
other = threading.Thread(target=fm.train, args=(X, y), kwargs=options)
other.start()
time.sleep(0.3)
for _ in range(3):
    child = os.fork()
    if child == 0:
        os._exit(0 if fit() == expected else 3)
    assert os.waitpid(child, 0)[1] == 0
stop.set()
other.join()
""")


@posix
def test_a_pool_of_forks():
    run("""
expected = fit()
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map(fit, [4, 1, None, 2]) == [expected] * 4
""")


POOLED = (
    PROBLEM
    + """
if __name__ == "__main__":
    expected = fit()
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.map(fit, [4, 1, None]) == [expected] * 3
    from joblib import Parallel, delayed
    assert Parallel(n_jobs=2)(delayed(fit)(threads) for threads in (4, 1, None)) == [expected] * 3
"""
)


def test_pools_of_new_interpreters(tmp_path):
    pytest.importorskip("joblib")  # comes with scikit-learn
    (tmp_path / "main.py").write_text(POOLED)
    command = [sys.executable, str(tmp_path / "main.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_more_threads_than_the_system_has_do_not_end_the_interpreter():
    code = """
X, y = problem(4000, 2000)
expected = fm.train(X, y, n_threads=1).V
for n_threads in (10**6, 2**40):
    try:
        assert np.array_equal(fm.train(X, y, n_threads=n_threads).V, expected)
    except ValueError as error:
        assert "n_threads" in str(error)
print("alive")
"""
    assert run(code) == "alive\n"


# --- the end of the interpreter ------------------------------------------------------------------

AT_EXIT = {
    "train": "fm.train(X, y, epochs=3)",
    "predict": "fm.predict(X, model)",
    "sample": "fm.train(X, y, solver=fm.Gibbs(burn_in=1, samples=2))",
}


@pytest.mark.parametrize("operation", AT_EXIT)
def test_the_interpreter_ends_while_daemon_threads_work(operation):
    """Eight times, at different moments: status 0, and not a word about `terminate`."""
    code = f"""
X, y = problem(4000, 2000)
model = fm.train(X, y, epochs=1)
def for_ever():
    while True:
        {AT_EXIT[operation]}
for _ in range(3):
    threading.Thread(target=for_ever, daemon=True).start()
"""
    for number in range(8):
        script = f"{PROBLEM}{code}time.sleep({0.02 * number})"
        command = [sys.executable, "-c", script]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, "")


# --- imports and versions -----------------------------------------------------------------------


def test_importing_is_light():
    heavy = ("sklearn", "pandas", "polars", "pyarrow", "matplotlib", "tqdm", "click", "joblib")
    code = f"""
print([name for name in {heavy} if name in sys.modules])
model = fm.train(*problem(100, 100), epochs=1)
fm.predict(problem(100, 100)[0], model)
print([name for name in {heavy} if name in sys.modules])
"""
    assert run(code) == "[]\n[]\n"


def test_importing_says_nothing_and_starts_no_thread():
    assert run("") == ""
    if sys.platform == "linux":
        count = "import os; print(len(os.listdir('/proc/self/task')))"
        bare = [sys.executable, "-c", f"import numpy, scipy.sparse; {count}"]  # has its own
        assert run(count) == subprocess.check_output(bare, text=True, timeout=60)


def test_show_versions_says_what_a_bug_report_needs():
    out = run("fm.show_versions()")
    rows = dict(line.strip().split(": ", 1) for line in out.splitlines())
    assert rows["instruction set"].split()[0] in ("baseline", "v3", "v4")
    assert int(rows["default threads"]) >= 1
    assert rows["OpenMP"] == "none: std::thread" or rows["OpenMP"][:6].isdigit()
    for name in ("sparsefm", "compiler", "Eigen", "Python", "NumPy", "SciPy", "platform"):
        assert rows[name]


@pytest.mark.parametrize(("variable", "threads"), [("1", 1), ("1,4", 1), ("1000", None)])
def test_omp_num_threads_limits_the_default(monkeypatch, variable, threads):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    show = "from sparsefm.versions import versions; print(versions())"
    free = run(show)
    monkeypatch.setenv("OMP_NUM_THREADS", variable)
    limited = run(show)
    if threads is None:
        assert limited == free
    else:
        assert f"'default threads': '{threads}'" in limited
