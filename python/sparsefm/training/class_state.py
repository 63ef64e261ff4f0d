"""The parameters of a model of several classes, in the memory layout of the core."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sparsefm import _core
from sparsefm.interaction import Interaction
from sparsefm.losses import Loss
from sparsefm.model import ROWS_PER_CALL
from sparsefm.optimizers import Optimizer
from sparsefm.training.parameters import (
    FEATURES_AT_ONCE,
    Array,
    Features,
    aligned_zeros,
    draw,
    lengthened,
    room_for,
)
from sparsefm.training.random import feature_uniforms

WIDTH = 8  # classes and factors are padded to a multiple of it
VECTOR_STREAM = 1  # of random numbers; the factors have stream 0


@dataclass(frozen=True, eq=False)
class ClassState:
    r"""Parameters and moments of a model with softmax loss (`ClassStateView` in the core).

    The score of class c is :math:`w_{0c} + \langle w_c, x \rangle + \sum_{i<j} x_i x_j \sum_f
    u_{cf} v_{if} v_{jf}`: the factors V belong to all classes, and the class vector :math:`u_c`
    says how much each factor counts for class c.

    Attributes
    ----------
    bias : ndarray of shape (1 + moments, class_width)
        w0 of each class, and its moments.
    vectors : ndarray of shape (C, 1 + moments, width)
        u_c and its moments.
    blocks : ndarray of shape (d, 1 + moments, class_width + width)
        For each feature: its weights for all classes, its factors, and their moments. The widths
        are the number of classes C and the rank, rounded up; what is beyond them stays zero, except
        that the biases there are minus infinity.
    rank : int
    room : ndarray
        What `blocks` is the first part of; the rest is room for more features.
    """

    bias: Array
    vectors: Array
    blocks: Array
    rank: int
    room: Array

    @classmethod
    def begin(
        cls, n_features: int, w0: Array, rank: int, optimizer: Optimizer, seed: int
    ) -> ClassState:
        """Return parameters of zero, except for the biases and random signs in the class vectors.

        Parameters
        ----------
        n_features : int
        w0 : ndarray of shape (C,)
            Biases; their type is that of the arithmetic.
        rank : int
        optimizer : Optimizer
        seed : int
        """
        moments, n_classes, dtype = optimizer._moments, len(w0), w0.dtype
        class_width, width = _padded(n_classes), _padded(rank)
        blocks = aligned_zeros((n_features, 1 + moments, class_width + width), dtype)
        vectors = aligned_zeros((n_classes, 1 + moments, width), dtype)
        bias = np.zeros((1 + moments, class_width), dtype)
        bias[0] = -np.inf
        bias[0, :n_classes] = w0
        uniforms = feature_uniforms(seed, VECTOR_STREAM, np.arange(n_classes), rank)
        vectors[:, 0, :rank] = np.where(uniforms < 0.5, -1, 1)
        state = cls(bias, vectors, blocks, rank, blocks)
        for part in (bias[None], vectors, blocks):
            part[:, 1:] = np.asarray(optimizer._moment_starts)[:, None]
        return state

    def __reduce__(self) -> tuple[Any, ...]:
        return _copied, (self.bias, self.vectors, self.blocks, self.rank)

    @property
    def n_features(self) -> int:
        """Number of features d."""
        return len(self.blocks)

    @property
    def n_classes(self) -> int:
        """Number of classes C."""
        return len(self.vectors)

    @property
    def interaction(self) -> Interaction:
        """How features interact, in the score of each class."""
        return Interaction(np.zeros(self.n_features, np.intp), 1)

    @property
    def size(self) -> int:
        """How many numbers parameters and moments are."""
        return self.vectors.size + self.blocks.size

    @property
    def w0(self) -> Array:
        """The biases, a view of shape (C,)."""
        return self.bias[0, : self.n_classes]

    @property
    def w(self) -> Array:
        """The linear weights, a view of shape (d, C)."""
        return self.blocks[:, 0, : self.n_classes]

    @property
    def V(self) -> Array:
        """The factors, a view of shape (d, rank)."""
        first = self.bias.shape[1]
        return self.blocks[:, 0, first : first + self.rank]

    @property
    def U(self) -> Array:
        """The class vectors, a view of shape (C, rank)."""
        return self.vectors[:, 0, : self.rank]

    def set_parameters(self, w0: Array, w: Array, V: Array, U: Array) -> None:
        """Set the parameters, of shapes (C,), (d, C), (d, rank) and (C, rank)."""
        self.w0[:], self.w[:], self.V[:], self.U[:] = w0, w, V, U

    def fix_scores(self) -> None:
        """Shift each factor's entries of the class vectors so that the smallest is zero.

        A shift adds the same to the scores of all classes, so probabilities and gradients do not
        change. Then each class has an ordinary factorization machine, see `factors_of`.
        """
        with np.errstate(invalid="ignore"):  # of parameters that are not finite
            self.U[:] -= self.U.min(axis=0)

    def factors_of(self, c: int) -> Array:
        """Return factors of class c alone, shape (d, rank): those of all, scaled by sqrt(u_c)."""
        return np.asarray(self.V * np.sqrt(np.maximum(self.U[c], 0)))

    def draw_factors(
        self, seed: int, output: int, distribution: str, scale: float, features: Features
    ) -> None:
        """Draw the factors of some features at random, see `State.draw_factors`."""
        for begin in range(0, len(features) if self.rank else 0, FEATURES_AT_ONCE):
            part = features[begin : begin + FEATURES_AT_ONCE]
            self.V[part] = draw(seed, output, distribution, scale, part, self.rank)

    def undrawn(self, features: Features) -> Features:
        """Return those of some features whose factors are all zero, that is, not drawn yet."""
        return np.asarray(features[~self.V[features].any(axis=1)])

    def is_finite(self, features: Features | None = None) -> bool:
        """Return whether the parameters and moments of all or some features are finite."""
        n = self.n_features if features is None else len(features)
        for begin in range(0, n, FEATURES_AT_ONCE):
            part: Any = slice(begin, begin + FEATURES_AT_ONCE)
            if features is not None:
                part = features[part]
            if not np.isfinite(self.blocks[part]).all():
                return False
        biases = self.bias[:, : self.n_classes]
        return bool(np.isfinite(biases).all() and np.isfinite(self.vectors).all())

    def scores(self, X: _core.Csr, threads: int = 1) -> Array:
        """Return the current scores, shape (n_rows, C)."""
        scores = np.empty((X.n_rows, self.n_classes), self.blocks.dtype)
        for first in range(0, X.n_rows, ROWS_PER_CALL):
            part = scores[first : first + ROWS_PER_CALL]
            _core.class_scores(part, X, first, self.bias, self.vectors, self.blocks, threads)
        return scores

    def trainer(self, loss: Loss, optimizer: Optimizer, threads: int) -> _core.Trainer:
        """Return what trains these parameters, in the core."""
        described = _core.described(optimizer)
        return _core.Trainer(described, self.bias, self.vectors, self.blocks, threads)

    # --- copies ---------------------------------------------------------------------------------

    def parts(self, features: Any) -> tuple[Array, ...]:
        """Return copies of all numbers that a training on some features changes."""
        return self.bias.copy(), self.vectors.copy(), self.blocks[features].copy()

    def put_back(self, features: Any, parts: tuple[Array, ...]) -> None:
        """Restore what `parts` returned."""
        self.bias[:], self.vectors[:], self.blocks[features] = parts

    def copy(self, features: Any = slice(None)) -> ClassState:
        """Return a copy of all features or some, with the same alignment."""
        return _copied(self.bias, self.vectors, self.blocks[features], self.rank)

    def assign(self, other: Any) -> None:
        """Copy the numbers of a state of the same shape."""
        self.put_back(slice(None), (other.bias, other.vectors, other.blocks))

    def grown(self, n_features: int, optimizer: Optimizer) -> ClassState:
        """Return a state with more features; both share memory, see `State.grown`."""
        if n_features == self.n_features:
            return self
        room = self.room
        if n_features > len(room):
            room = lengthened(self.blocks, room_for(n_features, self.n_features))
        state = ClassState(self.bias, self.vectors, room[:n_features], self.rank, room)
        state.blocks[self.n_features :, 0] = 0  # a failed training may have left values there
        state.blocks[self.n_features :, 1:] = np.asarray(optimizer._moment_starts)[:, None]
        return state


def _copied(bias: Array, vectors: Array, blocks: Array, rank: int) -> ClassState:
    room = lengthened(blocks, len(blocks))
    return ClassState(bias.copy(), lengthened(vectors, len(vectors)), room, rank, room)


def _padded(size: int) -> int:
    return -(-size // WIDTH) * WIDTH
