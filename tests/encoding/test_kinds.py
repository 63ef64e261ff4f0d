"""Every line of the tables of the guide on kinds of columns, and no other."""

import datetime as dt
import re
import uuid
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from sparsefm.encoding import TableEncoder

pd = pytest.importorskip("pandas")
pa = pytest.importorskip("pyarrow")
pl = pytest.importorskip("polars")
pytest.importorskip("narwhals")

GUIDE = Path(__file__).parents[2] / "docs/guide/tables.md"
DAYS = [dt.date(2024, 1, 1), dt.date(2024, 3, 5)]
CALENDAR = ["c", "c:month=1", "c:month=3", "c:weekday=Mon", "c:weekday=Tue"]
OSLO = "Europe/Oslo"


def frame(values, dtype=None):
    return pd.DataFrame({"c": pd.Series(values, dtype=dtype)})


def polars(values, dtype=None):
    return pl.DataFrame({"c": pl.Series(values, dtype=dtype)})


def arrow(values, dtype=None):
    return pa.table({"c": pa.array(values, dtype)})


def everywhere(values):
    """Return tables of all libraries, an array and rows as dicts."""
    rows = [{"c": value} for value in values]
    return [frame(values), frame(values, object), polars(values), arrow(values), rows]


DECIMALS = [Decimal("1.50"), Decimal("2.5"), None]
WITH_GAPS = ["c", "c=missing"]
BOOLS = ["c=False", "c=True"]
TEXT = ["c=a", "c=b"]

# For each line: tables of a column "c", their features, and options of the encoder.
ENCODED = {
    "text": [
        *((X, TEXT) for X in everywhere(["a", "b", "a"])),
        (frame(["b", "a"], "string"), TEXT),
        (polars(["7", "08"]), ["c=08", "c=7"]),
        (frame(["a", None, "b"], object), [*TEXT, "c=missing"]),
    ],
    "categorical, enum, dictionary": [
        (frame(["b", "a"], "category"), TEXT),
        (frame(pd.Categorical([7, 5])), ["c=5", "c=7"]),
        (frame(pd.Categorical(DAYS)), ["c=2024-01-01", "c=2024-03-05"]),
        (polars(["a", "b"], pl.Categorical), TEXT),
        (polars(["a", "b"], pl.Enum(["b", "a", "z"])), TEXT),
        (arrow(["a", "b"], pa.dictionary(pa.int8(), pa.string())), TEXT),
        (pa.table({"c": pa.array([5, 7]).dictionary_encode()}), ["c=5", "c=7"]),
        (frame(["a", "b"], pd.ArrowDtype(pa.dictionary(pa.int8(), pa.string()))), TEXT),
        (pa.table({"c": pa.RunEndEncodedArray.from_arrays([1, 3], ["a", "b"])}), TEXT),
    ],
    "bools": [
        *((X, BOOLS) for X in everywhere([True, False])),
        (frame([True, None, False], "boolean"), [*BOOLS, "c=missing"]),
    ],
    "intervals, as from `pd.cut`": [
        (frame(pd.cut([25, 35], [20, 30, 40])), ["c=(20, 30]", "c=(30, 40]"]),
        (frame(pd.arrays.IntervalArray.from_tuples([(0, 1), (1, 2)])), ["c=(0, 1]", "c=(1, 2]"]),
        (frame(list(pd.interval_range(0, 1)), object), ["c=(0, 1]"]),
    ],
    "numbers": [
        *((X, ["c"]) for X in everywhere([1.5, 2.5, 4.0])),
        *((X, ["c"]) for X in everywhere([1, 5, 8])),
        (frame([1, 2, 9], "uint8"), ["c"]),
        (polars([1, 2, 9], pl.Int128), ["c"]),
        (arrow(np.array([1, 5], "f2")), ["c"]),
    ],
    "nullable numbers, decimals, sparse columns": [
        (frame([1, None, 7], "Int64"), WITH_GAPS),
        (frame([1.5, None, 7], "Float32"), WITH_GAPS),
        (frame([1, None, 7], pd.ArrowDtype(pa.int16())), WITH_GAPS),
        *((X, WITH_GAPS) for X in everywhere(DECIMALS)),
        (arrow(DECIMALS, pa.decimal256(50, 10)), WITH_GAPS),
        (frame(DECIMALS, pd.ArrowDtype(pa.decimal128(9, 2))), WITH_GAPS),
        (frame(pd.arrays.SparseArray([0, 0, 3, 5])), ["c"]),
    ],
    "numbers that are all 0 or 1": [(frame([0, 1, 1]), ["c"])],
    "a constant number": [(frame([3.5, 3.5]), ["c"])],
    "whole numbers that `categorical` names": [
        (X, ["c=5", "c=7", "c=missing"], {"categorical": ["c"]})
        for X in (frame([7, None, 5]), frame([7, None, 5], "Int64"), polars([7, None, 5]))
    ],
    "dates, with or without time and time zone": [
        *((X, CALENDAR) for X in everywhere(DAYS)),
        (frame(pd.to_datetime(DAYS)), CALENDAR),
        (frame(np.array(DAYS, "M8[s]")), CALENDAR),
        (frame(pd.to_datetime(DAYS).tz_localize(OSLO)), CALENDAR),
        (polars(DAYS, pl.Datetime("ms")), CALENDAR),
        (polars(DAYS, pl.Datetime("us")).select(pl.all().dt.replace_time_zone(OSLO)), CALENDAR),
        (arrow(DAYS, pa.date64()), CALENDAR),
        (pa.table({"c": pa.array(DAYS).cast(pa.timestamp("ns", OSLO))}), CALENDAR),
        (frame(DAYS, pd.ArrowDtype(pa.date32())), CALENDAR),
        (frame([*DAYS, None], object), [*CALENDAR, "c=missing"]),
    ],
    "periods of pandas": [
        (frame(pd.PeriodIndex(["2024-01", "2024-03"], freq="M")), [*CALENDAR[:4], "c:weekday=Fri"]),
    ],
    "durations, times of day": [
        *((X, ["c"]) for X in everywhere([dt.timedelta(hours=1), dt.timedelta(days=1)])),
        *((X, ["c"]) for X in everywhere([dt.time(3), dt.time(15, 30)])),
        (frame(pd.to_timedelta([1, 2], unit="h")), ["c"]),
    ],
    "lists, sets, arrays, and text with a separator": [
        *((X, TEXT) for X in everywhere([["a"], ["b", "a"]])),
        (frame([{"a"}, {"a", "b"}]), TEXT),
        (frame([np.array([5]), np.array([5, 7])]), ["c=5", "c=7"]),
        (polars([["a", "b"], ["b", "a"]], pl.Array(pl.String, 2)), TEXT),
        (frame(["a|b", "b"]), TEXT, {"multi": {"c": "|"}}),
    ],
    "dicts and maps from values to weights": [
        (frame([{"a": 0.5}, {"b": 2.0}]), TEXT),
        (arrow([[("a", 0.5)], [("b", 2.0)]], pa.map_(pa.string(), pa.float64())), TEXT),
    ],
    "nothing but missing values": [
        (frame([None, None], object), ["c=missing"]),
        (frame([np.nan, np.nan]), WITH_GAPS),
        (polars([None, None]), WITH_GAPS),
        (arrow([None, None]), WITH_GAPS),
        (frame([None, None], "string"), ["c=missing"]),
        (frame([pd.NaT, pd.NaT], "M8[ns]"), WITH_GAPS),
    ],
    "objects": [
        (polars(["a", "b"], pl.Object), TEXT),
        (polars([1.5, 2.5], pl.Object), ["c"]),
        (polars(DAYS, pl.Object), CALENDAR),
        (frame([Decimal("1.5"), 2, 3.5], object), ["c"]),
        (np.array([["a"], ["b"]], object), ["x0=a", "x0=b"]),
    ],
    "the columns of a sparse matrix": [(sparse.identity(2, format="csr"), ["x0", "x1"])],
}

# For each line: tables that are refused, and the remedy.
REFUSED = {
    "records: structs of Polars and Arrow": [
        (polars([{"a": 1}]), r"X.unnest\('c'\) in Polars"),
        (arrow([{"a": 1}]), r"X.flatten\(\) in Arrow"),
        (frame([{"a": 1}], pd.ArrowDtype(pa.struct({"a": pa.int8()}))), r"struct.explode\(\)"),
        (pa.table({"c": pa.StructArray.from_arrays([[1]], ["a"])}), "make a column of each"),
    ],
    "lists of lists, of records, of dates, of numbers with fractions": [
        *((X, "make each row a list") for X in everywhere([[["a"]], [["b"]]])),
        (polars([[{"a": 1}]]), "make each row a list"),
        *((X, "make dates, numbers or text") for X in everywhere([DAYS, DAYS])),
        *((X, "make a column for each place") for X in everywhere([[0.5], [1.5]])),
    ],
    "values of several types: text beside numbers, bools beside numbers": [
        (frame([1, "a"], object), "make them all text, or all numbers"),
        (frame([True, 2], object), "make them all text, or all numbers"),
        (frame([DAYS[0], "a"], object), "make them all dates"),
        (polars([1, "a"], pl.Object), "make them all text, or all numbers"),
    ],
    "bytes, complex numbers, UUIDs, other objects": [
        (frame([b"a"], object), "convert"),
        (polars([b"a"]), "convert"),
        (arrow([b"a"]), "convert"),
        (frame([1j, 2j]), "convert"),
        (frame([uuid.uuid4()], object), "convert"),
        (polars([uuid.uuid4()], pl.Object), "convert"),
        (frame([object()], object), "convert"),
    ],
    "durations in months, as Arrow's month intervals": [
        (arrow([(1, 2, 3)], pa.month_day_nano_interval()), "make dates, numbers or text"),
        (frame([np.timedelta64(1, "M")], object), "make dates, numbers or text"),
    ],
    "infinite numbers": [(X, "column 'c', row 1") for X in everywhere([1.0, np.inf])],
    "a Series as X": [
        (pd.Series({"c": 1.5, "d": 2}), r"X.to_frame\(\) .* table.iloc\[\[0\]\]"),
        (pl.Series([1.5]), r"X.to_frame\(\) .* table.iloc\[\[0\]\]"),
    ],
}


def lines(kinds):
    return [pytest.param(*case, id=line[:30]) for line, cases in kinds.items() for case in cases]


def as_cases(kinds):
    return {line: [(*case, {})[:3] for case in cases] for line, cases in kinds.items()}


@pytest.mark.parametrize(("X", "names", "options"), lines(as_cases(ENCODED)))
def test_what_becomes_of_columns(X, names, options):
    fitted = TableEncoder(**options).fit(X)
    assert fitted.get_feature_names_out().tolist() == names
    assert set(fitted.fields_) == set(range(fitted.n_features_in_))
    matrix = fitted.transform(X)
    assert matrix.shape[1] == len(names)
    is_one_number = names[0] == "c" and len(set(matrix.data.tolist())) < 2
    assert is_one_number or matrix.nnz > 0


@pytest.mark.parametrize(("X", "remedy"), lines(REFUSED))
def test_what_is_refused(X, remedy):
    with pytest.raises((TypeError, ValueError), match=r"column 'c'|X must be two-") as caught:
        TableEncoder().fit(X)
    assert re.search(remedy, str(caught.value))


def test_the_guide_has_these_lines():
    if not GUIDE.exists():
        pytest.skip("the guide is not beside the tests")
    text = (
        GUIDE.read_text("utf-8").split("## How a column is encoded")[1].split("## Identifiers")[0]
    )
    rows = re.findall(r"^\| (.*?) \| .* \|$", text, re.MULTILINE)
    assert [row for row in rows if row != "column"] == [*ENCODED, *REFUSED]
