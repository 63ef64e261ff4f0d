"""Distinct values, and that no call counts them in C++."""

import numpy as np
import numpy.lib._arraysetops_impl as set_operations
import pandas as pd
import pytest

import sparsefm as fm
from sparsefm.data.distinct import distinct_values

N_ROWS = 60
RANDOM = np.random.default_rng(0)
X = RANDOM.integers(0, 3, (N_ROWS, 2)).astype(str).astype(object)
NUMBERS = RANDOM.normal(size=(N_ROWS, 2))
LABELS = RANDOM.integers(0, 3, N_ROWS)
DAYS = np.datetime64("2024-01-01", "s") + np.arange(120) * np.timedelta64(7, "h")
FRAMES = [
    pd.DataFrame(columns).iloc[:N_ROWS]
    for columns in (
        {"number": np.arange(120) % 9, "when": DAYS, "span": DAYS - DAYS[0]},
        {"lists": [["a", "b"], ["b"]] * 60, "group": pd.Categorical(["a", "b"] * 60)},
    )
]
SGD = {"rank": 2, "solver": fm.Adam(), "epochs": 2}
SAMPLED = {"rank": 2, "solver": fm.Gibbs(burn_in=1, samples=3)}


def test_distinct_values_ascend():
    assert distinct_values([3, 1, 3]).tolist() == [1, 3]
    assert distinct_values(np.array(["b", "a", "b"], object)).tolist() == ["a", "b"]


@pytest.fixture
def no_hash_tables(monkeypatch):
    """NumPy's hash tables end a process whose main thread ends first; see `distinct_values`."""
    if not hasattr(set_operations, "_unique_hash"):
        pytest.skip("before NumPy 2.3")

    def called(*args, **kwargs):
        raise AssertionError("NumPy counts distinct values in C++")

    monkeypatch.setattr(set_operations, "_unique_hash", called)


@pytest.mark.parametrize("labels", [LABELS, LABELS % 2, LABELS.astype(str)])
@pytest.mark.parametrize(
    "options",
    [
        SGD,
        SAMPLED,
        {**SGD, "class_weight": "balanced"},
        {**SGD, "class_weight": {label: 2.0 for label in (0, 1, 2, "0", "1", "2")}},
        {},
    ],
    ids=["sgd", "sampled", "balanced", "weighted", "search"],
)
def test_a_classifier_counts_no_distinct_values_in_cpp(no_hash_tables, options, labels):
    for rows in (X, NUMBERS):
        model = fm.FMClassifier(**options).fit(rows, labels)
        model.predict(rows)
        model.score(rows, labels)
    fm.FMClassifier(**SGD).fit(X, labels, eval_set=(X, labels))


@pytest.mark.parametrize("options", [SGD, SAMPLED, {}], ids=["sgd", "sampled", "search"])
def test_a_regressor_counts_no_distinct_values_in_cpp(no_hash_tables, options, tmp_path):
    for rows in (X, NUMBERS, *FRAMES, fm.TableEncoder().fit(X).transform(X)):
        model = fm.FMRegressor(**options).fit(rows, NUMBERS[:, 0])
        model.predict(rows)
        model.score(rows, NUMBERS[:, 0])
        model.save(tmp_path / "model.safetensors")
        fm.load(tmp_path / "model.safetensors")
    for rows in (X, NUMBERS, NUMBERS > 0, *FRAMES):
        part = slice(0, 7)
        fm.FMRegressor(**SGD).partial_fit(rows[part], LABELS[part]).partial_fit(rows, LABELS)
    matrix = fm.TableEncoder().fit(X).transform(X)
    fm.predict(matrix, fm.train(matrix, LABELS, epochs=1))
    with pytest.warns(UserWarning, match="looks like an identifier"):
        fm.TableEncoder().fit(pd.DataFrame({"a": np.arange(150) + 3}))
