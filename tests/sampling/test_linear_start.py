"""The start of chains for classes, on simulated tables of strong and of no linear effects."""

from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
import scipy.sparse as sp
from gibbs_problems import STATE, problem
from gibbs_reference import log_joint
from rated import assert_same, ratings, sample

import sparsefm as fm
from sparsefm.sampling import linear_start
from sparsefm.sampling.chain import Chain
from sparsefm.training import chains as moved


class Table(NamedTuple):
    """Rows of one-hot fields, the field of each feature, and the classes."""

    X: sp.csr_matrix
    y: np.ndarray
    fields: np.ndarray


def table(linear, pairs, n=6000, sizes=(15, 20, 25), seed=0, cuts=(0,)):
    """Draw classes by a probit model whose parts have these standard deviations."""
    rng = np.random.default_rng(seed)
    first = np.cumsum([0, *sizes[:-1]])
    columns = np.column_stack([rng.integers(0, size, n) for size in sizes]) + first
    w, V = rng.normal(size=sum(sizes)), rng.normal(size=(sum(sizes), 2))
    of_w = w[columns].sum(axis=1)
    factors = V[columns]
    of_v = ((factors.sum(axis=1) ** 2).sum(axis=1) - (factors**2).sum(axis=(1, 2))) / 2
    score = sum(size * part / part.std() for size, part in ((linear, of_w), (pairs, of_v)))
    y = np.searchsorted(cuts, score - score.mean() + rng.normal(size=n))
    indptr = np.arange(0, columns.size + 1, len(sizes))
    X = sp.csr_matrix((np.ones(columns.size), columns.ravel(), indptr), (n, sum(sizes)))
    return Table(X, y, np.repeat(np.arange(len(sizes)), sizes))


class Look:
    """A callback that copies the chains before their first sweep."""

    def __init__(self, chains):
        self.chains = chains

    def begin(self, training):
        _, (copies,), *_ = training.snapshot()
        self.chains.extend(copies)

    def __call__(self, epoch):
        pass


def losses(data, n=4000, **options):
    """Return the log loss of the other rows after each sweep; of the mean after burn-in."""
    options = {"rank": 4, "epochs": 20, "solver": fm.Gibbs(), "task": "binary"} | options
    model = fm.train(
        data.X[:n], data.y[:n], fields=data.fields, X_val=data.X[n:], y_val=data.y[n:], **options
    )
    return np.array([epoch.metrics["log_loss"] for epoch in model.history])


def starts(data, **options):
    """Return the chains before their first sweep."""
    looks = []
    sample(data, callbacks=[Look(looks)], epochs=6, **options)
    return looks


@pytest.fixture
def cold(monkeypatch):
    """Return a function that has chains start with w of zero, from then on."""
    return lambda: monkeypatch.setattr(linear_start, "MOST_SWEEPS", 0)


def test_it_helps_ordered_classes(cold):
    data = table(linear=10.0, pairs=0.5, cuts=(-12, -4, 3, 11))
    found = losses(data, task="ordinal")[-1]
    cold()
    assert found < 0.6 * losses(data, task="ordinal")[-1]


def test_it_helps_where_classes_can_nearly_be_told_apart(cold):
    data = table(linear=10, pairs=0)
    warm = losses(data)
    cold()
    assert warm[-1] < 0.7 * losses(data)[-1]
    assert warm[-1] < 0.14  # the truth has 0.07


@pytest.mark.parametrize("strength", [0.3, 1, 3])
def test_it_does_no_harm_where_there_are_but_interactions(cold, strength):
    data = table(linear=0, pairs=strength)
    warm = losses(data)
    cold()
    assert warm[-1] < 1.01 * losses(data)[-1]


@pytest.mark.parametrize(("linear", "least", "most"), [(0, 3, 6), (0.5, 3, 8), (10, 10, 40)])
def test_it_takes_as_many_sweeps_as_scores_need_to_grow(monkeypatch, linear, least, most):
    counts = []
    begin = linear_start.start_linear
    monkeypatch.setattr(
        moved, "start_linear", lambda *given: counts.append(begin(*given)) or counts[-1]
    )
    losses(table(linear, pairs=0), epochs=6)
    assert least <= counts[0] <= most


def test_scores_have_grown_before_the_first_sweep():
    data, chains = table(linear=10, pairs=0), []
    losses(data, epochs=6, callbacks=[Look(chains)])
    assert (data.X @ chains[0].w).std() > 4.5  # 40 sweeps of the sampler alone reach 3.3


@pytest.mark.parametrize("gamma0", [1.0, 30.0])
@pytest.mark.parametrize("bias_precision", [1e-6, 20.0])
def test_scores_get_the_size_of_the_largest_density(gamma0, bias_precision):
    """With respect to dg / g, where g multiplies latent targets, scores and the means of w."""
    given = problem(
        "probit", rank=0, weighted=False, rows=15, gamma0=gamma0, bias_precision=bias_precision
    )
    state = {name: given[name] for name in STATE}
    scores = given["w0"] + given["X"] @ given["w"]
    z = scores + np.random.default_rng(1).normal(size=15)
    count = 15 + 1 + given["w"].size + given["means"].size

    def log_density(g):
        scaled = state | {name: g * state[name] for name in ("w0", "w", "means")}
        fixed = {name: given[name] for name in ("X", "weights", "fields", "settings")}
        return log_joint(targets=g * z, **fixed, **scaled) + count * np.log(g)

    square = linear_start.best_square(
        Chain(*state.values()),
        SimpleNamespace(X=SimpleNamespace(n_rows=15), groups=given["fields"]),
        SimpleNamespace(_core_constants=given["settings"]._asdict()),
        float(((z - scores) ** 2).sum()),
    )
    assert abs(square - 1) > 0.01
    best = np.sqrt(square)
    assert np.argmax([log_density(best * step) for step in (0.999, 1, 1.001)]) == 1


def test_chains_have_linear_starts_of_their_own():
    chains = starts(ratings(), task="binary", solver=fm.Gibbs(chains=3))
    assert len({chain.w[0] for chain in chains}) == 3
    assert len({chain.precisions[0, 0] for chain in chains}) == 3
    assert all((chain.precisions[:, 1:] == chain.precisions[0, 1]).all() for chain in chains)


def test_random_numbers_are_not_used_twice(monkeypatch):
    used = []
    sampler = Chain.sampler
    monkeypatch.setattr(Chain, "sampler", lambda *given: used.append(given[-2:]) or sampler(*given))
    sample(ratings(), "binary", epochs=6, solver=fm.Gibbs(chains=2))
    assert len(set(used)) == len(used) == 4


@pytest.mark.parametrize("rank", [0, 3])
def test_the_start_is_the_same_bits_on_any_number_of_threads(rank):
    data = table(linear=3, pairs=1)
    models = [
        fm.train(
            data.X, data.y, task="binary", fields=data.fields, rank=rank, epochs=7,
            solver=fm.Gibbs(chains=2), n_threads=threads,
        )
        for threads in (1, 3)
    ]  # fmt: skip
    assert_same(*models, data.X)


def test_numbers_start_from_zero():
    (chain,) = starts(ratings())
    assert (chain.w == 0).all()
    assert (chain.precisions[:, 0] == 2).all()  # features in a row
    (alone,) = starts(ratings(), fields=None)
    assert (alone.precisions[:, 0] == 2).all()


def test_a_given_start_is_kept():
    data = ratings()
    y = (data.y[:3000] > 3).astype(int)
    trained = fm.train(data.X[:3000], y, task="binary", rank=4, epochs=3)
    (chain,) = starts(data, task="binary", init=trained, rank=None)
    np.testing.assert_array_equal(chain.w, trained.w)


def test_numbers_too_large_are_named(monkeypatch):
    def overflow(*given):
        raise OverflowError

    monkeypatch.setattr(moved, "start_linear", overflow)
    with pytest.raises(fm.DivergenceError, match="the start: numbers are too large for float32"):
        sample(ratings(), "binary")
