"""Files and streams where `train` takes matrices."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from sparsefm.files.cache import MATRIX, StoredRows, is_file_of_rows
from sparsefm.files.detecting import Form
from sparsefm.files.paths import as_paths, names_files
from sparsefm.files.reading import joined, parse
from sparsefm.files.rows import Expected, FieldTable
from sparsefm.files.storing import Draft, draft_of, is_stream, joint_fields, text_draft


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
    if names_files(X_val) and not names_files(X):
        raise ValueError(
            "X_val names files, but X is a matrix or a stream, so only a guess would tell which of "
            "its columns an index means: read both with sparsefm.read, with the same n_features "
            "and zero_based"
        )
    if not outside["X"] and y is None:
        raise ValueError(
            "y is missing: pass the targets of X, the path of a file as X, or an iterator of "
            "chunks, such as iter([(X, y)])"
        )
    if not any(outside.values()):
        return Sources(X, y, X_val, y_val)
    files = {name: value for name, value, _, _ in arguments if outside[name]}
    expected = Expected(dtype, None, None, 0, in_train=True)
    if in_memory and not any(_is_stored(value, name) for name, value in files.items()):
        return _in_memory(files, y, X_val, y_val, expected, threads)
    stored = _in_files(files, expected, threads, keep=not in_memory)
    widths = {name: one.description.n_features for name, one in stored.items()}
    exact = any(one.description.format == MATRIX for one in stored.values())
    if exact and len(set(widths.values())) > 1:
        raise ValueError(f"X has {widths['X']} features, but X_val has {widths['X_val']}")
    n_features = max(widths.values())
    matrices = {name: one.matrix(n_features) for name, one in stored.items()}
    fields = joint_fields(stored.values(), n_features)
    if "X_val" in stored:
        if stored["X_val"].weights is not None:
            raise ValueError("X_val yields weights, but validation rows have none: leave them out")
        X_val, y_val = matrices["X_val"], stored["X_val"].y
    if "X" not in stored:
        return Sources(X, y, X_val, y_val)
    training = stored["X"]
    found = as_paths(X, "X") if names_files(X) else []
    folder = os.path.dirname(os.path.abspath(found[0])) if found else None
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
        X_val = drafts.get("X_val")
        if X_val is not None and X_val.is_text and "X" in drafts and not drafts["X"].is_text:
            raise ValueError(
                "X_val is text, but X holds rows of matrices, so only a guess would tell which of "
                "their columns an index means: convert both from text, or both from matrices"
            )
        zero_based = _begin_with_zero([_where_indices_begin(draft) for draft in drafts.values()])
        for name, draft in drafts.items():
            others = draft.is_text and draft.about.lowest >= 0
            if draft.stored is None or not others or draft.about.zero_based == zero_based:
                continue
            if not draft.paths:
                raise ValueError(
                    f"{name} is a file of rows in which indices begin with "
                    f"{0 if draft.about.zero_based else 1}, but those of the other file do not: "
                    "convert both with the same zero_based"
                )
            known = replace(expected, zero_based=zero_based)
            drafts[name] = text_draft(draft.paths, Form(None), known, threads, opened, keep=keep)
        return {name: draft.finish(zero_based=zero_based) for name, draft in drafts.items()}


def _where_indices_begin(draft: Draft) -> bool | None:
    """Return whether indices begin with 0, as far as these rows tell; None: there is no index."""
    about = draft.about
    if not draft.is_text or about.lowest < 0:
        return None
    if draft.stored is not None and not draft.paths:  # as it was converted
        return about.zero_based
    return about.lowest == 0


def _begin_with_zero(known: list[bool | None]) -> bool:
    found = set(known) - {None}
    return True in found or not found
