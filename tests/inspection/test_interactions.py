"""The ranking of pairs, against a dense computation by least squares."""

import numpy as np
import pytest
from scipy import sparse

import sparsefm as fm
from sparsefm.inspection.interactions import rank_pairs, strongest_interactions
from sparsefm.interaction import Interaction


def one_hot(rng):
    columns = [rng.integers(0, 4, 500), rng.integers(0, 3, 500)]
    columns.append(columns[0])  # always with its twin: says nothing new
    parts = [np.eye(4)[columns[0]], np.eye(3)[columns[1]], np.eye(4)[columns[2]]]
    return np.concatenate(parts, axis=1)


def real(rng):
    return rng.normal(size=(500, 6)) * (rng.random((500, 6)) < 0.5)


def by_least_squares(X, V):
    """Return the strength of each pair (i, j): residual deviation of what it adds to the score."""
    strengths = {}
    for i in range(X.shape[1]):
        for j in range(i + 1, X.shape[1]):
            product = V[i] @ V[j] * X[:, i] * X[:, j]
            explaining = np.c_[np.ones(len(X)), X[:, i], X[:, j]]
            fitted = explaining @ np.linalg.lstsq(explaining, product, rcond=None)[0]
            strengths[i, j] = np.std(product - fitted)
    return strengths


@pytest.mark.parametrize("draw", [one_hot, real])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
def test_strength_is_what_neither_feature_could_add(draw, form):
    rng = np.random.default_rng(0)
    X = draw(rng)
    V = rng.normal(size=(X.shape[1], 3))
    pairs = strongest_interactions(fm.Model(0.0, V[:, 0], V), form(X), top=1000)
    expected = by_least_squares(X, V)
    for i, j, strength in zip(pairs.first, pairs.second, pairs.strength, strict=True):
        np.testing.assert_allclose(strength, expected.pop((i, j)), atol=1e-7)
    assert max(expected.values(), default=0) < 1e-7  # left out: pairs that no row has
    assert (np.diff(pairs.strength) <= 0).all()


def test_weight_and_share():
    X = np.array([[1, 1, 0], [1, 0, 1], [0, 1, 1], [1, 1, 0.0]])
    V = np.array([[1.0], [2.0], [3.0]])
    pairs = strongest_interactions(fm.Model(0.0, np.zeros(3), V), X, top=3)
    found = {
        (i, j): (weight, share)
        for i, j, weight, share in zip(
            pairs.first, pairs.second, pairs.weight, pairs.share, strict=True
        )
    }
    assert found == {(0, 1): (2.0, 0.5), (0, 2): (3.0, 0.25), (1, 2): (6.0, 0.25)}
    assert len(strongest_interactions(fm.Model(0.0, np.zeros(3), V), X, top=2).first) == 2


def test_top_is_checked():
    model = fm.Model(0.0, np.zeros(2), np.ones((2, 1)))
    with pytest.raises(ValueError, match="top must"):
        strongest_interactions(model, np.ones((3, 2)), top=0)
    with pytest.raises(ValueError, match="X has 3 features"):
        strongest_interactions(model, np.ones((3, 3)))


def test_pairs_within_a_field_are_left_out():
    rng = np.random.default_rng(0)
    X, V = real(rng), rng.normal(size=(6, 2))
    fields = np.array([0, 0, 1, 2, 1, 0])
    args = V, sparse.csr_matrix(X), 1000, Interaction(fields, 3)
    every = rank_pairs(*args).arrays()
    between = rank_pairs(*args, within_fields=False).arrays()
    kept = fields[every[0]] != fields[every[1]]
    assert kept.sum() == 15 - 3 - 1
    for whole, part in zip(every, between, strict=True):
        np.testing.assert_array_equal(whole[kept], part)


def test_the_knots_of_a_spline_are_one_field():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    encoder = fm.TableEncoder(numeric="spline", n_bins=4)
    model = fm.FMRegressor(encoder=encoder, rank=2, epochs=2, solver=fm.Adam())
    model.fit(X, X[:, 0] * X[:, 1])
    pairs = model.interactions(top=1000)
    assert len(pairs["first"]) == 25
    assert {name[:3] for name in pairs["first"]} == {"x0@"}
    assert {name[:3] for name in pairs["second"]} == {"x1@"}
    strengths = model.field_interactions()
    assert strengths.shape == (2, 2)
    assert strengths[0, 1] > 0 == strengths[0, 0]
    explanation = model.explain(X[:9])
    np.testing.assert_allclose(explanation.scores, model.predict(X[:9]), rtol=1e-5)
