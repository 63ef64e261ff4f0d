"""Models and estimators that outlive the process: what is saved of each, and how it is checked."""

import os
from abc import ABC, abstractmethod
from numbers import Real
from typing import Any

import numpy as np

from sparsefm.data.validation import check_flag, check_parameters
from sparsefm.errors import FileFormatError
from sparsefm.history import Epoch
from sparsefm.io.file import Arrays, FilePath, read_container, write_container
from sparsefm.io.reader import add_prefix, check_nothing_left, take_array, take_prefix, take_value
from sparsefm.io.values import from_json, to_json
from sparsefm.model import Model

ESTIMATORS = ("FMRegressor", "FMClassifier")
REALS = ("float32", "float64")

# What reading may raise where a file holds something unforeseen, but intact.
CONTENT_ERRORS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError)


def load(path: FilePath) -> Any:
    """Return what `Model.save` or an estimator's `save` wrote.

    Predictions are the same bits as before, on the same kind of processor. A file needs no trust:
    nothing in it is executed, and everything is checked.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    Model, FMRegressor or FMClassifier

    Raises
    ------
    FileFormatError
        If the file is damaged, from a newer version or something else altogether. It is a
        ValueError, and names the file and what is wrong.
    OSError
        If it cannot be read, such as `FileNotFoundError`.
    ImportError
        Without safetensors.
    """
    name = os.fspath(path)
    try:
        header, arrays = read_container(path)
        kind = take_value(header, "kind", str)
        if kind == "model":
            loaded: Any = _model_from_state(header, arrays)
        elif kind in ESTIMATORS:
            loaded = _estimator_from_state(kind, header, arrays)
        else:
            raise FileFormatError(f"holds a {kind!r:.40}, which is unknown here")
        check_nothing_left(arrays)
    except ValueError as error:
        raise FileFormatError(f"{name}: {error}") from error
    except CONTENT_ERRORS as error:
        raise FileFormatError(f"{name}: {type(error).__name__}: {error}") from error
    return loaded


def save_model(model: Model, path: FilePath) -> None:
    """Do what `Model.save` says."""
    history = [_epoch_to_json(record) for record in model.history]
    for record in history:
        _epoch_from_json(dict(record))  # made by hand it may hold anything: say so now
    header = {"kind": "model", "task": model.task, "loss": model.loss, "history": history}
    arrays = {"w0": np.array(model.w0), "w": model.w, "V": model.V}
    write_container(path, header, arrays)


class PersistenceMixin(ABC):
    """Gives a fitted estimator `save`, for which it has to implement two methods.

    ``encoder_``, if the estimator has one, is saved and restored here, by the same two methods of
    its own.
    """

    _needs_encoder = False  # to be loaded

    def save(self, path: FilePath, optimizer_state: bool = False) -> None:
        """Write the fitted estimator to a file, for `load`.

        Parameters
        ----------
        path : str or path-like
            Replaced if it exists; complete, or it remains what it was.
        optimizer_state : bool
            Save also what the optimizer remembers of each parameter, to go on training as if there
            had been no break. It makes the file two or three times as large.

        Warns
        -----
        UserWarning
            If a parameter cannot be saved, such as a function for `scoring`; the loaded estimator
            has its default. It has no callbacks, of which no file can tell.
        """
        from sklearn.utils.validation import check_is_fitted

        kind = type(self).__name__
        if kind not in ESTIMATORS or type(self) is not _estimator_class(kind):
            raise TypeError(f"save knows {' and '.join(ESTIMATORS)}, but not their subclass {kind}")
        check_is_fitted(self)
        header, arrays = self._to_state(check_flag(optimizer_state, "optimizer_state"))
        encoder: Any = getattr(self, "encoder_", None)
        if encoder is not None:
            header["encoder"], parts = encoder._to_state()
            arrays |= add_prefix("encoder.", parts)
        write_container(path, {"kind": kind, **header}, arrays)

    @abstractmethod
    def _to_state(self, optimizer_state: bool) -> tuple[dict[str, Any], Arrays]:
        """Return a header of JSON values and the arrays, new dicts of both, without ``encoder_``.

        The keys "kind", "encoder", "format_version" and "sparsefm" of the header are taken, and so
        are names of arrays that begin with "encoder.".
        """

    @classmethod
    @abstractmethod
    def _from_state(cls, header: dict[str, Any], arrays: Arrays) -> Any:
        """Return an estimator from what `_to_state` returned, which anybody may have changed.

        Everything must be checked, and taken out of `arrays`: what is left there is an error
        (`saved.take_array` does both). Raises ValueError, saying what is wrong with "the file"
        as the subject left out.
        """

    def _adopt(self, encoder: Any) -> None:
        """Take the encoder that was saved with the estimator; ValueError if it does not fit."""
        self.encoder_ = encoder


def _estimator_class(kind: str) -> Any:
    import sparsefm  # where `_estimator_from_state` has checked that `kind` is one of ours

    return getattr(sparsefm, kind)


def _estimator_from_state(kind: str, header: dict[str, Any], arrays: Arrays) -> Any:
    encoder = None
    if "encoder" in header:
        parts = take_prefix("encoder.", arrays)
        encoder = _encoder_from_state(take_value(header, "encoder", dict), parts)
    elif _estimator_class(kind)._needs_encoder:
        raise FileFormatError("has no encoder")
    estimator = _estimator_class(kind)._from_state(header, arrays)
    if encoder is not None:
        estimator._adopt(encoder)
    return estimator


def _encoder_from_state(header: dict[str, Any], arrays: Arrays) -> Any:
    import sparsefm

    cls: Any = sparsefm.TableEncoder
    return cls._from_state(header, arrays)


def _model_from_state(header: dict[str, Any], arrays: Arrays) -> Model:
    w = take_array(arrays, "w", (None,), REALS)
    V = take_array(arrays, "V", (len(w), None), (w.dtype.name,))
    w0, w, V = check_parameters(take_array(arrays, "w0", (), ("float64",)), w, V)
    task, loss = take_value(header, "task", str), take_value(header, "loss", str)
    history = tuple(map(_epoch_from_json, take_value(header, "history", list)))
    model = Model(w0, w[:0], V[:0], task, loss, history)
    # As unpickling does: the constructor would copy parameters that nobody else holds.
    vars(model).update(w=w, V=V)
    return model


def _epoch_to_json(record: Epoch) -> dict[str, Any]:
    return {name: to_json(value) for name, value in vars(record).items()} | {
        "metrics": {name: to_json(value) for name, value in record.metrics.items()}
    }


def _epoch_from_json(saved: Any) -> Epoch:
    if not isinstance(saved, dict) or saved.keys() != Epoch.__dataclass_fields__.keys():
        raise FileFormatError(f"has a history with {saved!r:.40}, which is no epoch")
    metrics = take_value(saved, "metrics", dict)
    counts = {name: take_value(saved, name, int) for name in ("epoch", "epochs")}
    numbers = {name: from_json(value) for name, value in saved.items()}
    if saved["val_loss"] is None:
        del numbers["val_loss"]
    metrics = {name: from_json(value) for name, value in metrics.items()}
    for number in (*numbers.values(), *metrics.values()):
        if not isinstance(number, Real) or isinstance(number, bool):
            raise FileFormatError(f"has a history with {number!r:.40}, which is no number")
    return Epoch(**counts, **numbers, metrics=metrics)
