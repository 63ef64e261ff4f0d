"""`Gibbs` and `ALS`, and what they have in common."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from sparsefm.data.validation import check_integer, check_real
from sparsefm.io.values import register

MOST_CHAINS = 4096
GAP_PRECISION = 0.25  # of the prior of log(cut - the cut below)
BIAS_PRECISION = 1e-6  # of the prior of w0, for targets of standard deviation 1


class Sweeper(ABC):
    """A solver that moves one feature at a time, over all rows; use `Gibbs` or `ALS`.

    An epoch is a sweep over all features.
    """

    name: ClassVar[str]
    _random: ClassVar[bool]
    """Whether parameters are drawn at random, or set to the best values."""
    _losses: ClassVar[tuple[str, ...]]
    default_rank: ClassVar[int] = 16
    default_epochs: ClassVar[int]

    burn_in: int = 0
    chains: int = 1
    samples: int = 1

    @property
    @abstractmethod
    def _core_constants(self) -> dict[str, float]:
        """Its constants in the core."""

    @abstractmethod
    def _precisions(self, of_w: float, of_v: float) -> tuple[float, float]:
        """Return the first precisions of w and V, given their variances at the start."""


@register("solver", "gibbs")
@dataclass(frozen=True, kw_only=True)
class Gibbs(Sweeper):
    r"""Bayesian inference by Gibbs sampling.

    There is no learning rate, and there are no penalties to tune. An epoch is a sweep: every
    parameter is drawn, given all others, from its posterior distribution. Predictions are means
    over the sampled models. The prior of the parameters of field f is

    .. math::

        \theta_{jc} \sim N(\mu_{fc}, 1 / \lambda_{fc}), \quad
        \mu_{fc} \sim N(0, 1 / (\gamma_0 \lambda_{fc})), \quad
        \lambda_{fc} \sim \mathrm{Gamma}(\alpha_0 / 2, \beta_0 / 2),

    where c = 0 stands for w and c > 0 for the columns of V. Fields of one or two features, such as
    numbers, share one prior. Regression targets are standardised;
    their noise has a precision with the same Gamma prior. Two classes are modelled by a probit
    link: the probability of class 1 is :math:`\Phi(s(x))`. Ordered classes, with
    ``loss="ordinal"``, are the intervals between cuts :math:`c_0 = 0 < c_1 < \dots` of a normal
    number around the score, with the prior :math:`\log(c_m - c_{m-1}) \sim N(0, 2^2)`.

    Parameters
    ----------
    burn_in : int
        The first sweeps of each chain, whose samples are not used.
    chains : int
        Independent chains, each of as many sweeps as there are epochs. They run at the same time,
        and several are better than one that is as long as all of them.
    samples : int
        The most samples that a model keeps, evenly spread over sweeps, for each chain. Memory,
        file size and time of a prediction are proportional to their number.
    alpha0, beta0, gamma0 : float
        The hyperpriors, as above.

    References
    ----------
    S. Rendle, "Factorization Machines with libFM", ACM TIST 3(3), 2012. C. Freudenthaler,
    L. Schmidt-Thieme and S. Rendle, "Bayesian Factorization Machines", 2011. J. H. Albert and
    S. Chib, "Bayesian Analysis of Binary and Polychotomous Response Data", JASA 88, 1993.
    """

    name: ClassVar[str] = "gibbs"
    _random: ClassVar[bool] = True
    _losses: ClassVar[tuple[str, ...]] = ("squared", "logistic", "ordinal")
    default_epochs: ClassVar[int] = 60

    burn_in: int = 5
    chains: int = 1
    samples: int = 60
    alpha0: float = 1.0
    beta0: float = 0.01
    gamma0: float = 1.0

    def __post_init__(self) -> None:
        check_integer(self.burn_in, "burn_in", 0)
        if check_integer(self.chains, "chains", 1) > MOST_CHAINS:
            raise ValueError(f"chains must be at most {MOST_CHAINS}, got {self.chains}")
        check_integer(self.samples, "samples", 1)
        for name in ("alpha0", "beta0", "gamma0"):
            check_real(getattr(self, name), name, above=0)

    @property
    def _core_constants(self) -> dict[str, float]:
        """Its constants in the core."""
        hyperpriors = {name: float(getattr(self, name)) for name in ("alpha0", "beta0", "gamma0")}
        fixed = {"sample": 1.0, "bias_precision": BIAS_PRECISION, "gap_precision": GAP_PRECISION}
        return fixed | hyperpriors

    def _precisions(self, of_w: float, of_v: float) -> tuple[float, float]:
        """Return the first precisions of w and V, given their variances at the start."""
        return 1.0 / of_w, 1.0 / of_v


@register("solver", "als")
@dataclass(frozen=True, kw_only=True)
class ALS(Sweeper):
    r"""Alternating least squares, for regression with squared loss.

    An epoch is a sweep: the parameters of each feature in turn are set to the values that minimize

    .. math::

        \sum_r \omega_r (y_r - s(x_r))^2
        + \lambda_w \sum_i w_i^2 + \lambda_V \sum_i |v_i|^2,

    given those of all others. There is no learning rate. The weights :math:`\omega_r` are scaled
    to a mean of 1.

    Parameters
    ----------
    l2_linear, l2_factors : float
        :math:`\lambda_w` and :math:`\lambda_V`, for targets of standard deviation 1. They weigh a
        parameter once, as in libFM and fastFM, and not once for each row that has it, as `Adam` and
        `AdaGrad` do.
    """

    name: ClassVar[str] = "als"
    _random: ClassVar[bool] = False
    _losses: ClassVar[tuple[str, ...]] = ("squared",)
    default_epochs: ClassVar[int] = 20

    l2_linear: float = 1.0
    l2_factors: float = 5.0

    def __post_init__(self) -> None:
        check_real(self.l2_linear, "l2_linear", above=0)
        check_real(self.l2_factors, "l2_factors", above=0)

    @property
    def _core_constants(self) -> dict[str, float]:
        """Its constants in the core."""
        return {"sample": 0.0, "alpha0": 1.0, "beta0": 1.0, "gamma0": 1.0, "bias_precision": 0.0}

    def _precisions(self, of_w: float, of_v: float) -> tuple[float, float]:
        """Return the precisions of w and V, whatever their variances at the start."""
        return float(self.l2_linear), float(self.l2_factors)
