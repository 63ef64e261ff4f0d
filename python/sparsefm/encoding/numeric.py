"""Numbers as features: standardised, as logarithms, in bins, or between the knots of a spline."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import ClassVar, TypeVar

import numpy as np

from sparsefm.encoding.columns import (
    NOTHING,
    UNKNOWN,
    Codes,
    Encoding,
    Spans,
    Values,
    as_numbers,
    grown_missing,
    missing_name,
    text,
    with_missing,
)
from sparsefm.encoding.following import Seen
from sparsefm.encoding.statistics import LARGEST, Distribution, scale_down
from sparsefm.encoding.tables import Column, Numbers

NumberEncoding = TypeVar("NumberEncoding", bound=Encoding)

ENOUGH_ROWS = 30  # for the statistics of a column that was constant until then
MEMORY = 1000  # rows of a stream; of more the last count most, so that statistics keep up
TOO_MANY = 0.05  # of the weight beyond the range that numbers are clipped to


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

    def awakened(
        self,
        values: Values,
        weights: Values | None,
        kind: str,
        *,
        end: int,
        n_bins: int,
        clip: bool,
    ) -> Encoding:
        """Return the encoding that more rows make of one that is waiting, once there are enough.

        Further output columns of bins and splines are those from `end` on.
        """
        present = ~np.isnan(values)
        weights = np.ones(len(values)) if weights is None else weights
        together = np.concatenate([self.seen, values[present]])
        weights = np.concatenate([np.ones(len(self.seen)), weights[present]])
        distribution = Distribution.of(together, weights)
        if len(together) < ENOUGH_ROWS or len(distribution.values) < 2:
            std = 0.0 if distribution.values.any() else self.std  # nothing is learned meanwhile
            return replace(self, std=std, seen=tuple(together[:ENOUGH_ROWS].tolist()))
        new = _of_kind(distribution, self.column, end, kind, n_bins, clip=clip)
        new = replace(new, missing=self.missing)
        return _begin_following(new, distribution, len(together))

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
            if seen.sample.is_binary or seen.rows < ENOUGH_ROWS:
                return new
            cls = Logarithm if kind == "log" else Number
            new = replace(cls.fitted(seen.sample, self.column, clip=clip), missing=self.missing)
            return _begin_following(new, seen.sample, seen.rows)
        if clip and seen.sample.share_beyond(self.low, self.high) > TOO_MANY:
            low, high = seen.sample.usual_range()
            new = replace(new, low=low, high=high)
            seen = Seen.of(seen.sample, seen.rows, low, high, MEMORY)
        elif not seen.has_moved(self.exponent, self.mean, self.std):
            return new
        if seen.std == 0:
            return replace(self, followed=seen)
        moments = {"exponent": seen.exponent, "mean": seen.mean, "std": seen.std}
        return replace(new, followed=seen, **moments)

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
        return _grown_number(self, column, name, end)

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


@dataclass(frozen=True, eq=False)
class Bins:
    """One output column for each interval of a number, and for missing values if there were any.

    Attributes
    ----------
    first : int
        The output column of numbers below ``edges[0]``.
    edges : ndarray of float64
        Each begins an interval, which it belongs to.
    missing : int
    rest : int
        The output column of numbers from ``edges[0]`` on, before those of the other intervals.
    """

    n_entries: ClassVar[int] = 1

    first: int
    edges: Values
    missing: int = UNKNOWN
    rest: int = UNKNOWN

    def __post_init__(self) -> None:
        _set_rest(self)

    @property
    def n_outputs(self) -> int:
        """How many output columns there are."""
        return len(self.edges) + 1 + (self.missing != UNKNOWN)

    def spans(self) -> Spans:
        """Return the span of the intervals."""
        return _spans(self, len(self.edges) + 1)

    def names(self, name: str) -> Iterator[tuple[int, str]]:
        """Yield ``name in [a, b)``."""
        edges = ["-inf", *map(text, self.edges.tolist()), "inf"]
        for bin in range(len(edges) - 1):
            interval = f"{name} in [{edges[bin]}, {edges[bin + 1]})"
            yield self.first if bin == 0 else self.rest + bin - 1, interval
        yield from missing_name(self.missing, name)

    def grown(self, column: Column, name: str, end: int) -> "Bins":
        """Learn that values may be missing."""
        return _grown_number(self, column, name, end)

    def encode(self, column: Column, name: str) -> tuple[Codes, None]:
        """Find the interval of each number."""
        numbers = as_numbers(column, name).values
        bins = _at(self, np.searchsorted(self.edges, numbers, side="right"))
        return np.where(np.isnan(numbers), self.missing, bins).astype(np.int32), None


@dataclass(frozen=True, eq=False)
class Spline:
    """Piecewise linear functions of a number: one output column for each knot.

    The value of a knot's column is 1 at the knot, falls linearly to 0 at the knots beside it, and
    is 0 beyond them. So at most two adjacent columns are not zero, and their values add up to 1.
    Beyond the outer knots the outer column is 1.

    Attributes
    ----------
    first : int
        The output column of ``knots[0]``.
    knots : ndarray of float64
        At least two, ascending.
    missing : int
    rest : int
        The output column of ``knots[1]``, before those of the knots after it.
    """

    n_entries: ClassVar[int] = 2

    first: int
    knots: Values
    missing: int = UNKNOWN
    rest: int = UNKNOWN

    def __post_init__(self) -> None:
        _set_rest(self)

    @property
    def n_outputs(self) -> int:
        """How many output columns there are."""
        return len(self.knots) + (self.missing != UNKNOWN)

    def spans(self) -> Spans:
        """Return the span of the knots."""
        return _spans(self, len(self.knots))

    def names(self, name: str) -> Iterator[tuple[int, str]]:
        """Yield ``name@knot``."""
        for place, knot in enumerate(self.knots.tolist()):
            yield self.first if place == 0 else self.rest + place - 1, f"{name}@{text(knot)}"
        yield from missing_name(self.missing, name)

    def grown(self, column: Column, name: str, end: int) -> "Spline":
        """Learn that values may be missing."""
        return _grown_number(self, column, name, end)

    def encode(self, column: Column, name: str) -> tuple[Codes, Values]:
        """Return the knots on either side of each number, and how near it is to each."""
        numbers = as_numbers(column, name).values
        places = np.searchsorted(self.knots[1:-1], numbers, side="right")
        with np.errstate(over="ignore"):  # the width of an interval may be too large for float64
            units = np.where(np.isinf(np.diff(self.knots)), 0.5, 1.0)
        begins, widths = self.knots[:-1] * units, self.knots[1:] * units - self.knots[:-1] * units
        inside = np.minimum(np.maximum(numbers, self.knots[0]), self.knots[-1])
        values = np.empty((len(numbers), 2))
        values[:, 1] = (inside * units[places] - begins[places]) / widths[places]
        values[:, 0] = 1 - values[:, 1]
        columns = np.empty(values.shape, np.int32)
        columns[:, 0], columns[:, 1] = _at(self, places), _at(self, places + 1)
        missing = np.isnan(numbers)
        if missing.any():
            columns[missing], values[missing] = (self.missing, NOTHING), (1, 0)
        return columns, values


def _set_rest(encoding: Bins | Spline) -> None:
    """Put the output columns side by side, unless they were begun later than the first."""
    if encoding.rest == UNKNOWN:
        object.__setattr__(encoding, "rest", encoding.first + 1)


def _at(encoding: Bins | Spline, places: Codes) -> Codes:
    """Return the output columns of intervals or knots."""
    return np.where(places == 0, encoding.first, encoding.rest - 1 + places)


def _spans(encoding: Bins | Spline, n_columns: int) -> Spans:
    """Return the spans of the output columns, one if they are side by side."""
    first, rest = encoding.first, encoding.rest
    spans = [[first, rest - 1 + n_columns]]
    if rest != first + 1:
        spans = [[first, first + 1], [rest, rest - 1 + n_columns]]
    return with_missing(np.array(spans[: 1 + (n_columns > 1)]), encoding.missing)


def is_plain(encoding: Encoding) -> bool:
    """Return whether different numbers are different, however far out they are."""
    return type(encoding) is Number and encoding.low == -LARGEST


def begin(
    column: Numbers, weights: Values | None, first: int, kind: str, n_bins: int, *, clip: bool
) -> Encoding:
    """Return an encoding for a column, output columns from `first` on; `grown` completes it.

    Parameters
    ----------
    column : Numbers
    weights : ndarray of float64, shape (n,), optional
    first : int
    kind : {"standardize", "log", "bin", "spline"}
    n_bins : int
        Into how many intervals bins and knots divide the numbers.
    clip : bool
        Whether values far out are brought nearer before they are standardised.
    """
    distribution = Distribution.of(column.values, weights)
    if set(distribution.values[:2].tolist()) != {1.0} and len(distribution.values) < 2:
        return _waiting(distribution, first, clip=clip)
    return _of_kind(distribution, first, first + 1, kind, n_bins, clip=clip)


def _of_kind(
    distribution: Distribution, first: int, rest: int, kind: str, n_bins: int, *, clip: bool
) -> "Number | Bins | Spline":
    """Return an encoding of at least two values, or of ones."""
    if distribution.is_binary:
        return Number(first)
    if kind in ("standardize", "auto"):
        return Number.fitted(distribution, first, clip=clip)
    if kind == "log":
        return Logarithm.fitted(distribution, first, clip=clip)
    if kind == "bin":
        return Bins(first, distribution.quantiles(n_bins), rest=rest)
    return Spline(first, distribution.knots(n_bins), rest=rest)


def followed(encoding: Encoding, column: Numbers, weights: Values | None) -> Encoding:
    """Return an encoding of the first rows of a stream, which will follow those to come.

    Bins and knots cannot. If there are few rows, they wait for more.
    """
    present = ~np.isnan(column.values)
    values = column.values[present]
    weights = None if weights is None else weights[present]
    if isinstance(encoding, Bins | Spline) and len(values) < ENOUGH_ROWS:
        return Number(encoding.first, std=0.0, seen=tuple(np.sort(values).tolist()))
    return _begin_following(encoding, Distribution.of(values, weights), len(values))


def _begin_following(encoding: NumberEncoding, first: Distribution, n_rows: int) -> NumberEncoding:
    if not isinstance(encoding, Number) or encoding.is_waiting:
        return encoding
    seen = Seen.of(encoding.scaled(first), n_rows, encoding.low, encoding.high, MEMORY)
    return replace(encoding, followed=seen)


def _waiting(distribution: Distribution, first: int, *, clip: bool) -> Number:
    """Return the encoding of a column that has one value, which has no deviation, or none."""
    begun = Number(first)  # of zeros, which are nothing
    if not distribution.is_binary:
        begun = Number.fitted(distribution, first, clip=clip)
    return replace(begun, seen=tuple(distribution.values.tolist()))


AnyNumber = TypeVar("AnyNumber", Number, Bins, Spline)


def _logarithm(values: Values, scale: float) -> Values:
    """Return ``sign(x) log(1 + |x| / scale)``, also where the ratio is too large for float64."""
    with np.errstate(over="ignore", under="ignore"):
        ratios = np.minimum(np.abs(values) / scale, LARGEST)
    return np.asarray(np.copysign(np.log1p(ratios), values), np.float64)


def _grown_number(encoding: AnyNumber, column: Column, name: str, end: int) -> AnyNumber:
    missing = grown_missing(encoding.missing, np.isnan(as_numbers(column, name).values), end)
    return encoding if missing == encoding.missing else replace(encoding, missing=missing)
