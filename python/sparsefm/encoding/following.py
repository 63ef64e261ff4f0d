"""What a stream has seen of a column of numbers, so that the column's statistics can follow it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from sparsefm.encoding.statistics import LARGEST, LARGEST_EXPONENT, Distribution, scale_down
from sparsefm.errors import FileFormatError
from sparsefm.io.container import Arrays
from sparsefm.io.reader import Reader

MOVED = 0.1  # standard deviations, or the logarithm of their ratio, that make new statistics
FARTHEST = 1e6  # standard deviations; beyond, a line through the first rows says nothing
RARE = 0.005  # of the weight: other values than one count as so many at least
FORGOTTEN = 1e-9  # of the weight: a value of so few, and so old, rows counts no more
POINTS = 512  # of a sample, at most; then every other is left out

Moments: TypeAlias = tuple[int, float, float]  # exponent, and mean and deviation in its unit


@dataclass(frozen=True, eq=False)
class Seen:
    """Mean and deviation of the rows so far, of which the last count most, and a sample of them.

    Attributes
    ----------
    sample : Distribution
        As it was before clipping, of logarithms if the column is one of them.
    rows : int
        Their number, at most `memory`.
    weight : float
        Their weight.
    exponent : int
    mean, std : float
        Of what was clipped, in units of ``2**exponent``.
    memory : int or None
        Once there are more rows, the last ones count more; None: all count the same.
    """

    sample: Distribution
    rows: int
    weight: float
    exponent: int
    mean: float
    std: float
    memory: int | None

    @classmethod
    def of(
        cls,
        distribution: Distribution,
        rows: int,
        low: float = -LARGEST,
        high: float = LARGEST,
        memory: int | None = None,
    ) -> Seen:
        """Return what there is after the first rows."""
        weight = float(distribution.weights.sum())
        moments = distribution.clipped(low, high).moments()
        return cls(_thinned(distribution), rows, weight, *moments, memory)._recent()

    def moved(self, exponent: int, mean: float, std: float) -> Moments | None:
        """Return exponent, mean and deviation if they differ from others so much that it matters.

        Of a column that stands still the one value is the mean, which is encoded as nothing, and
        the deviation is what it would be if `RARE` of the rows were others, as the last others
        were. So what was learned is there once it moves again: a deviation that goes to zero would
        make values of millions of that. If all others are forgotten the deviation stays.
        """
        if self.std == 0:
            return None
        value, others = self._commonest()
        is_still = others < RARE
        with np.errstate(over="ignore", under="ignore", divide="ignore"):
            to_own, from_own = exponent - self.exponent, self.exponent - exponent
            own_mean, own_std = self.mean, self.std
            if is_still:
                own_mean = float(scale_down(np.array(value), self.exponent))
                own_std = float(np.hypot(self.std, self.mean - own_mean))
                own_std = (
                    own_std * (RARE / others) ** 0.5 if others else float(np.ldexp(std, to_own))
                )
            found_mean, found_std = np.ldexp([own_mean, own_std], from_own).tolist()
            has_grown = bool(abs(np.log(found_std / std)) > MOVED)
        has_moved = has_grown or abs(found_mean - mean) > (0 if is_still else MOVED * std)
        return (self.exponent, own_mean, own_std) if has_moved else None

    def _commonest(self) -> tuple[float, float]:
        """Return the value of most of the last rows, and the share of the weight of all others."""
        place = int(np.argmax(self.sample.weights))
        others = np.delete(self.sample.weights, place).sum()
        return float(self.sample.values[place]), float(others / self.sample.weights.sum())

    def joined(
        self, more: Distribution, rows: int, low: float = -LARGEST, high: float = LARGEST
    ) -> Seen:
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
        moments = unit, float(own_mean + share * distance), variance**0.5
        sample = _thinned(self.sample.joined(more))
        return Seen(sample, self.rows + rows, weight, *moments, self.memory)._recent()

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
            reader.integer("rows", 0),
            reader.real("weight", least=0.0),
            reader.integer("exponent", -LARGEST_EXPONENT, LARGEST_EXPONENT),
            reader.real("mean"),
            reader.real("std", least=0.0),
            reader.integer("memory", 1) if reader.has_entry("memory") else None,
        )

    def _recent(self) -> Seen:
        """Return this, with the weight of at most `memory` rows."""
        if self.memory is None or self.rows <= self.memory:
            return self
        share = self.memory / self.rows
        weights = self.sample.weights * share
        kept = weights > FORGOTTEN * weights.sum()
        sample = Distribution(self.sample.values[kept], weights[kept])
        return replace(self, sample=sample, rows=self.memory, weight=self.weight * share)


def line(old: Moments, new: Moments) -> tuple[float, float]:
    """Return factor and offset: the old value is the factor times the new one, plus the offset.

    The values are the same numbers, standardised by two sets of exponent, mean and deviation. Zero
    and zero if the units are so different that the old values tell nothing.
    """
    (old_exponent, old_mean, old_std), (exponent, mean, std) = old, new
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        mean, std = np.ldexp([mean, std], exponent - old_exponent).tolist()
        factor, offset = std / old_std, (mean - old_mean) / old_std
    if not (1 / FARTHEST < factor < FARTHEST and abs(offset) < FARTHEST):
        return 0.0, 0.0
    return factor, offset


def _thinned(distribution: Distribution) -> Distribution:
    """Return at most `POINTS` of the values; if fewer than there are, quantiles of equal weight."""
    if len(distribution.values) <= POINTS:
        return distribution
    through = np.cumsum(distribution.weights)
    middles = (np.arange(POINTS // 2) + 0.5) / (POINTS // 2) * through[-1]
    places, counts = np.unique(np.searchsorted(through, middles), return_counts=True)
    return Distribution(distribution.values[places], counts * (through[-1] / (POINTS // 2)))
