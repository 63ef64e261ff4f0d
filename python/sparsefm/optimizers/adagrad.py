"""AdaGrad."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from sparsefm.data.validation import check_real
from sparsefm.io.values import register
from sparsefm.optimizers.optimizer import Optimizer


@register("solver", "adagrad")
@dataclass(frozen=True, kw_only=True)
class AdaGrad(Optimizer):
    r"""AdaGrad on the sum of each batch's gradients.

    With the mean gradient :math:`g` of a batch of :math:`B` rows,

    .. math::

        h = h + (B g)^2, \quad \theta = \theta - \eta \frac{B g}{\sqrt{h}}.

    Parameters
    ----------
    learning_rate : float
        :math:`\eta`.
    initial_accumulator : float
        Initial value of h; it damps rare features.
    l2_linear : float
        Weight of the penalty on w.
    l2_factors : float, sequence of float, or dict of str to float
        Weight of the penalty on V, one or for each field, as for `Adam`.

    References
    ----------
    J. Duchi, E. Hazan and Y. Singer, "Adaptive Subgradient Methods for Online Learning and
    Stochastic Optimization", JMLR 12, 2011.
    """

    name: ClassVar[str] = "adagrad"
    _damping: ClassVar[str] = "initial_accumulator"
    _batch_sizes: ClassVar[tuple[int, int]] = (16, 256)

    learning_rate: float = 0.06
    initial_accumulator: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real(self.initial_accumulator, "initial_accumulator", above=0)

    @property
    def _moment_starts(self) -> tuple[float]:
        """The initial value of the accumulator h."""
        return (self.initial_accumulator,)

    def _check_range(self, real: np.dtype[Any]) -> None:
        """Check that the type of the arithmetic can represent the hyperparameters."""
        super()._check_range(real)
        with np.errstate(over="ignore"):
            start = real.type(self.initial_accumulator)
        if not np.finfo(real).tiny <= start <= np.finfo(real).max:
            raise ValueError(
                f"initial_accumulator of {self.initial_accumulator:g} is out of {real}'s range"
            )
