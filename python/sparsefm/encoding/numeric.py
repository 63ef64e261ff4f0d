"""Numbers as features: standardised, or their logarithms."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from sparsefm.encoding.columns import (
    NOTHING,
    UNKNOWN,
    Codes,
    Spans,
    Values,
    as_numbers,
    grown_missing,
    missing_name,
    with_missing,
)
from sparsefm.encoding.following import Moments, Seen
from sparsefm.encoding.statistics import LARGEST, Distribution, scale_down
from sparsefm.encoding.tables import Column, Numbers

ENOUGH_ROWS = 30  # for statistics of a column that was constant, or 0 and 1, until then
MEMORY = 1000  # rows of a stream; of more the last count most, so that statistics keep up
TOO_MANY = 0.01  # of the weight beyond the range that numbers are clipped to


@dataclass(frozen=True)
class Number:
    """One output column for a number, standardised, and one for missing values if there were any.

    The value is ``(x / 2**exponent - mean) / std`` of x brought into [low, high]; a column that was
    constant (`std` 0) does not contribute. As long as it is constant or empty, `seen` has the first
    values, of which more rows may make statistics.
    """

    n_entries: ClassVar[int] = 1

    column: int
    exponent: int = 0
    mean: float = 0.0
    std: float = 1.0
    low: float = -LARGEST
    high: float = LARGEST
    missing: int = UNKNOWN
    seen: tuple[float, ...] = ()
    followed: Seen | None = field(default=None, compare=False)

    @classmethod
    def fitted(cls, distribution: Distribution, column: int, *, clip: bool) -> "Number":
        """Standardise by the mean and standard deviation, of what is clipped if it is to be.

        What is far out would rule both, and a product of two such values the whole prediction.
        """
        low, high = distribution.usual_range() if clip else (-LARGEST, LARGEST)
        return cls(column, *distribution.clipped(low, high).moments(), low, high)

    @property
    def is_informative(self) -> bool:
        """Whether there is more to the column than 0 and 1, or than one value."""
        return self.std > 0 and not self.is_binary

    @property
    def is_binary(self) -> bool:
        """Whether there was nothing but 0 and 1."""
        return replace(self, seen=()) == Number(self.column, missing=self.missing)

    @property
    def is_waiting(self) -> bool:
        """Whether there was only one value that contributes nothing, or none at all."""
        return self.std == 0 or len(self.seen) > 0

    def begin_following(self, first: Distribution, n_rows: int) -> "Number":
        """Return an encoding of the first rows of a stream, which will follow those to come."""
        seen = Seen.of(self.scaled(first), n_rows, self.low, self.high, MEMORY)
        return replace(self, followed=seen)

    def following(
        self, values: Values, weights: Values | None, kind: str, *, clip: bool
    ) -> "Number":
        """Return the encoding after more rows of a stream, perhaps with other statistics.

        They change when they have moved a tenth of a standard deviation. The range of what is not
        clipped changes when it turns out to be wrong.
        """
        assert self.followed is not None
        more = self.scaled(Distribution.of(values, weights))
        n_rows = int(np.count_nonzero(~np.isnan(values)))
        seen = self.followed.joined(more, n_rows, self.low, self.high)
        new = replace(self, followed=seen)
        if self.is_binary:
            if seen.sample.is_binary:
                return new
            cls = Logarithm if kind == "log" else Number
            new = replace(cls.fitted(seen.sample, self.column, clip=clip), missing=self.missing)
            return new.begin_following(seen.sample, seen.rows)
        if clip and seen.sample.share_beyond(self.low, self.high) > TOO_MANY:
            low, high = seen.sample.usual_range()
            new = replace(new, low=low, high=high)
            seen = Seen.of(seen.sample, seen.rows, low, high, MEMORY)
            moments: Moments | None = (seen.exponent, seen.mean, seen.std)
        else:
            moments = seen.moved(self.exponent, self.mean, self.std)
        if moments is None:
            return new
        if seen.std == 0:
            return replace(self, followed=seen)
        exponent, mean, std = moments
        return replace(new, exponent=exponent, mean=mean, std=std, followed=seen)

    def scaled(self, distribution: Distribution) -> Distribution:
        """Return the distribution of what is standardised."""
        return distribution

    def standardised(self, numbers: Values) -> Values:
        """Return what the numbers of a distribution, or their logarithms, are encoded to."""
        return self._standardised(np.minimum(np.maximum(numbers, self.low), self.high))

    @property
    def n_outputs(self) -> int:
        """How many output columns there are."""
        return 1 + (self.missing != UNKNOWN)

    def spans(self) -> Spans:
        """Return the span of the one column."""
        return with_missing(np.array([[self.column, self.column + 1]]), self.missing)

    def names(self, name: str) -> Iterator[tuple[int, str]]:
        """Yield the name itself."""
        yield self.column, name
        yield from missing_name(self.missing, name)

    def grown(self, column: Column, name: str, end: int) -> "Number":
        """Learn that values may be missing."""
        missing = grown_missing(self.missing, np.isnan(as_numbers(column, name).values), end)
        return self if missing == self.missing else replace(self, missing=missing)

    def encode(self, column: Column, name: str) -> tuple[Codes, Values]:
        """Standardise."""
        numbers = as_numbers(column, name).values
        if self.std > 0:
            scaled = self._standardised(np.minimum(np.maximum(numbers, self.low), self.high))
        else:
            scaled = np.zeros(len(numbers))
        columns = np.where(scaled == 0, np.int32(NOTHING), np.int32(self.column))
        missing = np.isnan(numbers)
        if missing.any():
            columns[missing], scaled[missing] = self.missing, 1.0
        return columns, scaled

    def deviations(self, numbers: Values) -> Values:
        """Return how many standard deviations from the mean numbers are, however far out."""
        return self._standardised(numbers)

    def _standardised(self, numbers: Values) -> Values:
        with np.errstate(over="ignore"):
            return np.asarray((scale_down(numbers, self.exponent) - self.mean) / self.std)


@dataclass(frozen=True)
class Logarithm(Number):
    """The same for a number's logarithm: ``sign(x) log(1 + |x| / scale)`` instead of x.

    It is linear up to about the scale, which is the median of |x| where x is not zero.
    """

    scale: float = 1.0

    @classmethod
    def fitted(cls, distribution: Distribution, column: int, *, clip: bool) -> "Logarithm":
        """Standardise the logarithms."""
        scale = distribution.median_size()
        logarithms = Distribution(_logarithm(distribution.values, scale), distribution.weights)
        return cls(**vars(Number.fitted(logarithms, column, clip=clip)), scale=scale)

    def scaled(self, distribution: Distribution) -> Distribution:
        """Return the distribution of the logarithms."""
        return Distribution(_logarithm(distribution.values, self.scale), distribution.weights)

    def encode(self, column: Column, name: str) -> tuple[Codes, Values]:
        """Standardise the logarithms."""
        return super().encode(
            Numbers(_logarithm(as_numbers(column, name).values, self.scale)), name
        )

    def deviations(self, numbers: Values) -> Values:
        """Return how many standard deviations from the mean their logarithms are."""
        return super().deviations(_logarithm(numbers, self.scale))


def _logarithm(values: Values, scale: float) -> Values:
    """Return ``sign(x) log(1 + |x| / scale)``, also where the ratio is too large for float64."""
    with np.errstate(over="ignore", under="ignore"):
        ratios = np.minimum(np.abs(values) / scale, LARGEST)
    return np.asarray(np.copysign(np.log1p(ratios), values), np.float64)
