"""The columns of a table as ONNX: from an input for each column to features and their values."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.encoding import TableEncoder
from sparsefm.encoding.categories import Categories
from sparsefm.encoding.columns import UNKNOWN
from sparsefm.encoding.intervals import Bins, Spline
from sparsefm.encoding.numeric import Logarithm, Number
from sparsefm.encoding.statistics import LARGEST_EXPONENT
from sparsefm.onnx.graph import LEARNING, PREFIX, Graph

EXACT = 2**53  # integers below are exact in float64
MOST_EXPONENT = 1000  # of a power of two that float64 has with all its digits
NOT_EXPRESSED = {
    "Hashed": "it is hashed, and ONNX has no such hash: fit it as categories",
    "Multi": "it holds lists: give each value a column, or export the model without the encoder",
    "Calendar": "it holds dates: make their parts columns of numbers or text",
}


def encoded(graph: Graph, encoder: TableEncoder, dtype: np.dtype[Any]) -> tuple[str, str]:
    """Add inputs for all columns, and return the features of each row and their values: (n, m)."""
    if encoder._encodings is None:
        raise ValueError("the encoder is that of a matrix")
    if encoder.unknown == "error":
        raise ValueError(
            "ONNX cannot refuse a row, as unknown='error' of the encoder does: fit with 'ignore'"
        )
    found, absent = [], []
    for name, encoding in zip(encoder._column_names, encoder._encodings, strict=True):
        _check_name(name)
        if isinstance(encoding, Categories) and not encoding.values:
            absent.append(encoding.missing)  # as it was in every row of the training
        else:
            found += _column(graph, encoding, name)
    if not found:
        raise ValueError("no column can be exported to ONNX: all were missing in training")
    like = found[0][1]
    found += [_present(graph, _everywhere(graph, place, like)) for place in absent]
    ids = [graph.unsqueeze(one, 1) for one, _ in found]
    values = [graph.unsqueeze(graph.cast(value, dtype), 1) for _, value in found]
    return graph.add("Concat", *ids, axis=1), graph.add("Concat", *values, axis=1)


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
    if isinstance(encoding, Categories):
        kinds = set(map(type, encoding.values))
        if kinds <= {str}:
            return _texts(graph, encoding, name)
        if float in kinds or max(abs(int(value)) for value in encoding.values) >= EXACT:
            raise _refused(name, "its categories are numbers that are no whole ones, or too large")
        return _whole_numbers(graph, encoding, name)
    ways: dict[type, Callable[..., list[tuple[str, str]]]] = {
        Number: _number,
        Logarithm: _number,
        Bins: _bins,
        Spline: _spline,
    }
    if type(encoding) not in ways:
        raise _refused(name, NOT_EXPRESSED[type(encoding).__name__])
    given = graph.input(name, np.float64, ("rows",))
    missing = graph.add("IsNaN", given)
    numbers = graph.add("Where", missing, _real(0), given)
    found = ways[type(encoding)](graph, encoding, numbers, name)
    where = [encoding.missing] + [UNKNOWN] * (len(found) - 1)
    return [
        _with_missing(graph, one, missing, place) for one, place in zip(found, where, strict=True)
    ]


def _texts(graph: Graph, encoding: Categories, name: str) -> list[tuple[str, str]]:
    """Look up text; what is missing is an empty one, unless that is a category."""
    known = {str(value): column for value, column in _columns(encoding)}
    if any("\0" in text or not _is_utf8(text) for text in known):
        raise _refused(name, "a category is no text that other programs can hold")
    known = {"": encoding.missing, **known}
    given = graph.input(name, np.str_, ("rows",))
    return [_present(graph, _looked_up(graph, given, known, "strings"))]


def _whole_numbers(graph: Graph, encoding: Categories, name: str) -> list[tuple[str, str]]:
    known = {int(value): column for value, column in _columns(encoding)}
    given = graph.input(name, np.float64, ("rows",))
    missing = graph.add("IsNaN", given)
    numbers = graph.add("Where", missing, _real(0), given)
    codes = _looked_up(graph, graph.cast(numbers, np.int64), known, "int64s")
    whole = graph.add("Equal", numbers, graph.add("Floor", numbers))
    small = graph.add("Less", graph.add("Abs", numbers), _real(EXACT))
    codes = graph.add("Where", graph.add("And", whole, small), codes, _place(UNKNOWN))
    return [_present(graph, graph.add("Where", missing, _place(encoding.missing), codes))]


def _columns(encoding: Categories) -> list[tuple[Any, int]]:
    return list(zip(encoding.values, encoding.columns.tolist(), strict=True))


def _looked_up(graph: Graph, given: str, known: dict[Any, int], kind: str) -> str:
    keys = {f"keys_{kind}": list(known)}
    if kind == "strings":
        keys = {"keys_strings": [text.encode() for text in known]}
    return graph.add(
        "LabelEncoder",
        given,
        domain=LEARNING,
        default_int64=UNKNOWN,
        values_int64s=list(known.values()),
        **keys,
    )


def _present(graph: Graph, codes: str) -> tuple[str, str]:
    """Return codes as features, with value 1; where there is none feature 0, with value 0."""
    known = graph.add("GreaterOrEqual", codes, _place(0))
    return graph.add("Where", known, codes, _place(0)), graph.cast(known, np.float64)


def _number(graph: Graph, encoding: Number, numbers: str, name: str) -> list[tuple[str, str]]:
    """Standardise."""
    if encoding.std == 0:
        value = graph.add("Mul", numbers, _real(0))
    else:
        if abs(encoding.exponent) > min(MOST_EXPONENT, LARGEST_EXPONENT):
            raise _refused(name, "its numbers are too large, or too small")
        if isinstance(encoding, Logarithm):
            ratio = graph.add("Div", graph.add("Abs", numbers), _real(encoding.scale))
            logarithm = graph.add("Log", graph.add("Add", ratio, _real(1)))
            numbers = graph.add("Mul", graph.add("Sign", numbers), logarithm)
        numbers = graph.add("Max", numbers, _real(encoding.low))
        numbers = graph.add("Min", numbers, _real(encoding.high))
        unit = graph.add("Mul", numbers, _real(np.ldexp(1.0, -encoding.exponent)))
        centred = graph.add("Sub", unit, _real(encoding.mean))
        value = graph.add("Div", centred, _real(encoding.std))
    return [(_everywhere(graph, encoding.column, numbers), value)]


def _bins(graph: Graph, encoding: Bins, numbers: str, name: str) -> list[tuple[str, str]]:
    """Count the edges that are not above a number."""
    ids = _at(graph, encoding, _count(graph, encoding.edges, numbers))
    ones = graph.add("Add", graph.add("Mul", numbers, _real(0)), _real(1))
    return [(ids, ones)]


def _spline(graph: Graph, encoding: Spline, numbers: str, name: str) -> list[tuple[str, str]]:
    """Find the knots on either side of a number, and how near it is to each."""
    knots = encoding.knots
    if np.isinf(np.diff(knots)).any():
        raise _refused(name, "its numbers are too large")
    places = _count(graph, knots[1:-1], numbers)
    begins = graph.add("Gather", knots[:-1].copy(), places, axis=0)
    widths = graph.add("Gather", np.diff(knots), places, axis=0)
    inside = graph.add("Min", graph.add("Max", numbers, _real(knots[0])), _real(knots[-1]))
    right = graph.add("Div", graph.add("Sub", inside, begins), widths)
    left = graph.add("Sub", _real(1), right)
    after = graph.add("Add", places, _place(1))
    return [(_at(graph, encoding, places), left), (_at(graph, encoding, after), right)]


def _count(graph: Graph, edges: npt.NDArray[np.float64], numbers: str) -> str:
    """Return how many of some edges are not above each number."""
    if len(edges) == 0:
        return _everywhere(graph, 0, numbers)
    reached = graph.add("GreaterOrEqual", graph.unsqueeze(numbers, 1), edges[None])
    return graph.sum(graph.cast(reached, np.int64), 1)


def _at(graph: Graph, encoding: Bins | Spline, places: str) -> str:
    """Return the features of intervals or knots."""
    first = graph.add("Equal", places, _place(0))
    others = graph.add("Add", places, _place(encoding.rest - 1))
    return graph.add("Where", first, _place(encoding.first), others)


def _everywhere(graph: Graph, place: int, like: str) -> str:
    zeros = graph.cast(graph.add("Mul", like, _real(0)), np.int64)
    return graph.add("Add", zeros, _place(place))


def _with_missing(
    graph: Graph, found: tuple[str, str], missing: str, place: int
) -> tuple[str, str]:
    """Return features and values, those of a missing number where there is none."""
    ids = graph.add("Where", missing, _place(max(place, 0)), found[0])
    return ids, graph.add("Where", missing, _real(float(place >= 0)), found[1])


def _real(value: float) -> npt.NDArray[Any]:
    return np.array(value, np.float64)


def _place(value: int) -> npt.NDArray[Any]:
    return np.array(value, np.int64)


def _check_name(name: str) -> None:
    """Refuse the names of columns that values of a graph cannot have."""
    if not name:
        raise _refused(name, "an input has no empty name: rename it, and fit")
    if "\0" in name or not _is_utf8(name):
        raise _refused(name, "its name is no text that other programs can hold: rename it, and fit")
    if name.startswith(PREFIX):
        raise _refused(
            name, f"names of values in the graph begin with {PREFIX!r}: rename it, and fit"
        )


def _is_utf8(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _refused(name: str, why: str) -> ValueError:
    return ValueError(f"column {name!r} cannot be exported to ONNX: {why}")
