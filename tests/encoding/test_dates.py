"""Dates become parts of the calendar and time as a number, in one field."""

import json
from types import MappingProxyType

import numpy as np
import pytest

from sparsefm import FMRegressor, load
from sparsefm.encoding import TableEncoder
from sparsefm.encoding.dates import CATEGORIES, Calendar, angles_of, labels_of
from sparsefm.encoding.saving import encoder_to_content, read_encoder
from sparsefm.errors import FileFormatError
from sparsefm.io.reader import Reader

pd = pytest.importorskip("pandas")
pytest.importorskip("narwhals")

ALL = ("year", "month", "day", "weekday", "hour", "dayofyear", "linear")
RNG = np.random.default_rng(0)
MANY = np.datetime64("2022-01-01", "s") + RNG.integers(0, 3 * 365 * 86400, 500)


def frame(*dates):
    return pd.DataFrame({"when": np.array(dates, "M8[s]")})


def names(encoder):
    return encoder.get_feature_names_out().tolist()


def encoded(X, **options):
    """Return the features of each row by name."""
    encoder = TableEncoder(dtype="float64", **options)
    matrix = encoder.fit_transform(X)
    columns = names(encoder)
    return [
        dict(zip([columns[j] for j in row.indices], row.data.tolist(), strict=True))
        for row in (matrix[i] for i in range(matrix.shape[0]))
    ]


def restored(encoder):
    header, arrays = encoder_to_content(encoder)
    reader = Reader(json.loads(json.dumps(header)), dict(arrays))
    found = read_encoder(reader)
    reader.check_all_read()
    return found


# --- arithmetic -----------------------------------------------------------------------------------


def test_parts_are_those_of_the_standard_library():
    spread = RNG.integers(-62_135_596_800, 253_402_300_799, 2000)  # the years 1 to 9999
    local = np.append(spread, [-1, 0, 951782400, 951868800, 4107542399]).view("M8[s]")
    moments = local.tolist()
    expected = {
        "year": [moment.year for moment in moments],
        "month": [moment.month for moment in moments],
        "day": [moment.day for moment in moments],
        "weekday": [moment.weekday() for moment in moments],
        "hour": [moment.hour for moment in moments],
    }
    assert expected.keys() == set(CATEGORIES)
    for part, values in expected.items():
        labels = labels_of(local, part)
        assert [labels.values[code] for code in labels.codes] == values
    days = [moment.timetuple().tm_yday for moment in moments]
    lengths = [366 if (y % 4 == 0 and y % 100) or y % 400 == 0 else 365 for y in expected["year"]]
    shares = angles_of(local) / (2 * np.pi)
    assert np.array_equal(np.floor(shares * lengths + 1e-9) + 1, days)


# --- features -------------------------------------------------------------------------------------


def test_all_parts():
    X = frame("2024-01-01T00:30", "2023-07-02T12:00", None)
    rows = encoded(X, dates=ALL)
    assert rows[2] == {"when=missing": 1}
    first, second = rows[:2]
    assert list(first) == [
        "when",
        "when:dayofyear(sin)",
        "when:dayofyear(cos)",
        "when:year=2024",
        "when:month=1",
        "when:day=1",
        "when:weekday=Mon",
        "when:hour=0",
    ]
    assert first["when"] == -second["when"] == 1
    assert second["when:weekday=Sun"] == second["when:day=2"] == second["when:hour=12"] == 1
    turn = 2 * np.pi * 0.5 / 24 / 366
    np.testing.assert_allclose(first["when:dayofyear(sin)"], np.sin(turn))
    np.testing.assert_allclose(second["when:dayofyear(cos)"], -1)


def test_what_auto_is():
    """What does not differ between rows has no feature; nor have the year and the day."""
    cases = {
        ("2024-01-01", "2024-01-09"): ["when", "when:weekday=Mon", "when:weekday=Tue"],
        ("2024-01-01", "2024-04-01"): ["when", "when:month=1", "when:month=4"],
        ("2024-01-01T03", "2025-01-06T05"): ["when", "when:hour=3", "when:hour=5"],
        ("2024-01-01", None): ["when", "when=missing"],
    }
    for dates, expected in cases.items():
        assert names(TableEncoder().fit(frame(*dates))) == expected
    named = TableEncoder(dates=("hour", "month")).fit(frame("2024-01-01", "2024-01-01"))
    assert names(named) == ["when:month=1", "when:hour=0"]


@pytest.mark.parametrize("dates", ["auto", ALL, "month", "dayofyear", ["linear", "year"]])
def test_one_field(dates):
    X = pd.DataFrame({"a": list("pqr"), **frame("2024-01-01", "2023-02-02", None), "b": [1, 5, 3]})
    fitted = TableEncoder(dates=dates).fit(X)
    assert fitted.field_names_ == ["a", "when", "b"]
    own = [name.startswith("when") for name in names(fitted)]
    np.testing.assert_array_equal(fitted.fields_ == 1, own)
    matrix = fitted.transform(X)
    assert matrix.has_canonical_format
    assert (matrix != fitted.fit_transform(X)).nnz == 0


def test_columns_by_name():
    X = pd.DataFrame({"a": MANY[:5], "b": MANY[5:10], "c": MANY[10:15]})
    options = {"a": "linear", 1: ["hour"], "*": ("weekday", "linear")}
    fitted = TableEncoder(dates=MappingProxyType(options)).fit(X)
    found = {name.split("=")[0] for name in names(fitted)}
    assert found == {"a", "b:hour", "c", "c:weekday"}
    again = restored(fitted)
    assert (again.transform(X) != fitted.transform(X)).nnz == 0
    assert again.dates == options
    assert {name.split("=")[0] for name in names(TableEncoder(dates={"a": "year"}).fit(X))} > {"b"}


@pytest.mark.parametrize(
    ("dates", "error", "match"),
    [
        ("week", ValueError, "dates must be one of 'auto', 'linear'"),
        (("month", "week"), ValueError, "a part in dates must be one of 'linear'"),
        ({"when": "week"}, ValueError, r"dates\['when'\] must be one of"),
        ((), TypeError, "dates must name parts of dates"),
        (3, TypeError, "dates must name parts of dates"),
        ({"then": "month"}, ValueError, "dates names a column 'then'"),
        ({"n": "month"}, TypeError, "dates names column 'n', which holds numbers: make it dates"),
    ],
)
def test_settings_are_checked(dates, error, match):
    X = frame("2024-01-01", "2024-01-02").assign(n=[1, 2])
    with pytest.raises(error, match=match):
        TableEncoder(dates=dates).fit(X)


@pytest.mark.parametrize("parameter", ["numeric", "hashed", "multi"])
def test_other_parameters_do_not_name_dates(parameter):
    value = {"numeric": "bin", "hashed": 3, "multi": "|"}[parameter]
    with pytest.raises(TypeError, match=f"{parameter} names column 'when', which holds dates"):
        TableEncoder(**{parameter: {"when": value}}).fit(frame("2024-01-01"))


# --- rows that training did not have --------------------------------------------------------------


def test_unknown_parts_contribute_nothing():
    fitted = TableEncoder(dates=("month", "year")).fit(frame("2024-01-01", "2023-02-01"))
    new = frame("2024-02-01", "2024-03-01", "2031-05-01", None)
    assert np.diff(fitted.transform(new).indptr).tolist() == [2, 1, 0, 0]
    strict = TableEncoder(dates=("year", "month"), unknown="error").fit(frame("2024-01-01"))
    for row, shown in (
        (new[1:2], "'when' holds 2024-03-01 00:00:00 in row 0"),
        (new[3:], "nothing"),
    ):
        with pytest.raises(ValueError, match=shown):
            strict.transform(row)


def test_rows_alone():
    fitted = TableEncoder(dates=ALL).fit(pd.DataFrame({"when": MANY}))
    whole = fitted.transform(pd.DataFrame({"when": MANY}))
    for row in range(5):
        alone = fitted.transform(pd.DataFrame({"when": MANY[row : row + 1]}))
        assert (alone != whole[row]).nnz == 0


def test_times_far_out_are_clipped():
    dates = np.append(MANY, np.array(["9999-12-31"], "M8[s]"))
    for clip, largest in ((True, 10), (False, 1000)):
        X = pd.DataFrame({"when": dates})
        matrix = TableEncoder(dates="linear", clip=clip).fit_transform(X)
        assert matrix.max() < largest
    assert matrix.max() > 20


def test_what_is_not_on_the_same_clock_is_refused():
    naive = frame("2024-01-01", "2024-06-01T10")
    oslo, rome, utc = (
        pd.DataFrame({"when": naive.when.dt.tz_localize(zone)})
        for zone in ("Europe/Oslo", "Europe/Rome", "UTC")
    )
    fitted = TableEncoder().fit(oslo)
    for X, match in (
        (naive, "held dates with a time zone in training, but holds dates without"),
        (
            rome,
            "held dates in the time zone Europe/Oslo in training, but holds dates in Europe/Rome",
        ),
        (utc, "holds dates in UTC now: convert it to dates in the time zone Europe/Oslo"),
        (pd.DataFrame({"when": ["a"]}), "held dates in training, but holds text"),
        (pd.DataFrame({"when": [1.5]}), "held dates in training, but holds numbers"),
        (pd.DataFrame({"when": [["a"]]}), "held dates in training, but holds lists"),
    ):
        with pytest.raises(TypeError, match=match):
            fitted.transform(X)
        with pytest.raises(TypeError, match=match):
            restored(fitted).transform(X)
    assert fitted.transform(pd.DataFrame({"when": [None]})).nnz == 0
    assert fitted.transform(pd.DataFrame({"when": [np.nan]})).nnz == 0
    with pytest.raises(TypeError, match="held dates without a time zone in training"):
        TableEncoder().fit(naive).transform(oslo)
    for other, was in (([1.0, 2.0], "numbers"), (["a", "b"], "text or categories")):
        with pytest.raises(TypeError, match=f"held {was} in training, but holds dates now"):
            TableEncoder().fit(pd.DataFrame({"when": other})).transform(naive)


def test_parts_are_local():
    moments = pd.to_datetime(["2024-06-30T23:30", "2024-01-01T23:30"], utc=True)
    oslo = pd.DataFrame({"when": moments.tz_convert("Europe/Oslo")})
    hours = TableEncoder(dates=("hour", "month")).fit(oslo)
    assert names(hours) == ["when:month=1", "when:month=7", "when:hour=0", "when:hour=1"]


# --- statistics -----------------------------------------------------------------------------------


def assert_same_content(one, other):
    (first, arrays), (second, others) = map(encoder_to_content, (one, other))
    assert first == second
    assert all(np.array_equal(arrays[name], others[name]) for name in arrays | others)


@pytest.mark.parametrize("dates", ["auto", ALL])
def test_order_and_repetition_change_nothing(dates):
    weights = RNG.integers(0, 3, len(MANY))
    X = pd.DataFrame({"when": MANY})
    order = RNG.permutation(len(MANY))
    fitted = TableEncoder(dates=dates).fit(X, sample_weight=weights)
    again = TableEncoder(dates=dates).fit(X.iloc[order], sample_weight=weights[order])
    assert_same_content(fitted, again)
    repeated = X.iloc[np.repeat(order, weights[order])]
    assert_same_content(fitted, TableEncoder(dates=dates).fit(repeated))


def test_rows_without_weight_do_not_count():
    X = frame("2024-01-01", "2024-05-01", "2024-09-01", None)
    fitted = TableEncoder(dates="month").fit(X, sample_weight=[1, 0, 2, 0])
    assert names(fitted) == ["when:month=1", "when:month=9"]


# --- streams --------------------------------------------------------------------------------------


def test_new_parts_become_features_at_the_end():
    encoder = TableEncoder(dates=("month", "weekday"))
    encoder.partial_fit(frame(*(f"2024-02-{day:02}" for day in range(5, 10))))
    before = names(encoder)
    encoder.partial_fit(frame("2024-01-01", None, "2024-03-02").assign(n=[1, 2, 3]))
    assert names(encoder)[: len(before)] == before
    assert names(encoder)[len(before) :] == [
        *("when:month=1", "when:month=3", "when:weekday=Sat", "when=missing", "n"),
    ]
    assert restored(encoder).transform(frame("2024-03-02").assign(n=1)).indices.tolist() == [
        7,
        8,
        10,
    ]


@pytest.mark.filterwarnings("ignore:the first call of partial_fit")
def test_what_auto_left_out_comes_to_life():
    encoder = TableEncoder().partial_fit(frame("2024-01-01"))
    assert names(encoder) == ["when"]
    encoder.partial_fit(frame("2024-01-01T00:30"))
    assert names(encoder) == ["when"]
    encoder = restored(encoder)
    encoder.partial_fit(pd.DataFrame({"when": np.datetime64("2024-02-05") + np.arange(0, 280, 7)}))
    assert names(encoder)[:3] == ["when", "when:month=1", "when:month=2"]
    assert not any("hour" in name or "weekday" in name for name in names(encoder))
    matrix = encoder.transform(frame("2024-02-05", "2024-11-04"))
    assert matrix[:, 0].toarray().ravel()[1] > matrix[:, 0].toarray().ravel()[0]
    encoder.partial_fit(frame("2024-02-06T04"))
    assert names(encoder)[-4:] == [*(f"when:weekday={d}" for d in ("Mon", "Tue")), "when:hour=0",
                                   "when:hour=4"]  # fmt: skip


@pytest.mark.parametrize("first", [[None], [np.nan], np.array(["NaT"], "M8[s]")])
@pytest.mark.parametrize("dates", ["auto", "month", "dayofyear", ("hour", "linear")])
def test_columns_that_were_empty_at_first(first, dates):
    column = pd.Series(first, dtype=object if first[0] is None else None)
    encoder = TableEncoder(dates=dates).partial_fit(pd.DataFrame({"when": column, "s": ["a"]}))
    X = pd.DataFrame({"when": MANY[:40], "s": ["a"] * 40})
    encoder.partial_fit(X)
    (position, _) = encoder._encodings
    assert isinstance(position, Calendar)
    matrix = restored(encoder).transform(X)
    assert np.diff(matrix.indptr).min() >= 2
    assert len(set(names(encoder))) == encoder.n_features_out_ == len(encoder.fields_)
    assert "when=missing" in names(encoder)
    assert encoder.transform(pd.DataFrame({"when": [None], "s": ["a"]})).nnz == 2


def test_streams_and_wholes_know_the_same():
    X = pd.DataFrame({"when": MANY})
    whole = TableEncoder(dates=ALL).fit(X)
    parts = TableEncoder(dates=ALL)
    for begin in range(0, len(X), 100):
        parts.partial_fit(X[begin : begin + 100])
    assert sorted(names(parts)) == sorted(names(whole))


# --- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dates", ["auto", ALL, "month", {"when": ["linear", "hour"]}])
def test_files(dates):
    X = pd.DataFrame({"when": pd.Series(MANY).dt.tz_localize("UTC"), "s": "a"})
    X.loc[3, "when"] = None
    fitted = TableEncoder(dates=dates, unknown="error").fit(X)
    again = restored(fitted)
    assert (again.transform(X) != fitted.transform(X)).nnz == 0
    assert names(again) == names(fitted)
    assert_same_content(again, fitted)


@pytest.mark.parametrize(
    "change",
    [
        {"parts": ["week"]},
        {"parts": ["month", "linear"]},
        {"parts": ["month", "month"]},
        {"parts": [[]]},
        {"parts": 3},
        {"waiting": {"month": 3}},
        {"waiting": {"linear": None}},
        {"waiting": {"day": 2.5}},
        {"zone": 3},
        {"month": {"kind": "hashed", "first": 0, "n_buckets": 2}},
        {"linear": {"kind": "text", "missing": -2}},
        {"dayofyear": {"sine": 0}},
        {"dayofyear": {"sine": 0, "cosine": 0}},
        {"missing": "none"},
    ],
    ids=str,
)
def test_damage_is_an_error(change):
    header, arrays = encoder_to_content(TableEncoder(dates=ALL).fit(frame("2024-01-01")))
    header["columns"][0] |= change
    with pytest.raises(FileFormatError):
        read_encoder(Reader(header, dict(arrays)))


@pytest.mark.parametrize("weekday", [-1, 7, 2**60])
def test_damaged_weekdays_are_an_error(weekday):
    header, arrays = encoder_to_content(TableEncoder(dates="weekday").fit(frame("2024-01-01")))
    arrays["0.weekday.values"] = np.array([weekday])
    with pytest.raises(FileFormatError, match="damaged weekday"):
        read_encoder(Reader(header, arrays))


# --- estimators -----------------------------------------------------------------------------------


def test_an_estimator_learns_the_calendar(tmp_path):
    X = pd.DataFrame({"when": MANY, "s": RNG.choice(list("ab"), len(MANY))})
    y = (X.when.dt.day_of_week == 6) * 3.0 + (X.when.dt.month == 2) + RNG.normal(0, 0.1, len(MANY))
    model = FMRegressor(random_state=0).fit(X[:400], y[:400])
    assert model.score(X[400:], y[400:]) > 0.8
    assert any("weekday=Sun" in name for name in model.encoder_.get_feature_names_out())
    model.save(tmp_path / "model")
    assert np.array_equal(load(tmp_path / "model").predict(X), model.predict(X))
    assert len(model.explain(X[:2])) > 0
    table = model.field_interactions(X)
    assert len(table) == 2
