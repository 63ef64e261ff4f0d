"""The model of several classes that a softmax loss trains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm import _core
from sparsefm.interaction import Interaction
from sparsefm.model import check_scores
from sparsefm.training.class_state import ClassState


@dataclass(frozen=True, eq=False)
class ClassModel:
    """A factorization machine of several classes; it sees every change of its parameters.

    Attributes
    ----------
    state : ClassState
    """

    state: ClassState

    @property
    def n_features(self) -> int:
        """Number of features d."""
        return self.state.n_features

    @property
    def rank(self) -> int:
        """Number of factors k of each feature."""
        return self.state.rank

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the parameters, and of the arithmetic."""
        return self.state.blocks.dtype

    def of_class(self, c: int) -> tuple[float, npt.NDArray[Any], npt.NDArray[Any]]:
        """Return w0, w (d,) and V (d, k) of an ordinary model with the score of class c."""
        return float(self.state.w0[c]), self.state.w[:, c].copy(), self.state.factors_of(c)

    def _interaction(self, fields: npt.NDArray[Any], n_fields: int) -> Interaction:
        """Return how features interact in the score of a class, given the field of each."""
        return Interaction(fields, n_fields)

    def _score_csr(self, X: _core.Csr, threads: int) -> npt.NDArray[Any]:
        """Return the scores of a checked matrix, shape (n_rows, C), which must be finite."""
        return check_scores(self.state.scores(X, threads))
