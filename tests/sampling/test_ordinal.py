"""Ordered classes: probabilities that are right, cuts that are found, and bad input."""

import numpy as np
import pytest
import scipy.sparse as sp
from rated import ratings, sample, targets
from scipy.special import ndtr

import sparsefm as fm
from sparsefm.sampling import normal

CUTS = np.array([-1.2, -0.3, 0.4, 1.6])


def ordered(n=20_000, cuts=CUTS, seed=0):
    """Draw rows of two categories, ordered classes, and the probability of each class."""
    rng = np.random.default_rng(seed)
    city, hour = rng.integers(0, 30, n), rng.integers(0, 20, n)
    habits, times = rng.normal(size=(30, 2)), rng.normal(size=(20, 2))
    latent = 0.8 * rng.normal(size=30)[city] + 0.5 * (habits[city] * times[hour]).sum(axis=1)
    columns = np.column_stack([city, 30 + hour]).ravel()
    X = sp.csr_matrix((np.ones(2 * n), columns, np.arange(0, 2 * n + 1, 2)), (n, 50))
    y = np.digitize(latent + rng.normal(size=n), cuts)
    edges = np.r_[-np.inf, cuts, np.inf]
    return X, y, np.diff(ndtr(edges - latent[:, None]), axis=1), latent


FIELDS = np.repeat([0, 1], [30, 20])


def log_loss(chances, y):
    return -np.log(chances[np.arange(len(y)), y.astype(int)]).mean()


# --- quality ------------------------------------------------------------------------------------


def test_probabilities_scores_and_cuts_are_found():
    X, y, truth, latent = ordered()
    solver = fm.Gibbs(chains=2)
    model = fm.train(X, y, task="ordinal", rank=4, epochs=60, solver=solver, fields=FIELDS)
    chances = model.predict(X)
    assert chances.shape == (20_000, 5)
    np.testing.assert_allclose(chances.sum(axis=1), 1, rtol=1e-5)
    assert np.sqrt(np.mean((chances - truth) ** 2)) < 0.05
    assert log_loss(chances, y) < log_loss(truth, y) + 0.02
    for k in range(5):  # calibrated: of rows with a probability of p, a share of p has the class
        order = np.argsort(chances[:, k])
        for part in np.array_split(order, 5):
            assert np.mean(y[part] == k) == pytest.approx(chances[part, k].mean(), abs=0.03)
    cuts = np.mean([sample.cuts for sample in model.samples], axis=0)
    np.testing.assert_allclose(cuts, CUTS - CUTS[0], atol=0.15)
    scores = model.score(X)
    assert scores.dtype == model.dtype
    np.testing.assert_allclose(scores.mean(), latent.mean() - CUTS[0], atol=0.15)
    assert np.corrcoef(scores, latent)[0, 1] > 0.95
    assert model.history[-1].metrics["r_hat"] < 1.5


def test_better_than_one_class_against_the_rest():
    X, y, *_ = ordered(6000, seed=1)
    train, test = slice(0, 3000), slice(3000, 6000)
    losses = {}
    for loss in ("ordinal", "logistic"):
        model = fm.FMClassifier(loss=loss, solver=fm.Gibbs(), rank=4, epochs=40)
        model.fit(X[train], y[train])
        losses[loss] = log_loss(model.predict_proba(X[test]), y[test])
    assert losses["ordinal"] < losses["logistic"] - 0.01


def test_two_ordered_classes_have_the_probabilities_of_two_classes():
    data = ratings(n=1500)
    y = targets(data, "binary")
    options = {"solver": fm.Gibbs(), "rank": 3, "epochs": 10, "fields": data.fields}
    two = fm.train(data.X, y, task="binary", **options)
    ordinal = fm.train(data.X, y, task="ordinal", **options)
    np.testing.assert_allclose(ordinal.predict(data.X)[:, 1], two.predict(data.X), rtol=1e-5)
    assert all(sample.cuts.tolist() == [0] for sample in ordinal.samples + two.samples)


def test_many_classes():
    rng = np.random.default_rng(0)
    group = rng.integers(0, 5, 5000)
    latent = np.linspace(-1, 1, 5)[group] + rng.normal(size=5000)
    y = np.argsort(np.argsort(latent)) // 50  # a hundred classes of 50 rows each
    model = fm.train(np.eye(5)[group], y, task="ordinal", solver=fm.Gibbs(), rank=0, epochs=60)
    chances = model.predict(np.eye(5))
    assert chances.shape == (5, 100)
    for number in range(5):
        expected = np.mean(y[group == number] < 50)
        assert chances[number, :50].sum() == pytest.approx(expected, abs=0.04)
    assert len({sample.cuts.tobytes() for sample in model.samples}) > 20


def test_a_class_of_one_row():
    X, y, *_ = ordered(500, cuts=[0])
    y = 2 * y
    y[17] = 1
    model = fm.train(X, y, task="ordinal", solver=fm.Gibbs(), rank=2, epochs=60)
    chances = model.predict(X)
    assert np.isfinite(chances).all()
    assert 0 < chances[:, 1].mean() < 0.05


def test_huge_values_give_finite_probabilities():
    data = ratings()
    model = sample(data, "ordinal")
    X = data.X * 1e4
    assert np.isfinite(model.score(X)).all()
    chances = model.predict(X)
    np.testing.assert_allclose(chances.sum(axis=1), 1, rtol=1e-5)
    logs = model._score_csr(model._checked(X), 1)
    assert np.isfinite(logs).all()


# --- what a model gives -------------------------------------------------------------------------


def test_standard_deviations_are_those_over_the_samples():
    data = ratings()
    model = sample(data, "ordinal", dtype="float64")
    mean, std = model.predict(data.X, return_std=True)
    assert mean.shape == std.shape == (4000, 4)
    scores = [scores for scores in model._sample_scores(model._checked(data.X), 1)]
    chances = [
        normal.class_probabilities(s, sample.cuts)
        for s, sample in zip(scores, model.samples, strict=True)
    ]
    np.testing.assert_allclose(mean, np.mean(chances, axis=0), rtol=1e-9)
    np.testing.assert_allclose(std, np.std(chances, axis=0, ddof=1), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(model.score(data.X), np.mean(scores, axis=0), rtol=1e-9)
    noise, parameters = model.predict_std(data.X)
    assert (noise == 1).all()
    np.testing.assert_allclose(parameters, np.std(scores, axis=0, ddof=1), rtol=1e-6, atol=1e-9)
    with pytest.raises(ValueError, match="quantiles"):
        model.predict_quantiles(data.X)
    np.testing.assert_array_equal(fm.predict(data.X, model), mean)


def test_records_of_sweeps():
    data = ratings()
    y = targets(data, "ordinal")
    model = sample(data, "ordinal", X_val=data.X[3000:], y_val=y[3000:], epochs=20)
    chances, last = model.predict(data.X[3000:]), model.history[-1]
    loss = log_loss(chances, y[3000:])
    assert last.val_loss == pytest.approx(loss, rel=1e-4)
    chosen = chances.argmax(axis=1)
    expected = {
        "log_loss": loss,
        "accuracy": np.mean(chosen == y[3000:]),
        "class_error": np.mean(np.abs(chosen - y[3000:])),
    }
    assert {name: last.metrics[name] for name in expected} == pytest.approx(expected, rel=1e-4)
    assert last.metrics["r_hat"] > 0.9


def test_train_loss_is_that_of_the_last_samples():
    data = ratings()
    model = sample(data, "ordinal", solver=fm.Gibbs(burn_in=11, chains=2), dtype="float64")
    rows = np.linspace(0, 2999, 256).astype(int)
    y = targets(data, "ordinal")[rows]
    losses = [
        log_loss(normal.class_probabilities(scores, sample.cuts), y)
        for scores, sample in zip(
            model._sample_scores(model._checked(data.X[rows]), 1), model.samples, strict=True
        )
    ]
    assert len(losses) == 2
    assert model.history[-1].train_loss == pytest.approx(np.mean(losses), rel=1e-6)


def test_a_start_from_another_model():
    data = ratings(noise=0.1)
    y = targets(data, "binary")[:3000]
    trained = fm.train(data.X[:3000], y, task="binary", rank=4, epochs=20)
    options = {"epochs": 3, "solver": fm.Gibbs(burn_in=0)}
    warm = sample(data, "ordinal", init=trained, rank=None, **options)
    cold = sample(data, "ordinal", **options)
    late = targets(data, "ordinal")[3000:]
    losses = [log_loss(model.predict(data.X[3000:]), late) for model in (warm, cold)]
    assert losses[0] < losses[1] - 0.1


# --- functions of the normal distribution -------------------------------------------------------


def test_logarithms_of_probabilities_far_out():
    cuts = np.array([0.0, 1.0, 2.5])
    scores = np.linspace(-4, 5, 19)
    chances = normal.class_probabilities(scores, cuts)
    np.testing.assert_allclose(chances.sum(axis=1), 1, rtol=1e-14)
    for k in range(4):
        logs = normal.log_probabilities(np.full(19, k), scores, cuts)
        np.testing.assert_allclose(logs, np.log(chances[:, k]), rtol=1e-9)
    far = normal.log_probabilities(np.array([0, 1, 2, 3]), np.array([60, 60, -60, -60]), cuts)
    expected = -(np.array([60, 59, 61, 62.5]) ** 2) / 2
    np.testing.assert_allclose(far, expected, rtol=0.005)
    small = normal.class_probabilities(np.array([-20.0, 20.0]), cuts)
    assert (small > 0).all()


# --- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize("y", [[0, 1, 1.5], [0, 1, -1], [0, 1, 100]])
def test_classes_must_be_numbers_from_zero_on(y):
    with pytest.raises(ValueError, match=r"y must hold the numbers of classes.*row 2"):
        fm.train(np.eye(3), y, task="ordinal", solver=fm.Gibbs())
    with pytest.raises(ValueError, match=r"y_val must hold the numbers of classes.*row 2"):
        fm.train(np.eye(3), [0, 1, 2], np.eye(3), y, task="ordinal", solver=fm.Gibbs())


def test_validation_rows_have_no_other_classes():
    with pytest.raises(ValueError, match="at most 2"):
        fm.train(np.eye(3), [0, 1, 2], np.eye(3), [0, 1, 3], task="ordinal", solver=fm.Gibbs())
    weights = {"sample_weight": [1, 1, 0]}
    with pytest.raises(ValueError, match="at most 1"):
        fm.train(
            np.eye(3), [0, 1, 2], np.eye(3), [0, 1, 2], task="ordinal", solver=fm.Gibbs(), **weights
        )


def test_every_class_must_occur():
    with pytest.raises(ValueError, match="class 1 of the ordered classes 0 to 2"):
        fm.train(np.eye(3), [0, 2, 2], task="ordinal", solver=fm.Gibbs())
    with pytest.raises(ValueError, match="class 1"):
        fm.train(np.eye(3), [0, 1, 2], sample_weight=[1, 0, 1], task="ordinal", solver=fm.Gibbs())
    with pytest.raises(ValueError, match="2 to 100 ordered classes, got 1"):
        fm.train(np.eye(3), [0, 0, 0], task="ordinal", solver=fm.Gibbs())


@pytest.mark.parametrize("solver", [None, fm.Adam(), fm.AdaGrad(), fm.ALS()])
def test_other_solvers_are_refused(solver):
    message = "ordinal" if isinstance(solver, fm.ALS) else r"need solver=sparsefm.Gibbs\(\)"
    with pytest.raises(ValueError, match=message):
        fm.train(np.eye(3), [0, 1, 2], task="ordinal", solver=solver)
    if solver is None:  # an estimator samples then
        assert fm.FMClassifier(loss="ordinal").fit(np.eye(3), [0, 1, 2]).w_.shape == (3,)
        return
    with pytest.raises(ValueError, match=message):
        fm.FMClassifier(loss="ordinal", solver=solver).fit(np.eye(3), [0, 1, 2])


def test_other_models_have_no_ordered_classes():
    with pytest.raises(ValueError, match="SampledModel"):
        fm.Model(0.0, np.zeros(2), np.zeros((2, 1)), "ordinal", "ordinal")
