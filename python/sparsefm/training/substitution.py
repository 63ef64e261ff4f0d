r"""Parameters for features in other units, with the scores of all rows as they are.

If feature i is :math:`x_i = a x_i' + c` of the new :math:`x_i'`, then :math:`w_i` and :math:`v_i`
are multiplied by :math:`a`, and what is constant goes to the others: :math:`c w_i` to the bias and
:math:`c \langle v_i, v_j \rangle` to each :math:`w_j`. In rows where it is missing, :math:`x_i` is
zero before and after; there :math:`x_m = 1` instead, so :math:`w_m` and :math:`v_m` lose
:math:`c w_i` and :math:`c v_i`. What two features add to the score says an `Interaction`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.training.class_state import ClassState
from sparsefm.training.field_state import FieldState
from sparsefm.training.learner import Learner
from sparsefm.training.parameters import FEATURES_AT_ONCE, State

Array = npt.NDArray[Any]

WILD = 1e4  # times the size of a gradient


@dataclass(frozen=True, eq=False)
class Substitution:
    """New units of some features, ``x = factor * x' + offset``.

    Attributes
    ----------
    features : ndarray of int, shape (n,)
    missing : ndarray of int, shape (n,)
        The feature that is 1 in the rows in which the feature has no value; negative: there is
        none.
    factors, offsets : ndarray of float64, shape (n,)
    """

    features: Array
    missing: Array
    factors: Array
    offsets: Array


def in_units(learner: Learner, substitution: Substitution) -> Learner:
    """Return a model, with parameters of its own, for features in other units."""
    learner = learner.copy()
    starts = np.array(learner.hyperparameters.solver._moment_starts)
    for state in learner.states:
        _substitute(state, substitution)
        # The moments are of gradients, which were as large as the old values on average.
        sizes = np.hypot(substitution.factors, substitution.offsets)
        _scale_moments(state, substitution.features, sizes, starts)
    return learner


def with_target_scale(learner: Learner, factor: float, offset: float) -> Learner:
    """Return a model, with parameters of its own, of ``(score - offset) / factor``."""
    learner = learner.copy()
    starts = np.array(learner.hyperparameters.solver._moment_starts)
    for state in learner.states:
        assert isinstance(state, State)
        state.set_parameters(
            (float(state.bias[0]) - offset) / factor,
            (state.w.astype(np.float64) / factor).astype(state.w.dtype),
            (state.V.astype(np.float64) / np.sqrt(factor)).astype(state.w.dtype),
        )
        scales = _divisors(np.array([factor]), starts)
        state.bias[1:] = _scaled(state.bias[1:], starts, scales[0])
        state.scalars[:, 2:] = _scaled(state.scalars[:, 2:], starts, scales)
        scales = _divisors(np.array([factor**1.5]), starts)[:, :, None]
        state.factors[:, 1:] = _scaled(state.factors[:, 1:], starts[:, None], scales)
        if isinstance(state, FieldState):
            scales = _divisors(np.array([factor**2]), starts)[0, :, None, None]
            state.blocks[1:] = _scaled(state.blocks[1:], starts[:, None, None], scales)
    return learner


def _parts(state: State | ClassState) -> tuple[Array, Array, Array, Array]:
    """Return views of biases (C,), weights (d, C) and factors (d, k), and class vectors (C, k)."""
    if isinstance(state, ClassState):
        return state.w0, state.w, state.V, state.U.astype(np.float64)
    vectors = state.vectors
    return state.bias[:1], state.w[:, None], vectors, np.ones((1, vectors.shape[1]))


def _substitute(state: State | ClassState, given: Substitution) -> None:
    """Change the parameters."""
    biases, W, V, U = _parts(state)
    interaction = state.interaction
    field_of, own_weights = interaction.fields, interaction.own
    features, has_missing = given.features, given.missing >= 0
    missing = given.missing[has_missing]
    factors, offsets = given.factors[:, None], given.offsets[:, None]
    weights, vectors = W[features].astype(np.float64), V[features].astype(np.float64)
    own, fields = offsets * vectors, field_of[features]
    constants = np.zeros((interaction.n_fields, own.shape[1]))  # of the sums of x_i v_i by field
    np.add.at(constants, fields, own)
    terms = interaction.terms(constants)
    others = terms[fields] - own_weights[fields] * own  # a feature adds nothing with itself
    lacking = V[missing] - own[has_missing]
    weights_of_missing = W[missing] - (offsets * weights)[has_missing]
    selves = (own_weights[fields] * own**2).sum(axis=0)
    pairs = U @ ((constants * terms).sum(axis=0) - selves) / 2
    biases += ((offsets * weights).sum(axis=0) + pairs).astype(biases.dtype)
    for begin in range(0, len(W) if constants.any() else 0, FEATURES_AT_ONCE):
        part = slice(begin, begin + FEATURES_AT_ONCE)
        W[part] += ((V[part] * terms[field_of[part]]) @ U.T).astype(W.dtype)
    W[features] = factors * (weights + (vectors * others) @ U.T)
    V[features] = factors * vectors
    W[missing] = weights_of_missing + (lacking * others[has_missing]) @ U.T
    V[missing] = lacking
    if isinstance(state, State):
        state.refresh_norms()


def _scale_moments(state: State | ClassState, features: Array, sizes: Array, starts: Array) -> None:
    """Divide the moments of some features by powers of `sizes`."""
    scales = _divisors(sizes, starts)
    if isinstance(state, ClassState):
        blocks = state.blocks[features, 1:]
        state.blocks[features, 1:] = _scaled(blocks, starts[:, None], scales[:, :, None])
        return
    state.scalars[features, 2:] = _scaled(state.scalars[features, 2:], starts, scales)
    moments = state.factors[features, 1:]
    state.factors[features, 1:] = _scaled(moments, starts[:, None], scales[:, :, None])


def _divisors(sizes: Array, starts: Array) -> Array:
    """Return what moments of gradients are multiplied by, shape (n, moments).

    The last moment is of squares. Where sizes differ wildly, moments say nothing and begin anew.
    """
    powers = np.arange(3 - len(starts), 3)
    sane = (sizes > 1 / WILD) & (sizes < WILD)
    divisors = np.where(sane, sizes, 1.0)[:, None] ** -powers.astype(np.float64)
    return np.where(sane[:, None], divisors, 0.0)


def _scaled(moments: Array, starts: Array, scales: Array) -> Array:
    """Return moments, of which the initial value stays, in another unit."""
    return np.asarray(starts + (moments - starts) * scales)
