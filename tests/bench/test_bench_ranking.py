"""The bench of rankers: its data and metrics are as described, and it works without any peer."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from sparsefm.evaluation import ranking_metrics

ROOT = Path(__file__).resolve().parents[2]

if not (ROOT / "bench").is_dir():
    pytest.skip("the benchmarks are not beside the tests", allow_module_level=True)


@pytest.fixture(autouse=True)
def _bench_is_importable(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)


def bench(*arguments):
    command = [sys.executable, "-m", "bench", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


def test_a_fifth_of_the_items_is_chosen_in_the_test_alone():
    from bench import choices

    data = choices.cold(300, 100)
    unseen = ~data.items["item"].isin(data.train["item"])
    assert unseen.sum() >= 20
    assert 0.1 < (~data.test["item"].isin(data.train["item"])).mean() < 0.4
    assert not data.train.duplicated(["user", "item"]).any()
    both = data.test.merge(data.train, on=["user", "item"])
    assert both.empty
    assert data.test["time"].min() > data.train["time"].max()
    again = choices.cold(300, 100)
    assert again.train.equals(data.train)


def test_made_choices_have_the_shape_that_they_say():
    from bench import choices

    train, test = choices.made(0, 400, 200, 15)
    assert (test["user"].value_counts() == choices.TESTED).all()
    assert 12 < len(train) / 400 < 18
    assert test.merge(train, on=["user", "item"]).empty
    flat, skewed = (choices.made(0, 400, 200, 15, skew=skew)[0] for skew in (0.1, 3.0))
    assert skewed["item"].value_counts().iloc[0] > 2 * flat["item"].value_counts().iloc[0]


def test_problems_hold_the_last_choice_but_one(tmp_path):
    from bench import choices
    from bench.ranking_peers import Problem

    data = choices.cold(60, 40)
    data.save(tmp_path)
    problem = Problem.load(str(tmp_path))
    last = data.train.sort_values("time").groupby("user").tail(1)
    np.testing.assert_array_equal(problem.validation, last[["user", "item"]].sort_values("user").T)
    np.testing.assert_array_equal(problem.test, data.test[["user", "item"]].T)
    assert problem.train.shape[1] == len(data.train) - 60
    assert problem.item_features.shape[0] == 40
    assert choices.Choices.load(str(tmp_path)).train.equals(data.train)


def test_metrics_are_those_of_the_package():
    from bench.ranking_peers import TOP, metrics, recommend

    random = np.random.default_rng(0)
    U, V, biases = (random.normal(size=shape) for shape in ((30, 3), (25, 3), 25))
    seen = csr_matrix(random.random((30, 25)) < 0.3)
    users, chosen = np.arange(5, 30), random.integers(25, size=25)
    found = recommend((U, V, biases), seen, users)
    scores = np.where(seen.toarray(), -np.inf, U @ V.T + biases)[users]
    np.testing.assert_array_equal(found, np.argsort(-scores, axis=1)[:, :TOP])
    cold = chosen < 5
    ours = metrics(found, chosen, cold)
    lists = {"user": np.repeat(users, TOP), "item": found.ravel()}
    for part, name in ((chosen >= 0, "ndcg"), (cold, "cold")):
        relevant = {"user": users[part], "item": chosen[part]}
        expected = ranking_metrics(lists, relevant, rank=None)
        assert ours[name] == pytest.approx(expected["ndcg"])
        assert 0 < ours[name] < 1
    everyone = {"user": users, "item": chosen}
    assert ours["recall"] == pytest.approx(ranking_metrics(lists, everyone, rank=None)["recall"])


def test_what_is_kept_is_not_computed_again(tmp_path):
    from bench.kept import Kept

    calls = []

    def compute():
        calls.append(1)
        return {"ndcg": 0.1 + 0.2}

    key = ["cold", "a side", {"rank": 8}]
    for file in (None, tmp_path / "kept"):
        for _ in range(2):
            assert Kept(file).get(key, compute) == {"ndcg": 0.1 + 0.2}
    assert len(calls) == 3


@pytest.mark.slow
def test_ranking():
    sides = (
        "sparsefm all-pairs",
        "sparsefm warp, ids",
        "popularity",
        "implicit BPR",
        "LightFM WARP, ids",
    )
    done = bench("ranking", "--quick", *(word for side in sides for word in ("--side", side)))
    assert done.returncode == 0, done.stderr
    assert "failed" not in done.stdout
    for side in ("all-pairs, ids", "all-pairs, features", "warp, ids"):
        assert f"| sparsefm {side} | 0." in done.stdout
    assert "| popularity | 0." in done.stdout
    assert "| sparsefm warp, ids | 1 |" in done.stdout
    for peer, side in {"implicit": "implicit BPR", "LightFM": "LightFM WARP, ids"}.items():
        [line] = [line for line in done.stdout.splitlines() if line.startswith(f"| {peer} |")]
        assert "not measured" in line or f"| {side} | 0." in done.stdout


@pytest.mark.slow
def test_ranking_defaults():
    done = bench("ranking-defaults", "--quick", "--seeds", "1", "--other", "rank=4 init_scale=0.1")
    assert done.returncode == 0, done.stderr
    for loss in ("softmax", "warp", "bpr", "all-pairs"):
        assert f"| {loss} | 0." in done.stdout
        assert f"| {loss}, rank 4, init_scale 0.1 | 0." in done.stdout
