"""Sparse text files, plain and compressed, through `read`; and the same in other pieces."""

import functools
import gzip
from pathlib import Path
from typing import Any

import numpy as np

import sparsefm as fm
from reliability.fuzz.choices import Choices
from sparsefm.data.csr import as_csr
from sparsefm.files import lines, rows

REFUSALS = (fm.FileFormatError, ImportError, MemoryError)


def outcome(path: Path, how: dict[str, Any], size: int) -> Any:
    """Return what a file is read as, or the refusal's text."""
    rows.pieces = functools.partial(lines.pieces, size=size)
    try:
        data = fm.read(path, **how)
    except REFUSALS as error:
        assert str(error)
        return str(error)
    X = data.X
    assert np.isfinite(X.data).all()
    assert len(data.y) == X.shape[0]
    assert as_csr(X, X.dtype).canonical
    parts = (X.data, X.indices, X.indptr, data.y, data.qid, data.fields)
    return [None if part is None else part.tobytes() for part in parts]


def test(data: bytes, folder: Path) -> None:
    """Read a text of which the first bytes say how."""
    choices, text = Choices(data[:6]), data[6:]
    how = {
        "format": choices.one_of(["auto", "libsvm", "libffm"]),
        "zero_based": choices.one_of(["auto", True, False]),
        "max_bad_lines": choices.one_of([1000, 0, 1]),
        "dtype": choices.one_of(["float32", "float64"]),
        "n_threads": 1,
    }
    sizes = 4 + choices.below(256), lines.PIECE
    path = folder / "text"
    path.write_bytes(gzip.compress(text, 1) if choices.below(8) == 1 else text)
    one, other = (outcome(path, how, size) for size in sizes)
    # Where bad lines are too many depends on the pieces, and so does whether a malformed line is
    # read with the first row that tells the format; a NUL in a line that fills a piece ends all.
    depends = how["max_bad_lines"] == 1 or (how["max_bad_lines"] and how["format"] == "auto")
    if not depends and b"\0" not in text:
        assert one == other
