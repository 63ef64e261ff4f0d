"""The formula of one score, in float64 where it matters."""

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from sparsefm.interaction import Interaction

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Formula:
    """The parameters of a score, and how features interact.

    Attributes
    ----------
    w0 : float
    w : ndarray of shape (d,)
    V : ndarray of shape (d, k)
    interaction : Interaction
        With the fields that the parts of a score are summed up by.
    """

    w0: float
    w: Array
    V: Array
    interaction: Interaction

    @property
    def rank(self) -> int:
        """Number of factors of a feature; 0: there are no interactions."""
        return int(self.V.shape[1])
