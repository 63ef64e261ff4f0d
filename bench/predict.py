"""Prediction: rows a second in one call, and the latency of calls with a single row."""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from scipy.sparse import csr_matrix

import sparsefm as fm
from bench import data as sets
from bench.data import Data, load
from bench.machine import cores, thread_counts
from bench.peers import installed
from bench.table import ratio, show
from bench.throughput import OURS, REPEATS
from bench.worker import alternate, call, medians

RANK = 16
SECONDS, QUICK_SECONDS = 1.0, 0.1  # of calls, to take the median of
SINGLE_ROWS = 1000  # different ones, in turn


def predict(folder: str, name: str, quick: bool) -> None:
    """Measure sparsefm and the peers that predict from CSR, and print."""
    sides = [side for side in PREDICTORS if side in installed()]
    calls = {
        (side, threads): partial(
            call,
            measure,
            threads=threads,
            side=side,
            folder=folder,
            seconds=QUICK_SECONDS if quick else SECONDS,
        )
        for threads in thread_counts()
        for side in sides
    }
    found = alternate(calls, 1 if quick else REPEATS)
    found = {key: medians(results) for key, results in found.items()}
    rows = []
    for (side, threads), result in found.items():
        ours = found[OURS, threads]
        batch, single = result["batch"], result["single"]
        rows.append(
            [threads, side, result["rows"] / batch / 1e6,
             result["bytes"] / batch / 1e9 if side == OURS else None,
             ratio(batch / ours["batch"]), single * 1e6, ratio(single / ours["single"]),
             result["at once"]]
        )  # fmt: skip
    header = ["threads", "side", "batch Mrows/s", "GB/s", "sparsefm / side", "one row, us"]
    header += ["side / sparsefm", f"calls/s from {cores()} threads at once"]
    show(f"Prediction, {sets.title(name, quick)}, rank {RANK}", header, rows)


def measure(threads: int, side: str, folder: str, seconds: float) -> dict[str, float]:
    """Return the median seconds of a call with all rows and of one with a single row."""
    data = load(folder)
    function = PREDICTORS[side](data.head(10_000), threads)
    singles = [data.X[row] for row in range(min(SINGLE_ROWS, len(data.y)))]
    return {
        "rows": float(len(data.y)),
        "bytes": float(data.X.nnz * 4 * (1 + 1 + RANK)),  # the column, w and V
        "batch": median_call(function, [data.X], seconds),
        "single": median_call(function, singles, seconds),
        "at once": calls_at_once(function, singles, seconds),
    }


def median_call(function, matrices: list[csr_matrix], seconds: float) -> float:
    """Return the median time of a call, the first one left out, over that many seconds."""
    function(matrices[0])
    times: list[float] = []
    while sum(times) < seconds or len(times) < 3:
        matrix = matrices[len(times) % len(matrices)]
        started = time.perf_counter()
        function(matrix)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def calls_at_once(function, singles: list[csr_matrix], seconds: float) -> float:
    """Return the calls a second, of one row each, that as many threads as cores get through."""

    def work(_: int) -> int:
        calls = 0
        while time.perf_counter() < deadline:
            function(singles[calls % len(singles)])
            calls += 1
        return calls

    deadline = time.perf_counter() + seconds
    with ThreadPoolExecutor(cores()) as pool:
        return sum(pool.map(work, range(cores()))) / seconds


def _ours(data: Data, threads: int):
    random = np.random.default_rng(0)
    features = data.X.shape[1]
    V = random.normal(0, 0.05, (features, RANK)).astype(np.float32)
    w = random.normal(0, 0.05, features).astype(np.float32)
    model = fm.Model(0.0, w, V, task="binary", loss="logistic")
    return lambda X: fm.predict(X, model, n_threads=threads)


def _modern_fm(data: Data, threads: int):
    from modern_fm import FMClassifier

    model = FMClassifier(n_factors=RANK, max_iter=1, batch_size=4096).fit(data.X, data.y)
    return lambda X: model.predict_proba(X)


def _torch(data: Data, threads: int):
    import torch
    from torch.nn.functional import embedding_bag

    torch.set_num_threads(threads)
    table = torch.empty(data.X.shape[1], 1 + RANK).normal_(0, 0.05)
    table = torch.cat([table, table[:, 1:].square().sum(1, keepdim=True)], 1)  # w, V, |v|^2

    @torch.inference_mode()
    def function(X: csr_matrix) -> np.ndarray:
        columns, offsets = torch.from_numpy(X.indices), torch.from_numpy(X.indptr[:-1])
        sums = embedding_bag(columns, table, offsets, mode="sum")
        scores = sums[:, 0] + (sums[:, 1:-1].square().sum(1) - sums[:, -1]) / 2
        return scores.sigmoid().numpy()

    return function


def _sgd(data: Data, threads: int):
    from sklearn.linear_model import SGDClassifier

    model = SGDClassifier(loss="log_loss", max_iter=1, tol=None).fit(data.X, data.y)
    return lambda X: model.predict_proba(X)


PREDICTORS = {OURS: _ours, "modern-fm": _modern_fm, "PyTorch": _torch, "SGDClassifier": _sgd}
