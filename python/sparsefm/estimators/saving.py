"""Fitted estimators as the content of a file, and back; what is read is not trusted."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar, cast

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import check_is_fitted

from sparsefm.data.csr import as_csr
from sparsefm.data.validation import check_flag
from sparsefm.encoding import TableEncoder
from sparsefm.encoding.following import Seen
from sparsefm.encoding.saving import encoder_to_content, read_encoder
from sparsefm.encoding.statistics import LARGEST_EXPONENT
from sparsefm.errors import FileFormatError
from sparsefm.estimators.bounds import levels_of
from sparsefm.estimators.going_on import parameters_of
from sparsefm.estimators.mapped import MappedLearner
from sparsefm.estimators.parameters import check_parameters
from sparsefm.estimators.state_saving import read_machines, state_to_arrays
from sparsefm.estimators.targets import Classes, Numbers
from sparsefm.io.container import Arrays
from sparsefm.io.file import write_file
from sparsefm.io.half import check_half, exact, halved
from sparsefm.io.labels import labels_to_arrays, read_labels
from sparsefm.io.reader import REALS, Reader, add_prefix
from sparsefm.io.replacing import FilePath
from sparsefm.io.values import (
    check_class,
    from_json,
    parameters_from_json,
    parameters_to_json,
    shown,
    to_json,
)
from sparsefm.losses import LOSSES, Loss
from sparsefm.model import Model
from sparsefm.optimizers import Optimizer
from sparsefm.sampling import Sweeper
from sparsefm.sampling.posterior import SampledModel
from sparsefm.sampling.saving import read_samples, samples_to_content
from sparsefm.snapshots import consistent
from sparsefm.training.class_model import ClassModel
from sparsefm.training.hyperparameters import Hyperparameters
from sparsefm.training.learner import Learner
from sparsefm.training.sampled import Sampled
from sparsefm.training.start import VARIANTS

# The last three may be missing: in a checkpoint, and where `partial_fit` made the first call.
RECORDS = {
    "n_iter_": int,
    "best_epoch_": int,
    "history_": dict,
    "search_": dict,
    "best_params_": dict,
    "_n_trained": int,  # after `fold_in` only
}
BASES = {"solver": (Optimizer, Sweeper), "encoder": (TableEncoder,), "loss": (Loss,)}


class SavingMixin:
    """Gives a fitted estimator `save`, and `load` what it needs to read it."""

    _kind: ClassVar[str]  # in files; a subclass, which may hold anything, has none of its own

    @consistent
    def save(
        self,
        path: FilePath,
        optimizer_state: bool = False,
        training_rows: bool = False,
        *,
        dtype: str | None = None,
    ) -> None:
        """Write the fitted estimator to a file, for `load`.

        Parameters
        ----------
        path : str or path-like
            With any suffix; ".safetensors" is usual. An existing file is replaced, or kept as it is
            if writing fails. A symbolic link stays: the file that it leads to is replaced.
        optimizer_state : bool
            Also save the optimizer's moments of each parameter. Training can then continue as if
            there had been no break. The file becomes two or three times as large.
        training_rows : bool
            Also save the sample of encoded training rows, at most 32,768, that `interactions`,
            `field_interactions` and the plots use by default. Without it they need ``X=`` after
            loading. The file then holds training data: consider who may read it.
        dtype : {"float16", "bfloat16"}, optional
            Of the parameters in the file, see `Model.save`. The loaded estimator has float32.

        Raises
        ------
        OSError
            If the file cannot be written, or `path` is a folder, a device, a pipe or a socket.
        ValueError, TypeError
            If a parameter is invalid, or its class, or that of the estimator, is derived from one
            of this package: a file names classes, and `load` knows only those of the package.

        Warns
        -----
        UserWarning
            If a parameter cannot be saved, such as a function for `scoring`: the loaded estimator
            has the default. Callbacks are never saved.
        """
        optimizer_state = check_flag(optimizer_state, "optimizer_state")
        training_rows = check_flag(training_rows, "training_rows")
        write_file(path, *self._content(optimizer_state, training_rows, check_half(dtype)))

    def _content(
        self, optimizer_state: bool = False, training_rows: bool = False, dtype: str | None = None
    ) -> tuple[dict[str, Any], Arrays]:
        """Return what `save` writes."""
        kind = vars(type(self)).get("_kind")
        if kind is None:
            raise TypeError(
                "save knows FMRegressor and FMClassifier, but not their subclass "
                f"{type(self).__name__}: fit one of those, or keep this as a pickle (joblib.dump)"
            )
        check_is_fitted(self)
        # They may have been set since `fit`, and `load` would refuse them.
        _check_parameters(cast(Any, self).get_params(deep=False), type(self))
        _check_classes(self)
        sample = halved(_sample_to_arrays(self), dtype) if training_rows else {}
        parameters, skipped = parameters_to_json(saved_parameters(self))
        for parameter in skipped:
            warnings.warn(
                f"{parameter} cannot be saved: a loaded estimator has the default",
                UserWarning,
                stacklevel=4,
            )
        header, arrays = _to_content(self, optimizer_state, dtype)
        if dtype is not None:
            parameters["dtype"] = header["encoder"]["settings"]["dtype"] = "float32"
        arrays |= add_prefix("sample.", sample)
        return {"kind": kind, "parameters": parameters, **header}, arrays

    @classmethod
    def _from_file(cls, reader: Reader) -> Any:
        """Return the estimator that `save` wrote."""
        estimator: Any = cls(**_read_parameters(reader.entry("parameters", dict), cls))
        records = reader.value("records")
        kinds = {n: type(v) for n, v in records.items()} if isinstance(records, dict) else {}
        if {**RECORDS, **kinds} != RECORDS or not {"n_iter_", "best_epoch_"} <= kinds.keys():
            raise FileFormatError("has damaged records of its training")
        vars(estimator).update(records)
        estimator._target = _read_target(reader, read_loss(reader))
        sampled = reader.has_entry("sampled")
        estimator._learner = learner = (_read_sampled if sampled else _read_learner)(reader)
        _check_outputs(estimator._target, learner)
        if estimator.loss is None:
            estimator._chosen_loss = learner.loss
        estimator._sample = _read_sample(reader.part("sample"), learner.n_features)
        if not reader.has_entry("encoder"):
            raise FileFormatError("has no encoder")
        estimator.encoder_ = encoder = read_encoder(reader.part("encoder"))
        dtypes = {np.dtype(encoder.dtype), *(model.dtype for model in learner.models())}
        if encoder.n_features_out_ != learner.n_features or len(dtypes) > 1:
            raise FileFormatError("has an encoder that does not fit its parameters")
        for name in ("n_features_in_", "feature_names_in_"):
            if name in vars(encoder):
                setattr(estimator, name, getattr(encoder, name))
        if reader.has_entry("zero_based"):
            estimator._zero_based = reader.entry("zero_based", bool)
        estimator._fitted_with = parameters_of(estimator)
        return estimator


def _check_classes(estimator: Any) -> None:
    """Refuse classes that users derived, of which `load` knows nothing."""
    parameters = {name: getattr(estimator, name) for name in BASES}
    learner = estimator._learner
    fitted = {"encoder": estimator.encoder_, "loss": learner.loss}
    if isinstance(learner, Learner):
        fitted["solver"] = learner.hyperparameters.solver
    for given in (parameters, fitted, vars(estimator).get("best_params_", {})):
        for name in BASES.keys() & given.keys():
            for base in BASES[name]:
                check_class(given[name], base, name)


def saved_parameters(estimator: Any) -> dict[str, Any]:
    """Return the parameters, except callbacks, which cannot be saved."""
    parameters = estimator.get_params(deep=False) | {"dtype": np.dtype(estimator.dtype).name}
    return {name: value for name, value in parameters.items() if name != "callbacks"}


def _read_parameters(stored: dict[str, Any], cls: Any) -> dict[str, Any]:
    """Return parameters that `cls` would fit with."""
    parameters = parameters_from_json(stored, cls)
    try:
        _check_parameters(parameters, cls)
    except (TypeError, ValueError) as error:
        raise FileFormatError(f"has a parameter that cannot be: {error}") from None
    return parameters


def _check_parameters(parameters: dict[str, Any], cls: Any) -> None:
    """Check parameters, except names of scorers: other versions of scikit-learn have others."""
    known = dict(parameters)
    if isinstance(known.get("scoring"), str):
        del known["scoring"]
    check_parameters(cls(**known))


def _to_content(
    estimator: Any, optimizer_state: bool, dtype: str | None
) -> tuple[dict[str, Any], Arrays]:
    """Return what is fitted, except the training rows: JSON values and arrays."""
    header = {"records": to_json({n: vars(estimator)[n] for n in RECORDS if n in vars(estimator)})}
    if isinstance(estimator._learner, Sampled):
        learned, arrays = _sampled_to_content(estimator._learner, dtype)
    else:
        learned, arrays = _learner_to_content(estimator._learner, optimizer_state, dtype)
    header |= learned
    if isinstance(estimator._target, Numbers):
        header["target"], stored = estimator._target.to_content()
        arrays |= add_prefix("target.", stored)
    else:
        arrays |= add_prefix("classes.", labels_to_arrays(estimator._target.labels))
    if "_zero_based" in vars(estimator):
        header["zero_based"] = estimator._zero_based
    header["encoder"], parts = encoder_to_content(estimator.encoder_)
    return header, arrays | add_prefix("encoder.", parts)


def _learner_to_content(
    learner: Learner, optimizer_state: bool, dtype: str | None
) -> tuple[dict[str, Any], Arrays]:
    if isinstance(learner, MappedLearner):
        learner = learner.plain()  # its parameters stay in their file
    header = {
        "settings": {name: to_json(value) for name, value in vars(learner.hyperparameters).items()},
        "loss": learner.loss.name,
        "machines": len(learner.states),
        "steps": learner.steps if optimizer_state else 0,
        "cooling": learner.rate_factor,
        "seed": learner.seed,
    }
    if learner.loss._core_constants:
        header["loss_parameters"] = learner.loss._core_constants
    arrays: Arrays = {}
    for number, state in enumerate(learner.states):
        arrays |= add_prefix(f"machine.{number}.", state_to_arrays(state, optimizer_state, dtype))
    return header, arrays


def _sampled_to_content(learner: Sampled, dtype: str | None) -> tuple[dict[str, Any], Arrays]:
    models: list[dict[str, Any]] = []
    arrays: Arrays = {}
    for number, model in enumerate(learner.outputs):
        entries: dict[str, Any] = {}
        if isinstance(model, SampledModel):
            entries, parts = samples_to_content(model.samples, model.progress, dtype)
            entries |= {"offset": model.offset, "scale": model.scale}
        else:
            parts = exact({"w0": np.array(model.w0)}, dtype)
            parts |= halved({"w": model.w, "V": model.V}, dtype)
        models.append(entries)
        arrays |= add_prefix(f"machine.{number}.", parts)
    return {"sampled": models, "loss": learner.loss.name}, arrays


def _read_sampled(reader: Reader) -> Sampled:
    loss = read_loss(reader)
    models: list[Model] = []
    for number, entries in enumerate(reader.entry("sampled", list)):
        part = reader.part(f"machine.{number}", entries)
        if part.has_array("samples.V"):
            samples, progress = read_samples(part, part, loss.task)
            offset, scale = part.real("offset"), part.real("scale", above=0.0)
            models.append(SampledModel(samples, offset, scale, loss.task, progress))
        else:
            V = part.parameters("V", (None, None), REALS)
            w = part.parameters("w", (len(V),), (V.dtype.name,))
            w0 = float(part.array("w0", (), ("float64",)))
            models.append(Model._view(w0, w, V, loss))
    if len({model.n_features for model in models}) != 1:
        raise FileFormatError("has no models, or models of different numbers of features")
    return Sampled(tuple(models), loss)


def _sample_to_arrays(estimator: Any) -> Arrays:
    sample = estimator._sample
    if sample is None:
        raise ValueError(
            "training_rows=True, but this estimator has none: it was loaded from a file without"
        )
    return {name: np.asarray(getattr(sample, name)) for name in ("indptr", "indices", "data")}


def _read_target(reader: Reader, loss: Loss) -> Numbers | Classes:
    if not reader.has_entry("target"):
        labels = read_labels(reader.part("classes"))
        if len(labels) < 2 or not (labels[:-1] < labels[1:]).all():
            raise FileFormatError("has classes that are not two or more, in ascending order")
        return Classes(labels, loss.is_of_all_classes)
    target = reader.part("target")
    exponent = target.integer("exponent", -LARGEST_EXPONENT, LARGEST_EXPONENT)
    mean, std = target.real("mean", least=-1.0), target.real("std", above=0.0)
    seen = Seen.read(target.part("followed")) if target.has_entry("followed") else None
    return Numbers(exponent, mean, std, _read_levels(target), seen)


def _read_levels(target: Reader) -> tuple[float, ...]:
    """Return the levels of numbers; files of before there were any have none."""
    levels = target.entry("levels", list) if target.has_entry("levels") else []
    try:
        found = np.array(levels, np.float64)
        ascending = bool(np.isfinite(found).all()) and levels_of(found) == tuple(levels)
    except (TypeError, ValueError, OverflowError):
        ascending = False
    if not ascending:
        raise FileFormatError(f"has damaged levels of its target: {shown(levels)}")
    return tuple(levels)


def _check_outputs(target: Numbers | Classes, learner: Learner | Sampled) -> None:
    """Check that there is a model for each output, or one that has all classes."""
    models: list[Any] = learner.models()
    if len(models) != target.n_outputs:
        raise FileFormatError(f"needs {target.n_outputs} models for its target, not {len(models)}")
    if learner.loss.task == "ordinal":
        cuts = [model.samples[0].cuts for model in models if isinstance(model, SampledModel)]
        if not cuts or len(cuts[0]) != target.n_classes - 1:
            raise FileFormatError("has ordered classes, but not the cuts between them")
    n_classes = [model.state.n_classes for model in models if isinstance(model, ClassModel)]
    if n_classes != ([target.n_classes] if learner.loss.task == "classes" else []):
        raise FileFormatError(f"has a model of {n_classes} classes, which do not fit its target")


def _read_learner(reader: Reader) -> Learner:
    chosen = read_hyperparameters(reader.entry("settings", dict))
    loss = read_loss(reader)
    if reader.has_array("drawn"):  # in files of format 1, and of no use since
        reader.array("drawn", (None,), ("bool",))
    steps, seed = reader.integer("steps", 0), reader.integer("seed", 0)
    learner = Learner(chosen, loss, [], seed, steps, reader.real("cooling", above=0.0))
    return read_machines(reader, learner, reader.integer("machines", 1))


def read_loss(reader: Reader) -> Loss:
    """Return the loss that the entries "loss" and "loss_parameters" name."""
    name = reader.entry("loss", str)
    if name not in LOSSES:
        raise FileFormatError(f"has an unknown loss {shown(name)}")
    parameters: dict[str, Any] = {}
    if reader.has_entry("loss_parameters"):
        parameters = reader.entry("loss_parameters", dict)
    return LOSSES[name](**parameters)


def read_hyperparameters(entries: dict[str, Any]) -> Hyperparameters:
    """Return the hyperparameters that `to_json` made these entries of."""
    # Files of before there were variants have neither of these.
    entries = {"variant": VARIANTS[0], "pairs": None, **entries}
    if entries.keys() != Hyperparameters.__dataclass_fields__.keys():
        raise FileFormatError("has damaged settings: some are missing, or too many")
    try:
        return Hyperparameters(**{name: from_json(value) for name, value in entries.items()})
    except (TypeError, AttributeError) as error:
        raise FileFormatError(f"has damaged settings ({error})") from None


def _read_sample(reader: Reader, n_features: int) -> sp.csr_matrix | None:
    """Return the encoded training rows, or None if they were not saved."""
    if not reader.has_array("indptr"):
        return None
    data = reader.array("data", (None,), REALS)
    indices = reader.array("indices", (None,), ("int32",))
    indptr = reader.array("indptr", (None,), ("int32", "int64"))
    try:
        sample = sp.csr_matrix((data, indices, indptr), (len(indptr) - 1, n_features))
        as_csr(sample, data.dtype, "the sample")
    except (TypeError, ValueError) as error:
        raise FileFormatError(f"has damaged training rows ({error})") from None
    return sample
