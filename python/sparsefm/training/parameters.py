"""The parameters in training, in the memory layout of the core.

The factors of a feature and their moments are adjacent in memory, and so are its scalars: an update
then touches neighbouring cache lines.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm import _core
from sparsefm.interaction import Interaction
from sparsefm.losses import Loss
from sparsefm.model import Model, score_rows
from sparsefm.optimizers import Optimizer
from sparsefm.training.random import feature_normals, feature_uniforms

Array = npt.NDArray[Any]
Features = npt.NDArray[np.int64]

CACHE_LINE = 64  # bytes
FEATURES_AT_ONCE = 1 << 16  # bounds temporary copies
GROWTH = 1.5  # when there is no room, make room for so many times the features


@dataclass(frozen=True, eq=False)
class State:
    """Parameters and moments of one output, in the core's layout (`StateView`).

    Attributes
    ----------
    bias : ndarray of shape (1 + moments,)
        w0 and its moments.
    scalars : ndarray of shape (d, 2 + moments)
        For each feature: ``|v_i|**2``, w_i and its moments.
    factors : ndarray of shape (d, 1 + moments, width)
        For each feature: v_i and its moments. The width is the rank rounded up; the entries of v_i
        beyond the rank are zero and stay zero.
    rank : int
    room : tuple of ndarray
        The arrays that `scalars` and `factors` are the first part of; the rest is room for more
        features.
    """

    bias: Array
    scalars: Array
    factors: Array
    rank: int
    room: tuple[Array, Array]

    @classmethod
    def begin(
        cls,
        n_features: int,
        rank: int,
        optimizer: Optimizer,
        dtype: npt.DTypeLike,
        width: int | None = None,
    ) -> "State":
        """Return parameters of zero, and the optimizer's initial moments."""
        width = padded(rank) if width is None else width
        moments = optimizer._moments
        scalars = aligned_zeros((n_features, 2 + moments), dtype)
        factors = aligned_zeros((n_features, 1 + moments, width), dtype)
        bias = np.array([0.0, *optimizer._moment_starts], dtype)
        state = cls(bias, scalars, factors, rank, (scalars, factors))
        state._start_moments(0, optimizer)
        return state

    def __reduce__(self) -> tuple[Any, ...]:
        return _copied, (self.bias, self.scalars, self.factors, self.rank)

    @property
    def n_features(self) -> int:
        """Number of features d."""
        return len(self.scalars)

    @property
    def size(self) -> int:
        """How many numbers parameters and moments are."""
        return self.scalars.size + self.factors.size

    @property
    def w(self) -> Array:
        """The linear weights, a view of shape (d,)."""
        return self.scalars[:, 1]

    @property
    def V(self) -> Array:
        """The factors, a view of shape (d, rank)."""
        return self.factors[:, 0, : self.rank]

    @property
    def interaction(self) -> Interaction:
        """How features interact."""
        return Interaction(np.zeros(self.n_features, np.intp), 1)

    @property
    def factor_moments(self) -> Array:
        """The moments of V, a view of shape (d, moments, rank)."""
        return self.factors[:, 1:, : self.rank]

    @property
    def vectors(self) -> Array:
        """The factors as the interaction has them, a view of shape (d, k)."""
        return self.V

    # --- values ---------------------------------------------------------------------------------

    def set_parameters(self, w0: float, w: Array, V: Array) -> None:
        """Set the parameters, of shapes (), (d,) and (d, rank)."""
        self.bias[0], self.w[:], self.V[:] = w0, w, V
        self.refresh_norms()

    def refresh_norms(self, features: Features | None = None) -> None:
        """Compute the norms of the factors, of all or some features, which have changed."""
        _core.refresh_norms(self.scalars, self.factors, features)

    def draw_factors(
        self, seed: int, output: int, distribution: str, scale: float, features: Features
    ) -> None:
        """Draw the factors of some features at random.

        Parameters
        ----------
        seed, output : int
            Together with the number of the feature, these determine its factors.
        distribution : {"normal", "uniform"}
        scale : float
        features : ndarray of int64
        """
        for begin in range(0, len(features) if self.rank else 0, FEATURES_AT_ONCE):
            part = features[begin : begin + FEATURES_AT_ONCE]
            numbers = draw(seed, output, distribution, scale, part, self.rank)
            self.factors[part, 0, : self.rank] = numbers
        _core.refresh_norms(self.scalars, self.factors, features)

    def undrawn(self, features: Features) -> Features:
        """Return those of some features whose factors are all zero, that is, not drawn yet."""
        return np.asarray(features[self.scalars[features, 0] == 0])

    def is_finite(self, features: Features | None = None) -> bool:
        """Return whether the parameters and moments of all or some features are finite."""
        n = self.n_features if features is None else len(features)
        for begin in range(0, n, FEATURES_AT_ONCE):
            part: Any = slice(begin, begin + FEATURES_AT_ONCE)
            if features is not None:
                part = features[part]
            if not (
                np.isfinite(self.scalars[part]).all() and np.isfinite(self.factors[part]).all()
            ):
                return False
        return bool(np.isfinite(self.bias).all())

    def scores(self, X: _core.Csr, threads: int = 1) -> Array:
        """Return the current scores, shape (n_rows,)."""
        return score_rows(X, float(self.bias[0]), self.w, self.V, threads)

    def model(self, loss: Loss) -> Model:
        """Return a model that shares the parameters."""
        return Model._view(float(self.bias[0]), self.w, self.V, loss)

    def fix_scores(self) -> None:
        """Do nothing: the one score is determined; see `ClassState.fix_scores`."""

    def trainer(self, loss: Loss, optimizer: Optimizer, threads: int) -> _core.Trainer:
        """Return what trains these parameters, in the core."""
        settings = _core.described(loss), _core.described(optimizer)
        return _core.Trainer(*settings, self.bias, self.scalars, self.factors, threads)

    # --- copies ---------------------------------------------------------------------------------

    def parts(self, features: Any) -> tuple[Array, ...]:
        """Return copies of all numbers that a training on some features changes."""
        return self.bias.copy(), self.scalars[features].copy(), self.factors[features].copy()

    def put_back(self, features: Any, parts: tuple[Array, ...]) -> None:
        """Restore what `parts` returned."""
        self.bias[:], self.scalars[features], self.factors[features] = parts

    def copy(self, features: Any = slice(None)) -> "State":
        """Return a copy of all features or some, with the same alignment."""
        return _copied(self.bias, self.scalars[features], self.factors[features], self.rank)

    def assign(self, other: Any) -> None:
        """Copy the numbers of a state of the same shape."""
        self.put_back(slice(None), (other.bias, other.scalars, other.factors))

    def grown(self, n_features: int, optimizer: Optimizer) -> "State":
        """Return a state with more features; the new ones are zero, with initial moments.

        Both states share memory: a change of an old feature in one is seen in the other. While
        there is room, the cost is proportional to the number of new features. When there is none,
        larger arrays are made.
        """
        if n_features == self.n_features:
            return self
        scalars, factors = self.room
        if n_features > len(scalars):
            capacity = room_for(n_features, self.n_features)
            scalars, factors = (lengthened(part, capacity) for part in (self.scalars, self.factors))
        room = scalars, factors
        state = State(self.bias, scalars[:n_features], factors[:n_features], self.rank, room)
        for part in (state.scalars, state.factors):
            part[self.n_features :] = 0  # a failed training may have left values there
        state._start_moments(self.n_features, optimizer)
        return state

    def _start_moments(self, first: int, optimizer: Optimizer) -> None:
        """Set the initial moments of the features from `first` on."""
        if any(optimizer._moment_starts):
            self.scalars[first:, 2:] = optimizer._moment_starts
            self.factors[first:, 1:] = np.asarray(optimizer._moment_starts)[:, None]


def _copied(bias: Array, scalars: Array, factors: Array, rank: int) -> State:
    room = lengthened(scalars, len(scalars)), lengthened(factors, len(factors))
    return State(bias.copy(), *room, rank, room)


def draw(
    seed: int, output: int, distribution: str, scale: float, features: Features, rank: int
) -> Array:
    """Return random factors of some features, see `State.draw_factors`: (n_features, rank)."""
    if distribution == "normal":
        return np.asarray(scale * feature_normals(seed, output, features, rank))
    spread = scale / math.sqrt(rank)
    return np.asarray(spread * feature_uniforms(seed, output, features, rank))


def room_for(n_features: int, present: int) -> int:
    """Return for how many features to make room where there is none for so many."""
    return max(n_features, int(GROWTH * present))


def lengthened(array: Array, length: int) -> Array:
    """Return a longer, aligned copy, filled up with zeros."""
    longer = aligned_zeros((length, *array.shape[1:]), array.dtype)
    longer[: len(array)] = array
    return longer


def padded(rank: int) -> int:
    """Round a rank up to whole vector registers."""
    step = 4 if rank <= 4 else 8 if rank <= 8 else 16
    return -(-rank // step) * step


def aligned_zeros(shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
    """Return zeros that begin on a cache line, so that features touch as few lines as possible."""
    dtype = np.dtype(dtype)
    size = math.prod(shape)
    try:
        room = np.zeros(size + CACHE_LINE // dtype.itemsize, dtype)
    except (MemoryError, ValueError):
        needed = f"{size * dtype.itemsize / 2**30:.3g} GiB for parameters of shape {shape}"
        raise MemoryError(f"rank is too large for the memory: {needed}") from None
    begin = -room.ctypes.data % CACHE_LINE // dtype.itemsize
    return room[begin : begin + size].reshape(shape)
