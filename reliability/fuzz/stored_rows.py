"""Files of rows, damaged and lying: each is refused by name, or read and trained on alike."""

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import sparsefm as fm
from reliability.fuzz.choices import Choices
from reliability.fuzz.lies import write_lies
from reliability.fuzz.model_files import write_any as write_any_model
from reliability.problems import matrix

TEXTS = {
    "values": "1 1:0.5 3:1\n-1 2:1\n1\n-1 1:3 4:0.25\n",
    "ones": "1 0:1 3:1\n0 2:1\n",
    "queries": "1 qid:3 1:1\n0 qid:4 2:1\n",
    "fields": "1 0:1:1 1:4:0.5\n0 0:2:1 2:5:1\n",
}
REFUSALS = (ValueError, MemoryError, fm.DivergenceError)  # of rows that train no model


@cache
def truths() -> list[Path]:
    """Return a file of each kind."""
    folder = Path(tempfile.mkdtemp(prefix="reliability-"))
    for kind, text in TEXTS.items():
        source = folder / "text"
        source.write_text(text)
        fm.convert(source, folder / kind)
        source.unlink()
    X, y = matrix(20, 40), np.arange(20) % 2
    fm.convert(lambda: [(X, y, y + 1.0)], folder / "weights", dtype="float64")
    return sorted(folder.iterdir())


def test(data: bytes, folder: Path) -> None:
    """Read a file, and train on it in memory and from the file."""
    path, choices = folder / "fuzzed.rows", Choices(data)
    if choices.below(8):
        if not write_lies(choices.one_of(truths()), path, choices):
            return
    elif not write_any_model(data, path, choices):
        return
    dtype = choices.one_of(["float32", "float64"])
    try:
        read = fm.read(path, dtype=dtype)
    except (ValueError, MemoryError) as error:
        assert str(path) in str(error), error
        read = None
    options = {"task": "binary", "rank": 1, "epochs": 1, "n_threads": 1, "dtype": dtype}
    found = trained({"X": str(path), "memory_budget": 1 << 29}, options)
    if read is None:
        assert found is None
    else:
        rows = {"X": read.X, "y": read.y, "sample_weight": read.weights}
        wanted = trained(rows, options)
        assert (found is None) == (wanted is None)
        assert found is None or np.array_equal(found.V, wanted.V)


def trained(rows: dict[str, Any], options: dict[str, Any]) -> Any:
    """Return a model of some rows, None if they are refused as they should be."""
    try:
        return fm.train(**rows, **options)
    except REFUSALS as error:
        assert str(error)
        return None
