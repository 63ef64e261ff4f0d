"""Which interactions are held out, and how they are scored."""

import numpy as np
import scipy.sparse as sp

from sparsefm.ranking.comparing import Positives
from sparsefm.ranking.validating import Validation


def data(users, items):
    users, items = np.array(users, np.int32), np.array(items, np.int32)
    shape = users.max() + 1, items.max() + 1
    sides = sp.csr_matrix(sp.eye_array(sum(shape)))
    known = sp.csr_matrix((np.ones(len(users), bool), (users, items)), shape)
    known.sum_duplicates()
    return Positives(sides[: shape[0]], sides[shape[0] :], users, users, items, None, None, known)


def hold_out(data, times):
    return Validation.hold_out(data, times, np.random.default_rng(0), 2, 1)


def test_the_last_of_each_user_is_held_out():
    every = data([0, 1, 0, 1, 0, 2], [3, 2, 1, 0, 2, 1])
    held = hold_out(every, np.array([5, 1, 9, 2, 7, 1]))
    assert dict(zip(held.user, held.item, strict=True)) == {0: 1, 1: 0}  # user 2 has one alone
    assert len(held.data) == 4
    assert held.data.known.toarray().sum() == 4
    assert not held.data.known[held.user, held.item].any()


def test_repeated_pairs_stay():
    held = hold_out(data([0, 0, 1, 1], [1, 1, 0, 2]), np.arange(4))
    assert dict(zip(held.user, held.item, strict=True)) == {1: 2}


def test_without_times_any_may_be_held_out():
    every = data(np.repeat(np.arange(200), 3), np.tile([0, 1, 2], 200))
    counts = np.bincount(hold_out(every, None).item)
    assert counts.min() > 40


def test_ndcg_is_that_of_all_items_but_those_of_the_user():
    rng = np.random.default_rng(1)
    every = data(
        np.repeat(np.arange(30), 4), np.argsort(rng.random((30, 50)), axis=1)[:, :4].ravel()
    )
    held = hold_out(every, None)
    d = every.items.shape[1]
    w, V = rng.normal(size=d), rng.normal(size=(d, 3))
    found = []
    for user, item in zip(held.user, held.item, strict=True):
        scores = w[30:] + V[30:] @ V[user]
        scores[held.data.known[[user]].indices] = -np.inf
        rank = 1 + np.sum(scores > scores[item])
        found.append(1 / np.log2(rank + 1) if rank <= 10 else 0)
    assert np.isclose(held.ndcg(w, V), np.mean(found))
    assert 0 < np.mean(found) < 1
