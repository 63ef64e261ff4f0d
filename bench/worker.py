"""One measurement, one process: its threads and its peak memory are then its own.

The parent is `call`; the child runs ``python -m bench.worker module:function``, reads the arguments
from standard input and prints the result, both as JSON.
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Hashable, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "RAYON_NUM_THREADS",
)

Key = TypeVar("Key", bound=Hashable)


class WorkerError(Exception):
    """A measurement failed; the message is the last line that it wrote."""


def call(
    function: Callable[..., Any], *, threads: int, python: str = sys.executable, **arguments: Any
) -> Any:
    """Return ``function(threads=threads, **arguments)``, computed in a new process.

    The function is one of a module; what it takes and returns can be written as JSON. It may run
    in another Python, if that has what the module imports.
    """
    name = f"{function.__module__}:{function.__qualname__}"
    done = subprocess.run(
        [python, "-m", "bench.worker", name],
        input=json.dumps({"threads": threads, **arguments}),
        env=os.environ | dict.fromkeys(THREAD_VARIABLES, str(threads)),
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise WorkerError((done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1])
    return json.loads(done.stdout)


def alternate(calls: Mapping[Key, partial], repeats: int) -> dict[Key, list[Any] | WorkerError]:
    """Make each of the calls, then each again, and so on; return the results of each.

    A call that fails is not repeated; its result is the error.
    """
    results: dict[Key, list[Any] | WorkerError] = {key: [] for key in calls}
    for repeat in range(repeats):
        for key, make in calls.items():
            print(f"{repeat + 1}/{repeats} {key}", file=sys.stderr, flush=True)
            found = results[key]
            if isinstance(found, list):
                try:
                    found.append(make())
                except WorkerError as error:
                    results[key] = error
    return results


def medians(results: list[dict[str, float]] | WorkerError) -> dict[str, float]:
    """Return the median of each value; raise if the results are an error."""
    if isinstance(results, WorkerError):
        raise results
    return {name: statistics.median(had[name] for had in results) for name in results[0]}


def main() -> None:
    """Compute one result."""
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever libraries print is not the answer
    module, name = sys.argv[1].split(":")
    result = getattr(import_module(module), name)(**json.load(sys.stdin))
    json.dump(result, answer)
    answer.close()


if __name__ == "__main__":
    main()
