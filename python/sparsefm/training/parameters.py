"""The parameters in training: one memory layout for the engine, another for users.

Of each feature, its factors and what the optimizer remembers of them lie side by side, and so do
its scalars: an update then touches neighbouring cache lines.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm import _core
from sparsefm.model import score_rows
from sparsefm.optimizers import Solver

CACHE_LINE = 64  # bytes
FEATURES_AT_ONCE = 1 << 16  # bounds temporary copies


@dataclass(frozen=True, eq=False)
class State:
    """Parameters and moments, as the engine takes them (`StateView` in the core).

    Attributes
    ----------
    bias : ndarray of shape (1 + moments,)
        w0 and its moments.
    scalars : ndarray of shape (d, 2 + moments)
        Of each feature: ``|v_i|**2``, w_i and its moments.
    factors : ndarray of shape (d, 1 + moments, width)
        Of each feature: v_i and its moments; from the rank to the width v_i is zero and stays so.
    rank : int
    """

    bias: npt.NDArray[Any]
    scalars: npt.NDArray[Any]
    factors: npt.NDArray[Any]
    rank: int

    @classmethod
    def begin(cls, n_features: int, rank: int, solver: Solver, dtype: npt.DTypeLike) -> "State":
        """Return parameters of zero, and moments as the solver starts them."""
        moments = solver.moments
        state = cls(
            bias=np.zeros(1 + moments, dtype),
            scalars=_aligned_zeros((n_features, 2 + moments), dtype),
            factors=_aligned_zeros((n_features, 1 + moments, _padded(rank)), dtype),
            rank=rank,
        )
        if solver.initial_moment:
            state.bias[1:] = solver.initial_moment
            state.scalars[:, 2:] = solver.initial_moment
            state.factors[:, 1:] = solver.initial_moment
        return state

    @property
    def w(self) -> npt.NDArray[Any]:
        """The linear weights, a view of shape (d,)."""
        return self.scalars[:, 1]

    @property
    def V(self) -> npt.NDArray[Any]:
        """The factors, a view of shape (d, rank)."""
        return self.factors[:, 0, : self.rank]

    def copy(self) -> "State":
        """Return a copy, aligned as this one is."""
        same = State(
            self.bias.copy(),
            _aligned_zeros(self.scalars.shape, self.scalars.dtype),
            _aligned_zeros(self.factors.shape, self.factors.dtype),
            self.rank,
        )
        same.assign(self)
        return same

    def assign(self, other: "State") -> None:
        """Take over the numbers of a state of the same shape."""
        self.bias[:], self.scalars[:], self.factors[:] = other.bias, other.scalars, other.factors

    def grown(self, n_features: int, solver: Solver) -> "State":
        """Return a state with more features: the old ones as they are, the new ones as begun."""
        more = State.begin(n_features, self.rank, solver, self.bias.dtype)
        more.bias[:] = self.bias
        more.scalars[: len(self.scalars)] = self.scalars
        more.factors[: len(self.factors)] = self.factors
        return more

    def scores(self, X: _core.Csr, threads: int = 1) -> npt.NDArray[Any]:
        """Return the scores of the model as it stands, shape (n_rows,)."""
        return score_rows(X, float(self.bias[0]), self.w, self.V, threads)

    def is_finite(self) -> bool:
        """Return whether all parameters and moments are finite numbers."""
        arrays = (self.bias, self.scalars, self.factors)
        return all(
            bool(np.isfinite(array[begin : begin + FEATURES_AT_ONCE]).all())
            for array in arrays
            for begin in range(0, len(array), FEATURES_AT_ONCE)
        )

    def draw_factors(
        self,
        rng: np.random.Generator,
        distribution: str,
        scale: float,
        features: npt.NDArray[np.bool_],
    ) -> None:
        """Fill V with random numbers where `features` says, the same whatever the dtype's rounding.

        Numbers are drawn for the other features too, so that each has its own.
        """
        for begin in range(0, len(self.V), FEATURES_AT_ONCE):
            part = self.V[begin : begin + FEATURES_AT_ONCE]
            if distribution == "normal":
                drawn = scale * rng.standard_normal(part.shape, dtype=np.float32)
            else:
                spread = scale / np.sqrt(max(self.rank, 1))
                drawn = spread * rng.random(part.shape, dtype=np.float32)
            chosen = features[begin : begin + FEATURES_AT_ONCE]
            part[chosen] = drawn[chosen]


def _padded(rank: int) -> int:
    """Round a rank up to whole vector registers."""
    step = 4 if rank <= 4 else 8 if rank <= 8 else 16
    return -(-rank // step) * step


def _aligned_zeros(shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return zeros that begin on a cache line, so that no feature straddles one line too many."""
    dtype = np.dtype(dtype)
    size = math.prod(shape)
    try:
        room = np.zeros(size + CACHE_LINE // dtype.itemsize, dtype)
    except (MemoryError, ValueError):
        needed = f"{size * dtype.itemsize / 2**30:.3g} GiB for parameters of shape {shape}"
        raise MemoryError(f"rank is too large for the memory: {needed}") from None
    begin = -room.ctypes.data % CACHE_LINE // dtype.itemsize
    return room[begin : begin + size].reshape(shape)
