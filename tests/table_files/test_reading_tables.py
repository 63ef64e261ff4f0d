"""`read_table`: what is in the files, by name, with the types that all of their values have."""

import gzip
import json

import numpy as np
import pytest

import sparsefm as fm
from sparsefm.files import delimited
from sparsefm.files.tables import Tables

pa = pytest.importorskip("pyarrow")

ROWS = {"user": ["u1", None, "ü"], "price": [1.5, 2.0, None], "late": [True, False, True]}
CSV = "user,price,late\nu1,1.5,true\n,2,false\nü,,true\n"


def zstd_of(content):
    return pytest.importorskip("zstandard").ZstdCompressor().compress(content)


def parquet(path, table):
    import pyarrow.parquet as pq

    pq.write_table(table, path, row_group_size=2)


def feather(path, table):
    import pyarrow.feather

    pyarrow.feather.write_feather(table, path)


def stream(path, table):
    with pa.ipc.new_stream(str(path), table.schema) as writer:
        writer.write_table(table)


BINARY = {"parquet": parquet, "feather": feather, "stream": stream}


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd_of])
@pytest.mark.parametrize("separator", [",", "\t"])
def test_text(write, pack, separator):
    path = write(pack(CSV.replace(",", separator).encode()), "without-a-suffix")
    assert fm.read_table(path).to_pydict() == ROWS
    assert fm.read_table(path, columns=["late", "user"]).column_names == ["late", "user"]
    assert fm.read_table(path, "csv" if separator == "," else "tsv").to_pydict() == ROWS


@pytest.mark.parametrize("kind", BINARY)
def test_binary_files(tmp_path, kind):
    table = pa.table({**ROWS, "tags": [["a", "b"], [], None]})
    BINARY[kind](tmp_path / "data", table)
    assert fm.read_table(tmp_path / "data").equals(table)
    chosen = fm.read_table(str(tmp_path / "data"), columns=["late", "user"])
    assert chosen.equals(table.select(["late", "user"]))
    with pytest.raises(ValueError, match="names='numbered' is for CSV"):
        fm.read_table(tmp_path / "data", names="numbered")


def test_rows_without_a_header_as_criteo_has_them(write):
    line = "\t".join(["1", *map(str, range(12)), "", *["68fd1e64"] * 25, ""])
    path = write(f"{line}\n{line}\n", "day_0")
    names = ["label", *(f"I{i}" for i in range(1, 14)), *(f"C{i}" for i in range(1, 27))]
    found = fm.read_table(path, names=names)
    assert found.column_names == names
    assert found["I13"].null_count == found["C26"].null_count == 2
    assert found["C1"].to_pylist() == ["68fd1e64"] * 2
    numbered = fm.read_table(path, names="numbered", columns=["x14", "x0"])
    assert numbered.to_pydict() == {"x14": ["68fd1e64"] * 2, "x0": [1, 1]}
    with pytest.raises(fm.FileFormatError, match="Row #1: Expected 39 columns, got 40"):
        fm.read_table(path, names=names[:-1])


def test_files_follow_one_another_by_the_names_of_their_columns(write, tmp_path):
    write("a,b\n1,x\n", "part-1.csv")
    write("b,a\ny,2\n", "part-2.csv")
    expected = {"a": [1, 2], "b": ["x", "y"]}
    assert fm.read_table(str(tmp_path / "part-*.csv")).to_pydict() == expected
    files = [tmp_path / "part-2.csv", tmp_path / "part-1.csv"]
    assert fm.read_table(files).to_pydict() == {"b": ["y", "x"], "a": [2, 1]}


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "2.5"], "double"),
        (["1", "x"], "string"),
        (["", "7"], "int64"),
        (["", "x"], "string"),
        (["true", "maybe"], "string"),
        (["2024-01-02", "2024-01-02 03:04:05"], "timestamp[s]"),
        (["2024-01-02 03:04:05", "2024-01-02 03:04:05.5"], "timestamp[ns]"),
        (["007", "A12"], "string"),
        (["1", "99999999999999999999"], "double"),
        (["1", "true"], "bool"),
    ],
)
def test_the_type_of_a_column_is_that_of_all_of_its_values(write, values, kind, monkeypatch):
    """Also if the last of many blocks, or another file, is the first to tell."""
    import pyarrow.csv

    whole = write("other,v\n" + "\n".join(f"1,{value}" for value in values), "whole.csv")
    parts = [write(f"other,v\n1,{value}\n", f"{n}.csv") for n, value in enumerate(values)]
    found = fm.read_table(whole)
    assert str(found.schema.field("v").type) == kind
    assert found.equals(
        pyarrow.csv.read_csv(whole, convert_options=delimited._convert_options(None, {}))
    )
    assert fm.read_table(parts).equals(found)
    monkeypatch.setattr(delimited, "BLOCK", 32)
    long = write("other,v\n" + f"1,{values[0]}\n" * 50 + f"1,{values[1]}\n", "long.csv")
    expected = fm.read_table(long)
    assert expected.num_rows == 51
    tables = Tables.of(long)
    chunks = [chunk for *_, chunk in tables.chunks(7, tables.all_columns)]
    assert [chunk.num_rows for chunk in chunks] == [7] * 7 + [2]
    assert pa.concat_tables(chunks).equals(expected)


def test_text_stays_as_it_is_in_quotes_and_over_lines(write):
    path = write('a,b\n"x\ny, ""z""",1\n"NA",2\n')
    assert fm.read_table(path).to_pydict() == {"a": ['x\ny, "z"', None], "b": [1, 2]}


def test_a_table_in_chunks_is_the_table(write, tmp_path):
    """The type of a column is that of all of its values, also where a chunk would tell another."""
    paths = [write("id,x\n" + "007,1\n" * 9, "a.csv"), write("id,x\nA12,2.5\n", "b.csv")]
    whole = fm.read_table(paths)
    chunks = fm.read_table(paths, chunk_rows=4)
    assert next(chunks).equals(whole[:4])
    rest = list(chunks)
    assert [len(chunk) for chunk in rest] == [4, 1, 1]
    assert pa.concat_tables(rest).equals(whole[4:])
    assert next(fm.read_table(paths, columns=["x"], chunk_rows=2)).equals(whole[:2].select(["x"]))
    parquet(tmp_path / "c.parquet", whole)
    assert pa.concat_tables(fm.read_table(tmp_path / "c.parquet", chunk_rows=3)).equals(whole)
    for wrong, error in ((0, ValueError), (1.5, TypeError)):
        with pytest.raises(error, match="chunk_rows"):
            fm.read_table(paths, chunk_rows=wrong)
    with pytest.raises(ValueError, match="no column 'y'"):  # at once, and not when it is used
        fm.read_table(paths, columns=["y"], chunk_rows=2)


@pytest.mark.parametrize("kind", BINARY)
def test_chunks_have_the_rows_asked_for(tmp_path, kind):
    table = pa.table({"a": range(25), "b": [str(i) for i in range(25)]})
    for part in range(3):
        BINARY[kind](tmp_path / f"{part}.data", table)
    tables = Tables.of(str(tmp_path / "*.data"))
    paths, firsts, chunks = zip(*tables.chunks(10, ["b", "a"]), strict=True)
    assert paths == tuple(str(tmp_path / f"{part}.data") for part in range(3) for _ in range(3))
    assert firsts == (0, 10, 20) * 3
    assert [chunk.num_rows for chunk in chunks] == [10, 10, 5] * 3
    expected = pa.concat_tables([table] * 3).select(["b", "a"])
    assert pa.concat_tables(chunks).equals(expected)
    assert fm.read_table(str(tmp_path / "*.data"), columns=["b", "a"]).equals(expected)


def test_types_of_binary_files_are_brought_together_without_loss(tmp_path):
    for name, values in (("0", pa.array([1, 2])), ("1", pa.array([0.5])), ("2", pa.nulls(1))):
        parquet(tmp_path / name, pa.table({"a": values}))
    found = fm.read_table(str(tmp_path / "?"))
    assert found.to_pydict() == {"a": [1.0, 2.0, 0.5, None]}
    parquet(tmp_path / "3", pa.table({"a": ["x"]}))
    with pytest.raises(fm.FileFormatError, match=r"3: column 'a' is of the type string"):
        fm.read_table(str(tmp_path / "?"))


def test_an_index_of_pandas_without_a_name_is_no_column(tmp_path):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [1, 2]}, index=[5, 7])
    frame.to_parquet(tmp_path / "data")
    assert fm.read_table(tmp_path / "data").to_pydict() == {"a": [1, 2]}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a,b\n1,2\n3\n", r"no table in csv: Row #3: Expected 2 columns, got 1: 3"),
        ("", "no table in csv: Empty CSV file"),
        ("a,a\n1,2\n", "has the column 'a' twice"),
        (b"a\n\xff\n", "column 'a': its text is not UTF-8"),
        (gzip.compress(b"a,b\n1,2\n" * 999, mtime=0)[:-9], "damaged or ends too early"),
        (b"PAR1" + b"x" * 40, "no table in parquet, or damaged"),
        (b"ARROW1\0\0" + b"x" * 40, "no table in arrow, or damaged"),
    ],
    ids=["row", "empty", "twice", "latin", "cut", "parquet", "arrow"],
)
def test_malformed_files_are_told_by_name(write, content, told):
    path = write(content)
    with pytest.raises(fm.FileFormatError, match=told) as raised:
        fm.read_table(path)
    assert str(raised.value).startswith(str(path))
    with pytest.raises(fm.FileFormatError, match=told.partition("Row")[0]):
        list(Tables.of(path).chunks(2, ["a"]))


def test_a_malformed_row_far_below_is_told_with_its_number(write, monkeypatch):
    monkeypatch.setattr(delimited, "BLOCK", 64)
    path = write("a,b\n" + "1,2\n" * 500 + "3\n")
    with pytest.raises(fm.FileFormatError, match="Row #502"):
        fm.read_table(path)
    with pytest.raises(fm.FileFormatError, match="Row #502"):
        list(Tables.of(path).chunks(100, ["a", "b"]))


def test_files_that_do_not_belong_together(write):
    first, other = write("a,b\n1,2\n", "0.csv"), write("a,c\n1,2\n", "1.csv")
    with pytest.raises(fm.FileFormatError, match=r"1\.csv has other columns than .*0\.csv: b, c"):
        fm.read_table([first, other])
    with pytest.raises(fm.FileFormatError, match=r"1\.tsv is tsv, but .*0\.csv is csv"):
        fm.read_table([first, write("a\tb\n1\t2\n", "1.tsv")])
    with pytest.raises(ValueError, match=r"0\.csv has no column 'z'; there are a, b"):
        fm.read_table(first, columns=["a", "z"])


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"columns": "a"}, "columns must be a list of names"),
        ({"columns": ["a", "a"]}, "columns has 'a' twice"),
        ({"columns": []}, "columns must be a list of names"),
        ({"names": ["a", 1]}, "names must be a list of names"),
        ({"names": "none"}, "names must be one of"),
        ({"format": "xls"}, "format must be one of"),
    ],
)
def test_wrong_arguments(write, given, told):
    with pytest.raises((TypeError, ValueError), match=told):
        fm.read_table(write(CSV), **given)


def test_a_declared_type_that_does_not_fit_is_an_error(write):
    tables = Tables.of(write("a,b\n1,2\nx,3\n"))
    for reading in (tables.read, lambda *given: list(tables.chunks(1, *given))):
        with pytest.raises(fm.FileFormatError, match=r"data\.csv, column 'a': Row #3: .*'x'"):
            reading(["a", "b"], {"a": pa.int64()})
    assert tables.read(["b"], {"b": pa.string()}).to_pydict() == {"b": ["2", "3"]}


def test_the_encoder_takes_a_table_column_by_column(write):
    """What is read is what pandas reads, and 40 columns of many categories stay sparse."""
    pd = pytest.importorskip("pandas")
    random = np.random.default_rng(0)
    frame = pd.DataFrame({f"c{j}": random.integers(0, 300, 500).astype(str) for j in range(40)})
    frame = "v" + frame
    frame["n"] = random.normal(size=500).round(3)
    path = write(frame.to_csv(index=False))
    found = fm.TableEncoder().fit_transform(fm.read_table(path))
    expected = fm.TableEncoder().fit_transform(pd.read_csv(path))
    assert found.nnz == 500 * 41
    assert (found != expected).nnz == 0


def test_without_pyarrow_there_is_a_message(write, monkeypatch):
    import sys

    for name in [name for name in sys.modules if name.partition(".")[0] == "pyarrow"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"pip install 'sparsefm\[arrow\]'"):
        fm.read_table(write(CSV))


def test_columns_that_are_not_asked_for_are_not_converted(write):
    path = write("a,b\n1,2\n" + json.dumps("x" * 100) + ",3\n")
    assert fm.read_table(path, columns=["b"]).to_pydict() == {"b": [2, 3]}


@pytest.mark.parametrize("chunked", [False, True])
def test_types_of_binary_files_that_cannot_be_joined_are_told(tmp_path, chunked):
    def read(*names):
        paths = [str(tmp_path / name) for name in names]
        if chunked:
            return pa.concat_tables([part for *_, part in Tables.of(paths).chunks(9, ["a"])])
        return fm.read_table(paths)

    columns = {
        "text": pa.array(["x"]),
        "codes": pa.array(["y"]).dictionary_encode(),
        "whole": pa.array([2**62 + 1]),
        "half": pa.array([0.5]),
    }
    for name, column in columns.items():
        parquet(tmp_path / name, pa.table({"a": column}))
    assert read("text", "codes").to_pydict() == {"a": ["x", "y"]}
    assert read("codes", "text").schema.field("a").type == pa.string()
    with pytest.raises(fm.FileFormatError, match="whole, column 'a': int64 cannot be double"):
        read("half", "whole")


def test_sparse_text_is_no_table(write):
    table = str(write("u,y\na,0\nb,1\n" * 9))
    good, bad = (fm.SparseText(write(text, text[:1])) for text in ("1 0:1\n", "what\n"))
    model = fm.FMClassifier(search=None, solver=fm.Adam(), epochs=2).fit(table, "y")
    for call in (model.predict, model.score):
        with pytest.raises(TypeError, match="X is sparse text, but the rows of the fit are those"):
            call(good)
    with pytest.raises(TypeError, match="eval_set is sparse text, but"):
        model.fit(table, "y", eval_set=(good, "y"))
    with pytest.raises(fm.FileFormatError) as told:
        model.fit(bad)
    assert "for a table" not in str(told.value)
