"""The fuzzer of tables tries lists in every form and encoders of every kind, and sees faults."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("pandas")
pytest.importorskip("pyarrow")
pytest.importorskip("polars")

ROOT = Path(__file__).resolve().parent.parent.parent.parent
pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="for Linux"),
    pytest.mark.skipif(not (ROOT / "reliability").is_dir(), reason="only beside the sources"),
]
BEGIN = """
import random, sys, tempfile
from collections import Counter
from pathlib import Path
import pandas as pd, polars as pl, pyarrow as pa
import sparsefm as fm
from reliability.fuzz import lists, tables
from sparsefm.encoding import multi

random.seed(0)
def inputs(count):
    return [random.randbytes(200) for _ in range(count)]
"""
FORMS = """
found = Counter()
def forms(X):
    if isinstance(X, pa.Table):
        return [str(kind).partition("<")[0].partition("[")[0] for kind in X.schema.types]
    if isinstance(X, pl.DataFrame):
        return [kind.base_type().__name__ for kind in X.dtypes]
    if isinstance(X, pd.DataFrame):
        return [type(cell).__name__ for _, column in X.items() for cell in column.tolist()]
    rows = X if isinstance(X, list) else X.tolist()
    return [type(cell).__name__ for row in rows for cell in getattr(row, "values", row.copy)()]
def outcome(method, X, *args):
    result = tried(method, X, *args)
    if isinstance(result, fm.FMRegressor | fm.FMClassifier):
        encoder = result.encoder_
        found.update(forms(X))
        found.update(f"combiner={encoder.combiner}" for _ in encoder.multi or ())
        found.update(name for name in ("hashed", "multi") if getattr(encoder, name))
        found[encoder.numeric if isinstance(encoder.numeric, str) else "mapping"] += 1
    return result
tried, tables.outcome = tables.outcome, outcome
with tempfile.TemporaryDirectory() as folder:
    for data in inputs(2500):
        tables.test(data, Path(folder))
wanted = {*"list tuple set frozenset ndarray Series dict".split(), "List", "Array", "map",
          "large_list", "fixed_size_list", "hashed", "multi", "spline", "mapping",
          "combiner=mean", "combiner=sqrt", "combiner=sum"}
assert wanted <= set(found), wanted - set(found)
"""
FAULT = """
{}
with tempfile.TemporaryDirectory() as folder:
    for data in inputs(400):
        tables.test(data, Path(folder))
"""
FOREIGN = """
def fail(*args):
    raise KeyError("foreign")
multi._combined = fail
"""
CHANGED = """
load = fm.load
def loaded(path):
    model = load(path)
    for encoding in model.encoder_._encodings or ():
        if isinstance(encoding, multi.Multi):
            object.__setattr__(encoding, "combiner", "sum")
    return model
fm.load = loaded
"""


def run(code):
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BEGIN + code],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])},
        timeout=280,
    )


@pytest.mark.slow
def test_every_form_is_fitted():
    done = run(FORMS)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize(
    ("fault", "error"),
    [(FOREIGN, "KeyError: 'foreign'"), (CHANGED, "AssertionError")],
    ids=["foreign error", "changed by loading"],
)
def test_a_fault_is_found(fault, error):
    done = run(FAULT.format(fault))
    assert done.returncode == 1
    assert error in done.stderr
