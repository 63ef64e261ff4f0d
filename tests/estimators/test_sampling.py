"""Estimators with `Gibbs` and `ALS`."""

import pickle

import numpy as np
import pytest
from estimating import scores_of
from rated import ratings
from sklearn.base import clone

import sparsefm as fm

GIBBS = {"solver": fm.Gibbs(), "rank": 4, "epochs": 12}


@pytest.fixture(scope="module")
def table():
    """Return training and validation parts of a table of two categories, and numbers."""
    pd = pytest.importorskip("pandas")
    data = ratings()
    columns = data.X.indices.reshape(-1, 2)
    frame = pd.DataFrame({"user": columns[:, 0].astype(str), "item": columns[:, 1].astype(str)})
    return (frame[:3000], data.y[:3000]), (frame[3000:], data.y[3000:])


def classes(y, kind):
    return y if kind is fm.FMRegressor else np.where(y > 3, "up", "down")


def several(y):
    return np.digitize(y, [2.5, 3.5])


def test_columns_are_fields(table):
    (X, y), (X_test, y_test) = table
    model = fm.FMRegressor(**GIBBS).fit(X, y)
    assert model._models[0].progress.chains[0].means.shape == (2, 5)
    assert model.score(X_test, y_test) > 0.7
    assert not hasattr(model, "search_")
    assert np.isnan(model.history_["r_hat"][0])


def test_uncertainty_is_in_units_of_the_target(table):
    (X, y), (X_test, y_test) = table
    plain, scaled = fm.FMRegressor(**GIBBS).fit(X, y), fm.FMRegressor(**GIBBS).fit(X, 1000 * y - 7)
    mean, std = plain.predict(X_test, return_std=True)
    np.testing.assert_allclose(scaled.predict(X_test), 1000 * mean - 7, rtol=1e-3)
    np.testing.assert_allclose(scaled.predict(X_test, return_std=True)[1], 1000 * std, rtol=1e-3)
    bounds = scaled.predict_quantiles(X_test, [0.05, 0.95])
    inside = (bounds[:, 0] < 1000 * y_test - 7) & (1000 * y_test - 7 < bounds[:, 1])
    assert 0.87 < inside.mean() < 0.93
    with pytest.raises(ValueError, match="Gibbs"):
        fm.FMRegressor(rank=2, solver=fm.Adam(), epochs=2).fit(X, y).predict(X, return_std=True)


GRADES = np.array(["1 bad", "2 fair", "3 good"])


@pytest.mark.parametrize("words", [False, True], ids=["numbers", "text"])
def test_ordered_classes(table, words):
    (X, y), (X_test, y_test) = table
    y, y_test = several(y), several(y_test)
    if words:
        y, y_test = GRADES[y], GRADES[y_test]
    model = fm.FMClassifier(loss="ordinal", scoring="accuracy", **GIBBS | {"epochs": 30})
    model.fit(X, y, eval_set=(X_test, y_test))
    assert len(model._models) == 1
    assert model.V_.ndim == 2
    assert model.classes_.tolist() == (GRADES.tolist() if words else [0, 1, 2])
    chances = model.predict_proba(X_test)
    assert chances.shape == (1000, 3)
    np.testing.assert_allclose(chances.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X_test)), chances)
    assert np.array_equal(model.predict(X_test), model.classes_[chances.argmax(axis=1)])
    assert np.array_equal(model.decision_function(X_test).argmax(axis=1), chances.argmax(axis=1))
    assert model.score(X_test, y_test) > 0.62
    rows = np.searchsorted(model.classes_, y_test)
    losses = -np.log(chances[np.arange(1000), rows])
    for name in ("val_loss", "log_loss"):
        assert model.history_[name][-1] == pytest.approx(losses.mean(), rel=1e-4)
    assert model.history_["accuracy"][-1] == model.score(X_test, y_test)
    errors = np.abs(rows - chances.argmax(axis=1))
    assert model.history_["class_error"][-1] == pytest.approx(errors.mean())
    assert len(model.history_["r_hat"]) == 30


def test_ordered_classes_are_explained_by_the_latent_score(table):
    (X, y), (X_test, _) = table
    model = fm.FMClassifier(loss="ordinal", **GIBBS).fit(X, several(y))
    (sampled,) = model._models
    scores = sampled.score(model.encoder_.transform(X_test))
    np.testing.assert_allclose(model.explain(X_test).scores, scores, rtol=1e-3, atol=1e-4)
    assert len(model.interactions(top=3)["first"]) == 3
    with pytest.raises(ValueError, match="single score"):
        model.explain(X_test, target=1)


def test_ordered_classes_that_lose_their_rows_or_their_order(table):
    pd = pytest.importorskip("pandas")
    (X, y), _ = table
    model = fm.FMClassifier(loss="ordinal", **GIBBS)
    labels = several(y)
    lost = {label: 1 for label in np.unique(labels)} | {np.unique(labels)[-1]: 0}
    with pytest.raises(ValueError, match="class_weight"):
        model.set_params(class_weight=lost).fit(X, labels)
    model.set_params(class_weight=None)
    sizes = pd.Series(
        np.array(["low", "medium", "high"])[np.unique(labels, return_inverse=True)[1] % 3]
    )
    order = pd.CategoricalDtype(["low", "medium", "high"], ordered=True)
    with pytest.raises(ValueError, match="order of the categories"):
        model.fit(X, sizes.astype(order))
    assert model.fit(X, sizes.astype(order).cat.codes).classes_.tolist() == [0, 1, 2]
    assert len(fm.FMClassifier(**GIBBS).fit(X, sizes.astype(order)).classes_) == 3


def test_two_ordered_classes(table):
    (X, y), (X_test, _) = table
    models = [
        fm.FMClassifier(loss=loss, **GIBBS).fit(X, classes(y, None))
        for loss in ("ordinal", "logistic")
    ]
    decisions = [model.decision_function(X_test) for model in models]
    assert decisions[0].shape == (1000,)
    np.testing.assert_allclose(*decisions, rtol=1e-4, atol=1e-5)
    assert np.array_equal(*(model.predict(X_test) for model in models))


def test_rows_held_out_and_early_stopping_of_ordered_classes(table):
    (X, y), _ = table
    stopping = fm.EarlyStopping("class_error", patience=2)
    model = fm.FMClassifier(
        loss="ordinal", validation_fraction=0.2, callbacks=[stopping], **GIBBS | {"epochs": 40}
    )
    model.fit(X, several(y))
    assert 6 <= model.best_epoch_ < 38
    assert len(model.history_["class_error"]) == model.best_epoch_ + 2


def test_weights_of_ordered_classes_repeat_rows(table):
    (X, y), _ = table
    y, counts = several(y), np.random.default_rng(0).integers(0, 3, 3000)
    rows = np.repeat(np.arange(3000), counts)
    options = {"loss": "ordinal", **GIBBS}
    weighted = fm.FMClassifier(**options).fit(X, y, sample_weight=counts)
    repeated = fm.FMClassifier(**options).fit(X.iloc[rows], y[rows])
    np.testing.assert_allclose(
        weighted.predict_proba(X).mean(axis=0), repeated.predict_proba(X).mean(axis=0), atol=0.03
    )
    heavy = fm.FMClassifier(class_weight={0: 1, 1: 1, 2: 4}, **options).fit(X, y)
    plain = fm.FMClassifier(**options).fit(X, y)
    assert heavy.predict_proba(X)[:, 2].mean() > plain.predict_proba(X)[:, 2].mean() + 0.1
    with pytest.raises(ValueError, match="whole multiples"):
        fm.FMClassifier(class_weight={0: 1, 1: 1, 2: 1.7}, **options).fit(X, y)
    with pytest.raises(ValueError, match="ordered class 1 without rows"):
        fm.FMClassifier(class_weight={0: 1, 1: 0, 2: 1}, **options).fit(X, y)


def test_a_class_that_was_not_there_and_too_many(table):
    (X, y), (X_test, y_test) = table
    model = fm.FMClassifier(loss="ordinal", **GIBBS)
    with pytest.raises(ValueError, match="not one of"):
        model.fit(X, several(y), eval_set=(X_test, several(y_test) + 1))
    with pytest.raises(ValueError, match="2 to 100 ordered classes"):
        model.fit(X, np.arange(3000) % 101)


def test_ordered_classes_do_not_go_on_from_others(table):
    (X, y), _ = table
    model = fm.FMClassifier(warm_start=True, **GIBBS).fit(X, several(y))
    with pytest.raises(ValueError, match="fit anew"):
        model.set_params(loss="ordinal").fit(X, several(y))
    ordered = fm.FMClassifier(loss="ordinal", warm_start=True, **GIBBS | {"epochs": 8})
    ordered.fit(X, several(y)).set_params(epochs=4).fit(X, several(y))
    whole = fm.FMClassifier(loss="ordinal", **GIBBS).fit(X, several(y))
    assert np.array_equal(ordered.predict_proba(X), whole.predict_proba(X))
    with pytest.raises(ValueError, match="in parts"):
        ordered.partial_fit(X, several(y))


@pytest.mark.parametrize("words", [False, True], ids=["numbers", "text"])
def test_files_of_ordered_classes(table, words, tmp_path):
    (X, y), (X_test, _) = table
    y = GRADES[several(y)] if words else several(y)
    model = fm.FMClassifier(loss="ordinal", warm_start=True, **GIBBS).fit(X, y)
    model.save(tmp_path / "file")
    for again in (fm.load(tmp_path / "file"), pickle.loads(pickle.dumps(model))):
        assert np.array_equal(again.predict_proba(X_test), model.predict_proba(X_test))
        assert np.array_equal(again.predict(X_test), model.predict(X_test))
        again.fit(X, y)
        assert again._models[0].progress.sweeps == 24


@pytest.mark.parametrize("outputs", [1, 3])
def test_classes_with_validation_rows(table, outputs):
    (X, y), (X_test, y_test) = table
    code = several if outputs == 3 else lambda y: classes(y, None)
    model = fm.FMClassifier(**GIBBS | {"epochs": 30})
    model.fit(X, code(y), eval_set=(X_test, code(y_test)))
    chances = model.predict_proba(X_test)
    assert chances.shape == (1000, max(outputs, 2))
    np.testing.assert_allclose(chances.sum(axis=1), 1)
    assert model.score(X_test, code(y_test)) > (0.6 if outputs == 3 else 0.75)
    assert len(model.history_["val_loss"]) == 30  # samples do not overfit: nothing stops early
    rows = np.searchsorted(model.classes_, code(y_test))
    losses = -np.log(chances[np.arange(1000), rows])
    assert model.history_["log_loss"][-1] == pytest.approx(losses.mean(), rel=1e-4)


@pytest.mark.parametrize("solver", [fm.Gibbs(chains=2, samples=5), fm.ALS()])
def test_files_pickles_and_clones(kind, solver, table, tmp_path):
    if kind is fm.FMClassifier and isinstance(solver, fm.ALS):
        with pytest.raises(ValueError, match="ALS"):
            kind(solver=solver).fit(table[0][0], classes(table[0][1], kind))
        return
    (X, y), (X_test, _) = table
    model = kind(**GIBBS | {"solver": solver}).fit(X, classes(y, kind))
    model.save(tmp_path / "file", training_rows=True)
    for again in (fm.load(tmp_path / "file"), pickle.loads(pickle.dumps(model))):
        assert np.array_equal(scores_of(again, X_test), scores_of(model, X_test))
        assert again.interactions(top=3)["first"].tolist() == (
            model.interactions(top=3)["first"].tolist()
        )
    assert clone(model).solver == solver


def test_a_warm_start_makes_more_sweeps(kind, table):
    (X, y), (X_test, _) = table
    y = classes(y, kind)
    warm = kind(warm_start=True, **GIBBS | {"epochs": 8}).fit(X, y)
    warm.set_params(epochs=4).fit(X, y)
    assert warm._models[0].progress.sweeps == 12
    assert np.array_equal(scores_of(warm, X_test), scores_of(kind(**GIBBS).fit(X, y), X_test))
    with pytest.raises(ValueError, match="others"):
        warm.fit(X[1:], y[1:])
    warm.fit(X[::-1], y[::-1])  # the same rows
    assert warm._models[0].progress.sweeps == 16


def test_solvers_that_do_not_go_together(kind, table):
    (X, y), _ = table
    y = classes(y, kind)
    model = kind(**GIBBS).fit(X, y)
    for solver in (fm.Adam(), None):
        model.set_params(solver=solver)
        if solver is not None:  # for None see test_after_sampling.py
            with pytest.raises(ValueError, match="sampled"):
                model.partial_fit(X, y)
        with pytest.raises(ValueError, match="sampled"):
            model.set_params(warm_start=True).fit(X, y)
        model.set_params(warm_start=False)
    with pytest.raises(ValueError, match="fit anew"):
        kind(rank=4, epochs=2, solver=fm.Adam(), warm_start=True).fit(X, y).set_params(
            solver=fm.Gibbs()
        ).fit(X, y)
    with pytest.raises(ValueError, match="in parts"):
        kind(**GIBBS).partial_fit(X, y)


def test_weights_of_classes_repeat_rows(table):
    (X, y), _ = table
    y = classes(y, None)
    weighted = fm.FMClassifier(class_weight={"down": 1, "up": 3}, **GIBBS).fit(X, y)
    plain = fm.FMClassifier(**GIBBS).fit(X, y)
    assert weighted.predict_proba(X)[:, 1].mean() > plain.predict_proba(X)[:, 1].mean() + 0.05
    with pytest.raises(ValueError, match="whole multiples"):
        fm.FMClassifier(class_weight={"down": 1, "up": 2.5}, **GIBBS).fit(X, y)


def test_a_metric_of_the_users_own_is_that_of_the_current_model(table):
    (X, y), (X_test, y_test) = table

    def worst(estimator, X, y):
        return -float(np.abs(estimator.predict(X) - y).max())

    model = fm.FMRegressor(scoring=worst, **GIBBS).fit(X, y, eval_set=(X_test, y_test))
    assert model.history_["worst"][-1] == pytest.approx(worst(model, X_test, y_test))


def test_ordered_classes_cannot_be_learned_in_parts(table):
    (X, y), _ = table
    with pytest.raises(ValueError, match="Gibbs needs all rows"):
        fm.FMClassifier(loss="ordinal").partial_fit(X, several(y))
