"""Dates, times and durations of all libraries are read alike."""

import datetime as dt
import os
import warnings
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from sparsefm.encoding import TableEncoder, objects
from sparsefm.encoding.libraries import as_table
from sparsefm.encoding.objects import read_objects
from sparsefm.encoding.tables import Dates, Labels, Numbers
from sparsefm.encoding.times import read_dates, read_durations, zone_name

pd = pytest.importorskip("pandas")
pa = pytest.importorskip("pyarrow")
pl = pytest.importorskip("polars")
pytest.importorskip("narwhals")

tz = pytest.importorskip("dateutil.tz")

OSLO = ZoneInfo("Europe/Oslo")
OSLO_FILE = "/usr/share/zoneinfo/Europe/Oslo"
OSLO_FILE = OSLO_FILE if os.path.exists(OSLO_FILE) else None
WHEN = [dt.datetime(2024, 3, 31, 1, 30, 15), None, dt.datetime(1969, 12, 31, 23, 59, 59, 500000)]
DAYS = [dt.date(2024, 2, 29), None, dt.date(1900, 1, 1)]
# In summer Oslo is two hours before UTC, which is what clocks jump to on 2024-03-31 at 02:00.
ZONED = [dt.datetime(2024, 3, 31, 3, 30, tzinfo=OSLO), None, dt.datetime(2024, 1, 1, tzinfo=OSLO)]
CLOCK = [dt.time(3, 30, 15, 250000), None, dt.time(0)]
SPANS = [dt.timedelta(days=1, microseconds=500000), None, dt.timedelta(seconds=-90)]


def read(series):
    table = {pd.Series: pd.DataFrame, pl.Series: pl.DataFrame}.get(type(series), pa.table)
    (column,) = as_table(table({"x": series})).columns(["x"])
    return column


def arrow(values, kind=None):
    return pa.chunked_array([pa.array(values[:1], kind), pa.array(values[1:], kind)])


def local(values):
    wall = [None if value is None else value.replace(tzinfo=None) for value in values]
    return np.array(wall, "M8[us]").astype("M8[s]")


def moments(values):
    utc = [
        np.nan if value is None else value.replace(tzinfo=value.tzinfo or dt.timezone.utc)
        for value in values
    ]
    return [value if value is np.nan else value.timestamp() for value in utc]


NAIVE = {
    "pandas": pd.Series(pd.to_datetime(WHEN)),
    "pandas, milliseconds": pd.Series(np.array(WHEN, "M8[ms]")),
    "pandas, Arrow's": pd.Series(WHEN, dtype=pd.ArrowDtype(pa.timestamp("us"))),
    "pandas, objects": pd.Series(WHEN, dtype=object),
    "pandas, Timestamps": pd.Series([pd.Timestamp(WHEN[0]), pd.NaT, WHEN[2]], dtype=object),
    "pandas, NumPy's": pd.Series([np.datetime64(one, "us") for one in WHEN], dtype=object),
    "pandas, sparse": pd.Series(pd.arrays.SparseArray(np.array(WHEN, "M8[ms]"))),
    "Polars": pl.Series(WHEN),
    "Polars, milliseconds": pl.Series(WHEN, dtype=pl.Datetime("ms")),
    "Polars, objects": pl.Series(WHEN, dtype=pl.Object),
    "Arrow": arrow(WHEN),
    "Arrow, nanoseconds": arrow(WHEN, pa.timestamp("ns")),
}
DATES = {
    "pandas, objects": pd.Series(DAYS, dtype=object),
    "pandas, seconds": pd.Series(np.array(DAYS, "M8[s]")),
    "pandas, Arrow's": pd.Series(DAYS, dtype=pd.ArrowDtype(pa.date32())),
    "pandas, period": pd.Series(pd.PeriodIndex(DAYS, freq="D")),
    "pandas, period objects": pd.Series(list(pd.PeriodIndex(DAYS, freq="D")), dtype=object),
    "Polars": pl.Series(DAYS),
    "Arrow": arrow(DAYS),
    "Arrow, milliseconds": arrow(DAYS, pa.date64()),
}
AWARE = {
    "pandas": pd.Series(pd.to_datetime(ZONED)),
    "pandas, Arrow's": pd.Series(ZONED, dtype=pd.ArrowDtype(pa.timestamp("us", "Europe/Oslo"))),
    "pandas, objects": pd.Series(ZONED, dtype=object),
    "Polars": pl.Series(ZONED, dtype=pl.Datetime("us", "Europe/Oslo")),
    "Arrow": arrow(ZONED, pa.timestamp("ms", "Europe/Oslo")),
}


@pytest.mark.parametrize(
    ("series", "values", "zone"),
    [
        *((series, WHEN, None) for series in NAIVE.values()),
        *((series, ZONED, "Europe/Oslo") for series in AWARE.values()),
    ],
    ids=[*NAIVE, *(f"{key}, zone" for key in AWARE)],
)
def test_dates_with_a_time(series, values, zone):
    column = read(series)
    assert isinstance(column, Dates)
    np.testing.assert_array_equal(column.local, local(values))
    np.testing.assert_array_equal(column.seconds, moments(values))
    assert column.zone == zone
    assert column.show(1) == "nothing (a missing value)"
    assert column.show(0) == str(local(values)[0]).replace("T", " ")


@pytest.mark.parametrize("name", DATES)
def test_dates_without_a_time(name):
    column = read(DATES[name])
    assert isinstance(column, Dates)
    np.testing.assert_array_equal(column.local, np.array(DAYS, "M8[D]").astype("M8[s]"))
    assert column.zone is None


def test_periods_are_where_they_begin():
    periods = pd.PeriodIndex(["2024Q3", None, "1066Q1"], freq="Q")
    expected = np.array(["2024-07-01", "NaT", "1066-01-01"], "M8[s]")
    for series in (pd.Series(periods), pd.Series(list(periods), dtype=object)):
        np.testing.assert_array_equal(read(series).local, expected)
    weeks = pd.Series(pd.PeriodIndex(["2024-01-04"], freq="W"))
    assert read(weeks).show(0) == "2024-01-01 00:00:00"


@pytest.mark.parametrize(
    ("make", "values", "seconds"),
    [
        (make, values, seconds)
        for values, seconds in ((SPANS, [86400.5, np.nan, -90]), (CLOCK, [12615.25, np.nan, 0]))
        for make in (
            lambda values: pd.Series(values, dtype=object),
            lambda values: pd.Series(values, dtype=pd.ArrowDtype(pa.array(values).type)),
            pl.Series,
            arrow,
        )
    ],
)
def test_durations_and_times_of_day_are_seconds(make, values, seconds):
    column = read(make(values))
    assert isinstance(column, Numbers)
    np.testing.assert_array_equal(column.values, seconds)


def test_other_durations():
    for series in (
        pd.Series(pd.to_timedelta(SPANS)),
        pd.Series(SPANS, dtype="m8[ms]"),
        pd.Series([np.timedelta64(one, "us") for one in SPANS], dtype=object),
        pl.Series(SPANS, dtype=pl.Duration("ms")),
        arrow(SPANS, pa.duration("ns")),
    ):
        np.testing.assert_array_equal(read(series).values, [86400.5, np.nan, -90])
    times = arrow([1500, None], pa.time32("ms"))
    np.testing.assert_array_equal(read(times).values, [1.5, np.nan])
    nothing = read_durations(np.array(["NaT"], "m8"), "x")
    assert np.isnan(nothing.values).all()
    with pytest.raises(TypeError, match="column 'x' holds dates or times in a form"):
        read_durations(np.array([1], "m8"), "x")


def test_durations_are_numbers_to_every_setting():
    frame = pd.DataFrame({"d": pd.to_timedelta([1, 2, 3, None], unit="h")})
    names = TableEncoder(numeric={"d": "spline"}).fit(frame).get_feature_names_out()
    assert names.tolist() == ["d@3600", "d@7200", "d@10800", "d=missing"]


@pytest.mark.parametrize("few", [200, 0])
def test_categories_of_dates_stay_categories(few, monkeypatch):
    monkeypatch.setattr(objects, "FEW_ROWS", few)
    for series in (
        pd.Series(pd.to_datetime(["2024-01-02", None])).astype("category"),
        arrow([dt.datetime(2024, 1, 2), None], pa.timestamp("us")).dictionary_encode(),
    ):
        column = read(series)
        assert isinstance(column, Labels)
        assert column.values == ["2024-01-02 00:00:00"]
        assert column.codes.tolist() == [0, -1]


def test_arrays():
    """The units of NumPy are those of the whole array."""
    X = np.array([["2024-01-01", "1600-05-05"], ["2024-07-01", "NaT"]], "M8[D]")
    fitted = TableEncoder(dates="month").fit(X)
    names = ["x0:month=1", "x0:month=7", "x1:month=5", "x1=missing"]
    assert fitted.get_feature_names_out().tolist() == names
    hours = TableEncoder(numeric="bin", n_bins=2).fit(np.array([[1], [2]], "m8[h]"))
    assert hours.get_feature_names_out().tolist() == ["x0 in [-inf, 7200)", "x0 in [7200, inf)"]


@pytest.mark.parametrize("unit", ["Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps"])
@pytest.mark.parametrize("order", "<>")
def test_units(unit, order):
    day = "1969-12-31" if unit == "ps" else "1969-01-01"
    values = np.array([day, "NaT"], f"{order}M8[{unit}]")
    column = read_dates(values, "x")
    assert column.local[0] == np.array(values, "M8[s]")[0]
    assert column.seconds[0] == column.local[0].astype(np.int64)
    assert np.isnan(column.seconds[1])


def test_dates_far_out():
    """Nanoseconds reach from 1678 to 2262 only."""
    values = np.array(
        ["-20000-01-01", "1066-10-14", "9999-12-31T23:59:59", "275000-05-05"], "M8[s]"
    )
    for series in (pd.Series(values), pd.Series(list(values), dtype=object)):
        np.testing.assert_array_equal(read(series).local, values)
    years = [dt.datetime.min, dt.datetime.max, dt.datetime.max.replace(tzinfo=dt.timezone.utc)]
    for value in years:
        column = read_objects([value], "x")
        assert column.show(0)[:4] in ("0001", "9999")
    for values in (np.array([2**60], "M8[D]"), np.array([2**58], "M8[s]")):
        with pytest.raises(ValueError, match="column 'x' holds a date too far from now"):
            read_dates(values, "x")
    with pytest.raises(ValueError, match="column 'x' holds a date too far from now"):
        read_objects([np.datetime64(2**40, "D")], "x")


# --- objects --------------------------------------------------------------------------------------


def test_zones_of_objects():
    def zoned(hours):
        zone = dt.timezone(dt.timedelta(hours=hours))
        return dt.datetime(2024, 1, 1, 12, tzinfo=zone)

    column = read_objects([zoned(1), None, zoned(2)], "x")
    assert column.zone == ""
    assert column.show(0) == column.show(2) == "2024-01-01 12:00:00"
    assert column.seconds[0] - column.seconds[2] == 3600
    assert read_objects([zoned(0)], "x").zone == "UTC"
    same = [zoned(1), zoned(1).astimezone(dt.timezone.utc)]  # equal, but not on the wall
    for rows in (same, same[::-1]):
        assert sorted(read_objects(rows, "x").local.astype(str)) == [
            "2024-01-01T11:00:00",
            "2024-01-01T12:00:00",
        ]


@pytest.mark.parametrize(
    ("rows", "match"),
    [
        ([dt.date(2024, 1, 1), "a"], r"column 'x' holds values of several types \(date, str\)"),
        ([dt.datetime(2024, 1, 1), 3], r"several types \(datetime, int\)"),
        ([dt.time(3), dt.timedelta(3)], r"several types \(time, timedelta\)"),
        ([WHEN[0], ZONED[0]], "column 'x' holds dates with a time zone beside dates without"),
        ([dt.date(2024, 1, 1), ZONED[0]], "column 'x' holds dates with a time zone beside"),
        ([[dt.date(2024, 1, 1)]], r"column 'x' holds dates or times .* \(date in list\)"),
        ([np.timedelta64(1, "Y")], "column 'x' holds dates or times in a form"),
    ],
)
def test_what_is_refused(rows, match):
    with pytest.raises(TypeError, match=match):
        read_objects(rows, "x")


def test_nothing_but_missing_values():
    day, span = np.datetime64("NaT"), np.timedelta64("NaT")
    for rows in ([pd.NaT, None], [np.nan, pd.NaT], [day, None], [span, np.nan], [day, span]):
        column = read_objects(rows, "x")
        assert isinstance(column, Labels)
        assert column.codes.tolist() == [-1, -1]
    assert isinstance(read_objects([day, dt.timedelta(1)], "x"), Numbers)
    encoder = TableEncoder().fit([{"x": WHEN[0]}, {"x": WHEN[2]}])
    found, plain = (encoder.transform([{"x": one}, {"x": None}]) for one in (day, None))
    assert (found != plain).nnz == 0


class Own(dt.tzinfo):
    """A zone that has no name."""

    def utcoffset(self, when):
        return dt.timedelta(hours=1)


class Pytz(Own):
    """A zone as those of pytz."""

    zone = "Europe/Oslo"


HOUR = dt.timedelta(hours=1)


@pytest.mark.parametrize(
    ("zone", "name"),
    [
        ("Europe/Oslo", "Europe/Oslo"),
        ("+02:00", ""),
        ("UTC-03:00", ""),
        *[(zone, "UTC") for zone in ("UTC", "Etc/UTC", "GMT", "Zulu", ZoneInfo("Etc/UTC"))],
        *[(zone, "UTC") for zone in (dt.timezone.utc, dt.timezone(0 * HOUR), tz.UTC, tz.tzutc())],
        (OSLO, "Europe/Oslo"),
        (tz.tzfile(OSLO_FILE), "Europe/Oslo") if OSLO_FILE else (OSLO, "Europe/Oslo"),
        (tz.tzoffset("CET", 3600), ""),
        (dt.timezone(HOUR), ""),
        (dt.timezone(HOUR, "CET"), ""),
        (Own(), ""),
        (Pytz(), "Europe/Oslo"),
    ],
)
def test_names_of_zones(zone, name):
    assert zone_name(zone) == name


def test_zones_that_cannot_be_hashed():
    dates = [{"x": dt.datetime(2024, 1, day, tzinfo=tz.UTC)} for day in (1, 2, 3)]
    same = [{"x": row["x"].replace(tzinfo=dt.timezone.utc)} for row in dates]
    encoder = TableEncoder().fit(dates)
    assert (encoder.transform(dates) != encoder.transform(same)).nnz == 0


def test_zones_that_are_not_known():
    column = arrow([1, 2, 3], pa.timestamp("s", tz="Mars/Olympus"))
    with pytest.raises(ValueError, match="column 'x' has a time zone that is not known"):
        read(column)


def test_durations_do_not_overflow():
    for unit, seconds in (("D", 86_400), ("s", 1), ("7h", 25_200), ("ms", 1e-3), ("as", 1e-18)):
        spans = np.array([2**62, -3, np.iinfo(np.int64).min]).view(f"m8[{unit}]")  # the last: NaT
        expected = [2.0**62 * seconds, -3 * seconds, np.nan]
        np.testing.assert_allclose(read_durations(spans, "x").values, expected, rtol=1e-15)


def test_durations_and_times_of_day_are_no_identifiers():
    ticks = np.arange(200)
    spans = ticks.astype("m8[s]")
    clock = [dt.time(0, tick // 60, tick % 60) for tick in ticks.tolist()]
    tables = [
        pd.DataFrame({"x": spans}),
        pd.DataFrame({"x": clock}),
        pl.DataFrame({"x": spans.astype("m8[ms]")}),
        pl.DataFrame({"x": clock}),
        pa.table({"x": pa.array(clock)}),
        [{"x": span} for span in spans.tolist()],
        spans[:, None],
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for table in tables:
            TableEncoder().fit(table)
    (column,) = as_table(tables[0]).columns(["x"])
    assert column.take(ticks > 3).kind == "durations"
