"""One row at a time: the same bits as a matrix of it, the same refusals, in less time."""

from concurrent.futures import ThreadPoolExecutor
from timeit import repeat

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from served import FIELDS, MAKERS, rows, served

import sparsefm as fm
from sparsefm.losses.classification import sigmoid, sigmoid_of_one

MODELS = [name for name in MAKERS if not name.startswith(("regressor", "classifier"))]
D = len(FIELDS)
X, _ = rows(40, seed=1)
ROWS = [(np.flatnonzero(row), row[np.flatnonzero(row)]) for row in X]


def as_matrix(indices, values, dtype=np.float64):
    return sp.csr_matrix(
        (np.asarray(values, dtype), (np.zeros(len(indices), int), indices)), (1, D)
    )


@pytest.mark.parametrize("name", MODELS)
def test_the_same_bits(name):
    model = served(name)
    scorer = fm.Scorer(model)
    for indices, values in ROWS:
        row = as_matrix(indices, values)
        given = [
            (indices.tolist(), values.tolist()),
            (tuple(indices.tolist()), values),
            (indices, tuple(values.tolist())),
            (indices.astype(np.int32), values.astype(model.dtype)),
            (indices.astype(np.uint8), values.astype(">f8")),
            (indices[::-1], values[::-1]),
            (np.repeat(indices, 2)[::2], np.repeat(values, 2)[::2]),
        ]
        for each in given:
            assert np.array_equal(scorer.predict(*each), model.predict(row)[0])
            assert scorer.score(*each) == model.score(row)[0]
        ones = as_matrix(indices, np.ones(len(indices)))
        assert np.array_equal(scorer.predict(indices), model.predict(ones)[0])
        assert np.array_equal(scorer.predict(list(indices)), model.predict(ones)[0])
    assert type(scorer.score([0])) is float
    assert isinstance(scorer.predict([0]), np.ndarray if "ordered" in name else float)


numbers = st.one_of(st.floats(-1e3, 1e3), st.sampled_from([0.0, -0.0, 1.0, 1e-300, 1e-45]))


@pytest.mark.parametrize("name", ["model", "model of float64", "two classes", "field-weighted"])
def test_any_row(name):
    model = served(name)
    scorer = fm.Scorer(model)

    @settings(max_examples=100, deadline=None, database=None)
    @given(st.lists(st.tuples(st.integers(0, D - 1), numbers), max_size=12))
    def same(entries):
        indices, values = [i for i, _ in entries], [v for _, v in entries]
        ends = np.array([0, len(indices)])
        parts = np.array(values, float), np.array(indices, np.int32), ends
        row = sp.csr_matrix(parts, (1, D))
        assert scorer.score(indices, values) == model.score(row)[0]
        assert scorer.predict(indices, values) == model.predict(row)[0]

    same()


@pytest.mark.parametrize("name", ["model", "model of float64", "field-weighted"])
def test_rows_in_any_order_need_no_matrix(name, monkeypatch):
    model, rng = served(name), np.random.default_rng(0)
    scorer, given = fm.Scorer(model), []
    for _ in range(100):
        indices = rng.permutation(np.repeat(np.arange(D), 2))[: rng.integers(2 * D)].astype("i4")
        values = rng.normal(size=len(indices)) * (rng.random(len(indices)) < 0.9)
        given.append((indices.tolist(), values.tolist()))
        given.append((indices, values.astype(model.dtype)))
        given.append((indices.tolist(), [1.0] * len(indices)))
    expected = [model.predict(as_matrix(*row, model.dtype))[0] for row in given]
    monkeypatch.setattr(fm.Scorer, "_checked", None)
    assert [scorer.predict(*row) for row in given] == expected
    assert [scorer.predict(row) for row, _ in given[2::3]] == expected[2::3]


def test_features_that_occur_often():
    model, rng = served("model"), np.random.default_rng(0)
    scorer = fm.Scorer(model)
    for _ in range(100):
        indices, values = rng.integers(0, D, 60).tolist(), rng.normal(size=60).tolist()
        expected = model.predict(as_matrix(indices, values, model.dtype))[0]
        assert scorer.predict(indices, values) == expected


def test_rows_are_not_changed():
    indices, values = np.array([3, 1, 3], "i4"), np.array([1, 2, 3], "f4")
    fm.Scorer(served("model")).predict(indices, values)
    assert indices.tolist() == [3, 1, 3]
    assert values.tolist() == [1, 2, 3]


def test_the_sigmoid_of_one_number():
    rng = np.random.default_rng(0)
    for dtype in (np.float32, np.float64):
        scores = np.concatenate([rng.normal(0, 5, 5000), [0.0, -0.0, 1e3, -1e3]]).astype(dtype)
        found = [sigmoid_of_one(score) for score in scores]
        assert {one.dtype for one in found} == {np.dtype(dtype)}
        assert np.array(found).tobytes() == sigmoid(scores).tobytes()


def test_mapped_models(tmp_path):
    served("two classes").save(tmp_path / "file")
    scorer = fm.Scorer(fm.load(tmp_path / "file", mmap=True))
    assert scorer.predict(*ROWS[1]) == fm.Scorer(served("two classes")).predict(*ROWS[1])


def test_many_threads_at_once():
    scorer = fm.Scorer(served("two classes"))
    expected = [scorer.predict(*row) for row in ROWS]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(20):
            assert list(pool.map(lambda row: scorer.predict(*row), ROWS)) == expected


@pytest.mark.parametrize(
    ("indices", "values", "error", "message"),
    [
        ([12], [1.0], ValueError, "indices holds 12, but there are features 0 to 11"),
        ([-1], [1.0], ValueError, "indices holds -1"),
        ([2**40], [1.0], ValueError, "indices holds 1099511627776"),
        (np.array([2**32 + 1]), [1.0], ValueError, "indices holds 4294967297"),
        (np.array([2**64 - 1], np.uint64), [1.0], ValueError, "indices holds 18446744073709551615"),
        ([1.0], [1.0], TypeError, "indices must hold integers"),
        (["1"], [1.0], TypeError, "indices must hold integers"),
        ([[1]], [1.0], ValueError, "indices must be one-dimensional"),
        (3, [1.0], ValueError, "indices must be one-dimensional"),
        ([1, 2], [1.0], ValueError, "1 values, but 2 indices"),
        ([1], [1.0, 2.0], ValueError, "1 values|2 values, but 1 indices"),
        ([1], [np.nan], ValueError, "values holds nan at position 0"),
        ([1, 2], [1.0, -np.inf], ValueError, "values holds -inf at position 1"),
        ([1], [1e300], ValueError, "values holds 1e\\+300, too large for float32"),
        ([1], ["1.5"], TypeError, "values must hold real numbers"),
        ([1], [1j], TypeError, "values must hold real numbers"),
        ([1], [3e38], ValueError, "too large for float32"),
        ([1], [None], ValueError, "values holds nan"),
    ],
)
def test_what_is_refused(indices, values, error, message):
    scorer = fm.Scorer(served("model"))
    for method in (scorer.score, scorer.predict):
        with pytest.raises(error, match=message):
            method(indices, values)


def test_other_models():
    for wrong in (served("regressor"), "model", None):
        with pytest.raises(TypeError, match="model must be a Model"):
            fm.Scorer(wrong)


@pytest.mark.slow
def test_a_row_takes_a_fraction_of_the_time():
    rng = np.random.default_rng(0)
    model = fm.Model(0.1, rng.normal(size=1000), rng.normal(size=(1000, 16)))
    indices = np.sort(rng.choice(1000, 30, replace=False)).tolist()
    scorer, values = fm.Scorer(model), [1.0] * 30

    def by_matrix():
        return model.predict(sp.csr_matrix((values, indices, [0, 30]), (1, 1000)), n_threads=1)

    ours = min(repeat(lambda: scorer.predict(indices, values), number=500, repeat=20))
    matrix = min(repeat(by_matrix, number=500, repeat=20))
    assert ours < 0.4 * matrix
