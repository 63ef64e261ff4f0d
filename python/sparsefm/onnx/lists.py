"""Columns of lists as ONNX: rows of values that are filled up to one length."""

import numpy as np

from sparsefm.encoding.categories import Hashed
from sparsefm.encoding.columns import UNKNOWN
from sparsefm.encoding.multi import Multi
from sparsefm.onnx.categories import codes_of, missing_of
from sparsefm.onnx.graph import Graph


def lists(graph: Graph, encoding: Multi, name: str, weights: str | None) -> list[tuple[str, str]]:
    """Add inputs of lists, and return the features and values of each row, each (n, m), or none.

    Parameters
    ----------
    graph : Graph
    encoding : Multi
    name : str
    weights : str, optional
        The name of the input of their weights.
    """
    single, shape = encoding.single, ("rows", f"{name}:length")
    place = missing_of(single)
    flag, codes, given = None, None, None
    if place != UNKNOWN:
        doc = f"whether {name!r} is missing, which an empty list is not"
        flag = graph.unsqueeze(graph.input(f"{name}:missing", np.bool_, ("rows",), doc), 1)
    if isinstance(single, Hashed) or single.values:
        codes = codes_of(graph, single, name, shape, UNKNOWN)
        if weights is not None:
            given = graph.input(weights, np.float64, shape, f"weights of {name!r}")
    if flag is not None:  # one more item
        item = graph.add("Where", flag, place, UNKNOWN)
        if codes is None:
            codes = item
        else:
            codes = graph.add("Where", flag, UNKNOWN, codes)
            codes = graph.add("Concat", codes, item, axis=1)
        if given is not None:
            given = graph.add("Concat", given, graph.add("Where", flag, 1.0, 1.0), axis=1)
    return [] if codes is None else [_combined(graph, codes, given, encoding.combiner)]


def _combined(graph: Graph, codes: str, given: str | None, combiner: str) -> tuple[str, str]:
    """Return features and values; equal features are added up, and divided as the combiner says."""
    known = graph.add("GreaterOrEqual", codes, 0)
    weights = graph.cast(known, np.float64)
    if given is not None:
        usable = graph.add("And", known, graph.add("Not", graph.add("IsNaN", given)))
        weights = graph.add("Where", usable, given, 0.0)
        if combiner != "sum":
            weights = _scaled(graph, weights)
    same = graph.add("Equal", graph.unsqueeze(codes, 2), graph.unsqueeze(codes, 1))
    same = graph.cast(same, np.float64)
    values = graph.add("MatMul", same, graph.unsqueeze(weights, 2))
    values = graph.add("Squeeze", values, np.array([2]))
    before = graph.sum(graph.add("Trilu", same, -1, upper=0), 2)
    first = graph.add("And", known, graph.add("Equal", before, 0.0))
    values = graph.add("Where", first, values, 0.0)
    if combiner == "mean":
        values = _divided(graph, values, _sum(graph, graph.add("Abs", weights)))
    if combiner == "sqrt":
        squares = _sum(graph, graph.add("Mul", values, values))
        values = _divided(graph, values, graph.add("Sqrt", squares))
    return graph.add("Where", known, codes, 0), values


def _scaled(graph: Graph, weights: str) -> str:
    """Divide by a power of two near the largest, as `multi` does: squares do not overflow."""
    sizes = graph.add("ReduceMax", graph.add("Abs", weights), axes=[1], keepdims=1)
    exponents = graph.add("Floor", graph.add("Mul", graph.add("Log", sizes), 1 / np.log(2)))
    powers = graph.add("Pow", 2.0, graph.add("Min", exponents, 1023.0))
    return _divided(graph, weights, powers)


def _sum(graph: Graph, values: str) -> str:
    return graph.add("ReduceSum", values, np.array([1]), keepdims=1)


def _divided(graph: Graph, values: str, sizes: str) -> str:
    """Divide where sizes are not zero: there is nothing else."""
    return graph.add("Div", values, graph.add("Where", graph.add("Equal", sizes, 0.0), 1.0, sizes))
