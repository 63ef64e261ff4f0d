"""The figure of ``docs/exact_adam.md``: how far lazy and exact updates are from dense Adam.

Run as ``python -m bench.exact_figure FILE``. Rows of ten ones whose features follow Zipf's law;
batches of 16; dense Adam is run with the layers of `sparsefm.nn`, on every parameter in every step.
"""

import sys
import time

import matplotlib.pyplot as plt
import numpy as np
from scipy.sparse import csr_matrix

import sparsefm as fm

STEPS, BATCH, FEATURES, RANK = 1024, 16, 20_000, 4
ADAM = {"learning_rate": 0.002, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
SIDES = {
    "lazy, float64": ("lazy", "float64"),
    "exact, float32": ("exact", "float32"),
    "exact, float64": ("exact", "float64"),
}


def rows() -> tuple[csr_matrix, np.ndarray, tuple]:
    """Return X, y and parameters to start from."""
    random = np.random.default_rng(0)
    chances = 1 / np.arange(1, FEATURES + 1)
    columns = random.choice(FEATURES, (STEPS * BATCH, 10), p=chances / chances.sum())
    X = csr_matrix((np.ones(columns.size), columns.ravel(), np.arange(0, columns.size + 1, 10)))
    X.resize(STEPS * BATCH, FEATURES)
    X.sum_duplicates()
    V = 0.1 * random.normal(size=(FEATURES, RANK))
    return X, (random.random(STEPS * BATCH) < 0.5) * 1.0, (0.0, np.zeros(FEATURES), V)


def dense(X: csr_matrix, y: np.ndarray, init: tuple, wanted: list[int]) -> dict[int, list]:
    """Return dense Adam's parameters after the wanted steps."""
    parameters = [np.array(start, float, ndmin=1) for start in init]
    moments = [(np.zeros_like(p), np.zeros_like(p)) for p in parameters]
    found = {}
    for t in range(1, STEPS + 1):
        batch = slice((t - 1) * BATCH, t * BATCH)
        scores = fm.nn.forward(X[batch], *parameters)
        slopes = (1 / (1 + np.exp(-scores)) - y[batch]) / BATCH
        gradients = fm.nn.backward(X[batch], slopes, *parameters)
        for p, gradient, (m, v) in zip(parameters, gradients, moments, strict=True):
            fm.nn.adam_update(p, np.array(gradient, float, ndmin=1), m, v, t, *ADAM.values())
        if t in wanted:
            found[t] = [p.copy() for p in parameters]
    return found


def main() -> None:
    """Measure and draw."""
    X, y, init = rows()
    wanted = [2**power for power in range(2, int(np.log2(STEPS)) + 1)]
    started = time.perf_counter()
    truth = dense(X, y, init, wanted)
    dense_seconds = time.perf_counter() - started
    _, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for name, (updates, dtype) in SIDES.items():
        solver = fm.Adam(updates=updates, l2_linear=0, l2_factors=0, **ADAM)
        distances = []
        for steps in wanted:
            part = slice(steps * BATCH)
            started = time.perf_counter()
            model = fm.train(
                X[part], y[part], task="binary", init=init, epochs=1, batch_size=BATCH,
                shuffle=False, solver=solver, dtype=dtype,
            )  # fmt: skip
            seconds = time.perf_counter() - started
            found = zip((model.w0, model.w, model.V), truth[steps], strict=True)
            distances.append(max(np.abs(p - q).max() for p, q in found))
        axes.loglog(wanted, distances, "o-", label=f"{name}, {seconds:.2g} s")
    axes.set_xlabel("steps")
    axes.set_ylabel("distance from dense Adam")
    axes.set_title(
        f"{FEATURES:,} features, rank {RANK}; {STEPS:,} steps of dense Adam: {dense_seconds:.2g} s"
    )
    axes.grid(alpha=0.3)
    axes.legend()
    plt.savefig(sys.argv[1], dpi=120)


if __name__ == "__main__":
    main()
