"""`export`: from a fitted model to an ONNX file."""

from typing import Any

import numpy as np

from sparsefm.io.file import package_version
from sparsefm.io.replacing import FilePath, name_of, replacing
from sparsefm.losses import LOSSES, Loss
from sparsefm.model import Model
from sparsefm.onnx.graph import Graph
from sparsefm.onnx.scores import scores_of

IDS, VALUES = "ids", "values"
OUTPUTS = ("predictions", "scores", "probabilities", "label")


def export(model: Any, path: FilePath) -> None:
    """Write a fitted model to a file in the ONNX format, for prediction by ONNX Runtime and others.

    Parameters
    ----------
    model : Model, FieldWeightedModel, FieldAwareModel, SampledModel, FMRegressor or FMClassifier
    path : str or path-like
        Replaced if it exists.

    Notes
    -----
    A model, and an estimator that was fitted on a sparse matrix, have two inputs: ``ids``, int64
    (n, m), the features of each row, different ones, and ``values`` (n, m), of the model's dtype.
    Shorter rows are filled up with any feature and the value 0. Negative ids are not refused: they
    count from the last feature. An estimator that was fitted on a
    table has inputs for each column, named as in ``encoder_.field_names_``: text for categories
    that are text, int64 for dates (microseconds since 1970), float64 for all others, of shape
    (n,). A missing number is NaN, a missing date the least int64, missing text is empty, or is what
    ``name:missing`` says where empty text is a category. Lists are (n, m), filled up with what is
    no value of theirs; ``name:missing`` says which are missing, and ``name:weights``, or the column
    of the weights, has their weights. A hashed column has
    ``name:hash``, int64: MurmurHash3 of its values, the least int64 where missing. Dates of a time
    zone have ``name:local``, too. A column of categories that was all missing in training has no
    input, and counts as missing. The file describes each input.

    The outputs of a regression are ``predictions``, shape (n,). Classes have ``scores`` (n,) or
    (n, C), ``probabilities`` (n, C) where there are some, and ``label`` (n,), of `Model` the number
    of the class.

    Raises
    ------
    ImportError
        If the package onnx is missing: ``pip install "sparsefm[onnx]"``.
    TypeError
        If it is not such a model.
    ValueError
        If ONNX cannot express it: categories that are fractions or too large, numbers out of the
        usual range, ``unknown="error"``, a name that is empty, taken or begins with "sparsefm.";
        or if it is too large for a file, which holds less than 2 GiB. The message names the column
        and the remedy.
    """
    path = name_of(path)
    graph = Graph()
    if isinstance(model, Model):
        _add_model(graph, model)
    else:
        _add_estimator(graph, model)
    content = graph.finished(package_version())
    with replacing(path) as file:
        file.write(content)


def _add_model(graph: Graph, model: Model) -> None:
    ids, x = _row_inputs(graph, model.dtype)
    scores = scores_of(graph, model, ids, x)
    if model.task == "regression":
        flat = graph.add("Squeeze", scores, np.array([1]))
        graph.output("predictions", flat, model.dtype, ("rows",))
        return
    n_classes = len(model.samples[0].cuts) + 1 if model.task == "ordinal" else 2  # type: ignore[attr-defined]
    _add_classes(graph, scores, LOSSES[model.loss](), np.arange(n_classes), model.dtype)


def _add_estimator(graph: Graph, estimator: Any) -> None:
    from sklearn.exceptions import NotFittedError

    from sparsefm.estimators import FMClassifier, FMRegressor
    from sparsefm.onnx.columns import encoded, scaled

    if not isinstance(estimator, FMRegressor | FMClassifier):
        raise TypeError(
            f"model must be a Model, an FMRegressor or an FMClassifier, got {estimator!r:.80}"
        )
    if "_learner" not in vars(estimator):
        raise NotFittedError(f"model is a {type(estimator).__name__} that is not fitted: fit it")
    encoder, models = estimator.encoder_, estimator._models
    dtype = models[0].dtype
    if encoder._is_matrix:
        ids, given = _row_inputs(graph, dtype)
        x = scaled(graph, encoder, ids, given, dtype)
    else:
        taken = sorted(set(OUTPUTS) & set(encoder._column_names))
        if taken:
            raise ValueError(f"column {taken[0]!r} has the name of an output: rename it, and fit")
        ids, x = encoded(graph, encoder, dtype)
    parts = [scores_of(graph, model, ids, x) for model in models]
    scores = parts[0] if len(parts) == 1 else graph.add("Concat", *parts, axis=1)
    if isinstance(estimator, FMClassifier):
        _add_classes(graph, scores, estimator._learner.loss, estimator.classes_, dtype)
        return
    target, (low, high) = estimator._target, estimator._bounds()
    flat = graph.cast(graph.add("Squeeze", scores, np.array([1])), np.float64)
    predicted = graph.add("Mul", flat, np.array(target.scale))
    predicted = graph.add("Add", predicted, np.array(target.offset))
    bounded = graph.add("Min", graph.add("Max", predicted, np.array(low)), np.array(high))
    graph.output("predictions", bounded, np.float64, ("rows",))


def _log_sigmoid(graph: Graph, z: str) -> str:
    """Add log(1 / (1 + exp(-z))); ONNX Runtime has no Softplus of float64."""
    one = graph.add("CastLike", 1.0, z)
    rest = graph.add("Exp", graph.add("Neg", graph.add("Abs", z)))
    low = graph.add("Min", z, graph.add("CastLike", 0.0, z))
    return graph.add("Sub", low, graph.add("Log", graph.add("Add", rest, one)))


def _row_inputs(graph: Graph, dtype: np.dtype[Any]) -> tuple[str, str]:
    shape = ("rows", "entries")
    return graph.input(IDS, np.int64, shape), graph.input(VALUES, dtype, shape)


def _add_classes(graph: Graph, scores: str, loss: Loss, classes: Any, dtype: np.dtype[Any]) -> None:
    """Add scores, probabilities and labels as outputs, of scores (n, 1) or (n, C)."""
    n_classes = len(classes)
    single = n_classes == 2 and not loss.is_of_all_classes
    if single:
        flat = graph.add("Squeeze", scores, np.array([1]))
        graph.output("scores", flat, dtype, ("rows",))
        chosen = graph.cast(graph.add("GreaterOrEqual", flat, np.zeros((), dtype)), np.int64)
    else:
        graph.output("scores", scores, dtype, ("rows", n_classes))
        chosen = graph.add("ArgMax", scores, axis=1, keepdims=0)
    if loss.has_probabilities:
        logits = scores
        if single:
            logits = graph.add("Concat", graph.add("Neg", scores), scores, axis=1)
        if not loss.is_of_all_classes:
            logits = _log_sigmoid(graph, logits)
        probabilities = graph.add("Softmax", logits, axis=1)
        graph.output("probabilities", probabilities, dtype, ("rows", n_classes))
    labels = np.asarray(classes)
    if labels.dtype.kind in "iu":
        labels = labels.astype(np.int64)
    graph.output("label", graph.add("Gather", labels, chosen, axis=0), labels.dtype, ("rows",))
