"""Columns of numbers as ONNX: standardised, in bins, or between the knots of a spline."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from sparsefm.encoding.columns import UNKNOWN
from sparsefm.encoding.intervals import Bins, Spline
from sparsefm.encoding.numeric import Logarithm, Number
from sparsefm.encoding.statistics import LARGEST_EXPONENT
from sparsefm.onnx.graph import Graph, refused

MOST_EXPONENT = 1000  # of a power of two that float64 has with all its digits

Pairs = list[tuple[str, str]]  # features, int64 (n,), and their values, float64 (n,)


def numeric(graph: Graph, encoding: Number | Bins | Spline, name: str) -> Pairs:
    """Add an input of numbers, and return the features and values of each row."""
    given = graph.input(name, np.float64, ("rows",), "numbers; NaN where missing")
    missing = graph.add("IsNaN", given)
    numbers = graph.add("Where", missing, 0.0, given)
    ways: dict[type, Callable[..., Pairs]] = {
        Number: standardised,
        Logarithm: standardised,
        Bins: _bins,
        Spline: _spline,
    }
    found = ways[type(encoding)](graph, encoding, numbers, name)
    return with_missing(graph, found, missing, encoding.missing)


def with_missing(graph: Graph, found: Pairs, missing: str, place: int) -> Pairs:
    """Return features and values; in rows that are missing the first is at `place`, of value 1."""
    places = [place] + [UNKNOWN] * (len(found) - 1)
    return [
        (
            graph.add("Where", missing, max(place, 0), ids),
            graph.add("Where", missing, float(place >= 0), values),
        )
        for (ids, values), place in zip(found, places, strict=True)
    ]


def standardised(graph: Graph, encoding: Number, numbers: str, name: str) -> Pairs:
    """Return one feature with the standardised number, or its logarithm."""
    if encoding.std == 0:
        value = graph.add("Mul", numbers, 0.0)
    else:
        if abs(encoding.exponent) > min(MOST_EXPONENT, LARGEST_EXPONENT):
            raise refused(name, "its numbers are too large, or too small: scale them, and fit")
        if isinstance(encoding, Logarithm):
            ratio = graph.add("Div", graph.add("Abs", numbers), encoding.scale)
            logarithm = graph.add("Log", graph.add("Add", ratio, 1.0))
            numbers = graph.add("Mul", graph.add("Sign", numbers), logarithm)
        numbers = graph.add("Max", numbers, encoding.low)
        numbers = graph.add("Min", numbers, encoding.high)
        unit = graph.add("Mul", numbers, np.ldexp(1.0, -encoding.exponent))
        value = graph.add("Div", graph.add("Sub", unit, encoding.mean), encoding.std)
    return [(everywhere(graph, encoding.column, numbers), value)]


def everywhere(graph: Graph, place: int, like: str) -> str:
    """Return a feature in all rows, in the shape of some finite numbers."""
    return graph.add("Add", graph.cast(graph.add("Mul", like, 0.0), np.int64), place)


def _bins(graph: Graph, encoding: Bins, numbers: str, name: str) -> Pairs:
    """Count the edges that are not above a number."""
    ids = _at(graph, encoding, _count(graph, encoding.edges, numbers))
    return [(ids, graph.add("Add", graph.add("Mul", numbers, 0.0), 1.0))]


def _spline(graph: Graph, encoding: Spline, numbers: str, name: str) -> Pairs:
    """Find the knots on either side of a number, and how near it is to each."""
    knots = encoding.knots
    if np.isinf(np.diff(knots)).any():
        raise refused(name, "its numbers are too large: scale them, and fit")
    places = _count(graph, knots[1:-1], numbers)
    begins = graph.add("Gather", knots[:-1].copy(), places, axis=0)
    widths = graph.add("Gather", np.diff(knots), places, axis=0)
    inside = graph.add("Min", graph.add("Max", numbers, knots[0]), knots[-1])
    right = graph.add("Div", graph.add("Sub", inside, begins), widths)
    left = graph.add("Sub", 1.0, right)
    after = graph.add("Add", places, 1)
    return [(_at(graph, encoding, places), left), (_at(graph, encoding, after), right)]


def _count(graph: Graph, edges: npt.NDArray[np.float64], numbers: str) -> str:
    """Return how many of some edges are not above each number."""
    if len(edges) == 0:
        return everywhere(graph, 0, numbers)
    reached = graph.add("GreaterOrEqual", graph.unsqueeze(numbers, 1), edges[None])
    return graph.sum(graph.cast(reached, np.int64), 1)


def _at(graph: Graph, encoding: Bins | Spline, places: str) -> str:
    """Return the features of intervals or knots."""
    others = graph.add("Add", places, encoding.rest - 1)
    return graph.add("Where", graph.add("Equal", places, 0), encoding.first, others)
