"""What all partitions together know of their rows before the first round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from sparsefm.data.dataset import Dataset
from sparsefm.distributed.rounds import occurrences, sharing
from sparsefm.training.resuming import checksum_of


@dataclass(frozen=True, eq=False)
class Summary:
    """Statistics of the rows of one partition, or of several.

    Attributes
    ----------
    dtype : dtype
        Type of the arithmetic.
    fields : ndarray of int32, shape (d,), or None
    counts, squares : csr_matrix of float32, shape (blocks, d)
        Sums over the partitions: how many rows of a block have each feature, and the squares.
    rows : ndarray of int64, shape (blocks,)
    weight : float
    targets : ndarray of shape (outputs,)
        Sums of weight times target.
    classes : ndarray of shape (n_classes,)
        The weight of each class, if the one target are their numbers.
    with_pairs : ndarray of bool, shape (F,)
        The fields of which some row has two features.
    checksum : int
        Of all rows: a sum of those of the partitions' blocks.
    """

    dtype: np.dtype[Any]
    fields: npt.NDArray[np.int32] | None
    counts: sp.csr_matrix
    squares: sp.csr_matrix
    rows: npt.NDArray[np.int64]
    weight: float
    targets: npt.NDArray[np.float64]
    classes: npt.NDArray[np.float64]
    with_pairs: npt.NDArray[np.bool_]
    checksum: int

    @classmethod
    def of(cls, blocks: Sequence[Dataset | None]) -> Summary:
        """Return that of a partition, which has rows in at least one of its blocks."""
        present = [block for block in blocks if block is not None]
        first = present[0]
        nothing = sp.csr_matrix((1, first.n_features))
        counts = sp.vstack(
            [nothing if one is None else sp.csr_matrix(occurrences(one)[None]) for one in blocks],
            format="csr",
            dtype=np.float32,  # they are the most that the driver has to hold, but for the model
        )
        fields = np.zeros(0, np.int32) if first.fields is None else first.fields
        with_pairs = np.zeros(int(fields.max(initial=-1)) + 1, bool)
        for block in present if len(fields) else ():
            with_pairs |= block.fields_with_pairs(fields, len(with_pairs))
        weights = np.array([block.total_weight for block in present])
        return cls(
            first.dtype,
            first.fields,
            counts,
            counts.multiply(counts).tocsr(),
            np.array([0 if block is None else len(block.rows) for block in blocks]),
            float(weights.sum()),
            _total(weights, [block.target_means() for block in present]),
            _total(weights, [block.class_shares() for block in present])
            if first.n_classes > 1
            else np.zeros(0),
            with_pairs,
            sum(checksum_of(block) for block in present),
        )

    def joined(self, other: Summary) -> Summary:
        """Return that of the rows of both."""
        return Summary(
            self.dtype,
            self.fields,
            self.counts + other.counts,
            self.squares + other.squares,
            self.rows + other.rows,
            self.weight + other.weight,
            self.targets + other.targets,
            self.classes + other.classes,
            self.with_pairs | other.with_pairs,
            self.checksum + other.checksum,
        )

    def sharing(self, block: int) -> npt.NDArray[np.float32]:
        """Return by how many partitions each feature is met in the round of a block: (d,)."""
        counts, squares = (part[[block]].toarray()[0] for part in (self.counts, self.squares))
        return sharing(counts, squares)

    # --- what a model begins with; see `Beginning` ------------------------------------------------

    @property
    def n_features(self) -> int:
        """Number of features d."""
        return int(self.counts.shape[1])

    @property
    def used_features(self) -> npt.NDArray[np.int64]:
        """The features that occur in a row, ascending."""
        return np.flatnonzero(self.counts.getnnz(axis=0))

    def target_means(self) -> list[float]:
        """Return the weighted mean of the targets of each output."""
        return [float(mean) for mean in self.targets / self.weight]

    def class_shares(self) -> npt.NDArray[np.float64]:
        """Return the share of the weight of each class, shape (n_classes,)."""
        return self.classes / self.weight

    def fields_with_pairs(
        self, fields: npt.NDArray[np.integer[Any]], n_fields: int
    ) -> npt.NDArray[np.bool_]:
        """Return for each field whether some row has two features of it, shape (F,)."""
        return self.with_pairs


def _total(weights: npt.NDArray[np.float64], parts: list[Any]) -> npt.NDArray[np.float64]:
    """Return the weighted sum of parts, from the first to the last on every processor."""
    pairs = zip(weights, parts, strict=True)
    return np.asarray(sum(weight * np.asarray(part) for weight, part in pairs))
