"""The encoding of the user's targets for training."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.data.distinct import distinct_values
from sparsefm.encoding.following import Seen, line
from sparsefm.encoding.statistics import MOST_WEIGHT, Distribution, scale_down
from sparsefm.encoding.streams import FAR, FEW_ROWS
from sparsefm.estimators.bounds import levels_of
from sparsefm.io.container import Arrays
from sparsefm.io.reader import add_prefix

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Numbers:
    """Real targets, standardised, so that their offset and scale do not matter to training.

    The target of the one model is ``(y / 2**exponent - mean) / std``.

    Attributes
    ----------
    exponent : int
    mean, std : float
    levels : tuple of float
        The targets seen, if they are a few even steps; see `levels_of`.
    """

    exponent: int
    mean: float
    std: float
    levels: tuple[float, ...] = ()
    followed: Seen | None = field(default=None, compare=False)

    @classmethod
    def learn(cls, y: Array, weights: Array | None) -> Numbers:
        """Compute mean and standard deviation; the latter counts as one for constant targets."""
        if weights is not None:
            y, weights = y[weights > 0], weights[weights > 0].astype(np.float64)
        exponent, mean, std = Distribution.of(y, weights).moments()
        return cls(exponent, mean, std or 1.0, levels_of(y))

    def grown(self, y: Array, weights: Array | None) -> Numbers:
        """Return this encoding for the targets of more rows: only the levels change."""
        if not self.levels:  # there are too many, and that stays so
            return self
        seen = y if weights is None else y[weights > 0]
        return replace(self, levels=levels_of(np.append(self.levels, seen)))

    def following(self, y: Array, weights: Array | None) -> Numbers:
        """Return this encoding after more rows of a stream, perhaps with other statistics."""
        if weights is not None:
            y, weights = y[weights > 0], np.minimum(weights[weights > 0], MOST_WEIGHT)
        distribution = Distribution.of(y, weights)
        if self.followed is None:
            return replace(self, followed=Seen.of(distribution, len(y)))
        seen = self.followed.joined(distribution, len(y))
        new = replace(self, followed=seen)
        moments = seen.moved(self.exponent, self.mean, self.std)
        if moments is None:
            return new
        exponent, mean, std = moments
        return replace(new, exponent=exponent, mean=mean, std=std)

    def line(self, new: Numbers) -> tuple[float, float]:
        """Return factor and offset: these codes are factor times the new ones, plus offset."""
        return line((self.exponent, self.mean, self.std), (new.exponent, new.mean, new.std))

    def contradiction(self, y: Array, weights: Array | None) -> str | None:
        """Return what to warn of if targets are far from those that this encoding is made of."""
        if self.followed is not None:
            return None
        seen = y if weights is None else y[weights > 0]
        with np.errstate(over="ignore"):  # infinity is far, too
            if len(seen) < FEW_ROWS or np.median(np.abs(self.codes(seen))) <= FAR:
                return None
        return (
            f"targets between {seen.min():g} and {seen.max():g} are far from the mean "
            f"{self.offset:g} and the standard deviation {self.scale:g} of the first rows, which "
            "training is in units of: begin with rows that are typical"
        )

    def to_content(self) -> tuple[dict[str, Any], Arrays]:
        """Return it as the content of a file: a header of JSON values, and arrays."""
        header = {**vars(self), "levels": list(self.levels)}
        followed = header.pop("followed")
        if followed is None:
            return header, {}
        header["followed"], arrays = followed.to_content()
        return header, add_prefix("followed.", arrays)

    @property
    def offset(self) -> float:
        """The mean, in the user's units."""
        return float(np.ldexp(self.mean, self.exponent))

    @property
    def scale(self) -> float:
        """The standard deviation, in the user's units."""
        return float(np.ldexp(self.std, self.exponent))

    @property
    def loss_unit(self) -> float:
        """A squared loss of 1 of the standardised target, in the user's units."""
        return self.scale * self.scale  # infinite rather than an error

    def codes(self, y: Array) -> Array:
        """Return numbers that stand for targets, shape (n,)."""
        return (scale_down(y, self.exponent) - self.mean) / self.std

    n_outputs = n_classes = 1

    def of_outputs(self, codes: Array) -> list[Array]:
        """Return the targets of each output, shape (n,)."""
        return [codes]


@dataclass(frozen=True, eq=False)
class Classes:
    """Classes: one output for two classes, or for all; else one for each against the rest.

    Attributes
    ----------
    labels : ndarray of shape (C,)
        In ascending order.
    together : bool
        Whether the loss is one of the scores of all classes, as "softmax" and "ordinal" are.
    """

    labels: Array
    together: bool = False
    loss_unit = 1.0

    @property
    def n_classes(self) -> int:
        """The number of classes C."""
        return len(self.labels)

    def for_all(self) -> Classes:
        """Return the same classes, with one output for all."""
        return replace(self, together=True)

    @property
    def n_outputs(self) -> int:
        """The number of outputs."""
        return 1 if self.together or len(self.labels) == 2 else len(self.labels)

    @staticmethod
    def labels_of(y: Array, weights: Array | None) -> Array:
        """Return the labels of rows of positive weight, in ascending order."""
        return distinct_values(y if weights is None else y[weights > 0])

    def grown(self, y: Array, weights: Array | None) -> Classes:
        """Return this encoding: classes are those of the first rows."""
        return self

    def contradiction(self, y: Array, weights: Array | None) -> None:
        """Return None: classes have no scale."""

    def codes(self, y: Array) -> Array:
        """Return numbers that stand for targets, shape (n,); -1 for an unknown class."""
        kinds = {self.labels.dtype.kind, y.dtype.kind}
        if "U" in kinds and kinds & set("biuf"):  # text beside numbers
            return np.full(len(y), -1)
        try:
            places = np.minimum(np.searchsorted(self.labels, y), len(self.labels) - 1)
        except TypeError:  # text beside numbers, in an array of objects
            return np.full(len(y), -1)
        return np.where(self.labels[places] == y, places, -1)

    def of_outputs(self, codes: Array) -> list[Array]:
        """Return the targets of each output, shape (n,)."""
        if self.n_outputs == 1:
            return [codes]
        return [codes == code for code in range(len(self.labels))]
