"""The comparison of predictions: its losses, errors, sides and command line."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]

if not (ROOT / "bench").is_dir():
    pytest.skip("the benchmarks are not beside the tests", allow_module_level=True)


@pytest.fixture(autouse=True)
def _bench_is_importable(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)


@pytest.fixture
def defaults():
    from bench import defaults

    return defaults


@pytest.fixture
def predictors():
    from bench import predictors

    return predictors


@pytest.fixture
def tuned():
    from bench import tuned

    return tuned


def load(name):
    from bench.datasets import load

    return load(name)


def data_set(task, y_test):
    from bench.datasets import DataSet

    y = np.asarray(y_test)
    return DataSet("some", task, np.zeros((len(y), 1)), y, np.zeros((len(y), 1)), y, "here")


# --- losses and their errors --------------------------------------------------------------------


def test_losses_of_rows(defaults):
    data = data_set("regression", [1.0, 2.0])
    assert defaults.row_losses(data, np.array([1.0, 5.0])).tolist() == [0, 9]
    data = data_set("multiclass", [2, 0])
    losses = defaults.row_losses(data, np.array([[0.25, 0.25, 0.5], [0.0, 0.5, 0.5]]))
    assert losses == pytest.approx([-np.log(0.5), -np.log(1e-7)])


def test_predictions_that_are_not_finite_have_no_loss(defaults, predictors):
    with pytest.raises(predictors.SkippedError, match="not finite"):
        defaults.row_losses(data_set("regression", [1.0, 2.0]), np.array([1.0, np.nan]))


@pytest.mark.parametrize("task", ["regression", "binary"])
def test_standard_error_is_that_of_resampled_rows(defaults, task):
    random = np.random.default_rng(0)
    first = random.exponential(size=2000)
    losses = {"sparsefm": 0.9 * first + random.exponential(0.2, 2000), "linear": first}

    def difference(rows):
        means = [losses[side][rows].mean() for side in ("sparsefm", "linear")]
        return np.subtract(*(np.sqrt(means) if task == "regression" else means))

    data = data_set(task, np.zeros(2000, np.int64))
    found, error = defaults.Comparison(data, losses).difference("sparsefm", "linear")
    assert found == pytest.approx(difference(slice(None)))
    resampled = [difference(random.integers(2000, size=2000)) for _ in range(400)]
    assert error == pytest.approx(np.std(resampled), rel=0.15)


# --- the sides ----------------------------------------------------------------------------------


def test_words_become_one_hot_and_numbers_standard(predictors):
    from bench.datasets import DataSet

    train = pd.DataFrame({"word": ["a", "b", "a"], "number": [1.0, 2.0, 3.0]}, index=[7, 3, 5])
    test = pd.DataFrame({"word": ["c"], "number": [2.0]})
    y = np.zeros(3)
    X, X_test = predictors.encode(DataSet("some", "regression", train, y, test, y[:1], "here"))
    assert X.toarray() == pytest.approx(
        np.array([[1, 0, -(1.5**0.5)], [0, 1, 0], [1, 0, 1.5**0.5]])
    )
    assert X_test.toarray().tolist() == [[0, 0, 0]]  # an unknown word is no word


def test_linear_reaches_the_noise_where_the_truth_is_linear(defaults, predictors):
    data = load("linear")
    rmse = defaults.row_losses(data, predictors.linear(data)).mean() ** 0.5
    assert rmse == pytest.approx(1, abs=0.04)


def test_linear_shrinks_to_the_constant_where_nothing_is_linear(defaults, predictors):
    data = load("xor")
    loss = defaults.row_losses(data, predictors.linear(data)).mean()
    assert loss == pytest.approx(np.log(2), abs=2e-3)


def test_tuned_finds_what_no_linear_model_can(defaults, tuned):
    data = load("xor")
    choice = tuned.search(data, settings=6)
    loss = defaults.row_losses(data, tuned.refit(data, choice)).mean()
    assert loss < np.log(2) - 0.1
    assert choice.settings["rank"] > 0
    assert loss == pytest.approx(choice.loss, abs=0.05)  # cross-validation tells the truth


def test_tuned_predicts_targets_in_their_own_units(defaults, tuned):
    data = load("friedman1")
    predicted = tuned.refit(data, tuned.search(data, settings=3))
    assert predicted.mean() == pytest.approx(data.y_test.mean(), abs=0.5)


def test_tuned_has_probabilities_of_several_classes(tuned, monkeypatch):
    monkeypatch.setattr(tuned, "MAX_EPOCHS", 40)
    data = load("wine")
    predicted = tuned.refit(data, tuned.search(data, settings=2))
    assert predicted.shape == (36, 3)
    assert predicted.sum(1) == pytest.approx(1)
    assert (predicted.argmax(1) == data.y_test).mean() > 0.8


def test_time_ends_the_search(tuned):
    assert tuned.search(load("tiny"), settings=10**9, seconds=0.1).epochs >= 1


# --- all together -------------------------------------------------------------------------------


def test_a_side_that_fails_and_a_data_set_that_is_missing_stop_nothing(
    defaults, predictors, monkeypatch, capsys, tmp_path
):
    from bench.datasets import UnavailableError

    def unable(data):
        raise predictors.SkippedError("not today")

    def find(name, seed):
        if name == "adult":
            raise UnavailableError("no wheel")
        return load(name)

    monkeypatch.setitem(defaults.SIDES, "modern-fm", unable)
    monkeypatch.setitem(defaults.SIDES, "sparsefm", lambda data: data.y_test + 0.5)
    monkeypatch.setattr(defaults, "load", find)
    defaults.defaults(["adult", "tiny"], with_tuned=False, file=tmp_path / "found.json")
    printed = capsys.readouterr()
    assert "adult: skipped: no wheel" in printed.err
    assert "tiny, modern-fm: not today" in printed.out
    [found] = json.loads((tmp_path / "found.json").read_text()).values()
    assert set(found["metric"]) == {"constant", "linear", "sparsefm"}
    assert found["metric"]["sparsefm"] == pytest.approx(0.5)
    value, error = found["difference"]["linear"]
    assert value == pytest.approx(0.5 - found["metric"]["linear"])
    assert 0 < error < 0.1


def test_repeats_pool_the_rows_of_several_splits(defaults):
    found = defaults.compare("tiny", ["constant"], repeats=2)
    assert len(found.losses["constant"]) == 10_000
    assert found.losses["constant"][:5000].mean() != found.losses["constant"][5000:].mean()


def test_a_fixed_split_is_not_repeated(defaults, monkeypatch):
    monkeypatch.setattr(defaults, "load", lambda name, seed: load("tiny"))
    found = defaults.compare("flights", ["constant"], repeats=3)
    assert len(found.losses["constant"]) == 5000


@pytest.mark.slow
def test_command_line(tmp_path):
    command = [sys.executable, "-m", "bench", "defaults", "--no-tuned", "--only", "tiny"]
    command += ["--only", "breast_cancer", "--json", str(tmp_path / "found.json")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "| tiny | 60 x 5 | 1.954 |" in done.stdout
    assert "| breast_cancer | 455 x 30 |" in done.stdout
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["breast_cancer"]["metric"]["linear"] < 0.2 < 0.6
