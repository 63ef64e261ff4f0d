r"""The score of a context with an item as an inner product.

The features of a row are those of its context and those of its item. With the sums by field of
both, :math:`S = S^c + S^i`, and T linear in S (see `sparsefm.interaction`), the score is

.. math::

    s = w_0 + g(c) + g(i) + \sum_a \langle S^i_a, T_a(S^c) \rangle,

where g is what the features of a part add among themselves. The sum is also :math:`\sum_a \langle
T_a(S^i), S^c_a \rangle`, so only the fields of one side matter: of the side that has fewer.
If all pairs of fields are alike, one vector holds the sum of all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from sparsefm.inspection.fields import sums_by_field
from sparsefm.inspection.formula import Formula
from sparsefm.interaction import Interaction

Array = npt.NDArray[Any]
Vectors = npt.NDArray[np.float64]

NUMBERS_AT_ONCE = 1 << 22  # bounds temporary arrays


@dataclass(frozen=True, eq=False)
class Split:
    """How a score is divided.

    Attributes
    ----------
    formula : Formula
        In float64.
    alone : ndarray of float64, shape (d,)
        What S and T have of each feature with itself.
    fields : ndarray of int
        The fields whose sums are multiplied.
    are_of_items : bool
        Whether these are the items', not the contexts'.
    """

    formula: Formula
    alone: Vectors
    fields: Array
    are_of_items: bool

    @classmethod
    def of(cls, formula: Formula, items: Array) -> Split:
        """Return that of a formula whose fields `items` are those of items."""
        interaction, fields, are_of_items = formula.interaction, items, True
        if type(interaction) is Interaction:
            interaction = Interaction(np.zeros_like(interaction.fields), 1)
            fields = np.zeros(1, int)
        else:
            others = np.setdiff1d(np.arange(interaction.n_fields), items)
            if len(others) < len(items):
                fields, are_of_items = others, False
        w, V = (np.asarray(part, np.float64) for part in (formula.w, formula.V))
        alone = np.sum(interaction.own[interaction.fields] * V**2, axis=1)
        return cls(Formula(formula.w0, w, V, interaction), alone, fields, are_of_items)

    @property
    def width(self) -> int:
        """The dimension D of the vectors."""
        return len(self.fields) * self.formula.rank

    def items(self, X: sp.csr_matrix) -> Iterator[tuple[Vectors, Vectors]]:
        """Yield the vectors (m, D) of some items, and what each adds by itself, (m,), in order."""
        return self._parts(X, is_linear=not self.are_of_items)

    def contexts(self, X: sp.csr_matrix) -> tuple[Vectors, Vectors]:
        """Return the vectors (n, D) of contexts, and their scores without an item, (n,)."""
        nothing = np.empty((0, self.width)), np.empty(0)
        parts = [nothing, *self._parts(X, is_linear=self.are_of_items)]
        vectors, own = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        return vectors, own + self.formula.w0

    def _parts(self, X: sp.csr_matrix, *, is_linear: bool) -> Iterator[tuple[Vectors, Vectors]]:
        """Yield sums or, if `is_linear`, the linear function T of them; and what a part adds."""
        V, interaction = self.formula.V, self.formula.interaction
        step = max(1, NUMBERS_AT_ONCE // max(1, interaction.n_fields * V.shape[1]))
        for begin in range(0, X.shape[0], step):
            rows = X[begin : begin + step]
            S = sums_by_field(rows, V, interaction.fields, interaction.n_fields)
            T = interaction.terms(S)
            pairs = np.einsum("nfk,nfk->n", S, T) - rows.multiply(rows) @ self.alone
            chosen = (T if is_linear else S)[:, self.fields]
            yield chosen.reshape(rows.shape[0], self.width), rows @ self.formula.w + pairs / 2
