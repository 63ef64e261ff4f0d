"""Files where estimators take rows: what a path names becomes a table or a matrix, once, in front.

With the name of a target column, files are tables; without targets they are sparse text, which has
them. Afterwards the model knows which of the two it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from sparsefm.data.validation import check_dtype
from sparsefm.encoding.categories import Categories
from sparsefm.encoding.multi import Multi
from sparsefm.errors import FileFormatError
from sparsefm.estimators.eval_sets import UNNAMED, named_sets
from sparsefm.files.cache import MATRIX
from sparsefm.files.fields import UNKNOWN
from sparsefm.files.paths import as_paths
from sparsefm.files.reading import SparseData, check_fields, read_together
from sparsefm.files.tables import NO_TYPES, Tables
from sparsefm.files.texts import SparseText, are_files, as_text, expectations
from sparsefm.threads import resolve_threads


class Sources(NamedTuple):
    """The arguments of `fit`, and what a text file tells besides."""

    X: Any
    y: Any
    sample_weight: Any
    eval_set: Any = None
    fields: npt.NDArray[np.int32] | None = None
    zero_based: bool | None = None


def training_rows(
    owner: Any, X: Any, y: Any, sample_weight: Any, eval_set: Any = None, *, go_on: bool
) -> Sources:
    """Return the arguments of `fit`, of which `X` and those in `eval_set` may name files.

    Parameters
    ----------
    owner : FMRegressor or FMClassifier
    X, y, sample_weight, eval_set
    go_on : bool
        Whether `owner` is fitted, and training goes on with what it knows of columns.
    """
    sets = {} if eval_set is None else _sets_in_files(eval_set)
    if not are_files(X):
        if sets:
            raise ValueError(
                "eval_set names files, but X is none: read its files with sparsefm.read_table or "
                "sparsefm.read, as X was"
            )
        return Sources(X, y, sample_weight, eval_set)
    if eval_set is not None and not sets:
        raise ValueError("X names files, but eval_set has rows: name the files of those, too")
    if isinstance(y, str):
        if isinstance(X, SparseText):
            raise TypeError(
                f"y must be None: X is sparse text, which has the targets; got {y!r:.80}"
            )
        found = {
            name: (_tables(paths, f"eval_set {name}".strip()), target, weight)
            for name, (paths, target, weight) in sets.items()
        }
        return tables_to_fit(owner, _tables(X, "X"), y, sample_weight, found, go_on=go_on)
    if y is not None:
        raise TypeError(
            "y must be the name of a column if X names files of a table, and None if they are "
            f"sparse text, which has the targets; got {type(y).__name__}"
        )
    return _from_text(owner, X, sample_weight, sets, go_on=go_on)


def scored_rows(owner: Any, X: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
    """Return rows, targets and weights for a fitted estimator; `X` may name files."""
    if not are_files(X):
        return X, y, sample_weight
    check_is_fitted(owner)
    if has_names(owner):
        files = _tables(X, "X")
        if not isinstance(y, str):
            raise TypeError(f"y must be the name of a column of the files, got {y!r:.80}")
        known = owner.feature_names_in_.tolist()
        types = {**text_columns(owner), **target_type(owner, y)}
        return table_parts(files, known, y, sample_weight, types)
    if y is not None:
        raise TypeError(f"y must be None: the files of X hold the targets; got {y!r:.80}")
    data = _known_text(owner, X)
    return data.X, as_targets(data), _weights_of(data, sample_weight)


def rows_in_memory(owner: Any, X: Any) -> Any:
    """Return `X`, or the rows in the files that it names, with the columns of the fit alone."""
    if not are_files(X):
        return X
    check_is_fitted(owner)
    if has_names(owner):
        return _tables(X, "X").read(owner.feature_names_in_.tolist(), text_columns(owner))
    return _known_text(owner, X).X


def _tables(value: Any, name: str) -> Tables:
    """Return the files of a table that an argument names."""
    if isinstance(value, SparseText):
        raise TypeError(f"{name} is sparse text, but the rows of the fit are those of a table")
    return Tables.of(value, argument=name)


def has_names(owner: Any) -> bool:
    """Return whether a fitted estimator knows its columns by name, so that files are tables."""
    return hasattr(owner, "feature_names_in_")


def text_columns(owner: Any) -> dict[str, Any]:
    """Return the type of the columns that were text in the fit: later files may look like numbers.

    A column of identifiers such as "007" and "A12" stays text where there is no A12.
    """
    import pyarrow as pa

    found = {}
    names, encodings = owner.feature_names_in_.tolist(), owner.encoder_._encodings
    for name, encoding in zip(names, encodings, strict=True):
        is_joined = isinstance(encoding, Multi) and encoding.separator is not None
        is_text = (
            isinstance(encoding, Categories)
            and len(encoding.vocabulary) > 0
            and isinstance(encoding.vocabulary.example(), str)
        )
        if is_joined or is_text:
            found[name] = pa.string()
    return found


def target_type(owner: Any, y: str) -> dict[str, Any]:
    """Return the type of the target column if classes are text, which may look like numbers."""
    import pyarrow as pa

    classes: Sequence[Any] = getattr(owner, "classes_", ())
    return {y: pa.string()} if len(classes) and isinstance(classes[0], str) else {}


def is_text(targets: Any) -> bool:
    """Return whether targets that were read from a table are text."""
    import pyarrow as pa

    return bool(getattr(targets, "type", None) == pa.string())


def _sets_in_files(eval_set: Any) -> dict[str, tuple[Any, Any, Any]]:
    """Return the sets, if they name files; if none does, nothing."""
    if are_files(eval_set) and not isinstance(eval_set, tuple):
        raise TypeError(
            "eval_set must be a tuple (path, name of the target column), or (path, None) if the "
            "files are sparse text"
        )
    try:
        sets = named_sets(eval_set)
    except (TypeError, ValueError):  # said again where it is looked at
        return {}
    in_files = [are_files(part[0]) for part in sets.values()]
    if any(in_files) and not all(in_files):
        raise ValueError("eval_set has some sets in files, and others not")
    return sets if any(in_files) else {}


def _as_eval_set(sets: Mapping[str, Any]) -> Any:
    return sets.get(UNNAMED, sets or None)


def tables_to_fit(
    owner: Any,
    files: Tables,
    y: str,
    sample_weight: Any,
    sets: Mapping[str, tuple[Tables, Any, Any]],
    *,
    go_on: bool,
    ignore: Sequence[str] = (),
) -> Sources:
    """Return the arguments of `fit`: all columns but targets and weights, and those to ignore."""
    import pyarrow as pa

    out = {y, *ignore, *([sample_weight] if isinstance(sample_weight, str) else [])}
    files.check([*ignore])
    known = owner.feature_names_in_.tolist() if go_on and has_names(owner) else []
    for name in known:
        if name in out:
            raise ValueError(
                f"column {name!r:.80} is a feature of the model to go on from, so it cannot be the "
                "target, the weights or left out: fit anew, or name another column"
            )
    columns = known + [name for name in files.all_columns if name not in {*known, *out}]
    types = {**text_columns(owner), **target_type(owner, y)} if known else {}
    rows, targets, weights = table_parts(files, columns, y, sample_weight, types)
    types |= {one.name: one.type for one in rows.schema if one.type == pa.string()}
    parts = {}
    for name, (other, target, weight) in sets.items():
        if not isinstance(target, str):
            raise TypeError(f"eval_set needs the name of a column as its y, got {target!r:.80}")
        of_target = {target: pa.string()} if is_text(targets) else {}
        parts[name] = table_parts(other, columns, target, weight, {**types, **of_target})
    return Sources(rows, targets, weights, _as_eval_set(parts))


def table_parts(
    files: Tables,
    columns: Sequence[str],
    y: str,
    sample_weight: Any = None,
    types: Mapping[str, Any] = NO_TYPES,
) -> tuple[Any, Any, Any]:
    """Return the rows of columns, the targets and the weights."""
    others = [y, *([sample_weight] if isinstance(sample_weight, str) else [])]
    table = files.read(list(dict.fromkeys([*columns, *others])), types)
    weights = _values(table[sample_weight]) if isinstance(sample_weight, str) else sample_weight
    return table.select(columns), _values(table[y]), weights


def _values(column: Any) -> Any:
    """Return a column as an array if that has the same values."""
    import pyarrow as pa

    plain = pa.types.is_primitive(column.type) and not pa.types.is_temporal(column.type)
    return column.to_numpy() if plain and not column.null_count else column


def _from_text(
    owner: Any, X: Any, sample_weight: Any, sets: Mapping[str, Any], *, go_on: bool
) -> Sources:
    """Return rows of the same features, by the same rules as `train` has for its files."""
    if isinstance(sample_weight, str):
        raise TypeError("sample_weight names a column, but y none: sparse text has no columns")
    for _, target, weight in sets.values():
        if target is not None or weight is not None:
            told = f"got {target!r:.80}" if target is not None else f"got weights {weight!r:.80}"
            raise TypeError(f"eval_set must be (path, None) where X is sparse text, {told}")
    named = {"X": X} | {f"eval_set {name}".strip(): part[0] for name, part in sets.items()}
    try:
        data = _read_text(owner, named, owner.dtype, go_on=go_on)
    except FileFormatError as error:
        if go_on or isinstance(X, SparseText):
            raise
        told = f"{error}; for a table, y must be the name of its target column"
        raise FileFormatError(told) from None
    check_one_kind(data, "eval_set and X")
    fields = joint_fields(owner if go_on else None, data)
    first, *others = data
    eval_sets = {
        name: (part.X, as_targets(part), part.weights)
        for name, part in zip(sets, others, strict=True)
    }
    return Sources(
        first.X,
        as_targets(first),
        _weights_of(first, sample_weight),
        _as_eval_set(eval_sets),
        fields,
        base_of(first),
    )


def _read_text(
    owner: Any, named: Mapping[str, Any], dtype: Any, *, go_on: bool, may_grow: bool = True
) -> list[SparseData]:
    """Return the rows of text files, with the features of the fit if there was one.

    Parameters
    ----------
    owner : FMRegressor or FMClassifier
    named : mapping of str to path or SparseText
        By the name of the argument.
    dtype : str or dtype
    go_on : bool
        Whether `owner` is fitted.
    may_grow : bool
        Whether there may be more features than in the fit.
    """
    base, width = None, 0
    texts = {name: as_text(value) for name, value in named.items()}
    if go_on:
        base, width = vars(owner).get("_zero_based"), owner.n_features_in_
        for text in texts.values():
            _check_told(text, base, width, may_grow=may_grow)
    real, exact = check_dtype(dtype), None if may_grow or not go_on else width
    expected = expectations(texts, real, base, exact)
    paths = {name: as_paths(text.path, name) for name, text in texts.items()}
    threads = resolve_threads(owner.n_threads)
    data = [*read_together(paths, expected, threads, width).values()]
    if go_on and all(one.zero_based is None for one in expected.values()):
        _refuse_guess(data, width)
    return data


def _check_told(text: SparseText, base: bool | None, width: int, *, may_grow: bool) -> None:
    """Refuse what is told of a text if the fit knows it, and otherwise."""
    told, count = text._begins_with_zero, text.n_features
    if None not in (told, base) and told != base:
        raise ValueError(
            f"zero_based is {told}, but indices of the fit begin with {0 if base else 1}"
        )
    if count is not None and (count < width or (count > width and not may_grow)):
        raise ValueError(f"n_features is {count}, but the fit had {width}")


def _refuse_guess(data: Sequence[SparseData], n_features: int) -> None:
    """Refuse text whose first index is not told, for an estimator fitted on a matrix."""
    if any(part.zero_based for part in data):
        return
    largest = max((int(part.X.indices.max()) + 1 for part in data if part.X.nnz), default=-1)
    if largest < n_features:
        raise ValueError(
            "X names files of text, but the estimator was fitted on a matrix, and no index is 0, "
            "so only a guess would tell which of its columns an index means: pass "
            "sparsefm.SparseText(path, zero_based=...)"
        )


def _weights_of(data: SparseData, sample_weight: Any) -> Any:
    """Return the weights of rows, of which there may be only one kind."""
    if data.weights is not None and sample_weight is not None:
        raise ValueError("sample_weight must be None: the file of X has the weights of its rows")
    return sample_weight if data.weights is None else data.weights


def known_fields(model: Any) -> npt.NDArray[Any] | None:
    """Return the field of each feature, as files of the training had it; None: there were none.

    Features that have not occurred are in field 0, too. They have no scale, or no parameters, and
    are `UNKNOWN`.
    """
    if not hasattr(model, "encoder_"):
        fields = getattr(model, "fields", None)
    elif model.encoder is not None and model.encoder.fields is not None:
        return None  # the user's own
    else:
        fields = model.encoder_._fields
    if fields is None:
        return None
    if hasattr(model, "encoder_"):
        occurs = model.encoder_._scales.values != 0
    else:
        occurs = np.any(model.w, axis=tuple(range(1, model.w.ndim)))
        occurs |= np.any(model.V, axis=tuple(range(1, model.V.ndim)))
    return np.where((fields == 0) & ~occurs, UNKNOWN, fields)


def joint_fields(owner: Any, data: Sequence[SparseData]) -> npt.NDArray[Any] | None:
    """Return the fields of training rows, the first, with those that others and `owner` know.

    That is the estimator to go on from, if there is one.
    """
    known = None if owner is None else known_fields(owner)
    for part in data:
        known = check_fields(part, known)
    return None if data[0].fields is None or known is None else np.maximum(known, 0)


def base_of(data: SparseData) -> bool | None:
    """Return whether indices of text begin with 0; None: rows of matrices have no text."""
    return None if data.format == MATRIX else data.zero_based


def check_one_kind(data: Sequence[SparseData], names: str) -> None:
    """Refuse text beside rows of matrices."""
    if len({one.format == MATRIX for one in data}) > 1:
        raise ValueError(
            f"{names} must both be text, or both rows of matrices that were converted: only a "
            "guess would tell which column an index means"
        )


def _known_text(owner: Any, X: Any) -> SparseData:
    """Return the rows of text files, with the features of the fit."""
    if not owner.encoder_._is_matrix:
        raise TypeError(
            f"X names files, but {type(owner).__name__} was fitted on columns without names: read "
            "them with sparsefm.read_table, and pass rows as those of the fit"
        )
    dtype = owner.encoder_.dtype
    (data,) = _read_text(owner, {"X": X}, dtype, go_on=True, may_grow=False)
    check_fields(data, known_fields(owner))
    return data


def as_targets(data: SparseData) -> npt.NDArray[Any]:
    """Return the targets; as integers if all are, such as the numbers of classes."""
    y = data.y
    is_whole = len(y) > 0 and bool((y == np.round(y)).all()) and np.abs(y).max() < 2**53
    return y.astype(np.int64) if is_whole else y
