"""Files where `train` takes matrices."""

from typing import Any, NamedTuple

import numpy as np

from sparsefm.files.paths import as_paths, names_files
from sparsefm.files.reading import joined, parse
from sparsefm.files.rows import Expected, FieldTable


class Sources(NamedTuple):
    """Arguments of `train` that are matrices and targets, and the fields of a libffm file."""

    X: Any
    y: Any
    X_val: Any
    y_val: Any
    fields: Any = None


def read_sources(
    X: Any, y: Any, X_val: Any, y_val: Any, dtype: np.dtype[Any], threads: int
) -> Sources:
    """Return the arguments of `train`, of which `X` and `X_val` may name files.

    If both do, they have the same features: as many as the largest index of both says, and indices
    begin with 0 in both or with 1 in both. A feature has the same field in both. Files of `X_val`
    beside a matrix `X` are refused: they do not tell for sure where the indices begin.
    """
    in_files = {"X": names_files(X), "X_val": names_files(X_val)}
    for name, target, given in (("X", "y", y), ("X_val", "y_val", y_val)):
        if in_files[name] and given is not None:
            raise ValueError(f"{target} must be None if {name} names files: they hold the targets")
    if in_files["X_val"] and not in_files["X"]:
        raise ValueError(
            "X_val names files, but X is a matrix, so only a guess would tell which of its columns "
            "an index means: read both with sparsefm.read, with the same n_features and zero_based"
        )
    if not in_files["X"] and y is None:
        raise ValueError("y is missing: pass the targets of X, or the path of a file as X")
    if not in_files["X"]:
        return Sources(X, y, X_val, y_val)
    paths = {
        name: as_paths(value, name)
        for name, value in (("X", X), ("X_val", X_val))
        if in_files[name]
    }
    expected, table = Expected(dtype, None, None, 0, in_train=True), FieldTable()
    parts = {name: parse(found, expected, threads, None, table) for name, found in paths.items()}
    found = {rows.zero_based for rows in parts.values()} - {None}
    zero_based = True in found or not found
    n_features = max(rows.n_features(zero_based) for rows in parts.values())
    data = {name: joined(rows, zero_based, n_features, threads) for name, rows in parts.items()}
    if "X_val" in data:
        X_val, y_val = data["X_val"].X, data["X_val"].y
    return Sources(data["X"].X, data["X"].y, X_val, y_val, data["X"].fields)
