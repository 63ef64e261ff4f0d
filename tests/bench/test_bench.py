"""The benchmarks: their data are as described, and their command line works without any peer."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

import sparsefm as fm

ROOT = Path(__file__).resolve().parents[2]

if not (ROOT / "bench").is_dir():
    pytest.skip("the benchmarks are not beside the tests", allow_module_level=True)


@pytest.fixture
def sets(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    from bench import data

    return data


def log_loss(y, scores):
    return np.logaddexp(0, np.where(y > 0, -1, 1) * scores).mean()


def test_rows_have_a_one_in_each_field(sets):
    sizes = sets.field_sizes(20, 2000)
    assert sizes.sum() == 2000
    assert (sizes >= 2).all()
    assert (np.diff(sizes) >= 0).all()
    X, y = sets.Clicks(20, 2000).draw(3000)
    assert (X.shape, X.nnz) == ((3000, 2000), 60_000)
    assert X.dtype == np.float32
    assert X.indices.dtype == np.int32
    assert (X.data == 1).all()
    ends = np.cumsum(sizes)
    columns = X.indices.reshape(3000, 20)
    assert ((columns >= ends - sizes) & (columns < ends)).all()
    assert set(y) == {0, 1}
    assert 0.1 < y.mean() < 0.4


def test_popularity_falls_and_is_not_in_the_order_of_identifiers(sets):
    X, _ = sets.Clicks(2, 2000).draw(20_000)
    [counts] = np.asarray(X[:, -1900:].sum(0))
    ordered = np.sort(counts)[::-1]
    assert ordered[0] > 5 * ordered[9] > 25 * ordered[99]
    assert abs(np.corrcoef(np.arange(1900), counts)[0, 1]) < 0.1


def test_the_same_seed_gives_the_same_rows(sets):
    (first, y), (again, y_again) = (sets.Clicks(20, 2000).draw(500) for _ in range(2))
    np.testing.assert_array_equal(first.indices, again.indices)
    np.testing.assert_array_equal(y, y_again)
    other, _ = sets.Clicks(20, 2000, seed=1).draw(500)
    assert (first.indices != other.indices).any()


def test_interactions_can_be_learnt(sets):
    source = sets.Clicks(8, 400)
    (X, y), (X_val, y_val) = source.draw(30_000), source.draw(10_000)
    linear = LogisticRegression(max_iter=300).fit(X, y)
    solver = fm.AdaGrad(l2_linear=1e-3, l2_factors=1e-3)
    settings = {"task": "binary", "rank": 8, "solver": solver, "init": "uniform"}
    model = fm.train(X, y, epochs=10, batch_size=64, n_threads=2, **settings)
    machine = log_loss(y_val, model.score(X_val))
    assert machine < log_loss(y_val, linear.decision_function(X_val)) - 0.02


def test_data_survive_storage(sets):
    source = sets.Clicks(4, 100)
    data = sets.Data(*source.draw(50), *source.draw(10))
    with sets.stored(data) as folder:
        found = sets.load(folder)
    assert isinstance(found.X, csr_matrix)
    assert (abs(found.X - data.X).nnz, abs(found.X_val - data.X_val).nnz) == (0, 0)
    np.testing.assert_array_equal(found.y, data.y)
    assert found.X_test is None
    assert found.head(7).X.shape == (7, 100)


def bench(*arguments):
    command = [sys.executable, "-m", "bench", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


@pytest.mark.slow
def test_throughput_says_what_it_measured_and_what_not():
    done = bench("throughput", "--quick", "--data", "a")
    assert done.returncode == 0, done.stderr
    assert "| 8 | 1 | sparsefm |" in done.stdout
    assert "failed" not in done.stdout
    for side in ("modern-fm", "PyTorch", "Vowpal Wabbit", "LightFM", "river", "SGDClassifier"):
        [line] = [line for line in done.stdout.splitlines() if line.startswith(f"| {side} |")]
        assert "not measured" in line or f"| 8 | 1 | {side} |" in done.stdout


@pytest.mark.slow
def test_fields():
    done = bench("fields", "--quick")
    assert done.returncode == 0, done.stderr
    assert "| 18 | 256 | 1 | fwfm |" in done.stdout
    assert "| ffm | 256 | 1 |" in done.stdout


@pytest.mark.slow
def test_streams():
    done = bench("streams", "--quick", "--budget", "400")
    assert done.returncode == 0, done.stderr
    assert "| sparsefm, within the budget |" in done.stdout


@pytest.mark.slow
def test_files():
    done = bench("files", "--quick")
    assert done.returncode == 0, done.stderr
    for kind in ("one-hot", "values", "libffm", "one-hot, gzip"):
        assert f"| {kind} |" in done.stdout


@pytest.mark.slow
def test_distributed():
    done = bench("distributed", "--quick", "--data", "clicks", "--partitions", "3")
    assert done.returncode == 0, done.stderr
    assert "| 3 | 64 |" in done.stdout


@pytest.mark.slow
def test_folding():
    done = bench("folding", "--quick")
    assert "| AdaGrad | 5 | " in done.stdout
    assert "| Gibbs | 20 | " in done.stdout


@pytest.mark.slow
def test_retrieval():
    done = bench("retrieval", "--quick")
    assert done.returncode == 0, done.stderr
    for count in (1, 64):
        side = f"| {count} | sparsefm, 1 thread |"
        [line] = [line for line in done.stdout.splitlines() if line.startswith(side)]
        assert line.endswith("| 100.0% |")


def test_help():
    listed = bench("--help").stdout
    names = "throughput quality memory-limit exact busy predict scale gibbs fields files streams"
    for command in [*names.split(), "distributed", "folding", "retrieval", "ranking", "spark"]:
        assert command in listed
