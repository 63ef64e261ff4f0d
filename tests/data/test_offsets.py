"""A warning of columns whose values lie far from zero, which does not cry wolf."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, Normalizer, StandardScaler

import sparsefm as fm
from sparsefm.data.csr import as_csr
from sparsefm.data.offsets import offset_columns

N = 500
FAST = {"rank": 2, "solver": fm.Adam(), "epochs": 1, "search": None}


def with_users(column, seed=0):
    """Put a column of numbers beside one-hot users, as column 30."""
    users = np.random.default_rng(seed).integers(0, 30, N)
    onehot = sparse.csr_matrix((np.ones(N), (np.arange(N), users)), (N, 30))
    return sparse.hstack([onehot, sparse.csr_matrix(np.asarray(column, float)[:, None])]).tocsr()


def drawn(seed):
    rng = np.random.default_rng(seed)
    typos = rng.integers(1990, 2020, N) * 1.0
    typos[:3] = 9999, 1, 0
    return rng, {
        "year": rng.integers(1990, 2020, N),
        "timestamp": rng.uniform(1.6e9, 1.7e9, N),
        "body temperature": rng.uniform(36, 41, N),
        "latitude": -rng.uniform(40.5, 40.9, N),
        "pressure": rng.normal(1013, 8, N),
        "typing errors": typos,
        "5% missing": np.where(rng.random(N) < 0.05, 0, rng.integers(1990, 2020, N)),
    }


@pytest.mark.parametrize("seed", range(5))
def test_numbers_far_from_zero_are_found(seed):
    for name, column in drawn(seed)[1].items():
        for dtype in (np.float32, np.float64):
            X = with_users(column, seed).astype(dtype)
            assert list(offset_columns(as_csr(X, dtype))) == [30], name


def words(rng, length):
    vocabulary = np.array([f"w{number}" for number in range(300)])
    shares = 1 / np.arange(1, 301) ** rng.uniform(0.7, 1.5)
    sizes = np.maximum(rng.poisson(length, N), 1)
    return [" ".join(rng.choice(vocabulary, size, p=shares / shares.sum())) for size in sizes]


@pytest.mark.parametrize("seed", range(12))
def test_ordinary_matrices_have_none(seed):
    rng = np.random.default_rng(seed)
    normal = rng.normal(rng.normal(0, 3, 8), 10 ** rng.uniform(-2, 2, 8), (N, 8))
    positive = rng.lognormal(rng.normal(), rng.uniform(0.5, 2), (N, 8))
    counts = rng.poisson(rng.uniform(0.05, 4, 20), (N, 20))
    baskets = (rng.random((N, 40)) < rng.uniform(0.01, 0.95, 40)) * 1.0
    text = words(rng, [4, 20, 150][seed % 3])
    ordinary = {
        "one-hot": with_users(np.ones(N)),
        "an intercept": with_users(np.full(N, 7.5)),
        "counts": counts,
        "counts from 1 on": counts + 1,
        "ones and a few twos": with_users(1 + (rng.random(N) < 0.02)),
        "TF-IDF": TfidfVectorizer(sublinear_tf=bool(seed % 2)).fit_transform(text),
        "IDF": TfidfVectorizer(norm=None).fit_transform(text),
        "standardised": StandardScaler().fit_transform(normal),
        "standardised without mean": StandardScaler(with_mean=False).fit_transform(counts),
        "to [0, 1]": MinMaxScaler().fit_transform(normal),
        "by the maximum": MaxAbsScaler().fit_transform(positive),
        "rows of length 1": Normalizer().fit_transform(positive),
        "positive": positive,
        "ratings": with_users(rng.integers(1, 6, N)),
        "ages": with_users(rng.uniform(18, 90, N)),
        "probabilities": rng.dirichlet(np.ones(6), N),
        "shares of baskets": Normalizer("l1").fit_transform(baskets),
        "random numbers in few places": sparse.random(N, 50, 0.05, random_state=seed),
        "years that few rows have": with_users((rng.random(N) < 0.4) * 1990.0 + 5),
        "few rows": with_users(rng.integers(1990, 2020, N))[:10],
    }
    for name, X in ordinary.items():
        matrix = as_csr(sparse.csr_matrix(X, dtype=np.float64), np.float64)
        assert offset_columns(matrix) == {}, name


def test_one_value_with_rounding_errors_is_none():
    ones = 1 + 1e-12 * np.random.default_rng(0).normal(size=N)
    assert offset_columns(as_csr(with_users(ones), np.float64)) == {}


def test_rows_of_weight_zero_do_not_count():
    column = np.where(np.arange(N) < 400, np.random.default_rng(0).integers(1990, 2020, N), 0.5)
    X = as_csr(with_users(column), np.float64)
    assert offset_columns(X) == {}
    assert list(offset_columns(X, (np.arange(N) < 400) * 1.0)) == [30]


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_it_is_said_once_with_the_remedy(kind, method):
    rng, columns = drawn(0)
    X = with_users(columns["year"])
    y = rng.normal(size=N) if kind is fm.FMRegressor else rng.integers(0, 2, N)
    model = kind(**FAST)
    with pytest.warns(UserWarning, match="not centred") as said:
        getattr(model, method)(X, y)
    (message,) = {str(one.message) for one in said}
    assert len(said) == 1
    assert "column 'x30' of X holds numbers between 1990 and 2019" in message
    assert "subtract about 2004.5" in message
    assert "table or a dense array" in message
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict(X)
        model.partial_fit(X, y)
        kind(**FAST).fit(X.toarray(), y)  # whose columns are centred
        X[:, 30] -= sparse.csr_matrix(np.full((N, 1), 2004.5))
        kind(**FAST).fit(X, y)


@pytest.mark.parametrize("form", [sparse.csr_matrix, np.asarray])
def test_train(form):
    rng, columns = drawn(0)
    X = with_users(columns["year"] / 2000).toarray()
    with pytest.warns(UserWarning, match="column 'x30' of X holds numbers between 0.995 and"):
        fm.train(form(X), rng.normal(size=N), epochs=1)


def test_the_remedy_helps():
    rng, columns = drawn(0)
    year = columns["year"]
    y = 0.1 * (year - 2005) + 0.3 * rng.normal(size=N)
    X = with_users(year)
    with pytest.warns(UserWarning, match="not centred"):
        assert fm.FMRegressor(rank=2, solver=fm.Gibbs()).fit(X, y).score(X, y) < 0.6
    X = with_users(year - 2004.5)
    assert fm.FMRegressor(rank=2, solver=fm.Gibbs()).fit(X, y).score(X, y) > 0.8
