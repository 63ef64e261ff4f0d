"""The parameters of a field-aware model, in the memory layout of the core."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm import _core
from sparsefm.data.dataset import Dataset
from sparsefm.data.memory import check_width
from sparsefm.field_aware_model import FieldAwareModel, field_aware_scores
from sparsefm.field_model import Fields, own_fields
from sparsefm.interaction import FieldAware
from sparsefm.losses import Loss
from sparsefm.optimizers import Optimizer
from sparsefm.training.beginning import Beginning
from sparsefm.training.field_state import number_of
from sparsefm.training.hyperparameters import Hyperparameters
from sparsefm.training.parameters import FEATURES_AT_ONCE, Array, Features, State, draw, padded

# Factors are padded to a multiple of it: whole registers, and no more memory than is needed, since
# moving it is what an epoch waits for.
WIDTH = 8


@dataclass(frozen=True, eq=False)
class FieldAwareState(State):
    """Parameters and moments of one output, with factors of each feature for each field.

    A feature has a block of factors for each field, one after another, in `factors`. The size of a
    block is the rank rounded up; its entries beyond the rank are zero and stay zero.

    Attributes
    ----------
    fields : ndarray of int32, shape (d,)
        The field of each feature.
    within : ndarray of bool, shape (F,)
        Whether features of a field have factors for that field itself. Otherwise they are zero, and
        stay zero until rows have two features of the field, see `with_pairs_within`.
    """

    fields: Fields
    within: Array

    @classmethod
    def begin_with_fields(
        cls, rank: int, dataset: Beginning, optimizer: Optimizer
    ) -> FieldAwareState:
        """Return parameters of zero, with the fields of a dataset, which must have some."""
        if dataset.fields is None:
            raise ValueError("there are no fields")
        within = dataset.fields_with_pairs(dataset.fields, number_of(dataset.fields))
        check_width(len(dataset.fields), rank, dataset.dtype.itemsize, fields=len(within))
        return cls._zeros(rank, dataset.fields, within, optimizer, dataset.dtype)

    @classmethod
    def of_model(
        cls, w0: float, w: Array, V: Array, fields: Fields, optimizer: Optimizer
    ) -> FieldAwareState:
        """Return a state with parameters V (d, F, rank)."""
        _, n_fields, rank = V.shape
        within = np.zeros(n_fields, bool)
        within[fields[V[np.arange(len(V)), fields].any(axis=1)]] = True
        state = cls._zeros(rank, fields, within, optimizer, V.dtype)
        state.set_parameters(w0, w, V)
        return state

    @classmethod
    def _zeros(
        cls, rank: int, fields: Fields, within: Array, optimizer: Optimizer, dtype: npt.DTypeLike
    ) -> FieldAwareState:
        own = own_fields(fields, len(fields), len(within), "V")  # which nobody else can change
        size = len(within) * padded(rank)
        width = -(-size // WIDTH) * WIDTH
        plain = State.begin(len(fields), size, optimizer, dtype, width)
        return cls._joined(plain, rank, own, within)

    @classmethod
    def _joined(cls, plain: State, rank: int, fields: Fields, within: Array) -> FieldAwareState:
        return cls(plain.bias, plain.scalars, plain.factors, rank, plain.room, fields, within)

    def __reduce__(self) -> tuple[Any, ...]:
        return FieldAwareState._joined, (super().copy(), self.rank, self.fields, self.within)

    @property
    def V(self) -> Array:
        """The factors, a view of shape (d, F, rank)."""
        return self._blocks[:, :, : self.rank]

    @property
    def all_blocks(self) -> Array:
        """The blocks of factors and of their moments, a view of shape (d, 1 + moments, F, size)."""
        n_fields, size = len(self.within), padded(self.rank)
        factors = self.factors[:, :, : n_fields * size]
        return factors.reshape(*factors.shape[:2], n_fields, size)

    @property
    def _blocks(self) -> Array:
        return np.asarray(self.all_blocks[:, 0])

    @property
    def factor_moments(self) -> Array:
        """The moments of V, a view of shape (d, moments, F, rank)."""
        return np.asarray(self.all_blocks[:, 1:, :, : self.rank])

    @property
    def vectors(self) -> Array:
        """The factors as the interaction has them, a view of shape (d, F size)."""
        return np.asarray(self.factors[:, 0, : len(self.within) * padded(self.rank)])

    @property
    def interaction(self) -> FieldAware:
        """How features interact."""
        return FieldAware(self.fields, len(self.within), padded(self.rank))

    def draw_factors(
        self, seed: int, output: int, distribution: str, scale: float, features: Features
    ) -> None:
        """Draw the factors of some features at random, each block as `State` draws a vector."""
        n_fields = len(self.within)
        if distribution == "uniform":
            scale *= math.sqrt(n_fields)  # `draw` divides by the root of all that it draws
        at_once = max(1, FEATURES_AT_ONCE // n_fields)
        for begin in range(0, len(features) if self.V.size else 0, at_once):
            part = features[begin : begin + at_once]
            numbers = draw(seed, output, distribution, scale, part, n_fields * self.rank)
            blocks = numbers.reshape(len(part), n_fields, self.rank)
            own = self.fields[part]
            blocks[np.arange(len(part)), own] *= self.within[own, None]
            self.V[part] = blocks
        _core.refresh_norms(self.scalars, self.factors, features)

    def scores(self, X: _core.Csr, threads: int = 1) -> Array:
        """Return the current scores, shape (n_rows,)."""
        parameters = float(self.bias[0]), self.w, self._blocks
        return field_aware_scores(X, parameters, self.fields, threads)

    def model(self, loss: Loss) -> FieldAwareModel:
        """Return a model that shares the parameters."""
        return FieldAwareModel._of((float(self.bias[0]), self.w, self.V), self.fields, loss)

    def trainer(self, loss: Loss, optimizer: Optimizer, threads: int) -> _core.Trainer:
        """Return what trains these parameters, in the core."""
        settings = _core.described(loss), _core.described(optimizer)
        arrays = self.bias, self.scalars, self.factors
        blocks = self.fields, len(self.within), padded(self.rank)
        return _core.Trainer(*settings, *arrays, threads, blocks=blocks)

    def copy(self, features: Any = slice(None)) -> FieldAwareState:
        """Return a copy of all features or some, with the same alignment."""
        plain, fields = super().copy(features), self.fields[features]
        return FieldAwareState._joined(plain, self.rank, fields, self.within)

    def grown(self, n_features: int, optimizer: Optimizer) -> FieldAwareState:
        """Return a state with more features, which are of no field yet; see `with_fields`."""
        state = super().grown(n_features, optimizer)
        return FieldAwareState._joined(state, self.rank, self.fields, self.within)

    def with_fields(self, fields: Fields, hyperparameters: Hyperparameters) -> FieldAwareState:
        """Return a state in which more features have fields, perhaps more fields than before."""
        if len(fields) == len(self.fields):  # a feature stays in its field
            return self
        known = len(self.within)
        n_fields = max(known, number_of(fields))
        if n_fields == known:
            return replace(self, fields=own_fields(fields, self.n_features, known, "V"))
        within = np.append(self.within, np.zeros(n_fields - known, bool))
        dtype, solver = self.factors.dtype, hyperparameters.solver
        larger = FieldAwareState._zeros(self.rank, fields, within, solver, dtype)
        larger.bias[:], larger.scalars[:] = self.bias, self.scalars
        larger.all_blocks[:, :, :known] = self.all_blocks
        return larger

    def with_pairs_within(
        self, dataset: Dataset, hyperparameters: Hyperparameters, seed: int, output: int
    ) -> FieldAwareState:
        """Return a state in which features of a field interact, if rows now have several of it.

        Their factors for the field itself are drawn at random.
        """
        new = dataset.fields_with_pairs(self.fields, len(self.within)) & ~self.within
        if not new.any():
            return self
        drawn = replace(self.copy(), within=self.within | new)
        features = np.flatnonzero(new[self.fields] & (self.scalars[:, 0] > 0))
        chosen = hyperparameters
        drawn.draw_factors(seed, output, chosen.init, chosen.init_scale, features)
        own = drawn.V[features, drawn.fields[features]].copy()
        drawn.V[features] = self.V[features]
        drawn.V[features, drawn.fields[features]] = own
        drawn.refresh_norms()
        return drawn
