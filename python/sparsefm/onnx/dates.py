"""Columns of dates as ONNX: parts of the calendar, by arithmetic of whole numbers.

The calendar is that of H. Hinnant, "chrono-Compatible Low-Level Date Algorithms" (2013),
``civil_from_days``: years begin in March, so that the day that may be missing is the last, and 400
of them are an era, of always as many days.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sparsefm.encoding.categories import Categories
from sparsefm.encoding.columns import UNKNOWN
from sparsefm.encoding.dates import Calendar, Cycle
from sparsefm.encoding.numeric import Number
from sparsefm.onnx.categories import looked_up, present
from sparsefm.onnx.graph import Graph
from sparsefm.onnx.numbers import Pairs, everywhere, standardised, with_missing

MICROSECONDS, DAY = 10**6, 86_400
NAT = -(2**63)  # stands for a missing date, as in NumPy
ERA, YEARS = 146_097, 400  # days and years
PAST = 1000  # eras added, for what is divided must not be negative; int64 reaches 731 back
BEFORE_1970 = 719_468  # days from March of the year 0
PLAIN_ZONES = (None, "UTC")  # where a clock on the wall shows what `seconds` are
DOC = "microseconds since 1970-01-01{}; the least int64 where the date is missing"


def dates(graph: Graph, encoding: Calendar, name: str) -> Pairs:
    """Add inputs of dates, and return the features and values of each part of the calendar."""
    is_plain = encoding.zone in PLAIN_ZONES
    has_linear = "linear" in encoding.parts
    shape, given, clock = ("rows",), "", ""
    if is_plain or has_linear:
        given = clock = graph.input(name, np.int64, shape, DOC.format(" in UTC" * (not is_plain)))
    if not is_plain and len(encoding.parts) > has_linear:
        doc = DOC.format(f", of what a clock on the wall shows in {encoding.zone or 'its zone'}")
        clock = graph.input(f"{name}:local", np.int64, shape, doc)
    missing = graph.add("Equal", given or clock, NAT)
    local = Clock(graph, graph.add("Where", missing, 0, clock))
    found: Pairs = []
    for key, part in encoding.parts.items():
        if isinstance(part, Number):
            utc = Clock(graph, graph.add("Where", missing, 0, given))
            found += standardised(graph, part, utc.exact, name)
        elif isinstance(part, Cycle):
            for column, shift in ((part.sine, 0.0), (part.cosine, np.pi / 2)):
                wave = graph.add("Sin", graph.add("Add", local.angle, shift))
                found.append((everywhere(graph, column, wave), wave))
        elif isinstance(part, Categories) and part.values:
            found.append(present(graph, looked_up(graph, getattr(local, key), part)))
    if not found:  # all dates of the training were missing
        found.append(present(graph, graph.add("Where", missing, UNKNOWN, UNKNOWN)))
    return with_missing(graph, found, missing, encoding.missing)


@dataclass(frozen=True)
class Clock:
    """Moments, int64 microseconds since 1970; each part is added when it is first asked for."""

    graph: Graph
    moments: str

    @cached_property
    def exact(self) -> str:
        """Seconds, float64."""
        rest = self.graph.cast(self._modulo(self.moments, MICROSECONDS), np.float64)
        rest = self.graph.add("Div", rest, float(MICROSECONDS))
        return self.graph.add("Add", self.graph.cast(self._seconds, np.float64), rest)

    @cached_property
    def weekday(self) -> str:
        """From 0, Monday; the first day of 1970 was a Thursday."""
        return self._modulo(self.graph.add("Add", self._days, 3), 7)

    @cached_property
    def hour(self) -> str:
        """From 0."""
        return self.graph.add("Div", self._second, 3600)

    @cached_property
    def day(self) -> str:
        """Of the month, from 1."""
        months = self.graph.add("Mul", self._month, 153)  # of five months from March on
        begin = self.graph.add("Div", self.graph.add("Add", months, 2), 5)
        return self.graph.add("Add", self.graph.add("Sub", self._day_of_year, begin), 1)

    @cached_property
    def month(self) -> str:
        """From 1."""
        later = self.graph.add("Sub", self._month, 9)
        return self.graph.add("Where", self._is_early, later, self.graph.add("Add", self._month, 3))

    @cached_property
    def year(self) -> str:
        """Of the calendar; before the year 1 there is 0."""
        years = self.graph.add("Mul", self._era, YEARS)
        years = self.graph.add("Add", years, self._year_of_era)
        years = self.graph.add("Sub", years, PAST * YEARS)
        return self.graph.add("Add", years, self.graph.cast(self._is_early, np.int64))

    @cached_property
    def angle(self) -> str:
        """How far through the year, as an angle."""
        graph = self.graph
        zeros = [graph.add("Equal", self._modulo(self.year, n), 0) for n in (4, 100, 400)]
        leap = graph.add("And", zeros[0], graph.add("Or", graph.add("Not", zeros[1]), zeros[2]))
        leap = graph.cast(leap, np.int64)
        spring = graph.add("Add", graph.add("Add", self._day_of_year, 59), leap)
        winter = graph.add("Sub", self._day_of_year, 306)
        days = graph.add("Where", self._is_early, winter, spring)
        seconds = graph.add("Add", graph.add("Mul", days, DAY), self._second)
        length = graph.add("Mul", graph.add("Add", leap, 365), DAY)
        share = graph.add("Div", graph.cast(seconds, np.float64), graph.cast(length, np.float64))
        return graph.add("Mul", share, 2 * np.pi)

    @cached_property
    def _seconds(self) -> str:
        return self._floor(self.moments, MICROSECONDS)

    @cached_property
    def _days(self) -> str:
        return self._floor(self._seconds, DAY)

    @cached_property
    def _second(self) -> str:
        """Of the day."""
        return self._modulo(self._seconds, DAY)

    @cached_property
    def _shifted(self) -> str:
        return self.graph.add("Add", self._days, BEFORE_1970 + PAST * ERA)

    @cached_property
    def _era(self) -> str:
        return self.graph.add("Div", self._shifted, ERA)

    @cached_property
    def _day_of_era(self) -> str:
        return self._modulo(self._shifted, ERA)

    @cached_property
    def _year_of_era(self) -> str:
        graph, day = self.graph, self._day_of_era
        days = graph.add("Sub", day, graph.add("Div", day, 1460))
        days = graph.add("Add", days, graph.add("Div", day, 36_524))
        days = graph.add("Sub", days, graph.add("Div", day, ERA - 1))
        return graph.add("Div", days, 365)

    @cached_property
    def _day_of_year(self) -> str:
        """From the first of March, 0."""
        graph, year = self.graph, self._year_of_era
        begin = graph.add("Add", graph.add("Mul", year, 365), graph.add("Div", year, 4))
        begin = graph.add("Sub", begin, graph.add("Div", year, 100))
        return graph.add("Sub", self._day_of_era, begin)

    @cached_property
    def _month(self) -> str:
        """From March, 0."""
        return self.graph.add(
            "Div", self.graph.add("Add", self.graph.add("Mul", self._day_of_year, 5), 2), 153
        )

    @cached_property
    def _is_early(self) -> str:
        """Whether it is January or February."""
        return self.graph.add("GreaterOrEqual", self._month, 10)

    def _modulo(self, value: str, by: int) -> str:
        """Return the rest of a division, never negative."""
        return self.graph.add("Mod", value, by)

    def _floor(self, value: str, by: int) -> str:
        """Divide, rounding down; ONNX rounds towards zero."""
        return self.graph.add("Div", self.graph.add("Sub", value, self._modulo(value, by)), by)
