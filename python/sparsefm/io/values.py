"""Parameters as JSON, and back.

Numbers, strings, None, booleans and lists are themselves. Anything else is an object of one entry,
whose name, the tag, tells what it is: {"tuple": [...]}, {"dict": [[key, value], ...]},
{"float": "nan"}, {"int32": "..."}, which is an array of integers, or an object of a class that was
registered here, such as {"solver": ["adam", {...}]} and {"encoder": {...}}. What is read can only
become one of these: a file cannot choose what is called.
"""

import math
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from inspect import signature
from reprlib import Repr
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from sparsefm.errors import FileFormatError
from sparsefm.io.frozen import Frozen

Class = TypeVar("Class", bound=type[Any])

MOST_BYTES = 1 << 30  # of an array

_SHORT = Repr()
_SHORT.maxlevel = _SHORT.maxlist = _SHORT.maxdict = 2
_SHORT.maxstring = _SHORT.maxlong = _SHORT.maxother = 40

_TAGS: dict[type, tuple[str, str | None]] = {}
_CLASSES: dict[tuple[str, str | None], type] = {}


def shown(value: Any) -> str:
    """Return the beginning of a value's representation; it takes no time if the value is large."""
    return _SHORT.repr(value)[:40]


def register(tag: str, name: str | None = None) -> Callable[[Class], Class]:
    """Return a class decorator: objects of exactly this class can then be saved.

    They are stored as {tag: parameters}, or {tag: [name, parameters]} where several classes share
    a tag. The parameters are those of the constructor, each also an attribute of the same name.
    """

    def add(cls: Class) -> Class:
        _TAGS[cls] = (tag, name)
        _CLASSES[tag, name] = cls
        return cls

    return add


def check_class(value: Any, base: type, name: str) -> None:
    """Raise `TypeError` if an object is of a class that was derived from a registered one.

    A file names classes, and `load` would not know this one.
    """
    cls = type(value)
    if isinstance(value, base) and cls not in _TAGS:
        known = [parent.__name__ for parent in cls.__mro__ if parent in _TAGS]
        known = known or sorted(one.__name__ for one in _TAGS if issubclass(one, base))
        raise TypeError(
            f"save cannot write {name}={cls.__name__}(...): it knows {' and '.join(known)}, but no "
            f"class derived from that. Fit with {known[0]} itself, or keep the estimator as a "
            "pickle (joblib.dump)"
        )


def parameters_to_json(
    parameters: Mapping[str, Any], prefix: str = ""
) -> tuple[dict[str, Any], list[str]]:
    """Return parameters as JSON values.

    Returns
    -------
    stored : dict
        Those that can be saved: see the top of this module.
    skipped : list of str
        "name=value" of the others, such as a function or a random generator. Parameters of a
        parameter are named as scikit-learn does, such as "encoder__dtype".
    """
    stored, skipped = {}, []
    for name, value in parameters.items():
        try:
            if type(value) in _TAGS:
                inner, others = parameters_to_json(_parameters(value), f"{prefix}{name}__")
                stored[name] = _object_to_json(value, inner)
                skipped += others
            else:
                stored[name] = to_json(value)
        except TypeError:
            skipped.append(f"{prefix}{name}={value!r:.80}")
    return stored, skipped


def parameters_from_json(stored: Any, cls: Any) -> dict[str, Any]:
    """Return the parameters of `parameters_to_json`, to construct `cls` with.

    Raises
    ------
    FileFormatError
        If they are damaged, or `cls` takes no such parameter.
    """
    if not isinstance(stored, dict):
        raise FileFormatError(f"has parameters that are not a JSON object: {shown(stored)}")
    unknown = stored.keys() - signature(cls).parameters.keys()
    if unknown:
        raise FileFormatError(f"has a parameter {shown(min(unknown))} unknown to {cls.__name__}")
    return {name: from_json(value) for name, value in stored.items()}


def to_json(value: Any) -> Any:
    """Return one value as JSON.

    Raises
    ------
    TypeError
        If it cannot be saved.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str):
        return str.__str__(value)  # of a subclass, such as an enumeration, too
    if value is None or type(value) in (bool, int):
        return value
    if type(value) is float:
        return value if math.isfinite(value) else {"float": repr(value)}
    if type(value) is list:
        return [to_json(item) for item in value]
    if type(value) is tuple:
        return {"tuple": [to_json(item) for item in value]}
    if type(value) in (dict, Frozen):
        return {"dict": [[to_json(_key(key)), to_json(item)] for key, item in value.items()]}
    if isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind in "iu":
        return {"int32": _packed(value)}
    if type(value) in _TAGS:
        inner = {name: to_json(item) for name, item in _parameters(value).items()}
        return _object_to_json(value, inner)
    raise TypeError(f"{value!r:.80} cannot be saved")


def from_json(value: Any) -> Any:
    """Return the value of `to_json`.

    Raises
    ------
    FileFormatError
        If `to_json` cannot have returned it.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list):
        return [from_json(item) for item in value]
    try:
        ((tag, content),) = value.items()
        if tag in _READERS:
            return _READERS[tag](content)
        return _object_from_json(tag, content)
    except FileFormatError:
        raise
    except (AttributeError, TypeError, ValueError, KeyError, zlib.error) as error:
        raise FileFormatError(f"has a damaged parameter {shown(value)} ({error})") from None


def _parameters(value: Any) -> dict[str, Any]:
    """Return the parameters that an object of a registered class was constructed with."""
    return {name: getattr(value, name) for name in signature(type(value)).parameters}


def _object_to_json(value: Any, parameters: dict[str, Any]) -> dict[str, Any]:
    tag, name = _TAGS[type(value)]
    return {tag: parameters if name is None else [name, parameters]}


def _object_from_json(tag: str, content: Any) -> Any:
    name, parameters = (None, content) if isinstance(content, dict) else content
    cls = _CLASSES[tag, name]
    return cls(**parameters_from_json(parameters, cls))


def _key(key: Any) -> Any:
    """Return the key of a dict if reading it gives the same."""
    if isinstance(key, np.generic):
        key = key.item()
    if not isinstance(key, str | int | float):
        raise TypeError(f"a key {key!r:.80} cannot be saved")
    return key


def _float(content: Any) -> float:
    return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[content]


def _packed(values: npt.NDArray[np.integer[Any]]) -> str:
    """Return integers of 32 bits as text; runs and sequences take little room."""
    whole = values.astype("<i4")
    if not np.array_equal(whole, values):
        raise TypeError("integers of more than 32 bits cannot be saved")
    return b64encode(zlib.compress(np.diff(whole, prepend=whole.dtype.type(0)).tobytes())).decode()


def _unpacked(content: Any) -> npt.NDArray[np.int32]:
    unpacker = zlib.decompressobj()
    data = unpacker.decompress(b64decode(content, validate=True), MOST_BYTES)
    if not unpacker.eof or unpacker.unused_data:
        raise ValueError("not an array, or one that is too large")
    return np.cumsum(np.frombuffer(data, "<i4"), dtype=np.int32)


def _items(content: Any) -> list[Any]:
    if not isinstance(content, list):
        raise TypeError("not a list")
    return content


_READERS: dict[str, Callable[[Any], Any]] = {
    "tuple": lambda content: tuple(from_json(item) for item in _items(content)),
    "dict": lambda content: {
        _key(from_json(key)): from_json(item) for key, item in _items(content)
    },
    "float": _float,
    "int32": _unpacked,
}
