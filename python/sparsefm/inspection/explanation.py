"""Explanations: a score is the sum of the bias, features and pairs of features."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from sparsefm.data.validation import check_integer
from sparsefm.inspection.formula import Formula

Array = npt.NDArray[Any]

MAX_PAIRS = 50_000_000  # at 20 bytes each, and about twice as much while they are computed
NAME_WIDTH = 60  # characters of the name of a contribution


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """The scores of rows, split into contributions that add up to them.

    ``print`` shows the strongest contributions to the score of the first row.

    Attributes
    ----------
    bias : float
        w_0, the same for every row.
    linear : csr_matrix of float64, shape (n, d)
        w_i x_i of each feature of a row.
    pairwise : dict of ndarray
        One entry for each pair of features i < j of a row, in the order of the rows:
        "row", "first", "second" (columns i and j) and "contribution", ``<v_i, v_j> x_i x_j``,
        times the weight of their fields if there is one.
    names : ndarray of str, shape (d,)
        Name of each feature.
    """

    bias: float
    linear: sp.csr_matrix
    pairwise: dict[str, Array]
    names: Array

    @property
    def scores(self) -> npt.NDArray[np.float64]:
        """The score of each row, shape (n,): the sum of its contributions.

        For a regressor that is the prediction. For a classifier it is the decision function: with
        logistic loss, the log-odds of the class. If the classifier was fitted with `Gibbs`, it is
        the mean of the samples' probit scores instead.
        """
        pairs = np.bincount(self.pairwise["row"], self.pairwise["contribution"], len(self))
        return np.asarray(self.bias + self.linear.sum(axis=1).A1 + pairs)

    def __len__(self) -> int:
        return int(self.linear.shape[0])

    def to_dict(self, row: int = 0) -> dict[str, Array]:
        """Return every contribution to the score of a row, the strongest first.

        Parameters
        ----------
        row : int
            Number of the row among the explained rows, from 0.

        Returns
        -------
        dict of ndarray
            Columns of equal length: "part" ("bias", "linear" or "pairwise"), "first" and "second"
            (names of features, or "") and "contribution".
        """
        if not check_integer(row, "row", 0) < len(self):
            raise ValueError(f"row must be less than {len(self)}, the rows explained; got {row}")
        begin, end = self.linear.indptr[row : row + 2]
        pairs = slice(*np.searchsorted(self.pairwise["row"], [row, row + 1]))  # rows are sorted
        i, j = self.pairwise["first"][pairs], self.pairwise["second"][pairs]
        single = self.names[self.linear.indices[begin:end]]
        nothing = np.full(1 + len(single), "", dtype=object)
        contribution = np.concatenate(
            [[self.bias], self.linear.data[begin:end], self.pairwise["contribution"][pairs]]
        )
        order = np.argsort(-np.abs(contribution), kind="stable")
        parts = np.repeat(["bias", "linear", "pairwise"], [1, len(single), len(i)])
        return {
            "part": parts[order],
            "first": np.concatenate([nothing[:1], single, self.names[i]])[order],
            "second": np.concatenate([nothing, self.names[j]])[order],
            "contribution": contribution[order],
        }

    def describe(self, row: int = 0, top: int = 10) -> str:
        """Return the score of a row and its `top` strongest contributions as lines of text."""
        return describe_parts(self.to_dict(row), "(bias)", row, top)

    def __str__(self) -> str:
        if not len(self):
            return repr(self)
        more = f"\n(and {len(self) - 1:,} more rows: describe(row))" if len(self) > 1 else ""
        return self.describe() + more

    def __repr__(self) -> str:
        pairs = len(self.pairwise["row"])
        return f"Explanation({len(self)} rows, {self.linear.nnz} features, {pairs} pairs)"


def describe_parts(columns: dict[str, Array], base: str, row: int, top: int) -> str:
    """Return the score of a row and the `top` first of its parts as lines of text.

    Parameters
    ----------
    columns : dict of ndarray
        "first", "second" and "contribution".
    base : str
        What the part without a name is called.
    row, top : int
    """
    check_integer(top, "top", 1)
    shown, score = columns["contribution"][:top], columns["contribution"].sum()
    labels = [
        (first or base) + (f" x {second}" if second else "")
        for first, second in zip(
            *(columns[key][:top].tolist() for key in ("first", "second")), strict=True
        )
    ]
    rest = len(columns["contribution"]) - len(shown)
    if rest:
        labels.append(f"({rest:,} others)")
        shown = np.append(shown, score - shown.sum())
    width = min(NAME_WIDTH, max(map(len, labels)))
    lines = [
        f"{value:+10.4f}  {label if len(label) <= width else label[: width - 3] + '...'}"
        for value, label in zip(shown, labels, strict=True)
    ]
    return "\n".join([*lines, f"{score:+10.4f}  = score of row {row}"])


def explain_rows(formula: Formula, X: sp.csr_matrix, names: Array) -> Explanation:
    """Split the scores of `X`.

    `X` is of float64 and shape (n, d), without duplicates or stored zeros and with sorted columns.
    """
    linear = X.copy()  # X may be the user's
    linear.data = formula.w[X.indices] * X.data
    left, right, row = _pairs_of_rows(X if formula.rank else X[:, :0])
    first, second = X.indices[left], X.indices[right]
    contribution = formula.interaction.pair_weights(formula.V, first, second)
    contribution *= X.data[left]
    contribution *= X.data[right]
    pairwise = {"row": row, "first": first, "second": second, "contribution": contribution}
    return Explanation(float(formula.w0), linear, pairwise, np.asarray(names, dtype=object))


def _pairs_of_rows(X: sp.csr_matrix) -> tuple[Array, Array, Array]:
    """Return the two entries and the row of each pair of entries that share a row."""
    lengths = np.diff(X.indptr).astype(np.int64)
    total = int((lengths * (lengths - 1) // 2).sum())
    if total > MAX_PAIRS:
        fewer = max(1, len(lengths) * MAX_PAIRS // total)
        raise ValueError(
            f"the {len(lengths):,} rows of X have {total:,} pairs of features, more than "
            f"{MAX_PAIRS:,}: explain fewer rows at a time, such as X[:{fewer}]"
        )
    ends = np.repeat(X.indptr[1:], lengths).astype(np.int32)
    entries = np.arange(X.indptr[-1], dtype=np.int32)
    followers = ends - entries - 1  # the entries after it in its row
    left = np.repeat(entries, followers)
    right = np.arange(1, total + 1, dtype=np.int32) + left
    right -= np.repeat(np.cumsum(followers, dtype=np.int32) - followers, followers)
    row = np.repeat(np.repeat(np.arange(len(lengths), dtype=np.int32), lengths), followers)
    return left, right, row
