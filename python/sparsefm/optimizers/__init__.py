"""Optimizers: what they are called and what can be set. In order of increasing complexity."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from sparsefm.data.validation import check_choice, check_real
from sparsefm.io.values import register


@dataclass(frozen=True, kw_only=True)
class Solver:
    """What all solvers have; use one of its kinds.

    Parameters
    ----------
    learning_rate : float
        About how far one step moves a parameter.
    l2_linear, l2_factors : float
        Weights of the penalty on w and V. The objective is the mean over rows of the loss plus
        ``(l2_linear * w_i**2 + l2_factors * |v_i|**2) / 2`` for every feature i that the row has.
    """

    name: ClassVar[str]
    moments: ClassVar[int]  # numbers remembered of each parameter

    learning_rate: float
    l2_linear: float = 1e-3
    l2_factors: float = 1e-2

    def __post_init__(self) -> None:
        check_real(self.learning_rate, "learning_rate", above=0)
        check_real(self.l2_linear, "l2_linear")
        check_real(self.l2_factors, "l2_factors")

    @property
    def initial_moment(self) -> float:
        """What the moments start at."""
        return 0.0

    def check_range(self, real: np.dtype[Any]) -> None:
        """Check that the type of the arithmetic can represent the settings."""
        with np.errstate(over="ignore"):
            for name in ("learning_rate", "l2_linear", "l2_factors"):
                if not np.isfinite(real.type(getattr(self, name))):
                    raise ValueError(f"{name} of {getattr(self, name):g} is too large for {real}")


@register("solver", "adagrad")
@dataclass(frozen=True, kw_only=True)
class AdaGrad(Solver):
    r"""AdaGrad on the sum of each batch's gradients.

    With the mean gradient :math:`g` of a batch of :math:`B` rows,

    .. math::

        h = h + (B g)^2, \quad \theta = \theta - \eta \frac{B g}{\sqrt{h}}.

    Parameters
    ----------
    learning_rate : float
        :math:`\eta`.
    initial_accumulator : float
        What h starts at; it damps features seen a few times.
    l2_linear, l2_factors : float
        Weights of the penalty on w and V, as for `Adam`.

    References
    ----------
    J. Duchi, E. Hazan and Y. Singer, "Adaptive Subgradient Methods for Online Learning and
    Stochastic Optimization", JMLR 12, 2011.
    """

    name: ClassVar[str] = "adagrad"
    moments: ClassVar[int] = 1

    learning_rate: float = 0.06
    initial_accumulator: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real(self.initial_accumulator, "initial_accumulator", above=0)

    @property
    def initial_moment(self) -> float:
        """What the accumulators start at."""
        return self.initial_accumulator

    def check_range(self, real: np.dtype[Any]) -> None:
        """Check that the type of the arithmetic can represent the settings."""
        super().check_range(real)
        with np.errstate(over="ignore"):
            start = real.type(self.initial_accumulator)
        if not np.finfo(real).tiny <= start <= np.finfo(real).max:
            raise ValueError(
                f"initial_accumulator of {self.initial_accumulator:g} is out of {real}'s range"
            )


@register("solver", "adam")
@dataclass(frozen=True, kw_only=True)
class Adam(Solver):
    r"""Adam, as Apache SystemML's factorization machines use it.

    With the gradient :math:`g`, in step :math:`t = 1, 2, \ldots` counted over all batches,

    .. math::

        m = \beta_1 m + (1 - \beta_1) g, \quad v = \beta_2 v + (1 - \beta_2) g^2, \quad
        \theta = \theta - \eta \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t}
                 \frac{m}{\sqrt{v} + \epsilon}.

    Parameters
    ----------
    learning_rate : float
        :math:`\eta`, about how far one step moves a parameter.
    beta1, beta2 : float
        Decay of the two moments, in [0, 1).
    epsilon : float
        Added to the uncorrected root. Besides avoiding a division by zero it damps features seen
        seldom, which is where one-hot data overfit. The specification's scripts have 1e-8; the
        default here, for targets and values of about unit scale, predicts much better.
    l2_linear, l2_factors : float
        Weights of the penalty on w and V. The objective is the mean over rows of the loss plus
        ``(l2_linear * w_i**2 + l2_factors * |v_i|**2) / 2`` for every feature i that the row has.
    updates : {"lazy", "exact"}
        "lazy" moves a parameter, and its moments, only in batches that have its feature. "exact"
        gives the result of dense Adam, in which momentum carries every parameter on in every step,
        at nearly the same cost for batches of thousands of rows and up to twice it for batches of
        64; at more with a beta1 near 1, or near or above the root of beta2.

    References
    ----------
    D. P. Kingma and J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, with epsilon
    placed as in section 2, "alternative form".
    """

    name: ClassVar[str] = "adam"
    moments: ClassVar[int] = 2

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

    def check_range(self, real: np.dtype[Any]) -> None:
        """Check that the type of the arithmetic can represent the settings."""
        super().check_range(real)
        if real.type(self.epsilon) < np.finfo(real).tiny:
            raise ValueError(f"epsilon of {self.epsilon:g} is zero in {real}: raise it")
