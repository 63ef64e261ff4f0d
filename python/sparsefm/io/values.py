"""The parameters of an estimator as JSON, and back.

Numbers, strings, None, booleans and lists are themselves. Anything else is an object of one entry,
whose name tells what it is: {"tuple": [...]}, {"dict": [[key, value], ...]}, {"float": "nan"},
{"solver": ["adam", {...}]}, {"encoder": {...}}. What is read can only become one of these: nothing
in a file chooses what is called.
"""

import math
import warnings
from collections.abc import Mapping
from dataclasses import fields
from inspect import signature
from typing import Any

import numpy as np

from sparsefm.errors import FileFormatError
from sparsefm.optimizers import AdaGrad, Adam, Optimizer

SOLVERS: dict[str, type[Optimizer]] = {solver.name: solver for solver in (AdaGrad, Adam)}
STACK = 5  # a warning points at who called `save`: settings_to_json, _to_state, save, and here


def settings_to_json(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `get_params(deep=False)` returned, as JSON values.

    Numbers, strings, None, booleans, solvers, a `TableEncoder`, and tuples, lists and dicts of
    them. A parameter that holds anything else, such as a callable or a random generator, is left
    out with a UserWarning that names it: a loaded estimator has its default.
    """
    return _settings_to_json(params, "", STACK)


def settings_from_json(saved: Any, cls: Any) -> dict[str, Any]:
    """Return the parameters of `settings_to_json`, to construct `cls` with.

    Raises
    ------
    FileFormatError
        If they are none, or `cls` takes no such parameter.
    """
    if not isinstance(saved, dict):
        raise FileFormatError(f"has settings that are none: {saved!r:.40}")
    unknown = saved.keys() - signature(cls).parameters.keys()
    if unknown:
        raise FileFormatError(f"has a setting {min(unknown)!r:.40} unknown to {cls.__name__}")
    return {name: from_json(value) for name, value in saved.items()}


def to_json(value: Any) -> Any:
    """Return one value as JSON.

    Raises
    ------
    TypeError
        If it is nothing that can be saved.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return value if math.isfinite(value) else {"float": repr(value)}
    if type(value) is list:
        return [to_json(item) for item in value]
    if type(value) is tuple:
        return {"tuple": [to_json(item) for item in value]}
    if type(value) is dict:
        return {"dict": [[to_json(_key(key)), to_json(item)] for key, item in value.items()]}
    if type(value) in SOLVERS.values():
        settings = {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
        return {"solver": [value.name, settings]}
    raise TypeError(f"{value!r:.80} cannot be saved")


def from_json(value: Any) -> Any:
    """Return the value of `to_json`.

    Raises
    ------
    FileFormatError
        If it is none.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list):
        return [from_json(item) for item in value]
    try:
        ((tag, content),) = value.items()
        return _READERS[tag](content)
    except FileFormatError:
        raise
    except (AttributeError, TypeError, ValueError, KeyError) as error:
        raise FileFormatError(f"has a setting {value!r:.40} that is none ({error})") from None


def _settings_to_json(params: Mapping[str, Any], prefix: str, stack: int) -> dict[str, Any]:
    saved = {}
    for name, value in params.items():
        try:
            if type(value).__name__ == "TableEncoder":  # not imported for those without one
                inner = value.get_params(deep=False)
                saved[name] = {"encoder": _settings_to_json(inner, f"{name}__", stack + 1)}
            else:
                saved[name] = to_json(value)
        except TypeError:
            warnings.warn(
                f"{prefix}{name}={value!r:.80} cannot be saved: a loaded estimator has the default",
                UserWarning,
                stacklevel=stack,
            )
    return saved


def _key(key: Any) -> Any:
    """Return the key of a dict if it is one that comes back as itself."""
    if isinstance(key, np.generic):
        key = key.item()
    if not isinstance(key, str | int | float):
        raise TypeError(f"a key {key!r:.80} cannot be saved")
    return key


def _float(content: Any) -> float:
    return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[content]


def _solver(content: Any) -> Optimizer:
    name, settings = content
    return SOLVERS[name](**{key: from_json(value) for key, value in settings.items()})


def _encoder(content: Any) -> Any:
    import sparsefm

    cls: Any = sparsefm.TableEncoder
    return cls(**settings_from_json(content, cls))


def _items(content: Any) -> list[Any]:
    if not isinstance(content, list):
        raise TypeError("not a list")
    return content


_READERS = {
    "tuple": lambda content: tuple(from_json(item) for item in _items(content)),
    "dict": lambda content: {
        _key(from_json(key)): from_json(item) for key, item in _items(content)
    },
    "float": _float,
    "solver": _solver,
    "encoder": _encoder,
}
