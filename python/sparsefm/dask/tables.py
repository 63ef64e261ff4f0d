"""From Dask's collections to tables, each on the worker that has the rows."""

from __future__ import annotations

from typing import Any

import dask
import dask.array
import dask.dataframe
import numpy as np
import pyarrow as pa
import scipy.sparse as sp

from sparsefm.distributed.columns import OWN, Columns, as_vectors

VECTOR, TARGET, WEIGHT, VALIDATION = "vector", f"{OWN}y", f"{OWN}sample_weight", f"{OWN}eval_set"


def partitions_of(collection: Any, name: str) -> list[Any]:
    """Return the parts of rows of a Dask DataFrame, Series or array, each delayed."""
    if isinstance(collection, dask.array.Array):
        if collection.ndim == 2 and collection.numblocks[1] > 1:
            collection = collection.rechunk({1: -1})
        return list(collection.to_delayed().ravel())
    if isinstance(collection, dask.dataframe.DataFrame | dask.dataframe.Series):
        return list(collection.to_delayed())
    raise TypeError(
        f"{name} must be a Dask DataFrame, Series or array, got {type(collection).__name__}: use "
        "the estimator of the same name without Dask for rows in memory"
    )


def delayed_tables(
    X: Any, y: Any, sample_weight: Any, *, weighted: bool, is_validation: bool
) -> list[Any]:
    """Return a delayed table for each part of rows: columns of X, target, weight, validation."""
    of_X, of_y = partitions_of(X, "X"), partitions_of(y, "y")
    of_weights = [None] * len(of_X)
    if sample_weight is not None:
        of_weights = partitions_of(sample_weight, "sample_weight")
    for name, parts in (("y", of_y), ("sample_weight", of_weights)):
        if len(parts) != len(of_X):
            raise ValueError(
                f"X has {len(of_X)} partitions, but {name} has {len(parts)}: repartition one of "
                "them, so that rows that belong together are in the same partition"
            )
    make = dask.delayed(as_table, pure=False)
    return [
        make(*part, weighted=weighted, is_validation=is_validation)
        for part in zip(of_X, of_y, of_weights, strict=True)
    ]


def as_table(X: Any, y: Any, weights: Any, *, weighted: bool, is_validation: bool) -> Any:
    """Return the rows of one part as a `pyarrow.Table`."""
    columns: dict[str, Any]
    if sp.issparse(X):
        columns = {VECTOR: as_vectors(sp.csr_matrix(X))}
    elif hasattr(X, "columns"):
        found = pa.Table.from_pandas(X, preserve_index=False)
        columns = dict(zip(map(str, X.columns), found.columns, strict=True))
    else:
        columns = {f"x{number}": column for number, column in enumerate(np.asarray(X).T)}
    n_rows = X.shape[0]
    if weighted and weights is None:
        weights = np.ones(n_rows)
    for name, values in ((TARGET, y), (WEIGHT, weights)):
        if values is None:
            continue
        shown = name.removeprefix(OWN)
        if len(values) != n_rows:
            raise ValueError(f"a partition of X has {n_rows} rows, but of {shown} {len(values)}")
        if hasattr(X, "index") and hasattr(values, "index") and not X.index.equals(values.index):
            raise ValueError(f"X and {shown} have rows of another index in the same partition")
        columns[name] = pa.array(np.ravel(values) if values.ndim > 1 else values)
    columns[VALIDATION] = np.full(n_rows, is_validation)
    return pa.table(columns)


def columns_of(X: Any, *, weighted: bool, validated: bool) -> Columns:
    """Return which columns the tables have that are made of X."""
    features: tuple[str, ...]
    is_vector = False
    are_named = isinstance(X, dask.dataframe.DataFrame)
    if are_named:
        features = tuple(map(str, X.columns))
    else:
        is_vector = sp.issparse(X._meta)
        features = (VECTOR,) if is_vector else tuple(f"x{n}" for n in range(X.shape[1]))
    weight = WEIGHT if weighted else None
    validation = VALIDATION if validated else None
    return Columns(features, TARGET, weight, validation, is_vector, are_named)
