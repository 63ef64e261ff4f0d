"""Damaged and lying files: each is refused by name, or loads, predicts and saves the same again."""

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import sparsefm as fm
from reliability.fuzz.choices import Choices
from reliability.fuzz.lies import write_lies
from reliability.problems import KINDS, fitted, matrix, scores, table

# What a call with rows that fit no such model may end in.
REFUSALS = (ValueError, TypeError, MemoryError)


@cache
def truths() -> list[Path]:
    """Return a file of each kind."""
    folder = Path(tempfile.mkdtemp(prefix="reliability-"))
    for kind in KINDS:
        fitted(kind).save(folder / kind)
    fm.train(matrix(50, 40), range(50), rank=2, epochs=1).save(folder / "model")
    return sorted(folder.iterdir())


def write_any(data: bytes, path: Path, choices: Choices) -> bool:
    """Write a file with lies, or one of these bytes alone; return whether it was written."""
    if choices.below(4):
        return write_lies(choices.one_of(truths()), path, choices)
    if choices.below(2):
        path.write_bytes(data[2:])
    else:  # the length of the header is right
        head, _, rest = data[2:].partition(b"\0")
        path.write_bytes(len(head).to_bytes(8, "little") + head + rest)
    return True


def load(path: Path, **options: Any) -> Any:
    """Return what a file holds, None if it is refused as it should be."""
    try:
        return fm.load(path, **options)
    except fm.FileFormatError as error:
        assert str(path) in str(error), error
        return None


def rows_for(model: Any) -> Any:
    """Return rows that a model of this kind can predict."""
    if isinstance(model, fm.Model | fm.SampledModel):
        return matrix(20, 40)
    return table(20)


def test(data: bytes, folder: Path) -> None:
    """Try one file."""
    path = folder / "fuzzed.safetensors"
    choices = Choices(data)
    if not write_any(data, path, choices):
        return
    options = {"checksum": bool(choices.below(2)), "mmap": not choices.below(4)}
    model = load(path, **options)
    if model is None:
        return
    repr(model)
    X = rows_for(model)
    try:
        expected = scores(model, X)
    except REFUSALS:
        return
    again = folder / "again.safetensors"
    model.save(again)
    assert np.array_equal(scores(fm.load(again), X), expected, equal_nan=True)
