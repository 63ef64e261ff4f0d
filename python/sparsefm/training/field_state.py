"""The parameters of a field-weighted model, and where models with fields start."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sparsefm import _core
from sparsefm.data.dataset import Dataset
from sparsefm.data.memory import check_width
from sparsefm.field_aware_model import FieldAwareModel
from sparsefm.field_model import (
    MOST_FIELDS,
    FieldModel,
    Fields,
    FieldWeightedModel,
    enlarged,
    field_scores,
    own_fields,
)
from sparsefm.interaction import FieldWeighted
from sparsefm.losses import Loss
from sparsefm.model import Model
from sparsefm.optimizers import Optimizer
from sparsefm.sampling.groups import one_hot_fields_of
from sparsefm.training.beginning import Beginning
from sparsefm.training.hyperparameters import Hyperparameters
from sparsefm.training.pairs import Pairs, chosen_weights
from sparsefm.training.parameters import Array, Features, State
from sparsefm.training.start import Start


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

    fields: Fields
    blocks: Array
    learned: Array

    @classmethod
    def of(
        cls, state: State, fields: Fields, R: Array, optimizer: Optimizer, *, learns: bool = True
    ) -> FieldState:
        """Return a state with fields, and weights of their pairs (F, F), which may be learned.

        Weights of 0 stay 0.
        """
        blocks = np.empty((1 + optimizer._moments, *R.shape), state.factors.dtype)
        blocks[0] = R
        blocks[1:] = np.reshape(optimizer._moment_starts, (-1, 1, 1))
        learned = np.ascontiguousarray((R != 0) & learns, blocks.dtype)
        own = own_fields(fields, state.n_features, len(R))  # which nobody else can change
        return cls._joined(state, own, blocks, learned)

    @classmethod
    def begin_with_fields(
        cls, state: State, dataset: Beginning, hyperparameters: Hyperparameters
    ) -> FieldState:
        """Return a state with the fields of a dataset, which must have some."""
        if dataset.fields is None:
            raise ValueError("there are no fields")
        R = first_weights(dataset, dataset.fields, hyperparameters.pairs)
        learns = hyperparameters.variant == "fwfm"
        return cls.of(state, dataset.fields, R, hyperparameters.solver, learns=learns)

    @classmethod
    def _joined(cls, state: State, fields: Fields, blocks: Array, learned: Array) -> FieldState:
        parts = state.bias, state.scalars, state.factors, state.rank, state.room
        return cls(*parts, fields, blocks, learned)

    def __reduce__(self) -> tuple[Any, ...]:
        plain = super().copy()
        return FieldState._joined, (plain, self.fields, self.blocks.copy(), self.learned)

    @property
    def size(self) -> int:
        """How many numbers parameters and moments are."""
        return super().size + self.blocks.size

    @property
    def R(self) -> Array:
        """The weights of pairs of fields, a view of shape (F, F)."""
        return np.asarray(self.blocks[0])

    @property
    def interaction(self) -> FieldWeighted:
        """How features interact."""
        return FieldWeighted(self.fields, len(self.R), self.R.astype(np.float64))

    def is_finite(self, features: Features | None = None) -> bool:
        """Return whether the parameters and moments of all or some features are finite."""
        return super().is_finite(features) and bool(np.isfinite(self.blocks).all())

    def scores(self, X: _core.Csr, threads: int = 1) -> Array:
        """Return the current scores, shape (n_rows,)."""
        return field_scores(X, self._parameters, self.fields, self.blocks, threads)

    def model(self, loss: Loss) -> FieldWeightedModel:
        """Return a model that shares the parameters."""
        return FieldWeightedModel._of(self._parameters, self.fields, self.R, loss)

    def trainer(self, loss: Loss, optimizer: Optimizer, threads: int) -> _core.Trainer:
        """Return what trains these parameters, in the core."""
        settings = _core.described(loss), _core.described(optimizer)
        arrays = self.bias, self.scalars, self.factors
        fields = self.fields, self.blocks, self.learned
        return _core.Trainer(*settings, *arrays, threads, fields)

    @property
    def _parameters(self) -> tuple[float, Array, Array]:
        return float(self.bias[0]), self.w, self.V

    # --- copies ---------------------------------------------------------------------------------

    def parts(self, features: Any) -> tuple[Array, ...]:
        """Return copies of all numbers that a training on some features changes."""
        return *super().parts(features), self.blocks.copy()

    def put_back(self, features: Any, parts: tuple[Array, ...]) -> None:
        """Restore what `parts` returned."""
        super().put_back(features, parts[:3])
        self.blocks[:] = parts[3]

    def copy(self, features: Any = slice(None)) -> FieldState:
        """Return a copy of all features or some, with the same alignment."""
        plain, fields = super().copy(features), self.fields[features]
        return FieldState._joined(plain, fields, self.blocks.copy(), self.learned)

    def assign(self, other: Any) -> None:
        """Copy the numbers of a state of the same shape."""
        arrays = other.bias, other.scalars, other.factors, other.blocks
        self.put_back(slice(None), arrays)

    def grown(self, n_features: int, optimizer: Optimizer) -> FieldState:
        """Return a state with more features, which are of no field yet; see `with_fields`."""
        state = super().grown(n_features, optimizer)
        return FieldState._joined(state, self.fields, self.blocks, self.learned)

    def with_fields(self, fields: Fields, hyperparameters: Hyperparameters) -> FieldState:
        """Return a state in which more features have fields, perhaps more fields than before.

        Weights of new pairs of fields are 1; within a new field there are none.
        """
        if len(fields) == len(self.fields):  # a feature stays in its field
            return self
        n_fields = max(len(self.R), int(fields.max(initial=-1)) + 1)
        if n_fields == len(self.R):
            own = own_fields(fields, self.n_features, n_fields)
            return replace(self, fields=own)
        state = State(self.bias, self.scalars, self.factors, self.rank, self.room)
        chosen = chosen_weights(hyperparameters.pairs, n_fields).astype(self.R.dtype)
        R, learns = enlarged(self.R, chosen), hyperparameters.variant == "fwfm"
        larger = FieldState.of(state, fields, R, hyperparameters.solver, learns=learns)
        known = slice(len(self.R))
        larger.blocks[1:, known, known] = self.blocks[1:]
        larger.learned[known, known] = self.learned
        return larger

    def with_pairs_within(self, dataset: Dataset, hyperparameters: Hyperparameters) -> FieldState:
        """Return a state in which features of a field interact, if rows now have several of it."""
        may = chosen_weights(hyperparameters.pairs, len(self.R)).diagonal() > 0
        found = dataset.fields_with_pairs(self.fields, len(self.R))
        new = found & may & (self.R.diagonal() == 0) & (self.learned.diagonal() == 0)
        if not new.any():
            return self
        changed = replace(self, blocks=self.blocks.copy(), learned=self.learned.copy())
        changed.R[new, new] = 1
        changed.learned[new, new] = hyperparameters.variant == "fwfm"
        return changed


def first_weights(dataset: Beginning, fields: Fields, pairs: Pairs | None = None) -> Array:
    """Return the weights that training begins with: 1, and 0 for pairs within a one-hot field.

    Those of pairs that do not interact are 0, too.

    A field of which no row has several features has no pairs within, so there is nothing to learn.
    """
    within = dataset.fields_with_pairs(fields, number_of(fields))
    weights = chosen_weights(pairs, len(within)).astype(dataset.dtype)
    weights[np.diag_indices(len(within))] *= within
    return weights


def number_of(fields: Fields) -> int:
    """Return the number of fields, if it is not too large."""
    n_fields = int(fields.max(initial=0)) + 1
    if n_fields > MOST_FIELDS:
        raise ValueError(
            f"{n_fields} fields are too many: a row costs their square, so variants and pairs "
            f"need at most {MOST_FIELDS}; the columns of a table are fields, their values are not"
        )
    return n_fields


def with_fields(dataset: Dataset, start: Start) -> tuple[Dataset, Start]:
    """Return a dataset that has fields, and the start of a model with fields of its rows."""
    model, fields = start.model, dataset.fields
    if isinstance(model, FieldModel):
        if fields is not None and not np.array_equal(fields, model._checked_fields()):
            raise ValueError("fields are others than those of init: leave fields out")
        return replace(dataset, fields=model._checked_fields()), start
    dataset = with_found_fields(dataset, f"variant={start.variant!r}, or pairs,")
    fields = dataset.fields
    assert fields is not None
    _check_pairs(start.pairs, number_of(fields))
    if start.variant == "ffm":
        check_width(len(fields), start.rank, dataset.dtype.itemsize, fields=number_of(fields))
    if model is not None:
        if start.variant == "ffm":
            model = _aware(model, dataset, fields)
        else:
            model = _weighted(model, dataset, fields, start.pairs)
    return dataset, replace(start, model=model)


def with_found_fields(dataset: Dataset, what: str) -> Dataset:
    """Return a dataset that has fields, those of its one-hot rows if none are given.

    Raises
    ------
    ValueError
        If there are none. `what` needs them.
    """
    if dataset.fields is not None:
        return dataset
    fields = one_hot_fields_of(dataset.training_rows())
    if fields is None:
        raise ValueError(
            f"{what} needs fields, the number of the field of each column of X (X is not one-hot, "
            "which would tell)"
        )
    return replace(dataset, fields=fields)


def _check_pairs(pairs: Pairs | None, n_fields: int) -> None:
    largest = max(pairs or [(0, 0)], key=lambda pair: pair[1])[1]
    if largest >= n_fields:
        raise ValueError(f"pairs names field {largest}, but there are {n_fields}, from 0 on")


def _weighted(
    model: Model, dataset: Dataset, fields: Fields, pairs: Pairs | None
) -> FieldWeightedModel:
    """Return the model that a factorization machine is where all weights are one."""
    R = first_weights(dataset, fields, pairs).astype(model.dtype)
    parts = model.w0, model.w, model.V, model.task, model.loss
    return FieldWeightedModel(*parts, fields=fields, R=R)


def _aware(model: Model, dataset: Dataset, fields: Fields) -> FieldAwareModel:
    """Return the model that a factorization machine is where the factors for all fields agree."""
    within = dataset.fields_with_pairs(fields, number_of(fields))
    V = np.repeat(model.V[:, None], len(within), axis=1)
    V[np.arange(len(fields)), fields] *= within[fields, None]
    return FieldAwareModel(model.w0, model.w, V, model.task, model.loss, fields=fields)
