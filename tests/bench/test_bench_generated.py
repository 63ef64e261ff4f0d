"""The made tables are finite, as large as asked for and fixed by their seeds; the halves differ."""

import ast
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]

if not (ROOT / "bench").is_dir():
    pytest.skip("the benchmarks are not beside the tests", allow_module_level=True)

KINDS = ("pairs", "popular_pairs", "nested", "context", "long_tailed", "few_ratings", "stars")
KINDS += ("clicks", "hashed", "xor", "mixed", "tiny", "text", "friedman", "linear", "noise")
KINDS += ("bent", "amounts", "mostly_zero", "heavy_numbers", "classes", "imbalance", "separable")
KINDS += ("poisson", "heavy_targets")


@pytest.fixture(autouse=True)
def _bench_is_importable(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)


@pytest.fixture
def halves():
    from bench import halves

    return halves


@pytest.fixture
def generated():
    from bench import generated

    return generated


def random():
    return np.random.default_rng(3)


def values(X):
    """Return what a table has, as an array; strings as codes in order of appearance."""
    if isinstance(X, pd.DataFrame):
        columns = [
            X[name] if pd.api.types.is_numeric_dtype(X[name]) else pd.factorize(X[name])[0]
            for name in X
        ]
        return np.column_stack(columns)
    return X.data if hasattr(X, "indptr") else X


def sets(halves):
    return [made for half in halves.HALVES.values() for made in half.values()]


def small(made):
    """Return the same kind of table with fewer rows."""
    return made.kind, {**made.options}, min(made.rows, 1500)


# --- the halves ---------------------------------------------------------------------------------


def test_every_kind_is_in_both_halves_with_other_arguments(halves):
    shaping, judging = halves.HALVES["shaping"], halves.HALVES["judging"]
    assert not shaping.keys() & judging.keys()
    described = []
    for half in (shaping, judging):
        assert {made.kind for made in half.values()} == set(KINDS)
        described.append({(m.kind, m.rows, m.table, str(sorted(m.options.items()))) for m in
                          half.values()})  # fmt: skip
        assert len(described[-1]) == len(half)
    assert not described[0] & described[1]


def test_seeds_of_the_halves_are_disjoint_and_used(halves):
    from bench.datasets import load

    assert not set(halves.SEEDS["shaping"]) & set(halves.SEEDS["judging"])
    assert (load("tiny").seed, load("tiny", 7).seed) == (0, 7)
    assert (load("tiny_noisy").seed, load("tiny_noisy", 7).seed) == (1000, 1007)
    with pytest.raises(IndexError):
        load("tiny", 100)


def test_groups_are_all_the_data_sets_once(halves):
    from bench import datasets

    selected = [name for group in datasets.GROUPS for name in datasets.select(group)]
    assert sorted(selected) == sorted(datasets.NAMES)
    assert datasets.select("judging") == list(halves.HALVES["judging"])


def test_every_generator_is_used_and_says_what_it_can_break(generated):
    for path in Path(generated.__file__).parent.glob("[!_]*.py"):
        for node in ast.parse(path.read_text("utf-8")).body:
            if path.stem == "parts" or not isinstance(node, ast.FunctionDef):
                continue
            assert node.name in [*KINDS, "ratings"], node.name
            assert node.args.args[0].arg == "random"
            assert node.args.args[1].arg == "rows"
            assert len(ast.get_docstring(node).split("\n\n")) == 2, node.name


# --- every set ----------------------------------------------------------------------------------


def test_rows_are_finite_and_fixed_by_the_seed(halves, generated):
    for made in sets(halves):
        kind, options, rows = small(made)
        make = getattr(generated, kind)
        X, y = make(random(), rows, **options)
        again, y_again = make(random(), rows, **options)
        _, other = make(np.random.default_rng(4), rows, **options)
        assert X.shape[0] == len(y) == rows, kind
        assert np.isfinite(values(X).astype(float)).all(), kind
        assert np.isfinite(y).all(), kind
        np.testing.assert_array_equal(values(X), values(again), err_msg=kind)
        np.testing.assert_array_equal(y, y_again, err_msg=kind)
        assert (y != other).any(), kind
        if made.task == "regression":
            assert y.dtype == np.float64, kind
        else:
            assert y.dtype.kind == "i", kind


def test_sets_have_the_rows_and_the_classes_that_they_say(halves):
    from bench.datasets import load

    for name, made in ((n, m) for half in halves.HALVES.values() for n, m in half.items()):
        if made.rows > 20_000:
            continue
        if made.table:  # large, and each the beginning of the same
            continue
        data = load(name)
        assert data.X_train.shape[0] == len(data.y_train) == made.rows
        assert data.X_test.shape[0] == len(data.y_test) == made.test_rows
        assert data.X_train.shape[1] == data.X_test.shape[1]
        if made.task != "regression":
            classes = 2 if made.task == "binary" else made.options.get("classes", 4)
            np.testing.assert_array_equal(np.unique(data.y_train), np.arange(classes))
            assert data.y_test.max() < classes


# --- what single kinds promise -------------------------------------------------------------------


def explained(table, columns, y):
    """Return the share of the variance of y that means of groups have, less that of chance."""
    keys = table.groupby(list(columns)).ngroup().to_numpy()
    within = y - pd.Series(y).groupby(keys).transform("mean").to_numpy()
    groups = keys.max() + 1
    return 1 - (within @ within) / (len(y) - groups) / y.var()


def test_pairs_have_no_effect_of_single_columns(generated):
    X, y = generated.pairs(random(), 16_000)
    assert not X.duplicated().any()
    assert max(explained(X, [column], y) for column in X) < 0.03
    assert y.std() == pytest.approx((1.5**2 + 1) ** 0.5, rel=0.1)
    X, y = generated.popular_pairs(random(), 16_000)
    assert min(explained(X, [column], y) for column in X) > 0.04


def test_a_matrix_has_what_the_table_has(generated):
    table, y = generated.pairs(random(), 500)
    X, same = generated.pairs(random(), 500, form="csr")
    np.testing.assert_array_equal(y, same)
    assert X.shape == (500, 500)
    assert (X.getnnz(1) == 2).all()
    user, item = X.indices.reshape(-1, 2).T
    assert (table["user"] == [f"u{code}" for code in user]).all()
    assert (table["item"] == [f"i{code - 300}" for code in item]).all()


def test_subsamples_are_nested_and_share_the_test_rows(halves):
    few, more = (
        halves.Made("shaping", "nested", "regression", rows, 50, {"ids": (30, 20)}, 2000).parts(0)
        for rows in (100, 1000)
    )
    assert (len(few[0]), len(more[0]), len(few[2])) == (100, 1000, 50)
    pd.testing.assert_frame_equal(few[0], more[0].iloc[:100])
    pd.testing.assert_frame_equal(few[2], more[2])
    np.testing.assert_array_equal(few[1], more[1][:100])
    np.testing.assert_array_equal(few[3], more[3])


def test_long_tails(generated):
    X, _ = generated.long_tailed(random(), 20_000, ids=(10_000, 5000))
    counts = np.sort(X.getnnz(0)[:10_000])[::-1]
    assert counts[0] > 500
    assert 0.3 < (counts == 0).mean() < 0.9


def test_stars_are_one_to_five(generated):
    _, y = generated.stars(random(), 5000)
    assert np.unique(y).tolist() == [1, 2, 3, 4, 5]


def test_one_in_a_thousand(generated):
    _, y = generated.imbalance(random(), 200_000)
    assert y.mean() == pytest.approx(1e-3, rel=0.3)


def test_amounts_are_linear_or_logarithmic(generated):
    X, y = generated.amounts(random(), 3000)
    assert np.corrcoef(X["amount"], y)[0, 1] > 0.99
    X, y = generated.amounts(random(), 3000, log=True)
    logs = np.corrcoef(np.log(X["amount"]), y)[0, 1]
    assert np.corrcoef(X["amount"], y)[0, 1] < logs - 0.1


def test_mostly_zero(generated):
    X, _ = generated.mostly_zero(random(), 4000)
    assert ((X == 0).mean() > 0.9).all()
    assert (X.max() > 5).all()


def test_separable_but_for_a_few(generated):
    _, clean = generated.separable(random(), 20_000, flips=0.0)
    _, y = generated.separable(random(), 20_000, flips=0.01)
    assert (clean != y).mean() == pytest.approx(0.01, rel=0.5)


def test_hashed_rows_are_few_and_columns_many(generated):
    X, _ = generated.hashed(random(), 300, signed=True)
    assert X.shape == (300, 1 << 18)
    assert {-1.0, 1.0} <= set(X.data)


def test_outliers(generated):
    for kind in ({}, {"kind": "lognormal", "spread": 0.7}):
        _, y = generated.heavy_targets(random(), 20_000, **kind)
        assert np.abs(y - np.median(y)).max() > 8 * y.std()
