"""Adam."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from sparsefm.data.validation import check_choice, check_real
from sparsefm.io.values import register
from sparsefm.optimizers.optimizer import Optimizer


@register("solver", "adam")
@dataclass(frozen=True, kw_only=True)
class Adam(Optimizer):
    r"""Adam, as Apache SystemML's factorization machines use it.

    With the gradient :math:`g`, in step :math:`t = 1, 2, \ldots` counted over all batches,

    .. math::

        m = \beta_1 m + (1 - \beta_1) g, \quad v = \beta_2 v + (1 - \beta_2) g^2, \quad
        \theta = \theta - \eta \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t}
                 \frac{m}{\sqrt{v} + \epsilon}.

    Parameters
    ----------
    learning_rate : float
        :math:`\eta`, about the distance that one step moves a parameter.
    beta1, beta2 : float
        Decay of the two moments, in [0, 1).
    epsilon : float
        Added to the root, which is not bias-corrected. It avoids a division by zero, and it damps
        rare features, which cause overfitting on one-hot data. The specification's scripts have
        1e-8; the default here predicts much better for targets and values of about unit scale.
    l2_linear : float
        Weight of the penalty on w.
    l2_factors : float, sequence of float, or dict of str to float
        Weight of the penalty on V. The objective is the mean over rows of the loss plus
        ``(l2_linear * w_i**2 + l2_factors * |v_i|**2) / 2`` for every feature i that the row has.
        A sequence has a number for each field. In estimators there may be a dict from columns to
        numbers, ``{"user": 1e-3}``; the columns that it does not name have the default.
    updates : {"lazy", "exact"}
        "lazy" updates a parameter and its moments only in batches in which its feature occurs.
        "exact" gives the result of dense Adam, in which momentum moves every parameter in every
        step. It costs nearly the same for batches of thousands of rows, and up to twice as much for
        batches of 64; more with a beta1 near 1, or near or above the root of beta2.

    References
    ----------
    D. P. Kingma and J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, with epsilon
    placed as in section 2, "alternative form".
    """

    name: ClassVar[str] = "adam"
    _damping: ClassVar[str] = "epsilon"

    learning_rate: float = 0.01
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-3
    updates: str = "lazy"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real(self.epsilon, "epsilon", above=0)
        for name in ("beta1", "beta2"):
            if check_real(getattr(self, name), name) >= 1:
                raise ValueError(f"{name} must be less than 1, got {getattr(self, name):g}")
        check_choice(self.updates, "updates", ("lazy", "exact"))

    @property
    def _moment_starts(self) -> tuple[float, float]:
        """The initial values of m and v."""
        return (0.0, 0.0)

    @property
    def _moves_all(self) -> bool:
        """Whether momentum moves every parameter in every step."""
        return self.updates == "exact"

    @property
    def _core_name(self) -> str:
        """Its name in the core, which has an optimizer for each kind of `updates`."""
        return "exact_adam" if self.updates == "exact" else "adam"

    def _check_range(self, real: np.dtype[Any]) -> None:
        """Check that the type of the arithmetic can represent the hyperparameters."""
        super()._check_range(real)
        if real.type(self.epsilon) < np.finfo(real).tiny:
            raise ValueError(f"epsilon of {self.epsilon:g} is zero in {real}: raise it")
