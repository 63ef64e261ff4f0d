"""Optimizers: what they are called and what can be set."""

from dataclasses import dataclass
from typing import ClassVar

from sparsefm.inputs import check_choice, check_real


@dataclass(frozen=True, kw_only=True)
class Adam:
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
        at nearly the same cost (unless beta1 is close to, or above, the root of beta2).

    References
    ----------
    D. P. Kingma and J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, with epsilon
    placed as in section 2, "alternative form".
    """

    learning_rate: float = 0.01
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-3
    l2_linear: float = 1e-3
    l2_factors: float = 1e-2
    updates: str = "lazy"

    moments: ClassVar[int] = 2  # numbers remembered of each parameter

    def __post_init__(self) -> None:
        check_real(self.learning_rate, "learning_rate", above=0)
        check_real(self.epsilon, "epsilon", above=0)
        for name in ("beta1", "beta2", "l2_linear", "l2_factors"):
            value = check_real(getattr(self, name), name)
            if name.startswith("beta") and value >= 1:
                raise ValueError(f"{name} must be less than 1, got {value:g}")
        check_choice(self.updates, "updates", ("lazy", "exact"))
