"""`FMClassifier`: labels of all kinds, probabilities, class weights."""

import warnings

import numpy as np
import pytest
from estimating import formula
from fitted import set_parameters
from scipy import sparse
from scipy.special import expit, log_expit

import sparsefm as fm

FAST = {"rank": 2, "solver": fm.Adam(), "epochs": 5, "search": None}


def problem(n_classes=2, rows=200, seed=0):
    """Return rows and classes 0, 1, ... that depend on products."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, 4)) * (rng.random((rows, 4)) < 0.9)
    scores = X[:, 0] * X[:, 1] + X[:, 2]
    edges = np.quantile(scores, np.arange(1, n_classes) / n_classes)
    return X, np.searchsorted(edges, scores)


# --- labels ---------------------------------------------------------------------------------------

LABELS = {
    "text": ["no", "perhaps", "yes"],
    "int": [3, 7, 100],
    "negative": [-5, -1, 2],
    "bool": [False, True],
    "signs": [-1, 1],
    "float": [0.5, 1.0, 2.0],
}


@pytest.mark.parametrize("kind", [*LABELS, "object", "category", "pandas text"])
@pytest.mark.parametrize("loss", ["logistic", "hinge"])
def test_labels(kind, loss):
    pd = pytest.importorskip("pandas")
    of_classes = LABELS.get(kind, LABELS["text"])
    if kind == "float":
        of_classes = [1.0, 2.0, 3.0]
    X, codes = problem(len(of_classes))
    y = np.array(of_classes)[codes]
    given = {
        "object": y.astype(object),
        "category": pd.Series(y).astype("category"),
        "pandas text": pd.Series(y),
    }.get(kind, y)
    estimator = fm.FMClassifier(loss=loss, **FAST).fit(X, given)
    assert estimator.classes_.tolist() == sorted(of_classes)
    assert estimator.classes_.dtype.kind in {"object": "O", "category": "OU"}.get(
        kind, "OU" if "pandas" in kind else np.array(of_classes).dtype.kind
    )
    found = estimator.predict(X)
    assert found.dtype == estimator.classes_.dtype
    assert np.mean(found == y) > 0.6
    by_code = fm.FMClassifier(loss=loss, **FAST).fit(X, codes)
    assert np.array_equal(by_code.decision_function(X), estimator.decision_function(X))
    assert np.array_equal(estimator.classes_[by_code.predict(X)], found)
    assert estimator.score(X, given) == by_code.score(X, codes)


@pytest.mark.parametrize("n_classes", [2, 3, 10])
def test_learns_products(n_classes):
    X, y = problem(n_classes, rows=1500)
    estimator = fm.FMClassifier().fit(X[:1000], y[:1000])
    assert estimator.score(X[1000:], y[1000:]) > {2: 0.93, 3: 0.8, 10: 0.35}[n_classes]


def test_classes_are_told_when_wrong():
    X, y = problem()
    with pytest.raises(ValueError, match="only one class: 'a'"):
        fm.FMClassifier().fit(X, np.full(200, "a"))
    with pytest.raises(ValueError, match="only one class: 1"):
        fm.FMClassifier().fit(X, y, sample_weight=y)
    with pytest.raises(ValueError, match=r"continuous|Unknown label type"):
        fm.FMClassifier().fit(X, X[:, 0])
    for absent in (None, np.nan):
        with pytest.raises(ValueError, match="Input y contains NaN or None, in row 1"):
            fm.FMClassifier().fit(X, np.array(["a", absent] * 100, dtype=object))
    with pytest.raises(TypeError, match=r"y holds labels of several types \(int, str\)"):
        fm.FMClassifier().fit(X, np.array(["a", 3] * 100, dtype=object))
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match="Input y contains"):
            fm.FMClassifier().fit(X, np.where(y, bad, 0.0))


@pytest.mark.parametrize(
    ("unknown", "name"), [(7, "7"), ("new", "'new'"), (-1, "-1")], ids=["int", "text", "negative"]
)
@pytest.mark.parametrize("of_training", ["int", "text", "object"])
def test_an_unknown_class_is_named(unknown, name, of_training):
    X, y = problem()
    if of_training != "int":
        y = np.array(["a", "b"], dtype="<U3" if of_training == "text" else object)[y]
    strange = np.array([*y[:49].tolist(), unknown], dtype=object)
    if isinstance(unknown, str) is (of_training == "int"):
        strange = np.full(50, unknown)
    elif of_training == "int":
        strange = strange.astype(int)
    with pytest.raises(ValueError, match=f"class {name} "):
        fm.FMClassifier(**FAST).fit(X, y, eval_set=(X[:50], strange))
    estimator = fm.FMClassifier(**FAST).fit(X, y)
    before = estimator.decision_function(X)
    with pytest.raises(ValueError, match=f"class {name} "):
        estimator.partial_fit(X[:50], strange)
    assert np.array_equal(estimator.decision_function(X), before)
    with pytest.raises(ValueError, match=f"class {name} "):
        fm.FMClassifier(**FAST).partial_fit(X[:50], strange, classes=np.unique(y))


# --- scores and probabilities ---------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["logistic", "hinge"])
@pytest.mark.parametrize("n_classes", [2, 3, 10])
@pytest.mark.parametrize("rank", [0, 3])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
def test_parameters_make_the_scores(loss, n_classes, rank, form):
    X, y = problem(n_classes)
    X = form(X)
    lead = () if n_classes == 2 else (n_classes,)
    for dtype, tolerance in (("float64", 1e-12), ("float32", 1e-5)):
        estimator = fm.FMClassifier(**FAST | {"rank": rank}, loss=loss, dtype=dtype).fit(X, y)
        assert np.shape(estimator.w0_) == lead
        assert estimator.w_.shape == (*lead, 4)
        assert estimator.V_.shape == (*lead, 4, rank)
        scores = estimator.decision_function(X)
        assert scores.shape == (200, *lead)
        assert scores.dtype == np.float64
        np.testing.assert_allclose(scores, formula(estimator, X), atol=tolerance)
        chosen = (scores >= 0) * 1 if n_classes == 2 else scores.argmax(axis=1)
        assert np.array_equal(estimator.predict(X), estimator.classes_[chosen])


@pytest.mark.parametrize("n_classes", [2, 3, 10])
def test_probabilities(n_classes):
    X, y = problem(n_classes)
    estimator = fm.FMClassifier(**FAST).fit(X, y)
    found, scores = estimator.predict_proba(X), estimator.decision_function(X)
    assert found.shape == (200, n_classes)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-12)
    of_machines = np.c_[expit(-scores), expit(scores)] if n_classes == 2 else expit(scores)
    expected = of_machines / of_machines.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    np.testing.assert_allclose(np.exp(estimator.predict_log_proba(X)), found, rtol=1e-12)
    assert np.array_equal(estimator.classes_[found.argmax(axis=1)], estimator.predict(X))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_probabilities_of_extreme_scores(n_classes):
    X, y = problem(n_classes)
    solver = fm.Adam(learning_rate=0.1, l2_linear=0.0)
    rows = sparse.csr_matrix(1000.0 * X)
    estimator = fm.FMClassifier(rank=0, solver=solver, epochs=50).fit(sparse.csr_matrix(X), y)
    scores = estimator.decision_function(rows)
    assert np.abs(scores).max() > 1000
    found, logs = estimator.predict_proba(rows), estimator.predict_log_proba(rows)
    assert np.isfinite(logs).all()
    assert logs.min() < -1000
    assert (logs <= 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-10)
    np.testing.assert_allclose(np.exp(logs), found, atol=1e-300)
    if n_classes == 2:
        np.testing.assert_allclose(logs[:, 1], log_expit(scores), rtol=1e-12)


def test_hinge_has_no_probabilities():
    X, y = problem()
    for estimator in (fm.FMClassifier(loss="hinge"), fm.FMClassifier(loss="hinge", **FAST)):
        for method in ("predict_proba", "predict_log_proba"):
            assert not hasattr(estimator, method)
            with pytest.raises(AttributeError, match=r"predict_(log_)?proba|probabilities"):
                getattr(estimator, method)(X)
    assert hasattr(fm.FMClassifier(), "predict_proba")
    estimator.fit(X, y, eval_set=(X, y))
    assert "log_loss" not in estimator.history_


@pytest.mark.parametrize("n_classes", [2, 3])
def test_insight_adds_up_to_scores(n_classes):
    pd = pytest.importorskip("pandas")
    X, y = problem(n_classes)
    table = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "c": np.where(X[:, 2] > 0, "u", "v")})
    estimator = fm.FMClassifier(**FAST).fit(table, np.array(["x", "y", "z"])[y])
    scores = estimator.decision_function(table).reshape(len(y), -1)
    for column, target in enumerate([None] if n_classes == 2 else ["x", "y", "z"]):
        explanation = estimator.explain(table, target=target)
        np.testing.assert_allclose(explanation.scores, scores[:, column], atol=1e-5)
        assert len(estimator.interactions(target=target)["weight"]) == 5
        strengths = estimator.field_interactions(target=target)
        assert strengths.shape == (3, 3)
        assert strengths.sum() > 0


# --- weights of classes ---------------------------------------------------------------------------


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("loss", ["logistic", "hinge"])
def test_class_weights_are_sample_weights(n_classes, loss):
    X, y = problem(n_classes)
    X = sparse.csr_matrix((X > 0) * 1.0)  # other columns are standardised by the rows' own weights
    y[(np.arange(200) % 3 > 0) & (y == 0)] = 1
    weights = 0.1 * (np.arange(200) % 4)  # no counts, by which rows would be repeated
    counts = np.bincount(y, weights)
    settings = FAST | {"loss": loss}
    plain = fm.FMClassifier(**settings).fit(X, y, weights).decision_function(X)
    for class_weight, of_class in (
        ({0: 3, 1: 0.5, 2: 2} if n_classes == 3 else {0: 3, 1: 0.5}, np.array([3, 0.5, 2])),
        ("balanced", counts.sum() / (n_classes * counts)),
    ):
        estimator = fm.FMClassifier(class_weight=class_weight, **settings)
        found = estimator.fit(X, y, sample_weight=weights).decision_function(X)
        by_hand = fm.FMClassifier(**settings).fit(X, y, sample_weight=weights * of_class[y])
        np.testing.assert_allclose(found, by_hand.decision_function(X), atol=1e-4)
        assert not np.allclose(found, plain, atol=1e-2)


def test_balance_shifts_the_share_of_a_rare_class():
    X, y = problem(rows=600)
    X, y = X[(y == 0) | (np.arange(600) % 12 == 0)], y[(y == 0) | (np.arange(600) % 12 == 0)]
    noise = np.random.default_rng(0).normal(size=X.shape)
    plain, balanced = (
        np.mean(
            fm.FMClassifier(class_weight=weight, **FAST).fit(noise, y).predict_proba(noise)[:, 1]
        )
        for weight in (None, "balanced")
    )
    assert plain < 0.2
    assert 0.4 < balanced < 0.6


def test_nearly_as_many_classes_as_rows_are_warned_of():
    X, _ = problem()
    with pytest.warns(UserWarning, match="y holds 101 classes in 200 rows"):
        fm.FMClassifier(**FAST).fit(X, np.maximum(np.arange(200) - 99, 0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fm.FMClassifier(**FAST).fit(X, np.maximum(np.arange(200) - 100, 0))
        fm.FMClassifier(**FAST).partial_fit(X[:30], np.arange(30) % 3, classes=np.arange(90))


def test_unknown_classes_in_class_weight():
    X, y = problem()
    with pytest.raises(ValueError, match="class_weight"):
        fm.FMClassifier(class_weight={5: 1.0, 1: 1.0}, **FAST).fit(X, y)
    with pytest.raises(ValueError, match="balanced"):
        fm.FMClassifier(class_weight="balanced", **FAST).partial_fit(X, y)


@pytest.mark.parametrize("settings", [FAST, {}])
@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_classes_with_a_single_member(settings, class_weight, brief_search):
    X, y = problem(3)
    y[y == 2] = 1
    y[17] = 2
    estimator = fm.FMClassifier(class_weight=class_weight, **settings).fit(X, y)
    assert estimator.classes_.tolist() == [0, 1, 2]
    found = estimator.predict_proba(X)
    assert np.isfinite(found).all()
    assert found[17, 2] > np.median(found[:, 2])
    two = np.where(y == 2, "rare", "common")
    estimator = fm.FMClassifier(class_weight=class_weight, **settings).fit(X, two)
    assert estimator.predict_proba(X).shape == (200, 2)


def test_a_class_of_no_weight_is_none():
    X, y = problem(3)
    weights = np.where(y == 2, 0, 1 + np.arange(200) % 2)
    estimator = fm.FMClassifier(class_weight="balanced", **FAST).fit(X, y, sample_weight=weights)
    assert estimator.classes_.tolist() == [0, 1]
    without = fm.FMClassifier(class_weight="balanced", **FAST)
    without.fit(X[y < 2], y[y < 2], sample_weight=weights[y < 2])
    assert np.array_equal(estimator.decision_function(X), without.decision_function(X))


def test_parameters_are_no_views_of_what_trains_on():
    X, y = problem()
    estimator = fm.FMClassifier(**FAST).fit(X, y)
    w, V = estimator.w_, estimator.V_
    before, scores = w.copy(), estimator.decision_function(X)
    V[:] = w[:] = 0
    assert np.array_equal(estimator.decision_function(X), scores)
    w = estimator.w_
    estimator.partial_fit(X, y)
    assert np.array_equal(w, before)
    assert not np.array_equal(estimator.w_, before)


@pytest.mark.parametrize("loss", ["logistic", "hinge"])
def test_a_score_of_zero_is_the_second_class(loss):
    X = np.eye(4)
    estimator = fm.FMClassifier(loss=loss, **FAST).fit(X, ["no", "yes"] * 2)
    set_parameters(estimator, 0.0, np.array([0.0, 0.0, 1.0, -1.0]), np.zeros((4, 2)))
    assert estimator.decision_function(X)[:2].tolist() == [0, 0]
    assert estimator.predict(X)[:2].tolist() == ["yes", "yes"]
    assert sorted(estimator.predict(X)[2:]) == ["no", "yes"]
