"""The numbers of a state, divided into those of features and those that all rows share.

Each is a view whose first axis after the features' is the role: the parameter, then its moments.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.training.class_state import ClassState
from sparsefm.training.field_state import FieldState
from sparsefm.training.parameters import State

Array = npt.NDArray[Any]


def of_features(state: State | ClassState) -> list[Array]:
    """Return views of shape (d, 1 + moments, ...)."""
    if isinstance(state, ClassState):
        return [state.blocks]
    return [state.scalars[:, 1:], state.factors]


def of_all_rows(state: State | ClassState) -> list[Array]:
    """Return views of shape (1 + moments, ...)."""
    if isinstance(state, ClassState):
        return [state.bias[:, : state.n_classes], np.moveaxis(state.vectors, 1, 0)]
    if isinstance(state, FieldState):
        return [state.bias, state.blocks]
    return [state.bias]


def along(values: Array, array: Array) -> Array:
    """Return values, one for each entry of the first axis, such that they multiply an array."""
    return values.reshape(-1, *[1] * (array.ndim - 1))


def refresh(state: State | ClassState, features: npt.NDArray[np.int64] | None = None) -> None:
    """Make what a state keeps of its factors right, after those of all or some features changed."""
    if isinstance(state, State):
        state.refresh_norms(features)
