"""What the parameters leave open: found by a race, repeatable, and what is given is kept."""

from dataclasses import replace

import numpy as np
import pytest
from estimating import products, scores_of, targets
from scipy import sparse

import sparsefm as fm
from sparsefm.training.hyperparameters import Hyperparameters
from sparsefm.training.learner import Learner
from sparsefm.training.start import LARGEST_SCALE
from sparsefm.tuning import search
from sparsefm.tuning.portfolio import PORTFOLIO
from sparsefm.tuning.racing import Race


@pytest.fixture
def entrants(monkeypatch):
    """Return a list of all hyperparameters that are tried, with numbers of rows and outputs."""
    found = []
    begin = Learner.begin.__func__

    def spy(cls, hyperparameters, loss, dataset, seed):
        found.append((hyperparameters, len(dataset.rows), len(dataset.targets)))
        return begin(cls, hyperparameters, loss, dataset, seed)

    monkeypatch.setattr(Learner, "begin", classmethod(spy))
    return found


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
def test_what_is_given_is_kept(kind, names, entrants):
    X, y = products(150)
    given = {name: GIVEN[name] for name in names}
    estimator = kind(**given).fit(X, targets(kind, y))
    assert len(entrants) > 1
    for settings, *_ in entrants:
        for name, value in given.items():
            assert getattr(settings, name) == value
    others = {field for field in GIVEN if field not in names and field != "batch_size"}
    for field in others - {"init", "init_scale"}:
        assert len({getattr(settings, field) for settings, *_ in entrants}) > 1, field
    if "rank" in given:
        assert estimator.V_.shape == (4, 3)


@pytest.mark.parametrize("rank", [None, 0, 2])
def test_epochs_are_those_that_are_given(kind, rank, entrants):
    X, y = products(150)
    estimator = kind(rank=rank, epochs=4).fit(X, targets(kind, y))
    assert estimator.n_iter_ == len(estimator.history_["epoch"]) == 4
    assert max(estimator.search_["epochs"]) <= 4


def test_no_search_where_nothing_is_open(kind, entrants):
    X, y = products(150)
    everything = GIVEN | {"epochs": 3}
    estimator = kind(**everything).fit(X, targets(kind, y))
    assert len(entrants) == 1
    settings = entrants[0][0]
    assert settings == Hyperparameters(**GIVEN)
    assert estimator.n_iter_ == 3


def test_the_search_is_a_table_the_best_first(kind):
    pd = pytest.importorskip("pandas")
    X, y = products(150)
    frame = pd.DataFrame(kind().fit(X, targets(kind, y)).search_)
    assert list(frame) == ["solver", "rank", "init", "init_scale", "loss", "epochs"]
    assert len(frame) >= len(PORTFOLIO)
    assert frame["loss"].is_monotonic_increasing
    assert {0, 8} < set(frame["rank"])


# --- what is found --------------------------------------------------------------------------------


def test_repeatable(kind):
    X, y = products(150)
    y = targets(kind, y)
    first, again = kind().fit(X, y), kind().fit(X, y)
    assert np.array_equal(scores_of(first, X), scores_of(again, X))
    assert first.search_ == again.search_
    other = kind(random_state=1).fit(X, y)
    assert not np.array_equal(scores_of(first, X), scores_of(other, X))
    order = np.random.default_rng(0).permutation(len(y))
    shuffled = kind().fit(X[order], y[order])
    assert np.array_equal(scores_of(first, X), scores_of(shuffled, X))
    assert first.search_ == shuffled.search_


def test_linear_data_get_a_small_rank_and_products_a_larger_one(kind):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1000, 5))
    noise = rng.normal(size=1000)
    linear = kind().fit(X, targets(kind, X @ [1, 2, -1, 0.5, 0] + 2 * noise))
    assert linear.V_.shape[1] == 0
    products = kind().fit(X, targets(kind, X[:, 0] * X[:, 1] + X[:, 2] * X[:, 3] + 0.1 * noise))
    assert products.V_.shape[1] >= 4
    assert products.score(X, targets(kind, X[:, 0] * X[:, 1] + X[:, 2] * X[:, 3])) > 0.9


def test_pure_noise_is_not_learned(kind):
    rng = np.random.default_rng(0)
    X = sparse.csr_matrix(
        np.eye(60)[rng.integers(0, 60, 400)] + np.eye(60)[::-1][rng.integers(0, 60, 400)]
    )
    y = rng.normal(size=400)
    estimator = kind().fit(X, targets(kind, y))
    spread = np.std(scores_of(estimator, X))
    assert spread < (0.3 if kind is fm.FMRegressor else 0.6)


def test_a_validation_set_decides(entrants):
    """What the validation data say decides: they contradict the training data's products."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 4))
    y = X[:, 0] + X[:, 1] * X[:, 2]
    alone = fm.FMRegressor().fit(X[:400], y[:400])
    against = fm.FMRegressor().fit(X[:400], y[:400], eval_set=(X[400:], X[400:, 0] - 2 * y[400:]))
    assert against.n_iter_ < alone.n_iter_ or against.V_.shape[1] < alone.V_.shape[1]
    assert {rows for _, rows, _ in entrants[-3:]} == {400}  # all of them train


# --- few rows, many rows --------------------------------------------------------------------------


@pytest.mark.parametrize("rows", range(2, 14))
def test_few_rows(kind, rows):
    X, y = products(rows)
    y = y if kind is fm.FMRegressor else np.arange(rows) % 2
    estimator = kind().fit(X, y)
    assert np.isfinite(scores_of(estimator, X)).all()
    assert bool(estimator.search_) is (rows >= search.FEWEST_ROWS)


@pytest.mark.parametrize("rare", [1, 2, 4])
@pytest.mark.parametrize("loss", ["logistic", "hinge"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_class_that_is_in_no_fold_or_in_one(rare, loss, n_classes):
    X, _ = products(60)
    y = np.arange(60) % (n_classes - 1) + 1
    y[:rare] = 0
    estimator = fm.FMClassifier(loss=loss).fit(X, y)
    assert np.isfinite(estimator.decision_function(X)).all()
    assert all(np.isfinite(estimator.search_["loss"]))
    only = X[y > 0][:20], y[y > 0][:20]  # a class that the validation data have not
    estimator = fm.FMClassifier(loss=loss).fit(X, y, eval_set=only)
    assert np.isfinite(estimator.history_["val_loss"]).all()
    single = np.full(5, y[-1])
    estimator = fm.FMClassifier(loss=loss).fit(X, y, eval_set=(X[:5], single))
    assert np.isfinite(estimator.history_["val_loss"]).all()


def test_ten_classes_and_their_outputs(kind, entrants):
    X, y = products(300)
    if kind is fm.FMClassifier:
        y = np.argsort(np.argsort(y)) // 30
    kind().fit(X, y)
    *raced, (_, rows, outputs) = entrants
    assert rows == 300
    assert outputs == (10 if kind is fm.FMClassifier else 1)
    assert {count for *_, count in raced} == {min(outputs, search.RACE_OUTPUTS)}


def test_of_many_rows_only_some_take_part(kind, entrants, monkeypatch):
    monkeypatch.setattr(search, "RACE_ROWS", 200)
    X, y = products(2000)
    y = targets(kind, y)
    estimator = kind().fit(X, y)
    *raced, last, final = [rows for _, rows, _ in entrants]
    assert final == 2000
    assert last == 1800  # how many epochs are best is seen on nine tenths
    assert max(raced) == 200
    assert estimator.score(X, y) > 0.85


def test_a_million_rows_are_not_raced(entrants, monkeypatch):
    rng = np.random.default_rng(0)
    rows = 1_000_000
    columns = rng.integers(0, 50, (rows, 2)) + np.array([0, 50])
    X = sparse.csr_matrix(
        (np.ones(2 * rows, np.float32), columns.ravel(), np.arange(0, 2 * rows + 1, 2)), (rows, 100)
    )
    y = rng.normal(size=rows)
    monkeypatch.setattr(search, "PORTFOLIO", PORTFOLIO[:2])
    fm.FMRegressor(rank=0, epochs=1).fit(X, y)
    *raced, final = [rows for _, rows, _ in entrants]
    assert len(raced) > 1
    assert max(raced) <= search.RACE_ROWS
    assert final > 900_000  # the others are repeated


@pytest.fixture
def races(monkeypatch):
    """Return a list of all races that are run."""
    found = []

    class Spy(Race):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            found.append(self)

    monkeypatch.setattr(search, "Race", Spy)
    monkeypatch.setattr(search, "PORTFOLIO", PORTFOLIO[:2])
    return found


@pytest.mark.parametrize("race_rows", [1000, 100])
def test_candidates_are_scored_by_rows_that_they_do_not_train_on(
    kind, race_rows, races, monkeypatch
):
    monkeypatch.setattr(search, "RACE_ROWS", race_rows)
    X, _ = products(400)
    y = np.arange(400) % 4 == 0
    kind(rank=0, dtype="float64").fit(sparse.csr_matrix(X), y)
    folds = [fold for race in races for fold in race.folds]
    assert len(folds) == (20 if race_rows == 1000 else 2)  # a race, and the choice of epochs
    for fold in folds:
        training = fold.training.take(np.arange(len(fold.training.rows)))
        both = np.r_[training.X.values, fold.validation.X.values]
        assert len(np.unique(both)) == len(both)  # the numbers of a row are its own
        if kind is fm.FMClassifier and race_rows == 1000:
            for part in (fold.training, fold.validation):
                assert part.y[part.rows].mean() == 0.25


def test_the_rate_of_a_solver_that_is_given_does_not_fall(races):
    X, y = products(300)
    falling = fm.Adam(learning_rate=0.5)
    given = fm.FMRegressor(rank=2, solver=falling).fit(X, y)
    assert given._learner.rate_factor == 1
    chosen = Hyperparameters(2, falling)
    assert len(races[-1].stages(chosen)) > 1  # though that would have helped


# --- candidates that fail -------------------------------------------------------------------------


def test_candidates_that_diverge_lose(kind, monkeypatch):
    X, y = products(150)
    y = targets(kind, y)
    wild = Hyperparameters(4, fm.Adam(learning_rate=1e20), "normal", 0.05)
    monkeypatch.setattr(search, "PORTFOLIO", (wild, *PORTFOLIO[3:5]))
    estimator = kind().fit(X, y)
    assert estimator.score(X, y) > 0.8
    assert estimator.search_["loss"][-1] == np.inf
    monkeypatch.setattr(search, "PORTFOLIO", (wild, replace(wild, rank=0)))
    for options in ({}, {"epochs": 3}):
        with pytest.raises(fm.DivergenceError):
            kind(**options, solver=wild.solver).fit(X, y)


def test_an_absurd_init_scale_is_an_error_or_a_model(kind):
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


def test_ctrl_c_in_the_search(kind, monkeypatch):
    X, y = products(150)

    def interrupt(self, portfolio):
        raise KeyboardInterrupt

    estimator = kind()
    with monkeypatch.context() as patch:
        patch.setattr(Race, "run", interrupt)
        with pytest.raises(KeyboardInterrupt):
            estimator.fit(X, targets(kind, y))
    assert not hasattr(estimator, "encoder_")
    estimator.fit(X, targets(kind, y))
