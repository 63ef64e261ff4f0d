"""Losses for two classes, 0 and 1."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from sparsefm.io.values import register
from sparsefm.losses.loss import Loss

Array = npt.NDArray[Any]


def sigmoid(scores: Array) -> Array:
    """Return 1 / (1 + exp(-s)), without overflow at any finite s."""
    decay = np.exp(-np.abs(scores))
    return np.where(scores >= 0, 1, decay) / (1 + decay)  # type: ignore[no-any-return]


@register("loss", "logistic")
@dataclass(frozen=True)
class Logistic(Loss):
    r"""The negative log-likelihood: :math:`\log(1 + e^{-z})` with :math:`z = (2y - 1) s`.

    The prediction is the probability of class 1, the sigmoid of the score.
    """

    name: ClassVar[str] = "logistic"
    task: ClassVar[str] = "binary"

    def constant(self, mean: float) -> float:
        """Return log(p / (1 - p)), which is finite even if one class has almost no weight.

        If a class is absent this is 0, since other rows may have the class.
        """
        if mean in (0, 1):
            return 0.0
        share = float(np.clip(mean, np.finfo(float).eps, 1 - np.finfo(float).eps))
        return float(np.log(share) - np.log1p(-share))

    def predict(self, scores: Array) -> Array:
        """Return the probability of class 1."""
        return sigmoid(scores)


@register("loss", "hinge")
@dataclass(frozen=True)
class Hinge(Loss):
    r"""The margin loss of support vector machines: :math:`\max(0, 1 - (2y - 1) s)`.

    The prediction is the score; its sign is the class.
    """

    name: ClassVar[str] = "hinge"
    task: ClassVar[str] = "binary"

    def constant(self, mean: float) -> float:
        """Return the label, -1 or 1, of the more frequent class."""
        return float(np.sign(mean - 0.5))
