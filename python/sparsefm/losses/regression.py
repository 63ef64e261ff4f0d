"""Losses for real targets; the score is the prediction."""

from dataclasses import dataclass
from typing import ClassVar

from sparsefm.data.validation import check_real
from sparsefm.io.values import register
from sparsefm.losses.loss import Loss


@register("loss", "squared")
@dataclass(frozen=True)
class Squared(Loss):
    r"""Half the squared error: :math:`(s - y)^2 / 2`."""

    name: ClassVar[str] = "squared"
    task: ClassVar[str] = "regression"


@register("loss", "huber")
@dataclass(frozen=True)
class Huber(Loss):
    r"""Squared for small errors, linear for large ones: less sensitive to outliers.

    With the error :math:`e = |s - y|`,

    .. math::

        L = \tfrac12 e^2 \text{ if } e \le \delta, \text{ else } \delta (e - \tfrac12 \delta).

    Parameters
    ----------
    delta : float
        Errors larger than this count linearly. The unit is that of the target for `train`, and the
        standard deviation of the target for `FMRegressor`, which standardises the target.

    References
    ----------
    P. J. Huber, "Robust Estimation of a Location Parameter", Annals of Mathematical Statistics 35,
    1964.
    """

    name: ClassVar[str] = "huber"
    task: ClassVar[str] = "regression"

    delta: float = 1.35

    def __post_init__(self) -> None:
        check_real(self.delta, "delta", above=0)
