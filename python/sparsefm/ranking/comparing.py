"""Training on comparisons: of the item that a user chose with items that the user did not."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from sparsefm import _core
from sparsefm.errors import DivergenceError
from sparsefm.history import Epoch
from sparsefm.interrupts import WorkSplitter
from sparsefm.optimizers import Optimizer
from sparsefm.ranking.alias import alias_table
from sparsefm.training.parameters import State
from sparsefm.training.random import stream

Array = npt.NDArray[Any]
AfterEpoch = Callable[[State, Epoch], bool]  # returns whether to stop


def go_on(state: State, epoch: Epoch) -> bool:
    """Return False."""
    return False


@dataclass(frozen=True, eq=False)
class Positives:
    """What users chose.

    Attributes
    ----------
    contexts, items : csr_matrix of shapes (n_contexts, d) and (n_items, d)
        The features of contexts and items; no feature is of both.
    context, user, item : ndarray of int32, shape (n,)
        In which context a user chose an item.
    weights : ndarray of shape (n,) or None
        Positive; None: all one.
    ranges : tuple of two ndarrays of int64, shape (n,), or None
        The first and last, exclusive, of the items that each can be compared with; None: all.
    known : csr_matrix of shape (n_users, n_items)
        The pairs that are no negatives: its entries.
    """

    contexts: sp.csr_matrix
    items: sp.csr_matrix
    context: Array
    user: Array
    item: Array
    weights: Array | None
    ranges: tuple[Array, Array] | None
    known: sp.csr_matrix

    def __len__(self) -> int:
        return len(self.item)


@dataclass(frozen=True)
class Comparing:
    """How positives are compared.

    Attributes
    ----------
    loss : {"bpr", "softmax", "warp"}
    optimizer : Optimizer
    rank : int
    init_scale : float
        Standard deviation of the initial factors.
    batch_size : int
    n_negatives : int
        Of each positive; 0: all. With "warp": the most that are tried.
    power : float
        Negatives are drawn in proportion to this power of how often they are positive.
    seed : int
    threads : int
    """

    loss: str
    optimizer: Optimizer
    rank: int
    init_scale: float
    batch_size: int
    n_negatives: int
    power: float
    seed: int
    threads: int

    def candidates(self) -> list[Comparing]:
        """Return those that a validation chooses from: one."""
        return [self]

    def train(
        self, data: Positives, epochs: int, dtype: npt.DTypeLike, after_epoch: AfterEpoch = go_on
    ) -> State:
        """Return the parameters after some epochs, or after `after_epoch` returned True."""
        n_features = data.items.shape[1]
        state = State.begin(n_features, self.rank, self.optimizer, dtype)
        every = np.arange(n_features)
        state.draw_factors(self.seed, 0, "normal", self.init_scale, every)
        core = self._core_of(data, state)
        work, begun, n = WorkSplitter(), time.perf_counter(), len(data)
        steps = -(-n // min(self.batch_size, n))
        weights = None if data.weights is None else _in_unit(data.weights, state.bias.dtype)
        total_weight = n if weights is None else float(np.sum(weights, dtype=float))
        for epoch in range(epochs):
            order = stream(self.seed, "batches", epoch).permutation(n)
            total, rate = 0.0, self.optimizer.learning_rate
            for begin, end in work.calls(steps):
                total = core.run(order, epoch, begin, end, epoch * steps, rate, total)
            loss = total / total_weight
            if not (math.isfinite(loss) and state.is_finite()):
                raise DivergenceError(
                    f"the loss is not finite in epoch {epoch + 1}: the learning rate of "
                    f"{rate:g} is too large, or init_scale, weights or values of features are"
                )
            record = Epoch(epoch + 1, epochs, loss, seconds=time.perf_counter() - begun)
            if after_epoch(state, record):
                break
        return state

    def _core_of(self, data: Positives, state: State) -> _core.Ranker:
        """Return what makes the steps."""
        dtype, n_items = state.bias.dtype, data.items.shape[0]
        weights = None if data.weights is None else _in_unit(data.weights, dtype)
        n_negatives = min(self.n_negatives, n_items)
        if n_negatives == n_items and self.loss != "warp":
            n_negatives = 0  # all, rather than as many that repeat
        ranges = (None, None) if data.ranges is None else data.ranges
        table: tuple[Any, Any, Any] = (None, None, None)
        if self.power != 0:
            counts = np.bincount(data.item, data.weights, n_items)
            table = alias_table((counts / counts.max()) ** self.power)
        known = data.known.indptr.astype(np.int64), data.known.indices.astype(np.int32)
        return _core.Ranker(
            self.loss,
            _core.described(self.optimizer),
            state.bias,
            state.scalars,
            state.factors,
            _with_values(data.contexts, dtype, "contexts"),
            _with_values(data.items, dtype, "items"),
            (data.context, data.user, data.item, weights, *ranges),
            known,
            table,
            self.seed,
            n_negatives,
            min(self.batch_size, len(data)),
            self.threads,
        )


def _in_unit(weights: Array, dtype: np.dtype[Any]) -> Array:
    """Return weights in a unit in which neither they nor their sum overflow; shares stay."""
    scaled = np.ldexp(weights, -int(np.frexp(weights.max())[1]))
    within: Array = np.maximum(scaled, np.finfo(dtype).tiny).astype(dtype)
    return within


def _with_values(X: sp.csr_matrix, dtype: np.dtype[Any], name: str) -> _core.Csr:
    """Return features for the core, which needs values here even if all are one."""
    return _core.Csr(
        X.indptr, X.indices.astype(np.int32, copy=False), X.data.astype(dtype), X.shape[1], name
    )
