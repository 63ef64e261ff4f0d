"""Columns of categories as ONNX: from text, whole numbers or hashes to features."""

from typing import Any

import numpy as np

from sparsefm.encoding.categories import Categories, Hashed
from sparsefm.encoding.columns import UNKNOWN
from sparsefm.encoding.tables import Labels
from sparsefm.onnx.graph import LEARNING, Graph, is_utf8, refused

EXACT = 2**53  # integers below are exact in float64
NOT_A_HASH = -(2**63)  # stands for a missing value


def codes_of(
    graph: Graph, encoding: Categories | Hashed, name: str, shape: tuple[str, ...], missing: int
) -> str:
    """Add an input, and return the feature of each value, UNKNOWN if training never saw it.

    Parameters
    ----------
    graph : Graph
    encoding : Categories or Hashed
        It has at least one category.
    name : str
        Of the column.
    shape : tuple of str
        Of the input.
    missing : int
        The feature of what is missing, or UNKNOWN.
    """
    if isinstance(encoding, Hashed):
        return _hashed(graph, encoding, name, shape, missing)
    kinds = set(map(type, encoding.values))
    if kinds <= {str}:
        return _texts(graph, encoding, name, shape, missing)
    numbers = list(map(float, encoding.values))
    if not all(number.is_integer() and abs(number) < EXACT for number in numbers):
        raise refused(
            name,
            "its categories are numbers that are no whole ones, or too large: make them text, "
            "and fit",
        )
    return _whole_numbers(graph, encoding, name, shape, missing)


def looked_up(graph: Graph, given: str, encoding: Categories) -> str:
    """Return the features of whole numbers, int64, UNKNOWN where there is none."""
    known = {int(value): column for value, column in _columns(encoding)}
    return _found(graph, given, list(known.values()), keys_int64s=list(known))


def present(graph: Graph, codes: str) -> tuple[str, str]:
    """Return codes as features, with value 1; where there is none feature 0, with value 0."""
    known = graph.add("GreaterOrEqual", codes, 0)
    return graph.add("Where", known, codes, 0), graph.cast(known, np.float64)


def missing_of(encoding: Categories | Hashed) -> int:
    """Return the feature of missing values; UNKNOWN if there is none."""
    if isinstance(encoding, Categories):
        return encoding.missing
    return int(encoding.encode(Labels(np.array([-1]), []), "")[0][0])


def _texts(
    graph: Graph, encoding: Categories, name: str, shape: tuple[str, ...], missing: int
) -> str:
    """Look up text; what is missing is an empty one, or has an input if that is a category."""
    known = {str(value): column for value, column in _columns(encoding)}
    if any("\0" in text or not is_utf8(text) for text in known):
        raise refused(
            name, "a category is no text that other programs can hold: replace it, and fit"
        )
    has_flag = "" in known and missing != UNKNOWN
    rest = "any that is no category" if "" in known else "empty"
    doc = "text" if has_flag else f"text; {rest} {_absent(shape)}"
    given = graph.input(name, np.str_, shape, doc)
    known = {"": missing, **known}
    keys = [text.encode() for text in known]
    codes = _found(graph, given, list(known.values()), keys_strings=keys)
    if not has_flag:
        return codes
    doc = f"whether {name!r} is missing, which empty text is not"
    return graph.add("Where", graph.input(f"{name}:missing", np.bool_, shape, doc), missing, codes)


def _whole_numbers(
    graph: Graph, encoding: Categories, name: str, shape: tuple[str, ...], missing: int
) -> str:
    given = graph.input(name, np.float64, shape, f"whole numbers; NaN {_absent(shape)}")
    is_missing = graph.add("IsNaN", given)
    numbers = graph.add("Where", is_missing, 0.0, given)
    codes = looked_up(graph, graph.cast(numbers, np.int64), encoding)
    whole = graph.add("Equal", numbers, graph.add("Floor", numbers))
    small = graph.add("Less", graph.add("Abs", numbers), float(EXACT))
    codes = graph.add("Where", graph.add("And", whole, small), codes, UNKNOWN)
    return graph.add("Where", is_missing, missing, codes)


def _hashed(graph: Graph, encoding: Hashed, name: str, shape: tuple[str, ...], missing: int) -> str:
    """Find the buckets of hashes, which no operator of ONNX computes."""
    doc = (
        "MurmurHash3 (x86, 32 bits, seed 0) of the UTF-8 of text, of the decimal digits of a whole "
        f"number, or of True or False; the least int64 {_absent(shape)}"
    )
    given = graph.input(f"{name}:hash", np.int64, shape, doc)
    unsigned = graph.add("Mod", given, 2**32)  # of a hash with a sign, too
    buckets = graph.add("Add", graph.add("Mod", unsigned, encoding.n_buckets), encoding.first)
    return graph.add("Where", graph.add("Equal", given, NOT_A_HASH), missing, buckets)


def _absent(shape: tuple[str, ...]) -> str:
    """Say where an input holds no value."""
    return "where it is missing" if len(shape) == 1 else "to fill rows up"


def _columns(encoding: Categories) -> list[tuple[Any, int]]:
    return list(zip(encoding.values, encoding.columns.tolist(), strict=True))


def _found(graph: Graph, given: str, columns: list[int], **keys: list[Any]) -> str:
    return graph.add(
        "LabelEncoder", given, domain=LEARNING, default_int64=UNKNOWN, values_int64s=columns, **keys
    )
