"""What a fitted estimator found, against computations in plain NumPy over dense rows."""

from dataclasses import FrozenInstanceError
from itertools import combinations

import numpy as np
import pytest
from fitted import FIELDS, NAMES, draw_fitted, draw_table, encode, fit_known, set_parameters
from scipy import sparse

import sparsefm as fm
from sparsefm.inspection import explanation, fields, interactions
from sparsefm.inspection.formula import Formula
from sparsefm.inspection.interactions import strongest_interactions
from sparsefm.interaction import Interaction

COLUMNS = Interaction(np.arange(13), 13)
CLASSES = ["early", "late", "lost"]


@pytest.fixture
def fitted(rng):
    return draw_fitted(rng)


# --- interactions ---------------------------------------------------------------------------------


def by_least_squares(X, V):
    """Return for each pair of names that occurs: its weight, share and strength."""
    expected = {}
    for i, j in combinations(range(X.shape[1]), 2):
        product, explaining = X[:, i] * X[:, j], np.c_[np.ones(len(X)), X[:, i], X[:, j]]
        residual = product - explaining @ np.linalg.lstsq(explaining, product, rcond=None)[0]
        if product.any():
            weight = V[i] @ V[j]
            strength = np.abs(weight) * np.std(residual)
            expected[NAMES[i], NAMES[j]] = weight, np.mean(product != 0), strength
    return expected


@pytest.mark.parametrize("given", [False, True])
def test_interactions_by_name(fitted, rng, given):
    X = draw_table(rng, 200) if given else None
    found = fitted.interactions(top=1000, X=X)
    rows = encode(fitted, X) if given else fitted._sample.toarray()
    expected = by_least_squares(rows, fitted.V_)
    assert list(found) == ["first", "second", "weight", "share", "strength"]
    assert len(found["first"]) == len(expected) < 1000
    assert (np.diff(found["strength"]) <= 0).all()
    for first, second, *numbers in zip(*found.values(), strict=True):
        np.testing.assert_allclose(numbers, expected.pop((first, second)), atol=1e-7)
    assert not expected
    few = fitted.interactions(top=3, X=X)
    for column, values in few.items():
        np.testing.assert_array_equal(values, found[column][:3])


def test_a_rare_pair_of_great_weight_does_not_come_first():
    X = np.zeros((1000, 4))
    X[:500, 0] = X[250:750, 1] = 1  # together in a quarter of the rows
    X[500, 2] = X[500, 3] = X[501, 2] = X[502, 3] = 1  # together in one row of a thousand
    V = np.array([[1.0], [1.0], [3.0], [3.0]])
    found = fit_known(X, 0.0, np.zeros(4), V).interactions()
    assert (found["first"][0], found["second"][0]) == ("x0", "x1")
    assert found["weight"].max() == 9


def test_pairs_whose_products_cancel_are_found():
    # The products sum to zero, which sparse multiplication leaves out.
    X = np.array([[1, 1.0], [-1, 1], [1, -1], [-1, -1]])
    pairs = strongest_interactions(fm.Model(0.0, np.zeros(2), np.array([[2.0], [1.0]])), X)
    assert pairs.share.tolist() == [1.0]
    np.testing.assert_allclose(pairs.strength, [2.0])


@pytest.mark.parametrize("rounded", [True, False])
def test_blocks_of_pairs_change_nothing(fitted, monkeypatch, rounded):
    if rounded:  # equal strengths keep their order, too
        set_parameters(fitted, 0.0, fitted.w_, np.sign(fitted.V_))
        fitted._sample = (fitted._sample != 0).astype(float)
    whole = fitted.interactions(top=15)
    monkeypatch.setattr(interactions, "PAIRS_AT_ONCE", 7)
    for column, values in fitted.interactions(top=15).items():
        np.testing.assert_array_equal(values, whole[column])


def test_without_factors_or_rows_there_are_no_pairs(rng, fitted):
    found = draw_fitted(rng, rank=0).interactions()
    assert [len(column) for column in found.values()] == [0] * 5
    pairs = interactions.rank_pairs(fitted.V_, sparse.csr_matrix((0, 13)), 5, COLUMNS)
    assert [len(column) for column in pairs.arrays()] == [0] * 5


def test_without_training_rows_they_must_be_given(fitted, rng):
    X = draw_table(rng, 50)
    expected = fitted.interactions(X=X), fitted.field_interactions(X)
    fitted._sample = None  # as after loading
    message = r"^the training rows were not saved.*pass X=, or save it with training_rows=True$"
    for call in (fitted.interactions, fitted.field_interactions):
        with pytest.raises(ValueError, match=message):
            call()
    for column, values in fitted.interactions(X=X).items():
        np.testing.assert_array_equal(values, expected[0][column])
    np.testing.assert_array_equal(fitted.field_interactions(X), expected[1])
    assert fitted.explain(X).scores.shape == (50,)


def test_results_are_tables(fitted):
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame(fitted.interactions(top=5))
    assert table.shape == (5, 5)
    assert table["first"].isin(NAMES).all()
    terms = pd.DataFrame(fitted.explain(draw_table(np.random.default_rng(1), 2)).to_dict(1))
    assert list(terms) == ["part", "first", "second", "contribution"]


# --- which class ----------------------------------------------------------------------------------


def test_each_of_many_classes_is_a_model_of_its_own(rng):
    fitted = draw_fitted(rng, classes=CLASSES)
    table, X = draw_table(rng, 300, holes=0), draw_table(rng, 100)
    w0, w, V = rng.normal(size=3), rng.normal(size=(3, 13)), rng.normal(size=(3, 13, 2))
    fitted = fit_known(table, w0, w, V, CLASSES)
    for c, label in enumerate(CLASSES):
        single = fit_known(table, w0[c], w[c], V[c])
        for column, values in fitted.interactions(X=X, target=label).items():
            np.testing.assert_array_equal(values, single.interactions(X=X)[column])
        np.testing.assert_array_equal(
            fitted.explain(X, target=label).scores, single.explain(X).scores
        )
        np.testing.assert_array_equal(
            fitted.field_interactions(X, target=label), single.field_interactions(X)
        )
        np.testing.assert_allclose(  # of the training rows, in another order
            fitted.field_interactions(target=label), single.field_interactions()
        )


def test_wrong_targets(rng):
    many, two = draw_fitted(rng, classes=CLASSES), draw_fitted(rng, classes=["no", "yes"])
    with pytest.raises(ValueError, match=r"target is needed.*'early', 'late', 'lost'"):
        many.interactions()
    with pytest.raises(ValueError, match="target is 'gone', which is not a class"):
        many.explain(draw_table(rng, 1), target="gone")
    with pytest.raises(ValueError, match="leave it out; got 'yes'"):
        two.field_interactions(target="yes")


def test_not_fitted():
    from sklearn.exceptions import NotFittedError

    for method in ("interactions", "field_interactions"):
        with pytest.raises(NotFittedError):
            getattr(fm.FMRegressor(), method)()


# --- explain --------------------------------------------------------------------------------------


def dense_score(x, w0, w, V):
    pairs = sum(V[i] @ V[j] * x[i] * x[j] for i, j in combinations(range(len(x)), 2))
    return w0 + w @ x + pairs


@pytest.mark.parametrize("rank", [0, 1, 5])
def test_contributions_add_up_to_the_score(rng, rank):
    fitted = draw_fitted(rng, rank=rank)
    table = draw_table(rng, 40)
    table.loc[7] = None  # only the bias
    parts = fitted.explain(table)
    X = encode(fitted, table)
    expected = [dense_score(x, fitted.w0_, fitted.w_, fitted.V_) for x in X]
    np.testing.assert_allclose(parts.scores, expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(parts.linear.toarray(), X * fitted.w_, rtol=1e-15)
    assert parts.bias == fitted.w0_ == parts.scores[7]
    found = {(row, i, j): value for row, i, j, value in zip(*parts.pairwise.values(), strict=True)}
    pairs = [
        (row, i, j)
        for row in range(len(X))
        for i, j in combinations(np.flatnonzero(X[row]), 2)
        if rank
    ]
    assert list(found) == pairs  # each once, in this order
    for row, i, j in pairs:
        expected = fitted.V_[i] @ fitted.V_[j] * X[row, i] * X[row, j]
        np.testing.assert_allclose(found[row, i, j], expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scores_are_those_of_the_engine(rng, dtype):
    fitted = draw_fitted(rng, dtype=dtype)
    X = draw_table(rng, 100)
    scores = fitted.predict(X)
    assert scores.std() > 1
    tolerance = 50 * np.finfo(dtype).eps
    np.testing.assert_allclose(fitted.explain(X).scores, scores, rtol=tolerance, atol=tolerance)


def test_scores_are_those_of_the_estimators(rng):
    X, y = draw_table(rng, 200), rng.normal(size=200)
    regressor = fm.FMRegressor(rank=4, epochs=3).fit(X, y)
    np.testing.assert_allclose(
        regressor.explain(X).scores, regressor.predict(X), rtol=1e-4, atol=1e-5
    )
    classifier = fm.FMClassifier(rank=4, epochs=3).fit(X, y > 0)
    scores = classifier.decision_function(X)
    np.testing.assert_allclose(classifier.explain(X).scores, scores, rtol=1e-4, atol=1e-5)
    labels = np.array(CLASSES)[np.digitize(y, [-0.5, 0.5])]
    classifier = fm.FMClassifier(rank=4, epochs=3).fit(X, labels)
    for label, column in zip(classifier.classes_, classifier.decision_function(X).T, strict=True):
        found = classifier.explain(X, target=label).scores
        np.testing.assert_allclose(found, column, rtol=1e-4, atol=1e-5)


def test_one_row_by_name(fitted, rng):
    table = draw_table(rng, 5)
    parts, X = fitted.explain(table), encode(fitted, table)
    for row in range(5):
        terms = parts.to_dict(row)
        m = np.count_nonzero(X[row])
        assert sorted(terms["part"]) == ["bias"] + ["linear"] * m + ["pairwise"] * (
            m * (m - 1) // 2
        )
        np.testing.assert_allclose(terms["contribution"].sum(), parts.scores[row], rtol=1e-12)
        assert (np.diff(np.abs(terms["contribution"])) <= 0).all()
        for part, first, second, value in zip(*terms.values(), strict=True):
            i, j = (NAMES.index(name) if name else None for name in (first, second))
            expected = fitted.w0_
            if part == "linear":
                expected = fitted.w_[i] * X[row, i]
            elif part == "pairwise":
                expected = fitted.V_[i] @ fitted.V_[j] * X[row, i] * X[row, j]
            np.testing.assert_allclose(value, expected)


def test_what_is_printed():
    pd = pytest.importorskip("pandas")
    V = np.array([[1.0], [2.0], [-1.5]])
    table = pd.DataFrame({"carrier": ["UA"] * 2, "origin": ["EWR"] * 2, "hour": [0.0, 1.0]})
    fitted = fit_known(table, 0.5, np.array([1.0, -4.0, 0.25]), V)
    nothing = pd.DataFrame({"carrier": ["XX"], "origin": [None], "hour": [0.0]})
    late = table[:1].assign(hour=2.0)  # columns of 0 and 1 stay as they are
    parts = fitted.explain(pd.concat([late, nothing]))
    assert str(parts).splitlines() == [
        "   -6.0000  origin=EWR x hour",
        "   -4.0000  origin=EWR",
        "   -3.0000  carrier=UA x hour",
        "   +2.0000  carrier=UA x origin=EWR",
        "   +1.0000  carrier=UA",
        "   +0.5000  (bias)",
        "   +0.5000  hour",
        "   -9.0000  = score of row 0",
        "(and 1 more rows: describe(row))",
    ]
    assert parts.describe(0, top=2).splitlines() == [
        "   -6.0000  origin=EWR x hour",
        "   -4.0000  origin=EWR",
        "   +1.0000  (5 others)",
        "   -9.0000  = score of row 0",
    ]
    assert str(fitted.explain(nothing)) == "   +0.5000  (bias)\n   +0.5000  = score of row 0"
    assert repr(parts) == "Explanation(2 rows, 3 features, 3 pairs)"
    formula = Formula(0.5, fitted.w_, V, COLUMNS)
    empty = explanation.explain_rows(formula, sparse.csr_matrix((0, 3)), list("abc"))
    assert str(empty).startswith("Explanation(0 rows")
    with pytest.raises(FrozenInstanceError):
        parts.bias = 0.0


def test_rows_out_of_range(fitted, rng):
    parts = fitted.explain(draw_table(rng, 3))
    with pytest.raises(ValueError, match="row must be less than 3, the rows explained; got 3"):
        parts.to_dict(3)
    with pytest.raises(ValueError, match="row must be at least 0"):
        parts.describe(-1)
    with pytest.raises(ValueError, match="top must be at least 1"):
        parts.describe(top=0)


def test_too_many_pairs_are_refused_before_they_are_made(fitted, rng, monkeypatch):
    X = draw_table(rng, 10, holes=0)  # 6 pairs a row
    monkeypatch.setattr(explanation, "MAX_PAIRS", 5 * 6)
    with pytest.raises(ValueError, match=r"10 rows of X have 60 pairs.*more than 30.*X\[:5\]"):
        fitted.explain(X)
    assert len(fitted.explain(X[:5]).pairwise["row"]) == 30


# --- fields ---------------------------------------------------------------------------------------


def dense_field_strengths(X, V, fields, n_fields):
    u = np.stack([X[:, fields == a] @ V[fields == a] for a in range(n_fields)])
    u -= u.mean(axis=1, keepdims=True)
    strength = np.zeros((n_fields, n_fields))
    for a in range(n_fields):
        for b in range(n_fields):
            strength[a, b] = np.std((u[a] * u[b]).sum(axis=1)) if a != b else 0
    return strength


@pytest.mark.parametrize("numbers_at_once", [1, 1000, 1 << 22])
def test_field_strength(fitted, rng, monkeypatch, numbers_at_once):
    monkeypatch.setattr(fields, "NUMBERS_AT_ONCE", numbers_at_once)
    of = fitted.encoder_.fields_
    X = draw_table(rng, 150)
    for found, rows in (
        (fitted.field_interactions(), fitted._sample.toarray()),
        (fitted.field_interactions(X), encode(fitted, X)),
    ):
        expected = dense_field_strengths(rows, fitted.V_, of, len(FIELDS))
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
        np.testing.assert_array_equal(found, found.T)
        assert (found[~np.eye(4, dtype=bool)] > 0).all()


def test_features_of_a_field_need_not_be_neighbours(fitted, rng):
    """Categories that join a model later come behind all others."""
    table, X = draw_table(rng, 300, holes=0), draw_table(rng, 150)
    few = table[(table["carrier"] < "2") & (table["hour"] > "1")]
    mixed = fm.FMRegressor(rank=3, solver=fm.Adam(), dtype="float64")
    mixed.partial_fit(few, np.resize([-1.0, 1.0], len(few)))
    mixed.partial_fit(table, np.ones(300))
    names = list(mixed.get_feature_names_out())
    assert set(names) == set(NAMES)
    assert (np.diff(mixed.encoder_.fields_) < 0).any()
    order = [NAMES.index(name) for name in names]
    set_parameters(mixed, 0.0, fitted.w_[order], fitted.V_[order])
    X["distance"] = 0.0  # its scale is another
    found, expected = (
        estimator.field_interactions(X)[:3, :3] / estimator._target.scale
        for estimator in (mixed, fitted)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_what_depends_on_one_field_alone_is_no_interaction(rng):
    X = draw_table(rng, 200).assign(origin="1")  # every flight leaves from the same airport
    fitted = draw_fitted(rng)
    assert (fitted.field_interactions(X)[1] < 1e-12).all()
    assert fitted.field_interactions(X)[0, 2] > 0.1


def test_without_factors_fields_do_not_interact(rng):
    assert not draw_fitted(rng, rank=0).field_interactions().any()
    no_rows = sparse.csr_matrix((0, 13))
    assert not fields.field_strengths(np.ones((13, 3)), no_rows, COLUMNS).any()


def test_too_many_fields_are_refused(fitted, monkeypatch):
    monkeypatch.setattr(fields, "MAX_FIELDS", 3)
    with pytest.raises(ValueError, match="the model has 4 fields"):
        fitted.field_interactions()
