"""What all partitions together know of their rows before the first round."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from sparsefm.data.dataset import Dataset
from sparsefm.distributed.rounds import Counts, occurrences, sharing
from sparsefm.training.resuming import checksum_of

NO_ROWS = "no row is left to train on: all are held out for validation"


@dataclass(frozen=True, eq=False)
class Summary:
    """Statistics of rows.

    Attributes
    ----------
    dtype : dtype
        Type of the arithmetic.
    fields : ndarray of int32, shape (d,), or None
    counts : ndarray of shape (d,)
        How many rows have each feature.
    rows : ndarray of int64, shape (blocks,)
    weight : float
    targets : ndarray of shape (outputs,)
        Sums of weight times target.
    classes : ndarray of shape (n_classes,)
        The weight of each class, if the one target are their numbers.
    with_pairs : ndarray of bool, shape (F,)
        The fields of which some row has two features.
    checksum : int
        A sum of those of the partitions' blocks.
    shared : csr_matrix of float32, shape (blocks, d)
        What `sharing` is, where it is more than one.
    """

    dtype: np.dtype[Any]
    fields: npt.NDArray[np.int32] | None
    counts: Counts
    rows: npt.NDArray[np.int64]
    weight: float
    targets: npt.NDArray[np.float64]
    classes: npt.NDArray[np.float64]
    with_pairs: npt.NDArray[np.bool_]
    checksum: int
    shared: sp.csr_matrix | None = None

    @classmethod
    def of(cls, dataset: Dataset, block: int, n_blocks: int) -> Summary:
        """Return that of the rows of a cell."""
        fields = np.zeros(0, np.int32) if dataset.fields is None else dataset.fields
        n_fields, weight = int(fields.max(initial=-1)) + 1, dataset.total_weight
        rows = np.zeros(n_blocks, np.int64)
        rows[block] = len(dataset.rows)
        return cls(
            dataset.dtype,
            dataset.fields,
            occurrences(dataset),
            rows,
            weight,
            weight * np.array(dataset.target_means()),
            weight * dataset.class_shares() if dataset.n_classes > 1 else np.zeros(0),
            dataset.fields_with_pairs(fields, n_fields) if n_fields else np.zeros(0, bool),
            checksum_of(dataset),
        )

    @classmethod
    def of_groups(cls, groups: Sequence[tuple[range, Group | None]]) -> Summary:
        """Return that of all rows, given the groups of blocks in order; None has no rows."""
        if not any(group for _, group in groups):
            raise ValueError(NO_ROWS)
        whole = reduce(cls.joined, [group.whole for _, group in groups if group is not None])
        shared = [
            sp.csr_matrix((len(blocks), whole.n_features)) if group is None else group.shared
            for blocks, group in groups
        ]
        return replace(whole, shared=sp.vstack(shared, format="csr", dtype=np.float32))

    def joined(self, other: Summary) -> Summary:
        """Return that of the rows of both."""
        return Summary(
            self.dtype,
            self.fields,
            self.counts + other.counts,
            self.rows + other.rows,
            self.weight + other.weight,
            self.targets + other.targets,
            self.classes + other.classes,
            self.with_pairs | other.with_pairs,
            self.checksum + other.checksum,
        )

    def sharing(self, block: int) -> npt.NDArray[np.float32]:
        """Return by how many partitions each feature is met in the round of a block: (d,)."""
        assert self.shared is not None
        return np.asarray(np.maximum(self.shared[[block]].toarray()[0], 1))

    # --- what a model begins with; see `Beginning` ------------------------------------------------

    @property
    def n_features(self) -> int:
        """Number of features d."""
        return len(self.counts)

    @property
    def used_features(self) -> npt.NDArray[np.int64]:
        """The features that occur in a row, ascending."""
        return np.flatnonzero(self.counts)

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


@dataclass(frozen=True, eq=False)
class Group:
    """Statistics of some blocks, in one partition or in several.

    Attributes
    ----------
    whole : Summary
    counts, squares : csr_matrix of float32, shape (blocks of the group, d)
        Sums over the partitions: how many rows of a block have each feature, and the squares.
    """

    whole: Summary
    counts: sp.csr_matrix
    squares: sp.csr_matrix

    @classmethod
    def of(cls, cells: Iterable[tuple[int, Dataset]], blocks: range, n_blocks: int) -> Group:
        """Return that of the cells of a partition, at least one: their blocks and rows."""
        whole, counts = None, {}
        for block, dataset in cells:
            own = Summary.of(dataset, block, n_blocks)
            counts[block] = sp.csr_matrix(own.counts[None], dtype=np.float32)
            whole = own if whole is None else whole.joined(own)
        assert whole is not None
        nothing = sp.csr_matrix((1, whole.n_features), dtype=np.float32)
        met = sp.vstack([counts.get(block, nothing) for block in blocks], format="csr")
        return cls(whole, met, met.multiply(met).tocsr())

    def joined(self, other: Group) -> Group:
        """Return that of the partitions of both."""
        counts, squares = self.counts + other.counts, self.squares + other.squares
        return Group(self.whole.joined(other.whole), counts, squares)

    @property
    def shared(self) -> sp.csr_matrix:
        """See `Summary`."""
        found = self.counts.copy()
        found.data = sharing(self.counts.data, self.squares.data)
        found.data[found.data == 1] = 0
        found.eliminate_zeros()
        return found
