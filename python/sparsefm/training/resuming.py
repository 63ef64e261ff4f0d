"""Going on with a training that was interrupted: what a checkpoint holds beside the model."""

from __future__ import annotations

import errno
import json
import logging
import os
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.data.csr import take_rows
from sparsefm.data.dataset import Dataset
from sparsefm.errors import FileFormatError
from sparsefm.io.container import Arrays, bytes_of
from sparsefm.io.file import package_version, read_file
from sparsefm.io.reader import Reader, add_prefix, naming
from sparsefm.io.replacing import name_of
from sparsefm.io.values import from_json, shown, to_json
from sparsefm.training.checkpoint import TRAINING, Checkpoint

logger = logging.getLogger("sparsefm")

Array = npt.NDArray[Any]
Content = tuple[dict[str, Any], Arrays]

TRAINED, START = "the training rows, targets, weights or fields", "the initial parameters"
VALIDATION = "the validation rows"
PARTIAL_FIT = "partial_fit"
SNAPSHOT = "snapshot"  # the tag, in the state of a callback, of one that is kept beside it


class Snapshot(tuple[Any, ...]):
    """A copy of all parameters of a training; what it holds is known to that kind of training."""


@dataclass(frozen=True, eq=False)
class Saved:
    """A checkpoint that was read.

    Attributes
    ----------
    path : str
    reader : Reader
        Of the training, without the model. Whoever reads does so within `naming`.
    """

    path: str
    reader: Reader

    @classmethod
    def read(cls, resume: Any, callbacks: Iterable[Any], trained_by: str) -> Saved | None:
        """Return the checkpoint that the argument `resume` names.

        It is None if there is no such file yet, but one of the callbacks will write it: then
        training begins, and the same call goes on with it another time.

        Raises
        ------
        ValueError
            If it is of another kind of training, or `resume` names several files.
        """
        if resume is None:
            return None
        path = name_of(resume, "resume")
        if "{epoch}" in path:
            raise ValueError(
                f"resume names one file; {path!r} would name one for each epoch. Pass the file of "
                "the last epoch, or a path without {epoch} for both resume and Checkpoint"
            )
        try:
            with naming(f"resume: {path}"):
                saved = cls(path, _read(path))
                then = saved.reader.entry("trained_by", str)
        except FileNotFoundError:
            real = os.path.realpath(path)
            own = [one for one in callbacks if isinstance(one, Checkpoint)]
            if not any(os.path.realpath(checkpoint.path) == real for checkpoint in own):
                why = "resume: there is no such file, and no Checkpoint of this training writes it"
                raise FileNotFoundError(errno.ENOENT, why, path) from None
            logger.info("there is no %s yet: training begins", path)
            return None
        if then == PARTIAL_FIT:
            raise ValueError(
                f"resume: {path} was saved by partial_fit, which cannot be resumed: load the file, "
                "and call partial_fit of what it holds"
            )
        if then != trained_by:
            raise ValueError(f"resume: the training in {path} is of {then}, not of {trained_by}")
        return saved

    def check(self, kind: str, now: Mapping[str, Any], among: Iterable[str] | None = None) -> None:
        """Raise `ValueError` if settings, or checksums of data, are others than they were.

        Parameters
        ----------
        kind : {"settings", "data"}
        now : mapping
        among : iterable of str, optional
            The names to compare; default: all of both.
        """
        with naming(self.path):
            then = self.reader.entry(kind, dict)
        for name in {**then, **now} if among is None else among:
            if then.get(name) != now.get(name):
                raise ValueError(self._difference(kind, name, then.get(name), now.get(name)))

    def _difference(self, kind: str, name: str, then: Any, now: Any) -> str:
        if kind == "data":
            what = f"{name} are others than those of the training in {self.path}"
        else:
            with naming(self.path):
                before = from_json(then)
            what = f"{name} is {from_json(now)!r:.200}, but was {before!r:.200} in {self.path}"
        return f"resume: {what}. Pass the same, or begin anew: leave resume out"


@dataclass(eq=False)
class Resumption:
    """How a training is resumed, and what its checkpoints say of it for later.

    Attributes
    ----------
    saved : Saved or None
        None: the training begins.
    trained_by : str
        The function or estimator that trains; no other one can resume it.
    settings : dict
        JSON values; what training depends on besides the settings of the run itself.
    choice : JSON value
        What a search chose, None if there was none.
    """

    saved: Saved | None = None
    trained_by: str = PARTIAL_FIT
    settings: dict[str, Any] = field(default_factory=dict)
    choice: Any = None


def check_fixed_seed(resume: Any, seed: Any, name: str) -> None:
    """Refuse a seed that is another one each time where training may have to be resumed."""
    if resume is not None and not isinstance(seed, int | np.integer):
        raise ValueError(
            f"resume needs the random numbers of the training before: {name} must be an integer, "
            f"got {seed!r:.80}"
        )


def as_read(value: Any) -> Any:
    """Return JSON values as they will be read again."""
    return json.loads(json.dumps(value))


def checksum_of(dataset: Dataset | None) -> int:
    """Return a checksum of the rows of a dataset in their order; 0 for None."""
    if dataset is None:
        return 0
    parts = [checksum(dataset.fields)]
    for rows in dataset.row_numbers():
        X, columns = take_rows(dataset.X, rows), (*dataset.targets, dataset.weights)
        taken = [None if column is None else column[rows] for column in columns]
        indptr = X.indptr.astype(np.int64, copy=False)
        parts.append(checksum(indptr, X.indices, X.values, *taken))
    return checksum(np.array(parts))


def checksum(*arrays: Array | None) -> int:
    """Return a checksum of some arrays; it takes a second for gigabytes."""
    number = 0
    for array in arrays:
        shape = "" if array is None else f"{array.shape}{array.dtype}"
        number = zlib.crc32(shape.encode(), number)
        if array is not None:
            number = zlib.crc32(bytes_of(np.ascontiguousarray(array)), number)
    return number


def array_like(reader: Reader, name: str, like: Array) -> Array:
    """Return an array of the shape and type of another one.

    Its numbers must be finite, except where those of the other one are not, which is beyond the
    number of classes.
    """
    array = reader.array(name, like.shape, (like.dtype.name,))
    if not (np.isfinite(array) | (array == like)).all():
        raise FileFormatError(f"{TRAINING}.{name} holds numbers that are not finite")
    return array


# --- callbacks ----------------------------------------------------------------------------------


def callbacks_to_content(
    callbacks: Sequence[Any], to_content: Callable[[Snapshot], Content]
) -> tuple[list[Any], Arrays]:
    """Return the states of the callbacks that have some.

    Parameters
    ----------
    callbacks : sequence of callable
    to_content : callable
        Returns the content of a snapshot.
    """
    listed: list[Any] = []
    arrays: Arrays = {}
    for number, callback in enumerate(_with_state(callbacks)):
        values: dict[str, Any] = {}
        for name, value in _state_of(callback).items():
            if isinstance(value, Snapshot):
                header, parts = to_content(value)
                values[name] = {SNAPSHOT: header}
                arrays |= add_prefix(f"callback.{number}.{name}.", parts)
            else:
                values[name] = _state_to_json(value, callback, name)
        listed.append([type(callback).__name__, values])
    return listed, arrays


def read_callbacks(
    saved: Saved, callbacks: Sequence[Any], read_snapshot: Callable[[Reader], Snapshot]
) -> list[tuple[Any, dict[str, Any]]]:
    """Return the callbacks that have a state, each with what it was.

    Parameters
    ----------
    saved : Saved
    callbacks : sequence of callable
    read_snapshot : callable
        Returns the snapshot in its content.
    """
    stateful = list(_with_state(callbacks))
    names = [type(callback).__name__ for callback in stateful]
    states: list[dict[str, Any]] = []
    with naming(saved.path):
        listed = saved.reader.entry("callbacks", list)
        if not all(isinstance(one, list) and len(one) == 2 for one in listed):
            raise FileFormatError(f"has damaged callbacks: {shown(listed)}")
        then = [str(name) for name, _ in listed]
        if then == names:
            for number, (_, values) in enumerate(listed):
                part = saved.reader.part(f"callback.{number}", values)
                states.append({name: _value(part, name, read_snapshot) for name in values})
    if then != names:
        raise ValueError(
            f"resume: the callbacks that have a state are {', '.join(names) or 'none'}, but were "
            f"{', '.join(then) or 'none'} in {saved.path}. Pass the same, or begin anew"
        )
    return list(zip(stateful, states, strict=True))


def _with_state(callbacks: Iterable[Any]) -> Iterable[Any]:
    return (callback for callback in callbacks if hasattr(callback, "state_dict"))


def _state_of(callback: Any) -> dict[str, Any]:
    state = callback.state_dict()
    if not isinstance(state, dict) or not all(isinstance(name, str) for name in state):
        raise TypeError(
            f"state_dict of {type(callback).__name__} must return a dict with names, "
            f"got {state!r:.80}"
        )
    return state


def _state_to_json(value: Any, callback: Any, name: str) -> Any:
    try:
        return to_json(value)
    except (TypeError, ValueError) as error:
        where = f"state_dict of {type(callback).__name__}: {name!r}"
        raise type(error)(f"{where}: {error}") from None


def _value(reader: Reader, name: str, read_snapshot: Callable[[Reader], Snapshot]) -> Any:
    content = reader.get(name)
    if isinstance(content, dict) and content.keys() == {SNAPSHOT}:
        return read_snapshot(reader.part(name, content[SNAPSHOT]))
    return from_json(content)


# --- files --------------------------------------------------------------------------------------


def _read(path: str) -> Reader:
    """Return a reader of the training in a checkpoint of this version of the package."""
    header, arrays = read_file(path)
    prefix = f"{TRAINING}."
    reader = Reader(header, {name: v for name, v in arrays.items() if name.startswith(prefix)})
    if not reader.has_entry(TRAINING):
        raise FileFormatError("is no checkpoint: resume needs a file that a Checkpoint wrote")
    version = reader.entry("sparsefm", str)
    if version != package_version():
        raise FileFormatError(
            f"was written by sparsefm {version}, and only that one can resume it: this is "
            f"{package_version()}"
        )
    return reader.part(TRAINING)
