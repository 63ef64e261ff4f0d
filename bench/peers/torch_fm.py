"""PyTorch: FM on one embedding table with SparseAdam, written for speed.

Every batch is prepared in advance: the features that it has, each once, and where its entries are
among them. The forward pass gathers those rows of the table once and sums them by one
`embedding_bag`; the gradient comes out coalesced, so that SparseAdam has nothing to sort. Column 0
is w, the others V. As in sparsefm the rows are shuffled once, and the order of the batches in each
epoch.
"""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from bench.data import Data
from bench.peers.losses import base_score, log_loss

NAME, DISTRIBUTION = "PyTorch", "torch"
NOTE = "FM by embedding_bag, SparseAdam; batches prepared outside of the time"
THREADED = True
MAX_ROWS = None
GRID = [
    {"batch": 1024, "learning_rate": rate, "epsilon": epsilon}
    for rate in (0.003, 0.01)
    for epsilon in (3e-5, 1e-4, 1e-3)
]


class Machine:
    """The parameters and the forward pass."""

    def __init__(self, features: int, rank: int, bias: float) -> None:
        import torch

        random = torch.Generator().manual_seed(0)
        self.table = torch.empty(features, rank + 1).normal_(0, 0.05, generator=random)
        self.table[:, 0] = 0
        self.bias = torch.tensor(bias, requires_grad=True)

    def scores(self, rows, places, offsets):
        """Return the scores of a batch from the distinct rows of the table that it has."""
        import torch
        from torch.nn.functional import embedding_bag

        squares = rows[:, 1:].square().sum(1, keepdim=True)
        sums = embedding_bag(places, torch.cat([rows, squares], 1), offsets, mode="sum")
        linear, factors, squares = sums[:, 0], sums[:, 1:-1], sums[:, -1]
        return self.bias + linear + (factors.square().sum(1) - squares) / 2


def epochs(
    data: Data, rank: int, epochs: int, threads: int, settings: dict[str, Any]
) -> Iterator[tuple[float, float]]:
    """Train with SparseAdam for the table and Adam for the bias."""
    import torch

    torch.set_num_threads(threads)
    random = np.random.default_rng(0)
    order = random.permutation(len(data.y))
    training = _batches(data.X[order], data.y[order], settings["batch"])
    validation = _batches(data.X_val, data.y_val, 4096)
    model = Machine(data.X.shape[1], rank, base_score(data.y))
    rates = {"lr": settings["learning_rate"], "eps": settings["epsilon"]}
    optimizers = [torch.optim.SparseAdam([model.table], **rates)]
    optimizers.append(torch.optim.Adam([model.bias], **rates))
    seconds = 0.0
    for _ in range(epochs):
        order = random.permutation(len(training))
        started = time.perf_counter()
        for batch in order:
            _step(model, optimizers, *training[batch])
        seconds += time.perf_counter() - started
        with torch.inference_mode():
            scores = [
                model.scores(model.table[features], places, offsets)
                for features, places, offsets, _ in validation
            ]
        yield seconds, log_loss(data.y_val, torch.cat(scores).numpy())


def _step(model: Machine, optimizers: list, features, places, offsets, y) -> None:
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits

    rows = model.table.index_select(0, features).requires_grad_()
    loss = binary_cross_entropy_with_logits(model.scores(rows, places, offsets), y)
    model.bias.grad = None
    loss.backward()
    model.table.grad = torch.sparse_coo_tensor(
        features[None], rows.grad, model.table.shape, is_coalesced=True, check_invariants=False
    )
    for optimizer in optimizers:
        optimizer.step()


def _batches(X: csr_matrix, y: np.ndarray, size: int) -> list[tuple]:
    """Return (distinct features, places of the entries among them, offsets, labels) of each."""
    import torch

    batches = []
    for begin in range(0, len(y), size):
        part = X[begin : begin + size]
        features, places = np.unique(part.indices, return_inverse=True)
        arrays = (features, places, part.indptr[:-1])
        batches.append(
            (*(torch.from_numpy(array.astype(np.int64)) for array in arrays),
             torch.from_numpy(y[begin : begin + size]))
        )  # fmt: skip
    return batches
