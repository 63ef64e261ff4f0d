"""Files whose container and checksum are in order, and whose content lies."""

import copy
from pathlib import Path
from typing import Any

import numpy as np

from reliability.fuzz.choices import Choices
from sparsefm.io.file import read_file, write_file

STRANGE = (None, True, False, "", "model", [], {}, [0], {"a": 1}, [[]], -1, 0, 1, 2, 0.5, 1e308)
TYPES = ("?", "i1", "i4", "i8", "u1", "u8", "f2", "f4", "f8")


def places(value: Any) -> list[tuple[Any, Any]]:
    """Return where the values of a header are: a list or a mapping, and the key in it."""
    keys = value.keys() if isinstance(value, dict) else range(len(value))
    found = [(value, key) for key in keys]
    for key in keys:
        if isinstance(value[key], dict | list):
            found += places(value[key])
    return found


def change_header(header: dict[str, Any], choices: Choices) -> None:
    """Change one value of a header."""
    found = places(header)
    within, key = choices.one_of(found)
    how = choices.below(8)
    if how == 0:
        del within[key]
    elif how == 1 and isinstance(within, list):
        within.append(copy.deepcopy(within[key]))
    elif how == 2:
        other, its_key = choices.one_of(found)
        within[key] = copy.deepcopy(other[its_key])
    elif how == 3:
        within[key] = choices.integer()
    elif how == 4:
        number = choices.real()
        within[key] = number if np.isfinite(number) else "inf"
    elif how == 5 and isinstance(within, dict):
        within[choices.text()] = within.pop(key)
    elif how == 6:
        within[key] = choices.text()
    else:
        within[key] = copy.deepcopy(choices.one_of(STRANGE))


def change_array(arrays: dict[str, Any], choices: Choices) -> None:
    """Change one of the arrays."""
    name = choices.one_of(sorted(arrays))
    array, how = arrays[name], choices.below(8)
    if how == 0:
        del arrays[name]
    elif how == 1:
        arrays[choices.text()] = array
    elif how == 2:
        with np.errstate(all="ignore"):
            arrays[name] = array.astype(choices.one_of(TYPES))
    elif how == 3:
        arrays[name] = (
            array[..., None] if array.ndim == 0 else array[: choices.below(len(array) + 1)]
        )
    elif how == 4:
        arrays[name] = array.reshape(-1) if choices.below(2) else array[None]
    elif how == 5:
        arrays[name] = arrays[choices.one_of(sorted(arrays))]
    elif array.size:
        changed = array.copy()
        value = choices.integer() if array.dtype.kind in "biu" else choices.real()
        with np.errstate(all="ignore"):
            wrapped = np.array([value]).astype(array.dtype)[0]
        changed.reshape(-1)[choices.below(array.size)] = wrapped
        arrays[name] = changed


def write_lies(truth: Path, path: Path, choices: Choices) -> bool:
    """Write what a file says, with a few changes; return whether that can be written."""
    header, arrays = read_file(truth)
    for _ in range(1 + choices.below(3)):
        if choices.below(3) and places(header):
            change_header(header, choices)
        elif arrays:
            change_array(arrays, choices)
    try:
        write_file(path, header, arrays)
    except (ValueError, TypeError, UnicodeError):
        return False
    return True
