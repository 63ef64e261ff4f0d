"""What is seen of an object that is being fitted: the old state, then the new one, nothing between.

Methods that fit are `aside`: they change a copy, whose state takes the place of the old one in a
single assignment. Methods that read several attributes are `consistent`: all are of one state.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

Method = TypeVar("Method", bound=Callable[..., Any])
State = dict[str, Any]

_NOTHING = object()
_local = threading.local()  # `busy`: the ids of what this thread fits, and of the copies


def aside(method: Method) -> Method:
    """Return a method that changes the object at once when it returns, and not after an error.

    Parameters that are set in the meantime stay. Of fits at the same time in several threads the
    last to return counts, with all of its state. A fit within a fit of the same object is refused,
    as the outer one would replace its result.
    """

    @wraps(method)
    def fitting(self: Any, *args: Any, **kwargs: Any) -> Any:
        busy: set[int] = vars(_local).setdefault("busy", set())
        if id(self) in busy:
            name = type(self).__name__
            raise RuntimeError(
                f"{method.__name__} was called within a fit of the same {name}, such as by a "
                f"callback: fit another {name} there, for example sklearn.base.clone of this one"
            )
        before = dict(vars(self))
        fitted = _with_state(self, before)
        ids = {id(self), id(fitted)}
        busy.update(ids)
        try:
            result = method(fitted, *args, **kwargs)
        finally:
            busy.difference_update(ids)
        self.__dict__ = _merged(before, vars(fitted), dict(vars(self)))
        return self if result is fitted else result

    return cast(Method, fitting)


def consistent(method: Method) -> Method:
    """Return a method that sees the object as it was when the call began."""

    @wraps(method)
    def reading(self: Any, *args: Any, **kwargs: Any) -> Any:
        return method(_with_state(self, vars(self)), *args, **kwargs)

    return cast(Method, reading)


def _merged(before: State, after: State, now: State) -> State:
    """Return what a fit changed, with what others have set since, such as parameters.

    What other fits changed in the meantime is undone. For this, a state lists what fits change.
    """
    names = before.keys() | after.keys()
    changed = {n for n in names if before.get(n, _NOTHING) is not after.get(n, _NOTHING)}
    changed |= now.get("_changed_by_fits", frozenset())
    kept = {name: value for name, value in now.items() if name not in changed}
    new = {name: value for name, value in after.items() if name in changed}
    return kept | new | {"_changed_by_fits": frozenset(changed)}


def _with_state(original: Any, state: State) -> Any:
    """Return a shallow copy; `__copy__` may have a meaning of its own."""
    copied = object.__new__(type(original))
    vars(copied).update(state)
    return copied
