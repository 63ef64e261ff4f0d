"""The engine where it is large: features in every row, 100,000 of them, 2^31 non-zeros."""

import ctypes
import mmap
import sys

import numpy as np
import pytest
from dense import dense_adam
from reference import train
from scipy import sparse

import sparsefm as fm
from sparsefm import _core
from sparsefm.losses import Squared

# --- features that more rows have than one piece holds --------------------------------------------


def crowded(rows=1500):
    """Draw rows of which all have feature 0, most feature 1, some each of the others."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, 8)) * (rng.random((rows, 8)) < np.geomspace(1, 0.1, 8))
    X[:, 0] = rng.uniform(0.5, 1, rows)
    init = (0.1, 0.1 * rng.normal(size=8), 0.3 * rng.normal(size=(8, 5)))
    return X, rng.normal(size=rows), rng.uniform(0.5, 2, rows), init


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("updates", ["lazy", "exact"])
def test_features_of_every_row(updates, weighted):
    X, y, r, init = crowded()
    weights = r if weighted else None
    settings = {"learning_rate": 0.01, "epsilon": 1e-8, "l2_linear": 0.01, "l2_factors": 0.02}
    batches = [np.arange(0, 1000), np.arange(1000, 1500)] * 4
    expected = train(
        X, y, init=init, loss="squared", batches=batches, weights=weights, updates=updates,
        **settings,
    )  # fmt: skip
    for n_threads in (1, 3):
        model = fm.train(
            X, y, init=init, solver=fm.Adam(updates=updates, **settings), sample_weight=weights,
            shuffle=False, batch_size=1000, epochs=4, dtype="float64", n_threads=n_threads,
        )  # fmt: skip
        for found, wanted in zip((model.w0, model.w, model.V), expected, strict=False):
            np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-11)


# --- dense Adam on 100,000 features ---------------------------------------------------------------

STEPS, ROWS_A_STEP, FEATURES, RANK = 2000, 16, 100_000, 2


def zipf():
    """Draw rows of ten ones whose features follow Zipf's law."""
    rng = np.random.default_rng(1)
    rows = STEPS * ROWS_A_STEP
    chances = 1 / np.arange(1, FEATURES + 1)
    columns = rng.choice(FEATURES, (rows, 10), p=chances / chances.sum())
    offsets = np.arange(0, columns.size + 1, 10)
    X = sparse.csr_matrix((np.ones(columns.size), columns.ravel(), offsets), (rows, FEATURES))
    X.sum_duplicates()
    X.data[:] = 1
    init = (0.0, np.zeros(FEATURES), 0.1 * rng.normal(size=(FEATURES, RANK)))
    return X, (rng.random(rows) < 0.5) * 1.0, init


@pytest.mark.slow  # thousands of dense steps; tests of the optimizer take fewer
@pytest.mark.parametrize("epsilon", [1e-8, 1e-3])
def test_exact_updates_of_100_000_features(epsilon):
    X, y, init = zipf()
    adam = {"learning_rate": 0.002, "beta1": 0.9, "beta2": 0.999, "epsilon": epsilon}
    truth = dense_adam(X, y, init, ROWS_A_STEP, np.float64, **adam)
    largest = max(np.abs(p).max() for p in truth)

    def error(parameters):
        return max(np.abs(p - q).max() for p, q in zip(parameters, truth, strict=True))

    found = {}
    for dtype, updates in (("float64", "exact"), ("float32", "exact"), ("float64", "lazy")):
        model = fm.train(
            X, y, task="binary", init=init, shuffle=False, batch_size=ROWS_A_STEP, epochs=1,
            solver=fm.Adam(updates=updates, l2_linear=0, l2_factors=0, **adam), dtype=dtype,
        )  # fmt: skip
        found[dtype, updates] = error((model.w0, model.w, model.V))
    assert found["float64", "exact"] < 1e-10
    rounding = error(dense_adam(X, y, init, ROWS_A_STEP, np.float32, **adam))
    assert found["float32", "exact"] < 2 * rounding
    if epsilon > 1e-8:  # with that, Adam follows the rounding of gradients: any float32 is far off
        assert found["float32", "exact"] < 1e-4 * largest
    else:
        assert rounding > 1e-3 * largest
    assert found["float64", "lazy"] > 0.01  # the difference that is at stake


# --- more than 2^31 non-zeros, in the memory of a few --------------------------------------------

PERIOD = 1 << 19  # columns of each row; their indices take 2 MiB


def repeated(pattern, times):
    """Return an array that shows `pattern` so many times over: the same pages of memory each."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    libc.memfd_create.argtypes = [ctypes.c_char_p, ctypes.c_uint]
    size = pattern.nbytes
    file = libc.memfd_create(b"pattern", 0)
    with open(file, "r+b") as pages:
        pages.write(pattern.tobytes())
        pages.flush()
        shared, fixed, nothing, no_reserve = mmap.MAP_SHARED, 0x10, mmap.MAP_PRIVATE | 0x20, 0x4000
        begin = libc.mmap(None, size * times, mmap.PROT_READ, nothing | no_reserve, -1, 0)
        for k in range(times):
            part = libc.mmap(begin + k * size, size, mmap.PROT_READ, shared | fixed, file, 0)
            assert part == begin + k * size, ctypes.get_errno()
    view = (ctypes.c_byte * (size * times)).from_address(begin)
    return np.frombuffer(view, pattern.dtype)  # stays mapped as long as the process lives


@pytest.mark.skipif(sys.platform != "linux", reason="maps memory as Linux does")
def test_more_than_2_to_31_nonzeros():
    rows = (1 << 31) // PERIOD + 2
    indices = repeated(np.arange(PERIOD, dtype=np.int32), rows)
    indptr = np.arange(0, rows * PERIOD + 1, PERIOD, dtype=np.int64)
    assert indptr[-2] > 1 << 31
    X = _core.Csr(indptr, indices, None, PERIOD, "X")
    assert (X.n_nonzeros, X.canonical, X.all_ones) == (rows * PERIOD, True, True)

    rng = np.random.default_rng(0)
    w, V = rng.normal(size=PERIOD), rng.normal(size=(PERIOD, 3))
    S = V.sum(0)
    scores = np.empty(2)
    _core.forward(scores, X, rows - 2, 0.5, w, V, 1)
    np.testing.assert_allclose(scores, 0.5 + w.sum() + (S @ S - (V**2).sum()) / 2, rtol=1e-9)

    last = np.array([rows - 1])
    assert np.array_equal(X.features_of(last), np.arange(PERIOD))
    bias, scalars = np.zeros(2), np.zeros((PERIOD, 3))
    factors = np.zeros((PERIOD, 2, 4))
    scalars[:, 2] = factors[:, 1] = bias[1] = 1
    solver = fm.AdaGrad(learning_rate=0.1, l2_linear=0, l2_factors=0)
    plan = _core.Plan(X, last, None, 1, np.dtype(np.float64))
    trainer = _core.Trainer(
        _core.described(Squared()), _core.described(solver), bias, scalars, factors, 1
    )
    first = np.zeros(1, np.int64)
    plan.transpose(first, 1)
    trainer.begin_segment(plan, np.ones(1), first, 0, 0.1)
    assert trainer.run(0, 1, 0.0) == 0.5
    np.testing.assert_allclose(scalars[:, 1], 0.1 / np.sqrt(2))
