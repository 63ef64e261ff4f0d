"""``python -m bench gibbs``: every side gets the same problem, and tells times and losses."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix

import sparsefm as fm

ROOT = Path(__file__).resolve().parents[2]

if not (ROOT / "bench").is_dir():
    pytest.skip("the benchmarks are not beside the tests", allow_module_level=True)


@pytest.fixture(autouse=True)
def _bench_is_importable(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)


@pytest.fixture
def sides():
    from bench import gibbs_sides

    return gibbs_sides


@pytest.fixture
def gibbs():
    from bench import gibbs

    return gibbs


@pytest.fixture(params=[True, False], ids=["binary", "regression"])
def problem(sides, request):
    random = np.random.default_rng(0)
    codes = random.integers([0, 5, 10], [5, 10, 15], size=(400, 3))
    X = csr_matrix((np.ones(1200, np.float32), codes.ravel(), np.arange(0, 1201, 3)), (400, 15))
    y = X @ random.normal(size=15) + random.normal(size=400)
    y = (y > 0).astype(np.float32) if request.param else y
    return sides.Problem(
        X[:300], y[:300], X[300:], y[300:], np.repeat([0, 1, 2], 5), binary=request.param
    )


def test_problems_survive_storage(sides, problem, tmp_path):
    problem.save(tmp_path)
    found = sides.Problem.load(str(tmp_path))
    assert (abs(found.X - problem.X).nnz, abs(found.X_test - problem.X_test).nnz) == (0, 0)
    assert found.X.dtype == np.float32
    for name in ("y", "y_test", "fields"):
        np.testing.assert_array_equal(getattr(found, name), getattr(problem, name))
    assert found.binary is problem.binary
    assert found.head(7).X.shape == (7, 15)


def test_losses_are_those_of_the_model_that_train_returns(sides, problem, tmp_path):
    problem.save(tmp_path)
    trace = sides.sparsefm(1, str(tmp_path), rank=2, sweeps=9, losses=True)
    assert len(trace["seconds"]) == len(trace["loss"]) == 9
    assert (np.diff([0, *trace["seconds"]]) > 0).all()
    model = fm.train(
        problem.X, problem.y, task="binary" if problem.binary else "regression", rank=2,
        solver=fm.Gibbs(), epochs=9, fields=problem.fields,
    )  # fmt: skip
    mean = sides.Mean(problem)  # what myFM's losses are computed by
    for sweep, sample in enumerate(model.samples, sides.BURN_IN):
        one = fm.Model(sample.w0, sample.w, sample.V, "regression", "squared")
        scores = model.offset + model.scale * one.predict(problem.X_test).astype(float)
        assert mean.add(sweep, scores) == pytest.approx(trace["loss"][sweep], rel=1e-4)


def test_only_the_last_sample_counts_during_the_burn_in(sides, problem):
    mean, scores = sides.Mean(problem), np.random.default_rng(1).normal(size=(8, 100))
    losses = [mean.add(sweep, had) for sweep, had in enumerate(scores)]
    assert sides.Mean(problem).add(0, scores[5]) == losses[5]
    assert sides.Mean(problem).add(0, scores[7]) != losses[7]


def test_a_clock_leaves_out_what_is_skipped(sides):
    clock = sides.Clock()
    clock.tick()
    time.sleep(0.2)
    clock.skip()
    clock.tick()
    before, after = clock.trace([])["seconds"]
    assert 0 <= after - before < 0.1


def test_seconds_until_a_loss(gibbs):
    trace = {"seconds": [1.0, 2.0, 3.0], "loss": [0.5, 0.41384, 0.42]}
    assert gibbs.seconds_until(trace, 0.4138) == 2
    assert gibbs.seconds_until(trace, 0.4137) is None


def test_tables_have_a_row_for_each_mark(gibbs):
    slow = {"seconds": [2.0, 4.0, 6.0], "cpu": [1.0, 2.0, 3.0], "loss": [0.5, 0.4, 0.3]}
    fast = {"seconds": [1.0, 2.0], "cpu": [1.5, 3.0], "loss": [0.6, 0.5]}
    traces = {"ours": fast, "Adam": fast, "myFM": slow}
    _, rows = gibbs.at_marks(traces, {"ours": (1, 2), "Adam": (), "myFM": (1, 2)}, "loss")
    assert rows[:3] == [
        ["ours", 1, 1.0, 1.5, "0.6000", "2x"],
        ["ours", 2, 2.0, 3.0, "0.5000", "2x"],
        ["Adam", 2, 2.0, 3.0, "0.5000", None],
    ]


def test_a_python_without_myfm_measures_nothing_of_it(gibbs, monkeypatch, capsys):
    monkeypatch.setenv(gibbs.MYFM, "no-such-python")
    assert gibbs.find_myfm() is None
    assert "not measured" in capsys.readouterr().out


@pytest.mark.slow
def test_command_line(tmp_path):
    command = [sys.executable, "-m", "bench", "gibbs", "--quick", "--plot", str(tmp_path / "a.png")]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "failed" not in done.stdout
    assert "| 8 | sparsefm | 1 |" in done.stdout
    assert "| Gibbs, 4 chains | 8 |" in done.stdout
    assert (tmp_path / "a.png").stat().st_size > 1000
