"""The parameters of a model whose pairs of fields have weights, in the memory layout of the core."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm import _core
from sparsefm.field_model import FieldWeightedModel, field_scores
from sparsefm.losses import Loss
from sparsefm.optimizers import Optimizer
from sparsefm.training.parameters import Array, State


@dataclass(frozen=True, eq=False)
class FieldState(State):
    """Parameters and moments of one output, with those of the pairs of fields (`FieldPairs`).

    Attributes
    ----------
    fields : ndarray of int32, shape (d,)
        The field of each feature.
    blocks : ndarray of shape (1 + moments, F, F)
        The weights of pairs of fields, a symmetric matrix, and their moments in the upper half.
    learned : ndarray of shape (F, F)
        0 for the pairs whose weight stays as it is, otherwise 1.
    """

    fields: npt.NDArray[np.int32]
    blocks: Array
    learned: Array

    @classmethod
    def of(cls, state: State, fields: npt.NDArray[np.int32], R: Array, optimizer: Optimizer) -> Any:
        """Return a state with these fields, and weights of their pairs R (F, F) to begin with."""
        blocks = np.empty((1 + optimizer._moments, *R.shape), state.factors.dtype)
        blocks[0] = R
        blocks[1:] = np.reshape(optimizer._moment_starts, (-1, 1, 1))
        return cls(
            state.bias, state.scalars, state.factors, state.rank, state.room, fields, blocks,
            np.asarray(R != 0, blocks.dtype),
        )  # fmt: skip

    @property
    def R(self) -> Array:
        """The weights of pairs of fields, a view of shape (F, F)."""
        return self.blocks[0]

    def scores(self, X: _core.Csr, threads: int = 1) -> Array:
        """Return the current scores, shape (n_rows,)."""
        w0, w, V = float(self.bias[0]), self.w, self.V
        return field_scores(X, w0, w, V, self.fields, self.blocks, threads)

    def trainer(self, loss: Loss, optimizer: Optimizer, threads: int) -> _core.Trainer:
        """Return what trains these parameters, in the core."""
        settings = _core.described(loss), _core.described(optimizer)
        arrays = self.bias, self.scalars, self.factors
        fields = self.fields, self.blocks, self.learned
        return _core.Trainer(*settings, *arrays, threads, fields)
