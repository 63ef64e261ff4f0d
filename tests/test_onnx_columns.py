"""Columns of lists, dates and hashes: ONNX Runtime encodes them as encoders do."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from onnx_runtime import assert_like, run
from sklearn.utils import murmurhash3_32

import sparsefm as fm
from sparsefm.encoding.dates import PARTS
from sparsefm.onnx.columns import encoded
from sparsefm.onnx.graph import Graph

NAT = np.iinfo(np.int64).min
COMBINERS = ("mean", "sqrt", "sum")
WORDS = ["war", "drama", "comedy", "Łódź", "a b"]


def assert_encoded(encoder, X, feed, path, **close):
    """Compare the features and values in the graph with `transform`; a row has each once."""
    graph = Graph()
    ids, values = encoded(graph, encoder, np.dtype("f8"))
    graph.output("ids", ids, np.int64, ("rows", "entries"))
    graph.output("values", values, np.float64, ("rows", "entries"))
    path.write_bytes(graph.finished("0"))
    found = run(path, feed)
    ids, values = found["ids"], found["values"]
    dense = np.zeros((len(X), encoder.n_features_out_))
    counts = dense.copy()
    rows = np.repeat(np.arange(len(X)), ids.shape[1])
    np.add.at(dense, (rows, ids.ravel()), values.ravel())
    np.add.at(counts, (rows, ids.ravel()), values.ravel() != 0)
    assert counts.max(initial=0) <= 1
    expected = encoder.transform(X).toarray()
    np.testing.assert_allclose(dense, expected, **{"rtol": 1e-12, "atol": 1e-12} | close)


def fitted(X, **encoding):
    return fm.TableEncoder(dtype="float64", **encoding).fit(X)


def table(**columns):
    """Return a table whose cells may be lists."""
    return pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in columns.items()})


def padded(lists, fill, dtype, width=None):
    """Return lists, or None, as rows of one length."""
    lists = [one or [] for one in lists]
    width = max(map(len, lists), default=0) if width is None else width
    rows = np.full((len(lists), width), fill, dtype)
    for row, values in zip(rows, lists, strict=True):
        row[: len(values)] = values
    return rows


def are_missing(lists):
    return np.array([one is None for one in lists])


# --- lists ---------------------------------------------------------------------------------------


def drawn(n, seed, values, *, missing=True):
    """Draw lists with repetitions; some are empty, and some may be missing."""
    rng = np.random.default_rng(seed)
    lists = [[values[k] for k in rng.integers(len(values), size=rng.poisson(2))] for _ in range(n)]
    lost = rng.random(n) < 0.1 * missing
    return [None if one else values for one, values in zip(lost, lists, strict=True)]


def numbers_for(lists, seed):
    """Draw a weight for each value, negative ones and zeros too; sums of them are exact."""
    rng = np.random.default_rng(seed)
    return [
        None if one is None else (rng.integers(-8, 12, size=len(one)) / 4).tolist() for one in lists
    ]


def hashes(values, *, signed=False):
    """Return what the graph takes for a list, or a column, of values."""
    return [murmurhash3_32(str(value).encode(), positive=not signed) for value in values]


@pytest.mark.parametrize("missing", [True, False])
@pytest.mark.parametrize("combiner", COMBINERS)
def test_lists_of_text(combiner, missing, tmp_path):
    encoder = fitted(table(g=drawn(100, 0, WORDS, missing=missing)), combiner=combiner)
    new = drawn(3000, 1, [*WORDS, "new"])
    feed = {"g": padded(new, "", object)}
    if missing:
        feed["g:missing"] = are_missing(new)
        feed["g"][are_missing(new)] = "war"  # which does not count
    assert_encoded(encoder, table(g=new), feed, tmp_path / "columns.onnx")


@pytest.mark.parametrize("combiner", COMBINERS)
@pytest.mark.parametrize("values", [[-3, 7, 2**53 - 1, 2**40], [True, False]])
def test_lists_of_numbers_and_truth_values(values, combiner, tmp_path):
    encoder = fitted(table(g=drawn(100, 0, values)), combiner=combiner)
    more = [] if isinstance(values[0], bool) else [8, -(2**60)]
    new = drawn(3000, 1, values + more)
    feed = {"g": padded(new, np.nan, np.float64), "g:missing": are_missing(new)}
    assert_encoded(encoder, table(g=new), feed, tmp_path / "columns.onnx")


@pytest.mark.parametrize("combiner", COMBINERS)
def test_text_with_a_separator(combiner, tmp_path):
    def joined(lists):
        return [None if one is None else " | ".join([*one, " "]) for one in lists]

    encoder = fitted(table(g=joined(drawn(100, 0, WORDS))), multi={"g": "|"}, combiner=combiner)
    new = drawn(3000, 1, [*WORDS, "new"])
    feed = {"g": padded(new, "", object), "g:missing": are_missing(new)}
    assert_encoded(encoder, table(g=joined(new)), feed, tmp_path / "columns.onnx")


@pytest.mark.parametrize("combiner", COMBINERS)
def test_weights_of_their_own_column(combiner, tmp_path):
    train, new = drawn(200, 0, WORDS), drawn(3000, 1, [*WORDS, "new"])
    own, weights = numbers_for(train, 2), numbers_for(new, 3)
    settings = {"list_weights": {"g": "much"}, "combiner": combiner}
    encoder = fitted(table(much=own, other=[1.5, 2.5] * 100, g=train), **settings)
    X = table(much=weights, other=[1.5, 2.5] * 1500, g=new)
    feed = {"g": padded(new, "", object), "g:missing": are_missing(new)}
    feed |= {"much": padded(weights, 0, np.float64), "other": X["other"].to_numpy(np.float64)}
    assert_encoded(encoder, X, feed, tmp_path / "columns.onnx")


@pytest.mark.parametrize("combiner", COMBINERS)
def test_dicts_of_weights(combiner, tmp_path):
    def mapped(lists, seed):
        pairs = zip(lists, numbers_for(lists, seed), strict=True)
        return [None if one is None else dict(zip(one, w, strict=True)) for one, w in pairs]

    encoder = fitted(table(g=mapped(drawn(200, 0, WORDS), 2)), combiner=combiner)
    new = mapped(drawn(3000, 1, [*WORDS, "new"]), 3)
    new[:2] = [{"war": 1e200, "drama": -1e-200}, {"war": None, "drama": 2.0}]
    weights = [None if one is None else list(one.values()) for one in new]
    weights[1] = [np.nan, 2.0]
    feed = {"g": padded([one and list(one) for one in new], "", object)}
    feed |= {"g:missing": are_missing(new), "g:weights": padded(weights, 0, np.float64)}
    assert_encoded(encoder, table(g=new), feed, tmp_path / "columns.onnx")


def test_dicts_of_weights_in_a_file(tmp_path):
    train = table(g=[{"a": 1.0, "b": 3.0}, {"b": 2.0}, {}, None] * 10)
    model = fm.FMRegressor(rank=2, epochs=2, search=None, solver=fm.Adam())
    model.fit(train, np.arange(40.0))
    model.save(tmp_path / "model.sfm")
    fm.onnx.export(fm.load(tmp_path / "model.sfm"), tmp_path / "model.onnx")
    feed = {"g": padded([["a", "b"], ["b"], [], []] * 10, "", object)}
    feed |= {"g:weights": padded([[1.0, 3.0], [2.0], [], []] * 10, 0, np.float64)}
    feed |= {"g:missing": np.array([False, False, False, True] * 10)}
    assert_like(run(tmp_path / "model.onnx", feed), model, train)


def test_empty_text_that_is_a_value_of_lists(tmp_path):
    values = ["", "a", "b"]
    encoder = fitted(table(g=drawn(100, 0, values)))
    new = drawn(1000, 1, values)
    feed = {"g": padded(new, "no category", object), "g:missing": are_missing(new)}
    assert_encoded(encoder, table(g=new), feed, tmp_path / "columns.onnx")


@pytest.mark.parametrize("weights", [None, "much"])
@pytest.mark.parametrize("train", [[["a"], ["b", "a"]], [["a"], None, []]])
def test_batches_of_nothing_but_empty_lists(train, weights, tmp_path):
    n = 40
    train = (train * n)[:n]
    X = table(g=train, other=[1.5, 2.5] * (n // 2))
    settings = {}
    if weights:
        X["much"] = table(much=[None if one is None else [2.0] * len(one) for one in train])
        settings["list_weights"] = {"g": "much"}
    encoder = fitted(X, **settings)
    empty = table(g=[[]] * n, other=[1.5, 2.5] * (n // 2), much=[[]] * n)
    feed = {"other": empty["other"].to_numpy(np.float64), "g": np.empty((n, 0), object)}
    if None in train:
        feed["g:missing"] = np.zeros(n, bool)
    if weights:
        feed["much"] = np.empty((n, 0))
    assert_encoded(encoder, empty[list(X)], feed, tmp_path / "columns.onnx")


def test_text_that_was_all_missing(tmp_path):
    nothing = table(g=[None] * 40, other=[1.5, 2.5] * 20)
    encoder = fitted(nothing, multi={"g": "|"})
    feed = {"other": nothing["other"].to_numpy(np.float64)}
    feed["g:missing"] = np.ones(40, bool)
    assert_encoded(encoder, nothing, feed, tmp_path / "columns.onnx")


# --- categories ----------------------------------------------------------------------------------


@pytest.mark.parametrize("gaps", [True, False])
def test_missing_text_beside_empty_text(gaps, tmp_path):
    encoder = fitted(table(g=["", "a", None if gaps else "b", "b"] * 10))
    new = table(g=["", None, "a", "new", "b"])
    feed = {"g": np.array(["", "no category", "a", "new", "b"], object)}
    if gaps:
        feed |= {"g": new["g"].fillna("").to_numpy(object), "g:missing": new["g"].isna().to_numpy()}
    assert_encoded(encoder, new, feed, tmp_path / "columns.onnx")


def test_categories_that_are_whole_numbers_as_floats(tmp_path):
    encoder = fitted(pd.DataFrame({"g": pd.Categorical([1.0, -2.0, np.nan, 5.0] * 10)}))
    given = np.array([5.0, np.nan, 1.0, -2.0, 3.0, 1.5, 2.0**60])
    new = pd.DataFrame({"g": pd.Categorical(given)})
    assert_encoded(encoder, new, {"g": given}, tmp_path / "columns.onnx")


# --- hashed columns ------------------------------------------------------------------------------


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("values", [WORDS, [3, -5, 2**62, 0], [True, False]])
def test_hashed_columns(values, signed, tmp_path):
    X = pd.DataFrame({"g": pd.Series(values * 500, dtype=object)})
    hashed = np.array(hashes(X["g"], signed=signed), np.int64)
    encoder = fitted(X, hashed={"g": 7})
    X.loc[::9, "g"] = None
    hashed[::9] = NAT
    assert_encoded(encoder, X, {"g:hash": hashed}, tmp_path / "columns.onnx")


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("combiner", COMBINERS)
def test_hashed_lists(combiner, weighted, tmp_path):
    settings = {"hashed": {"g": 4}, "combiner": combiner}
    train, new = drawn(200, 0, WORDS), drawn(3000, 1, [*WORDS, "new", "newer"])
    X, later = table(g=train), table(g=new)
    feed = {"g:hash": padded([one and hashes(one) for one in new], NAT, np.int64)}
    feed["g:missing"] = are_missing(new)
    if weighted:
        settings["list_weights"] = {"g": "much"}
        X["much"], later["much"] = numbers_for(train, 2), numbers_for(new, 3)
        feed["much"] = padded(later["much"].where(later["much"].notna(), None), 0, np.float64)
    assert_encoded(fitted(X, **settings), later, feed, tmp_path / "columns.onnx")


@pytest.mark.parametrize("combiner", COMBINERS)
def test_weights_of_a_bucket_that_cancel(combiner, tmp_path):
    rows = [list(row) for row in permutations([-1.5, 2.75, -1.25])] + [[0.75, -0.5, 1e308]]
    train = table(g=[["a", "b", "c"]] * len(rows), much=rows)
    encoder = fitted(train, hashed={"g": 1}, list_weights={"g": "much"}, combiner=combiner)
    assert encoder.transform(train).nnz == 1  # of the last row
    feed = {"g:hash": np.array([hashes(row) for row in train["g"]]), "much": np.array(rows)}
    feed["g:missing"] = np.zeros(len(rows), bool)
    assert_encoded(encoder, train, feed, tmp_path / "columns.onnx")


# --- dates ---------------------------------------------------------------------------------------


EDGES = ["-0400", "-0100", "0000", "1900", "1969", "1970", "2000", "2023", "2024", "2100", "9999"]


def moments(n, seed, *, first="1890", last="2150"):
    """Draw moments to the microsecond, NaT among them, and the ends of months and years."""
    rng = np.random.default_rng(seed)
    begin, end = np.array([first, last], "M8[us]").astype(np.int64)
    drawn = rng.integers(begin, end, n).astype("M8[us]")
    third = n // 3
    months = drawn[:third].astype("M8[M]").astype("M8[us]")
    drawn[:third] = months - rng.integers(0, 3, third).astype("m8[us]")
    drawn[rng.random(n) < 0.1] = np.datetime64("NaT")
    years = np.array(EDGES, "M8[Y]")
    years = years[(years >= np.datetime64(first)) & (years < np.datetime64(last))]
    days = (years[:, None].astype("M8[D]") + np.arange(-1, 366)).astype("M8[us]").ravel()
    return np.concatenate([drawn, days, days - 1])


SETS = [*PARTS, "auto", PARTS, ("linear", "dayofyear"), ("year", "day"), ("month", "weekday")]


@pytest.mark.parametrize("parts", SETS, ids=str)
def test_dates(parts, tmp_path):
    encoder = fitted(pd.DataFrame({"when": moments(300, 0)}), dates=parts)
    new = moments(4000, 1)
    feed = {"when": new.astype(np.int64)}
    assert_encoded(encoder, pd.DataFrame({"when": new}), feed, tmp_path / "columns.onnx")


def test_dates_far_away(tmp_path):
    encoder = fitted(pd.DataFrame({"when": moments(300, 0)}), dates=PARTS, clip=False)
    new = moments(4000, 1, first="-290000", last="294000")
    feed = {"when": new.astype(np.int64)}
    assert_encoded(encoder, pd.DataFrame({"when": new}), feed, tmp_path / "columns.onnx")


def test_dates_without_missing_ones_in_training(tmp_path):
    train = moments(300, 0)
    encoder = fitted(pd.DataFrame({"when": train[~np.isnat(train)]}), dates=PARTS)
    new = moments(1000, 1)
    feed = {"when": new.astype(np.int64)}
    assert_encoded(encoder, pd.DataFrame({"when": new}), feed, tmp_path / "columns.onnx")


@pytest.mark.parametrize(
    "parts", ["auto", PARTS, "linear", ("month", "hour"), "dayofyear"], ids=str
)
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kolkata", "-03:30"])
def test_dates_with_a_time_zone(zone, parts, tmp_path):
    def in_zone(seed, n):
        drawn = pd.Series(moments(n, seed, first="1950", last="2030"))
        return pd.DataFrame({"when": drawn.dt.tz_localize("UTC").dt.tz_convert(zone)})

    encoder, new = fitted(in_zone(0, 300), dates=parts), in_zone(1, 2000)
    utc = new["when"].dt.tz_convert(None).to_numpy("M8[us]").astype(np.int64)
    local = new["when"].dt.tz_localize(None).to_numpy("M8[us]").astype(np.int64)
    feed = {"when": utc, "when:local": local}
    if zone == "UTC" or parts == "linear":
        del feed["when:local"]
    elif "linear" not in parts and parts != "auto":
        del feed["when"]
    assert_encoded(encoder, new, feed, tmp_path / "columns.onnx")


@pytest.mark.parametrize("parts", ["auto", "month", ("dayofyear", "day")], ids=str)
@pytest.mark.parametrize("value", ["NaT", "2024-02-29 12:30"])
def test_dates_of_one_value(value, parts, tmp_path):
    train = pd.DataFrame({"when": np.array([value] * 40, "M8[us]"), "x": [1.5, 2.5] * 20})
    encoder = fitted(train, dates=parts)
    new = train.assign(when=np.array(["1969-07-20", "NaT"] * 20, "M8[us]"))
    for X in (train, new):
        feed = {"when": X["when"].to_numpy().astype(np.int64), "x": X["x"].to_numpy()}
        assert_encoded(encoder, X, feed, tmp_path / "columns.onnx")


def test_periods_durations_and_times_of_day(tmp_path):
    rng = np.random.default_rng(0)
    ticks = rng.integers(0, 86_400_000_000, 500)
    X = pd.DataFrame(
        {
            "period": pd.Series(pd.period_range("1990-01", periods=500, freq="M")),
            "lasted": ticks.astype("m8[us]"),
            "at": pd.Series([(pd.Timestamp(0) + pd.Timedelta(t, "us")).time() for t in ticks]),
        }
    )
    X.loc[::7, ["lasted", "at"]] = None
    seconds = np.where(np.arange(500) % 7 == 0, np.nan, ticks / 1e6)
    begins = X["period"].dt.to_timestamp().to_numpy("M8[us]").astype(np.int64)
    feed = {"period": begins, "lasted": seconds, "at": seconds}
    assert_encoded(fitted(X, dates=PARTS), X, feed, tmp_path / "columns.onnx")


# --- whole tables --------------------------------------------------------------------------------


def mixed(n, seed, *, more=False):
    """Draw a table of columns of all kinds, and what ONNX Runtime takes."""
    rng = np.random.default_rng(seed)
    tags = drawn(n, seed, WORDS + ["new"] * more)
    items = drawn(n, seed + 1, [1, 2, 3] + [4] * more)
    when, user = moments(n, seed + 2)[:n], rng.choice(["u1", "u2", "u3"], n)
    price = np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n))
    table = pd.DataFrame({"price": price, "tags": tags, "items": items, "when": when})
    table["user"], table["much"] = user, numbers_for(items, seed + 3)
    feed = {
        "price": price,
        "tags": padded(tags, "", object),
        "tags:missing": are_missing(tags),
        "items": padded(items, np.nan, np.float64),
        "items:missing": are_missing(items),
        "much": padded(table["much"].where(table["much"].notna(), None), 0, np.float64),
        "when": when.astype(np.int64),
        "user:hash": np.array(hashes(user), np.int64),
    }
    return table, feed


@pytest.mark.parametrize(
    ("variant", "numeric", "combiner"),
    [("fm", "standardize", "mean"), ("fwfm", "spline", "sqrt"), ("ffm", "bin", "sum")],
)
def test_tables_of_all_kinds(combiner, numeric, variant, tmp_path):
    X, _ = mixed(400, 0)
    y = np.nan_to_num(X["price"]) + X["tags"].map(lambda one: len(one or [])).to_numpy()
    encoder = fm.TableEncoder(
        numeric=numeric,
        dates=("linear", "dayofyear", "weekday"),
        hashed={"user": 8},
        list_weights={"items": "much"},
        combiner=combiner,
    )
    settings = {"rank": 3, "epochs": 8, "search": None, "solver": fm.Adam(), "variant": variant}
    model = fm.FMClassifier(**settings, encoder=encoder).fit(X, np.where(y > 2, "many", "few"))
    fm.onnx.export(model, tmp_path / "model.onnx")
    new, feed = mixed(3000, 10, more=True)
    assert_like(run(tmp_path / "model.onnx", feed), model, new)
