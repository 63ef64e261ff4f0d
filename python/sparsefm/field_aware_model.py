"""The model whose features have factors for each field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from sparsefm import _core
from sparsefm.data.validation import as_array
from sparsefm.field_model import FieldModel, Fields, own_fields, read_fields
from sparsefm.interaction import FieldAware, Interaction
from sparsefm.io.reader import Reader
from sparsefm.losses import Loss
from sparsefm.model import ROWS_PER_CALL, check_scores, read_history

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class FieldAwareModel(FieldModel):
    r"""A field-aware factorization machine (FFM; Juan et al. 2016).

    Each feature belongs to a field, such as the column of a table that it is a value of, and has a
    vector of factors :math:`v_{i,b}` for each field b. With f(i) the field of feature i, the score
    is

    .. math::

        s(x) = w_0 + \sum_i w_i x_i
            + \sum_{i<j} \langle v_{i,f(j)}, v_{j,f(i)} \rangle x_i x_j.

    Attributes
    ----------
    V : ndarray of shape (d, F, k)
        Factors: ``V[i, b]`` is the vector of feature i for the features of field b. Its `rank` is
        k.
    fields : ndarray of int32, shape (d,)
        The field of each feature: 0, 1, ..., F - 1. It is a copy, and read-only.

    Notes
    -----
    There are F times as many factors as in a `Model` of the same rank, so it needs a smaller one:
    4 is usual. The time of a row is O(non-zeros F k + F^2 k). `train` keeps the factors of a
    feature for its own field at zero where no row has two features of that field.

    References
    ----------
    Y. Juan, Y. Zhuang, W.-S. Chin and C.-J. Lin, "Field-aware factorization machines for CTR
    prediction", RecSys 2016.
    """

    _variant: ClassVar[str] = "ffm"
    _kind: ClassVar[str] = "field-aware model"

    def __post_init__(self) -> None:
        V = as_array(self.V, "V")
        if V.ndim != 3:
            raise ValueError(f"V must have shape (n_features, n_fields, rank), got {V.shape}")
        object.__setattr__(self, "V", V.reshape(len(V), V.shape[1] * V.shape[2]))
        super().__post_init__()
        object.__setattr__(self, "V", self.V.reshape(V.shape))
        fields = own_fields(self.fields, self.n_features, self.n_fields, "V")
        object.__setattr__(self, "fields", fields)

    @classmethod
    def _of(
        cls, parameters: tuple[float, Array, Array], fields: Fields, loss: Loss
    ) -> FieldAwareModel:
        """Return a model that borrows its parameters; their owner may change them."""
        model = super()._view(*parameters, loss)
        assert isinstance(model, cls)
        vars(model).update(fields=fields)
        return model

    @property
    def n_fields(self) -> int:
        """Number of fields F."""
        return int(self.V.shape[1])

    def _interaction(
        self, fields: npt.NDArray[Any] | None = None, n_fields: int = 1
    ) -> Interaction:
        return FieldAware(self._checked_fields(), max(n_fields, self.n_fields), self.rank)

    def _score_csr(self, X: _core.Csr, threads: int) -> Array:
        parameters = self.w0, self.w, self.V
        return check_scores(field_aware_scores(X, parameters, self.fields, threads))

    @classmethod
    def _from_file(cls, reader: Reader) -> FieldAwareModel:
        """Return the model that `save` wrote."""
        w = reader.parameters("w", (None,))
        V = reader.parameters("V", (len(w), None, None), (w.dtype.name,))
        w0 = reader.array("w0", (), ("float64",))
        fields = reader.array("fields", (len(w),), ("int32",))
        task, loss = reader.entry("task", str), reader.entry("loss", str)
        history = read_history(reader)
        # The constructor would make an unnecessary copy of the parameters.
        model = cls(float(w0), w[:0], V[:0], task, loss, history, fields=fields[:0])
        vars(model).update(w=w, V=V, fields=read_fields(reader, fields, V.shape[1], "V"))
        return model


def field_aware_scores(
    X: _core.Csr, parameters: tuple[float, Array, Array], fields: Fields, threads: int
) -> Array:
    """Return s(x) for each row of a checked matrix, for factors (d, F, size)."""
    w0, w, V = parameters
    factors, (n_fields, size) = flat_factors(V), V.shape[1:]
    scores = np.empty(X.n_rows, V.dtype)
    for first in range(0, X.n_rows, ROWS_PER_CALL):
        part = scores[first : first + ROWS_PER_CALL]
        _core.field_aware_scores(part, X, first, w0, w, factors, fields, n_fields, size, threads)
    return scores


def flat_factors(V: Array) -> Array:
    """Return factors (d, F, size) as the core takes them, shape (d, F size)."""
    factors: Array = V.reshape(len(V), V.shape[1] * V.shape[2])
    are_adjacent = factors.strides[1] == factors.itemsize
    return factors if are_adjacent else factors.copy()
