"""Train in forks, pools and threads, and end the interpreter while threads train."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from reliability.report import Budget, Report

TIMEOUT = 120.0

COMMON = """
import multiprocessing, os, sys, threading, time, warnings
warnings.simplefilter("ignore")
import numpy as np
import sparsefm as fm
from reliability.problems import KINDS, SAMPLED, SGD, fitted, matrix, scores, table, targets

def work(kind):
    model = fitted(kind, 300)
    return scores(model, table(300)).tobytes(), scores(model, table(50, 1)).tobytes()

ALL = [*KINDS, *KINDS]

if __name__ == "__main__":
    expected = [work(kind) for kind in ALL]
"""

POOL = """
    with multiprocessing.get_context("{}").Pool(2) as pool:
        assert pool.map(work, ALL) == expected
    assert [work(kind) for kind in ALL] == expected
"""
THREADS = """
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, ALL)) == expected
"""
JOBLIB = """
    from joblib import Parallel, delayed
    pool = Parallel(n_jobs=2, backend="{}")
    assert pool(delayed(work)(kind) for kind in ALL) == expected
"""
FORK = """
    stop = threading.Event()
    X, y = matrix(2000), targets("regressor", 2000)
    options = dict(epochs=10**6, callbacks=[lambda epoch: stop.is_set()])
    other = threading.Thread(target=fm.train, args=(X, y), kwargs=options)
    other.start()
    time.sleep(0.1)
    child = os.fork()
    if child == 0:
        os._exit(0 if [work(kind) for kind in ALL] == expected else 3)
    assert os.waitpid(child, 0)[1] == 0
    stop.set()
    other.join()
"""
# Threads that do this for ever, while the interpreter ends at a random moment.
EXIT = """
    import random, tempfile
    X, y = matrix(5000), targets("regressor", 5000)
    frame, few = table(5000), fitted("regressor", 100)
    model = fm.train(X, y, rank=8, epochs=1)
    encoder = fm.TableEncoder().fit(frame)
    path = os.path.join(sys.argv[1], "exit.safetensors")
    def for_ever():
        while True:
            {}
    for _ in range(3):
        threading.Thread(target=for_ever, daemon=True).start()
    time.sleep(random.uniform(0, 0.2))
"""
AT_EXIT = {
    "train": "fm.train(X, y, rank=8, epochs=3)",
    "predict": "fm.predict(X, model)",
    "sample": "fm.FMRegressor(**SAMPLED).fit(frame, y)",
    "fit": 'fm.FMClassifier(**SGD).fit(frame, targets("several classes", 5000))',
    "transform": "encoder.transform(frame)",
    "save": "model.save(path); fm.load(path)",
}
SCRIPTS = {
    **{method: POOL.format(method) for method in ("fork", "spawn", "forkserver")},
    "fork while a thread trains": FORK,
    "threads": THREADS,
    **{f"joblib {name}": JOBLIB.format(name) for name in ("loky", "threading", "multiprocessing")},
    **{f"exit in {name}": EXIT.format(call) for name, call in AT_EXIT.items()},
}


def try_one(name: str, folder: Path) -> str:
    """Run a script in an interpreter of its own; return what is wrong, or ""."""
    path = folder / "main.py"
    path.write_text(COMMON + SCRIPTS[name])
    command = [sys.executable, "-W", "ignore", str(path), str(folder)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
            env=environment,
        )
    except subprocess.TimeoutExpired:
        return f"hangs for {TIMEOUT:.0f} s"
    if done.returncode or done.stderr:
        return f"status {done.returncode}: {done.stderr[-2000:]}"
    return ""


def run(budget: Budget, report: Report) -> None:
    """Try every script in turn."""
    names = list(SCRIPTS)
    with tempfile.TemporaryDirectory() as folder:
        for number in budget:
            name = names[number % len(names)]
            if wrong := try_one(name, Path(folder)):
                report.find(f"{name}: {wrong}")
            else:
                report.add("left quietly" if name.startswith("exit") else "the same bits")
