"""Work on its way to Spark's workers, and what comes back."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from pyspark.serializers import CloudPickleSerializer

from sparsefm.errors import DivergenceError

LARGE = 1 << 20  # bytes: what is larger is sent once to each worker, not with each task

ARGUMENTS = (TypeError, ValueError, LookupError, NotImplementedError, DivergenceError)


class Sent:
    """A value, such as a function, that tasks get.

    Parameters
    ----------
    value : object
    context : SparkContext
    """

    def __init__(self, value: Any, context: Any) -> None:
        packed = CloudPickleSerializer().dumps(value)
        self._held = context.broadcast(packed) if len(packed) > LARGE else packed

    def get(self) -> Any:
        """Return the value, in a task: each has its own, which it may change."""
        return pickle.loads(self._held if isinstance(self._held, bytes) else self._held.value)

    def forget(self) -> None:
        """Remove it from all workers; no task may ask for it afterwards."""
        if not isinstance(self._held, bytes):
            self._held.destroy()


class Failure(NamedTuple):
    """An error of work, in the place of its result.

    Were it raised, Spark would do the work again, in vain, and tell of it in its own words.

    Attributes
    ----------
    error : Exception
    where : str
        Its traceback.
    """

    error: Exception
    where: str


def attempt(work: Callable[..., Any], *arguments: Any) -> Any:
    """Return the result of work, or its `Failure` if the arguments are to blame."""
    try:
        return work(*arguments)
    except ARGUMENTS as error:
        return Failure(error, traceback.format_exc())


def attempts(work: Callable[..., Iterable[Any]], *arguments: Any) -> Iterator[Any]:
    """Yield what work yields, and at the end a `Failure` if the arguments are to blame."""
    try:
        yield from work(*arguments)
    except ARGUMENTS as error:
        yield Failure(error, traceback.format_exc())


def check(result: Any) -> Any:
    """Return the result of work, on the driver; raise its error if it failed."""
    if isinstance(result, Failure):
        raise result.error from RuntimeError(f"in a worker of Spark:\n{result.where}")
    return result


def packed(value: Any) -> bytes:
    """Return a value as bytes."""
    return pickle.dumps(value, protocol=5)
