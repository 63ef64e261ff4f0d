"""Splits divide the rows that take part, at random, and keep classes as frequent."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from sparsefm.data.csr import as_csr
from sparsefm.data.dataset import Dataset
from sparsefm.tuning.splits import Split, folds, rest_of, split


def whole(n_rows):
    """Return rows that hold their number, from one on; one of them may have no weight."""
    y = (np.arange(n_rows) % 5 == 0) * 1.0
    weights = np.ones(n_rows) if n_rows == 2 else (np.arange(n_rows) != 3) * 1.0
    X = as_csr(sparse.csr_matrix(np.arange(1.0, n_rows + 1)[:, None]), np.float64)
    return Dataset.of(X, y, (y,), weights)


@pytest.mark.parametrize("stratify", [False, True])
@pytest.mark.parametrize("n_rows", [2, 10, 101])
def test_folds_and_splits(n_rows, stratify):
    rng = np.random.default_rng(0)
    data = whole(n_rows)
    y, n = data.y, len(data.rows)
    parts = folds(data, 5, rng, stratify=stratify)
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(n))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    if stratify and n_rows > 10:
        assert {y[data.rows[part]].sum() for part in parts} <= {4, 5}
    for fraction in (0.01, 0.3, 0.99):
        train, held_out = split(data, fraction, rng, stratify=stratify).parts(data)
        assert len(held_out.rows) == held_out.X.n_rows == np.clip(round(fraction * n), 1, n - 1)
        taken = held_out.X.values.astype(int) - 1  # the value in a row is its number
        assert np.array_equal(np.sort(np.concatenate([train.rows, taken])), data.rows)
        assert np.array_equal(held_out.y, y[taken])
        assert np.array_equal(held_out.weights, data.weights[taken])
        assert (np.diff(train.rows) > 0).all()


def test_the_rest_of_the_parts():
    parts = folds(whole(101), 5, np.random.default_rng(0), stratify=False)
    for number in range(5):
        both = np.concatenate([rest_of(parts, number), parts[number]])
        assert np.array_equal(np.sort(both), np.arange(100))


def test_a_split_is_the_same_rows_in_each_encoding():
    data, other = whole(50), whole(50)
    other = replace(other, X=as_csr(sparse.csr_matrix(np.eye(50)), np.float64))
    chosen = split(data, 0.3, np.random.default_rng(0), stratify=False)
    one, two = chosen.parts(data), chosen.parts(other)
    for a, b in zip(one, two, strict=True):
        assert np.array_equal(a.rows, b.rows)
        assert np.array_equal(a.y, b.y)


def test_without_places_all_rows_train_and_others_validate():
    data, validation = whole(20), whole(7)
    assert Split().parts(data) == (data, None)
    found = Split().fold(data, validation)
    assert found.training is data
    assert found.validation is validation


# --- fewer rows -----------------------------------------------------------------------------------


def test_a_smaller_split_has_fewer_training_rows_and_the_same_validation_rows():
    places = np.random.default_rng(0).permutation(100)
    large = Split(places[:80], places[80:])
    small = large.smaller(100, 20)
    assert len(small.training) == len(set(small.training.tolist())) == 20
    assert set(small.training.tolist()) < set(places[:80].tolist())
    assert small.validation is large.validation
    assert large.smaller(100, 80) is large
    assert large.smaller(100, 1000) is large


def test_the_fewer_rows_are_spread_over_all():
    small = Split().smaller(1000, 11)
    gaps = np.diff(small.training)
    assert (small.training[0], small.training[-1]) == (0, 999)
    assert gaps.max() - gaps.min() <= 1
    assert Split().smaller(11, 11).training is None


# --- features that no training row has ------------------------------------------------------------


def one_hot(columns, n_features, fields=None):
    """Return rows that have one feature each, of value 2, 3, ..."""
    columns = np.asarray(columns)
    values = np.arange(2.0, 2 + len(columns))
    X = sparse.csr_matrix(
        (values, columns, np.arange(len(columns) + 1)), (len(columns), n_features)
    )
    y = np.arange(len(columns), dtype=np.float64)
    data = Dataset.of(as_csr(X, np.float64), y, (y,))
    return replace(data, fields=None if fields is None else np.asarray(fields, np.int32))


def dense(data):
    X = data.X
    return sparse.csr_matrix((X.values, X.indices, X.indptr), (X.n_rows, X.n_features)).toarray()


def test_features_that_no_training_row_has_are_left_out():
    fields = [0] * 10 + [1] * 10 + [2] * 10
    data = one_hot([3, 25, 3, 7, 12], 30, fields)
    validation = one_hot([25, 4, 7, 13, 3], 30, fields)
    found = Split().fold(data, validation)
    assert found.training.X.n_features == found.validation.X.n_features == 4
    used = [3, 7, 12, 25]
    assert np.array_equal(dense(found.training), dense(data)[:, used])
    assert np.array_equal(dense(found.validation), dense(validation)[:, used])
    assert found.validation.X.n_rows == 5  # also those that have no feature left
    assert found.training.fields.tolist() == found.validation.fields.tolist() == [0, 0, 1, 2]
    assert found.training.y is data.y


def test_rows_that_do_not_take_part_use_no_feature():
    data = one_hot([3, 25, 3, 7], 30)
    found = Split(np.array([0, 2, 3]), np.array([1])).fold(data, None)
    assert found.training.X.n_features == 2
    assert found.validation.X.n_rows == 1
    assert not dense(found.validation).any()
    assert found.training.fields is None


@pytest.mark.parametrize(("n_features", "kept"), [(4, 4), (5, 5), (6, 3), (7, 3)])
def test_features_stay_where_more_than_half_of_them_are_used(n_features, kept):
    data = one_hot([0, 1, 2], n_features)
    assert Split().fold(data, data).training.X.n_features == kept


def test_a_fold_keeps_the_numbers_of_fields():
    """Features that no training row has are left out, unless a field would go with them."""
    data = whole(50)
    X = as_csr(sparse.csr_matrix(np.eye(50)), np.float64)
    training = Split(np.arange(10), np.arange(10, 20))
    used = training.parts(data)[0].rows  # each row has a feature of its own
    for fields, kept in (
        (np.arange(50) % 3, used),
        (np.repeat([0, 1], [20, 30]), np.arange(50)),  # of field 1 there are none
    ):
        fold = training.fold(replace(data, X=X, fields=fields.astype(np.int32)), None)
        assert fold.training.X.n_features == fold.validation.X.n_features == len(kept)
        np.testing.assert_array_equal(fold.training.fields, fields[kept])
