"""What threads see of an object that one of them is fitting: the old state, then the new one.

`fitted_aside` fits a copy and puts its state in the place of the old one, in a single assignment.
`consistent` gives a method that reads several attributes all of them from one state.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

P = ParamSpec("P")
Result = TypeVar("Result")

_local = threading.local()  # `being_fitted`: what this thread fits, by id of the original


@contextmanager
def fitted_aside(original: Any) -> Iterator[Any]:
    """Yield a copy to fit; what that changed becomes the original's, unless there is an error.

    What others changed in the meantime, such as a parameter, stays as they set it. In this thread,
    that is, in callbacks, methods that are `consistent` read the copy.
    """
    before = dict(vars(original))
    copied = _with_state(original, before)
    copies: dict[int, Any] = vars(_local).setdefault("being_fitted", {})
    copies[id(original)] = copied
    try:
        yield copied
    finally:
        del copies[id(original)]
    after = vars(copied)
    gone = before.keys() - after.keys()
    changed = {n: value for n, value in after.items() if value is not before.get(n, _NOTHING)}
    kept = {n: value for n, value in dict(vars(original)).items() if n not in gone}
    original.__dict__ = kept | changed


def consistent(
    method: Callable[Concatenate[Any, P], Result],
) -> Callable[Concatenate[Any, P], Result]:
    """Return a method that sees the object as it was when the call began."""

    @wraps(method)
    def reading(self: Any, *args: P.args, **kwargs: P.kwargs) -> Result:
        return method(_with_state(self, state_of(self)), *args, **kwargs)

    return cast(Callable[Concatenate[Any, P], Result], reading)


def state_of(original: Any) -> dict[str, Any]:
    """Return the attributes of an object, those of the copy in a thread that fits it."""
    copies: dict[int, Any] = vars(_local).get("being_fitted", {})
    state: dict[str, Any] = vars(copies.get(id(original), original))
    return state


_NOTHING = object()


def _with_state(original: Any, state: dict[str, Any]) -> Any:
    """Return a shallow copy; `__copy__` may have a meaning of its own."""
    copied = object.__new__(type(original))
    vars(copied).update(state)
    return copied
