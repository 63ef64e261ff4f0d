"""Columns of pandas, Polars and PyArrow: of few rows, of many, and of dictionaries."""

import decimal

import numpy as np
import pytest

from sparsefm.encoding import objects
from sparsefm.encoding.libraries import as_table
from sparsefm.encoding.tables import Labels, Numbers

pd = pytest.importorskip("pandas")
pa = pytest.importorskip("pyarrow")
pl = pytest.importorskip("polars")
pytest.importorskip("narwhals")

TEXT = ["b", "a", None, "b", "ä", ""]
ODD_TEXT = ["\0", "", "a", "a\0b", "a\0c", "\ud800", "'\\ud800'", "a"]
FLAGS = [True, None, False, True, True, None]
WHOLE = [1, None, 3, 2**53 + 2, -1, 0]
REAL = [0.5, None, 3.0, -1e300, 2.5, 0.0]
COLUMNS = {
    "pandas object": (pd.Series(TEXT, dtype=object), TEXT),
    "pandas string": (pd.Series(TEXT, dtype="string"), TEXT),
    "pandas string, PyArrow's": (pd.Series(TEXT, dtype=pd.ArrowDtype(pa.string())), TEXT),
    "pandas string, in chunks": (
        pd.concat([pd.Series(part, dtype=pd.ArrowDtype(pa.string())) for part in (TEXT, TEXT)]),
        TEXT + TEXT,
    ),
    "pandas category": (pd.Series(TEXT, dtype="category"), TEXT),
    "pandas category of numbers": (pd.Series(pd.Categorical([3, 1, None, 3])), [3, 1, None, 3]),
    "pandas dictionary": (
        pd.Series(TEXT, dtype=pd.ArrowDtype(pa.dictionary(pa.int8(), pa.string()))),
        TEXT,
    ),
    "pandas objects, flags": (pd.Series(FLAGS, dtype=object), FLAGS),
    "pandas objects, numbers": (pd.Series(REAL, dtype=object), REAL),
    "pandas objects, gaps": (pd.Series(["a", None, np.nan, pd.NA]), ["a", None, None, None]),
    "pandas objects, odd text": (pd.Series(ODD_TEXT, dtype=object), ODD_TEXT),
    "pandas string, odd text": (pd.Series(ODD_TEXT, dtype="string[python]"), ODD_TEXT),
    "pandas string of PyArrow, odd text": (
        pd.Series(ODD_TEXT[:5], dtype="string[pyarrow]"),
        ODD_TEXT[:5],
    ),
    "pandas boolean": (pd.Series(FLAGS, dtype="boolean"), FLAGS),
    "pandas bool": (pd.Series([True, False]), [True, False]),
    "pandas Int64": (pd.Series(WHOLE, dtype="Int64"), WHOLE),
    "pandas int8": (pd.Series([1, -3], dtype="int8"), [1, -3]),
    "pandas float": (pd.Series(REAL), REAL),
    "pandas sparse": (pd.Series(REAL, dtype="Sparse[float]"), REAL),
    "pandas sparse, other fill": (pd.Series([1, 1, 3], dtype=pd.SparseDtype(int, 1)), [1, 1, 3]),
    "pandas sparse bool": (pd.Series([True, False], dtype="Sparse[bool]"), [True, False]),
    "pandas sparse text": (
        pd.Series(["a", "", "a"], dtype=object).astype(pd.SparseDtype(object, "")),
        ["a", "", "a"],
    ),
    "pandas uint64": (pd.Series([2**64 - 1, 1], dtype="uint64"), [2.0**64, 1]),
    "pandas category of uint64": (
        pd.Series(pd.Categorical(np.array([2**64 - 1, 2**64 - 2], np.uint64))),
        [2**64 - 1, 2**64 - 2],
    ),
    "pandas category of bools": (pd.Series(pd.Categorical([True, False])), [True, False]),
    "pandas objects, decimals": (pd.Series([decimal.Decimal("1.5"), None]), [1.5, None]),
    "pandas int64, PyArrow's": (pd.Series(WHOLE, dtype=pd.ArrowDtype(pa.int64())), WHOLE),
    "Polars text": (pl.Series(TEXT), TEXT),
    "Polars text, odd": (pl.Series(ODD_TEXT[:5]), ODD_TEXT[:5]),
    "Polars categories": (pl.Series(TEXT, dtype=pl.Categorical), TEXT),
    "Polars enum": (pl.Series(TEXT, dtype=pl.Enum(["z", "", "ä", "b", "a"])), TEXT),
    "Polars flags": (pl.Series(FLAGS), FLAGS),
    "Polars int": (pl.Series(WHOLE), WHOLE),
    "Polars float": (pl.Series(REAL), REAL),
    "Polars decimal": (pl.Series([decimal.Decimal("1.5"), None]), [1.5, None]),
    "Polars null": (pl.Series([None, None]), [None, None]),
    "Arrow text": (pa.chunked_array([TEXT[:2], TEXT[2:]]), TEXT),
    "Arrow text, odd": (pa.chunked_array([ODD_TEXT[:5]]), ODD_TEXT[:5]),
    "Arrow text, large": (pa.chunked_array([pa.array(TEXT, pa.large_string())]), TEXT),
    "Arrow dictionary": (
        pa.chunked_array([pa.array(part).dictionary_encode() for part in (TEXT[:3], TEXT[3:])]),
        TEXT,
    ),
    "Arrow dictionary, chunks that differ": (
        pa.chunked_array([pa.array(part).dictionary_encode() for part in (["a"], ["b", "a"])]),
        ["a", "b", "a"],
    ),
    "Arrow dictionary of numbers": (
        pa.chunked_array([pa.array([1.0, np.nan, None, 1.0]).dictionary_encode()]),
        [1.0, None, None, 1.0],
    ),
    "Arrow dictionary of uint64": (
        pa.chunked_array([pa.array([2**64 - 1, 1], pa.uint64()).dictionary_encode()]),
        [2**64 - 1, 1],
    ),
    "Arrow dictionary of nulls": (
        pa.chunked_array([pa.nulls(2).cast(pa.dictionary(pa.int8(), pa.null()))] * 2),
        [None] * 4,
    ),
    "Arrow uint64": (pa.chunked_array([pa.array([2**64 - 1], pa.uint64())]), [2.0**64]),
    "Arrow flags": (pa.chunked_array([FLAGS]), FLAGS),
    "Arrow int": (pa.chunked_array([WHOLE]), WHOLE),
    "Arrow float": (pa.chunked_array([REAL]), REAL),
    "Arrow float32": (pa.chunked_array([pa.array([0.5, None], pa.float32())]), [0.5, None]),
    "Arrow decimal": (pa.chunked_array([[decimal.Decimal("1.5"), None]]), [1.5, None]),
    "Arrow null": (pa.chunked_array([pa.nulls(2)]), [None, None]),
}
if hasattr(pa, "string_view"):  # PyArrow 16
    COLUMNS["Arrow text, view"] = (pa.chunked_array([pa.array(TEXT, pa.string_view())]), TEXT)


def framed(series):
    """Return a table of one column."""
    if isinstance(series, pd.Series):
        return pd.DataFrame({"x": series})
    return pl.DataFrame({"x": series}) if isinstance(series, pl.Series) else pa.table({"x": series})


def read(series):
    (column,) = as_table(framed(series)).columns(["x"])
    return column


def content(column):
    """Return what each row of a column holds, None where missing."""
    if isinstance(column, Numbers):
        assert column.values.dtype == np.float64
        return [None if np.isnan(value) else value for value in column.values.tolist()]
    assert len(column.values) == len(set(column.values))
    return [None if code < 0 else column.values[code] for code in column.codes.tolist()]


@pytest.mark.parametrize("few", [200, 0])
@pytest.mark.parametrize("name", COLUMNS)
def test_columns_are_read_as_they_are(name, few, monkeypatch):
    """With few rows, which a dict looks through, and with many, which the library does."""
    monkeypatch.setattr(objects, "FEW_ROWS", few)
    series, expected = COLUMNS[name]
    assert (column := content(read(series))) == expected
    assert all(isinstance(value, str | bool | int | float | None) for value in column)


@pytest.mark.parametrize("few", [200, 0])
def test_only_what_occurs_of_a_large_dictionary_is_read(few, monkeypatch):
    monkeypatch.setattr(objects, "FEW_ROWS", few)
    large = [f"id {i}" for i in range(1000)] + [None]
    for series in (
        pd.Series(large, dtype="category"),
        pd.Series(large, dtype=pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string()))),
        pl.Series(large, dtype=pl.Categorical),
        pa.chunked_array([pa.array(large).dictionary_encode()]),
    ):
        column = read(series[990:])
        assert isinstance(column, Labels)
        assert sorted(column.values) == sorted(large[990:-1])
        assert content(column) == large[990:]


def test_arrow_dictionaries_with_oddities(monkeypatch):
    monkeypatch.setattr(objects, "FEW_ROWS", 0)
    indices = pa.array([0, 1, 2, 0, None])
    with_null = pa.DictionaryArray.from_arrays(indices, pa.array(["a", None, "b"]))
    assert content(read(pa.chunked_array([with_null]))) == ["a", None, "b", "a", None]
    from sparsefm.encoding import TableEncoder

    twice = pa.DictionaryArray.from_arrays(indices, pa.array(["a", "b", "a"]))
    table = pa.table({"x": twice})
    fitted = TableEncoder().fit(table)
    assert fitted.get_feature_names_out().tolist() == ["x=a", "x=b", "x=missing"]
    assert fitted.transform(table).indices.tolist() == [0, 1, 0, 0, 2]


@pytest.mark.parametrize(
    "series",
    [
        pd.Series([[[1]], [[2]]]),
        pd.Series([1j, 2j]),
        pd.Series([[[1]]], dtype=pd.ArrowDtype(pa.list_(pa.list_(pa.int8())))),
        pd.Series([b"a"], dtype=pd.ArrowDtype(pa.binary())),
        pd.Series([((1,),), ((2,), 3)]),
        pd.Series([{frozenset({1})}, {2}]),
        pd.Series(pd.Categorical([(1,), (2, 3)])),
        pl.Series([[[1]], [[2]]]),
        pl.Series([[[1]], [[2]]], dtype=pl.Array(pl.Array(pl.Int8, 1), 1)),
        pl.Series([[{"a": 1}]]),
        pl.Series([b"a"]),
        pl.Series([object()], dtype=pl.Object),
        pl.Series([{"a": 1}]),
        pa.chunked_array([[[[1]], [[2]]]]),
        pa.chunked_array([[[{"a": 1}]]]),
        pa.chunked_array([[b"a"]]),
        pa.chunked_array([[{"a": 1}]]),
        pa.chunked_array([pa.array([[("a", [1])]], pa.map_(pa.string(), pa.list_(pa.int8())))]),
        pa.chunked_array([pa.array([b"a"]).dictionary_encode()]),
        pa.chunked_array([pa.RunEndEncodedArray.from_arrays([2], [b"a"])]),
        pa.chunked_array([pa.array([(1, 2, 3)], pa.month_day_nano_interval())]),
        pd.Series([np.timedelta64(1, "M")], dtype=object),
        pa.chunked_array(
            [pa.DictionaryArray.from_arrays(pa.array([0, 0]), pa.array([["a", "b"]]))]
        ),
        *(
            make(values)
            for values in (
                pd.to_datetime(["2024-01-01"]).to_pydatetime().tolist(),
                pd.to_timedelta([1], unit="h").to_pytimedelta().tolist(),
            )
            for make in (
                lambda values: pd.Series([values]),
                lambda values: pl.Series([values]),
                lambda values: pa.chunked_array([[values]]),
            )
        ),
    ],
    ids=lambda series: f"{type(series).__module__.split('.')[0]} {getattr(series, 'dtype', '')}",
)
@pytest.mark.parametrize("few", [200, 0])
def test_other_columns_are_refused_by_name(series, few, monkeypatch):
    monkeypatch.setattr(objects, "FEW_ROWS", few)
    are_objects = getattr(series, "dtype", None) == pl.Object
    for rows in (series,) if isinstance(series, pd.Series) or are_objects else (series, series[:0]):
        with pytest.raises(TypeError, match=r"column 'x' holds .*: (make|convert)"):
            read(rows)


def test_batches_are_tables():
    """`ParquetFile.iter_batches` gives them."""
    from sparsefm.encoding import TableEncoder

    table = pa.table({"s": ["a", "b"], "x": [1.0, 2.0]})
    (batch,) = table.to_batches()
    fitted = TableEncoder().fit(batch)
    assert fitted.feature_names_in_.tolist() == ["s", "x"]
    assert (fitted.transform(batch) != fitted.transform(table)).nnz == 0
    rows = batch.take(pa.array([1, 0])).to_struct_array()  # scikit-learn's selection of rows
    assert (fitted.transform(rows) != fitted.transform(table)[[1, 0]]).nnz == 0
    with pytest.raises(ValueError, match="must be in the same order"):
        fitted.transform(batch.select(["x", "s"]))
    with pytest.raises(TypeError, match=r"X is a stream of batches .*: pass X.read_all\(\)"):
        fitted.transform(table.to_reader())


def test_bools_beside_numbers_are_refused_in_many_rows():
    """They are equal to some: a hash does not tell them apart."""
    for rows in ([True, 1.5], [1, True], [0.0, False]):
        for repeated in (rows, rows * 200):
            with pytest.raises(TypeError, match=r"several types \(bool, number\)"):
                read(pd.Series(repeated, dtype=object))


def test_infinity_is_refused_by_row():
    numbers = [1.0, np.inf]
    for series in (pd.Series(numbers), pl.Series(numbers), pa.chunked_array([numbers])):
        with pytest.raises(ValueError, match=r"contains infinity.*column 'x', row 1"):
            read(series)


def test_other_libraries_are_read_through_pandas(monkeypatch):
    """What narwhals knows beyond the three, such as Modin, it can turn into pandas."""
    import narwhals

    frame = pd.DataFrame({"x": TEXT})
    implementation = narwhals.Implementation.MODIN
    monkeypatch.setattr(narwhals.DataFrame, "implementation", implementation)
    monkeypatch.setattr(narwhals.DataFrame, "to_native", None)
    (column,) = as_table(frame).columns(["x"])
    assert content(column) == TEXT


@pytest.mark.parametrize("X", [np.ones(3), [[1]], "text", {}, pd.Series([1]), None])
def test_what_is_no_table(X):
    assert as_table(X) is None
