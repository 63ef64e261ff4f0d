"""The core's parser of text against a slow one in plain Python."""

import numpy as np
import pytest
import text_reference
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sparsefm import _core

MOST = 2**31 - 1


def parsed(text, *, dtype=np.float32, fields=False, qid=False, least=0, most=MOST, **how):
    """Return what the core makes of a text."""
    text = np.frombuffer(text if text.endswith(b"\n") or not text else text + b"\n", np.uint8)
    how = {"threads": 1} | how
    return _core.Text(text, np.dtype(dtype), fields, qid, least, most, **how)


def arrays(text, dtype=np.float32, qid=False):
    """Return labels, offsets, indices, values and queries."""
    rows, entries = text.n_rows, text.n_entries
    y, indptr = np.empty(rows), np.zeros(rows + 1, np.int64)
    indices, values = np.empty(entries, np.int32), np.empty(entries, dtype)
    queries = np.empty(rows, np.int64) if qid else None
    text.copy_to(0, 0, 0, y, indptr, indices, values, queries, 1)
    return y, indptr, indices, values, queries


def check(text, *, dtype=np.float32, fields=False, qid=False, **limits):
    """Compare the core with the reference."""
    form = {"dtype": dtype, "fields": fields, "qid": qid, **limits}
    found = parsed(text, **form)
    rows, bad = text_reference.parse(text, **form)
    assert found.n_rows == len(rows)
    assert found.n_bad == len(bad)
    assert (found.first_bad is None) == (not bad)
    if bad:
        line, column, *_ = found.first_bad
        assert line + 1 == bad[0][0]
        assert bad[0][1] in (None, column)
    y, indptr, indices, values, queries = arrays(found, dtype, qid)
    entries = [entry for _, _, row, _ in rows for entry in row.items()]
    np.testing.assert_array_equal(y, [row[0] for row in rows])
    np.testing.assert_array_equal(np.diff(indptr), [len(row[2]) for row in rows])
    np.testing.assert_array_equal(indices, [index for index, _ in entries])
    np.testing.assert_array_equal(values, np.array([value for _, (value, _) in entries], dtype))
    if qid:
        np.testing.assert_array_equal(queries, [row[1] for row in rows])
    seen = [index for row in rows for index in row[3]]
    assert found.largest == max(seen, default=-1)
    if seen:
        assert found.smallest == min(seen)
    assert found.all_ones == all(value == 1 for _, (value, _) in entries)


spaces = st.sampled_from([b" ", b"\t", b"  ", b" \t "])
indices = st.integers(0, 12) | st.sampled_from([0, 2**31 - 2, 2**31 - 1, 2**31, 10**30])
floats = st.floats(allow_nan=False, allow_infinity=False)
numbers = st.one_of(
    st.integers(-3, 3).map(str),
    floats.map(repr),
    st.floats(width=32).map(repr),  # with inf and nan
    st.text("0123456789.", max_size=40),
    st.text("0123456789.eE+-", max_size=9),
    st.sampled_from(["1", "0", "-0", "0.0", "+1", "1.", ".5", ".", "1e", "1e+", "+-1", "0x10"]),
    st.sampled_from(["1e400", "1e-400", "3.4028236e38", "3.4028235e38", "1e-46", "4.9e-324", ""]),
    st.sampled_from(["nan", "-inf", "Infinity", "NaN", "1_0", "1,2", "\u0663", "1\0"]),
).map(str.encode)


@st.composite
def lines(draw, *, fields, qid):
    """Return a line of which all or most parts are as they should be."""
    entry = st.tuples(indices, indices, numbers, st.integers(0, 30))
    parts = [draw(numbers)]
    if draw(st.integers(0, 9)) if qid else not draw(st.integers(0, 19)):
        parts.append(b"qid:%d" % draw(st.integers(0, 2**63) | st.integers(0, 5)))
    for field, index, value, kind in draw(st.lists(entry, max_size=6)):
        text = b"%d:%s" % (index, value)
        if (kind > 1) == fields:
            text = b"%d:%s" % (field, text)
        if kind == 2:
            text = text.rpartition(b":")[0]
        if kind == 3:
            text = draw(st.binary(min_size=1, max_size=5))
        parts.append(text)
    line = draw(spaces).join(parts) + draw(st.sampled_from([b"", b" ", b"\r", b"# 1:2", b" #"]))
    return draw(st.sampled_from([b"", b" "])) + line


@st.composite
def texts(draw):
    """Return a text and its form."""
    form = {
        "fields": draw(st.booleans()),
        "qid": draw(st.booleans()),
    }
    text = b"\n".join(draw(st.lists(lines(**form), max_size=5)))
    form |= {
        "dtype": draw(st.sampled_from([np.float32, np.float64])),
        "least": draw(st.integers(0, 1)),
        "most": draw(st.sampled_from([5, MOST])),
    }
    return text, form


@settings(max_examples=80, deadline=None)
@given(texts())
@example((b"0 0:0 1:0 0:0.0", {"fields": True, "least": 0, "most": 5}))
def test_rows_are_those_of_the_reference(text_and_form):
    text, form = text_and_form
    check(text, **form)


@pytest.mark.slow
@settings(max_examples=5000, deadline=None)
@given(texts())
def test_rows_of_many_texts_are_those_of_the_reference(text_and_form):
    text, form = text_and_form
    check(text, **form)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from(list(b"0123456789:.+-eE# \t\r\n\0qid\xffn")), max_size=60).map(bytes)
)
@example(b"1 1:1")
@example(b"1 1:-")
@example(b"+")
@example(b"- 1:1")
@example(b"1 +1:1")
@example(b"1 1:+1 2:+")
def test_bytes_by_chance_are_read_as_the_reference_does(text):
    for fields in (False, True):
        check(text, fields=fields)
        check(text, fields=fields, qid=True, dtype=np.float64)


@st.composite
def decimals(draw):
    digits, point = (
        str(draw(st.integers(0, 10 ** draw(st.integers(1, 22))))),
        draw(st.integers(0, 22)),
    )
    return f"{digits[:point] or '0'}.{digits[point:]}e{draw(st.integers(-60, 45))}"


@settings(max_examples=200, deadline=None)
@given(decimals())
@example("16777217")  # 2^24 + 1: a tie of float32
@example("9007199254740993")  # 2^53 + 1
@example("1.00000005960464477539062500000000000000001")  # above a tie, as double it is one
@example("340282356779733661637539395458142568447")  # below the middle of the largest and infinity
@example("340282356779733661637539395458142568448")
@example("7.006492321624085354618e-46")  # half of the least float32, and no more
@example("0.000000000000000000000000000000000000000000000000000000000000000001e66")
@example("1e23")
@example("2.2250738585072011e-308")
@example("0" * 400 + "1" + "0" * 400 + "e-400")
def test_numbers_are_the_nearest(text):
    for dtype in (np.float32, np.float64):
        value = text_reference.nearest(text.encode(), dtype)
        found = parsed(f"1 1:{text}".encode(), dtype=dtype)
        assert (found.n_bad == 1) == (value is None)
        if value is not None:
            values = arrays(found, dtype)[3]
            assert (values[0] if len(values) else 0) == value


TEXT = (
    b"# begin\n1 qid:3 1:2 2:1:0.5\n\n-1 qid:4 2:1:4 1:7:-2.5 # end\r\n 0 qid:4\n"
    b"x\n1 qid:5 1:2:1 1:3:0\n2 qid:5 0:12345:1e-3"
)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_chunks_may_end_anywhere(threads):
    form = {"fields": True, "qid": True}
    check(TEXT, **form)
    whole = parsed(TEXT, **form)
    for chunk in range(1, len(TEXT) + 2):
        part = parsed(TEXT, **form, chunk=chunk, threads=threads)
        assert part.first_bad == whole.first_bad
        assert part.n_lines == whole.n_lines == TEXT.count(b"\n") + 1
        for one, other in zip(arrays(part, qid=True), arrays(whole, qid=True), strict=True):
            np.testing.assert_array_equal(one, other)
        field_of = [np.full(12346, -1, np.int32) for _ in range(2)]
        assert part.merge_fields(field_of[0]) is whole.merge_fields(field_of[1]) is None
        np.testing.assert_array_equal(*field_of)


def test_the_first_conflict_of_fields_is_found_in_any_chunk():
    text = b"1 1:5:1\nx\n\n1 2:6:1 1:5:1\n1 2:5:1 3:6:1\n"
    for chunk in range(1, len(text) + 1):
        found = parsed(text, fields=True, chunk=chunk)
        assert found.merge_fields(np.full(7, -1, np.int32)) == (4, 5, 1, 2)


def test_arrays_that_are_too_short_are_refused():
    text = parsed(b"1 1:1 2:1\n0 2:1\n")
    good = [np.empty(2), np.zeros(3, np.int64), np.empty(3, np.int32), None, None, 1]
    text.copy_to(0, 0, 1, *good)
    for row, entry, base in [(1, 0, 0), (0, 1, 0), (-1, 0, 0), (0, -1, 0), (0, 0, 2), (0, 0, -1)]:
        with pytest.raises(ValueError, match=r"room|negative"):
            text.copy_to(row, entry, base, *good)
    with pytest.raises(ValueError, match="field_of is shorter"):
        text.merge_fields(np.empty(2, np.int32))
    with pytest.raises(ValueError, match="values are missing"):
        parsed(b"1 1:2\n1 1:1 2:1\n").copy_to(0, 0, 0, *good)
    with pytest.raises(ValueError, match="newline"):
        _core.Text(np.frombuffer(b"1", np.uint8), np.dtype("f4"), False, False, 0, 1, 1)


def test_a_line_of_many_chunks():
    text = b"1 " + b" ".join(b"%d:1" % index for index in range(5000)) + b"\n0 7:2\n"
    check(text)
    found = parsed(text, chunk=100, threads=3)
    assert (found.n_rows, found.n_entries, found.n_lines) == (2, 5001, 2)
