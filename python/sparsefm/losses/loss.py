"""The base class of all losses.

The formulas, which training uses too, are in ``cpp/core/losses/pointwise.hpp``.
"""

from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from sparsefm import _core

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Loss:
    """A loss L(y, s) of a target y and a score s; use one of its subclasses.

    A subclass may have parameters, which are fields of its dataclass.
    """

    name: ClassVar[str]
    task: ClassVar[str]
    has_probabilities: ClassVar[bool] = False
    is_of_all_classes: ClassVar[bool] = False

    def constant(self, mean: float) -> float:
        """Return a constant score with a low mean loss, given the mean target."""
        return mean

    def predict(self, scores: Array) -> Array:
        """Return the predictions for scores."""
        return scores

    def values(self, targets: Array, scores: Array) -> Array:
        """Return L(y, s) for each row, shape (n,)."""
        return _core.loss_values(_core.described(self), targets, scores)

    def values_at_zero(self, targets: Array, n_scores: int) -> Array:
        """Return the loss of each row if its scores were zero, shape (n,)."""
        return self.values(targets, np.zeros_like(targets))

    def slopes(self, targets: Array, scores: Array) -> Array:
        """Return dL/ds for each row, shape (n,)."""
        return _core.loss_slopes(_core.described(self), targets, scores)

    def of_outputs(self, scores: Array) -> list[Array]:
        """Divide the scores of all outputs, side by side, into those of each output."""
        return list(scores.T)

    def log_probabilities(self, scores: Array) -> Array:
        """Return the logarithms of the probabilities of the classes, shape (n, n_classes)."""
        raise AttributeError(f"there are no probabilities with loss={self.name!r}")

    @property
    def _core_name(self) -> str:
        """Its name in the core."""
        return self.name

    @property
    def _core_constants(self) -> dict[str, float]:
        """Its parameters, for the core."""
        return {field.name: float(getattr(self, field.name)) for field in fields(self)}
