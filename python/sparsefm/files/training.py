"""Files and streams where `train` takes matrices."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sparsefm.files.cache import MATRIX, StoredRows, is_file_of_rows
from sparsefm.files.fields import FieldTable
from sparsefm.files.paths import as_paths
from sparsefm.files.reading import begin_with_zero, read_together
from sparsefm.files.rows import Expected
from sparsefm.files.storing import draft_of, is_stream, text_draft
from sparsefm.files.texts import are_files, as_text, expectations

Array = npt.NDArray[Any]


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
    outside = {"X": are_files(X) or is_stream(X), "X_val": are_files(X_val) or is_stream(X_val)}
    arguments = ("X", X, "y", y), ("X_val", X_val, "y_val", y_val)
    for name, value, target, given in arguments:
        if outside[name] and given is not None:
            what = "names files: they hold" if are_files(value) else "is a stream: it yields"
            raise ValueError(f"{target} must be None if {name} {what} the targets")
    if are_files(X_val) and not are_files(X):
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
    texts = {name: as_text(value) for name, value in files.items() if are_files(value)}
    expected = {**dict.fromkeys(files, Expected(dtype)), **expectations(texts, dtype)}
    paths = {name: as_paths(text.path, name) for name, text in texts.items()}
    are_stored = any(map(is_file_of_rows, (path for found in paths.values() for path in found)))
    if in_memory and len(texts) == len(files) and not are_stored:
        data = read_together(paths, expected, threads)
        if "X_val" in data:
            X_val, y_val = data["X_val"].X, data["X_val"].y
        return Sources(data["X"].X, data["X"].y, X_val, y_val, data["X"].fields)
    stored = _in_files(files, expected, threads, keep=not in_memory)
    widths = {
        name: max(one.description.n_features, expected[name].n_features or 0)
        for name, one in stored.items()
    }
    exact = any(one.description.format == MATRIX for one in stored.values())
    if exact and len(set(widths.values())) > 1:
        raise ValueError(f"X has {widths['X']} features, but X_val has {widths['X_val']}")
    n_features = max(widths.values())
    matrices = {name: one.matrix(n_features) for name, one in stored.items()}
    fields = _joint_fields(stored, n_features)
    if "X_val" in stored:
        if stored["X_val"].weights is not None:
            raise ValueError("X_val yields weights, but validation rows have none: leave them out")
        X_val, y_val = matrices["X_val"], stored["X_val"].y
    if "X" not in stored:
        return Sources(X, y, X_val, y_val)
    training = stored["X"]
    folder = os.path.dirname(os.path.abspath(paths["X"][0])) if "X" in paths else None
    return Sources(matrices["X"], training.y, X_val, y_val, fields, training.weights, folder)


def _in_files(
    given: Mapping[str, Any], expected: Mapping[str, Expected], threads: int, *, keep: bool
) -> dict[str, StoredRows]:
    """Return the rows in files, which are made if they are not there."""
    with ExitStack() as opened:
        drafts = {
            name: draft_of(value, name, expected[name], threads, opened, keep=keep)
            for name, value in given.items()
        }
        X_val = drafts.get("X_val")
        if X_val is not None and X_val.is_text and "X" in drafts and not drafts["X"].is_text:
            raise ValueError(
                "X_val is text, but X holds rows of matrices, so only a guess would tell which of "
                "their columns an index means: convert both from text, or both from matrices"
            )
        zero_based = begin_with_zero(draft.about.begins_with_zero for draft in drafts.values())
        for name, draft in drafts.items():
            if draft.stored is None or draft.about.begins_with_zero in (None, zero_based):
                continue
            if not draft.paths:
                draft.stored.n_features(zero_based)  # raises
            known = replace(expected[name], zero_based=zero_based)
            drafts[name] = text_draft(draft.paths, known, threads, opened, keep=keep)
        return {name: draft.finish(zero_based=zero_based) for name, draft in drafts.items()}


def _joint_fields(stored: Mapping[str, StoredRows], n_features: int) -> Array | None:
    """Return the field of each feature in any of some files; 0 for one that has none."""
    table, found = FieldTable(), False
    for one in stored.values():
        if one.fields is not None:
            table.join(one.fields, zero_based=one.description.zero_based, name=one.name)
            found = True
    zero_based = begin_with_zero(one.zero_based for one in stored.values())
    return table.of_features(n_features, zero_based=zero_based) if found else None
