"""`train` with `Gibbs` and `ALS`: quality, records of sweeps, bad input."""

import numpy as np
import pytest
import scipy.sparse as sp
from rated import TASKS, assert_same, ratings, rmse, sample, targets
from scipy.special import ndtr

import sparsefm as fm
from sparsefm.data.dataset import Dataset
from sparsefm.sampling.design import Design

# --- quality ------------------------------------------------------------------------------------


def test_the_mean_of_samples_finds_the_truth():
    data = ratings()
    model = sample(data, epochs=40)
    assert isinstance(model, fm.SampledModel)
    assert rmse(model, data) < 0.18  # the noise of a row is 0.5
    linear = sample(data, rank=0, epochs=40)
    assert rmse(linear, data) > 0.6


def test_two_classes():
    data = ratings(noise=0.3)
    model = sample(data, "binary", epochs=60)
    chances = model.predict(data.X[3000:])
    assert np.mean((chances > 0.5) == (data.truth[3000:] > 3)) > 0.9
    expected = ndtr((data.truth[3000:] - 3) / 0.3)
    assert np.mean((chances - expected) ** 2) < 0.03  # 0.17 for a constant


def test_least_squares():
    data = ratings()
    model = sample(data, solver=fm.ALS(l2_linear=5, l2_factors=5), epochs=20)
    assert type(model) is fm.Model
    assert model.rank == 4
    assert rmse(model, data) < 0.3
    losses = [epoch.train_loss for epoch in model.history]
    assert losses[-1] < 0.2 < losses[0]


def test_chains_are_different_and_better_together():
    data = ratings(n=2000, noise=1.0)
    rows = slice(0, 1500)
    one = [sample(data, train=rows, epochs=12, seed=seed) for seed in range(4)]
    four = sample(data, train=rows, epochs=12, solver=fm.Gibbs(chains=4))
    errors = [rmse(model, data, slice(1500, None)) for model in one]
    assert rmse(four, data, slice(1500, None)) < np.mean(errors)
    ends = [chain.V[0, 0] for chain in four.progress.chains]
    assert len(set(ends)) == 4


def test_chains_have_starts_of_their_own():
    starts = []

    class Look:
        def begin(self, training):
            _, (chains,), *_ = training.snapshot()
            starts.extend(chain.V[0, 0] for chain in chains)

        def __call__(self, epoch):
            pass

    sample(ratings(), solver=fm.Gibbs(chains=4), callbacks=[Look()], epochs=6)
    assert len(set(starts)) == 4


@pytest.mark.parametrize("size", [1e-12, 1e-3, 1024.0, 1e12])
def test_the_scale_of_values_and_targets_does_not_matter(size):
    data = ratings()
    plain = sample(data)
    scaled = fm.train(
        data.X[:3000] * size, data.y[:3000] * size, fields=data.fields, rank=4, epochs=12,
        solver=fm.Gibbs(),
    )  # fmt: skip
    expected, actual = plain.predict(data.X), scaled.predict(data.X * size) / size
    assert np.abs(actual - expected).mean() < 0.1  # the draws differ
    if size == 1024:  # a power of two changes not a bit
        np.testing.assert_allclose(actual, expected, rtol=1e-6)


def lists_of_users(users=300, items=60, each=8, seed=0):
    """Return rows with and without lists of what users rated, and the fields of the former."""
    rng = np.random.default_rng(seed)
    taste, style = rng.normal(size=(users, 2)), rng.normal(size=(items, 2))
    liking = taste @ style.T
    user = np.repeat(np.arange(users), each)
    item = np.argsort(-liking - rng.gumbel(size=liking.shape))[:, :each].ravel()
    truth = liking[user, item]
    ids = np.hstack([np.eye(users)[user], np.eye(items)[item]])
    train = rng.random(len(user)) < 0.75
    rated = np.zeros((users, items))
    rated[user[train], item[train]] = 1
    lists = rated / np.sqrt(np.maximum(rated.sum(axis=1, keepdims=True), 1))
    fields = np.repeat([0, 1, 2], [users, items, items])
    return sp.csr_matrix(ids), sp.csr_matrix(np.hstack([ids, lists[user]])), truth, train, fields


def test_lists_of_what_a_user_rated_help():
    ids, with_lists, truth, train, fields = lists_of_users()
    y = truth + 0.5 * np.random.default_rng(1).normal(size=len(truth))
    errors = []
    for X in (ids, with_lists):
        model = fm.train(X[train], y[train], fields=fields[: X.shape[1]], rank=4, epochs=40,
                         solver=fm.Gibbs())  # fmt: skip
        errors.append(np.sqrt(np.mean((model.predict(X[~train]) - truth[~train]) ** 2)))
    assert errors[1] < 0.85 * errors[0]


@pytest.mark.parametrize("value", [1, 3.0, 1e-20])
def test_a_list_counts_as_one_feature(value):
    """Its values are divided by their number's root too, in powers of two."""
    rng = np.random.default_rng(0)
    rows = np.zeros((500, 30))
    rows[np.arange(500), rng.integers(0, 10, 500)] = 1
    for row in rows:
        row[10 + rng.permutation(20)[: rng.integers(10, 19)]] = value  # 14 on average
    fields = np.repeat([0, 1], [10, 20])
    y = rng.normal(size=500)
    kind = np.float64 if value != 1 else np.int8  # integers of one have no array of values
    dataset = Dataset.training(
        sp.csr_matrix(rows.astype(kind)),
        y,
        None,
        np.dtype("float64"),
        task="regression",
        fields=fields,
    )
    design = Design.of(dataset, task="regression", rank=8, scale=True)
    assert set(design.sizes[:10]) == {1}
    assert set(design.sizes[10:]) == {2 ** np.round(np.log2(value * np.sqrt(14)))}
    assert design.features_of_row == pytest.approx(2, rel=0.05)
    assert np.array_equal(
        Design.of(dataset, task="regression", rank=8, scale=False).sizes, np.ones(30)
    )


def test_the_log_tells_of_features_that_all_meet(caplog):
    rng = np.random.default_rng(0)
    y = rng.normal(size=40)
    for columns, notes in [(49, 0), (51, 1)]:
        with caplog.at_level("INFO", logger="sparsefm"):
            X, fields = rng.normal(size=(40, columns)), np.zeros(columns, int)
            fm.train(X, y, solver=fm.Gibbs(), rank=1, epochs=6, fields=fields)
        assert len(caplog.records) == notes
    assert "51 features of field 0" in caplog.text


def test_weights_are_precisions():
    rng = np.random.default_rng(0)
    X = sp.csr_matrix(np.ones((400, 1)))
    y = np.r_[np.zeros(200), np.ones(200)] + 0.01 * rng.normal(size=400)
    weights = np.r_[np.full(200, 100.0), np.ones(200)]
    settings = {"solver": fm.Gibbs(), "rank": 0, "epochs": 200}
    model = fm.train(X, y, sample_weight=weights, **settings)
    assert model.predict(X)[0] == pytest.approx(1 / 101, abs=0.02)
    zero = np.r_[np.zeros(200), np.ones(200)]
    left_out = fm.train(X, y, sample_weight=zero, **settings)
    alone = fm.train(X[200:], y[200:], **settings)
    np.testing.assert_array_equal(left_out.predict(X), alone.predict(X))


def test_weights_of_classes_are_repetitions():
    data = ratings()
    y = targets(data, "binary")
    counts = np.random.default_rng(1).integers(0, 4, 4000)
    repeated = np.repeat(np.arange(4000), counts)
    options = {"task": "binary", "solver": fm.Gibbs(), "rank": 3, "epochs": 8}
    weighted = fm.train(data.X, y, sample_weight=counts * 0.5, **options)
    twice = fm.train(data.X[repeated], y[repeated], **options)
    assert_same(weighted, twice, data.X)
    with pytest.raises(ValueError, match="whole multiples"):
        fm.train(data.X, y, sample_weight=1 + counts / 7, **options)


def test_equal_rows_are_not_merged():
    """Merged rows would have the noise of their mean, and a likelihood of another shape."""
    rng = np.random.default_rng(0)
    city = rng.integers(0, 3, 60_000)
    y = np.round(3 + 0.5 * city + 0.8 * rng.normal(size=60_000))  # merging would leave 21 rows
    model = fm.FMRegressor(solver=fm.Gibbs(), rank=2, epochs=10)
    model.fit(np.eye(3)[city], y)
    errors = y - model.predict(np.eye(3)[city])
    assert model.predict(np.eye(3), return_std=True)[1] == pytest.approx(
        [errors.std()] * 3, rel=0.02
    )
    up = (y > 3).astype(int)
    chances = fm.FMClassifier(solver=fm.Gibbs(), rank=2, epochs=60).fit(np.eye(3)[city], up)
    shares = [up[city == number].mean() for number in range(3)]
    assert chances.predict_proba(np.eye(3))[:, 1] == pytest.approx(shares, abs=0.03)


def test_the_noise_is_that_of_a_row_of_mean_weight():
    rng = np.random.default_rng(0)
    weights = rng.choice([1.0, 4.0], 20_000)
    y = rng.normal(size=20_000) / np.sqrt(weights)
    X = np.ones((20_000, 1))
    model = fm.train(X, y, sample_weight=8 * weights, solver=fm.Gibbs(), rank=0, epochs=20)
    noise, _ = model.predict_std(X[:1])
    assert noise == pytest.approx(1 / np.sqrt(weights.mean()), rel=0.02)


def test_penalties_of_least_squares_also_hold_where_it_starts_from_a_model():
    data = ratings()
    start = fm.train(data.X[:3000], data.y[:3000], rank=4, epochs=3)
    sizes = []
    for penalty in (1e-3, 1.0, 1e6):
        solver = fm.ALS(l2_linear=penalty, l2_factors=penalty)
        model = sample(data, init=start, rank=None, solver=solver)
        sizes.append(np.abs(model.w).max())
    assert sizes[0] > sizes[1] > 1e3 * sizes[2]


def test_a_start_from_a_trained_model():
    data = ratings(noise=0.1)
    trained = fm.train(data.X[:3000], data.y[:3000], rank=4, epochs=30)
    options = {"epochs": 2, "solver": fm.Gibbs(burn_in=0)}
    warm = sample(data, init=trained, rank=None, **options)
    assert rmse(warm, data) < 0.5 * rmse(sample(data, **options), data)


def test_values_out_of_the_range_of_squares():
    data = ratings()
    options = {"solver": fm.Gibbs(), "rank": 3, "epochs": 8, "fields": data.fields}
    plain = fm.train(data.X, data.y, dtype="float64", **options)
    for size in (2.0**600, 2.0**-600):
        X = data.X.copy()
        X.data[::2] *= size  # of one field
        np.testing.assert_allclose(fm.train(X, data.y, dtype="float64", **options).predict(X),
                                   plain.predict(data.X), rtol=1e-6)  # fmt: skip


# --- callbacks ----------------------------------------------------------------------------------


def test_records_of_sweeps():
    data = ratings()
    model = sample(data, X_val=data.X[3000:], y_val=data.y[3000:], epochs=20)
    last = model.history[-1]
    assert [epoch.epoch for epoch in model.history] == list(range(1, 21))
    error = float(np.sqrt(np.mean((model.predict(data.X[3000:]) - data.y[3000:]) ** 2)))
    assert last.metrics["rmse"] == pytest.approx(error, rel=1e-5)
    assert last.val_loss == pytest.approx(error**2 / 2, rel=1e-5)
    assert np.isnan(model.history[11].metrics["r_hat"])  # 7 sweeps after burn-in
    assert last.metrics["r_hat"] > 0.9
    assert 1 <= last.metrics["ess"] <= 15
    own = sample(data, epochs=20).history[-1]
    assert own.val_loss is None
    assert own.metrics["r_hat"] == last.metrics["r_hat"]


def test_train_loss_is_that_of_the_last_sample():
    data = ratings()
    model = sample(data, solver=fm.Gibbs(burn_in=11), dtype="float64")
    assert len(model.samples) == 1
    errors = model.score(data.X[:3000]) - data.y[:3000]
    assert model.history[-1].train_loss == pytest.approx(np.mean(errors**2) / 2, rel=1e-6)


def test_the_model_during_burn_in_is_the_last_sample():
    data = ratings()
    seen = []

    class Look:
        def begin(self, training):
            self.training = training

        def __call__(self, epoch):
            seen.append(len(self.training.model.samples))

    sample(data, solver=fm.Gibbs(chains=2, samples=4), callbacks=[Look()])
    assert seen == [2] * 6 + [4, 6, 8, 4, 6, 6]


# --- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"epochs": 5}, ValueError, "burn-in"),
        ({"batch_size": 5}, ValueError, "batch"),
        ({"init": "uniform"}, ValueError, "uniform"),
        ({"loss": "huber"}, ValueError, "huber"),
        ({"fields": [0, 1]}, ValueError, "fields"),
        ({"fields": np.full(100, -1)}, ValueError, "fields"),
        ({"fields": np.full(100, 100)}, ValueError, "fields"),
        ({"fields": np.full(100, 0.5)}, TypeError, "fields"),
        ({"solver": "gibbs"}, TypeError, "solver"),
        ({"callbacks": [fm.LearningRateSchedule(lambda epoch: 1.0)]}, AttributeError, "Gibbs has"),
    ],
)
def test_what_is_refused(options, error, message):
    with pytest.raises(error, match=message):
        sample(ratings(n=3000), **options)


@pytest.mark.parametrize(
    "settings", [{"burn_in": -1}, {"chains": 0}, {"samples": 0}, {"alpha0": 0}, {"gamma0": np.nan}]
)
def test_settings_are_checked(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        fm.Gibbs(**settings)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(
    "case",
    ["one row", "constant", "no entries", "one of a class", "tiny weights", "huge", "dense"],
)
def test_odd_data_give_finite_predictions(case, task):
    rng = np.random.default_rng(0)
    data = ratings(n=500)
    X, y, weights = data.X, targets(data, task).astype(float), None
    if case == "one row":
        if task != "regression":
            return  # refused: there is one class
        X, y = X[:1], y[:1]
    elif case == "constant":
        y = np.ones(500) if task == "regression" else np.r_[0, np.ones(499)]
    elif case == "no entries":
        X = sp.csr_matrix(X.shape)
    elif case == "one of a class":
        y = np.r_[1, np.zeros(499)]
    elif case == "tiny weights":
        if task != "regression":
            return  # refused, see below
        weights = np.where(np.arange(500) % 2, 1e-30, 1e30)
    elif case == "huge":
        X, y = X * 1e30, y * (1e30 if task == "regression" else 1)
    elif case == "dense":
        X = rng.normal(size=(500, 20))
    model = fm.train(
        X, y, sample_weight=weights, task=task, solver=fm.Gibbs(), rank=3, epochs=8
    )  # fmt: skip
    predicted = model.predict(X)
    assert np.isfinite(predicted).all()
    assert np.isfinite(model.V).all()
    if task == "regression":
        size = np.abs(y).max()
        assert np.abs(predicted).max() <= 10 * size
