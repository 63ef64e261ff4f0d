"""The models whose features have fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from sparsefm import _core
from sparsefm.data.validation import as_array, cast
from sparsefm.interaction import FieldWeighted, Interaction
from sparsefm.io.container import Arrays
from sparsefm.io.half import exact, halved
from sparsefm.io.reader import Reader
from sparsefm.losses import Loss
from sparsefm.model import ROWS_PER_CALL, Model, check_scores, history_to_json, read_history

Array = npt.NDArray[Any]
Fields = npt.NDArray[np.int32]

MOST_FIELDS = 128  # a row costs their square


@dataclass(frozen=True, eq=False, kw_only=True)
class FieldModel(Model):
    """What models with fields share: `fields`, the field of each feature, and files.

    A class says its `_variant`, as `train` calls it, and the `_kind` of its files.
    """

    fields: Fields

    _variant: ClassVar[str]
    _kind: ClassVar[str]

    @property
    def n_fields(self) -> int:
        """Number of fields F."""
        raise NotImplementedError

    def _checked_fields(self) -> Fields:
        """Return `fields`, once it is sure that there are such: those of a mapped file may be any.

        `predict` does without: the core looks at those of its rows.
        """
        check_range(self.fields, self.n_fields)
        return self.fields

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(task={self.task!r}, loss={self.loss!r}, "
            f"n_features={self.n_features}, n_fields={self.n_fields}, rank={self.rank}, "
            f"dtype={self.dtype}, epochs={len(self.history)})"
        )

    def _content(self, dtype: str | None = None) -> tuple[dict[str, Any], Arrays]:
        """Return what `save` writes."""
        history = history_to_json(self.history)
        header = {"kind": self._kind, "task": self.task, "loss": self.loss, "history": history}
        parameters = halved({"w": self.w, "V": self.V, **self._weights()}, dtype)
        w0 = exact({"w0": np.array(self.w0)}, dtype)
        return header, {**w0, "fields": self.fields, **parameters}

    def _weights(self) -> dict[str, Array]:
        """Return what a file holds besides, by name."""
        return {}


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class FieldWeightedModel(FieldModel):
    r"""A field-weighted factorization machine (FwFM; Pan et al. 2018).

    Each feature belongs to a field, such as the column of a table that it is a value of, and each
    pair of fields a, b has a weight :math:`r_{ab}`. With f(i) the field of feature i, the score is

    .. math::

        s(x) = w_0 + \sum_i w_i x_i + \sum_{i<j} r_{f(i) f(j)} \langle v_i, v_j \rangle x_i x_j.

    Attributes
    ----------
    fields : ndarray of int32, shape (d,)
        The field of each feature: 0, 1, ..., F - 1.
    R : ndarray of shape (F, F)
        The weights of pairs of fields, a symmetric matrix. Its diagonal weighs pairs of features of
        the same field. A training that starts from the model leaves weights of 0 as they are. Both
        arrays are copies, and read-only.

    Notes
    -----
    The time of a row is O(non-zeros k + F^2 k). The penalties of a solver do not apply to R. Every
    step moves it, also with ``Adam(updates="lazy")``.
    """

    R: Array

    _variant: ClassVar[str] = "fwfm"
    _kind: ClassVar[str] = "field-weighted model"

    def __post_init__(self) -> None:
        super().__post_init__()
        weights = checked_weights(self.R, self.dtype)
        fields = own_fields(self.fields, self.n_features, len(weights))
        object.__setattr__(self, "R", weights)
        object.__setattr__(self, "fields", fields)

    @classmethod
    def _of(
        cls, parameters: tuple[float, Array, Array], fields: Fields, R: Array, loss: Loss
    ) -> FieldWeightedModel:
        """Return a model that borrows its parameters; their owner may change them."""
        model = super()._view(*parameters, loss)
        assert isinstance(model, cls)
        weights = R.view()
        weights.setflags(write=False)
        vars(model).update(fields=fields, R=weights)
        return model

    @property
    def n_fields(self) -> int:
        """Number of fields F."""
        return len(self.R)

    def _interaction(
        self, fields: npt.NDArray[Any] | None = None, n_fields: int = 1
    ) -> Interaction:
        R = enlarged(self.R, np.ones((n_fields, n_fields))).astype(np.float64)
        return FieldWeighted(self._checked_fields(), len(R), R)

    def _score_csr(self, X: _core.Csr, threads: int) -> Array:
        parameters = self.w0, self.w, self.V
        return check_scores(field_scores(X, parameters, self.fields, self.R[None], threads))

    def _weights(self) -> dict[str, Array]:
        return {"R": self.R}

    @classmethod
    def _from_file(cls, reader: Reader) -> FieldWeightedModel:
        """Return the model that `save` wrote."""
        w = reader.parameters("w", (None,))
        V = reader.parameters("V", (len(w), None), (w.dtype.name,))
        w0 = reader.array("w0", (), ("float64",))
        fields = reader.array("fields", (len(w),), ("int32",))
        R = reader.numbers("R", (None, None), (w.dtype.name,))
        task, loss = reader.entry("task", str), reader.entry("loss", str)
        history = read_history(reader)
        # The constructor would make an unnecessary copy of the parameters.
        model = cls(float(w0), w[:0], V[:0], task, loss, history, fields=fields[:0], R=R)
        vars(model).update(w=w, V=V, fields=read_fields(reader, fields, len(R)))
        return model


def checked_weights(R: Any, dtype: np.dtype[Any]) -> Array:
    """Return a read-only copy of the weights of pairs of fields, in `dtype`."""
    weights = as_array(R, "R")
    if weights.ndim != 2 or len(weights) != weights.shape[1]:
        raise ValueError(f"R must be square, (n_fields, n_fields), got shape {weights.shape}")
    if weights.dtype.kind not in "fiub":
        raise TypeError(f"R must hold real numbers, got dtype {weights.dtype}")
    if not np.isfinite(weights).all() or not np.array_equal(weights, weights.T):
        raise ValueError("R must be finite and symmetric")
    copied = np.array(cast(weights, dtype, "R"), order="C")
    copied.setflags(write=False)
    return copied


def enlarged(R: Array, others: Array) -> Array:
    """Return the weights with those of more fields, which `others` has; within these they are 0."""
    if len(others) <= len(R):
        return R
    larger = others.astype(R.dtype)
    np.fill_diagonal(larger, 0)
    larger[: len(R), : len(R)] = R
    return larger


def own_fields(fields: Any, n_features: int, n_fields: int, name: str = "R") -> Fields:
    """Return a read-only copy of the fields of features: the core relies on their range."""
    numbers = as_array(fields, "fields")
    if numbers.shape != (n_features,):
        raise ValueError(f"fields has shape {numbers.shape}, but there are {n_features} features")
    if len(numbers) and numbers.dtype.kind not in "iu":
        raise TypeError(f"fields must hold integers, got dtype {numbers.dtype}")
    check_range(numbers, n_fields, name)
    copied = np.array(numbers, np.int32, order="C")
    copied.setflags(write=False)
    return copied


def check_range(fields: Fields, n_fields: int, name: str = "the model") -> None:
    """Raise an error if there are no such fields."""
    if len(fields) and not 0 <= fields.min() <= fields.max() < n_fields:
        raise ValueError(f"fields must be 0 to {n_fields - 1}: {name} has {n_fields} fields")


def read_fields(reader: Reader, fields: Fields, n_fields: int, name: str = "R") -> Fields:
    """Return the fields of features that a file holds; the core checks those of rows, too."""
    if reader.unread:
        return fields
    return own_fields(fields, len(fields), n_fields, name)


def field_scores(
    X: _core.Csr,
    parameters: tuple[float, Array, Array],
    fields: Fields,
    blocks: Array,
    threads: int,
) -> Array:
    """Return s(x) for each row of a checked matrix; `blocks` begins with the weights of pairs."""
    scores = np.empty(X.n_rows, blocks.dtype)
    for first in range(0, X.n_rows, ROWS_PER_CALL):
        part = scores[first : first + ROWS_PER_CALL]
        _core.field_scores(part, X, first, *parameters, fields, blocks, threads)
    return scores
