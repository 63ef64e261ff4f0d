"""What all losses have in common.

The formulas themselves, the same that training uses, are in ``cpp/core/losses/pointwise.hpp``.
"""

from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy.typing as npt

from sparsefm import _core

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Loss:
    """A loss L(y, s) of a target y and a score s; use one of its kinds.

    A kind may have parameters: fields of its dataclass that are numbers.
    """

    name: ClassVar[str]
    task: ClassVar[str]

    def constant(self, mean: float) -> float:
        """Return a constant score of small mean loss, from the mean target."""
        return mean

    def predict(self, scores: Array) -> Array:
        """Return what a model predicts whose scores are these."""
        return scores

    def values(self, targets: Array, scores: Array) -> Array:
        """Return L(y, s) for each row, shape (n,)."""
        return _core.loss_values(self, targets, scores)

    def slopes(self, targets: Array, scores: Array) -> Array:
        """Return dL/ds for each row, shape (n,)."""
        return _core.loss_slopes(self, targets, scores)

    @property
    def core_name(self) -> str:
        """What the core calls it."""
        return self.name

    @property
    def core_constants(self) -> dict[str, float]:
        """Its parameters."""
        return {field.name: float(getattr(self, field.name)) for field in fields(self)}
