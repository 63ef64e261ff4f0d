"""What a stream has seen of a column of numbers, so that the column's statistics can follow it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sparsefm.encoding.statistics import LARGEST_EXPONENT, Distribution, scale_down
from sparsefm.errors import FileFormatError
from sparsefm.io.container import Arrays
from sparsefm.io.reader import Reader

GROWTH = 1.25  # new statistics once so many times the weight has been seen
POINTS = 512  # of a sample, at most; then every other is left out


@dataclass(frozen=True, eq=False)
class Seen:
    """Weight, mean and deviation of all rows so far, and a sample of them.

    Attributes
    ----------
    sample : Distribution
        As it was before clipping, of logarithms if the column is one of them.
    weight : float
    exponent : int
    mean, std : float
        Of what was clipped, in units of ``2**exponent``.
    since : float
        The weight at which the encoding took its statistics from here.
    """

    sample: Distribution
    weight: float = 0.0
    exponent: int = 0
    mean: float = 0.0
    std: float = 0.0
    since: float = 0.0

    @classmethod
    def of(cls, distribution: Distribution, low: float, high: float) -> Seen:
        """Return what there is after the first rows."""
        weight = float(distribution.weights.sum())
        moments = distribution.clipped(low, high).moments()
        return cls(_thinned(distribution), weight, *moments, since=weight)

    @property
    def is_due(self) -> bool:
        """Whether there is so much more that the encoding should have new statistics."""
        return self.weight >= GROWTH * self.since

    def joined(self, more: Distribution, low: float, high: float) -> Seen:
        """Return this with more rows; means and deviations are merged exactly (Chan et al.)."""
        added = float(more.weights.sum())
        if added == 0:
            return self
        exponent, mean, std = more.clipped(low, high).moments()
        unit = max(exponent, self.exponent)
        (own_mean, own_std), (mean, std) = (
            scale_down(np.array(moments), unit - old)
            for moments, old in (((self.mean, self.std), self.exponent), ((mean, std), exponent))
        )
        weight = self.weight + added
        share, rest = added / weight, self.weight / weight
        distance = mean - own_mean
        variance = float(rest * own_std**2 + share * std**2 + rest * share * distance**2)
        sample = _thinned(self.sample.joined(more))
        merged_mean = float(own_mean + share * distance)
        return Seen(sample, weight, unit, merged_mean, variance**0.5, self.since)

    def to_content(self) -> tuple[dict[str, Any], Arrays]:
        """Return it as the content of a file: a header of JSON values, and arrays."""
        header = {name: value for name, value in vars(self).items() if name != "sample"}
        return header, {"values": self.sample.values, "weights": self.sample.weights}

    @classmethod
    def read(cls, reader: Reader) -> Seen:
        """Return what `to_content` made this of; it is not trusted."""
        values = reader.numbers("values", (None,), ("float64",))
        weights = reader.numbers("weights", (len(values),), ("float64",))
        if len(values) > POINTS or (np.diff(values) <= 0).any() or (weights <= 0).any():
            raise FileFormatError("has a damaged sample of a column that follows a stream")
        return cls(
            Distribution(values, weights),
            reader.real("weight", least=0.0),
            reader.integer("exponent", -LARGEST_EXPONENT, LARGEST_EXPONENT),
            reader.real("mean"),
            reader.real("std", least=0.0),
            reader.real("since", least=0.0),
        )

    def taken(self) -> Seen:
        """Return this, of which the encoding has the statistics now."""
        return replace(self, since=self.weight)


def _thinned(distribution: Distribution) -> Distribution:
    """Return at most `POINTS` of the values; if fewer than there are, quantiles of equal weight."""
    if len(distribution.values) <= POINTS:
        return distribution
    through = np.cumsum(distribution.weights)
    middles = (np.arange(POINTS // 2) + 0.5) / (POINTS // 2) * through[-1]
    places, counts = np.unique(np.searchsorted(through, middles), return_counts=True)
    return Distribution(distribution.values[places], counts * (through[-1] / (POINTS // 2)))
