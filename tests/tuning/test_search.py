"""What the parameters leave open: found by a race, repeatable, and what is given is kept."""

import time
from dataclasses import replace

import numpy as np
import pytest
from estimating import products, scores_of, targets, tried
from raced import numbers, onehot, searching
from scipy import sparse

import sparsefm as fm
from sparsefm.training.hyperparameters import Hyperparameters
from sparsefm.training.start import LARGEST_SCALE
from sparsefm.tuning import contest, search
from sparsefm.tuning.numbers import CHOICES
from sparsefm.tuning.portfolio import FEW, PORTFOLIO, Sampling

# --- what is given is kept ------------------------------------------------------------------------

GIVEN = {
    "rank": 3,
    "solver": fm.AdaGrad(learning_rate=0.123, l2_factors=0.02),
    "batch_size": 33,
    "init": "uniform",
    "init_scale": 0.17,
}


@pytest.mark.parametrize(
    "names", [[name] for name in GIVEN] + [["rank", "solver"], ["rank", "init_scale"]]
)
def test_what_is_given_is_kept(kind, names, entrants, monkeypatch):
    monkeypatch.setattr(search, "MAX_EPOCHS", 10)
    X, y = onehot()
    given = {name: GIVEN[name] for name in names}
    estimator = kind(**given).fit(X, targets(kind, y))
    assert len(entrants) > 1
    for settings, _ in entrants:
        sampler = isinstance(settings, Sampling)
        assert not sampler or names == ["rank"]
        for name, value in given.items():
            assert sampler or getattr(settings, name) == value
    trained = [one for one, _ in entrants if isinstance(one, Hyperparameters)]
    others = {"rank", "solver"} - set(names)
    for field in others:
        assert len({getattr(settings, field) for settings in trained}) > 1, field
    if "rank" in given:
        assert {settings.rank for settings, _ in entrants} == {3}
        assert estimator.best_params_["rank"] == 3


@pytest.mark.parametrize("epochs", [4, (3, 2)])
@pytest.mark.parametrize("rank", [None, 0, 2])
def test_epochs_are_those_that_are_given(kind, rank, epochs, entrants):
    X, y = onehot()
    estimator = kind(rank=rank, epochs=epochs).fit(X, targets(kind, y))
    assert estimator.n_iter_ == len(estimator.history_["epoch"]) == np.sum(epochs)
    assert estimator.best_params_["epochs"] == epochs
    assert max(estimator.search_["epochs"]) <= np.sum(epochs)
    assert not any(isinstance(settings, Sampling) for settings, _ in entrants)


def test_no_search_where_nothing_is_open(kind, entrants):
    X, y = onehot()
    everything = GIVEN | {"epochs": 3}
    estimator = kind(**everything).fit(X, targets(kind, y))
    assert entrants == []
    assert not hasattr(estimator, "search_")
    assert estimator._learner.hyperparameters == Hyperparameters(**GIVEN)
    assert estimator.n_iter_ == 3


def test_a_search_for_the_number_of_epochs_alone(kind):
    X, y = onehot()
    estimator = kind(**GIVEN).fit(X, targets(kind, y))
    assert estimator.search_["epochs"] == [0]  # there was nobody to race
    assert estimator.n_iter_ == np.sum(estimator.best_params_["epochs"]) > 1


def test_without_a_search_it_is_a_sampler_or_what_is_given(kind):
    X, y = onehot()
    y = targets(kind, y)
    estimator = kind(search=None).fit(X, y)
    assert not hasattr(estimator, "search_")
    given = kind(rank=fm.Gibbs.default_rank, solver=fm.Gibbs(), epochs=60).fit(X, y)
    assert np.array_equal(scores_of(estimator, X), scores_of(given, X))
    for given in ({"solver": fm.Adam()}, {"epochs": 3}, {"init_scale": 0.1}, {"batch_size": 9}):
        estimator = kind(search=None, **given).fit(X, y)
        assert isinstance(estimator.best_params_["solver"], fm.Adam)
    assert kind(search=None, rank=0).fit(X, y).best_params_["rank"] == 0


COLUMNS = {
    "stage",
    "numeric",
    "solver",
    "rank",
    "init",
    "init_scale",
    "rows",
    "epochs",
    "loss",
    "seconds",
    "outcome",
}


def test_the_search_is_a_table_the_best_first(kind):
    pd = pytest.importorskip("pandas")
    X, y = products(60)
    frame = pd.DataFrame(kind().fit(X, targets(kind, y)).search_)
    assert set(frame) >= COLUMNS
    models, encodings = frame[frame["stage"] == "model"], frame[frame["stage"] == "encoding"]
    assert models["loss"].is_monotonic_increasing
    assert {0, 8} < set(models["rank"])
    assert models["solver"].str.startswith("Gibbs").sum() >= 2
    assert len(models) >= len(PORTFOLIO) + 2
    assert set(encodings["numeric"]) == {str(choice) for choice in CHOICES}
    assert encodings["loss"].iloc[1:].is_monotonic_increasing
    assert set(frame["rows"]) == {54}  # nine tenths
    assert (frame["seconds"] > 0).all()


# --- what is found --------------------------------------------------------------------------------


def test_repeatable(kind, brief_search):
    X, y = products(150)
    y = targets(kind, y)
    first, again = kind().fit(X, y), kind().fit(X, y)
    assert np.array_equal(scores_of(first, X), scores_of(again, X))
    assert tried(first) == tried(again)
    other = kind(random_state=1).fit(X, y)
    assert not np.array_equal(scores_of(first, X), scores_of(other, X))
    order = np.random.default_rng(0).permutation(len(y))
    shuffled = kind().fit(X[order], y[order])
    assert np.array_equal(scores_of(first, X), scores_of(shuffled, X))
    assert tried(first) == tried(shuffled)


@pytest.mark.parametrize("kind", [fm.FMRegressor, fm.FMClassifier])
def test_products_are_found(kind):
    X, _ = products(600, share=1)
    y = X[:, 0] * X[:, 1] + X[:, 2] * X[:, 3]
    noise = 0.1 * np.random.default_rng(0).normal(size=600)
    plain = fm.TableEncoder(numeric="standardize", clip=False)
    estimator = kind(encoder=plain).fit(X, targets(kind, y + noise))
    assert estimator.best_params_["rank"] >= 4
    assert estimator.score(X, targets(kind, y)) > 0.9


def test_a_validation_set_decides(entrants):
    """What the validation data say decides: they contradict the training data's products."""
    rng = np.random.default_rng(0)
    X = sparse.csr_matrix(rng.normal(size=(600, 4)))
    linear, pair = X[:, 0].toarray()[:, 0], X[:, 1].multiply(X[:, 2]).toarray()[:, 0]
    y = linear + pair
    assert fm.FMRegressor().fit(X[:400], y[:400]).best_params_["rank"] > 0
    entrants.clear()
    y[400:] = linear[400:] - pair[400:]
    against = fm.FMRegressor().fit(X[:400], y[:400], eval_set=(X[400:], y[400:]))
    assert against.best_params_["rank"] == 0
    for _, fold in entrants:  # all of the rows train
        assert len(fold.training.rows) == 400
        assert np.allclose(fold.validation.y, y[400:])


# --- few rows, many rows --------------------------------------------------------------------------


@pytest.mark.parametrize("rows", range(2, 14))
def test_few_rows(kind, rows, brief_search):
    X, y = products(rows)
    y = y if kind is fm.FMRegressor else np.arange(rows) % 2
    estimator = kind().fit(X, y)
    assert np.isfinite(scores_of(estimator, X)).all()
    assert bool(estimator.search_) is (rows >= search.FEWEST_ROWS)


@pytest.mark.parametrize("rare", [1, 2, 4])
@pytest.mark.parametrize(
    ("loss", "n_classes"),
    [("logistic", 2), ("logistic", 3), ("hinge", 2), ("hinge", 3), ("ordinal", 3)],
)
def test_a_class_that_is_in_no_fold_or_in_one(rare, loss, n_classes, brief_search):
    X, _ = products(60)
    y = np.arange(60) % (n_classes - 1) + 1
    y[:rare] = 0
    estimator = fm.FMClassifier(loss=loss).fit(X, y)
    assert np.isfinite(
        estimator.predict_proba(X) if loss == "ordinal" else scores_of(estimator, X)
    ).all()
    assert np.isfinite(estimator.search_["loss"]).all() if estimator.search_ else rare == 1
    only = X[y > 0][:20], y[y > 0][:20]  # a class that the validation data have not
    estimator = fm.FMClassifier(loss=loss).fit(X, y, eval_set=only)
    assert np.isfinite(estimator.history_["val_loss"]).all()
    single = np.full(5, y[-1])
    estimator = fm.FMClassifier(loss=loss).fit(X, y, eval_set=(X[:5], single))
    assert np.isfinite(estimator.history_["val_loss"]).all()


def test_of_ten_classes_some_are_raced(kind, entrants, brief_search):
    X, y = products(300)
    given = {}
    if kind is fm.FMClassifier:
        y, given = np.argsort(np.argsort(y)) // 30, {"loss": "logistic"}
    estimator = kind(**given).fit(X, y)
    outputs = 10 if kind is fm.FMClassifier else 1
    assert len(estimator._models) == outputs
    counts = {
        len(part.targets) for _, fold in entrants for part in (fold.training, fold.validation)
    }
    assert counts == {min(outputs, search.SEARCH_OUTPUTS)}


def test_all_rows_take_part(kind, entrants, brief_search):
    X, y = products(4000, share=1)
    encoder = fm.TableEncoder(numeric="standardize", clip=False)
    kind(encoder=encoder).fit(X, targets(kind, y))
    for _, fold in entrants:
        assert len(fold.training.rows) == 3600
        assert len(fold.validation.rows) == 400


@pytest.mark.parametrize(("rows", "n_folds"), [(1000, 10), (10_000, 3), (30_000, 1), (88_000, 1)])
def test_there_are_more_folds_where_these_are_small(monkeypatch, rows, n_folds):
    monkeypatch.setattr(search, "MOST_VALIDATION_ROWS", 4_000)
    splits = searching()._splits(numbers(rows, 1), None)
    assert len(splits) == n_folds
    for one in splits:
        assert len(one.validation) == min(rows // 10, rows // -(-rows // 4_000))
        assert np.array_equal(np.sort(np.r_[one.training, one.validation]), np.arange(rows))


@pytest.mark.parametrize("effort", ["fast", "thorough"])
def test_with_many_rows_there_are_fewer_candidates_and_sweeps(entrants, monkeypatch, effort):
    monkeypatch.setattr(contest, "MANY_ROWS", 100)
    X, y = onehot()
    estimator = fm.FMRegressor(search=effort).fit(X, y)
    optimizers = {one for one, _ in entrants if isinstance(one, Hyperparameters)}
    sweeps = {one.epochs for one, _ in entrants if isinstance(one, Sampling)}
    if effort == "fast":
        assert optimizers == set(FEW)
        assert contest.FEWER_SWEEPS in sweeps
    else:
        assert optimizers >= set(PORTFOLIO)
        assert sweeps == {fm.Gibbs.default_epochs}
    assert estimator.n_iter_ == np.sum(estimator.best_params_["epochs"])


def test_candidates_are_scored_by_rows_that_they_do_not_train_on(kind, entrants, brief_search):
    X, _ = products(400, share=1)
    y = np.arange(400) % 4 == 0
    kind(dtype="float64").fit(sparse.csr_matrix(X), y)
    assert len(entrants) >= 20
    for _, fold in entrants:
        training = fold.training.take(np.arange(len(fold.training.rows)))
        both = np.r_[training.X.values, fold.validation.X.values]
        assert len(np.unique(both)) == len(both)  # the numbers of a row are its own
        if kind is fm.FMClassifier:
            for part in (fold.training, fold.validation):
                assert part.y[part.rows].mean() == 0.25


def test_the_rate_of_a_solver_that_is_given_does_not_fall():
    X, y = products(300)
    options = {"rank": 2, "encoder": fm.TableEncoder(numeric="standardize", clip=False)}
    given = fm.FMRegressor(solver=fm.Adam(learning_rate=0.5), **options).fit(X, y)
    assert isinstance(given.best_params_["epochs"], int)
    assert given._learner.rate_factor == 1


# --- time -----------------------------------------------------------------------------------------


def test_a_tiny_budget_is_one_candidate_and_a_model(kind):
    X, y = products(300)
    started = time.perf_counter()
    estimator = kind(search_seconds=1e-6).fit(X, targets(kind, y))
    assert time.perf_counter() - started < 5
    assert len(set(estimator.search_["solver"])) == 1
    assert len(estimator.search_["loss"]) <= 2  # of the model, and of its encoding
    assert estimator.search_["numeric"][0] == str(CHOICES[0])
    assert np.isfinite(scores_of(estimator, X)).all()
    assert len(kind(search_seconds=1e6).fit(*onehot_of(kind)).search_["loss"]) > 10


def onehot_of(kind):
    X, y = onehot(60)
    return X, targets(kind, y)


# --- candidates that fail -------------------------------------------------------------------------


def test_candidates_that_diverge_lose(kind, monkeypatch):
    X, y = onehot()
    y = targets(kind, y)
    wild = Hyperparameters(4, fm.Adam(learning_rate=1e20), "normal", 0.05)
    monkeypatch.setattr(contest, "PORTFOLIO", (wild, *PORTFOLIO[3:5]))
    estimator = kind().fit(X, y)
    assert estimator.score(X, y) > 0.8
    assert "diverged" in estimator.search_["outcome"]
    assert max(estimator.search_["loss"]) == np.inf
    monkeypatch.setattr(contest, "PORTFOLIO", (wild, replace(wild, rank=0)))
    for options in ({}, {"epochs": 3}):
        with pytest.raises(fm.DivergenceError):
            kind(**options, solver=wild.solver).fit(X, y)


def test_an_absurd_init_scale_is_an_error_or_a_model(kind, brief_search):
    X, y = products(150)
    y = targets(kind, y)
    for scale in (0.0, 1e-30, LARGEST_SCALE):
        try:
            estimator = kind(rank=2, init_scale=scale).fit(X, y)
        except fm.DivergenceError:
            assert scale > 1
        else:
            assert np.isfinite(scores_of(estimator, X)).all()
    with pytest.raises(ValueError, match="init_scale"):
        kind(init_scale=2 * LARGEST_SCALE).fit(X, y)


@pytest.mark.parametrize("fitted", [False, True])
def test_ctrl_c_in_a_candidate_leaves_the_estimator_as_it_was(kind, monkeypatch, fitted):
    X, y = products(60)
    y = targets(kind, y)
    estimator = kind(search=None)
    if fitted:
        estimator.fit(X[:40], y[:40])
    before = dict(vars(estimator))
    estimator.search = before["search"] = "fast"

    def interrupt(self):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("sparsefm.training.sampling_run.SamplingRun.sweep", interrupt)
        with pytest.raises(KeyboardInterrupt):
            estimator.fit(X, y)
    assert vars(estimator) == before
    assert hasattr(estimator, "encoder_") is fitted


@pytest.mark.parametrize("effort", ["fast", None])
@pytest.mark.parametrize("rows", [1, 20])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
def test_rows_without_any_value(rows, effort, form, brief_search):
    y = np.arange(float(rows))
    estimator = fm.FMRegressor(search=effort).fit(form(np.zeros((rows, 3))), y)
    assert estimator.predict(form(np.zeros((1, 3)))) == pytest.approx([y.mean()], abs=1.5)
