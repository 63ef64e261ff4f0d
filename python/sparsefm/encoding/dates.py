"""Dates as features: parts of the calendar as categories, and time as a number.

All features of a column are one field. Which parts there are by default needs no tuning: "linear"
is the trend; "month", "weekday" and "hour" are what repeats, each left out while it does not differ
between rows, such as the hour of dates without a time. The year is not among them, because years to
come would be unknown; the day of the month rarely matters, and would be 31 features.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain, count
from typing import ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from sparsefm.encoding import beginning
from sparsefm.encoding.categories import Categories
from sparsefm.encoding.columns import (
    NOTHING,
    UNKNOWN,
    Codes,
    Encoding,
    Spans,
    Values,
    all_missing,
    changed,
    grown_missing,
    kind_of_column,
    missing_name,
    with_missing,
)
from sparsefm.encoding.numeric import Number
from sparsefm.encoding.tables import Column, Dates, Labels, Numbers
from sparsefm.encoding.vocabulary import Vocabulary

CATEGORIES = ("year", "month", "day", "weekday", "hour")  # parts that are such
PARTS = ("linear", "dayofyear", *CATEGORIES)  # in the order of their features
AUTO = ("linear", "month", "weekday", "hour")
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True)
class Cycle:
    """Two output columns for what goes round: sine and cosine of the way through the year."""

    n_outputs: ClassVar[int] = 2

    sine: int
    cosine: int

    def spans(self) -> Spans:
        """Return the spans of both."""
        return np.array([[column, column + 1] for column in (self.sine, self.cosine)])

    def names(self, name: str) -> Iterator[tuple[int, str]]:
        """Yield ``name(sin)`` and ``name(cos)``."""
        yield self.sine, f"{name}(sin)"
        yield self.cosine, f"{name}(cos)"


Part: TypeAlias = Number | Cycle | Categories


@dataclass(frozen=True, eq=False)
class Calendar:
    """The features of a date.

    Attributes
    ----------
    parts : dict of str to encoding
        Some of `PARTS`, in their order.
    waiting : dict of str to int or None
        Parts that get features once there are two values of them: the value so far.
    zone : str or None
        The time zone, see `Dates`.
    missing : int
        The output column of missing dates, UNKNOWN if there were none.
    """

    parts: dict[str, Part]
    waiting: dict[str, int | None]
    zone: str | None = None
    missing: int = UNKNOWN

    @property
    def n_outputs(self) -> int:
        """How many output columns there are."""
        return sum(part.n_outputs for part in self.parts.values()) + (self.missing != UNKNOWN)

    @property
    def n_entries(self) -> int:
        """How many of them a row has at most."""
        return max(1, sum(1 + isinstance(part, Cycle) for part in self.parts.values()))

    @property
    def linear(self) -> Number | None:
        """The encoding of time as a number, if there is one."""
        linear = self.parts.get("linear")
        return linear if isinstance(linear, Number) else None

    def spans(self) -> Spans:
        """Return the spans of all parts."""
        spans = [np.empty((0, 2), np.int64), *(part.spans() for part in self.parts.values())]
        return with_missing(np.concatenate(spans), self.missing)

    def names(self, name: str) -> Iterator[tuple[int, str]]:
        """Yield ``name``, ``name:month=3``, ``name:weekday=Mon`` and so on."""
        for key, part in self.parts.items():
            if key == "weekday" and isinstance(part, Categories):
                days = zip(part.columns.tolist(), part.values, strict=True)
                yield from ((column, f"{name}:{key}={WEEKDAYS[int(day)]}") for column, day in days)
            else:
                yield from part.names(name if key == "linear" else f"{name}:{key}")
        yield from missing_name(self.missing, name)

    def awakened(
        self, column: Dates, weights: Values | None, *, clip: bool, follows: bool
    ) -> "Calendar":
        """Return the encoding with what more rows say of time as a number, see `beginning`."""
        linear: Encoding | None = self.linear
        if not isinstance(linear, Number):
            return self
        kind, seconds = "standardize", column.seconds
        if linear.is_waiting:
            linear = beginning.awakened(linear, seconds, weights, kind, 0, 2, clip=clip)
        elif follows and linear.followed is not None:
            linear = linear.following(seconds, weights, kind, clip=clip)
        assert isinstance(linear, Number)
        return replace(self, parts=self.parts | {"linear": linear})

    def grown(self, column: Column, name: str, end: int) -> "Calendar":
        """Append the months, weekdays and so on that are new."""
        dates = self._dates(column, name)
        missing = np.isnat(dates.local)
        local = dates.local[~missing]
        parts, waiting = dict(self.parts), dict(self.waiting)
        for key in CATEGORIES:
            if key not in parts and key not in waiting:
                continue
            values = labels_of(local, key)
            part = parts.get(key)
            if key in waiting:
                before = waiting[key]
                found = {int(value) for value in values.occurring()}
                found |= set() if before is None else {before}
                waiting[key] = min(found, default=None)
                if len(found) < 2:
                    continue
                del waiting[key]
                values, part = Labels(np.arange(len(found)), list(found)), None
            known = part if isinstance(part, Categories) else Categories(Vocabulary())
            parts[key] = known.grown(values, name, end)
            end += parts[key].n_outputs - known.n_outputs
        ordered = {key: parts[key] for key in PARTS if key in parts}
        return Calendar(ordered, waiting, self.zone, grown_missing(self.missing, missing, end))

    def encode(self, column: Column, name: str) -> tuple[Codes, Values | None]:
        """Return the features of each part, side by side."""
        dates = self._dates(column, name)
        missing = np.isnat(dates.local)
        present = dates.take(~missing) if missing.any() else dates
        codes, values = self._entries(present, name)
        if not missing.any():
            return codes, values
        whole = np.full((len(missing), codes.shape[1]), NOTHING, np.int32)
        whole[~missing], whole[missing, 0] = codes, self.missing
        if values is None:
            return whole, None
        spread = np.ones(whole.shape)
        spread[~missing] = values
        return whole, spread

    def _entries(self, dates: Dates, name: str) -> tuple[Codes, Values | None]:
        """Return the output columns and values of dates that are not missing."""
        codes = np.full((len(dates.local), self.n_entries), NOTHING, np.int32)
        are_ones = all(isinstance(part, Categories) for part in self.parts.values())
        values = None if are_ones else np.ones(codes.shape)
        place = 0
        for key, part in self.parts.items():
            if isinstance(part, Categories):
                codes[:, place], _ = part.encode(labels_of(dates.local, key), name)
            elif isinstance(part, Number):
                assert values is not None
                numbers = Numbers(dates.seconds)
                codes[:, place], values[:, place] = part.encode(numbers, name)
            else:
                assert values is not None
                angles = angles_of(dates.local)
                codes[:, place : place + 2] = part.sine, part.cosine
                values[:, place], values[:, place + 1] = np.sin(angles), np.cos(angles)
                place += 1
            place += 1
        return codes, values

    def _dates(self, column: Column, name: str) -> Dates:
        """Return a column as dates on the same clock as in training."""
        if all_missing(column):
            n_rows = column.n_rows
            return Dates(np.full(n_rows, "NaT", "M8[s]"), np.full(n_rows, np.nan), self.zone)
        if not isinstance(column, Dates):
            raise changed(name, "dates", kind_of_column(column))
        was, found = self.zone, column.zone
        if (was is None) != (found is None):
            kinds = ("dates without a time zone", "dates with a time zone")
            raise changed(name, kinds[was is not None], kinds[found is not None])
        if was and found and was != found:
            raise changed(name, f"dates in the time zone {was}", f"dates in {found}")
        return column


def begin(
    column: Dates,
    weights: Values | None,
    first: int,
    parts: tuple[str, ...] | None,
    *,
    clip: bool,
    follows: bool = False,
    spare: int | None = None,
) -> Calendar:
    """Return an encoding for a column, output columns from `first` on; `grown` completes it.

    Parameters
    ----------
    column : Dates
    weights : ndarray of float64, shape (n,), optional
    first : int
    parts : tuple of str, optional
        Some of `PARTS`; without it those of `AUTO` that differ between rows.
    clip : bool
        Whether times far out are brought nearer before they are standardised.
    follows : bool
        Whether the statistics of time follow the rows of a stream.
    spare : int, optional
        An output column to use before all others: of an encoding that knew nothing.
    """
    free = chain([] if spare is None else [spare], count(first))
    chosen = AUTO if parts is None else parts
    found: dict[str, Part] = {}
    if "linear" in chosen:
        numbers = Numbers(column.seconds)
        seconds: Encoding
        seconds = beginning.begin(numbers, weights, next(free), "standardize", 2, clip=clip)
        if follows:
            seconds = beginning.followed(seconds, numbers, weights)
        assert isinstance(seconds, Number)
        found["linear"] = seconds
    if "dayofyear" in chosen:
        found["dayofyear"] = Cycle(next(free), next(free))
    named = [key for key in CATEGORIES if key in chosen]
    if parts is None:
        return Calendar(found, dict.fromkeys(named), column.zone)
    found |= {key: Categories(Vocabulary()) for key in named}
    if spare is not None and list(found) == named:
        value = labels_of(column.local[~np.isnat(column.local)], named[0]).occurring()[0]
        found[named[0]] = Categories(Vocabulary({value: spare}))
    return Calendar(found, {}, column.zone)


def labels_of(local: npt.NDArray[np.datetime64], part: str) -> Labels:
    """Return a part of dates, none of them missing, as categories: whole numbers."""
    if part == "year":
        years, codes = np.unique(local.astype("M8[Y]").astype(np.int64), return_inverse=True)
        return Labels(codes, (years + 1970).tolist())
    days = local.astype("M8[D]")
    if part == "month":
        codes = local.astype("M8[M]").astype(np.int64) % 12
        return Labels(codes, list(range(1, 13)))
    if part == "day":
        return Labels((days - local.astype("M8[M]")).astype(np.int64), list(range(1, 32)))
    if part == "weekday":  # the first day of 1970 was a Thursday
        return Labels((days.astype(np.int64) + 3) % 7, list(range(7)))
    return Labels((local - days).astype(np.int64) // 3600, list(range(24)))


def angles_of(local: npt.NDArray[np.datetime64]) -> Values:
    """Return how far through the year dates are, as angles."""
    years = local.astype("M8[Y]")
    begins = years.astype("M8[s]")
    lengths = (years + 1).astype("M8[s]") - begins
    return np.asarray(2 * np.pi * ((local - begins) / lengths), np.float64)
