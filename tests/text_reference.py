"""What `read` must make of a text, slowly and in plain Python, with exact numbers."""

import re
from fractions import Fraction

import numpy as np

NUMBER = re.compile(rb"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
MOST = 2**31 - 1


class BadLineError(Exception):
    """A line that is no row, by its number and the column of what is wrong."""


def nearest(text, dtype):
    """Return the number of the type that is nearest to a decimal one; None: it is too large."""
    double = float(text)  # which is the nearest
    if dtype == np.float64:
        return double if np.isfinite(double) else None
    if abs(double) > 1e39:
        return None
    if abs(double) < 1e-60:
        return np.float32(0)
    exact = Fraction(text.decode())
    if abs(exact) >= 2**128 - 2**103:
        return None
    with np.errstate(over="ignore", under="ignore"):
        guess = np.float32(double)
        around = [guess, np.nextafter(guess, -np.inf), np.nextafter(guess, np.inf)]
    around = [one for one in around if np.isfinite(one)]
    return min(around, key=lambda one: (abs(Fraction(float(one)) - exact), one.view("u4") & 1))


def parse_line(line, number, *, fields, qid, least, most, dtype):
    """Return (label, query, {index: (value, field)}, seen indices), None of a blank line."""
    line, mark, comment = line.removesuffix(b"\r").partition(b"#")
    parts = list(re.finditer(rb"[^ \t]+", line))
    stray = (mark + comment).find(b"\r")
    if not parts:
        if stray >= 0:
            raise BadLineError(number, len(line) + stray + 1)
        return None

    def check(condition, part):
        if not condition:
            raise BadLineError(number, part.start() + 1)

    label, *entries = parts
    check(NUMBER.fullmatch(label[0]), label)
    y = nearest(label[0], np.float64)
    check(y is not None, label)
    query = None
    if qid:
        if not entries:  # what is wrong stands behind the row
            raise BadLineError(number, None)
        where = entries.pop(0)
        check(re.fullmatch(rb"qid:[0-9]+", where[0]), where)
        query = int(where[0][4:])
        check(query <= 2**63 - 2, where)
    row, seen, conflict = {}, [], False
    for part in entries:
        form = rb"(?:([0-9]+):)([0-9]+)(?::(.*))?" if fields else rb"()([0-9]+)(?::(.*))?"
        match = re.fullmatch(form, part[0], re.DOTALL)
        check(match, part)
        field = int(match[1] or 0)
        check(field < MOST, part)
        index = int(match[2])
        check(least <= index <= most, part)
        value = dtype(1)
        if match[3] is not None:
            check(NUMBER.fullmatch(match[3]), part)
            value = nearest(match[3], dtype)
            check(value is not None, part)
        seen.append(index)
        if index in row:
            conflict |= row[index][1] != field
            with np.errstate(over="ignore"):
                value = dtype(row[index][0] + dtype(value))
        row[index] = dtype(value), field
    if stray >= 0:
        raise BadLineError(number, len(line) + stray + 1)
    check(not conflict, label)  # after what is wrong with a part
    check(all(np.isfinite(value) for value, _ in row.values()), label)
    row = {index: entry for index, entry in sorted(row.items()) if entry[0] != 0}
    return y, query, row, seen


def parse(text, *, fields=False, qid=False, least=0, most=MOST, dtype=np.float32):
    """Return the rows of a text and its bad lines, each as (line, column)."""
    rows, bad = [], []
    text = text.removeprefix(b"\xef\xbb\xbf")
    form = {"fields": fields, "qid": qid, "least": least, "most": most, "dtype": dtype}
    for number, line in enumerate(text.split(b"\n"), 1):
        try:
            row = parse_line(line, number, **form)
        except BadLineError as error:
            bad.append(error.args)
        else:
            rows += [] if row is None else [row]
    return rows, bad


def same(one, other):
    """Check that two results are the same bits."""
    assert one.X.shape == other.X.shape
    for part in ("data", "indices", "indptr"):
        found, wanted = getattr(one.X, part), getattr(other.X, part)
        assert found.dtype == wanted.dtype
        assert found.tobytes() == wanted.tobytes()
    for part in ("y", "qid", "fields"):
        np.testing.assert_array_equal(getattr(one, part), getattr(other, part))
    assert (one.format, one.zero_based) == (other.format, other.zero_based)
