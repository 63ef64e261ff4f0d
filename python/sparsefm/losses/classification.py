"""Losses for two classes, 0 and 1, and for several classes, 0, 1, 2 and so on."""

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


def sigmoid_of_one(score: Any) -> Any:
    """Return the sigmoid of a single number of NumPy: the same bits, in less time."""
    one = score.dtype.type(1)
    decay = np.exp(-abs(score))
    return (one if score >= 0 else decay) / (one + decay)


def _normalised(logs: Array) -> Array:
    """Return logarithms of shares of a sum of 1; NaN, without a warning, of what is infinite."""
    with np.errstate(invalid="ignore"):
        return np.asarray(logs - np.logaddexp.reduce(logs, axis=1, keepdims=True))


@register("loss", "logistic")
@dataclass(frozen=True)
class Logistic(Loss):
    r"""The negative log-likelihood: :math:`\log(1 + e^{-z})` with :math:`z = (2y - 1) s`.

    The prediction is the probability of class 1, the sigmoid of the score.
    """

    name: ClassVar[str] = "logistic"
    task: ClassVar[str] = "binary"
    has_probabilities: ClassVar[bool] = True

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

    def log_probabilities(self, scores: Array) -> Array:
        """Return the logarithms of the probabilities of the classes, shape (n, n_classes).

        Parameters
        ----------
        scores : array of shape (n, n_outputs)
            With two classes one column, the score of the second class. With more classes one column
            for each class against the rest; their probabilities are divided by their sum.
        """
        if scores.shape[1] == 1:
            return np.asarray(-np.logaddexp(0, np.hstack([scores, -scores])))
        with np.errstate(invalid="ignore"):
            return _normalised(-np.logaddexp(0, -scores))


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


class _OfAllClasses(Loss):
    """A loss of the scores of all classes; targets are the numbers of classes."""

    has_probabilities: ClassVar[bool] = True
    is_of_all_classes: ClassVar[bool] = True

    def predict(self, scores: Array) -> Array:
        """Return the probability of each class, shape (n, C)."""
        return np.asarray(np.exp(self.log_probabilities(scores)))

    def values(self, targets: Array, scores: Array) -> Array:
        """Return the negative logarithm of the probability of each row's class, shape (n,)."""
        logs = self.log_probabilities(scores)
        return np.asarray(-logs[np.arange(len(logs)), targets.astype(np.intp)])

    def values_at_zero(self, targets: Array, n_scores: int) -> Array:
        """Return the loss of each row if all scores were zero, shape (n,)."""
        return np.full(len(targets), np.log(n_scores))

    def of_outputs(self, scores: Array) -> list[Array]:
        """Return the scores of the one output."""
        return [scores]

    def log_probabilities(self, scores: Array) -> Array:
        """Return the logarithms of the probabilities of the classes, shape (n, C), in float64."""
        return _normalised(scores.astype(np.float64))


@register("loss", "softmax")
@dataclass(frozen=True)
class Softmax(_OfAllClasses):
    r"""The negative log-likelihood of classes without an order: :math:`\log \sum_c e^{s_c} - s_y`.

    The classes share one model, in which each has a score; see `FMClassifier`. The formula, which
    training uses, is in ``cpp/core/losses/softmax.hpp``.
    """

    name: ClassVar[str] = "softmax"
    task: ClassVar[str] = "classes"

    def constants(self, shares: Array) -> Array:
        """Return constant scores with a low loss, given the share of the weight of each class.

        A class without rows counts as the rarest of the others, since later rows may have it.
        """
        return np.asarray(np.log(np.maximum(shares, shares[shares > 0].min())))

    def slopes(self, targets: Array, scores: Array) -> Array:
        """Return dL/ds for each row and class, shape (n, C)."""
        slopes = self.predict(scores)
        slopes[np.arange(len(slopes)), targets.astype(np.intp)] -= 1
        return slopes


@register("loss", "ordinal")
@dataclass(frozen=True)
class Ordinal(_OfAllClasses):
    r"""The negative log-likelihood of ordered classes 0 to K - 1; it needs the solver `Gibbs`.

    A class is an interval of a latent target, whose mean is the score of a factorization machine:
    class k if :math:`c_{k-1} < z \le c_k` with :math:`z \sim N(s, 1)`. The cuts between the classes
    are sampled with the other parameters. What stands for scores here are the logarithms of the
    probabilities, shape (n, K).
    """

    name: ClassVar[str] = "ordinal"
    task: ClassVar[str] = "ordinal"

    def slopes(self, targets: Array, scores: Array) -> Array:
        """Refuse: nothing is trained with gradients of this loss."""
        raise ValueError("loss='ordinal' has no slopes: it needs solver=sparsefm.Gibbs()")
