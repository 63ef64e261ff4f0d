"""Files of rows, and rows that stay in files, on the command line."""

from pathlib import Path

import numpy as np
import pytest

import sparsefm as fm

pytest.importorskip("click")

FAST = "--search none --solver adam --quiet"


def test_rows_of_matrices_on_the_command_line(run):
    """Weights count, and columns are no indices of a text."""
    data = fm.read("rows.svm")
    y, weights = data.y.astype(int), np.arange(len(data.y)) % 3 + 1.0
    fm.convert(iter([(data.X, y, weights)]), "weighted.rows")
    how = f"--task classification {FAST}"
    run(f"train weighted.rows --valid weighted.rows {how} --epochs 2 -o a.st")
    found, quick = fm.load("a.st"), {"search": None, "solver": fm.Adam(), "epochs": 2}
    wanted = fm.FMClassifier(**quick).fit(data.X, y, weights, eval_set=(data.X, y, weights))
    np.testing.assert_array_equal(found.predict_proba(data.X), wanted.predict_proba(data.X))
    assert found.history_["val_loss"] == wanted.history_["val_loss"]
    Path("tail.svm").write_text("1 1:1 6:1\n0 2:1 6:1\n" * 20)
    assert "no index is 0" in run("predict a.st tail.svm").stderr
    for files in ("tail.svm --valid weighted.rows", "weighted.rows --valid tail.svm"):
        for task in ("classification", "binary"):
            run(f"train {files} --task {task} -o b.st", code=1)
    done = run("train rows.svm --valid weighted.rows --task binary -o b.st", code=1)
    assert "weights" in done.stderr or "guess" in done.stderr


def test_going_on_with_rows_in_files(run):
    """They have the features of the model if the command says where indices begin."""
    run("train rows.svm --task binary -o m.st --quiet")
    Path("tail.svm").write_text("1 1:1 6:1\n0 2:1 6:1\n" * 20)
    flags = "--task binary --init m.st --quiet --zero-based"
    run(f"train tail.svm {flags} -o a.st")
    run(f"train tail.svm {flags} --memory-budget 300000000 -o b.st")
    np.testing.assert_array_equal(fm.load("a.st").V, fm.load("b.st").V)
    budget = "--memory-budget 300000000"
    done = run(f"train tail.svm --task binary --init m.st {budget} -o b.st", code=1)
    assert "init has 11 features" in done.stderr


def test_a_pattern_of_a_file_of_rows(run):
    run("train rows.svm --task binary -o m.st --quiet")
    run("convert rows.svm -o kept.rows")
    assert run("predict m.st kep*.rows").stdout == run("predict m.st rows.svm").stdout


@pytest.mark.parametrize("how", ["binary", "regression", f"classification {FAST}"])
def test_rows_are_evaluated_by_their_weights(run, how):
    """A row of weight 3 counts as three rows."""
    data = fm.read("rows.svm")
    weights = np.arange(len(data.y)) % 3 + 1
    fm.convert(iter([(data.X, data.y, weights.astype(float))]), "weighted.rows")
    repeated = np.repeat(np.arange(len(weights)), weights)
    fm.convert(iter([(data.X[repeated], data.y[repeated])]), "repeated.rows")
    run(f"train repeated.rows --task {how} --quiet -o m.st")
    one, other = (run(f"evaluate m.st {kind}.rows --json") for kind in ("weighted", "repeated"))
    assert one.pop("rows") < other.pop("rows")
    assert one == pytest.approx(other)
