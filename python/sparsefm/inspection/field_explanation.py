"""Explanations by field: how far each column of a table moves a score from that of the average."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from sparsefm.data.validation import check_integer
from sparsefm.encoding.columns import text
from sparsefm.encoding.tables import Column, Dates, Labels, Lists, Numbers
from sparsefm.inspection.explanation import describe_parts
from sparsefm.inspection.fields import NUMBERS_AT_ONCE, check_fields, sums_by_field
from sparsefm.inspection.formula import Formula

Array = npt.NDArray[Any]

MAX_NUMBERS = 50_000_000  # contributions of 8 bytes each


@dataclass(frozen=True, eq=False, repr=False)
class FieldExplanation:
    """The scores of rows, split into what each field and each pair of fields adds to the average.

    A field is a column of the table that the estimator was fitted on. ``print`` shows the strongest
    parts of the score of the first row.

    Attributes
    ----------
    average : float
        The score of the average row of the background, whose fields are independent of each other.
    single : ndarray of float64, shape (n, F)
        What each field changes if the others are as in the average row.
    pairs : ndarray of float64, shape (n, P)
        What two fields change together beyond what both change alone.
    first, second : ndarray of int, shape (P,)
        The two fields of each pair. There are none if the model has rank 0.
    names : ndarray of str, shape (F,)
        The names of the fields.
    cells : list of columns
        What the rows hold, for `labels`.
    """

    average: float
    single: npt.NDArray[np.float64]
    pairs: npt.NDArray[np.float64]
    first: npt.NDArray[np.intp]
    second: npt.NDArray[np.intp]
    names: Array
    cells: list[Column]

    @property
    def scores(self) -> npt.NDArray[np.float64]:
        """The score of each row, shape (n,): the average and all parts, added up.

        For a classifier fitted with `Gibbs` it is the mean of the samples' probit scores, which is
        not its ``decision_function``.
        """
        return np.asarray(self.average + self.single.sum(axis=1) + self.pairs.sum(axis=1))

    @property
    def contributions(self) -> npt.NDArray[np.float64]:
        """What each field adds to the average in all, shape (n, F); they add up to the score.

        A field has half of each of its pairs. These are the Shapley values of the fields, where a
        field that is left out is drawn from the background, independently of the others.
        """
        totals: Array = self.single.copy()
        for field in range(len(self.names)):
            of_field = (self.first == field) | (self.second == field)
            totals[:, field] += self.pairs[:, of_field].sum(axis=1) / 2
        return totals

    def __len__(self) -> int:
        return len(self.single)

    def labels(self, row: int = 0) -> list[str]:
        """Return the names of the fields with what the row holds, such as "city=Rome"."""
        self._check_row(row)
        return [
            f"{name}={_shown(column, row)}"
            for name, column in zip(self.names, self.cells, strict=True)
        ]

    def to_dict(self, row: int = 0) -> dict[str, Array]:
        """Return every part of the score of a row, the strongest first.

        Parameters
        ----------
        row : int
            Number of the row among the explained rows, from 0.

        Returns
        -------
        dict of ndarray
            Columns of equal length: "part" ("average", "single" or "pair"), "first" and "second"
            (names of fields, or "") and "contribution".
        """
        self._check_row(row)
        return self._parts(row, self.names)

    def describe(self, row: int = 0, top: int = 10) -> str:
        """Return the score of a row and its `top` strongest parts as lines of text."""
        labels = np.array(self.labels(row), object)
        return describe_parts(self._parts(row, labels), "(average row)", row, top)

    def _parts(self, row: int, names: Array) -> dict[str, Array]:
        n_fields, n_pairs = len(names), len(self.first)
        contribution = np.concatenate([[self.average], self.single[row], self.pairs[row]])
        order = np.argsort(-np.abs(contribution), kind="stable")
        parts = np.repeat(["average", "single", "pair"], [1, n_fields, n_pairs])
        nothing = np.full(1 + n_fields, "", object)
        return {
            "part": parts[order],
            "first": np.concatenate([nothing[:1], names, names[self.first]])[order],
            "second": np.concatenate([nothing, names[self.second]])[order],
            "contribution": contribution[order],
        }

    def _check_row(self, row: int) -> None:
        check_row(row, len(self))

    def __str__(self) -> str:
        if not len(self):
            return repr(self)
        more = f"\n(and {len(self) - 1:,} more rows: describe(row))" if len(self) > 1 else ""
        return self.describe() + more

    def __repr__(self) -> str:
        return f"FieldExplanation({len(self)} rows, {len(self.names)} fields)"


def check_row(row: int, n_rows: int) -> None:
    """Raise unless there is such a row."""
    if not check_integer(row, "row", 0) < n_rows:
        raise ValueError(f"row must be less than {n_rows}, the rows explained; got {row}")


class Background:
    r"""Splits scores by field, against the average row of a background.

    Field a contributes :math:`g_a = \sum_{i \in a} w_i x_i + \sum_{i<j \in a} \langle v_i, v_j
    \rangle x_i x_j` by itself, and with other fields by :math:`u_a = \sum_{i \in a} x_i v_i`. If
    pairs of fields have weights, :math:`\langle \cdot_a, \cdot_b \rangle` is times :math:`r_{ab}`
    here. With means over the background written as :math:`\bar g_a` and :math:`\bar u_a`, and
    differences from them as :math:`\tilde g_a` and :math:`\tilde u_a`, the score is

    .. math::

        w_0 + \sum_a \bar g_a + \sum_{a<b} \langle \bar u_a, \bar u_b \rangle
        + \sum_a \Bigl(\tilde g_a + \sum_{b \ne a} \langle \tilde u_a, \bar u_b \rangle\Bigr)
        + \sum_{a<b} \langle \tilde u_a, \tilde u_b \rangle.

    Parameters
    ----------
    formula : Formula
        With F fields.
    rows : csr_matrix of float64, shape (n, d)
        The background.
    """

    def __init__(self, formula: Formula, rows: sp.csr_matrix) -> None:
        self.interaction = interaction = formula.interaction
        self.fields, self.n_fields = interaction.fields, interaction.n_fields
        check_fields(self.n_fields)
        if rows.shape[0] == 0:
            raise ValueError("there must be at least one row to take the average of")
        self.w = np.asarray(formula.w, np.float64)[:, None]
        self.V = np.asarray(formula.V, np.float64)
        # Twice what a feature would add with itself.
        self.sizes = np.sum(interaction.own[self.fields] * self.V**2, axis=1, keepdims=True)
        average = sp.csr_matrix(rows.mean(axis=0))
        self.center = sums_by_field(average, self.V, self.fields, self.n_fields)[0]
        own = sum(self._own(u, X).sum(axis=0) for _, X, u in self._blocks(rows))
        self.own = np.asarray(own) / rows.shape[0]
        self.others = interaction.others(self.center)  # the average row without each field
        self.average = float(formula.w0 + self.own.sum() + np.sum(self.center * self.others) / 2)

    def split(self, X: sp.csr_matrix) -> tuple[Array, Array, Array, Array]:
        """Return `single`, `pairs`, `first` and `second` of a `FieldExplanation`."""
        n_fields = self.n_fields if self.V.shape[1] else 0
        first, second = np.triu_indices(n_fields, k=1)
        width = self.n_fields + len(first)
        if X.shape[0] * width > MAX_NUMBERS:
            raise ValueError(
                f"the {X.shape[0]:,} rows of X have {width:,} fields and pairs of fields each, "
                f"more than {MAX_NUMBERS:,} in all: explain fewer rows at a time, such as "
                f"X[:{max(1, MAX_NUMBERS // width)}]"
            )
        single, pairs = np.empty((X.shape[0], self.n_fields)), np.empty((X.shape[0], len(first)))
        for rows, block, u in self._blocks(X):
            single[rows], difference = self._single(block, u)
            pairs[rows] = self.interaction.products(difference)[:, first, second]
        return single, pairs, first, second

    def importances(self, X: sp.csr_matrix) -> npt.NDArray[np.float64]:
        """Return the mean absolute contribution of each field over the rows of `X`, shape (F,)."""
        total = np.zeros(self.n_fields)
        for _, block, u in self._blocks(X):
            single, difference = self._single(block, u)
            others = self.interaction.others(difference)
            total += np.abs(single + np.sum(difference * others, axis=2) / 2).sum(axis=0)
        return np.asarray(total / X.shape[0])

    def _single(self, X: sp.csr_matrix, u: Array) -> tuple[Array, Array]:
        """Return what each field changes alone, and u less that of the average row."""
        difference = u - self.center
        return self._own(u, X) - self.own + np.sum(difference * self.others, axis=2), difference

    def _own(self, u: Array, X: sp.csr_matrix) -> Array:
        """Return g for each row and field."""
        linear = sums_by_field(X, self.w, self.fields, self.n_fields)[:, :, 0]
        squares = X.multiply(X).tocsr()
        selves = sums_by_field(squares, self.sizes, self.fields, self.n_fields)[:, :, 0]
        pairs = np.sum(self.interaction.own * u**2, axis=2)
        return np.asarray(linear + (pairs - selves) / 2)

    def _blocks(self, X: sp.csr_matrix) -> Iterator[tuple[slice, sp.csr_matrix, Array]]:
        """Yield some rows at a time: which, the rows and their u."""
        step = max(1, NUMBERS_AT_ONCE // (self.n_fields * max(self.V.shape[1], self.n_fields)))
        for begin in range(0, X.shape[0], step):
            rows = slice(begin, min(begin + step, X.shape[0]))
            yield rows, X[rows], sums_by_field(X[rows], self.V, self.fields, self.n_fields)


def active_columns(X: sp.csr_matrix, fields: Array, names: Array) -> Iterator[Lists]:
    """Yield, for each field, the names of the columns of `X` that are not zero in a row."""
    rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    values = names.tolist()
    for field in range(int(fields.max()) + 1):
        here = fields[X.indices] == field
        lengths = np.bincount(rows[here], minlength=X.shape[0])
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        yield Lists(indptr, Labels(X.indices[here], values))


def _shown(column: Column, row: int) -> str:
    """Return the text of a cell."""
    if isinstance(column, Numbers):
        number = float(column.values[row])
        if np.isnan(number):
            return "missing"
        return f"{number:.0f}" if number.is_integer() and abs(number) < 1e15 else f"{number:.6g}"
    if isinstance(column, Labels):
        code = column.codes[row]
        return "missing" if code < 0 else text(column.values[code])
    if isinstance(column, Dates):
        date = str(column.local[row])
        return "missing" if date == "NaT" else date.removesuffix("T00:00:00").replace("T", " ")
    codes = column.items.codes[column.indptr[row] : column.indptr[row + 1]].tolist()
    if codes == [-1]:
        return "missing"
    return ", ".join(text(column.items.values[code]) for code in codes) or "nothing"
