"""Which columns of a table are what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from sparsefm.data.validation import as_weights

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Columns:
    """The names of the columns of a `pyarrow.Table` that a model is trained on.

    Parameters
    ----------
    features : tuple of str
    target : str
    weight : str, optional
    validation : str, optional
        A column of booleans: the rows where it is true are scored, not trained on.
    is_vector : bool
        Whether the one column of features has vectors: structs of "type" (0 if they are sparse),
        "size", "indices" and "values", as those of PySpark.
    are_named : bool
        Whether the names of features are the user's. If not, they are columns of one array.
    """

    features: tuple[str, ...]
    target: str
    weight: str | None = None
    validation: str | None = None
    is_vector: bool = False
    are_named: bool = True

    def __post_init__(self) -> None:
        names = [*self.features, *filter(None, (self.target, self.weight, self.validation))]
        twice = [name for place, name in enumerate(names) if name in names[:place]]
        if twice:
            raise ValueError(f"column {twice[0]!r} is given twice: it has one meaning")
        if not self.features:
            raise ValueError("there are no columns of features")

    def X(self, table: Any) -> Any:
        """Return the features: a table, an array of shape (n, m) or a sparse matrix (n, d)."""
        if self.is_vector:
            return as_matrix(table.column(self.features[0]), self.features[0])
        if self.are_named:
            return table.select(list(self.features))
        return np.column_stack([table.column(name).to_numpy() for name in self.features])

    def y(self, table: Any) -> Array:
        """Return the targets as the user has them, shape (n,)."""
        column = table.column(self.target)
        if column.null_count:
            missing = f"{column.null_count} rows without a value"
            raise ValueError(f"{_shown(self.target)}, the target, has {missing}: leave them out")
        return np.asarray(column.to_numpy())

    def weights(self, table: Any) -> npt.NDArray[np.float64] | None:
        """Return the weights of rows, shape (n,); None: all are one."""
        if self.weight is None:
            return None
        column = table.column(self.weight)
        if column.null_count:
            nulls = f"{column.null_count} rows without a value"
            raise ValueError(f"{_shown(self.weight)}, the weights, has {nulls}")
        numbers = column.to_numpy()
        if numbers.any():  # all rows of a part may have none
            as_weights(numbers, table.num_rows, np.dtype(np.float64), _shown(self.weight))
        return np.asarray(numbers, np.float64)

    def is_validation(self, table: Any) -> npt.NDArray[np.bool_]:
        """Return which rows are scored, not trained on, shape (n,)."""
        if self.validation is None:
            return np.zeros(table.num_rows, bool)
        column = table.column(self.validation)
        if str(column.type) != "bool" or column.null_count:
            raise ValueError(
                f"column {self.validation!r}, which says what rows are for validation, must have "
                f"true or false in every row, got type {column.type} and {column.null_count} nulls"
            )
        return np.asarray(column.to_numpy())


OWN = "sparsefm."  # begins the names of columns that users do not see


def _shown(name: str) -> str:
    """Return what errors call a column."""
    return name.removeprefix(OWN) if name.startswith(OWN) else f"column {name!r}"


def as_matrix(column: Any, name: str) -> sp.csr_matrix:
    """Return a column of vectors as a sparse matrix of shape (n, d)."""
    import pyarrow.compute as pc

    vectors = column.combine_chunks()
    if vectors.null_count:
        raise ValueError(f"column {name!r} has {vectors.null_count} nulls instead of vectors")
    kinds, sizes, indices, values = (
        pc.struct_field(vectors, part) for part in ("type", "size", "indices", "values")
    )
    is_sparse = np.asarray(kinds) == 0
    lengths = np.asarray(pc.list_value_length(values)).astype(np.int64)
    sizes = np.where(is_sparse, np.asarray(sizes.fill_null(0)), lengths)
    if (sizes != sizes[0]).any():
        raise ValueError(f"column {name!r} has vectors of sizes {sizes.min()} and {sizes.max()}")
    starts = np.cumsum(lengths) - lengths
    places = np.arange(lengths.sum()) - np.repeat(starts, lengths)
    places[np.repeat(is_sparse, lengths)] = np.asarray(indices.flatten())
    numbers = np.array(values.flatten(), np.float64)
    entries = numbers, places, np.append(starts, lengths.sum())
    matrix = sp.csr_matrix(entries, (len(sizes), int(sizes[0])))
    matrix.eliminate_zeros()
    return matrix


def as_vectors(X: sp.csr_matrix) -> Any:
    """Return a sparse matrix of shape (n, d) as a column of vectors."""
    import pyarrow as pa

    n_rows, size = X.shape
    offsets = X.indptr.astype(np.int32)
    return pa.StructArray.from_arrays(
        [
            pa.array(np.zeros(n_rows, np.int8)),
            pa.array(np.full(n_rows, size, np.int32)),
            pa.ListArray.from_arrays(offsets, X.indices.astype(np.int32)),
            pa.ListArray.from_arrays(offsets, X.data.astype(np.float64)),
        ],
        ["type", "size", "indices", "values"],
    )
