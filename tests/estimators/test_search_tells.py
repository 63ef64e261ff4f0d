"""Default fits: what they find, what they tell of it, and settings that can be used again."""

import logging

import numpy as np
import pytest
from estimating import products, scores_of, targets
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

import sparsefm as fm
from sparsefm.estimators import views
from sparsefm.tuning.numbers import CHOICES
from sparsefm.tuning.portfolio import Sampling
from sparsefm.tuning.racing import Candidate, Race
from sparsefm.tuning.search import Choice, Search

# --- settings that can be used again --------------------------------------------------------------


def table(rows=150, seed=0):
    """Return numbers and categories, and targets."""
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(seed)
    size, city = np.exp(rng.normal(size=rows)), rng.choice(list("abc"), rows)
    place = rng.normal(size=rows)
    y = np.log(size) * (city == "a") + place + 0.3 * rng.normal(size=rows)
    return pd.DataFrame({"size": size, "city": city, "place": place}), y


def again(estimator, X, y):
    """Return an estimator that was fitted with what a search found."""
    return type(estimator)(**estimator.best_params_).fit(X, y)


@pytest.mark.parametrize("solver", [None, fm.Adam(), fm.AdaGrad()])
@pytest.mark.parametrize("form", ["table", "dense", "sparse"])
def test_the_settings_found_make_the_same_model(kind, solver, form, brief_search):
    if form == "table":
        X, y = table()
    else:
        X, y = products(150)
        X = sparse.csr_matrix(X) if form == "sparse" else X
    y = targets(kind, y)
    estimator = kind(solver=solver).fit(X, y)
    assert np.array_equal(scores_of(again(estimator, X, y), X), scores_of(estimator, X))
    if solver is not None:
        assert type(estimator.best_params_["solver"]) is type(solver)
    for name in ("rank", "epochs", "encoder"):
        assert estimator.best_params_[name] is not None
    assert (estimator.best_params_["encoder"].numeric == "auto") is (form == "sparse")
    assert getattr(estimator, "encoder", None) is None


@pytest.mark.parametrize("number", range(6))
def test_so_it_is_in_every_encoding(monkeypatch, number):
    """Rows are in the same order in all of them."""
    monkeypatch.setattr(views, "CHOICES", CHOICES[number : number + 1])
    X, y = table()
    given = {"rank": 2, "solver": fm.Adam(learning_rate=0.03), "epochs": 4, "batch_size": 16}
    estimator = fm.FMRegressor(**given).fit(X, y)
    found = again(estimator, X, y)
    assert np.array_equal(found.predict(X), estimator.predict(X))
    if estimator.encoder_.numeric in ("spline", "bin"):
        assert estimator.encoder_.n_bins == CHOICES[number].n_bins
    assert estimator.encoder_.numeric == CHOICES[number].numeric
    assert estimator.encoder_.clip is CHOICES[number].clip


def test_stages_that_were_found_are_settings_too(monkeypatch, brief_search):
    monkeypatch.setattr(Race, "stages", lambda *_: (5, 3, 2))
    X, y = products(150)
    encoder = fm.TableEncoder(numeric="standardize", clip=False)
    estimator = fm.FMRegressor(loss="huber", rank=2, encoder=encoder).fit(X, y)
    assert estimator.best_params_["epochs"] == (5, 3, 2)
    fitted = fm.FMRegressor(loss="huber", **estimator.best_params_).fit(X, y)
    assert np.array_equal(fitted.predict(X), estimator.predict(X))
    assert not hasattr(fitted, "search_")
    assert fitted.best_params_["epochs"] == estimator.best_params_["epochs"]
    assert fitted._learner.rate_factor == estimator._learner.rate_factor < 1


def test_settings_found_are_clones_of_their_own(kind, brief_search):
    X, y = table()
    estimator = kind().fit(X, targets(kind, y))
    fresh = kind(**estimator.best_params_)
    assert clone(fresh).get_params()["encoder"].numeric == estimator.encoder_.numeric
    assert fresh.encoder is not estimator.encoder_
    assert not hasattr(fresh.encoder, "n_features_in_")
    double = kind(**estimator.best_params_, dtype="float64").fit(X, targets(kind, y))
    assert double.V_.dtype == np.float64


def test_a_grid_of_encodings_has_no_search_in_it(kind):
    X, y = table()
    grid = {"encoder__numeric": ["standardize", "log", "spline"]}
    estimator = kind(search=None, rank=2, solver=fm.ALS() if kind is fm.FMRegressor else None)
    found = GridSearchCV(estimator, grid, cv=2).fit(X, targets(kind, y))
    assert len(set(found.cv_results_["mean_test_score"].tolist())) == 3
    assert found.best_estimator_.encoder_.numeric == found.best_params_["encoder__numeric"]


# --- what is found --------------------------------------------------------------------------------


def pure_interactions(rows=16_000, users=300, items=200, rank=3, seed=0):
    """Return rows of a user and an item, and <u, v> of them; neither says anything alone."""
    rng = np.random.default_rng(seed)
    user, item = rng.integers(0, users, rows), rng.integers(0, items, rows)
    U, V = rng.normal(size=(users, rank)), rng.normal(size=(items, rank))
    columns = np.column_stack([user, users + item]).ravel()
    starts = np.arange(0, 2 * rows + 1, 2)
    X = sparse.csr_matrix((np.ones(2 * rows), columns, starts), (rows, users + items))
    return X, (U[user] * V[item]).sum(axis=1), rng


def log_loss(estimator, X, y):
    chances = estimator.predict_proba(X)[:, 1]
    return -np.mean(np.log(np.where(y, chances, 1 - chances)))


def rmse(estimator, X, y):
    return np.sqrt(np.mean((estimator.predict(X) - y) ** 2))


def test_pure_interactions_are_found(kind):
    X, scores, rng = pure_interactions()
    if kind is fm.FMRegressor:
        y, error = scores + rng.normal(size=len(scores)), rmse
    else:
        y, error = rng.random(len(scores)) < 1 / (1 + np.exp(-2 * scores)), log_loss
    train, test = slice(0, 12_000), slice(12_000, None)
    found = error(kind().fit(X[train], y[train]), X[test], y[test])
    sampled = error(kind(solver=fm.Gibbs()).fit(X[train], y[train]), X[test], y[test])
    linear = error(kind(solver=fm.Gibbs(), rank=0).fit(X[train], y[train]), X[test], y[test])
    assert found < 1.03 * sampled
    assert found < 0.8 * linear


@pytest.mark.parametrize(
    "seed",
    [0, 3, 4],
)
def test_linear_truth_is_not_lost(seed):
    rng = np.random.default_rng(seed % 4)
    X = rng.normal(size=(2500 if seed < 4 else 1500, 5))
    y = X @ [1, 2, -1, 0.5, 0] + 2 * rng.normal(size=len(X))
    train, test = slice(0, 600), slice(600, None)
    encoder = fm.TableEncoder(numeric="standardize", clip=False)
    linear = fm.FMRegressor(rank=0, solver=fm.Gibbs(), encoder=encoder).fit(X[train], y[train])
    found = fm.FMRegressor(encoder=encoder).fit(X[train], y[train])
    assert rmse(found, X[test], y[test]) < 1.01 * rmse(linear, X[test], y[test])


def test_linear_truth_of_classes_is_not_lost():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1500, 5))
    y = X @ [1, 2, -1, 0.5, 0] + 2 * rng.normal(size=1500) > 0
    train, test = slice(0, 600), slice(600, None)
    encoder = fm.TableEncoder(numeric="standardize", clip=False)
    linear = fm.FMClassifier(rank=0, solver=fm.Gibbs(), encoder=encoder).fit(X[train], y[train])
    found = fm.FMClassifier(encoder=encoder).fit(X[train], y[train])
    assert log_loss(found, X[test], y[test]) < 1.01 * log_loss(linear, X[test], y[test])


def test_pure_noise_is_not_learned(kind):
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 60, (2, 400))
    X = sparse.csr_matrix(np.hstack([np.eye(60)[first], np.eye(60)[second]]))
    y = rng.normal(size=400)
    estimator = kind().fit(X, targets(kind, y))
    spread = np.std(scores_of(estimator, X))
    assert spread < (0.3 if kind is fm.FMRegressor else 0.6)


def test_amounts_are_not_clipped_where_all_of_them_counts():
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    amount = np.exp(1.5 * rng.normal(size=600))
    X = pd.DataFrame({"amount": amount})
    model = fm.FMRegressor().fit(X[:400], 3 * amount[:400])
    assert model.encoder_.clip is False
    assert model.best_params_["encoder"].clip is False
    assert model.score(X[400:], 3 * amount[400:]) > 0.99


# --- what it tells --------------------------------------------------------------------------------


class Listening:
    """A callback that notes what it is told."""

    def __init__(self):
        self.candidates, self.epochs = [], 0

    def search(self, candidate):
        self.candidates.append(candidate)

    def __call__(self, epoch):
        self.epochs += 1


def test_callbacks_hear_of_candidates_and_epochs(kind, brief_search):
    X, y = products(60)
    listening = Listening()
    silent = []
    estimator = kind(callbacks=[silent.append, listening]).fit(X, targets(kind, y))
    assert all(isinstance(one, Candidate) for one in listening.candidates)
    told = {id(one.losses): one.best for one in listening.candidates}
    assert sorted(set(told.values())) == sorted(set(estimator.search_["loss"]))
    assert listening.epochs == len(silent) == estimator.n_iter_


def test_it_says_how_far_it_is(kind, caplog, capsys, brief_search):
    X, y = products(60)
    y = targets(kind, y)
    with caplog.at_level(logging.INFO, "sparsefm"):
        estimator = kind(verbose=True).fit(X, y)
    lines = capsys.readouterr().out + capsys.readouterr().err + caplog.text
    candidates = [line for line in lines.splitlines() if "search: " in line]
    assert len(candidates) == len(set(candidates)) >= len(set(estimator.search_["loss"]))
    assert all("validation loss" in line for line in candidates)
    kind().fit(X, y)
    assert "search: " not in capsys.readouterr().out


@pytest.mark.parametrize(("rank", "pairs", "said"), [(0, 0.75, 1), (0, np.nan, 0), (2, 0.25, 0)])
def test_the_log_says_why_the_model_is_linear(caplog, monkeypatch, rank, pairs, said):
    choice = Choice(Sampling(rank), None, (60,), fm.losses.Squared(), {}, linear=0.5, pairs=pairs)
    monkeypatch.setattr(Search, "run", lambda *_: choice)
    X, y = products(60)
    with caplog.at_level(logging.INFO, "sparsefm"):
        fm.FMRegressor().fit(X, y)
    lines = [r.getMessage() for r in caplog.records if "linear model was chosen" in r.getMessage()]
    assert len(lines) == said
    assert all("0.5" in line and "0.75" in line for line in lines)


def test_a_fit_without_a_search_forgets_the_one_before(kind, brief_search):
    X, y = products(60)
    y = targets(kind, y)
    estimator = kind().fit(X, y)
    assert estimator.search_
    estimator.set_params(search=None, rank=3, solver=fm.Adam(), epochs=2).fit(X, y)
    assert not hasattr(estimator, "search_")
    assert estimator.best_params_["rank"] == 3
