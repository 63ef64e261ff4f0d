"""`updates="exact"` is dense Adam, for features that are absent for thousands of steps too."""

from functools import cache

import numpy as np
import pytest
from dense import dense_adam
from reference import train

import sparsefm as fm
from sparsefm.training.random import stream

BETAS = [
    (0.9, 0.999),
    (0.9, 0.99),
    (0, 0.999),
    (0.5, 0.9),
    (0.9, 0.9),
    # From here on the momentum of an absent feature decays more slowly than the root of v.
    (0.9, 0.8),
    (0.95, 0.9),
    (0.99, 0.9),
]
# Without an epsilon, dense Adam itself diverges with the last pair.
SETTINGS = [
    (*betas, epsilon)
    for betas in BETAS
    for epsilon in (1e-8, 1e-3, 1e-1)
    if betas != (0.99, 0.9) or epsilon > 1e-8
]
ROWS, FEATURES, RANK, EPOCHS = 2000, 60, 2, 2
TOLERANCE = 1e-11


@cache
def zipf():
    """Draw rows of a few features: the first half by Zipf's law, the others in one row each."""
    rng = np.random.default_rng(0)
    often = FEATURES // 2
    chances = 1 / np.arange(1, often + 1) ** 1.3
    X = np.zeros((ROWS, FEATURES))
    for row in X:
        # Two at least: rounding in gradients that should be zero would be what Adam follows.
        found = rng.choice(often, 3, p=chances / chances.sum(), replace=False)
        row[found] = rng.normal(size=3)
    X[rng.integers(0, ROWS, FEATURES - often), np.arange(often, FEATURES)] = 1
    # Only in the epoch's last steps, in consecutive ones, in the first.
    X[:, -4:] = 0
    X[-1, -1] = X[-2:, -2] = X[1000:1004, -3] = X[0, -4] = 1
    assert np.count_nonzero((X != 0).sum(0) == 1) >= 20
    init = (0.1, 0.1 * rng.normal(size=FEATURES), 0.3 * rng.normal(size=(FEATURES, RANK)))
    return X, (rng.random(ROWS) < 0.4) * 1.0, init


def distance(a, b):
    """Return the largest difference between two triples (w0, w, V)."""
    return max(float(np.abs(np.subtract(p, q)).max()) for p, q in zip(a, b, strict=True))


def dense(batches=None, epochs=EPOCHS, **adam):
    """Train the reference, by default row by row."""
    X, y, init = zipf()
    batches = [np.array([row]) for row in range(ROWS)] * epochs if batches is None else batches
    return train(X, y, init=init, loss="logistic", batches=batches, **adam)[:3]


def sparse(updates="exact", dtype="float64", **options):
    """Train the library, by default row by row."""
    X, y, init = zipf()
    names = set(fm.Adam.__dataclass_fields__) & set(options)
    adam = {name: options.pop(name) for name in names}
    options = {"shuffle": False, "batch_size": 1, "epochs": EPOCHS, "init": init, **options}
    adam = {"epsilon": 1e-8, "l2_linear": 0.0, "l2_factors": 0.0} | adam
    solver = fm.Adam(updates=updates, **adam)
    model = fm.train(X, y, task="binary", solver=solver, dtype=dtype, **options)
    return model.w0, model.w, model.V


@pytest.mark.parametrize(("beta1", "beta2", "epsilon"), SETTINGS)
def test_exact_is_dense(beta1, beta2, epsilon):
    adam = {"beta1": beta1, "beta2": beta2, "epsilon": epsilon, "learning_rate": 0.003}
    expected = dense(**adam)
    assert distance(sparse(**adam), expected) < TOLERANCE
    assert distance(sparse("lazy", **adam), expected) > 0.01


def test_without_any_memory():
    adam = {"beta1": 0, "beta2": 0, "epsilon": 1e-3, "learning_rate": 0.003}
    assert distance(sparse(**adam), dense(**adam)) < TOLERANCE


@pytest.mark.parametrize("epochs", [1, 3])
@pytest.mark.parametrize("size", [7, 100])
def test_batches_penalties_and_epochs(size, epochs):
    adam = {"learning_rate": 0.01, "l2_linear": 0.1, "l2_factors": 0.3}
    batches = [np.arange(b, min(b + size, ROWS)) for b in range(0, ROWS, size)] * epochs
    expected = dense(batches, **adam)
    assert distance(sparse(batch_size=size, epochs=epochs, **adam), expected) < TOLERANCE


@pytest.mark.parametrize(("beta1", "beta2"), [(0.9, 0.999), (0.95, 0.9)])
def test_batches_in_another_order_each_epoch(beta1, beta2):
    adam = {"beta1": beta1, "beta2": beta2, "learning_rate": 0.01}
    rows = stream(3, "rows", 0).permutation(ROWS)
    random = stream(3, "batches", 0)
    batches = [rows[b : b + 7] for b in range(0, ROWS, 7)]
    order = [batch for _ in range(3) for batch in random.permutation(len(batches))]
    expected = dense([batches[batch] for batch in order], **adam)
    found = sparse(shuffle=True, seed=3, batch_size=7, epochs=3, **adam)
    assert distance(found, expected) < TOLERANCE


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_stopping_after_any_epoch_leaves_dense_parameters(dtype):
    """At the end of an epoch nothing may be owed to features that were last seen long before."""
    expected = dense(epochs=1, learning_rate=0.01)
    found = sparse(dtype=dtype, callbacks=[lambda epoch: True], learning_rate=0.01, epochs=9)
    assert distance(found, expected) < (TOLERANCE if dtype == "float64" else 1e-4)


@pytest.mark.parametrize(
    ("beta1", "beta2", "epsilon"), [s for s in SETTINGS if s[2] == 1e-8 or s[0] == 0.9 < s[1]]
)
def test_float32_is_as_good_as_dense_float32(beta1, beta2, epsilon):
    adam = {"beta1": beta1, "beta2": beta2, "epsilon": epsilon, "learning_rate": 0.001}
    truth = dense(epochs=1, **adam)
    rounding = distance(dense_adam(*zipf(), 1, np.float32, **adam), truth)
    assert rounding > 1e-8
    assert distance(sparse(dtype="float32", epochs=1, **adam), truth) < 2 * rounding + 1e-7
