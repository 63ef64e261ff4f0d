"""Rows of files, parsed but not joined yet: only all of them tell where indices begin."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from sparsefm import _core
from sparsefm.data.csr import MAX_FEATURES
from sparsefm.data.memory import total_memory
from sparsefm.errors import FileFormatError
from sparsefm.files.detecting import Form
from sparsefm.files.fields import FieldTable
from sparsefm.files.lines import Text, pieces
from sparsefm.files.spool import Block

SHOWN = 40  # bytes of a text in an error
MOST_OF_MEMORY = 0.75  # that rows may take

logger = logging.getLogger("sparsefm")


@dataclass(frozen=True)
class Expected:
    """What is known of the rows before they are read.

    Attributes
    ----------
    dtype : dtype
        Type of the values.
    zero_based : bool or None
        None: the smallest index will tell.
    n_features : int or None
    max_bad_lines : int
    format : {"libsvm", "libffm"} or None
        None: the first entry will tell.
    owner : str
        What the above are options of, for errors; empty: they are arguments of the function.
    """

    dtype: np.dtype[Any]
    zero_based: bool | None = None
    n_features: int | None = None
    max_bad_lines: int = 0
    format: str | None = None
    owner: str = ""

    @property
    def least(self) -> int:
        """The least index that a line may have."""
        return 1 if self.zero_based is False else 0

    @property
    def most(self) -> int:
        """The largest index that a line may have."""
        count = MAX_FEATURES if self.n_features is None else self.n_features
        return max(count - (self.zero_based is True), self.least)


@dataclass
class Rows:
    """The rows of files, as the core has parsed them, piece by piece.

    Attributes
    ----------
    expected : Expected
    field_table : FieldTable
    form : Form, optional
        What earlier rows have told. Default: what is expected.
    n_bad_lines : int
        Lines that were left out.
    n_rows, n_entries : int
        Rows, and their values other than zero.
    """

    expected: Expected
    field_table: FieldTable = field(default_factory=FieldTable)
    form: Form = field(default_factory=lambda: Form(None))
    n_bad_lines: int = 0
    n_rows: int = 0
    n_entries: int = 0
    _texts: list[_core.Text] = field(default_factory=list)
    _n_bytes: int = 0  # of what is parsed
    _first_bad: str = ""  # of the file
    _smallest: int = MAX_FEATURES
    _largest: int = -1

    def __post_init__(self) -> None:
        if self.form.format is None:
            self.form = replace(self.form, format=self.expected.format)

    def add_file(self, path: str, threads: int) -> None:
        """Read a file to its end."""
        for _ in self.read(path, threads):
            pass

    def read(self, path: str, threads: int) -> Iterator[None]:
        """Read a file, and pause after each piece, so that its rows can be taken by `drain`."""
        line, before = 1, self.n_bad_lines
        self._first_bad = ""
        for text in pieces(path):
            line += self.add(text, path, line, threads)
            yield
        if self._first_bad:
            bad = self.n_bad_lines - before
            logger.warning("%d bad lines are left out; the first: %s", bad, self._first_bad)

    def add(self, text: Text, path: str, line: int, threads: int) -> int:
        """Read a piece of whole lines, the first with the number `line`; return how many."""
        self.form = self.form.detect(text, self.expected.max_bad_lines)
        parsed = self._parse(text, threads)
        if parsed.first_bad is not None:
            self.n_bad_lines += parsed.n_bad
            self._first_bad = self._first_bad or _told(path, line, text, parsed.first_bad)
            if self.n_bad_lines > self.expected.max_bad_lines:
                raise FileFormatError(self._first_bad + self._advice())
        self._keep(parsed, path, line)
        return parsed.n_lines

    def join(self, zero_based: bool, n_features: int, threads: int) -> Any:
        """Return X, y, qid and fields, and forget the rows."""
        rows = self._copied(0 if zero_based else 1, threads)
        X = sp.csr_matrix((len(rows.y), n_features), dtype=self.expected.dtype)
        narrow = len(rows.indices) <= np.iinfo(np.int32).max
        X.data, X.indices = rows.values, rows.indices
        X.indptr = rows.indptr.astype(np.int32 if narrow else np.int64)
        X.has_sorted_indices = X.has_canonical_format = True
        fields = None
        if self.form.format == "libffm":
            fields = self.field_table.of_features(n_features, zero_based=zero_based)
        return X, rows.y, rows.qid, fields

    def drain(self, threads: int) -> Block:
        """Return the rows since the last call, with indices as in the file, and forget them."""
        rows = self._copied(0, threads)
        self.n_rows = self.n_entries = self._n_bytes = 0
        return rows

    def _copied(self, base: int, threads: int) -> Block:
        """Return the rows, with indices that count from `base`."""
        n_rows, n_entries = self.n_rows, self.n_entries
        y, indptr = np.empty(n_rows), np.empty(n_rows + 1, np.int64)
        indices = np.empty(n_entries, np.int32)
        values = np.empty(n_entries, self.expected.dtype)
        qid = np.empty(n_rows, np.int64) if self.form.qid else None
        row = entry = indptr[0] = 0
        self._texts.reverse()
        while self._texts:  # each is freed before the next is copied
            text = self._texts.pop()
            text.copy_to(row, entry, base, y, indptr, indices, values, qid, threads)
            row, entry = row + text.n_rows, entry + text.n_entries
        return Block(indptr, indices, values, y, qid=qid)

    @property
    def zero_based(self) -> bool | None:
        """Whether indices begin with 0, as far as these rows tell; None: there is no index."""
        given = self.expected.zero_based
        return given if given is not None else self._smallest == 0 if self._largest >= 0 else None

    @property
    def lowest(self) -> int:
        """The smallest index so far, -1 if there is none."""
        return self._smallest if self._largest >= 0 else -1

    @property
    def largest(self) -> int:
        """The largest index; -1 if there is none."""
        return self._largest

    def n_features(self, zero_based: bool) -> int:
        """Return the number of features: as expected, or what the largest index says."""
        found = max(self._largest + zero_based, 0)
        limit = self.expected.n_features or MAX_FEATURES
        if found > limit:
            told = (
                f"an index is {self._largest}, and indices begin with 0, so there are {found} "
                f"features, but at most {limit} are "
            )
            if limit == MAX_FEATURES:
                raise FileFormatError(told + "possible; number the features anew")
            raise FileFormatError(
                told + "expected; raise n_features, or pass zero_based=False if a file has no "
                "feature with index 0"
            )
        return found if self.expected.n_features is None else self.expected.n_features

    def _parse(self, text: Text, threads: int) -> _core.Text:
        return _core.Text(
            text,
            self.expected.dtype,
            self.form.format == "libffm",
            bool(self.form.qid),
            self.expected.least,
            self.expected.most,
            threads,
        )

    def _keep(self, parsed: _core.Text, path: str, line: int) -> None:
        if parsed.n_rows == 0:  # perhaps the form is not known yet
            return
        self._texts.append(parsed)
        self.n_rows += parsed.n_rows
        self.n_entries += parsed.n_entries
        self._n_bytes += parsed.n_bytes
        self._smallest = min(self._smallest, parsed.smallest)
        self._largest = max(self._largest, parsed.largest)
        self._check_memory(path)
        if self.form.format != "libffm":
            return
        self.field_table.grow(self._largest + 1)
        conflict = parsed.merge_fields(self.field_table.of)
        if conflict is not None:
            at, index, before, now = conflict
            raise FileFormatError(
                f"{path}, line {line + at}: index {index} is in field {now}, but before in field "
                f"{before}; a feature must have one field"
            )

    def _check_memory(self, path: str) -> None:
        """Refuse more rows than fit, before they take the memory that there is."""
        joined = 24 * self.n_rows + self.n_entries * (4 + self.expected.dtype.itemsize)
        fields = 0
        if self.form.format == "libffm":  # an old and a larger table, or the fields of all features
            fields = 8 * max(self._largest + 1, self.expected.n_features or 0)
        needed = max(self._n_bytes, joined) + fields
        if needed > MOST_OF_MEMORY * total_memory():
            raise MemoryError(
                f"{path} is too large: {self.n_rows} rows, and there are more, take "
                f"{needed / 2**30:.1f} of {total_memory() / 2**30:.1f} GiB of memory"
            )

    def _advice(self) -> str:
        allowed, width = self.expected.max_bad_lines, self.expected.n_features
        if allowed == 0 and width is not None and "an index must be" in self._first_bad:
            return f"; n_features is {width}"
        if allowed == 0:
            owner = self.expected.owner
            option = f"max_bad_lines of {owner}" if owner else "max_bad_lines"
            return f"; {option} says how many such lines to leave out"
        return f"; so far {self.n_bad_lines} lines are bad, and max_bad_lines={allowed}"


def _told(path: str, line: int, text: Text, bad: tuple[int, int, int, int, str]) -> str:
    at, column, begin, end, why = bad
    shown = text[begin : min(end, begin + SHOWN)].tobytes().decode("utf-8", "backslashreplace")
    more = "..." if end - begin > SHOWN else ""
    return f"{path}, line {line + at}, column {column}: {why}: {shown + more!r}"
