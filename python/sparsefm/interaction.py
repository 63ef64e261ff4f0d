r"""How features of a row interact: the formulas of `cpp/core/interactions` for analysis in NumPy.

Every feature i has a field f(i), and a row the sums of its features' factors by field,
:math:`S_a = \sum_{i \in a} x_i v_i`. The pairs of features add

.. math::

    \tfrac12 \sum_a \langle S_a, T_a \rangle
    - \tfrac12 \sum_i x_i^2 \langle o_{f(i)} v_i, v_i \rangle

to the score. What the vectors T are, functions of S, and the weights o, tells one kind of machine
from another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

PAIRS_AT_ONCE = 1 << 20  # bounds temporary copies


@dataclass(frozen=True, eq=False)
class Interaction:
    """That of a factorization machine: all pairs of fields alike.

    Attributes
    ----------
    fields : ndarray of int, shape (d,)
        The field of each feature. The score does not depend on it, but its parts do.
    n_fields : int
        F.
    """

    fields: Array
    n_fields: int

    @property
    def own(self) -> Array:
        """The weights o of what a feature would add with itself, of shape (F, 1) or (F, k)."""
        return np.ones((self.n_fields, 1))

    def terms(self, S: Array) -> Array:
        """Return T of sums S, of shape (..., F, k)."""
        return np.broadcast_to(S.sum(axis=-2, keepdims=True), S.shape)

    def products(self, S: Array) -> Array:
        """Return what each two fields add to the score, shape (..., F, F), from sums S.

        The diagonal holds twice what pairs within a field add, and what features would add with
        themselves.
        """
        return np.asarray(S @ np.swapaxes(S, -1, -2))

    def vectors(self, V: Array) -> Array:
        """Return the factors of a model as an array (d, k)."""
        return V

    def others(self, S: Array) -> Array:
        """Return T without what the field itself adds to it."""
        return np.asarray(self.terms(S) - self.own * S)

    def pair_weights(self, V: Array, first: Array, second: Array) -> npt.NDArray[np.float64]:
        """Return what two features that are 1 add to the score, for each pair of columns."""
        weights = np.empty(len(first))
        for begin in range(0, len(first), PAIRS_AT_ONCE):
            part = slice(begin, begin + PAIRS_AT_ONCE)
            left, right = V[first[part]], V[second[part]]
            np.einsum("pf,pf->p", left, right, out=weights[part], dtype=np.float64)
        return weights


@dataclass(frozen=True, eq=False)
class FieldWeighted(Interaction):
    """That of a field-weighted machine.

    Attributes
    ----------
    R : ndarray of shape (F, F)
        The weight of each pair of fields.
    """

    R: Array

    @property
    def own(self) -> Array:
        """The weights o, of shape (F, 1)."""
        return np.diagonal(self.R)[:, None]

    def terms(self, S: Array) -> Array:
        """Return T of sums S, of shape (..., F, k)."""
        return np.asarray(self.R @ S)

    def products(self, S: Array) -> Array:
        """Return what each two fields add to the score, see `Interaction.products`."""
        return np.asarray(self.R * super().products(S))

    def pair_weights(self, V: Array, first: Array, second: Array) -> npt.NDArray[np.float64]:
        """Return what two features that are 1 add to the score, for each pair of columns."""
        weights = super().pair_weights(V, first, second)
        weights *= self.R[self.fields[first], self.fields[second]]
        return weights


@dataclass(frozen=True, eq=False)
class FieldAware(Interaction):
    """That of a field-aware machine: k holds a block of factors for each field, in this order.

    Attributes
    ----------
    size : int
        Of a block.
    """

    size: int

    def vectors(self, V: Array) -> Array:
        """Return factors (d, fields, size), perhaps of fewer fields, as an array (d, k)."""
        blocks = np.zeros((len(V), self.n_fields, self.size), V.dtype)
        blocks[:, : V.shape[1]] = V
        return blocks.reshape(len(V), self.n_fields * self.size)

    def _blocks(self, S: Array) -> Array:
        """Return sums as blocks, shape (..., F, F, size): those of each field for each field."""
        return S.reshape(*S.shape[:-1], self.n_fields, self.size)

    @property
    def own(self) -> Array:
        """The weights o, of shape (F, k): 1 in the block of the field itself."""
        return np.repeat(np.eye(self.n_fields), self.size, axis=1)

    def terms(self, S: Array) -> Array:
        """Return T of sums S, of shape (..., F, k)."""
        return np.swapaxes(self._blocks(S), -2, -3).reshape(S.shape)

    def products(self, S: Array) -> Array:
        """Return what each two fields add to the score, see `Interaction.products`."""
        blocks = self._blocks(S)
        return np.asarray(np.einsum("...abk,...bak->...ab", blocks, blocks))

    def pair_weights(self, V: Array, first: Array, second: Array) -> npt.NDArray[np.float64]:
        """Return what two features that are 1 add to the score, for each pair of columns."""
        weights, blocks = np.empty(len(first)), self._blocks(V)
        for begin in range(0, len(first), PAIRS_AT_ONCE):
            part = slice(begin, begin + PAIRS_AT_ONCE)
            i, j = first[part], second[part]
            left, right = blocks[i, self.fields[j]], blocks[j, self.fields[i]]
            np.einsum("pf,pf->p", left, right, out=weights[part], dtype=np.float64)
        return weights
