"""The comparison of predictions: its losses, errors, sides and command line."""

import importlib
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


def module(name):
    return pytest.fixture(lambda: importlib.import_module(f"bench.{name}"), name=name)


boosting, comparison, encodings = module("boosting"), module("comparison"), module("encodings")
ours, predictors, price = module("ours"), module("predictors"), module("price")
report, results, sides, tuned = (module(n) for n in ("report", "results", "sides", "tuned"))


def load(name):
    from bench.datasets import load

    return load(name)


def data_set(task, y_test):
    from bench.datasets import DataSet

    y = np.asarray(y_test)
    return DataSet("some", task, np.zeros((len(y), 1)), y, np.zeros((len(y), 1)), y, "here")


# --- losses and their errors --------------------------------------------------------------------


def test_losses_of_rows(comparison):
    data = data_set("regression", [1.0, 2.0])
    assert comparison.row_losses(data, np.array([1.0, 5.0])).tolist() == [0, 9]
    data = data_set("multiclass", [2, 0])
    losses = comparison.row_losses(data, np.array([[0.25, 0.25, 0.5], [0.0, 0.5, 0.5]]))
    assert losses == pytest.approx([-np.log(0.5), -np.log(1e-7)])


def test_predictions_that_are_not_finite_have_no_loss(comparison, predictors):
    with pytest.raises(predictors.SkippedError, match="not finite"):
        comparison.row_losses(data_set("regression", [1.0, 2.0]), np.array([1.0, np.nan]))


@pytest.mark.parametrize("task", ["regression", "binary"])
def test_standard_error_is_that_of_resampled_rows(comparison, task):
    random = np.random.default_rng(0)
    first = random.exponential(size=2000)
    losses = {"sparsefm": 0.9 * first + random.exponential(0.2, 2000), "linear": first}

    def difference(rows):
        means = [losses[side][rows].mean() for side in ("sparsefm", "linear")]
        return np.subtract(*(np.sqrt(means) if task == "regression" else means))

    data = data_set(task, np.zeros(2000, np.int64))
    found, error = comparison.Comparison(data, losses).difference("sparsefm", "linear")
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


def test_linear_reaches_the_noise_where_the_truth_is_linear(comparison, predictors):
    data = load("linear")
    rmse = comparison.row_losses(data, predictors.linear(data)).mean() ** 0.5
    assert rmse == pytest.approx(1, abs=0.04)


def test_linear_shrinks_to_the_constant_where_nothing_is_linear(comparison, predictors):
    data = load("xor")
    loss = comparison.row_losses(data, predictors.linear(data)).mean()
    assert loss == pytest.approx(np.log(2), abs=2e-3)


def test_tuned_finds_what_no_linear_model_can(comparison, tuned):
    data = load("xor")
    choice = tuned.search(data, settings=6)
    assert choice.tried == 6
    loss = comparison.row_losses(data, tuned.refit(data, choice)).mean()
    assert loss < np.log(2) - 0.1
    assert choice.settings["rank"] > 0
    assert loss == pytest.approx(choice.loss, abs=0.05)  # cross-validation tells the truth


def test_tuned_predicts_targets_in_their_own_units(comparison, tuned):
    data = load("friedman1")
    predicted = tuned.tuned(data, settings=3)
    assert predicted.mean() == pytest.approx(data.y_test.mean(), abs=0.5)


def test_tuned_has_probabilities_of_several_classes(tuned, monkeypatch):
    monkeypatch.setattr(tuned, "MAX_EPOCHS", 40)
    monkeypatch.setattr(tuned, "MAX_SWEEPS", 40)
    data = load("wine")
    predicted = tuned.refit(data, tuned.search(data, settings=2))
    assert predicted.shape == (36, 3)
    assert predicted.sum(1) == pytest.approx(1)
    assert (predicted.argmax(1) == data.y_test).mean() > 0.8


def test_time_ends_the_search(tuned):
    assert tuned.search(load("tiny"), settings=10**9, seconds=0.1).epochs >= 1


@pytest.mark.parametrize("numeric", ["plain", "standardize", "log", "bin"])
def test_the_ceiling_has_numbers_in_each_way(encodings, numeric):
    data = load("mixed")
    rows = encodings.features(data, numeric, 8 if numeric == "bin" else 0, pooled=False)
    assert rows.X.shape == (8000, rows.X_test.shape[1])
    values = rows.X[:, rows.X.getnnz(0) == 8000]  # what every row has: numbers
    assert values.shape[1] == (0 if numeric == "bin" else 4)
    if numeric != "plain":
        pooled = encodings.features(data, numeric, 8 if numeric == "bin" else 0, pooled=True)
        assert len(set(rows.fields)) == 7
        assert len(set(pooled.fields)) == (7 if numeric == "bin" else 4)


def test_the_ceiling_samples_and_descends(tuned):
    random = np.random.default_rng(0)
    names = {tuned._draw(random)["solver"].name for _ in range(30)}
    assert names == {"gibbs", "adam", "adagrad"}


def test_boosting_knows_categories(boosting):
    _, test, categorical = boosting.codes(load("few_ratings_small"))
    assert categorical.tolist() == [False, False]  # more than it can take
    assert np.isnan(test).sum() < 100
    train, _, categorical = boosting.codes(load("mixed"))
    assert categorical.tolist() == [True] * 3 + [False] * 4
    assert train[:, 0].max() == 19


def test_boosting_finds_the_table_that_a_matrix_was_made_of(boosting):
    data = load("popular_small")
    train, test, _ = boosting.codes(data)
    assert train.shape == (16_000, 2)
    assert test.shape == (5000, 2)
    np.testing.assert_array_equal(train[:, 0], data.X_train.indices.reshape(-1, 2)[:, 0])


def test_boosting_does_not_take_wide_matrices(boosting, predictors):
    with pytest.raises(predictors.SkippedError, match="no table"):
        boosting.codes(load("text_2"))


def test_groups_are_columns(predictors):
    data = load("mixed")
    X, _ = predictors.encode(data)
    found = predictors.groups(data, X)
    assert np.bincount(found).tolist() == [20, 5, 200, 4]
    data = load("popular_small")
    assert np.bincount(predictors.groups(data, data.X_train)).tolist() == [300, 200]


def test_myfm_that_is_missing_is_skipped(predictors, monkeypatch):
    monkeypatch.setattr(predictors, "myfm_python", lambda: None)
    with pytest.raises(predictors.SkippedError, match="not installed"):
        predictors.myfm(load("tiny"))


def test_a_fifth_of_the_rows_is_the_eval_set(ours, monkeypatch):
    seen = []

    class Spy:
        def fit(self, X, y, eval_set):
            seen.append((X, y, *eval_set))
            return self

        def predict(self, X):
            return np.zeros(len(X))

    monkeypatch.setattr(ours, "estimator", lambda data, seed: Spy())
    data = load("tiny")
    for seed in (0, 1):
        ours.with_eval_set(data, seed)
    first, second = seen
    assert (len(first[0]), len(first[2])) == (48, 12)
    assert sorted([*first[1], *first[3]]) == sorted(data.y_train)
    assert set(first[3]) != set(second[3])


# --- all together -------------------------------------------------------------------------------


@pytest.fixture
def kept(results, tmp_path):
    return results.Results(tmp_path / "kept")


def run(names, sides, kept, **options):
    from bench.defaults import run

    run(names, sides, list(sides), kept, **options)


def test_a_side_that_fails_and_a_data_set_that_is_missing_stop_nothing(
    comparison, predictors, sides, kept, monkeypatch, capsys, tmp_path
):
    from bench.datasets import UnavailableError

    def unable(data):
        raise predictors.SkippedError("not today")

    def broken(data):
        raise KeyError("broken")

    def find(name, number):
        if name == "adult":
            raise UnavailableError("no wheel")
        return load(name)

    some = {
        "constant": sides.Side(predictors.constant),
        "linear": sides.Side(predictors.linear),
        "HistGB": sides.Side(broken),
        "modern-fm": sides.Side(unable),
        "sparsefm": sides.Side(lambda data, seed: data.y_test + 0.5 + seed, seeded=True),
    }
    monkeypatch.setattr(comparison, "load", find)
    run(["adult", "tiny"], some, kept, file=tmp_path / "found.json")
    printed = capsys.readouterr()
    assert "adult: skipped: no wheel" in printed.err
    assert "modern-fm: not today (tiny)" in printed.out
    assert "HistGB: KeyError: 'broken' (tiny)" in printed.out
    assert "within 1% of the better of linear and ceiling on 1 of 1 sets" in printed.out
    [found] = json.loads((tmp_path / "found.json").read_text()).values()
    assert set(found["metric"]) == {"constant", "linear", "sparsefm"}
    assert found["metric"]["sparsefm"] == pytest.approx(0.5)
    assert (found["group"], found["kind"]) == ("shaping", "tiny")
    value, error = found["difference"]["linear"]
    assert value == pytest.approx(0.5 - found["metric"]["linear"])
    assert 0 < error < 0.1


def test_seeds_are_on_the_same_rows_and_tables_pooled(comparison, sides, kept):
    side = {"sparsefm": sides.Side(lambda data, seed: data.y_test + 1 + seed, seeded=True)}
    found = comparison.compare("tiny", side, side, kept, tables=2, seeds=3)
    assert len(found.losses["sparsefm"]) == 10_000
    assert found.figures["sparsefm"] == [pytest.approx([1, 2, 3])] * 2
    assert found.spread("sparsefm") == pytest.approx(1)
    assert found.metric("sparsefm") == pytest.approx(((1 + 4 + 9) / 3) ** 0.5)


def test_a_fixed_split_is_not_repeated(comparison, predictors, sides, kept, monkeypatch):
    monkeypatch.setattr(comparison, "load", lambda name, number: load("tiny"))
    side = {"constant": sides.Side(predictors.constant)}
    found = comparison.compare("flights", side, side, kept, tables=3)
    assert len(found.losses["constant"]) == 5000
    assert found.spread("constant") is None


def test_what_was_kept_is_not_computed_again(comparison, sides, kept):
    calls = []

    def predict(data):
        calls.append(data.seed)
        return np.zeros(len(data.y_test))

    def compare(version, name="tiny", chosen=("linear",)):
        some = {"linear": sides.Side(predict, lambda: version)}
        return comparison.compare(name, some, chosen, kept)

    first = compare("1")
    again = compare("1", chosen=())
    assert calls == [0]
    assert again.losses["linear"] == pytest.approx(first.losses["linear"], rel=1e-5)
    assert again.seconds == first.seconds
    assert compare("2", chosen=()).losses == {}
    compare("2")
    compare("2", "tiny_noisy")
    assert calls == [0, 0, 1000]


def test_results_of_other_data_do_not_count(results, kept):
    data = load("tiny")
    kept.keep(data, "linear", "1", results.Result(np.ones(3), 2.0))
    assert kept.find(data, "linear", "1").seconds == 2
    data.y_train[0] += 1
    assert kept.find(data, "linear", "1") is None


def test_the_summary_says_what_is_not_reached(comparison, report):
    def found(linear, ceiling, ours, name="tiny"):
        n = np.ones(100)
        given = {"linear": linear, "ceiling": ceiling, "sparsefm": ours, "HistGB": 1.0}
        data = data_set("binary", np.zeros(100, np.int64))
        return comparison.Comparison(data, {side: value * n for side, value in given.items()})

    lines = list(
        report.summary(
            {
                "good": found(1.0, 0.8, 0.805),
                "behind": found(1.0, 0.8, 0.84),
                "linear": found(1.0, 0.5, 1.03),
                "nested_some_1e4": found(1.0, 1.0, 0.8),
                "nested_some_1e5": found(1.0, 1.0, 0.9),
            }
        )
    )
    assert lines[0] == (
        "within 1% of the better of linear and ceiling on 3 of 5 sets; further: "
        "linear +106.0% ± 0.0, behind +5.0% ± 0.0; worst: +106.0% (may be +3%)"
    )
    assert "beside HistGB, 5 sets: worse by more than 2%: linear +3.0% ± 0.0" in lines
    assert "less than half of what ceiling gains on linear is found on: linear" in lines
    assert "nested_some, 10^4, 10^5 rows: 0.8000, 0.9000: DOES NOT IMPROVE with rows" in lines


def test_the_price_is_that_of_a_fit_with_what_was_chosen(price, ours, tmp_path, monkeypatch):
    fitted = []

    class Model:
        def __init__(self, rank=None):
            self.rank = rank

        def fit(self, X, y):
            fitted.append((self.rank, len(y)))
            self.best_params_ = {"rank": 3}

    monkeypatch.setattr(ours, "estimator", lambda data, seed: Model())
    monkeypatch.setattr(price, "Peak", lambda: type("", (), {"growth": lambda self: 5.0})())
    found = price.measure(1, "tiny", str(tmp_path), chosen=False)
    assert found["peak"] == 5
    assert found["seconds"] >= 0
    price.measure(1, "tiny", str(tmp_path), chosen=True)
    assert fitted == [(None, 40), (None, 60), (None, 40), (3, 60)]


def test_a_name_or_a_kind(sides):
    from bench.datasets import named

    assert named(["tiny", "wine"]) == {"tiny", "wine"}
    assert named(["classes"]) == {"classes_5", "classes_100", "classes_3", "classes_60"}


@pytest.mark.slow
def test_command_line(tmp_path):
    command = [sys.executable, "-m", "bench", "defaults", "--kept", str(tmp_path)]
    command += ["--only", "tiny", "--only", "breast_cancer", "--json", str(tmp_path / "found.json")]
    command += ["--settings", "2", "--seeds", "2"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert "| tiny | 60 x 5 | 1.954 |" in done.stdout
    assert "| breast_cancer | 455 x 30 |" in done.stdout
    assert "**shaping**" in done.stdout
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["breast_cancer"]["metric"]["linear"] < 0.2 < 0.6
    assert len(found["tiny"]["figures"]["sparsefm"][0]) == 2
