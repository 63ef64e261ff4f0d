"""Limit the address space, at levels from nothing more to more than enough."""

import ctypes
import os
import pickle
import resource
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

import sparsefm as fm
from reliability import children
from reliability.problems import SAMPLED, SGD, Estimator, matrix, scores, table, targets
from reliability.report import Budget, Report

ROWS = 30_000
LEVELS = 100
BLOCKS = (1 << 20, 1 << 16, 1 << 12, 1 << 10)
FEW = 1000
MMAP_THRESHOLD = -3  # of <malloc.h>


def address_space(name: str) -> int:
    """Return a figure of this process's status, in bytes."""
    return int(Path("/proc/self/status").read_text().split(f"{name}:")[1].split()[0]) << 10


@contextmanager
def limited(more: int) -> Iterator[None]:
    """Allow this process so many bytes; what its heap has free is used up first."""
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (address_space("VmSize"), hard))
    ballast = []
    for size in BLOCKS:
        with suppress(MemoryError):
            while True:
                ballast.append(bytes(size))
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))  # to have enough for the next line
    resource.setrlimit(resource.RLIMIT_AS, (address_space("VmSize") + more, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
        ballast.clear()


def attempt(operation: Callable[[], Any], check: Callable[[], bool], more: int) -> str:
    """Try an operation in this much memory; return how it ended."""
    try:
        with limited(more):
            operation()
        ended = "succeeded"
    except MemoryError:
        ended = "MemoryError"
    return ended if check() else f"finding: changed by what ended as: {ended}"


def need(operation: Callable[[], Any], check: Callable[[], bool]) -> int:
    """Return with about how many more bytes an operation succeeds."""
    least, most = 0, 1 << 28
    while most - least > max(most // 16, 1 << 16):
        middle = (least + most) // 2
        ended, died = children.call(attempt, operation, check, middle)
        if ended == "succeeded" and not died:
            most = middle
        else:
            least = middle
    return most


def operations(folder: Path) -> Iterator[tuple[str, Callable[[], Any], Callable[[], bool]]]:
    """Yield what to try, by name, and what must hold after it, whether it fails or not."""
    X, y = matrix(ROWS), targets("regressor", ROWS)
    few, frame = X[:FEW], table(FEW)
    many = table(ROWS)
    path = folder / "saved.safetensors"
    wide = matrix(FEW, 200_000)
    models: dict[str, Estimator] = {
        "SGD": fm.FMRegressor(**SGD | {"rank": 16}).fit(few, y[:FEW]),
        "sampled": fm.FMRegressor(**SAMPLED).fit(few, y[:FEW]),
    }
    for name, model in models.items():
        expected = scores(model, few)

        def same(model: Any = model, expected: Any = expected) -> bool:
            as_new = scores(pickle.loads(pickle.dumps(model)), few)
            return np.array_equal(scores(model, few), expected) and np.array_equal(as_new, expected)

        def fits(model: Any = model, same: Callable[[], bool] = same) -> bool:
            """Return whether the model is the old one, or one that was fitted completely."""
            return same() or bool(model.history_ and np.isfinite(scores(model, few)).all())

        yield f"fit, {name}", lambda model=model: model.fit(X, y), fits
        yield f"predict, {name}", lambda model=model: model.predict(X), same
    encoded = fm.FMClassifier(**SGD).fit(frame, np.resize([0, 1], FEW))
    before = scores(encoded, frame)
    yield (
        "predict of a table",
        lambda: encoded.predict(many),
        lambda: np.array_equal(scores(encoded, frame), before),
    )
    encoder = fm.TableEncoder().fit(frame)
    rows = encoder.transform(frame)
    yield (
        "transform",
        lambda: encoder.transform(many),
        lambda: (encoder.transform(frame) != rows).nnz == 0,
    )
    large = fm.FMRegressor(**SGD | {"rank": 32}).fit(wide, y[:FEW])
    large.save(path)
    expected = scores(large, wide)
    yield "save", lambda: large.save(path), lambda: is_there(path, wide, expected)
    yield "load", lambda: fm.load(path), lambda: is_there(path, wide, expected)


def is_there(path: Path, X: Any, expected: Any) -> bool:
    """Return whether the file, and nothing else, is in its folder."""
    same = np.array_equal(scores(fm.load(path), X), expected)
    return same and os.listdir(path.parent) == [path.name]


def run(budget: Budget, report: Report) -> None:
    """Try every operation at every level."""
    ctypes.CDLL(None).mallopt(MMAP_THRESHOLD, 1 << 16)  # else what was freed would serve
    with tempfile.TemporaryDirectory() as folder:
        tried = [(*each, need(*each[1:])) for each in operations(Path(folder))]
        pairs = [(level, each) for level in range(LEVELS) for each in tried]
        steps = np.random.default_rng(budget.seed).permutation(len(pairs))
        levels = set()
        for number in budget:
            level, (name, operation, check, most) = pairs[steps[number % len(pairs)]]
            more = int(most * 1.2 * level / LEVELS)
            ended, died = children.call(attempt, operation, check, more)
            levels.add(level)
            if died or ended.startswith("finding"):
                report.find(f"{name}, {more >> 10} KiB of {most >> 10}: {died or ended}")
            else:
                report.add(ended)
    report.figures.append(f"{len(tried)} operations at {len(levels)} levels")
