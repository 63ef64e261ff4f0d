"""Groups of features with the same prior, and the fields of one-hot matrices."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.preprocessing import OneHotEncoder

import sparsefm as fm
from sparsefm.data.csr import as_csr
from sparsefm.sampling.groups import one_hot_fields, prior_groups

SIZES = (4, 1, 7, 3)


def one_hot(rows=200, seed=0):
    rng = np.random.default_rng(seed)
    return OneHotEncoder().fit_transform(rng.integers(SIZES, size=(rows, len(SIZES))))


def csr(X):
    return as_csr(sp.csr_matrix(X), np.float32)


def test_fields_of_a_one_hot_matrix_are_found():
    np.testing.assert_array_equal(one_hot_fields(csr(one_hot())), np.repeat(range(4), SIZES))


def test_columns_that_no_row_has_belong_to_the_block_before():
    X = one_hot().toarray()
    X = np.hstack([np.zeros((200, 1)), X[:, :4], np.zeros((200, 2)), X[:, 4:]])
    expected = np.repeat(range(4), [7, *SIZES[1:]])
    np.testing.assert_array_equal(one_hot_fields(csr(X)), expected)


def test_numbers_may_be_beside():
    X = np.hstack([np.full((200, 1), 2.5), one_hot().toarray()])
    np.testing.assert_array_equal(one_hot_fields(csr(X)), np.repeat(range(5), [1, *SIZES]))


@pytest.mark.parametrize("change", ["missing", "two", "crossing", "single", "empty"])
def test_other_matrices_have_no_fields(change):
    X = one_hot().tolil()
    if change == "missing":
        X[0, :4] = 0
    elif change == "two":
        X[0, :2] = 1
    elif change == "crossing":  # as many features as the other rows have, but of other blocks
        X[0] = 0
        X[0, [0, 1, 4, 5]] = 1
    elif change == "single":
        X = X[:, :4]
    else:
        X = X[:0]
    assert one_hot_fields(csr(X)) is None


def test_sampling_uses_the_fields_that_are_found():
    X, rng = one_hot(), np.random.default_rng(1)
    y = X @ rng.normal(size=X.shape[1]) + rng.normal(size=200)
    given = {"rank": 2, "epochs": 8, "solver": fm.Gibbs()}
    fields = np.repeat(range(4), SIZES)
    found, told, one = (
        fm.train(X, y, fields=which, **given).predict(X)
        for which in (None, fields, np.zeros(X.shape[1], int))
    )
    np.testing.assert_array_equal(found, told)
    assert not np.array_equal(found, one)


def test_small_fields_of_a_matrix_share_a_group():
    fields = np.array([0, 0, 0, 1, 2, 2, 3, 3, 3, 4], np.int32)
    X = csr(np.eye(10)[:, :])
    groups, count = prior_groups(fields, [X])
    assert count == 3
    np.testing.assert_array_equal(groups, [1, 1, 1, 0, 0, 0, 2, 2, 2, 0])


def test_groups_do_not_reach_over_matrices():
    fields = np.array([0, 1, 2, 3], np.int32)
    first, second = csr(np.eye(4)[:2]), csr(np.eye(4)[2:])
    groups, count = prior_groups(fields, [first, second])
    assert count == 2
    np.testing.assert_array_equal(groups, [0, 0, 1, 1])


def test_numbers_without_interactions_get_no_factors():
    """Ten numbers, each a field of its own, whose truth is linear: the factors must vanish."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 10))
    y = X @ rng.normal(size=10) + rng.normal(size=600)
    train, test = slice(300), slice(300, None)
    errors = {}
    for rank in (0, 16):
        model = fm.FMRegressor(solver=fm.Gibbs(), rank=rank).fit(X[train], y[train])
        errors[rank] = np.sqrt(np.mean((model.predict(X[test]) - y[test]) ** 2))
    assert errors[16] < 1.03 * errors[0]
