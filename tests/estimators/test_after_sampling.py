"""`partial_fit` after a fit whose model was sampled, as a search may choose."""

import copy
import logging

import numpy as np
import pytest
from estimating import scores_of
from rated import ratings

import sparsefm as fm

SAMPLED = {"solver": fm.Gibbs(), "rank": 4, "epochs": 20}


def frame(data):
    """Return the rows as a table of two categories."""
    pd = pytest.importorskip("pandas")
    columns = data.X.indices.reshape(-1, 2)
    return pd.DataFrame({"user": columns[:, 0].astype(str), "item": columns[:, 1].astype(str)})


@pytest.fixture(scope="module")
def table():
    data = ratings(6000)
    return frame(data), data.y


def several(y):
    return np.digitize(y, [2.5, 3.5])


def problem(kind, y):
    return y if kind == "numbers" else y > 3 if kind == "two classes" else several(y)


def fitted(kind, X, y):
    """Return an estimator that has no solver of its own and was sampled."""
    cls = fm.FMRegressor if kind == "numbers" else fm.FMClassifier
    return cls(**SAMPLED).fit(X, y).set_params(solver=None, rank=None, epochs=None)


def loss(estimator, X, y):
    if isinstance(estimator, fm.FMRegressor):
        return np.sqrt(np.mean((estimator.predict(X) - y) ** 2))
    chances = estimator.predict_proba(X)
    return -np.mean(np.log(chances[np.arange(len(y)), np.searchsorted(estimator.classes_, y)]))


KINDS = pytest.mark.parametrize("kind", ["numbers", "two classes", "three classes"])


@KINDS
def test_more_rows_of_the_same_kind_do_no_harm(kind, table, caplog):
    X, y = table[0], problem(kind, table[1])
    model = fitted(kind, X[:3000], y[:3000])
    outputs = len(model._models)
    sampled = loss(model, X[5000:], y[5000:])
    with caplog.at_level(logging.INFO, "sparsefm"):
        model.partial_fit(X[3000:4000], y[3000:4000])
        model.partial_fit(X[4000:5000], y[4000:5000])
    messages = [r.getMessage() for r in caplog.records if "compressed" in r.getMessage()]
    assert len(messages) == 1  # the second call goes on as usual
    assert "rank 8" in messages[0]
    assert "AdaGrad at 0.1" in messages[0]
    assert loss(model, X[5000:], y[5000:]) < 1.01 * sampled
    assert [type(m) for m in model._models] == [fm.Model] * outputs
    assert model.n_iter_ == 1


@KINDS
def test_new_categories_are_learned(kind, table):
    X, y = table[0], problem(kind, table[1])
    new = X["user"].astype(int).to_numpy() < 12
    order = np.r_[np.flatnonzero(~new), np.flatnonzero(new)]
    rows, test = order[: (~new).sum()], order[(~new).sum() :]
    more, test = test[: 3 * len(test) // 4], test[3 * len(test) // 4 :]
    model = fitted(kind, X.iloc[rows], y[rows])
    n_features, before = model._learner.n_features, loss(model, X.iloc[test], y[test])
    for _ in range(10):
        model.partial_fit(X.iloc[more], y[more])
    assert model._learner.n_features == n_features + 12
    assert loss(model, X.iloc[test], y[test]) < before


def test_the_sampled_model_stays_as_it_is(table):
    X, y = table
    model = fitted("numbers", X[:3000], y[:3000])
    kept = copy.copy(model)
    scores = scores_of(model, X)
    model.partial_fit(X[3000:], y[3000:])
    assert np.array_equal(scores_of(kept, X), scores)
    kept.predict(X, return_std=True)
    with pytest.raises(ValueError, match="needs samples"):
        model.predict(X, return_std=True)

    def fail(epoch):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        kept.set_params(callbacks=[fail]).partial_fit(X[3000:], y[3000:])
    assert np.array_equal(scores_of(kept, X), scores)


@KINDS
def test_files_before_and_after(kind, table, tmp_path):
    X, y = table[0], problem(kind, table[1])
    model = fitted(kind, X[:3000], y[:3000])
    model.save(tmp_path / "before")
    model.partial_fit(X[3000:4000], y[3000:4000])
    again = fm.load(tmp_path / "before").partial_fit(X[3000:4000], y[3000:4000])
    assert np.array_equal(scores_of(again, X), scores_of(model, X))
    model.save(tmp_path / "after", optimizer_state=True)
    again = fm.load(tmp_path / "after").partial_fit(X[4000:], y[4000:])
    assert np.array_equal(scores_of(again, X), scores_of(model.partial_fit(X[4000:], y[4000:]), X))


def test_after_least_squares(table):
    X, y = table
    model = fm.FMRegressor(solver=fm.ALS(), rank=4, epochs=10).fit(X[:3000], y[:3000])
    before = loss(model, X[5000:], y[5000:])
    model.set_params(solver=None).partial_fit(X[3000:5000], y[3000:5000])
    assert loss(model, X[5000:], y[5000:]) < before


def test_ordered_classes_and_given_solvers_are_refused(table):
    X, y = table
    model = fm.FMClassifier(loss="ordinal", **SAMPLED).fit(X, several(y))
    with pytest.raises(ValueError, match="Gibbs"):
        model.set_params(solver=None).partial_fit(X, several(y))
    model = fm.FMRegressor(**SAMPLED).fit(X, y)
    with pytest.raises(ValueError, match="in parts"):
        model.partial_fit(X, y)
    with pytest.raises(ValueError, match="fit anew"):
        model.set_params(solver=fm.Adam()).partial_fit(X, y)
