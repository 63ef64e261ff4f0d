"""Dates, times of day and durations as they are read: wall clocks, and numbers of seconds."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta, timezone
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.encoding.tables import Column, Dates, Numbers, as_finite, is_missing, temporal

SECONDS = {"Y": 31_556_952, "M": 2_629_746, "W": 604_800, "D": 86_400, "h": 3600, "m": 60}
PARTS = {"ms": 1e3, "us": 1e6, "ns": 1e9, "ps": 1e12, "fs": 1e15, "as": 1e18}  # of a second
FARTHEST = 2**53  # seconds; until then float64 holds each of them
SECOND = np.timedelta64(1, "s")
UTC = re.compile(r"(Etc/)?(UTC|UCT|GMT[+-]?0?|Greenwich|Universal|Zulu)|Z|tzutc\(\)")
FILE = re.compile(r"tzfile\('(?:.*zoneinfo/)?([^/].*)'\)")  # a zone of dateutil as text


def read_dates(values: Any, name: str, zone: str | None = None, utc: Any = None) -> Dates:
    """Return a column of dates.

    Parameters
    ----------
    values : ndarray of datetime64, shape (n,)
        What a clock on the wall showed.
    name : str
    zone : str, optional
        The time zone of that clock, "" if there are several; None if it is not known.
    utc : ndarray of datetime64, shape (n,), optional
        The same in UTC, if a zone is known.
    """
    local = _whole_seconds(values, name)
    return Dates(local, _since_1970(local, values) if utc is None else _exact(utc, name), zone)


def read_durations(values: npt.NDArray[Any], name: str) -> Numbers:
    """Return durations as numbers of seconds."""
    unit, steps = np.datetime_data(values.dtype)
    missing = np.isnat(values)
    if unit in ("Y", "M") or (unit == "generic" and not missing.all()):
        raise temporal(name, values.dtype)
    # In floats, for int64 overflows where days become seconds.
    ticks = values.astype(np.int64).astype(np.float64) * steps
    seconds = ticks * SECONDS.get(unit, 1) / PARTS.get(unit, 1)
    return as_seconds(np.where(missing, np.nan, seconds), name, "durations")


def as_seconds(values: Any, name: str, kind: str) -> Numbers:
    """Return the column of "durations" or "times of day" that have been read as seconds."""
    return replace(as_finite(values, name), kind=kind)


def as_times(cells: npt.NDArray[Any], kind: str | None) -> npt.NDArray[Any]:
    """Return seconds as the "durations" or "times of day" that they were; others as they are."""
    if kind not in ("durations", "times of day"):
        return cells
    seconds = cells.astype(np.float64)  # None becomes NaN
    missing = np.isnan(seconds)
    seconds[missing] = 0
    if kind == "durations":
        unit = "ns" if (np.abs(seconds) < 2**63 / 1e9).all() else "us"
        most = 2.0**62 / PARTS[unit]
        ticks = np.round(np.clip(seconds, -most, most) * PARTS[unit])
        durations = ticks.astype(f"m8[{unit}]")
        durations[missing] = np.timedelta64("NaT")
        return durations
    moments = np.round(np.clip(seconds, 0, 86_400 - 1e-6) * 1e6).astype("M8[us]").tolist()
    times = np.empty(len(moments), object)
    times[:] = [moment.time() for moment in moments]
    times[missing] = None
    return times


def as_objects(cells: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return cells as Python's objects; durations finer than those as NumPy's.

    NumPy would make whole numbers of nanoseconds.
    """
    if cells.dtype.kind != "m":
        return cells.astype(object)
    durations = cells.astype("m8[us]")
    if (durations == cells)[~np.isnat(cells)].all():
        return durations.astype(object)  # NaT becomes None
    objects = np.empty(len(cells), object)
    objects[:] = list(cells)
    return objects


def zone_name(zone: Any) -> str:
    """Return the name of a time zone; "" if it has none, as if it is so many hours from UTC.

    Libraries have several objects, and several names of UTC, for the same zone.
    """
    text = str(zone)
    if UTC.fullmatch(text):
        return "UTC"
    if isinstance(zone, str):
        return "" if text.removeprefix("UTC")[:1] in ("+", "-") else text
    if isinstance(zone, timezone):
        return ""
    for name in (getattr(zone, "key", None), getattr(zone, "zone", None)):  # zoneinfo, pytz
        if isinstance(name, str):
            return "UTC" if UTC.fullmatch(name) else name
    file = FILE.fullmatch(text)
    return "" if file is None else zone_name(file[1])


@lru_cache(maxsize=256)
def is_temporal(kind: type) -> bool:
    """Return whether objects of a type are dates, times or durations."""
    if kind.__name__ == "NaTType":  # is a datetime, but says nothing
        return False
    known = (date, time, timedelta, np.datetime64, np.timedelta64)
    return issubclass(kind, known) or kind.__name__ == "Period"


def read_temporal(rows: Sequence[Any], name: str) -> Column:
    """Return a column of Python's or NumPy's dates, times or durations; some may be missing."""
    missing = np.fromiter(map(is_missing, rows), bool, len(rows))
    found = [value for value, lost in zip(rows, missing, strict=True) if not lost]
    kinds = set(map(type, found))
    for family, read, what in (
        (timedelta, _seconds, "durations"),
        (np.timedelta64, _seconds, "durations"),
        (time, _clock, "times of day"),
    ):
        if all(issubclass(kind, family) for kind in kinds):
            seconds = np.full(len(rows), np.nan)
            seconds[~missing] = [read(value, name) for value in found]
            return as_seconds(seconds, name, what)
    if not all(map(_is_date, kinds)):
        listed = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise TypeError(
            f"column {name!r} holds values of several types ({listed}): make them all dates, all "
            "durations, or all text"
        )
    return _read_date_objects(found, missing, name)


def _is_date(kind: type) -> bool:
    return issubclass(kind, date | np.datetime64) or kind.__name__ == "Period"


def _read_date_objects(found: list[Any], missing: npt.NDArray[np.bool_], name: str) -> Dates:
    aware = [isinstance(value, datetime) and value.tzinfo is not None for value in found]
    if any(aware) and not all(aware):
        raise TypeError(
            f"column {name!r} holds dates with a time zone beside dates without: convert all of "
            "them to one kind"
        )
    local = np.full(len(missing), np.datetime64("NaT"), "M8[us]")
    utc = None
    local[~missing] = np.array([_wall_clock(value, name) for value in found], "M8[us]")
    if not any(aware):
        return read_dates(local, name)
    utc = local.copy()
    utc[~missing] -= np.array([value.utcoffset() for value in found], "m8[us]")
    zones = {id(value.tzinfo): value.tzinfo for value in found}  # some cannot be hashed
    names = set(map(zone_name, zones.values()))
    return read_dates(local, name, names.pop() if len(names) == 1 else "", utc)


def _wall_clock(value: Any, name: str) -> Any:
    """Return a date as what NumPy makes datetime64 of."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    if isinstance(value, date):
        return value
    if isinstance(value, np.datetime64):
        return _whole_seconds(np.array([value]), name, 2**43)[0] + (value - value.astype("M8[s]"))
    return np.datetime64(value.asfreq("s", how="start").strftime("%Y-%m-%dT%H:%M:%S"), "us")


def _seconds(value: Any, name: str) -> float:
    if isinstance(value, timedelta):
        return value.total_seconds()
    return float(read_durations(np.array([value]), name).values[0])


def _clock(value: time, name: str) -> float:
    return value.hour * 3600 + value.minute * 60 + value.second + value.microsecond / 1e6


def _whole_seconds(
    values: npt.NDArray[Any], name: str, farthest: int = FARTHEST
) -> npt.NDArray[Any]:
    """Return dates in whole seconds, rounded down; they reach 285 million years."""
    unit, steps = np.datetime_data(values.dtype)
    ticks = values.astype(np.int64)
    limit = farthest // (SECONDS.get(unit, 1) * steps)
    if unit in (*SECONDS, "s") and (np.abs(ticks[~np.isnat(values)]) > limit).any():
        raise ValueError(f"column {name!r} holds a date too far from now")
    return values.astype("M8[s]")


def _since_1970(local: npt.NDArray[Any], values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return dates as numbers of seconds, with what is left of `values` beside whole ones."""
    missing = np.isnat(local)
    seconds = local.view(np.int64).astype(np.float64)
    if np.datetime_data(values.dtype)[0] in ("ms", "us", "ns", "ps", "fs", "as"):
        seconds += (values - local) / SECOND
    seconds[missing] = np.nan
    return seconds


def _exact(values: npt.NDArray[Any], name: str) -> npt.NDArray[np.float64]:
    return _since_1970(_whole_seconds(values, name), values)
