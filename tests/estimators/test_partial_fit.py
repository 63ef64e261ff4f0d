"""Training that goes on: `partial_fit` and `warm_start`, and calls that fail half-way."""

import copy
import pickle

import numpy as np
import pytest
from estimating import assert_same, products, scores_of, targets
from scipy import sparse

import sparsefm as fm
from sparsefm.data import plan
from sparsefm.data.plan import Plan
from sparsefm.estimators import going_on
from sparsefm.training.hyperparameters import Hyperparameters
from sparsefm.tuning.search import Choice, Search

FAST = {"rank": 2, "solver": fm.Adam(), "epochs": 3, "batch_size": 16, "search": None}
SOLVERS = pytest.mark.parametrize(
    "solver", [fm.Adam(), fm.Adam(updates="exact"), fm.AdaGrad()], ids=["lazy", "exact", "adagrad"]
)


@pytest.fixture(autouse=True)
def changed_in_place(monkeypatch):
    """Small models are copied first; have them changed in place, as large ones are."""
    monkeypatch.setattr(going_on, "SMALL_MODEL", 0)


def table(values, numbers):
    pd = pytest.importorskip("pandas")
    return pd.DataFrame({"city": values, "x": numbers})


# --- partial_fit ----------------------------------------------------------------------------------


@SOLVERS
@pytest.mark.parametrize("start", ["fit", "partial_fit"])
def test_goes_on_from_a_pickle_as_without_a_break(kind, solver, start):
    X, y = products()
    y = targets(kind, y)
    first = kind(**FAST | {"solver": solver})
    getattr(first, start)(X[:60], y[:60])
    second = pickle.loads(pickle.dumps(first))
    for part in (slice(60, 90), slice(90, 120), slice(0, 50)):
        before = scores_of(first, X)
        assert first.partial_fit(X[part], y[part]) is first
        assert not np.array_equal(scores_of(first, X), before)
        second = pickle.loads(pickle.dumps(second.partial_fit(X[part], y[part])))
        assert_same(first, second, X)


def test_one_pass_a_call(kind):
    X, y = products()
    y = targets(kind, y)
    estimator = kind(**FAST | {"epochs": 50})
    assert estimator.partial_fit(X, y).n_iter_ == 1
    assert len(estimator.partial_fit(X, y).history_["epoch"]) == 1


@SOLVERS
def test_passes_learn_as_epochs_do(kind, solver):
    X, y = products(400)
    y = targets(kind, y)
    estimator = kind(rank=4, solver=solver)
    losses = [estimator.partial_fit(X, y).history_["train_loss"][0] for _ in range(30)]
    assert losses[-1] < 0.8 * losses[0]
    epochs = kind(rank=4, solver=solver, epochs=30, init="normal", init_scale=0.05).fit(X, y)
    assert losses[-1] == pytest.approx(epochs.history_["train_loss"][-1], rel=0.3)


def test_in_one_batch_it_is_the_definition():
    """Two calls in float64 are Adam's first two steps, moments and step count included."""
    X, y = products(40)
    X = (X > 0) * 1.0
    solver = fm.Adam(updates="exact", l2_linear=0.0, l2_factors=0.0)
    settings = {"rank": 0, "solver": solver, "batch_size": 99, "dtype": "float64"}
    y = (y - y.mean()) / y.std()  # as targets are standardised
    estimator = fm.FMRegressor(**settings)
    for _ in range(5):
        estimator.partial_fit(X, y)
    w0, w = 0.0, np.zeros(4)
    m, v = np.zeros(5), np.zeros(5)
    for step in range(1, 6):
        errors = w0 + X @ w - y
        gradient = np.r_[errors.mean(), X.T @ errors / 40]
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        rate = 0.01 * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        change = rate * m / (np.sqrt(v) + 1e-3)
        w0, w = w0 - change[0], w - change[1:]
    np.testing.assert_allclose(estimator.w_, w, rtol=1e-9)
    np.testing.assert_allclose(estimator.w0_, w0, atol=1e-12)


def test_new_categories_join_the_model(kind):
    rng = np.random.default_rng(0)
    x = rng.normal(size=90)
    city = rng.choice(["rome", "oslo"], 90)
    y = targets(kind, x * (city == "rome") + 0.1)
    old = table(city, x)
    estimator = kind(**FAST).partial_fit(old, y)
    assert estimator.w_.shape == (3,)
    w, V = estimator.w_, estimator.V_
    names = list(estimator.encoder_.get_feature_names_out())
    only_new = table(["lima"] * 40, np.resize(x, 40))
    estimator.partial_fit(only_new, np.resize(y, 40))  # no statistic moves
    assert list(estimator.encoder_.get_feature_names_out()) == [*names, "city=lima"]
    assert estimator.w_.shape == (4,)
    assert estimator.V_.shape == (4, 2)
    cities = [names.index("city=rome"), names.index("city=oslo")]
    assert np.array_equal(estimator.w_[cities], w[cities])  # which no new row had
    assert np.array_equal(estimator.V_[cities], V[cities])
    assert estimator.w_[3] != 0
    assert np.isfinite(
        scores_of(estimator, table(["lima", "rome", "paris", None], np.ones(4)))
    ).all()


def test_growing_alone_changes_no_prediction(kind):
    rng = np.random.default_rng(0)
    x, city = rng.normal(size=90), rng.choice(["rome", "oslo"], 90)
    y = targets(kind, x * (city == "rome"))
    barely = fm.Adam(learning_rate=1e-30)
    estimator = kind(**FAST).partial_fit(table(city, x), y)
    before = scores_of(estimator, table(city, x))
    still = kind(**FAST | {"solver": barely}).partial_fit(table(city, x), y)
    first = scores_of(still, table(city, x))
    still.partial_fit(table(["lima"] * 90, x), y)
    np.testing.assert_allclose(scores_of(still, table(city, x)), first, rtol=1e-6)
    assert before.shape == first.shape


def test_new_columns_and_missing_values_join_the_model(kind):
    pd = pytest.importorskip("pandas")
    X, y = products()
    y = targets(kind, y)
    wide = pd.DataFrame(X, columns=list("abcd"))
    estimator = kind(**FAST).partial_fit(wide[["a", "b"]], y)
    estimator.partial_fit(wide, y)
    assert estimator.feature_names_in_.tolist() == list("abcd")
    assert (estimator.n_features_in_, estimator.w_.shape) == (4, (4,))
    assert estimator.w_.all()
    estimator.partial_fit(wide.where(wide < 1), y)
    assert list(estimator.encoder_.get_feature_names_out())[4:] == [f"{c}=missing" for c in "abcd"]
    assert estimator.V_.shape == (8, 2)
    with pytest.raises(ValueError, match="feature names"):
        estimator.predict(wide[["a", "b"]])


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
def test_wider_arrays_grow_and_narrower_ones_are_errors(kind, form):
    X, y = products()
    y = targets(kind, y)
    estimator = kind(**FAST).partial_fit(form(X[:, :3]), y)
    before = scores_of(estimator, form(X[:, :3]))
    with pytest.raises(ValueError, match=r"2 features, but .* expecting 3"):
        estimator.partial_fit(form(X[:, :2]), y)
    with pytest.raises(ValueError, match=r"4 features, but .* expecting 3"):
        estimator.predict(form(X))
    assert np.array_equal(scores_of(estimator, form(X[:, :3])), before)
    estimator.partial_fit(form(X), y)
    assert estimator.w_.shape == (4,)
    assert estimator.w_[3] != 0
    with pytest.raises(ValueError, match=r"3 features, but .* expecting 4"):
        estimator.partial_fit(form(X[:, :3]), y)


def test_a_column_that_was_empty_comes_to_life(kind):
    X, y = products()
    y = targets(kind, y)
    empty = X.copy()
    empty[:, 1] = 0
    estimator = kind(**FAST).partial_fit(sparse.csr_matrix(empty), y)
    assert estimator.w_[1] == 0
    assert not estimator.V_[1].any()
    once = pickle.loads(pickle.dumps(estimator)).partial_fit(sparse.csr_matrix(X), y)
    assert once.w_[1] != 0
    assert once.V_[1].all()
    again = estimator.partial_fit(sparse.csr_matrix(X), y)
    assert_same(again, once, sparse.csr_matrix(X))


# --- classes --------------------------------------------------------------------------------------


def test_classes_are_announced_once():
    X, y = products()
    y = np.digitize(y, [-0.5, 0.5])
    estimator = fm.FMClassifier(**FAST)
    estimator.partial_fit(X[y < 2], y[y < 2], classes=[2, 0, 1])
    assert estimator.classes_.tolist() == [0, 1, 2]
    assert estimator.predict_proba(X).shape == (120, 3)
    assert estimator.predict_proba(X)[:, 2].min() > 0.01  # absent so far, but not impossible
    estimator.partial_fit(X, y).partial_fit(X, y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="not the same as on last call"):
        estimator.partial_fit(X, y, classes=[0, 1, 2, 3])
    with pytest.raises(ValueError, match="class 7 "):
        fm.FMClassifier(**FAST).partial_fit(X, y + 5, classes=[5, 6])
    without = fm.FMClassifier(**FAST).partial_fit(X, y)
    announced = fm.FMClassifier(**FAST).partial_fit(X, y, classes=np.unique(y))
    assert_same(without, announced, X)
    with pytest.raises(ValueError, match="only one class"):
        fm.FMClassifier(**FAST).partial_fit(X, np.zeros(120))


@pytest.mark.parametrize("loss", ["logistic", "hinge"])
def test_a_stream_sorted_by_class_can_be_learned(loss):
    X, y = products(600)
    y = (X[:, 0] + X[:, 1] > 0) * 1
    order = np.argsort(y, kind="stable")
    estimator = fm.FMClassifier(rank=0, solver=fm.Adam(learning_rate=0.03), loss=loss)
    for part in np.array_split(order, 4) * 10:
        estimator.partial_fit(X[part], y[part], classes=[0, 1])
    for part in np.array_split(np.random.default_rng(0).permutation(600), 4) * 3:
        estimator.partial_fit(X[part], y[part])
    assert estimator.score(X, y) > 0.9


# --- warm_start -----------------------------------------------------------------------------------


@SOLVERS
def test_warm_start_goes_on_with_moments_and_steps(kind, solver):
    X, y = products()
    y = targets(kind, y)
    warm = kind(warm_start=True, **FAST | {"solver": solver}).fit(X, y)
    cold = kind(**FAST | {"solver": solver}).fit(X, y)
    assert_same(warm, cold, X)
    copied = pickle.loads(pickle.dumps(warm))
    first = warm.history_["train_loss"]
    warm.fit(X, y)
    assert warm.history_["train_loss"][0] < first[-1]
    assert_same(warm, copied.fit(X, y), X)
    assert_same(cold.fit(X, y), kind(**FAST | {"solver": solver}).fit(X, y), X)  # starts anew
    steps = warm._learner.steps
    assert warm.fit(X, y)._learner.steps == steps * 3 // 2 > steps


def test_warm_start_runs_the_epochs_that_are_asked_for(kind, brief_search):
    X, y = products()
    y = targets(kind, y)
    warm = kind(warm_start=True, **FAST).fit(X, y)
    assert warm.set_params(epochs=7).fit(X, y).n_iter_ == 7
    found = kind(warm_start=True, rank=2).fit(X, y)
    n_iter = found.n_iter_
    assert found.fit(X, y).n_iter_ == n_iter


def test_warm_start_grows_and_validates(kind):
    rng = np.random.default_rng(0)
    x, city = rng.normal(size=90), rng.choice(["rome", "oslo"], 90)
    y = targets(kind, x * (city == "rome"))
    more = table(rng.choice(["rome", "lima"], 90), x)
    warm = kind(warm_start=True, **FAST).fit(table(city, x), y)
    warm.fit(more, y, eval_set=(more, y))
    assert warm.w_.shape == (4,)
    assert len(warm.history_["val_loss"]) == 3


def test_new_features_get_factors_in_a_warm_start(kind):
    X, y = products()
    y = targets(kind, y)
    still = fm.Adam(learning_rate=1e-30)
    empty = X.copy()
    empty[:, 1] = 0
    warm = kind(warm_start=True, **FAST | {"solver": still}).fit(sparse.csr_matrix(empty), y)
    assert not warm.V_[1].any()
    assert np.abs(warm.fit(sparse.csr_matrix(X), y).V_[1]).min() > 1e-4  # a step moves it by 1e-30


def test_a_warm_start_that_fails_changes_nothing(kind):
    X, y = products()
    y = targets(kind, y)
    warm = kind(warm_start=True, **FAST).fit(X, y)
    before = scores_of(warm, X)

    def fail(epoch):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        warm.set_params(callbacks=[fail]).fit(X, y)
    assert np.array_equal(scores_of(warm, X), before)


def test_a_copy_is_trained_alone(kind):
    X, y = products()
    y = targets(kind, y)
    estimator = kind(**FAST).fit(X, y)
    kept = pickle.loads(pickle.dumps(estimator))
    other = copy.copy(estimator)
    assert_same(other, kept, X)
    other.partial_fit(X, y)
    assert_same(estimator, kept, X)
    assert not np.array_equal(other.w_, kept.w_)


def test_warm_start_with_balanced_classes_and_one_of_them_absent():
    X, y = products()
    y = targets(fm.FMClassifier, y)
    warm = fm.FMClassifier(warm_start=True, class_weight="balanced", **FAST).fit(X, y)
    before = warm.decision_function(X).mean()
    assert warm.fit(X[y == "up"], y[y == "up"]).decision_function(X).mean() > before


def test_each_call_shuffles_anew(kind, monkeypatch):
    """The same rows come in another order, and so do their batches."""
    orders = []

    class Spy(Plan):
        def order_of(self, random):
            order = super().order_of(random)
            orders.append((self.rows.tolist(), order.tolist()))
            return order

    monkeypatch.setattr(plan, "Plan", Spy)
    X, y = products()
    y = targets(kind, y)
    estimator = kind(**FAST).partial_fit(X, y).partial_fit(X, y)
    rows, batches = zip(*orders, strict=True)
    assert sorted(rows[0]) == sorted(rows[1]) == list(range(120))
    assert sorted(batches[0]) == sorted(batches[1]) == list(range(8))
    assert rows[0] != rows[1]
    assert batches[0] != batches[1]
    orders.clear()
    assert_same(kind(**FAST).partial_fit(X, y).partial_fit(X, y), estimator, X)
    assert [tuple(part) for part in zip(*orders, strict=True)] == [rows, batches]


class Rates:
    """A callback that notes the learning rate after each epoch."""

    def __init__(self):
        self.seen = []

    def begin(self, training):
        self.training = training

    def __call__(self, epoch):
        self.seen.append(self.training.learning_rate)


def test_a_users_schedule_and_the_stages_of_a_search_multiply(kind, monkeypatch):
    rates = Rates()
    chosen = Hyperparameters(rank=2, solver=fm.Adam(learning_rate=0.16))
    monkeypatch.setattr(Search, "run", lambda self, *_: Choice(chosen, None, (2, 2, 1), self.loss))
    X, y = products()
    schedule = fm.LearningRateSchedule(lambda epoch: 1 / epoch)
    kind(callbacks=[rates, schedule]).fit(X, targets(kind, y))
    stages = np.array([1, 1, 0.25, 0.25, 0.0625])
    np.testing.assert_allclose(rates.seen, 0.16 * stages / np.arange(1, 6))


def test_training_goes_on_at_the_rate_that_it_ended_with(kind, monkeypatch):
    """Where the search had the rate fall twice, all that follows is at a sixteenth."""
    rates = Rates()
    chosen = Hyperparameters(rank=2, solver=fm.Adam(learning_rate=0.16))
    monkeypatch.setattr(Search, "run", lambda self, *_: Choice(chosen, None, (2, 1, 1), self.loss))
    X, y = products()
    y = targets(kind, y)
    estimator = kind(callbacks=[rates], warm_start=True).fit(X, y)
    assert rates.seen == [0.16, 0.16, 0.04, 0.01]  # at the end of each epoch, before the rate falls
    rates.seen.clear()
    estimator.partial_fit(X, y)
    estimator.set_params(epochs=2).fit(X, y)
    assert rates.seen == [0.01, 0.01, 0.01]


@pytest.mark.parametrize("kind", [fm.FMRegressor, fm.FMClassifier])
def test_a_shallow_copy_goes_its_own_way(kind):
    X, y = products(150)
    y = targets(kind, y)
    first = kind(**FAST).partial_fit(X, y)
    second = copy.copy(first)
    before = first.V_.copy()
    second.partial_fit(X, y)
    assert np.array_equal(first.V_, before)
    assert not np.array_equal(second.V_, before)
    assert np.array_equal(first.partial_fit(X, y).V_, second.V_)
