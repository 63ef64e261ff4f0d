"""Penalties on factors: one number for all features, or a number for each field."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from sparsefm.data.validation import check_real, is_mapping
from sparsefm.io.frozen import Frozen

Penalties: TypeAlias = float | Sequence[float] | Mapping[str | int, float]


def check_penalties(penalties: Any, name: str) -> Any:
    """Return an argument as a number, a tuple or a `Frozen` dict of numbers, of at least 0."""
    if is_mapping(penalties):
        checked = {key: check_real(one, f"{name}[{key!r}]") for key, one in penalties.items()}
        return Frozen(checked)
    if type(penalties).__name__ == "Series":  # of pandas or Polars; its index names no fields
        penalties = np.asarray(penalties)
    is_array = isinstance(penalties, np.ndarray) and penalties.ndim > 0
    if is_array or isinstance(penalties, list | tuple):
        if len(penalties) == 0:
            raise ValueError(f"{name} holds no numbers: give one for each field, or one for all")
        return tuple(check_real(one, f"{name}[{i}]") for i, one in enumerate(penalties))
    check_real(penalties, name)
    return penalties


def is_by_field(penalties: Any) -> bool:
    """Return whether there is a number for each field."""
    return isinstance(penalties, tuple | Frozen)


def largest(penalties: Any) -> float:
    """Return the largest of the numbers."""
    if isinstance(penalties, Frozen):
        return max(penalties.values(), default=0.0)
    return max(penalties) if isinstance(penalties, tuple) else float(penalties)


def of_fields(
    penalties: Any, default: float, n_fields: int, number_of: Callable[[Any], int] | None
) -> tuple[float, ...]:
    """Return a number for each field.

    Parameters
    ----------
    penalties : tuple or Frozen
    default : float
        Of fields that a dict does not name.
    n_fields : int
    number_of : callable or None
        Returns the number of a field that a dict names, or raises. None: fields have no names.
    """
    if isinstance(penalties, tuple):
        if len(penalties) != n_fields:
            raise ValueError(
                f"l2_factors has {len(penalties)} numbers, but there are {n_fields} fields: give "
                "one for each field, or one for all"
            )
        return penalties
    if number_of is None:
        raise TypeError(
            "l2_factors names fields, which have no names here: give a sequence of "
            f"{n_fields} numbers, one for each field"
        )
    found = [default] * n_fields
    keys: dict[int, Any] = {}
    for key, penalty in penalties.items():
        number = number_of(key)
        if number in keys:
            raise ValueError(
                f"l2_factors names one field twice, by {keys[number]!r} and by {key!r}: leave one "
                "out"
            )
        keys[number] = key
        found[number] = penalty
    return tuple(found)
