"""Squared loss over all pairs of contexts and items, by block least squares."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from sparsefm import _core
from sparsefm.data.csr import as_csr, as_dtype
from sparsefm.data.validation import check_real
from sparsefm.errors import DivergenceError
from sparsefm.history import Epoch
from sparsefm.optimizers import AdaGrad, Optimizer
from sparsefm.ranking.comparing import AfterEpoch, Positives, go_on
from sparsefm.training.parameters import State

Array = npt.NDArray[Any]

CANDIDATES = (0.001, 0.003, 0.01, 0.03)  # for l2
DEFAULT_L2 = 0.01


class AllPairs:
    r"""Least squares over all pairs of a context c and an item i, positives towards 1.

    The score of a pair is that of a factorization machine for a row with the features of both. An
    epoch replaces the parameters of each feature by the best there are, given all others; the
    objective never rises. It is

    .. math:: \sum_{(c,i) \in P} \omega_{ci} (s_{ci} - 1)^2
              + \alpha \sum_{c,i} s_{ci}^2 + \sum_f \lambda_f (w_f^2 + \|v_f\|^2)

    Parameters
    ----------
    contexts, items : Csr of shape (n, d) and (m, d)
        Their features, in one space. No feature occurs in both.
    positives : Csr of shape (n, m)
        The weight of each positive.
    w0, w, V : ndarray of shape (1,), (d,) and (d, k)
        Parameters, all float32 or all float64, which epochs change. V begins with random
        numbers, as zeros would stay zero; w0 best with `best_constant`.
    unobserved_weight : float
        Weight alpha of each pair, be it positive or not; greater than 0.
    l2 : float
        Penalty of the parameters, greater than 0.
    nu : float
        How the penalty grows with what is known of a feature, see `penalties`.

    References
    ----------
    Y. Hu, Y. Koren, C. Volinsky (2008). Collaborative filtering for implicit feedback datasets.
    I. Bayer, X. He, B. Kanagal, S. Rendle (2017). A generic coordinate descent framework for
    learning from implicit feedback. S. Rendle, W. Krichene, L. Zhang, Y. Koren (2022). Revisiting
    the performance of iALS on item recommendation benchmarks.
    """

    def __init__(
        self,
        contexts: _core.Csr,
        items: _core.Csr,
        positives: _core.Csr,
        w0: Array,
        w: Array,
        V: Array,
        *,
        unobserved_weight: float,
        l2: float,
        nu: float = 1.0,
    ) -> None:
        alpha = check_real(unobserved_weight, "unobserved_weight", above=0)
        dtype = V.dtype
        self._solver = _core.AllPairs(
            as_dtype(contexts, dtype),
            as_dtype(items, dtype),
            as_dtype(positives, dtype),
            penalties(contexts, items, positives, unobserved_weight=alpha, l2=l2, nu=nu),
            alpha,
            w0,
            w,
            V,
        )

    def epoch(self, threads: int = 1) -> float:
        """Make one pass over the features of contexts, then of items, then w0.

        Parameters
        ----------
        threads : int
            The parameters are the same bits on any number.

        Returns
        -------
        float
            The objective.

        Raises
        ------
        OverflowError
            If numbers are too large for the type of the parameters, or `l2` is so small that a
            feature has no best parameters. The parameters are finite, but half changed.
        """
        return float(self._solver.epoch(threads))

    def objective(self, threads: int = 1) -> float:
        """Return the objective; `OverflowError` if it is not finite."""
        return float(self._solver.objective(threads))


def best_constant(positives: _core.Csr, unobserved_weight: float) -> float:
    """Return the score with the least loss among those that are the same for all pairs."""
    alpha = check_real(unobserved_weight, "unobserved_weight", above=0)
    n_positives = positives.n_nonzeros
    weights = n_positives if positives.values is None else positives.values[:n_positives].sum()
    total = float(weights) + alpha * positives.n_rows * positives.n_features
    return float(weights) / total if total > 0 else 0.0


def penalties(
    contexts: _core.Csr,
    items: _core.Csr,
    positives: _core.Csr,
    *,
    unobserved_weight: float,
    l2: float,
    nu: float,
) -> npt.NDArray[np.float64]:
    """Return lambda_f = l2 (weights of the pairs that feature f is in)^nu, shape (d,).

    These are the weights of its positives, and `unobserved_weight` for each pair (Rendle et al.
    2022). It is zero for features that are in no pair.

    Parameters
    ----------
    contexts, items, positives, unobserved_weight, l2, nu
        As of `AllPairs`.
    """
    alpha = check_real(unobserved_weight, "unobserved_weight", above=0)
    scale, exponent = check_real(l2, "l2", above=0), check_real(nu, "nu")
    of_contexts = np.repeat(np.arange(positives.n_rows), np.diff(positives.indptr))
    of_items = positives.indices[: positives.n_nonzeros]
    weights = None if positives.values is None else positives.values[: positives.n_nonzeros]
    known = np.zeros(contexts.n_features)
    for rows, numbers, others in ((contexts, of_contexts, items), (items, of_items, contexts)):
        pairs = np.bincount(numbers, weights, rows.n_rows) + alpha * others.n_rows
        entries = rows.indices[: rows.n_nonzeros]
        known += np.bincount(entries, np.repeat(pairs, np.diff(rows.indptr)), len(known))
    return np.where(known > 0, scale * known**exponent, 0.0)


@dataclass(frozen=True)
class LeastSquares:
    """How all pairs are fitted, in the manner of `Comparing`.

    Attributes
    ----------
    rank : int
    init_scale : float
        Standard deviation of the initial factors.
    unobserved_weight : float
    l2 : float or None
        See `AllPairs`. None: the best of `CANDIDATES` on validation rows, or `DEFAULT_L2`.
    seed : int
    threads : int
    """

    rank: int
    init_scale: float
    unobserved_weight: float
    l2: float | None
    seed: int
    threads: int
    optimizer: ClassVar[Optimizer] = AdaGrad()  # of what goes on from its parameters
    batch_size: ClassVar[None] = None

    def candidates(self) -> list[LeastSquares]:
        """Return those that a validation chooses from."""
        return [self] if self.l2 is not None else [replace(self, l2=l2) for l2 in CANDIDATES]

    def train(
        self, data: Positives, epochs: int, dtype: npt.DTypeLike, after_epoch: AfterEpoch = go_on
    ) -> State:
        """Return the parameters after some epochs, or after `after_epoch` returned True."""
        state = State.begin(data.items.shape[1], self.rank, self.optimizer, dtype)
        state.draw_factors(self.seed, 0, "normal", self.init_scale, np.arange(state.n_features))
        weights = np.ones(len(data)) if data.weights is None else data.weights
        shape = data.contexts.shape[0], data.items.shape[0]
        pairs = sp.csr_matrix((weights, (data.context, data.item)), shape)
        positives = as_csr(pairs, dtype)
        w0 = np.array([best_constant(positives, self.unobserved_weight)], dtype)
        w, V = state.w.copy(), state.V.copy()
        squares = AllPairs(
            as_csr(data.contexts, dtype),
            as_csr(data.items, dtype),
            positives,
            w0,
            w,
            V,
            unobserved_weight=self.unobserved_weight,
            l2=DEFAULT_L2 if self.l2 is None else self.l2,
        )
        begun, total = time.perf_counter(), float(pairs.sum())
        for epoch in range(epochs):
            try:
                loss = squares.epoch(self.threads) / total
            except OverflowError as error:
                raise DivergenceError(f"{error}, in epoch {epoch + 1}") from None
            state.set_parameters(float(w0[0]), w, V)
            record = Epoch(epoch + 1, epochs, loss, seconds=time.perf_counter() - begun)
            if after_epoch(state, record):
                break
        return state
