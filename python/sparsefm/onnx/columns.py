"""The columns of a table as ONNX: from inputs for each column to features and their values."""

from typing import Any

import numpy as np

from sparsefm.encoding import TableEncoder
from sparsefm.encoding.categories import Categories, Hashed
from sparsefm.encoding.dates import Calendar
from sparsefm.encoding.multi import Multi
from sparsefm.onnx.categories import codes_of, missing_of, present
from sparsefm.onnx.dates import dates
from sparsefm.onnx.graph import PREFIX, Graph, is_utf8, refused
from sparsefm.onnx.lists import lists
from sparsefm.onnx.numbers import everywhere, numeric


def encoded(graph: Graph, encoder: TableEncoder, dtype: np.dtype[Any]) -> tuple[str, str]:
    """Add inputs for all columns, and return the features of each row and their values: (n, m)."""
    if encoder._encodings is None:
        raise ValueError("the encoder is that of a matrix")
    if encoder.unknown == "error":
        raise ValueError(
            "ONNX cannot refuse a row, as unknown='error' of the encoder does: fit with 'ignore'"
        )
    names = encoder._column_names
    for name in names:
        _check_name(name)
    found, absent = [], []
    for position, encoding in zip(encoder._field_positions, encoder._encodings, strict=True):
        name = names[position]
        if isinstance(encoding, Categories) and not encoding.values:
            absent.append(encoding.missing)  # as it was in every row of the training
        elif isinstance(encoding, Multi):
            own = encoder._weights.get(position)
            weights = f"{name}:weights" if own is None else names[own]
            has_weights = encoding.has_weights or own is not None
            found += lists(graph, encoding, name, weights if has_weights else None)
        else:
            pairs = _column(graph, encoding, name)
            found += [(graph.unsqueeze(ids, 1), graph.unsqueeze(x, 1)) for ids, x in pairs]
    if not found:
        raise ValueError(
            "no column can be exported to ONNX: all were missing in training, fit with rows that "
            "have values"
        )
    like = graph.add("ReduceSum", found[0][1], np.array([1]), keepdims=1)
    found += [present(graph, everywhere(graph, place, like)) for place in absent]
    ids = graph.add("Concat", *(ids for ids, _ in found), axis=1)
    return ids, graph.cast(graph.add("Concat", *(x for _, x in found), axis=1), dtype)


def scaled(graph: Graph, encoder: TableEncoder, ids: str, x: str, dtype: Any) -> str:
    """Add the values of a sparse matrix, each divided by the scale of its column."""
    scales = encoder._scales.values
    scales = np.where(scales == 0, 1.0, scales)
    if (scales == 1).all():
        return x
    divided = graph.add("Div", graph.cast(x, np.float64), graph.add("Gather", scales, ids, axis=0))
    return graph.cast(divided, dtype)


def _column(graph: Graph, encoding: Any, name: str) -> list[tuple[str, str]]:
    """Add the features, int64, and values, float64, of a column, each of shape (n,)."""
    if isinstance(encoding, Categories | Hashed):
        codes = codes_of(graph, encoding, name, ("rows",), missing_of(encoding))
        return [present(graph, codes)]
    return (dates if isinstance(encoding, Calendar) else numeric)(graph, encoding, name)


def _check_name(name: str) -> None:
    """Refuse the names of columns that values of a graph cannot have."""
    if not name:
        raise refused(name, "an input has no empty name: rename it, and fit")
    if "\0" in name or not is_utf8(name):
        raise refused(name, "its name is no text that other programs can hold: rename it, and fit")
    if name.startswith(PREFIX):
        raise refused(
            name, f"names of values in the graph begin with {PREFIX!r}: rename it, and fit"
        )
