"""The number of epochs, chosen by how well interactions that were held out are ranked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from sparsefm.ranking.comparing import Positives
from sparsefm.retrieval.index import ItemIndex

Array = npt.NDArray[Any]

MOST_USERS = 5000  # with more, the metric hardly gains
TOP = 10


@dataclass(eq=False)
class Validation:
    """Follows how well held-out interactions are ranked, over the epochs.

    Attributes
    ----------
    data : Positives
        Those to train on.
    contexts : csr_matrix of shape (n, d)
    user, item : ndarray of int32, shape (n,)
        Those held out, one of each user.
    patience : int
        After so many epochs without a better one, the training stops.
    threads : int
    scores : list of float
        The NDCG after each epoch.
    """

    data: Positives
    contexts: sp.csr_matrix
    user: Array
    item: Array
    patience: int
    threads: int
    scores: list[float] = field(default_factory=list)

    @classmethod
    def hold_out(
        cls, data: Positives, times: Any, random: np.random.Generator, patience: int, threads: int
    ) -> Validation:
        """Hold out the last interaction of some users, or one at random if there are no times.

        Users of a single interaction keep it, and so do those who had the item more than once.
        """
        order = random.permutation(len(data))
        if times is not None:
            order = order[np.argsort(times[order], kind="stable")]
        n_users, n_items = data.known.shape
        last = np.full(n_users, -1)
        np.maximum.at(last, data.user[order], np.arange(len(data)))
        rows = order[last[last >= 0]]
        pairs = data.user.astype(np.int64) * n_items + data.item
        ascending = np.sort(pairs)
        ends = [np.searchsorted(ascending, pairs[rows], side) for side in ("left", "right")]
        several = np.bincount(data.user, minlength=n_users)[data.user[rows]] > 1
        rows = np.sort(random.permutation(rows[several & (ends[1] - ends[0] == 1)])[:MOST_USERS])
        kept = np.setdiff1d(np.arange(len(data)), rows, assume_unique=True)
        parts: dict[str, Any] = {
            name: None if array is None else array[kept]
            for name, array in vars(data).items()
            if name in ("context", "user", "item", "weights")
        }
        known = sp.csr_matrix(
            (np.ones(len(kept), bool), (parts["user"], parts["item"])), data.known.shape
        )
        known.sum_duplicates()
        used, parts["context"] = _used(parts["context"], data.contexts.shape[0])
        parts["contexts"] = data.contexts[used]  # others would be pairs without positives
        held = data.contexts[data.context[rows]], data.user[rows], data.item[rows]
        return cls(replace(data, **parts, known=known), *held, patience, threads)

    @property
    def best(self) -> int:
        """The number of the best epoch, from 1."""
        return int(np.argmax(self.scores)) + 1

    def after_epoch(self, w: Array, V: Array) -> bool:
        """Score the parameters; return whether to stop."""
        self.scores.append(self.ndcg(w, V))
        return len(self.scores) - self.best >= self.patience

    def ndcg(self, w: Array, V: Array) -> float:
        """Return the mean NDCG of the first ten, among all items that the user had not yet."""
        items, norms = self.data.items, np.sum(np.square(V, dtype=np.float64), axis=1)
        Q = items @ V
        pairs = np.sum(np.square(Q, dtype=np.float64), axis=1) - items.multiply(items) @ norms
        index = ItemIndex(len(Q), V.shape[1], V.dtype, [(Q, items @ w + pairs / 2)])
        queries = self.contexts @ V
        seen = self.data.known[self.user]
        found, _ = index.search(queries, min(TOP, len(Q)), seen, self.threads)
        _, places = np.nonzero(found == self.item[:, None])
        return float(np.sum(1 / np.log2(places + 2)) / len(self.item))


def _used(numbers: Array, n: int) -> tuple[Array, Array]:
    """Return which of n numbers there are, and what they become without the others."""
    used = np.flatnonzero(np.bincount(numbers, minlength=n))
    renumbered = np.zeros(n, np.int32)
    renumbered[used] = np.arange(len(used))
    return used, renumbered[numbers]
