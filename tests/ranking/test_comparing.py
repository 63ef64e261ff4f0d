"""Training on comparisons, against a reference in plain NumPy."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from reference_comparing import train_adagrad

import sparsefm as fm
from sparsefm.ranking.alias import alias_table
from sparsefm.ranking.comparing import Comparing, Positives
from sparsefm.training.random import stream

N_CONTEXTS, N_ITEMS = 7, 12


def positives(kind="ids", dtype=float, n=40, seed=0):
    """Return made positives: of identifiers alone, with features of both sides, or of groups."""
    rng = np.random.default_rng(seed)
    context = rng.integers(0, N_CONTEXTS, n).astype(np.int32)
    item = (rng.random(n) ** 2 * N_ITEMS).astype(np.int32)
    contexts, items = sp.eye_array(N_CONTEXTS), sp.eye_array(N_ITEMS)
    weights = ranges = None
    known = sp.csr_matrix((np.ones(n), (context, item)), (N_CONTEXTS, N_ITEMS))
    if kind != "ids":
        more = [sp.random_array((rows, 4), density=0.5, rng=rng) for rows in (N_CONTEXTS, N_ITEMS)]
        contexts, items = sp.hstack([contexts, more[0]]), sp.hstack([items, more[1]])
        weights = rng.uniform(0.5, 2, n)
    if kind == "groups":
        contexts = sp.csr_matrix((N_CONTEXTS, 0))
        known = sp.csr_matrix((N_CONTEXTS, N_ITEMS))
        begins = np.minimum(item + 1, N_ITEMS).astype(np.int64)
        ranges = begins, np.minimum(begins + 3, N_ITEMS)
    known.sum_duplicates()
    return Positives(
        sp.csr_matrix(sp.hstack([contexts, sp.csr_matrix((N_CONTEXTS, items.shape[1]))])),
        sp.csr_matrix(sp.hstack([sp.csr_matrix((N_ITEMS, contexts.shape[1])), items])),
        context,
        context,
        item,
        weights,
        ranges,
        known,
    )


def comparing(loss, n_negatives=3, power=0.0, threads=1, **options):
    optimizer = fm.AdaGrad(learning_rate=0.1, l2_factors=0.05, l2_linear=0.02)
    chosen = {"rank": 5, "init_scale": 0.3, "batch_size": 16, "seed": 5, "optimizer": optimizer}
    return Comparing(
        loss, n_negatives=n_negatives, power=power, threads=threads, **{**chosen, **options}
    )


@pytest.mark.parametrize("kind", ["ids", "features", "groups"])
@pytest.mark.parametrize(
    ("loss", "n_negatives"),
    [("bpr", 1), ("bpr", 3), ("bpr", 0), ("softmax", 4), ("softmax", 0), ("warp", 9)],
)
def test_equals_the_reference(kind, loss, n_negatives):
    check_against_reference(kind, loss, n_negatives, 0.0)


@pytest.mark.parametrize("loss", ["bpr", "softmax", "warp"])
def test_popular_negatives_equal_the_reference(loss):
    check_against_reference("features", loss, 6, 0.7)


def check_against_reference(kind, loss, n_negatives, power):
    data = positives(kind)
    records = []
    how = comparing(loss, n_negatives, power)
    state = how.train(data, 3, "float64", lambda state, epoch: records.append(epoch))
    begun = how.train(data, 0, "float64")
    orders = [stream(5, "batches", epoch).permutation(len(data)) for epoch in range(3)]
    table = None
    if power:
        counts = np.bincount(data.item, data.weights, N_ITEMS)
        table = alias_table(counts**power)
    l2 = how.optimizer.l2_linear, how.optimizer.l2_factors
    w, V, losses = train_adagrad(
        data, loss, n_negatives, orders, 16, 5, begun.w, begun.V, 0.1, 1.0, l2, table
    )
    np.testing.assert_allclose(state.w, w, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(state.V, V, rtol=1e-9, atol=1e-12)
    total = len(data) if data.weights is None else data.weights.sum()
    np.testing.assert_allclose([r.train_loss for r in records], np.array(losses) / total)
    assert np.abs(V - begun.V).max() > 0.05
    assert state.bias[0] == 0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", [fm.AdaGrad(), fm.Adam()])
@pytest.mark.parametrize(("loss", "n_negatives"), [("bpr", 8), ("softmax", 40), ("warp", 20)])
def test_the_same_bits_on_any_number_of_threads(loss, n_negatives, optimizer, dtype):
    rng = np.random.default_rng(3)
    n, users, items = 4000, 150, 300
    user, item = rng.integers(0, users, n).astype("i4"), rng.integers(0, items, n).astype("i4")
    item[: n // 2] = 7  # has so many rows that they are summed in pieces
    known = sp.csr_matrix((np.ones(n), (user, item)), (users, items))
    known.sum_duplicates()
    sides = sp.eye_array(users + items, format="csr")
    data = Positives(
        sp.csr_matrix(sides[:users]),
        sp.csr_matrix(sides[users:]),
        user,
        user,
        item,
        None,
        None,
        known,
    )
    results = []
    for threads in (1, 2, 7, 16):
        how = comparing(
            loss, n_negatives, threads=threads, optimizer=optimizer, rank=16, batch_size=1024
        )
        state = how.train(data, 2, dtype)
        results.append((state.w.tobytes(), state.V.tobytes()))
    assert len(set(results)) == 1
    assert np.isfinite(state.V).all()


def test_draws_follow_the_table():
    weights = np.array([0.0, 1, 5, 2, 0, 12])
    keep, alias, probability = alias_table(weights)
    drawn = np.bincount(np.arange(6), keep / 6, 6) + np.bincount(alias, (1 - keep) / 6, 6)
    np.testing.assert_allclose(drawn, probability, atol=1e-15)
    np.testing.assert_allclose(probability, weights / 20)


def test_a_user_of_all_items_is_compared_with_nothing():
    data = positives()
    every = sp.csr_matrix(np.ones((N_CONTEXTS, N_ITEMS)))
    data = Positives(*(*vars(data).values(),)[:-1], every)
    for loss in ("bpr", "softmax", "warp"):
        how = comparing(loss, optimizer=fm.AdaGrad(l2_factors=0.0, l2_linear=0.0))
        before, after = how.train(data, 0, "float32"), how.train(data, 2, "float32")
        np.testing.assert_array_equal(before.V, after.V)


def test_what_diverges_says_so():
    with pytest.raises(fm.DivergenceError, match="learning rate"):
        comparing("bpr", optimizer=fm.Adam(learning_rate=1e30)).train(positives(), 5, "float32")


def core(**other):
    """Return what makes the steps, given other arguments."""
    data, how = positives(), comparing("softmax")
    state = how.train(data, 0, "float64")
    return how._core_of(replace(data, **other), state)


def test_the_core_refuses_what_would_reach_beyond_its_arrays():
    runner = core()
    order = np.arange(40)
    assert runner.run(order, 0, 0, 3, 0, 0.1, 0.0) > 0
    for wrong in (np.tile(order, 2), order + 1, order - 1):
        with pytest.raises(ValueError, match="order has"):
            runner.run(wrong, 0, 0, 1, 0, 0.1, 0.0)
    with pytest.raises(ValueError, match="no such steps"):
        runner.run(order, 0, 0, 4, 0, 0.1, 0.0)
    for name in ("context", "user", "item"):
        with pytest.raises(ValueError, match=f"other {name}s"):
            core(**{name: np.full(40, 100, np.int32)})
    with pytest.raises(ValueError, match="negatives must be items"):
        core(ranges=(np.zeros(40, np.int64), np.full(40, N_ITEMS + 1)))
    with pytest.raises(ValueError, match="occurs in contexts and in items"):
        core(contexts=positives().items[:N_CONTEXTS])


def test_threads_may_share_a_core():
    runner = core()
    with ThreadPoolExecutor(3) as pool:
        runs = [pool.submit(runner.run, np.arange(40), 0, 0, 3, 0, 0.1, 0.0) for _ in range(30)]
        assert all(np.isfinite(run.result()) for run in runs)


def test_sampled_softmax_estimates_the_full_one_of_users_who_know_most():
    n_users, n_items = 2, 20
    user = np.repeat(np.arange(2), [18, 2]).astype(np.int32)
    item = np.r_[np.arange(18), np.arange(18, 20)].astype(np.int32)
    known = sp.csr_matrix((np.ones(20, bool), (user, item)), (n_users, n_items))
    sides = sp.csr_matrix(sp.eye_array(22))
    data = Positives(sides[:2], sides[2:], user, user, item, None, None, known)
    losses = []
    for n_negatives in (0, 19):
        how = comparing("softmax", n_negatives, init_scale=0.0, batch_size=100)
        how.train(data, 1, "float64", lambda state, epoch: losses.append(epoch.train_loss))
    assert losses[1] == pytest.approx(losses[0])
