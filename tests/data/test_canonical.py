"""Rows in any order, repeated or weighted, are the same examples: to the bit."""

import numpy as np
import pytest
from estimating import scores_of
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

import sparsefm as fm
from sparsefm.data import canonical
from sparsefm.data.canonical import canonical_rows, repetitions
from sparsefm.data.csr import as_csr

FAST = {
    "rank": 2,
    "solver": fm.Adam(),
    "epochs": 4,
    "batch_size": 7,
    "init": "normal",
    "search": None,
}
KINDS = {
    "regressor": (fm.FMRegressor, {}),
    "classifier": (fm.FMClassifier, {}),
    "hinge": (fm.FMClassifier, {"loss": "hinge"}),
    "balanced": (fm.FMClassifier, {"class_weight": "balanced"}),
    "weighted": (fm.FMClassifier, {"class_weight": {0: 0.1, 1: 0.7, 2: 1.3}}),
}


def table(X):
    pd = pytest.importorskip("pandas")
    text = np.array(["a", "b", None, "c"], object)[(X[:, 2] * 10).astype(int) % 4]
    holes = np.where(X[:, 1] > 1, np.nan, X[:, 1])
    return pd.DataFrame({"x": X[:, 0], "text": text, "y": holes, "flag": X[:, 3] > 0})


FORMS = {
    "dense": np.asarray,
    "sparse": sparse.csr_matrix,
    "binary": lambda X: sparse.csr_matrix((X > 0) * 1.0),
    "table": table,
}


def problem(kind, rows=60, seed=0):
    """Return rows, of which some are the same, and targets."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, 4)) * (rng.random((rows, 4)) < 0.8)
    scores = X[:, 0] * X[:, 1] + X[:, 2]
    y = scores if kind == "regressor" else np.digitize(scores, [-0.5, 0.5])
    X[50:], y[50:] = X[:10], y[:10]
    return X, y


def rows_of(X, rows):
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def fit(kind, form, X, y, rows=slice(None), weights=None, **options):
    """Fit some rows and return the scores of all."""
    make, own = KINDS[kind]
    X = FORMS[form](X)
    estimator = make(**own, **options)
    estimator.fit(rows_of(X, rows), y[rows], sample_weight=weights)
    return scores_of(estimator, X)


ALL = pytest.mark.parametrize("form", FORMS)
KIND = pytest.mark.parametrize("kind", KINDS)


@ALL
@KIND
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_order_changes_no_bit(form, kind, dtype):
    X, y = problem(kind)
    expected = fit(kind, form, X, y, dtype=dtype, **FAST)
    weights = np.random.default_rng(2).uniform(0.1, 3, 60)
    weighted = fit(kind, form, X, y, weights=weights, dtype=dtype, **FAST)
    assert not np.array_equal(weighted, expected)
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(60)
        assert np.array_equal(fit(kind, form, X, y, order, dtype=dtype, **FAST), expected)
        found = fit(kind, form, X, y, order, weights[order], dtype=dtype, **FAST)
        assert np.array_equal(found, weighted)


@ALL
@KIND
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("largest", [3, 7])
def test_whole_weights_are_repetition(form, kind, dtype, largest):
    X, y = problem(kind)
    times = np.random.default_rng(1).integers(0, largest + 1, 60)
    rows = np.random.default_rng(2).permutation(np.repeat(np.arange(60), times))
    options = FAST | {"dtype": dtype}
    repeated = fit(kind, form, X, y, rows, **options)
    assert np.array_equal(fit(kind, form, X, y, weights=times, **options), repeated)
    assert np.array_equal(fit(kind, form, X, y, weights=1024.0 * times, **options), repeated)
    assert not np.array_equal(fit(kind, form, X, y, **options), repeated)


@ALL
@KIND
@pytest.mark.parametrize("factor", [1, 3, 7])
def test_equal_weights_are_repetition(form, kind, factor):
    X, y = problem(kind)
    repeated = fit(kind, form, X, y, np.repeat(np.arange(60), factor), **FAST)
    assert np.array_equal(fit(kind, form, X, y, weights=np.full(60, factor), **FAST), repeated)


@ALL
@KIND
@pytest.mark.usefixtures("brief_search")
def test_search_and_validation_see_the_same_examples(form, kind):
    X, y = problem(kind)
    times = np.random.default_rng(1).integers(0, 4, 60)
    rows = np.random.default_rng(2).permutation(np.repeat(np.arange(60), times))
    for options in ({"rank": 2}, FAST | {"validation_fraction": 0.3}):
        expected = fit(kind, form, X, y, rows, **options)
        assert np.array_equal(fit(kind, form, X, y, weights=times, **options), expected)


@pytest.mark.parametrize("kind", ["regressor", "classifier"])
def test_rows_of_weight_zero_are_not_there(kind):
    X, y = problem(kind)
    weights = (np.arange(60) % 3 > 0) * 1.0
    expected = fit(kind, "dense", X, y, np.flatnonzero(weights), **FAST)
    X[weights == 0] *= 1e6
    y[weights == 0] = 77  # a class of no row that counts
    make, own = KINDS[kind]
    estimator = make(**own, **FAST).fit(X, y, sample_weight=weights)
    counted = weights > 0
    assert np.array_equal(scores_of(estimator, X[counted]), expected[counted])


def test_figures_count_repeated_rows():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 2, (400, 3)) * 1.0  # eight different rows
    y = np.where(rng.random(400) < 0.1 + 0.8 * (X[:, 0] == X[:, 1]), "yes", "no")
    for options in ({}, {"scoring": "balanced_accuracy"}, {"scoring": "log_loss"}):
        estimator = fm.FMClassifier(validation_fraction=0.5, **FAST | options | {"epochs": 60})
        estimator.fit(X, y)
        for name, values in estimator.history_.items():
            assert np.isfinite(values).all(), name
        assert estimator.history_["log_loss"] == pytest.approx(estimator.history_["val_loss"])
    plain = fm.FMRegressor(validation_fraction=0.5, scoring="mse", **FAST).fit(X, y == "yes")
    squares = np.array(plain.history_["mse"])
    np.testing.assert_allclose(squares, plain.history_["val_loss"], rtol=1e-5)
    np.testing.assert_allclose(np.sqrt(squares), plain.history_["rmse"], rtol=1e-5)


# --- the parts ------------------------------------------------------------------------------------


def contents(X, y, weights=None):
    """Return the rows to train on: their numbers, targets and weights, in order."""
    X, y = np.asarray(X, float), np.asarray(y, float)
    weights = None if weights is None else np.asarray(weights, float)
    rows, each = canonical_rows(as_csr(sparse.csr_matrix(X), np.float64), y, weights)
    each = np.ones(len(X)) if each is None else each
    return [(*X[row], y[row], each[row]) for row in rows]


def total(rows):
    """Return the weight of each different row."""
    found = {}
    for *row, weight in rows:
        found[tuple(row)] = found.get(tuple(row), 0) + weight
    return found


few = st.lists(
    st.tuples(*[st.sampled_from([-1.0, 0.0, 0.5, 2.0])] * 3, st.integers(0, 2)),
    min_size=1,
    max_size=25,
)


@given(rows=few, seed=st.integers(0, 99), weighted=st.booleans())
@settings(deadline=None)
def test_rows_weigh_what_they_did_in_one_order(rows, seed, weighted):
    data = np.array(rows)
    rng = np.random.default_rng(seed)
    weights = rng.integers(0, 4, len(data)) if weighted else None
    if weighted and not weights.any():
        weights[0] = 1
    X, y = data[:, :3], data[:, 3]
    found = contents(X, y, weights)
    given_weights = np.ones(len(data)) if weights is None else weights
    expected = total([(*row, w) for row, w in zip(rows, given_weights, strict=True) if w])
    unit = sum(expected.values()) / sum(total(found).values())  # only proportions matter
    assert {row: unit * weight for row, weight in total(found).items()} == pytest.approx(expected)
    order = rng.permutation(len(data))
    assert contents(X[order], y[order], None if weights is None else weights[order]) == found
    if weighted:
        again = np.repeat(np.arange(len(data)), weights)
        repeated = contents(X[again], y[again])
        assert [row[:-1] for row in repeated] == [row[:-1] for row in found]
        assert len({weight for *_, weight in found}) == 1


def test_rows_that_are_nearly_the_same_are_not_merged():
    X = np.array(
        [[1.0, 2, 0], [2, 1, 0], [1, 2, 1e-9], [1, -2, 0], [0, 1, 2], [1, 0, 2], [3, 0, 0]]
    )
    weights = np.arange(1, 8) + 0.1  # no counts: rows are merged, and come once
    assert len(contents(X, np.ones(7), weights)) == 7
    two = [1.1, 2.0]
    assert len(contents(X[[0, 0]], [1, 2], two)) == 2
    assert len(contents(X[[0, 0]], [0.0, -0.0], two)) == 1
    assert len(contents(X[[0, 0]], [1, 1 + 1e-12], two)) == 1  # rounding


def test_rows_that_all_come_twice_come_once():
    X = np.arange(1, 6.0)[:, None]
    assert contents(np.repeat(X, 2, axis=0), np.ones(10)) == [
        (*row, 2.0) for *row, _ in contents(X, np.ones(5))
    ]


def test_few_different_rows_are_limited(monkeypatch):
    monkeypatch.setattr(canonical, "FEW_ROWS", 50)
    rng = np.random.default_rng(0)
    X = rng.integers(1, 4, (1000, 1)) * 1.0
    found = contents(X, np.zeros(1000))
    assert 3 <= len(found) <= 50
    values, counts = np.unique(X, return_counts=True)
    expected = {(value, 0.0): count for value, count in zip(values, counts, strict=True)}
    assert total(found) == pytest.approx(expected)


def test_blocks_of_rows_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 3, (200, 4)) * (rng.random((200, 1)) < 0.9)
    expected = contents(X, np.zeros(200))
    assert len(total(expected)) < 90
    for size in (1, 5, 37):
        monkeypatch.setattr(canonical, "NONZEROS_AT_ONCE", size)
        assert contents(X, np.zeros(200)) == expected


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ([1, 1, 1], [1, 1, 1]),
        ([2, 3, 1], [2, 3, 1]),
        ([0.5, 0.75, 0.25], [2, 3, 1]),  # units do not matter
        ([4, 4], [1, 1]),
        ([0.1, 0.2, 0.37], [1, 1, 1]),  # these are no counts
        ([1, 1 << 24], [1, 32768]),  # limited to 65,536 rows in all
    ],
)
def test_merged_rows_are_taken_as_often_as_they_came(weights, expected):
    assert repetitions(np.array(weights, float)).tolist() == expected


@pytest.mark.parametrize("repeat", [1, 4])
def test_few_different_rows_are_learned_as_well_as_many(repeat):
    rng = np.random.default_rng(0)
    X = np.repeat(rng.integers(0, 2, (5000, 2)).astype(float), repeat, axis=0)
    chance = 1 / (1 + np.exp(2 - 3 * X[:, 0] - 1.5 * X[:, 1]))
    y = np.repeat(rng.random(5000) < chance[::repeat], repeat)
    model = fm.FMClassifier().fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], chance, atol=0.05)


def test_passes_are_over_all_rows_that_came():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 3, (6400, 2)).astype(float)
    model = fm.FMRegressor(rank=0, solver=fm.Adam(), epochs=1).fit(X, X[:, 0])
    assert model._learner.steps == 64
