"""Training within a budget of memory: what the process takes at most, as the system counts it."""

import itertools
import json
import subprocess
import sys

import numpy as np
import pytest

MIB = 1 << 20

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is counted otherwise"),
]

SCRIPT = r"""
import json, re, sys
import numpy as np, scipy.sparse as sp, sparsefm as fm

def chunks(n, k, d, seed):
    rng = np.random.default_rng(seed)
    for begin in range(0, n, 2000):
        m = min(2000, n - begin)
        columns = np.sort(rng.integers(0, d, (m, k)), axis=1).astype(np.int32)
        values, indptr = np.full(m * k, 0.5, np.float32), np.arange(0, m * k + 1, k)
        X = sp.csr_matrix((values, columns.ravel(), indptr), (m, d))
        X.sum_duplicates()
        yield X, np.arange(m) % 2

case = json.loads(sys.argv[1])
options = {"memory_budget": case["budget"] or None, "rank": case.get("rank", 4)}
if "path" in case:
    X = case["path"]
else:
    X = chunks(case["n"], case["k"], case["d"], 0)
if "validation" in case:
    options["X_val"] = chunks(case["validation"], 2, case["d"], 1)
callbacks = {"EarlyStopping": fm.EarlyStopping, "Checkpoint": lambda: fm.Checkpoint(case["saved"])}
options["callbacks"] = [callbacks[name]() for name in case.get("callbacks", [])]
fm.train(X, task="binary", epochs=2, **options)
print(int(re.search(r"VmHWM:\s+(\d+) kB", open("/proc/self/status").read())[1]) << 10)
"""


def peak(**case):
    """Return the most memory of a process that trains, in bytes."""
    call = [sys.executable, "-c", SCRIPT, json.dumps(case)]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_a_text_whose_rows_are_larger(tmp_path):
    """Rows that take 190 MB, and whose transposes as much again."""
    path = str(tmp_path / "a.svm")
    rng = np.random.default_rng(0)
    with open(path, "w") as file:
        block = [
            f"{row % 2} " + " ".join(f"{i}:0.5" for i in sorted(rng.choice(10**5, 60, False)))
            for row in range(2000)
        ]
        for _ in itertools.repeat(None, 200):
            file.write("\n".join(block) + "\n")
    budget = 250 * MIB
    assert peak(path=path, budget=budget) < budget
    assert peak(path=path, budget=budget) < budget  # from the file beside it
    assert peak(path=path, budget=0) > 2 * budget


@pytest.mark.parametrize(
    "case",
    [
        {"n": 400_000, "k": 2, "d": 1000, "budget": 200 * MIB},
        {"n": 60_000, "k": 200, "d": 1000, "budget": 170 * MIB},
        {"n": 60_000, "k": 200, "d": 1000, "budget": 170 * MIB, "callbacks": ["Checkpoint"]},
        {"n": 20_000, "k": 10, "d": 1000, "budget": 290 * MIB, "validation": 1_000_000},
        {"n": 20_000, "k": 20, "d": 300_000, "rank": 16, "budget": 250 * MIB},
        {"n": 20_000, "k": 20, "d": 300_000, "rank": 16, "budget": 370 * MIB}
        | {"validation": 2000, "callbacks": ["EarlyStopping"]},
        {"n": 20_000, "k": 20, "d": 300_000, "rank": 16, "budget": 310 * MIB}
        | {"callbacks": ["Checkpoint"]},
    ],
)
def test_other_shapes(tmp_path, case):
    assert peak(**case, saved=str(tmp_path / "saved")) < case["budget"]
