"""`read`: files, patterns, compression, what is detected, errors."""

import functools
import io
import itertools
import logging
import pathlib
import time

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.datasets import dump_svmlight_file, load_svmlight_file, load_svmlight_files
from text_reference import same

import sparsefm as fm
from sparsefm.data.csr import as_csr
from sparsefm.files import lines, rows
from sparsefm.files.detecting import Form

TEXT = b"# begin\n1 1:2 3:0.5\n\n-1 2:1 # end\r\n\t0\n1 4:1e-3 2 1:7"
DENSE = [[2, 0, 0.5, 0], [0, 1, 0, 0], [0, 0, 0, 0], [7, 1, 0, 1e-3]]
FFM = b"1 0:1:1 1:3:2\n0 1:2:1 0:1:0.5\n1 2:5\n"


def test_a_small_file(write):
    data = fm.read(write(TEXT))
    assert isinstance(data, fm.SparseData)
    np.testing.assert_array_equal(data.X.toarray(), np.array(DENSE, np.float32))
    np.testing.assert_array_equal(data.y, [1, -1, 0, 1])
    assert data.X.dtype == np.float32
    assert data.y.dtype == np.float64
    assert (data.format, data.zero_based, data.n_bad_lines) == ("libsvm", False, 0)
    assert data.qid is data.fields is None
    assert "4 rows, 4 features, 6 values, libsvm, indices from 1" in repr(data)
    borrowed = as_csr(data.X, np.float32)
    assert borrowed.canonical
    assert np.shares_memory(borrowed.values, data.X.data)
    assert np.shares_memory(borrowed.indices, data.X.indices)


def test_a_libffm_file(write):
    data = fm.read(write(FFM), "auto", dtype="float64")
    np.testing.assert_array_equal(
        data.X.toarray(), [[1, 0, 2, 0, 0], [0.5, 1, 0, 0, 0], [0, 0, 0, 0, 1]]
    )
    np.testing.assert_array_equal(data.fields, [0, 1, 1, 0, 2])  # the fourth does not occur
    assert data.fields.dtype == np.int32
    assert data.format == "libffm"
    same(data, fm.read(write(FFM), "libffm", dtype="float64"))
    with pytest.raises(fm.FileFormatError, match=r"data\.svm, line 1, column 3: index:value"):
        fm.read(write(FFM), "libsvm")


def test_a_feature_of_two_fields_is_an_error(write):
    with pytest.raises(
        fm.FileFormatError, match=r"line 3: index 7 is in field 2, but before in field 1"
    ):
        fm.read(write(b"1 1:7:1\n\n1 2:7:1\n"))
    with pytest.raises(
        fm.FileFormatError, match=r"line 1, column 1: index 7 is in two fields, 1 and 2: '1'"
    ):
        fm.read(write(b"1 1:7:1 2:7:1\n"))


@pytest.mark.parametrize("format", ["libsvm", "libffm"])
def test_format_and_queries_are_told_by_the_first_rows(write, format):
    entry = b" 1:2:3" if format == "libffm" else b" 2:3"
    data = fm.read(write(b"#\n\n?\n1 qid:7\n2 qid:9" + entry), max_bad_lines=1)
    assert data.format == format
    np.testing.assert_array_equal(data.qid, [7, 9])
    assert data.qid.dtype == np.int64
    assert data.n_bad_lines == 1
    with pytest.raises(fm.FileFormatError, match=r"line 2, column 3: .*as in the first row: '1:1'"):
        fm.read(write(b"1 qid:3 1:1\n1 1:1\n"))
    with pytest.raises(
        fm.FileFormatError, match=r"line 2, column 3: .*not in the first row: 'qid:3'"
    ):
        fm.read(write(b"1 1:1\n1 qid:3 1:1\n"))


BAD = {
    b"1 a:1": (3, "index:value is expected: 'a:1'"),
    b"1 -2:1": (3, "an index must not be negative: '-2:1'"),
    b"1 2147483648:1": (3, "an index must be from 0 to 2147483647"),
    b"1 1:1  2:x:4 # x": (8, "the value is not a number: '2:x:4'"),
    b"1 1:1:1": (3, "index:value is expected"),
    b" 1:1": (2, "the label is not a number: '1:1'"),
    b"1,2 1:1": (1, "the label is not a number"),
    b"nan 1:1": (1, "the label must not be NaN"),
    b"1 1:-inf": (3, "the value must not be infinite"),
    b"1 1:1e39": (3, "the value is too large for float32, not perhaps for float64: '1:1e39'"),
    b"-1e400 1:1": (1, "the label is too large for float64"),
    b"1 1:3e38 1:3e38": (1, "the sum of the values of index 1 is too large"),
    b"1 1:1\0": (3, r"the value is not a number: '1:1\\x00'"),
    b"1 \xff\xfe:1": (3, r"index:value is expected: '\\\\xff\\\\xfe:1'"),
    b"1 1:": (3, "the value is not a number: '1:'"),
    b"1 1 :1": (5, "index:value is expected: ':1'"),
    b"1 1:" + b"x" * 99: (3, "'1:" + "x" * 38 + r"\.\.\.'"),
}


@pytest.mark.parametrize("line", BAD)
def test_a_bad_line_is_told_by_place_and_text(write, line):
    column, message = BAD[line]
    path = write(b"1 1:1\n\n" + line + b"\n0 2:1")
    place = rf"^{path}, line 3, column {column}: .*{message}"
    with pytest.raises(fm.FileFormatError, match=place):
        fm.read(path)
    data = fm.read(path, max_bad_lines=1)
    np.testing.assert_array_equal(data.X.toarray(), [[1, 0], [0, 1]])
    assert data.n_bad_lines == 1
    assert "1 bad lines left out" in repr(data)


def test_bad_lines_are_counted_over_files_and_told(write, caplog):
    paths = [write(b"1 1:1\nx\nx\n", "a"), write(b"1 1:1\n"), write(b"y\n1 2:1\n", "b")]
    with caplog.at_level(logging.WARNING, "sparsefm"):
        data = fm.read(paths, max_bad_lines=3)
    assert data.n_bad_lines == 3
    assert len(data.y) == 3
    assert [record.message.partition(": ")[0] for record in caplog.records] == [
        "2 bad lines are left out; the first",
        "1 bad lines are left out; the first",
    ]
    assert "b, line 1, column 1: the label is not a number: 'y'" in caplog.text
    with pytest.raises(fm.FileFormatError, match=r"b, line 1, .*so far 3 lines .*max_bad_lines=2"):
        fm.read(paths, max_bad_lines=2)


def test_where_indices_begin(write):
    first, second = write(b"1 1:1 3:1\n", "a"), write(b"1 0:0 2:1\n", "b")
    assert fm.read(first).X.shape == (1, 3)
    assert fm.read(second).X.shape == (1, 3)
    assert fm.read(second).zero_based
    assert fm.read(first, zero_based=True).X.shape == (1, 4)
    both = fm.read([first, second])
    np.testing.assert_array_equal(both.X.toarray(), [[0, 1, 0, 1], [0, 0, 1, 0]])
    with pytest.raises(
        fm.FileFormatError, match=r"b, line 1, column 3: an index must be from 1 to"
    ):
        fm.read(second, zero_based=False)


def test_how_many_features(write):
    path = write(b"1 1:1 3:1\n", "a")
    assert fm.read(path, n_features=3).X.shape == (1, 3)
    assert fm.read(path, n_features=7, zero_based=True).X.shape == (1, 7)
    for wrong in ({"n_features": 2}, {"n_features": 3, "zero_based": True}):
        with pytest.raises(
            fm.FileFormatError, match=r"column 7: an index must be from . to 2: '3:1'"
        ):
            fm.read(path, **wrong)
    with pytest.raises(fm.FileFormatError, match=r"index is 3.*4 features, but at most 3"):
        fm.read(write(b"1 0:1 3:1\n"), n_features=3)
    with pytest.raises(fm.FileFormatError, match="at most 2147483647"):
        fm.read(write(b"1 0:1 2147483647:1\n"))
    assert fm.read(write(b"1 2147483647:1\n")).X.shape == (1, 2**31 - 1)
    with pytest.raises(MemoryError, match="parameters"):
        fm.train(write(b"1 2147483647:1\n"))


@pytest.mark.parametrize("text", [b"", b"\n", b"# nothing", b"\xef\xbb\xbf", b"\xef\xbb\xbf \r\n"])
def test_files_without_rows(write, text):
    data = fm.read(write(text))
    assert data.X.shape == (0, 0)
    assert len(data.y) == 0
    assert data.zero_based
    assert fm.read(write(text), n_features=3, zero_based=False).X.shape == (0, 3)
    with pytest.raises(ValueError, match="X is empty"):
        fm.train(write(text))


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\n\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_ends_of_lines_and_marks(write, end, mark):
    other = mark + TEXT.replace(b"\r", b"").replace(b"\n", b"\r\n") + end
    same(fm.read(write(other, "other")), fm.read(write(TEXT)))


def test_a_mark_elsewhere_is_no_mark(write, monkeypatch):
    path = write(b"1 1:1\n\xef\xbb\xbf2 1:1\n")
    for size in (8, lines.PIECE):
        monkeypatch.setattr(rows, "pieces", functools.partial(lines.pieces, size=size))
        with pytest.raises(fm.FileFormatError, match="line 2, column 1: the label is not a number"):
            fm.read(path)


def test_rows_without_entries_only(write):
    data = fm.read(write(b"1\n2\n"), n_features=2)
    assert data.X.shape == (2, 2)
    np.testing.assert_array_equal(data.y, [1, 2])


def test_lines_before_the_first_row_tell_nothing(write, monkeypatch):
    path = write(b"# x\n?\n? qid:1\n1 qid:7 1:1:2\n")
    for size in (8, lines.PIECE):
        monkeypatch.setattr(rows, "pieces", functools.partial(lines.pieces, size=size))
        data = fm.read(path, max_bad_lines=2)
        np.testing.assert_array_equal(data.qid, [7])
        np.testing.assert_array_equal(data.fields, [1])


@pytest.mark.parametrize(
    "bad", [b"1 qid:1 1:1:x", b"2 1:x", b"1. 1:2:3 x", b"1 2:3:4 \r 1:1:1", b"1x"]
)
def test_malformed_lines_tell_nothing(write, bad):
    path = write(bad + b"\n1\n1 1:2\n")
    data = fm.read(path, max_bad_lines=1)
    assert (data.format, data.qid, data.n_bad_lines) == ("libsvm", None, 1)
    np.testing.assert_array_equal(data.X.toarray(), [[0], [2]])


@pytest.mark.parametrize("number", [b"-1", b"x", b"", b"1x", b"9223372036854775807"])
def test_a_malformed_query_in_the_first_row(write, number):
    text = b"1 qid:" + number + b" 1:1\n"
    for more in (b"", b"1 qid:2 1:1\n"):
        with pytest.raises(
            fm.FileFormatError, match=r"line 1, column 3: the number of a query must be"
        ):
            fm.read(write(text + more))


def test_a_carriage_return_alone_ends_no_line(write):
    texts = [b"1 1:1\r0 2:1\r", b"1 1:1\r\r\n", b"1\r1:1\n", b"# x\r1 1:1\r", b"1 1:1 # x\r1 1:1"]
    for text in (*texts, b"\r1 1:1\n"):
        with pytest.raises(fm.FileFormatError, match=r"line 1, .*a carriage return ends no line"):
            fm.read(write(text))
    for space in (b"\v", b"\f"):
        with pytest.raises(fm.FileFormatError, match="line 1, "):
            fm.read(write(b"1" + space + b"qid:3 1:1\n"))


@pytest.mark.parametrize("line", [b"\n", b" \r\n", b"#\n", b"1\n", b"1 1:x\n", b"1 1 1 1 x\n"])
def test_lines_that_tell_nothing_are_passed_within_seconds(line):
    text = np.frombuffer(line * (1 << 18) + b"1 1:1:1\n", np.uint8)
    times = []
    for _ in range(3):
        begin = time.process_time()
        form = Form(None).detect(text, 0)
        times.append(time.process_time() - begin)
    assert min(times) < 0.4  # a loop in Python takes longer
    assert form.format == (None if b"x" in line else "libffm")


# --- files --------------------------------------------------------------------------------------


def test_lists_and_patterns(write, tmp_path):
    parts = [write(b"%d %d:1\n" % (part, part + 1), f"part-{part}") for part in range(3)]
    np.testing.assert_array_equal(fm.read(str(tmp_path / "part-*")).y, [0, 1, 2])
    np.testing.assert_array_equal(fm.read(parts[::-1]).y, [2, 1, 0])
    np.testing.assert_array_equal(fm.read((str(parts[2]), str(tmp_path / "*[01]"))).y, [2, 0, 1])
    assert fm.read(parts).X.shape == (3, 3)
    odd = write(b"7 1:1", "part-*")  # a name, and not a pattern
    np.testing.assert_array_equal(fm.read(str(odd)).y, [7])
    with pytest.raises(FileNotFoundError, match="path is a pattern that no file matches"):
        fm.read(str(tmp_path / "no*"))
    with pytest.raises(FileNotFoundError):
        fm.read(tmp_path / "none")
    with pytest.raises(OSError, match=tmp_path.name):
        fm.read(tmp_path)
    for wrong in ([], None, 3, ["a", 3], b"a"):
        with pytest.raises(TypeError, match="path must be a path, a pattern or a list"):
            fm.read(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"format": "csv"},
        {"zero_based": 1},
        {"zero_based": "yes"},
        {"n_features": 0},
        {"n_features": 2**31},
        {"dtype": "int"},
        {"max_bad_lines": -1},
        {"n_threads": 0},
    ],
)
def test_wrong_arguments_are_named(write, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        fm.read(write(TEXT), **wrong)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_same_bits_on_any_number_of_threads(write, dtype):
    rng = np.random.default_rng(0)
    X = sp.random(4000, 300, 0.1, "csr", random_state=rng)
    content = io.BytesIO()
    dump_svmlight_file(X, rng.normal(size=4000), content)
    path = write(content.getvalue())
    assert path.stat().st_size > 2e6  # several chunks
    one = fm.read(path, dtype=dtype, n_threads=1)
    for threads in (2, 3, 8):
        same(fm.read(path, dtype=dtype, n_threads=threads), one)


# --- beside scikit-learn ------------------------------------------------------------------------

values = st.floats(allow_nan=False, allow_infinity=False, width=32)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    entries=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6), values), max_size=12),
    labels=st.lists(values, min_size=5, max_size=5),
    zero_based=st.booleans(),
    queries=st.none() | st.lists(st.integers(0, 9), min_size=5, max_size=5),
)
def test_what_scikit_learn_writes_is_read_back(tmp_path, entries, labels, zero_based, queries):
    X = np.zeros((5, 7))
    for row, column, value in entries:
        X[row, column] = float(f"{value:.16g}")  # as it writes numbers
    labels = [float(f"{label:.16g}") for label in labels]
    path = tmp_path / "dumped.svm"
    with path.open("wb") as file:
        how = {"zero_based": zero_based, "query_id": queries}
        dump_svmlight_file(X, labels, file, comment="a comment\n", **how)
    for dtype in ("float32", "float64"):
        data = fm.read(path, zero_based=zero_based, n_features=7, dtype=dtype)
        np.testing.assert_array_equal(data.X.toarray(), X.astype(dtype))
        np.testing.assert_array_equal(data.y, labels)
        assert (data.qid is None) == (queries is None)
        if queries is not None:
            np.testing.assert_array_equal(data.qid, queries)
    found = load_svmlight_file(str(path))
    auto = fm.read(path, dtype="float64")
    if found[0].nnz:
        np.testing.assert_array_equal(auto.X.toarray(), found[0].toarray())
    np.testing.assert_array_equal(auto.y, found[1])


def test_several_files_are_those_of_scikit_learn(write):
    texts = [b"1 1:2 2:3\n0 4:-1\n", b"-1 3:0.25 # a\n\n2 1:1e-3 5:4\n"]
    paths = [write(text, f"{number}.svm") for number, text in enumerate(texts)]
    (*wanted,) = load_svmlight_files(list(map(str, paths)))
    data = fm.read(paths, dtype="float64")
    np.testing.assert_array_equal(data.X.toarray(), sp.vstack(wanted[::2]).toarray())
    np.testing.assert_array_equal(data.y, np.concatenate(wanted[1::2]))


def test_entries_are_put_in_order_as_elsewhere(write):
    """Those of one index are added, and zeros dropped, as `as_csr` does."""
    entries = [(3, 1.5), (1, 2.0), (3, -0.5), (2, 0.0), (5, 1.0), (5, -1.0), (0, 1e-46)]
    for order in itertools.islice(itertools.permutations(entries), 0, None, 97):
        text = b"1 " + b" ".join(b"%d:%r" % entry for entry in order)
        data = fm.read(write(text), n_features=6)
        columns, numbers = zip(*order, strict=True)
        given = sp.csr_matrix((np.array(numbers, np.float32), columns, [0, len(order)]), (1, 6))
        wanted = as_csr(given, np.float32)
        np.testing.assert_array_equal(data.X.indices, wanted.indices)
        np.testing.assert_array_equal(data.X.data, wanted.values)


def test_paths_of_any_kind(write):
    class Named:
        def __fspath__(self):
            return str(write(TEXT))

    same(fm.read(Named()), fm.read(pathlib.Path(Named())))
