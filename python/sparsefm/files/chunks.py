"""Sparse text in chunks, for what needs no more than some rows at a time."""

from collections.abc import Iterator

from sparsefm.files.detecting import Form
from sparsefm.files.fields import FieldTable
from sparsefm.files.lines import pieces
from sparsefm.files.reading import SparseData, joined
from sparsefm.files.rows import Expected, Rows


def text_chunks(
    paths: list[str], expected: Expected, n_features: int, threads: int
) -> Iterator[SparseData]:
    """Yield the rows of files, a piece of a file after the other.

    `expected` says where indices begin.
    """
    for rows in _parsed(paths, expected, threads):
        if rows.n_rows:
            yield joined(rows, expected.zero_based is not False, n_features, threads)


def extent(paths: list[str], expected: Expected, threads: int) -> tuple[bool | None, int]:
    """Return whether an index is 0 (None: there is no index), and the largest; keep no rows."""
    found: set[bool | None] = {None}
    largest = -1
    for rows in _parsed(paths, expected, threads):
        found.add(rows.zero_based)
        largest = max(largest, rows.n_features(zero_based=False))
    return (True in found if len(found) > 1 else None), largest


def _parsed(paths: list[str], expected: Expected, threads: int) -> Iterator[Rows]:
    """Yield the rows of each piece; what the first rows tell counts for all."""
    fields, form = FieldTable(), Form(expected.format)
    for path in paths:
        line = 1
        for text in pieces(path):
            rows = Rows(expected, fields, form)
            line += rows.add(text, path, line, threads)
            form = rows.form
            yield rows
