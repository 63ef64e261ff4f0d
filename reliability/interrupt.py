"""Press Ctrl-C at random moments; look at what the estimator and its file became."""

import faulthandler
import os
import pickle
import random
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import sparsefm as fm
from reliability.problems import SAMPLED, SGD, matrix, scores, table, targets
from reliability.report import Budget, Report

ROWS, FEW = 40_000, 200
HANGS = 60.0  # seconds after which the process ends, and says where it was
LATE = 2.0


@dataclass
class Case:
    """An operation, and whether all is as before it or as after it."""

    name: str
    operation: Callable[[], Any]
    is_whole: Callable[[], bool]
    prepare: Callable[[], Any] = lambda: None
    seconds: float = 0.0

    def measure(self) -> None:
        """Do it twice, to learn how long it takes."""
        for _ in range(2):
            self.prepare()
            begun = time.perf_counter()
            self.operation()
            self.seconds = time.perf_counter() - begun


def interrupt(operation: Callable[[], Any], delay: float) -> float | None:
    """Interrupt an operation; return how long it went on, or None if it had ended."""
    rung: list[float] = []

    def ring() -> None:
        rung.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(delay, ring)
    try:
        timer.start()
        operation()
        ended = True
        timer.cancel()
        timer.join()
        time.sleep(0.001)  # the signal may be on its way
    except KeyboardInterrupt:
        ended = "ended" in locals()
    return None if ended or not rung else time.perf_counter() - rung[0]


def fitting(name: str, model: Any, first: Any, second: Any, method: str = "fit") -> Case:
    """Return a fit to the second problem of what was fitted to the first."""
    few = first[0][:FEW]
    before = pickle.dumps(model.fit(*first))
    states = [scores(model, few)]
    after = pickle.loads(before)
    getattr(after, method)(*second)
    states.append(scores(after, few))

    def prepare() -> None:
        model.__dict__ = vars(pickle.loads(before))

    def is_whole() -> bool:
        now = scores(model, few)
        copied = scores(pickle.loads(pickle.dumps(model)), few)
        return np.array_equal(now, copied) and any(np.array_equal(now, one) for one in states)

    return Case(name, lambda: getattr(model, method)(*second), is_whole, prepare)


def cases(folder: Path) -> list[Case]:
    """Return what is interrupted."""
    frame, X = table(ROWS), matrix(ROWS)
    numbers, classes = targets("regressor", ROWS), targets("several classes", ROWS)
    first = (table(FEW, 1), targets("regressor", FEW))
    of_classes = (first[0], targets("several classes", FEW))
    found = [
        fitting("fit", fm.FMRegressor(**SGD), first, (frame, numbers)),
        fitting("fit, several classes", fm.FMClassifier(**SGD), of_classes, (frame, classes)),
        fitting("fit, sampled", fm.FMRegressor(**SAMPLED), first, (frame, numbers)),
        fitting("partial_fit", fm.FMRegressor(**SGD), first, (frame, numbers), "partial_fit"),
    ]
    search = SGD | {"search": "fast", "solver": None, "epochs": None, "rank": None}
    few = (table(2000), targets("regressor", 2000))
    found.append(fitting("fit, searching", fm.FMRegressor(**search), first, few))
    model = fm.FMRegressor(**SGD | {"rank": 64}).fit(X, numbers)
    expected = scores(model, X[:FEW])

    def is_same() -> bool:
        return np.array_equal(scores(model, X[:FEW]), expected)

    found.append(Case("predict", lambda: model.predict(X), is_same))
    encoder = fm.TableEncoder().fit(frame)
    rows = encoder.transform(first[0])
    found.append(
        Case(
            "transform",
            lambda: encoder.transform(frame),
            lambda: (encoder.transform(first[0]) != rows).nnz == 0,
        )
    )
    path = folder / "saved.safetensors"
    model.save(path)

    def is_saved() -> bool:
        same = np.array_equal(scores(fm.load(path), X[:FEW]), expected)
        return same and os.listdir(folder) == [path.name]

    found.append(Case("save", lambda: model.save(path), is_saved))
    found.append(Case("load", lambda: fm.load(path), is_saved))
    return found


def run(budget: Budget, report: Report) -> None:
    """Interrupt each operation at random moments."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs ignore it
    moments, longest = random.Random(budget.seed), 0.0
    with tempfile.TemporaryDirectory() as folder:
        found = cases(Path(folder))
        for case in found:
            case.measure()
        for number in budget:
            case = found[number % len(found)]
            case.prepare()
            faulthandler.dump_traceback_later(HANGS, exit=True)
            waited = interrupt(case.operation, moments.uniform(0, case.seconds))
            whole = case.is_whole()
            faulthandler.cancel_dump_traceback_later()
            if not whole:
                report.find(f"{case.name}: half changed")
            elif waited is not None and waited > LATE:
                report.find(f"{case.name}: went on for {waited:.1f} s")
            else:
                report.add("ended before" if waited is None else "interrupted")
            longest = max(longest, waited or 0.0)
    report.figures.append(f"{len(found)} operations; heard within {longest:.2f} s")
