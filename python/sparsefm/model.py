"""The fitted model of `train`, and prediction."""

from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm import _core
from sparsefm.data.csr import as_csr
from sparsefm.data.validation import check_parameters
from sparsefm.errors import FileFormatError
from sparsefm.history import Epoch
from sparsefm.interaction import Interaction
from sparsefm.io.container import Arrays
from sparsefm.io.file import write_file
from sparsefm.io.half import check_half, exact, halved
from sparsefm.io.reader import Reader
from sparsefm.io.replacing import FilePath
from sparsefm.io.values import from_json, shown, to_json
from sparsefm.losses import LOSSES, Loss, find_loss
from sparsefm.threads import resolve_threads

ROWS_PER_CALL = 1 << 18  # between two checks for Ctrl-C


@dataclass(frozen=True, eq=False)
class Model:
    r"""A factorization machine.

    The score of a row x with d features is, with rank k,

    .. math::

        s(x) = w_0 + \sum_i w_i x_i + \sum_{i<j} \langle v_i, v_j \rangle x_i x_j.

    Attributes
    ----------
    w0 : float
        Bias.
    w : ndarray of shape (d,)
        Linear weights.
    V : ndarray of shape (d, k)
        Factors, one vector for each feature.
    task : {"regression", "binary", "ordinal"}
    loss : {"squared", "huber", "logistic", "hinge", "ordinal"}
    history : tuple of Epoch
        The record of each epoch of the training.
    """

    w0: float
    w: npt.NDArray[Any]
    V: npt.NDArray[Any]
    task: str = "regression"
    loss: str = "squared"
    history: tuple[Epoch, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        loss = find_loss(self.task, self.loss)
        if loss.task == "ordinal":
            raise ValueError("only a SampledModel has ordered classes: it has cuts between them")
        w0, w, V = check_parameters(self.w0, self.w, self.V)
        if np.may_share_memory(V, self.V) or np.may_share_memory(w, self.w):
            w, V = w.copy(), V.copy()  # a model owns its parameters
        for name, value in (("w0", w0), ("w", w), ("V", V)):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "loss", loss.name)

    @classmethod
    def _view(cls, w0: float, w: npt.NDArray[Any], V: npt.NDArray[Any], loss: Loss) -> "Model":
        """Return a model that borrows its parameters; their owner may change them."""
        model = object.__new__(cls)  # without the checks and copies that the constructor makes
        vars(model).update(w0=w0, w=w, V=V, task=loss.task, loss=loss.name, history=())
        return model

    @property
    def n_features(self) -> int:
        """Number of features d."""
        return int(self.V.shape[0])

    @property
    def rank(self) -> int:
        """Number of factors k of each feature; 0 makes a linear model."""
        return int(self.V.shape[-1])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the parameters, and of the arithmetic."""
        return self.V.dtype

    def __repr__(self) -> str:
        return (
            f"Model(task={self.task!r}, loss={self.loss!r}, n_features={self.n_features}, "
            f"rank={self.rank}, dtype={self.dtype}, epochs={len(self.history)})"
        )

    def _interaction(
        self, fields: npt.NDArray[Any] | None = None, n_fields: int = 1
    ) -> Interaction:
        """Return how features interact; fields divide it into parts, and are one by default."""
        return Interaction(np.zeros(self.n_features, int) if fields is None else fields, n_fields)

    def score(self, X: Any, *, n_threads: int | None = None) -> npt.NDArray[Any]:
        """Return the scores s(x), shape (n_rows,), in the model's dtype."""
        return self._score_csr(
            as_csr(X, self.dtype, n_features=self.n_features), resolve_threads(n_threads)
        )

    def _score_csr(self, X: _core.Csr, threads: int) -> npt.NDArray[Any]:
        """Return the scores of a checked matrix, which must be finite; the loss predicts from them.

        For ordered classes they are the logarithms of the probabilities, shape (n_rows, n_classes).
        """
        return finite_scores(X, self.w0, self.w, self.V, threads)

    def predict(self, X: Any, *, n_threads: int | None = None) -> npt.NDArray[Any]:
        """Return the predictions, shape (n_rows,).

        Squared and Huber loss: the target. Logistic loss: the probability of class 1. Hinge loss:
        the score; its sign is the class.

        Parameters
        ----------
        X : sparse matrix, sparse array or array-like of shape (n_rows, n_features)
        n_threads : int, optional
            Default: every core that the process may use.
        """
        matrix = as_csr(X, self.dtype, n_features=self.n_features)
        scores = self._score_csr(matrix, resolve_threads(n_threads))
        return LOSSES[self.loss]().predict(scores)

    def save(self, path: FilePath, *, dtype: str | None = None) -> None:
        """Write the model and its history to a file, for `load`.

        Parameters
        ----------
        path : str or path-like
            The suffix is free; ".safetensors" is usual. An existing file is replaced, or kept if
            writing fails. A symbolic link stays: the file that it leads to is replaced.
        dtype : {"float16", "bfloat16"}, optional
            Of the parameters w and V in the file, which is then half as large as with float32; they
            are rounded, and loaded as float32. "float16" keeps 11 binary digits of numbers up to
            65,504, "bfloat16" 8 of any. Default: the model's own.

        Raises
        ------
        ValueError
            If a parameter is too large for `dtype`.
        OSError
            If the file cannot be written, or `path` is a folder, a device, a pipe or a socket.
        """
        write_file(path, *self._content(check_half(dtype)))

    def _content(self, dtype: str | None = None) -> tuple[dict[str, Any], Arrays]:
        """Return what `save` writes."""
        history = history_to_json(self.history)
        header = {"kind": "model", "task": self.task, "loss": self.loss, "history": history}
        w0 = exact({"w0": np.array(self.w0)}, dtype)
        return header, {**w0, **halved({"w": self.w, "V": self.V}, dtype)}

    @classmethod
    def _from_file(cls, reader: Reader) -> "Model":
        """Return the model that `save` wrote."""
        w = reader.parameters("w", (None,))
        V = reader.parameters("V", (len(w), None), (w.dtype.name,))
        w0 = reader.array("w0", (), ("float64",))
        task, loss = reader.entry("task", str), reader.entry("loss", str)
        history = read_history(reader)
        # The constructor would make an unnecessary copy of the parameters.
        model = cls(w0, w[:0], V[:0], task, loss, history)  # type: ignore[arg-type]
        vars(model).update(w=w, V=V)
        return model


def predict(X: Any, model: Model, *, n_threads: int | None = None) -> npt.NDArray[Any]:
    """Return the predictions of `model` for the rows of `X`, shape (n_rows,).

    These are scores for regression and hinge loss, and probabilities of class 1 for logistic loss;
    for ordered classes those of each class, shape (n_rows, n_classes). See `Model.predict`.
    """
    if not isinstance(model, Model):
        raise TypeError(f"model must be a Model, got {model!r:.80}; the order is (X, model)")
    return model.predict(X, n_threads=n_threads)


def score_rows(
    X: _core.Csr, w0: float, w: npt.NDArray[Any], V: npt.NDArray[Any], threads: int
) -> npt.NDArray[Any]:
    """Return s(x) for each row of a checked matrix; `w` and `V` may be views with gaps."""
    scores = np.empty(X.n_rows, V.dtype)
    for first in range(0, X.n_rows, ROWS_PER_CALL):
        _core.forward(scores[first : first + ROWS_PER_CALL], X, first, w0, w, V, threads)
    return scores


def finite_scores(
    X: _core.Csr, w0: float, w: npt.NDArray[Any], V: npt.NDArray[Any], threads: int
) -> npt.NDArray[Any]:
    """Return `score_rows`; raise if a score is not finite."""
    return check_scores(score_rows(X, w0, w, V, threads))


def check_scores(scores: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return scores, a row of them for each row of X; raise if one is not finite."""
    finite = np.isfinite(scores)
    if not finite.all():
        row = np.argwhere(~finite)[0][0]
        raise ValueError(
            f"the score of row {row} of X is too large for {scores.dtype}: its values are far "
            "from those of the training data; scale them alike"
        )
    return scores


def history_to_json(history: tuple[Epoch, ...]) -> list[dict[str, Any]]:
    """Return records as JSON values."""
    stored = [_epoch_to_json(epoch) for epoch in history]
    for entries in stored:  # a history made by hand may hold anything: fail now, not in `load`
        _read_epoch(Reader(entries, {}))
    return stored


def read_history(reader: Reader) -> tuple[Epoch, ...]:
    """Return the records that `history_to_json` stored as the entry "history"."""
    epochs = reader.entry("history", list)
    return tuple(_read_epoch(reader.part("history", entries)) for entries in epochs)


def _epoch_to_json(epoch: Epoch) -> dict[str, Any]:
    return {name: to_json(value) for name, value in vars(epoch).items()} | {
        "metrics": {name: to_json(value) for name, value in epoch.metrics.items()}
    }


def _read_epoch(reader: Reader) -> Epoch:
    numbers = {name: reader.value(name) for name in ("train_loss", "val_loss", "seconds")}
    metrics = {name: from_json(value) for name, value in reader.entry("metrics", dict).items()}
    for name, number in {**numbers, **metrics}.items():
        may_miss = name == "val_loss" and number is None
        if not may_miss and (not isinstance(number, Real) or isinstance(number, bool)):
            raise FileFormatError(
                f"has a history whose {name:.40} is not a number: {shown(number)}"
            )
    counts = {name: reader.entry(name, int) for name in ("epoch", "epochs")}
    return Epoch(**counts, **numbers, metrics=metrics)
