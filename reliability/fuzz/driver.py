"""What runs a target: ``python -m reliability.fuzz.driver TARGET COUNT SECONDS SEED FOLDER``.

The folder receives the number of runs, and the input that was tried last or that is a finding.
"""

import faulthandler
import random
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

try:
    import atheris
except ImportError:
    atheris = None

from reliability.fuzz import CORPUS
from reliability.report import Budget

LONGEST = 4096
HANGS = 30  # seconds that one input may take
MEMORY = 2048  # MiB


def inputs(target: str) -> list[bytes]:
    """Return the corpus of a target."""
    return [path.read_bytes() for path in sorted(CORPUS.joinpath(target).iterdir())]


def mutate(corpus: list[bytes], numbers: random.Random) -> bytes:
    """Return an input of the corpus with a few changes, or random bytes."""
    if numbers.random() < 0.3:
        return numbers.randbytes(numbers.randrange(LONGEST // 8))
    data = bytearray(numbers.choice(corpus))
    for _ in range(numbers.choice([1, 1, 2, 4, 8])):
        begin = numbers.randrange(len(data) + 1)
        end = begin + numbers.choice([0, 1, 1, 2, 8])
        other = numbers.choice(corpus)
        place = numbers.randrange(len(other) + 1)
        part = (
            other[place : place + 8] if numbers.random() < 0.3 else numbers.randbytes(end - begin)
        )
        data[begin:end] = part
    return bytes(data[:LONGEST])


def by_chance(test: Callable[[bytes], Any], target: str, budget: Budget, folder: Path) -> None:
    """Try inputs until the count or the time is used up."""
    corpus, numbers = inputs(target), random.Random(budget.seed)
    for number in budget:
        data = corpus[number] if number < len(corpus) else mutate(corpus, numbers)
        Path(folder, "input").write_bytes(data)
        faulthandler.dump_traceback_later(HANGS, exit=True)
        test(data)


def guided(test: Callable[[bytes], Any], target: str, budget: Budget, folder: Path) -> None:
    """Have libFuzzer do that; it ends the process."""
    found = folder / "found"
    found.mkdir()
    options = {
        "runs": min(budget.count, 2**31 - 1),
        "max_total_time": int(budget.seconds),
        "seed": budget.seed + 1,
        "max_len": LONGEST,
        "timeout": HANGS,
        "rss_limit_mb": MEMORY,
        "artifact_prefix": f"{folder}/input-",
        "verbosity": 0,
    }
    arguments = [f"-{name}={value}" for name, value in options.items()]
    atheris.Setup([sys.argv[0], *arguments, str(found), str(CORPUS / target)], test)
    atheris.Fuzz()


def main() -> None:
    """Run a target."""
    target, count, seconds, seed, name = sys.argv[1:]
    budget, folder = Budget(int(count), float(seconds), int(seed)), Path(name)
    faulthandler.enable()
    if atheris is None:
        module = import_module(f"reliability.fuzz.{target}")
    else:
        with atheris.instrument_imports(include=["sparsefm"]):
            module = import_module(f"reliability.fuzz.{target}")
    done = 0

    def test(data: bytes) -> None:
        nonlocal done
        done += 1
        if done % 16 == 0:
            Path(folder, "count").write_text(str(done))
        module.test(data, folder)

    (by_chance if atheris is None else guided)(test, target, budget, folder)
    Path(folder, "count").write_text(str(done))


if __name__ == "__main__":
    main()
