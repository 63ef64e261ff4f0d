"""`SampledModel.compress`: the mean of the samples as one small model."""

import numpy as np
import pytest
import scipy.sparse as sp
from rated import ratings, rmse, sample, targets

import sparsefm as fm
from sparsefm.sampling import compression
from sparsefm.sampling.compression import mean_factors
from sparsefm.sampling.samples import Sample


def drawn(n_samples, n_features=30, rank=3, spread=1.0, seed=0):
    """Return samples around the same factors."""
    rng = np.random.default_rng(seed)
    center = rng.normal(size=(n_features, rank))
    return [
        Sample(0.0, np.zeros(n_features), center + spread * rng.normal(size=center.shape), 1.0, [])
        for _ in range(n_samples)
    ]


def pairs_of(samples):
    return np.mean([s.V @ s.V.T for s in samples], axis=0)


def log_loss(model, X, y):
    chance = model.predict(X).astype(float)
    return -np.mean(np.log(np.where(y == 1, chance, 1 - chance)))


def test_at_full_rank_the_pairs_are_the_mean():
    samples = drawn(4)
    V = mean_factors(samples, 12)
    np.testing.assert_allclose(V @ V.T, pairs_of(samples), rtol=1e-9, atol=1e-9)


def test_one_sample_is_itself():
    samples = drawn(1)
    V = mean_factors(samples, 3)
    np.testing.assert_allclose(V @ V.T, samples[0].V @ samples[0].V.T, rtol=1e-9, atol=1e-9)


def test_with_equal_weights_it_is_the_best_approximation(monkeypatch):
    samples = drawn(5)
    monkeypatch.setattr(compression, "_weights", lambda samples: np.ones(30))
    V = mean_factors(samples, 4)
    values, vectors = np.linalg.eigh(pairs_of(samples))
    best = (vectors[:, -4:] * values[-4:]) @ vectors[:, -4:].T
    np.testing.assert_allclose(V @ V.T, best, rtol=1e-9, atol=1e-9)


def test_what_is_known_well_is_kept_better():
    spread = np.repeat([0.1, 3.0], 20)[:, None]
    samples = drawn(50, 40, spread=spread)
    known = pairs_of(samples)[:20, :20]

    def error(V):
        return np.linalg.norm(V[:20] @ V[:20].T - known) / np.linalg.norm(known)

    assert error(mean_factors(samples, 6)) < 0.05
    values, vectors = np.linalg.eigh(pairs_of(samples))
    unweighted = vectors[:, -6:] * np.sqrt(values[-6:])
    assert error(unweighted) > 3 * error(mean_factors(samples, 6))


def test_the_parts_of_the_features_make_no_difference(monkeypatch):
    samples = drawn(4)
    whole = mean_factors(samples, 6)
    monkeypatch.setattr(compression, "FEATURES_AT_ONCE", 7)
    parts = mean_factors(samples, 6)
    np.testing.assert_allclose(parts @ parts.T, whole @ whole.T, rtol=1e-9, atol=1e-9)


def test_features_without_factors_stay_so():
    samples = drawn(4)
    for one in samples:
        one.V[[3, 8]] = 0
    V = mean_factors(samples, 6)
    assert not V[[3, 8]].any()
    assert np.isfinite(V).all()
    assert V[4].all()


@pytest.mark.parametrize("chains", [1, 2])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_are_predicted_as_by_the_mean(chains, dtype):
    data = ratings()
    options = {"epochs": 30, "dtype": dtype, "solver": fm.Gibbs(chains=chains)}
    model = sample(data, **options)
    small = model.compress()
    assert type(small) is fm.Model
    assert (small.rank, small.n_features, small.dtype) == (8, 100, dtype)
    assert small.history == model.history
    assert rmse(small, data) < 1.02 * rmse(model, data)
    np.testing.assert_array_equal(small.w, model.w)
    assert small.w0 == model.w0
    whole = model.compress(10**6)
    assert whole.rank == 4 * len(model.samples)
    np.testing.assert_allclose(
        whole.score(data.X), model.score(data.X), atol=1e-3 if dtype == "float32" else 1e-8
    )


def test_in_the_units_of_the_target():
    data = ratings()
    model = sample(data)
    X, y = data.X[:3000], data.y[:3000]
    scaled = fm.train(X, 1000 * y, solver=fm.Gibbs(), rank=4, epochs=12, fields=data.fields)
    assert scaled.compress().predict(X) == pytest.approx(
        1000 * model.compress().predict(X), rel=1e-2
    )


def test_two_classes_keep_their_probabilities():
    data = ratings(8000)
    y = targets(data, "binary")
    model = sample(data, "binary", slice(0, 6000), epochs=40)
    small, rest = model.compress(), slice(6000, None)
    assert (small.task, small.loss) == ("binary", "logistic")
    sampled, compressed = (log_loss(m, data.X[rest], y[rest]) for m in (model, small))
    assert compressed < 1.02 * sampled
    linear = fm.Model(small.w0, small.w, 0 * small.V, "binary", "logistic")
    assert log_loss(linear, data.X[rest], y[rest]) > 1.2 * compressed


def test_rank_zero_and_models_without_factors():
    data = ratings()
    assert sample(data).compress(0).rank == 0
    linear = sample(data, rank=0)
    np.testing.assert_allclose(
        linear.compress().score(data.X), linear.score(data.X), rtol=1e-4, atol=1e-4
    )


def test_what_cannot_be_compressed():
    data = ratings()
    with pytest.raises(ValueError, match="ordered classes need samples"):
        sample(data, "ordinal").compress()
    for rank, error in ((-1, ValueError), (1.5, TypeError)):
        with pytest.raises(error, match="rank must be"):
            sample(data).compress(rank)


def test_a_file_of_it_is_small(tmp_path):
    data = ratings()
    model = sample(data, epochs=30)
    model.save(tmp_path / "large")
    model.compress().save(tmp_path / "small")
    sizes = [(tmp_path / name).stat().st_size for name in ("large", "small")]
    assert sizes[1] < sizes[0] / 4
    again = fm.load(tmp_path / "small")
    assert np.array_equal(again.predict(data.X), model.compress().predict(data.X))


def test_it_can_be_trained_on():
    data = ratings()
    X, y = sp.csr_matrix(data.X[:3000]), data.y[:3000]
    small = sample(data).compress()
    trained = fm.train(X, y, init=small, solver=fm.Adam(learning_rate=1e-3), epochs=3)
    assert rmse(trained, data) < 1.05 * rmse(small, data)
