"""From features back to cells, which become the same features again."""

import sys
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from sparsefm import TableEncoder
from sparsefm.encoding.inverse import Entries, cells_of

pd = pytest.importorskip("pandas")
pytest.importorskip("narwhals")

TABLE = pd.DataFrame(
    {
        "city": ["Oslo", "Rome", None, "Oslo"],
        "member": [True, False, True, True],
        "age": [20.0, 37.0, 40.0, None],
        "n_visits": [1, 0, 0, 1],
        "same": [5, 5, 5, 5],
        "year": [2013, 2012, 2014, 2013],
        "agent": pd.Categorical([17, 18, 17, None]),
        "genres": ["Drama|War", None, "", "War"],
        "tags": [["slow"], [], None, ["slow", "funny", "funny"]],
    }
)


def encoded(table, **parameters):
    """Return a fitted encoder and the features of a table."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        encoder = TableEncoder(**parameters)
        return encoder, encoder.fit_transform(table)


@pytest.mark.parametrize("kind", ["standardize", "log", "spline"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_cells_come_back(kind, dtype):
    encoder, X = encoded(TABLE, numeric=kind, dtype=dtype, multi={"genres": "|"}, combiner="sqrt")
    for features in (X, X.toarray(), pd.DataFrame(X.toarray())):
        back = encoder.inverse_transform(features)
        pd.testing.assert_frame_equal(back.drop(columns="tags"), typed(TABLE).drop(columns="tags"))
        assert back["tags"][:3].tolist() == [{"slow": 1.0}, {}, None]
        assert back["tags"][3] == pytest.approx({"slow": 5**-0.5, "funny": 2 * 5**-0.5})


def typed(table):
    """Return the table with the types that cells come back with: all numbers are floats."""
    numbers = table.select_dtypes("number").columns
    return table.astype(dict.fromkeys(numbers, float))


@pytest.mark.parametrize("kind", ["standardize", "log", "spline"])
def test_whole_numbers_are_whole(kind):
    encoder, X = encoded(pd.DataFrame({"age": np.arange(18.0, 90.0)}), numeric=kind, n_bins=5)
    assert encoder.inverse_transform(X)["age"].tolist() == list(range(18, 90))


def test_values_that_have_the_separator_are_a_list():
    encoder, _ = encoded(TABLE[["genres"]], multi={"genres": "|"})
    lists = pd.DataFrame({"genres": [["a|b", "War"], ["War"]]})
    encoder.partial_fit(lists)
    back = encoder.inverse_transform(encoder.transform(lists))
    assert list(map(sorted, back["genres"])) == [["War", "a|b"], ["War"]]


def test_intervals_are_text():
    encoder, X = encoded(TABLE[["age"]], numeric="bin")
    cells = encoder.inverse_transform(X)["age"]
    assert cells[:3].tolist() == ["[-inf, 37)", "[37, 40)", "[40, inf)"]
    assert cells.isna().tolist() == [False, False, False, True]


def test_values_that_training_never_saw():
    encoder, _ = encoded(TABLE[["city", "age", "tags", "same"]])
    new = pd.DataFrame({"city": ["Kyiv"], "age": [1e9], "tags": [["new", "slow"]], "same": [9.0]})
    back = encoder.inverse_transform(encoder.transform(new))
    assert back["city"].isna().all()
    assert 60 > back["age"][0] > 40  # clipped
    assert back["tags"][0] == ["slow"]
    assert back["same"][0] == 5


def test_the_index_and_the_names_are_those_of_the_input():
    table = TABLE[["city", "age"]].set_index(pd.Index(list("abcd"), name="row"))
    encoder, X = encoded(table)
    assert (
        encoder.set_output(transform="pandas")
        .inverse_transform(encoder.transform(table))
        .index.equals(table.index)
    )
    for names in ([0, 1], [10, 20], [("a", 1), ("b", 2)]):
        encoder, X = encoded(table.set_axis(names, axis=1))
        back = encoder.inverse_transform(X)
        assert back.columns.tolist() == [0, 1] if names == [0, 1] else list(map(str, names))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            np.testing.assert_allclose(encoder.transform(back).toarray(), X.toarray(), rtol=1e-5)


def test_polars_frames_of_features():
    pytest.importorskip("polars")
    encoder, X = encoded(TABLE[["city", "age"]])
    features = encoder.set_output(transform="polars").transform(TABLE[["city", "age"]])
    pd.testing.assert_frame_equal(encoder.inverse_transform(features), encoder.inverse_transform(X))


def test_arrays_come_back_as_arrays():
    for array in (
        np.array([["a", 1.5], [None, 2.5]], object),
        np.array([[3.0, 1.5], [np.nan, 2.5]]),
    ):
        encoder, X = encoded(array)
        back = encoder.inverse_transform(X)
        assert back.dtype == array.dtype
        pd.testing.assert_frame_equal(pd.DataFrame(back), pd.DataFrame(array))


def test_matrices_come_back_as_matrices(rng):
    matrix = sparse.random(30, 5, 0.4, random_state=0, format="csr") * 7
    matrix = matrix @ sparse.diags_array([1.0, 2, 3, 4, 0], format="csr")
    matrix.eliminate_zeros()
    encoder = TableEncoder(dtype="float64").fit(matrix)
    X = encoder.transform(matrix)
    before = X.toarray()
    back = encoder.inverse_transform(X)
    assert sparse.issparse(back)
    assert back.dtype == np.float64
    np.testing.assert_allclose(back.toarray(), matrix.toarray(), rtol=1e-14)
    back.data[:] = back.indices[:] = 0
    np.testing.assert_array_equal(X.toarray(), before)


def test_without_pandas_columns_come_back(monkeypatch):
    rows = [{"city": "Oslo", "age": 20.0}, {"city": "Rome"}]
    encoder, X = encoded(rows)
    monkeypatch.setitem(sys.modules, "pandas", None)
    back = encoder.inverse_transform(X)
    assert list(back) == ["city", "age"]
    assert back["city"].tolist() == ["Oslo", "Rome"]
    np.testing.assert_array_equal(back["age"], [20, np.nan])


def test_what_cannot_come_back():
    from sklearn.exceptions import NotFittedError

    with pytest.raises(NotFittedError):
        TableEncoder().inverse_transform(np.ones((1, 1)))
    for cells in (["a", "b"], [["a"], ["b"]]):
        encoder, X = encoded(pd.DataFrame({"page": cells}), hashed={"page": 4})
        with pytest.raises(ValueError, match="column 'page' is hashed, and cannot be given back"):
            encoder.inverse_transform(X)
    encoder, X = encoded(TABLE)
    with pytest.raises(ValueError, match=f"X has 3 features, but {X.shape[1]} are expected"):
        encoder.inverse_transform(X[:, :3])
    nothing = Entries(0, *np.zeros((2, 0), int), np.zeros(0), 0.0)
    with pytest.raises(TypeError, match="column 'new' cannot be given back: str"):
        cells_of("of another kind", nothing, "new")


def test_the_greatest_of_several_categories_counts():
    """Features that are computed, such as those of a mean row."""
    encoder, _ = encoded(pd.DataFrame({"a": ["x", "y", "z"]}))
    back = encoder.inverse_transform(np.array([[0.2, 0.5, 0.3], [0, 0, 0]]))
    assert back["a"].tolist()[0] == "y"
    assert back["a"].isna().tolist() == [False, True]


# --- dates ----------------------------------------------------------------------------------------

DATES = np.array(["2024-03-04T09:30:07", "NaT", "1969-05-04T18:00:59", "2031-01-01"], "M8[s]")


@pytest.mark.parametrize("parts", ["auto", "linear", ["year", "linear", "dayofyear"]])
def test_dates_come_back(parts):
    table = pd.DataFrame({"when": DATES, "city": list("abca"), "stay": DATES - DATES[0]})
    encoder, X = encoded(table, dates=parts, dtype="float64")
    back = encoder.inverse_transform(X)
    assert back["when"].dtype == "M8[s]"
    np.testing.assert_array_equal(back["when"].to_numpy(), DATES)
    np.testing.assert_array_equal(back["stay"], DATES - DATES[0])
    assert (encoder.transform(back) != X).nnz == 0
    encoder, X = encoded(table, dates=parts)
    found = encoder.inverse_transform(X)["when"].to_numpy()
    np.testing.assert_array_equal(np.isnat(found), np.isnat(DATES))
    assert (np.abs(found - DATES)[[0, 2, 3]] <= np.timedelta64(300, "s")).all()


def test_dates_in_arrays_come_back():
    array = np.column_stack([DATES, DATES[::-1]])
    encoder, X = encoded(array, dtype="float64")
    np.testing.assert_array_equal(encoder.inverse_transform(X), array)
    mixed = np.array([[DATES[0], 3.5], [DATES[2], 4.5], [None, 1.0]], object)
    encoder, X = encoded(mixed, dtype="float64")
    assert encoder.inverse_transform(X).tolist() == [
        [DATES[0].item(), 3.5],
        [DATES[2].item(), 4.5],
        [None, 1.0],
    ]


def test_dates_with_a_time_zone_and_those_that_do_not_differ():
    zoned = pd.to_datetime(pd.Series(DATES)).dt.tz_localize("Europe/Oslo")
    encoder, X = encoded(pd.DataFrame({"when": zoned}), dtype="float64")
    back = encoder.inverse_transform(X)["when"]
    pd.testing.assert_series_equal(
        back.dt.tz_localize("UTC").dt.tz_convert("Europe/Oslo"),
        zoned,
        check_names=False,
        check_dtype=False,
    )
    encoder, X = encoded(pd.DataFrame({"when": DATES[[0, 0]]}))
    assert encoder.inverse_transform(X)["when"].tolist() == [pd.Timestamp(DATES[0])] * 2


def test_dates_without_time_as_a_number_do_not_come_back():
    encoder, X = encoded(pd.DataFrame({"when": DATES}), dates=["month", "year"])
    with pytest.raises(ValueError, match="column 'when' holds dates without the part 'linear'"):
        encoder.inverse_transform(X)


# --- any table ------------------------------------------------------------------------------------

TEXT = st.sampled_from(["", " ", "a", "b|", "|", "a|b", "missing", "1", "Ø", "b b", "nan", "None"])
NUMBER = st.one_of(
    st.integers(-3, 3).map(float),
    st.sampled_from([0.1, -1e-300, 1e300, -1.5e308, 1e8 + 1, 2013.0, 5e-324, 1e-12]),
    st.floats(allow_nan=False, allow_infinity=False),
)
SETS = st.lists(TEXT, max_size=3)
WEIGHT = st.sampled_from([-2.0, 0.25, 1.0, 3.0])
INTEGER = st.sampled_from([-1, 0, 1, 7, 2**53 + 1])
CELLS = {
    "text": TEXT,
    "bool": st.booleans(),
    "number": NUMBER,
    "count": st.integers(0, 5),
    "category": INTEGER,
    "joined": TEXT,
    "list": SETS,
    "integers": st.lists(INTEGER, max_size=3),
    "dict": st.dictionaries(TEXT, WEIGHT, max_size=3),
}


@st.composite
def tables(draw):
    """Return a table of some columns, all with missing cells perhaps."""
    n = draw(st.integers(1, 8))
    kinds = draw(st.lists(st.sampled_from(list(CELLS)), min_size=1, max_size=4, unique=True))
    columns = {}
    for kind in kinds:
        cell = CELLS[kind] | st.none() if draw(st.booleans()) else CELLS[kind]
        cells = draw(st.lists(cell, min_size=n, max_size=n))
        column = pd.Series(cells, dtype=object)
        if kind in ("number", "count"):
            column = column.astype(float)
        columns[kind] = pd.Categorical(cells) if kind == "category" else column
    return pd.DataFrame(columns)


@settings(max_examples=250, deadline=None)
@given(
    table=tables(),
    kind=st.sampled_from(["standardize", "log", "spline"]),
    combiner=st.sampled_from(["mean", "sqrt", "sum"]),
    clip=st.booleans(),
    dtype=st.sampled_from(["float32", "float64"]),
)
def test_cells_become_the_same_features_again(table, kind, combiner, clip, dtype):
    multi = {"joined": "|"} if "joined" in table else None
    parameters = {"numeric": kind, "combiner": combiner, "clip": clip, "dtype": dtype}
    encoder, X = encoded(table, multi=multi, **parameters)
    back = encoder.inverse_transform(X)
    assert list(back) == list(table)
    again = encoder.transform(back).toarray()
    np.testing.assert_allclose(again, X.toarray(), rtol=1e-5, atol=1e-5)
