"""Explanations by field, against computations with rows that are put together from others."""

from itertools import combinations, product
from math import factorial

import numpy as np
import pytest
from fitted import FIELDS, draw_fitted, draw_table, encode, fit_known
from scipy import sparse

import sparsefm as fm
from sparsefm.inspection import field_explanation

CLASSES = ["early", "late", "lost"]


@pytest.fixture
def fitted(rng):
    return draw_fitted(rng)


def values_of_subsets(fitted, row, background):
    """Return for each subset of fields the mean score if only these are those of the row.

    Each other field is taken from any row of the background, independently of the others.
    """
    of = fitted.encoder_.fields_
    x, B = encode(fitted, row)[0], encode(fitted, background)
    pair_weights = np.triu(fitted.V_ @ fitted.V_.T, k=1)
    values = {}
    for size in range(len(FIELDS) + 1):
        for subset in combinations(range(len(FIELDS)), size):
            others = [a for a in range(len(FIELDS)) if a not in subset]
            mixed = []
            for sources in product(range(len(B)), repeat=len(others)):
                one = x.copy()
                for a, source in zip(others, sources, strict=True):
                    one[of == a] = B[source, of == a]
                mixed.append(one)
            X = np.array(mixed)
            scores = fitted.w0_ + X @ fitted.w_ + np.einsum("ri,ij,rj->r", X, pair_weights, X)
            values[frozenset(subset)] = scores.mean()
    return values


def test_contributions_are_the_shapley_values_of_the_fields(fitted, rng):
    row, background = draw_table(rng, 1), draw_table(rng, 4)
    found = fitted.explain_fields(row, background)
    v, n = values_of_subsets(fitted, row, background), len(FIELDS)
    np.testing.assert_allclose(found.average, v[frozenset()], rtol=1e-10)
    for a in range(n):
        np.testing.assert_allclose(
            found.single[0, a], v[frozenset([a])] - v[frozenset()], rtol=1e-9, atol=1e-12
        )
        expected = 0.0
        for subset in (subset for subset in v if a not in subset):
            size = len(subset)
            weight = factorial(size) * factorial(n - size - 1) / factorial(n)
            expected += weight * (v[subset | {a}] - v[subset])
        np.testing.assert_allclose(found.contributions[0, a], expected, rtol=1e-9, atol=1e-12)
    assert list(zip(found.first, found.second, strict=True)) == list(combinations(range(n), 2))
    for place, (a, b) in enumerate(combinations(range(n), 2)):
        alone = v[frozenset([a])] + v[frozenset([b])] - v[frozenset()]
        expected = v[frozenset([a, b])] - alone
        np.testing.assert_allclose(found.pairs[0, place], expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("rank", [0, 1, 5])
@pytest.mark.parametrize("given", [False, True])
def test_parts_add_up_to_the_score(rng, rank, given):
    fitted, table = draw_fitted(rng, rank=rank), draw_table(rng, 40)
    table.loc[7] = None
    found = fitted.explain_fields(table, draw_table(rng, 30) if given else None)
    scores = fitted.explain(table).scores
    np.testing.assert_allclose(found.scores, scores, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(
        found.average + found.contributions.sum(axis=1), scores, rtol=1e-12, atol=1e-12
    )
    for row in (0, 7, 39):
        np.testing.assert_allclose(
            found.to_dict(row)["contribution"].sum(), scores[row], rtol=1e-12, atol=1e-12
        )
    assert found.pairs.shape == (40, 6 if rank else 0)


def test_pairs_within_a_field_belong_to_it(rng):
    """Of lists and splines."""
    pd = pytest.importorskip("pandas")
    n = 300
    tags = [list(rng.choice(list("abcd"), rng.integers(0, 4), replace=False)) for _ in range(n)]
    table = pd.DataFrame({"tags": tags, "age": rng.normal(size=n), "x": rng.normal(size=n)})
    y = np.array([len(one) for one in tags]) * np.sin(table["age"])
    encoder = fm.TableEncoder(numeric="spline", n_bins=4)
    model = fm.FMRegressor(rank=3, epochs=3, search=None, encoder=encoder).fit(table, y)
    found = model.explain_fields(table)
    np.testing.assert_allclose(found.scores, model.explain(table).scores, rtol=1e-6)
    np.testing.assert_allclose(found.scores, model.predict(table), rtol=1e-3, atol=1e-4)


def test_the_average_row_itself_contributes_nothing(fitted, rng):
    table = draw_table(rng, 1)
    found = fitted.explain_fields(table, table)
    np.testing.assert_allclose(found.average, fitted.predict(table)[0], rtol=1e-12)
    assert (np.abs(found.single) < 1e-12).all()
    assert (np.abs(found.pairs) < 1e-12).all()


def test_importance_is_the_mean_absolute_contribution(fitted, rng):
    X = draw_table(rng, 200)
    found = fitted.field_importances(X)
    expected = np.abs(fitted.explain_fields(X, X).contributions).mean(axis=0)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert found.shape == (4,)
    assert (fitted.field_importances() > 0).all()
    assert fitted.field_importances(X.assign(origin="1"))[1] < 1e-12


@pytest.mark.parametrize("numbers_at_once", [1, 1000])
def test_blocks_of_rows_change_nothing(fitted, rng, monkeypatch, numbers_at_once):
    X = draw_table(rng, 50)
    expected = fitted.explain_fields(X), fitted.field_importances()
    monkeypatch.setattr(field_explanation, "NUMBERS_AT_ONCE", numbers_at_once)
    found = fitted.explain_fields(X)
    np.testing.assert_allclose(found.average, expected[0].average, rtol=1e-12)
    np.testing.assert_allclose(found.pairs, expected[0].pairs, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(found.single, expected[0].single, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(fitted.field_importances(), expected[1], rtol=1e-12)


def test_each_of_many_classes_is_a_model_of_its_own(rng):
    table, X = draw_table(rng, 300, holes=0), draw_table(rng, 20)
    w0, w, V = rng.normal(size=3), rng.normal(size=(3, 13)), rng.normal(size=(3, 13, 2))
    fitted = fit_known(table, w0, w, V, CLASSES)
    for c, label in enumerate(CLASSES):
        single = fit_known(table, w0[c], w[c], V[c])
        np.testing.assert_allclose(
            fitted.explain_fields(X, X, target=label).contributions,
            single.explain_fields(X, X).contributions,
        )
        np.testing.assert_allclose(fitted.field_importances(X, label), single.field_importances(X))
    with pytest.raises(ValueError, match="target is needed"):
        fitted.explain_fields(X)


def test_columns_of_a_matrix_are_fields(rng):
    X = sparse.random(40, 6, 0.5, format="csr", random_state=0)
    model = fm.FMRegressor(rank=2, epochs=2, search=None).fit(X, rng.normal(size=40))
    found = model.explain_fields(X)
    np.testing.assert_allclose(found.scores, model.explain(X).scores, rtol=1e-6, atol=1e-9)
    assert found.labels(0)[1] == f"x1={X[0, 1]:.6g}"


def test_without_training_rows_a_background_is_needed(fitted, rng):
    X = draw_table(rng, 5)
    fitted._sample = None  # as after loading
    with pytest.raises(ValueError, match="were not saved with this estimator: pass background="):
        fitted.explain_fields(X)
    with pytest.raises(ValueError, match="were not saved with this estimator: pass X="):
        fitted.field_importances()
    assert fitted.explain_fields(X, X).scores.shape == (5,)


def test_what_is_printed():
    pd = pytest.importorskip("pandas")
    V = np.array([[1.0], [2.0], [-1.5]])
    table = pd.DataFrame({"carrier": ["UA"] * 2, "origin": ["EWR"] * 2, "hour": [0.0, 1.0]})
    fitted = fit_known(table, 0.5, np.array([1.0, -4.0, 0.25]), V)
    rows = pd.DataFrame({"carrier": ["XX", "UA"], "origin": [None, "EWR"], "hour": [2.5, 0.5]})
    found = fitted.explain_fields(rows)
    assert str(found).splitlines() == [
        "   -8.5000  hour=2.5",
        "   +6.0000  origin=missing x hour=2.5",
        "   +3.5000  origin=missing",
        "   +3.0000  carrier=XX x hour=2.5",
        "   -2.6250  (average row)",
        "   -2.2500  carrier=XX",
        "   +2.0000  carrier=XX x origin=missing",
        "   +1.1250  = score of row 0",
        "(and 1 more rows: describe(row))",
    ]
    assert repr(found) == "FieldExplanation(2 rows, 3 fields)"
    assert found.labels(1) == ["carrier=UA", "origin=EWR", "hour=0.5"]
    parts = found.to_dict(1)
    assert list(parts) == ["part", "first", "second", "contribution"]
    assert parts["first"][0] == ""
    assert (parts["part"] == "pair").sum() == 3
    assert len(pd.DataFrame(parts)) == 7


def test_cells_are_shown_as_they_are():
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame(
        {
            "n": [1.0, 2.5, np.nan, 1e20],
            "tags": [["a", "b"], [], None, ["a"]],
            "agent": pd.Categorical([17, 18, None, 17]),
        }
    )
    model = fm.FMRegressor(rank=1, epochs=1, search=None).fit(table, np.arange(4.0))
    found = model.explain_fields(table)
    assert found.labels(0) == ["n=1", "tags=a, b", "agent=17"]
    assert found.labels(1) == ["n=2.5", "tags=nothing", "agent=18"]
    assert found.labels(2) == ["n=missing", "tags=missing", "agent=missing"]
    assert found.labels(3)[0] == "n=1e+20"


def test_limits(fitted, rng, monkeypatch):
    X = draw_table(rng, 10)
    found = fitted.explain_fields(X)
    for row in (10, -1):
        with pytest.raises(ValueError, match="row must be"):
            found.to_dict(row)
        with pytest.raises(ValueError, match="row must be"):
            found.labels(row)
    with pytest.raises(ValueError, match="top must be at least 1"):
        found.describe(top=0)
    assert str(fitted.explain_fields(X[:1])).count("\n") == 11
    monkeypatch.setattr(field_explanation, "MAX_NUMBERS", 55)
    with pytest.raises(ValueError, match=r"10 rows of X have 10 fields and pairs.*X\[:5\]"):
        fitted.explain_fields(X)
    assert len(fitted.explain_fields(X[:5])) == 5
    wide = sparse.random(40, 3000, 0.01, format="csr", random_state=0)
    model = fm.FMRegressor(rank=1, epochs=1, search=None).fit(wide, rng.normal(size=40))
    for call in (model.explain_fields, model.field_importances):
        with pytest.raises(ValueError, match="the model has 3,000 fields"):
            call(wide)
