"""A column of another kind than in training is encoded as it should be, or refused."""

import datetime as dt
import pickle
from decimal import Decimal

import numpy as np
import pytest

from sparsefm import FMRegressor, TableEncoder, load
from sparsefm.encoding.saving import encoder_to_content, read_encoder
from sparsefm.errors import FileFormatError
from sparsefm.io.reader import Reader

pd = pytest.importorskip("pandas")
pa = pytest.importorskip("pyarrow")
pl = pytest.importorskip("polars")
pytest.importorskip("narwhals")

KINDS = {
    "numbers": [1.5, 2.5, 4.0, 8.0],
    "0 and 1": [0, 1, 1, 0],
    "truth values": [True, False, True, True],
    "text": ["a", "b", "a", "c"],
    "dates": [dt.datetime(2024, month, 5, month) for month in (1, 3, 4, 7)],
    "times of day": [dt.time(hour, 30) for hour in (1, 3, 4, 7)],
    "durations": [dt.timedelta(minutes=minutes) for minutes in (1, 3, 4, 7)],
    "lists": [["a"], ["a", "b"], ["b"], ["c"]],
}
ARE_FIT = {  # besides those of one kind; what is fitted, and what may be given then
    ("numbers", "0 and 1"),
    ("numbers", "truth values"),
    ("0 and 1", "numbers"),
    ("0 and 1", "truth values"),
    ("truth values", "0 and 1"),
}
TIMES = ("dates", "times of day", "durations")


def objects(values):
    array = np.empty((len(values), 1), object)
    array[:, 0] = values
    return array


def plain(values):
    """Return an array of the type that NumPy has for it, where it has one."""
    if isinstance(values[0], dt.time | list):
        return objects(values)
    return np.array(values)[:, None]


LIBRARIES = {
    "pandas": lambda values: pd.DataFrame({"c": pd.Series(values)}),
    "Polars": lambda values: pl.DataFrame({"c": values}),
    "Arrow": lambda values: pa.table({"c": pa.array(values)}),
    "dicts": lambda values: [{"c": value} for value in values],
    "NumPy": plain,
    "objects": objects,
}


def as_numbers(values):
    return np.array(values, float)[:, None]


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("fitted", KINDS)
def test_each_kind_after_each(fitted, library):
    make = LIBRARIES[library]
    X = make(KINDS[fitted])
    encoder = TableEncoder(dtype="float64").fit(X)
    stream = TableEncoder(dtype="float64").partial_fit(X)
    refused = 0
    for given, values in KINDS.items():
        new = make(values)
        pair = in_array(fitted, library), in_array(given, library)
        if len({*pair}) == 2 and pair not in ARE_FIT:
            for call in (encoder.transform, stream.partial_fit):
                check_refusal(call, new, fitted, given, library)
            refused += 1
            continue
        expected = as_expected(fitted, values, library)
        np.testing.assert_array_equal(encoder.transform(new).toarray(), expected)
        grown = TableEncoder(dtype="float64").partial_fit(X).partial_fit(new)
        assert grown.n_features_out_ == encoder.n_features_out_
    assert refused >= 5
    assert stream.n_features_out_ == encoder.n_features_out_
    np.testing.assert_array_equal(
        stream.transform(X).toarray(), as_expected(fitted, KINDS[fitted], library)
    )


def in_array(kind, library):
    """Return what a kind is in a library: bools are numbers in an array of them."""
    return "0 and 1" if (kind, library) == ("truth values", "NumPy") else kind


def as_expected(fitted, values, library):
    """Return the features of values: those of an array of numbers, or of a table of pandas."""
    if in_array(fitted, library) in ("numbers", "0 and 1"):
        encoder = TableEncoder(dtype="float64").fit(as_numbers(KINDS[fitted]))
        return encoder.transform(as_numbers(values)).toarray()
    make = LIBRARIES["pandas"]
    encoder = TableEncoder(dtype="float64").fit(make(KINDS[fitted]))
    return encoder.transform(make(values)).toarray()


def check_refusal(call, new, fitted, given, library):
    column = "x0" if library in ("NumPy", "objects") else "c"
    words = rf"column '{column}' held .* in training, but holds .* now: convert it to "
    with pytest.raises(TypeError, match=words) as caught:
        call(new)
    if {fitted, given} & {*TIMES}:
        was, found = (
            "numbers" if in_array(kind, library) == "0 and 1" else kind for kind in (fitted, given)
        )
        was = "text or categories" if was == "text" else was
        assert f"held {was} in training, but holds {found} now" in str(caught.value)
        assert str(caught.value).endswith(f": convert it to {was}")


@pytest.mark.parametrize("numeric", ["standardize", "log", "spline", "bin"])
@pytest.mark.parametrize("fitted", ["numbers", "durations", "times of day"])
def test_every_encoding_of_numbers_knows_their_unit(fitted, numeric):
    make = LIBRARIES["pandas"]
    encoder = TableEncoder(numeric=numeric).fit(make(KINDS[fitted]))
    for given in {"numbers", "durations", "times of day"} - {fitted}:
        with pytest.raises(TypeError, match=f"held {fitted} in training, but holds {given} now"):
            encoder.transform(make(KINDS[given]))


@pytest.mark.parametrize("options", [{"categorical": ["c"]}, {"hashed": {"c": 8}}])
def test_durations_as_categories_are_no_numbers(options):
    make = LIBRARIES["pandas"]
    encoder = TableEncoder(**options).fit(make(KINDS["durations"]))
    for given in ([60, 180, 240, 420], ["60", "180"], [dt.time(0, 1)]):
        with pytest.raises(TypeError, match="column 'c' held durations in training, but holds"):
            encoder.transform(make(given))
    assert encoder.transform(make(KINDS["durations"][:1])).nnz == 1


@pytest.mark.parametrize("empty", [[None, None], [np.nan, np.nan]])
def test_what_was_missing_may_become_anything(empty):
    make = LIBRARIES["pandas"]
    for kind in ("numbers", "durations", "times of day"):
        encoder = TableEncoder().partial_fit(make(empty)).partial_fit(make(KINDS[kind]))
        encoder.transform(make(empty))
        encoder.transform(make(KINDS[kind]))
        for other in {"numbers", "durations", "times of day"} - {kind}:
            with pytest.raises(TypeError, match=f"held {kind} in training, but holds {other} now"):
                encoder.partial_fit(make(KINDS[other]))


def test_constant_durations_are_durations():
    make = LIBRARIES["pandas"]
    encoder = TableEncoder().partial_fit(make([dt.timedelta(0)] * 3))
    with pytest.raises(TypeError, match="held durations in training, but holds numbers now"):
        encoder.partial_fit(make([5.0, 7.0]))


def test_weights_of_zero_say_nothing_of_a_kind():
    X = pd.DataFrame({"c": pd.Series([dt.timedelta(1), None], dtype=object)})
    encoder = TableEncoder().fit(X, sample_weight=[0, 1])
    assert encoder.transform(pd.DataFrame({"c": [1.0]})).shape == (1, encoder.n_features_out_)


def test_files_know_and_older_ones_do_not():
    make = LIBRARIES["pandas"]
    X = make(KINDS["durations"]).assign(d=1.5)
    header, arrays = encoder_to_content(TableEncoder().fit(X))
    loaded = read_encoder(Reader(header, arrays))
    assert loaded.transform(X).shape == (4, 2)
    with pytest.raises(TypeError, match="held durations"):
        loaded.transform(X.assign(c=1.0))
    old = {key: value for key, value in header.items() if key != "held"}
    assert read_encoder(Reader(old, arrays)).transform(X.assign(c=1.0)).shape == (4, 2)
    for damaged in (
        ["durations"],
        ["durations", "hours"],
        ["durations", 3],
        ["durations", []],
        "durations",
    ):
        with pytest.raises(FileFormatError):
            read_encoder(Reader(header | {"held": damaged}, arrays))


def test_estimators_refuse_too(tmp_path):
    X = pd.DataFrame({"c": pd.to_timedelta(np.arange(60.0), unit="min")})
    model = FMRegressor(search=None, rank=0).fit(X, np.arange(60.0))
    model.save(tmp_path / "model")
    for one in (model, load(tmp_path / "model"), pickle.loads(pickle.dumps(model))):
        one.predict(X)
        with pytest.raises(TypeError, match="column 'c' held durations in training, but holds"):
            one.predict(pd.DataFrame({"c": np.arange(60.0)}))


@pytest.mark.parametrize("options", [{}, {"numeric": "spline"}, {"categorical": ["c"]}])
@pytest.mark.parametrize("library", ["pandas", "NumPy"])
def test_times_come_back_as_times(options, library):
    make = LIBRARIES[library]
    if library == "NumPy" and "categorical" in options:
        options = {"categorical": [0]}
    for kind, missing in (("durations", np.timedelta64("NaT")), ("times of day", None)):
        encoder = TableEncoder(dtype="float64", **options)
        X = make([*KINDS[kind], missing])
        features = encoder.fit_transform(X)
        back = encoder.inverse_transform(features)
        assert (encoder.transform(back) != features).nnz == 0
        cells = back["c"] if library == "pandas" else pd.Series(back[:, 0])
        assert cells.iloc[:4].tolist() == KINDS[kind]
        assert pd.isna(cells.iloc[4])


@pytest.mark.parametrize(
    "durations",
    [
        [dt.timedelta(seconds=7.5), dt.timedelta(-3), None, dt.timedelta(microseconds=12)],
        [np.timedelta64(12_345, "ns"), np.timedelta64(3, "s"), None, np.timedelta64(7, "ns")],
    ],
)
def test_durations_come_back_beside_other_columns(durations):
    rows = np.empty((4, 3), object)
    rows[:, 0], rows[:, 1], rows[:, 2] = ["a", "b", "c", "a"], [1.5, 2.5, 4.0, 8.0], durations
    encoder = TableEncoder(dtype="float64", numeric={2: "spline"})
    features = encoder.fit_transform(rows)
    back = encoder.inverse_transform(features)
    assert [back[row, 2] for row in (0, 1, 3)] == [durations[row] for row in (0, 1, 3)]
    assert pd.isna(back[2, 2])
    np.testing.assert_allclose(encoder.transform(back).toarray(), features.toarray(), atol=1e-12)


def test_features_far_out_become_the_farthest_durations():
    X = LIBRARIES["pandas"](KINDS["durations"])
    encoder = TableEncoder(dtype="float64", clip=False)
    features = encoder.fit_transform(X)
    features.data[:2] = [1e305, -1e305]
    assert abs(encoder.inverse_transform(features)["c"].iloc[:2].dt.days).min() > 50_000_000


# --- categories -----------------------------------------------------------------------------------

DAYS = ["2024-01-02 03:00:00", "2024-07-01 00:00:00"]
NANO = [1, 3_600_000_000_001, -1]
CATEGORIES = {
    "durations": [dt.timedelta(hours=1), dt.timedelta(-1, 0, 5), dt.timedelta(400), dt.timedelta()],
    "durations in nanoseconds": pd.to_timedelta(NANO, unit="ns"),
    "durations in seconds": np.array([1, 90_061, -1], "m8[s]"),
    "dates with a time": [dt.datetime(2024, 1, 2), dt.datetime(1969, 1, 1, 1, 1, 1, 500_000)],
    "dates in nanoseconds": pd.to_datetime(NANO, unit="ns"),
    "dates in a zone": pd.to_datetime(DAYS).tz_localize("Europe/Oslo"),
    "dates in UTC": pd.to_datetime(DAYS).tz_localize("UTC"),
    "dates": [dt.date(2024, 1, 2), dt.date(1800, 1, 1)],
    "times of day": [dt.time(3), dt.time(3, 4, 5, 600)],
    "decimals": [Decimal("1.50"), Decimal("2")],
    "integers": [1, 2, -(2**62) - 1],
    "numbers": [1.0, 2.5, 1e-300],
    "small numbers": np.array([0.1, 2], "f4"),
    "truth values": [True, False],
    "text": ["a", "7"],
}


@pytest.mark.parametrize("few", [200, 0])
@pytest.mark.parametrize("kind", CATEGORIES)
def test_categories_are_equal_in_all_libraries(kind, few, monkeypatch):
    monkeypatch.setattr("sparsefm.encoding.objects.FEW_ROWS", few)
    values = pd.Categorical(CATEGORIES[kind])
    first = pd.DataFrame({"c": values[[*range(len(values)), 0, 1]]})
    arrow = pa.Table.from_pandas(first)
    assert pa.types.is_dictionary(arrow["c"].type)
    of_arrow = arrow.to_pandas(types_mapper=pd.ArrowDtype)
    polars = pl.from_pandas(first)  # which has categories of text alone
    options = {"categorical": ["c"]} if kind == "integers" else {}
    tables = [first, arrow, of_arrow]
    for X in tables:
        encoder = TableEncoder(**options).fit(X)
        expected = encoder.transform(X).toarray()
        assert expected.shape[1] == len(values.categories)
        assert (expected.sum(axis=1) == 1).all()
        for new in (first, arrow, of_arrow):
            np.testing.assert_array_equal(encoder.transform(new).toarray(), expected)
        if kind.partition(" ")[0] in ("durations", "dates", "times"):
            with pytest.raises(TypeError, match="column 'c' held text or categories in training"):
                encoder.transform(polars)
        else:
            np.testing.assert_array_equal(encoder.transform(polars).toarray(), expected)
