"""What all chains of a sampling share: the rows, in the form that the core takes."""

from __future__ import annotations

import logging
import zlib
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm import _core
from sparsefm.data.csr import take_rows, with_values
from sparsefm.data.dataset import Dataset, spread
from sparsefm.data.distinct import distinct_values
from sparsefm.data.validation import MOST_CLASSES
from sparsefm.sampling import normal
from sparsefm.sampling.groups import one_hot_fields, prior_groups
from sparsefm.sampling.relations import Relation, split

logger = logging.getLogger("sparsefm")

Array = npt.NDArray[Any]
Float = npt.NDArray[np.float64]

MANY_FEATURES = 50  # of a field in a row
COUNTED_ROWS = 2048  # to count the features of fields in
MONITORED_ROWS = 256  # of which scores are compared between chains
MOST_REPETITIONS = 10_000  # of a row
SCALE = 0.2  # of the scores' variance at the start, as a part of the targets'


@dataclass(frozen=True, eq=False, kw_only=True)
class Outline:
    """What is known of a design where its rows are not.

    Attributes
    ----------
    sizes : ndarray of float64, shape (d,)
        The root mean square of the non-zero values of each feature's field, times the square root
        of the field's length (see `_relative`), as a power of two, so that dividing is exact.
        Priors, which have a scale, then fit values of any size and lists of any length.
    units : tuple of (float, float)
        Of each output: what was subtracted from the targets, and what they were divided by.
    total_weight : float
        Sum of the weights.
    monitored : Csr
        Rows whose scores are followed, as the user gave them.
    monitored_classes : list of ndarray
        The classes of the monitored rows, of each output: numbers from 0.
    dtype : dtype
        Type of the arithmetic.
    task : {"regression", "binary", "ordinal"}
    checksum : int
        A number that another task, other rows, targets, weights or fields would change.
    """

    sizes: Float
    units: tuple[tuple[float, float], ...]
    total_weight: float
    monitored: _core.Csr
    monitored_classes: list[npt.NDArray[np.intp]]
    dtype: np.dtype[Any]
    task: str
    checksum: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Design(Outline):
    """The rows that take part, their weights, and the groups of the features.

    Attributes
    ----------
    X : Csr of shape (n, d)
        The values of a field are divided by their size. Without the features of relations.
    relations : tuple of Relation
    weights : ndarray of shape (n,) or None
        Precisions of the targets, 1 on average. With classes there are none: rows are repeated.
    groups : ndarray of int32, shape (d,)
        The features of a group have the same prior; see `prior_groups`.
    n_groups : int
    targets : tuple of ndarray, each of shape (n,)
        Of each output: standardised numbers, 1 and -1 for two classes, or numbers of ordered
        classes.
    features_of_row : float
        Their mean number, at least one; a list counts as one feature.
    """

    X: _core.Csr
    relations: tuple[Relation, ...]
    weights: Array | None
    groups: npt.NDArray[np.int32]
    n_groups: int
    targets: tuple[Array, ...]
    features_of_row: float

    @classmethod
    def of(cls, dataset: Dataset, *, task: str, rank: int, scale: bool) -> Design:
        """Return the design of a dataset; values are divided by their size if `scale`."""
        rows, weights = dataset.rows, dataset.weights_of(dataset.rows)
        if weights is not None and task != "regression":
            rows, weights = np.repeat(rows, _repetitions(weights)), None
        elif weights is not None:  # only their ratios matter: the noise is that of a mean weight
            weights = (weights / weights.mean(dtype=np.float64)).astype(dataset.dtype)
        everything = np.array_equal(rows, np.arange(dataset.X.n_rows))
        X = dataset.X if everything else take_rows(dataset.X, rows)
        fields = one_hot_fields(X) if dataset.fields is None else dataset.fields
        if fields is None:
            fields = np.zeros(X.n_features, np.int32)
        scaled = [_standardised(t[rows], weights, task) for t in dataset.targets]
        targets, units = zip(*scaled, strict=True)
        kept = spread(X.n_rows, MONITORED_ROWS)
        monitored = take_rows(X, kept)
        if X.n_features == 0:
            raise ValueError("X has no features to sample: all of its columns are empty lists")
        n_fields = int(fields.max()) + 1
        features_in_rows = _features_in_rows(X, fields, n_fields)
        _note_cost(features_in_rows)
        lengths = _relative(features_in_rows)
        sizes = _sizes(X, fields, lengths) if scale else np.ones(X.n_features)
        if (sizes != 1).any():
            values = np.ones(1, dataset.dtype) if X.values is None else X.values
            X = with_values(X, (values / sizes[X.indices]).astype(dataset.dtype))
        features_of_row = _features_of_row(X, fields, lengths)
        own, relations = split(X, fields, n_fields, rank, dataset.dtype)
        groups, n_groups = prior_groups(fields, [own, *(relation.X for relation in relations)])
        checksum = _checksum(
            np.frombuffer(task.encode(), np.uint8),
            X.indptr.astype(np.int64, copy=False),
            X.indices,
            X.values,
            sizes,
            weights,
            groups,
            np.array(units),
            *targets,
        )
        return cls(
            X=own,
            relations=relations,
            sizes=sizes,
            weights=weights,
            groups=groups,
            n_groups=n_groups,
            targets=targets,
            units=units,
            total_weight=float(X.n_rows if weights is None else weights.sum(dtype=float)),
            monitored=monitored,
            monitored_classes=[np.maximum(target[kept], 0).astype(np.intp) for target in targets],
            dtype=dataset.dtype,
            features_of_row=features_of_row,
            task=task,
            checksum=checksum,
        )

    @property
    def outline(self) -> Outline:
        """What is known of it without its rows."""
        return Outline(**{field.name: getattr(self, field.name) for field in fields(Outline)})

    def constant(self, output: int) -> tuple[float, Float]:
        """Return the score and the cuts that fit best if all rows have the same score."""
        if self.task == "regression":
            return 0.0, np.zeros(1)  # targets are standardised
        target = self.targets[output]
        shares = [np.mean(target > k) for k in range(max(int(target.max()), 1))]
        heights = normal.quantile(shares)
        return float(np.clip(heights[0], -5, 5)), np.append(0.0, heights[0] - heights[1:])

    def start_variance(self, rank: int) -> float:
        """Return the variance of V's first entries: scores then vary a little, whatever the rank.

        A row with m features of value 1 has m (m - 1) / 2 pairs, each of variance k times the
        square of this.
        """
        pairs = max(self.features_of_row * (self.features_of_row - 1) / 2, 1.0)
        return float(np.sqrt(SCALE / (max(rank, 1) * pairs)))


def _features_in_rows(X: _core.Csr, fields: npt.NDArray[np.int32], n_fields: int) -> Float:
    """Return the mean number of features of each field in rows that have any, about."""
    if n_fields == 1:
        return np.array([X.n_nonzeros / max(X.n_rows, 1)])
    some = take_rows(X, spread(X.n_rows, COUNTED_ROWS))
    of_entries = fields[some.indices]
    rows = np.repeat(np.arange(some.n_rows), np.diff(some.indptr))
    in_rows = np.bincount(
        distinct_values(rows * n_fields + of_entries) % n_fields, minlength=n_fields
    )
    return np.bincount(of_entries, minlength=n_fields) / np.maximum(in_rows, 1)


def _note_cost(features_in_rows: Float) -> None:
    field = int(np.argmax(features_in_rows))
    if features_in_rows[field] > MANY_FEATURES:
        logger.info(
            "rows have %.0f features of field %d on average; features that meet in a row are drawn "
            "one after the other, so sweeps are slow, and threads can only share rows",
            features_in_rows[field],
            field,
        )


def _relative(features_in_rows: Float) -> Float:
    """Return these numbers divided by that of the field with the fewest, at least 1."""
    shortest = features_in_rows.min(initial=np.inf, where=features_in_rows > 0)
    return np.asarray(np.maximum(features_in_rows / shortest, 1))


def _features_of_row(X: _core.Csr, fields: npt.NDArray[np.int32], lengths: Float) -> float:
    """Return the mean number of features in a row, at least one; a list counts as one."""
    counts = np.bincount(fields[X.indices[: X.n_nonzeros]], minlength=len(lengths))
    return float(max((counts / lengths).sum() / max(X.n_rows, 1), 1.0))


def _checksum(*arrays: Array | None) -> int:
    checksum = 0
    for array in arrays:
        if array is not None:
            checksum = zlib.crc32(np.ascontiguousarray(array).view(np.uint8).data, checksum)
    return checksum


def can_repeat(weights: Array | None) -> bool:
    """Return whether weights of rows with classes can be repetitions of a reasonable number."""
    if weights is None:
        return True
    try:
        return int(_repetitions(weights).sum()) <= 4 * len(weights) + MOST_REPETITIONS
    except ValueError:
        return False


def _repetitions(weights: Array) -> npt.NDArray[np.int64]:
    """Return how often each row stands for; as everywhere, only the ratios of weights matter."""
    ratios = weights.astype(np.float64) / weights.min()
    counts = np.round(ratios)
    if ratios.max() > MOST_REPETITIONS or not np.allclose(ratios, counts, rtol=1e-5):
        raise ValueError(
            "Gibbs with classes takes weights as repetitions of rows: sample_weight (times "
            "class_weight) must be whole multiples of the smallest weight, up to "
            f"{MOST_REPETITIONS}; use another solver, such as Adam, for others"
        )
    return np.asarray(counts, np.int64)


def _standardised(
    target: Array, weights: Array | None, task: str
) -> tuple[Array, tuple[float, float]]:
    if task == "ordinal":
        _check_counts(np.bincount(target.astype(np.intp)))
        return target, (0.0, 1.0)
    if task == "binary":
        return np.where(target > 0, 1, -1).astype(target.dtype), (0.0, 1.0)
    exact = target.astype(np.float64)
    exponent = int(np.frexp(np.abs(exact).max())[1])  # its squares may be out of range
    exact = np.ldexp(exact, -exponent)
    mean = float(np.average(exact, weights=weights))
    std = float(np.sqrt(np.average((exact - mean) ** 2, weights=weights))) or 1.0
    units = float(np.ldexp(mean, exponent)), float(np.ldexp(std, exponent))
    return ((exact - mean) / std).astype(target.dtype), units


def _check_counts(counts: npt.NDArray[np.intp]) -> None:
    """Check how many rows each ordered class has."""
    if not 2 <= len(counts) <= MOST_CLASSES:
        raise ValueError(f"there must be 2 to {MOST_CLASSES} ordered classes, got {len(counts)}")
    if not counts.all():
        raise ValueError(
            f"class {int(np.argmin(counts))} of the ordered classes 0 to {len(counts) - 1} has no "
            "row (of positive weight): leave it out and number the others 0, 1, 2 and so on"
        )


def _sizes(X: _core.Csr, fields: npt.NDArray[np.int32], lengths: Float) -> Float:
    if X.values is None or X.all_ones:
        return np.exp2(np.round(np.log2(lengths) / 2))[fields]
    n_fields = len(lengths)
    of_entries = fields[X.indices[: X.n_nonzeros]]
    values = np.abs(X.values[: X.n_nonzeros].astype(np.float64))
    largest = np.zeros(n_fields)
    np.maximum.at(largest, of_entries, values)
    exponents = np.frexp(largest)[1]  # squares may be out of range
    counts = np.bincount(of_entries, minlength=n_fields)
    sums = np.bincount(of_entries, np.ldexp(values, -exponents[of_entries]) ** 2, n_fields)
    halves = np.zeros(n_fields)
    np.log2(sums * lengths / np.maximum(counts, 1), out=halves, where=sums > 0)
    sizes = np.ldexp(1.0, exponents + np.round(halves / 2).astype(int))
    return np.asarray(sizes[fields])
