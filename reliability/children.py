"""Children of this process, which may be limited, killed, or end by a crash."""

import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any


def start(function: Callable[..., Any], *args: Any) -> int:
    """Call a function in a forked child, which then ends; return the child's number."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        function(*args)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def end(child: int) -> str:
    """Wait for a child; return how it ended, "" if as it should."""
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code < 0:
        return f"the process died of {signal.Signals(-code).name}"
    return f"the process ended with status {code}" if code else ""


def call(function: Callable[..., Any], *args: Any) -> tuple[Any, str]:
    """Call a function in a child; return its result, None if there is none, and how it ended."""
    reading, writing = os.pipe()

    def answer() -> None:
        os.close(reading)
        with os.fdopen(writing, "wb") as pipe:
            pickle.dump(function(*args), pipe)

    child = start(answer)
    os.close(writing)
    try:
        with os.fdopen(reading, "rb") as pipe:
            answered = pipe.read()
    except BaseException:
        os.kill(child, signal.SIGKILL)
        raise
    finally:
        ended = end(child)
    return (pickle.loads(answered) if answered and not ended else None), ended
