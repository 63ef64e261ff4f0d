"""The scores of models, as ONNX: of rows that have the same number of entries.

A row is the numbers of its features, ``ids`` (n, m), and their values, ``x`` (n, m). Entries of
value 0 contribute nothing.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.field_aware_model import FieldAwareModel
from sparsefm.field_model import FieldWeightedModel
from sparsefm.model import Model
from sparsefm.onnx.graph import Graph
from sparsefm.sampling.posterior import TINY, SampledModel
from sparsefm.training.class_model import ClassModel

Array = npt.NDArray[Any]

FAR = 1e9  # stands for infinity, as the end of the last of ordered classes
# log(erfc(x) / t) + x^2 as a polynomial of t = 1 / (1 + x / 2), for x >= 0; erfc is good to 1.2e-7.
# W. H. Press et al., "Numerical Recipes in C", 2nd edition, 1992, section 6.2 (erfcc).
ERFC = (
    -1.26551223,
    1.00002368,
    0.37409196,
    0.09678418,
    -0.18628806,
    0.27886807,
    -1.13520398,
    1.48851587,
    -0.82215223,
    0.17087277,
)


def scores_of(graph: Graph, model: Any, ids: str, x: str) -> str:
    """Add the scores of a model, of its type: shape (n, 1), or (n, n_classes).

    For two classes they are log-odds, for ordered classes the logarithms of the probabilities.
    """
    if isinstance(model, ClassModel):
        state = model.state
        weighed = _terms(graph, state.w, ids, x)
        pairs = _pairs(graph, _terms(graph, state.V, ids, x))
        pairs = graph.add("MatMul", pairs, state.U.T)
        linear = graph.add("Add", graph.sum(weighed, 1), state.w0)
        return graph.add("Add", linear, pairs)
    if isinstance(model, SampledModel) and model.task != "regression":
        return _sampled(graph, model, ids, x)
    terms = _terms(graph, model.w[:, None], ids, x)
    linear = graph.add("Add", graph.sum(terms, 1), np.array([model.w0], model.dtype))
    if model.rank == 0:
        return linear
    if isinstance(model, FieldWeightedModel):
        pairs = _weighted(graph, model, ids, x)
    elif isinstance(model, FieldAwareModel):
        pairs = _aware(graph, model, ids, x)
    else:
        assert isinstance(model, Model)
        pairs = _pairs(graph, _terms(graph, model.V, ids, x))
    return graph.add("Add", linear, graph.add("ReduceSum", pairs, np.array([1]), keepdims=1))


def _terms(graph: Graph, parameters: Array, ids: str, x: str) -> str:
    """Add the parameters of the features of a row times their values: (n, m, columns)."""
    found = graph.add("Gather", np.ascontiguousarray(parameters), ids, axis=0)
    return graph.add("Mul", found, graph.unsqueeze(x, 2))


def _pairs(graph: Graph, terms: str) -> str:
    """Add the sum over pairs of entries of the products of terms, ((sum t)^2 - sum t^2) / 2."""
    total = graph.sum(terms, 1)
    squares = graph.sum(graph.add("Mul", terms, terms), 1)
    return _half(graph, graph.add("Sub", graph.add("Mul", total, total), squares))


def _half(graph: Graph, value: str) -> str:
    return graph.add("Mul", value, graph.add("CastLike", 0.5, value))


def _in_fields(graph: Graph, model: Any, ids: str, terms: str) -> tuple[str, str]:
    """Add the fields of the entries, one-hot (n, m, F), and the sums of the terms of each field."""
    identity = np.eye(model.n_fields, dtype=model.dtype)
    fields = graph.add("Gather", model._checked_fields().astype(np.int64), ids, axis=0)
    hot = graph.add("Gather", identity, fields, axis=0)
    return hot, graph.add("MatMul", graph.add("Transpose", hot, perm=[0, 2, 1]), terms)


def _weighted(graph: Graph, model: FieldWeightedModel, ids: str, x: str) -> str:
    """Add the pairs of a field-weighted machine: (n, rank)."""
    terms = _terms(graph, model.V, ids, x)
    hot, sums = _in_fields(graph, model, ids, terms)
    both = graph.sum(graph.add("Mul", sums, graph.add("MatMul", model.R, sums)), 1)
    own = graph.add("MatMul", hot, np.diag(model.R)[:, None].copy())  # of each entry, (n, m, 1)
    with_itself = graph.sum(graph.add("Mul", graph.add("Mul", terms, terms), own), 1)
    return _half(graph, graph.add("Sub", both, with_itself))


def _aware(graph: Graph, model: FieldAwareModel, ids: str, x: str) -> str:
    """Add the pairs of a field-aware machine: (n, rank)."""
    d, n_fields, rank = model.V.shape
    terms = _terms(graph, model.V.reshape(d, n_fields * rank), ids, x)
    _, sums = _in_fields(graph, model, ids, terms)
    shape = np.array([0, 0, n_fields, rank])
    sums = graph.add("Reshape", sums, shape)  # of field a, for field b: (n, a, b, rank)
    turned = graph.add("Transpose", sums, perm=[0, 2, 1, 3])
    both = graph.sum(graph.sum(graph.add("Mul", sums, turned), 1), 1)
    own = _terms(graph, model.V[np.arange(d), model.fields], ids, x)
    return _half(graph, graph.add("Sub", both, graph.sum(graph.add("Mul", own, own), 1)))


def _sampled(graph: Graph, model: SampledModel, ids: str, x: str) -> str:
    """Add log-odds, or logarithms of probabilities, of the mean over the samples."""
    samples = model.samples
    n, dtype = len(samples), model.dtype
    w = np.stack([sample.w for sample in samples], axis=1)
    V = np.concatenate([sample.V for sample in samples], axis=1)
    w0 = np.array([sample.w0 for sample in samples], dtype)
    scores = graph.add("Add", graph.sum(_terms(graph, w, ids, x), 1), w0)
    if model.rank:
        pairs = _pairs(graph, _terms(graph, V, ids, x))
        pairs = graph.add("Reshape", pairs, np.array([0, n, model.rank]))
        scores = graph.add("Add", scores, graph.sum(pairs, 2))
    scores = graph.add("Mul", scores, np.array(model.scale, dtype))
    scores = graph.add("Add", scores, np.array(model.offset, dtype))
    if model.task == "binary":
        below, above = (_log_mean_cdf(graph, z, n) for z in (graph.add("Neg", scores), scores))
        return graph.cast(graph.add("Sub", above, below), dtype)
    shares = _class_probabilities(graph, scores, np.stack([sample.cuts for sample in samples]))
    shares = graph.add("Max", graph.sum(shares, 1), TINY)
    return graph.cast(graph.add("Sub", graph.add("Log", shares), np.log(n)), dtype)


def _class_probabilities(graph: Graph, scores: str, cuts: Array) -> str:
    """Add the probability of each ordered class in each sample, (n, samples, C), accurate far out.

    It is computed on the side of the lower tail, as in `normal.class_probabilities`.
    """
    ends = np.full((len(cuts), 1), FAR)
    edges = np.concatenate([-ends, cuts, ends], axis=1)
    given = graph.unsqueeze(graph.cast(scores, np.float64), 2)
    low, high = (graph.add("Sub", part.copy(), given) for part in (edges[:, :-1], edges[:, 1:]))
    upper = graph.add("Greater", graph.add("Add", low, high), 0.0)
    below = graph.add("Where", upper, graph.add("Neg", high), low)
    above = graph.add("Where", upper, graph.add("Neg", low), high)
    shares = (graph.add("Exp", _log_cdf(graph, z)) for z in (above, below))
    return graph.add("Sub", *shares)


def _log_mean_cdf(graph: Graph, z: str, n: int) -> str:
    """Add the logarithm of the mean over n samples, axis 1, of the normal distribution function."""
    logs = _log_cdf(graph, z)
    largest = graph.add("ReduceMax", logs, axes=[1], keepdims=1)
    sums = graph.add("ReduceSum", graph.add("Exp", graph.add("Sub", logs, largest)), np.array([1]))
    logs = graph.add("Add", graph.add("Log", sums), largest)
    return graph.add("Sub", graph.add("Max", logs, np.log(TINY)), np.log(n))


def _log_cdf(graph: Graph, z: str) -> str:
    """Add the logarithm of the normal distribution function, float64, accurate far out."""
    z = graph.cast(z, np.float64)
    x = graph.add("Mul", graph.add("Abs", z), np.sqrt(0.5))
    half = graph.add("Mul", x, 0.5)
    t = graph.add("Div", 1.0, graph.add("Add", half, 1.0))
    series = graph.add("Mul", t, ERFC[-1])
    for coefficient in ERFC[-2:0:-1]:
        series = graph.add("Mul", graph.add("Add", series, coefficient), t)
    series = graph.add("Add", series, ERFC[0] - np.log(2))
    tail = graph.add("Sub", graph.add("Add", series, graph.add("Log", t)), graph.add("Mul", x, x))
    rest = graph.add("Log", graph.add("Sub", 1.0, graph.add("Exp", tail)))
    return graph.add("Where", graph.add("Less", z, 0.0), tail, rest)
