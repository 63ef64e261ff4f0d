"""Files and streams where `train` takes matrices."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import Any, NamedTuple

import numpy as np

from sparsefm.files.cache import StoredRows, is_file_of_rows
from sparsefm.files.detecting import Form
from sparsefm.files.paths import as_paths, names_files
from sparsefm.files.reading import joined, parse
from sparsefm.files.rows import Expected, FieldTable
from sparsefm.files.storing import Draft, draft_of, is_stream, joint_fields, spooled


class Sources(NamedTuple):
    """Arguments of `train` that are matrices and targets, and what else files hold."""

    X: Any
    y: Any
    X_val: Any
    y_val: Any
    fields: Any = None
    weights: Any = None
    folder: str | None = None

    def weights_with(self, sample_weight: Any) -> Any:
        """Return the weights of the rows, of which there may be only one kind."""
        if self.weights is not None and sample_weight is not None:
            raise ValueError("sample_weight must be None: X yields the weights of its rows")
        return sample_weight if self.weights is None else self.weights


def read_sources(
    X: Any,
    y: Any,
    X_val: Any,
    y_val: Any,
    dtype: np.dtype[Any],
    threads: int,
    *,
    in_memory: bool = True,
) -> Sources:
    """Return the arguments of `train`, of which `X` and `X_val` may name files, or be streams.

    If both do, they have the same features: as many as the largest index of both says, and indices
    begin with 0 in both or with 1 in both. A feature has the same field in both. Files of `X_val`
    beside a matrix `X` are refused: they do not tell for sure where the indices begin.

    Parameters
    ----------
    X, y, X_val, y_val, dtype, threads
        Of `train`.
    in_memory : bool
        Whether the rows of files are read into memory. Otherwise they are mapped, as those of
        streams are.
    """
    outside = {"X": names_files(X) or is_stream(X), "X_val": names_files(X_val) or is_stream(X_val)}
    arguments = ("X", X, "y", y), ("X_val", X_val, "y_val", y_val)
    for name, value, target, given in arguments:
        if outside[name] and given is not None:
            what = "names files: they hold" if names_files(value) else "is a stream: it yields"
            raise ValueError(f"{target} must be None if {name} {what} the targets")
    if names_files(X_val) and not outside["X"]:
        raise ValueError(
            "X_val names files, but X is a matrix, so only a guess would tell which of its columns "
            "an index means: read both with sparsefm.read, with the same n_features and zero_based"
        )
    if not outside["X"] and y is None:
        raise ValueError("y is missing: pass the targets of X, or the path of a file as X")
    if not any(outside.values()):
        return Sources(X, y, X_val, y_val)
    files = {name: value for name, value, _, _ in arguments if outside[name]}
    expected = Expected(dtype, None, None, 0, in_train=True)
    if in_memory and not any(_is_stored(value, name) for name, value in files.items()):
        return _in_memory(files, y, X_val, y_val, expected, threads)
    stored = _in_files(files, expected, threads, keep=not in_memory)
    widths = [one.description.n_features for one in stored.values()]
    if len(set(widths)) > 1 and all(one.description.format == "matrix" for one in stored.values()):
        raise ValueError(f"X has {widths[0]} features, but X_val has {widths[1]}")
    n_features = max(widths)
    matrices = {name: one.matrix(n_features) for name, one in stored.items()}
    fields = joint_fields(stored.values(), n_features)
    if "X_val" in stored:
        X_val, y_val = matrices["X_val"], stored["X_val"].y
    if "X" not in stored:
        return Sources(X, y, X_val, y_val)
    training = stored["X"]
    folder = None if is_stream(X) else os.path.dirname(os.path.abspath(training.path))
    return Sources(matrices["X"], training.y, X_val, y_val, fields, training.weights, folder)


def _is_stored(value: Any, name: str) -> bool:
    """Return whether an argument is a stream, or names a file of rows."""
    return is_stream(value) or any(map(is_file_of_rows, as_paths(value, name)))


def _in_memory(
    given: dict[str, Any], y: Any, X_val: Any, y_val: Any, expected: Expected, threads: int
) -> Sources:
    """Return the rows of text, read into memory."""
    paths = {name: as_paths(value, name) for name, value in given.items()}
    table = FieldTable()
    parts = {name: parse(found, expected, threads, None, table) for name, found in paths.items()}
    zero_based = _begin_with_zero([rows.zero_based for rows in parts.values()])
    n_features = max(rows.n_features(zero_based) for rows in parts.values())
    data = {name: joined(rows, zero_based, n_features, threads) for name, rows in parts.items()}
    if "X_val" in data:
        X_val, y_val = data["X_val"].X, data["X_val"].y
    return Sources(data["X"].X, data["X"].y, X_val, y_val, data["X"].fields)


def _in_files(
    given: dict[str, Any], expected: Expected, threads: int, *, keep: bool
) -> dict[str, StoredRows]:
    """Return the rows in files, which are made if they are not there."""
    with ExitStack() as opened:
        drafts = {
            name: draft_of(value, name, expected, threads, opened, keep=keep)
            for name, value in given.items()
        }
        known = [_where_indices_begin(draft) for draft in drafts.values()]
        zero_based = _begin_with_zero(known)
        for name, draft in drafts.items():
            own = draft.stored is not None and draft.about.format != "matrix"
            if own and draft.about.zero_based != zero_based and draft.about.lowest >= 0:
                drafts[name] = _anew(draft, name, given[name], expected, threads, opened)
        return {name: draft.finish(zero_based=zero_based) for name, draft in drafts.items()}


def _where_indices_begin(draft: Draft) -> bool | None:
    """Return whether indices begin with 0, as far as these rows tell; None: there is no index."""
    about = draft.about
    if about.format == "matrix" or about.lowest < 0:
        return None
    if draft.stored is not None and draft.path is None:  # as it was converted
        return about.zero_based
    return about.lowest == 0


def _begin_with_zero(known: list[bool | None]) -> bool:
    found = set(known) - {None}
    return True in found or not found


def _anew(
    draft: Draft, name: str, value: Any, expected: Expected, threads: int, opened: ExitStack
) -> Draft:
    """Return the rows of texts again, whose file counts indices from elsewhere."""
    if draft.path is None:
        raise ValueError(
            f"{name} is a file of rows in which indices begin with "
            f"{0 if draft.about.zero_based else 1}, but those of the other file do not: convert "
            "both with the same zero_based"
        )
    paths, sources = as_paths(value, name), draft.about.sources
    return spooled(paths, Form(None), expected, threads, opened, path=draft.path, sources=sources)
