"""Lying checkpoints: each is refused by name, or training goes on from it, or is resumed."""

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import sparsefm as fm
from reliability.fuzz.choices import Choices
from reliability.fuzz.lies import write_lies
from reliability.fuzz.model_files import REFUSALS, load
from reliability.problems import KINDS, fitted, table, targets


@cache
def truths() -> list[Path]:
    """Return checkpoints of each kind that is trained, and files with the optimizer's state."""
    folder = Path(tempfile.mkdtemp(prefix="reliability-"))
    for kind in KINDS:
        if kind != "sampled":
            model = KINDS[kind][0]().set_params(callbacks=[fm.Checkpoint(folder / kind)])
            model.fit(table(40), targets(kind, 40))
            fitted(kind).save(folder / f"{kind}-state", optimizer_state=True)
    return sorted(folder.iterdir())


@cache
def interrupted() -> list[Path]:
    """Return a checkpoint of each kind, of a training that can be resumed."""
    folder = Path(tempfile.mkdtemp(prefix="reliability-"))
    for kind in KINDS:
        resume(kind, None, [fm.Checkpoint(folder / kind)], 0)
    return sorted(folder.iterdir())


def resume(kind: str, path: Path | None, callbacks: list[Any], more: int) -> None:
    """Train, with early stopping where there is such a thing."""
    model = KINDS[kind][0]().set_params(callbacks=callbacks, validation_fraction=0.3)
    model.set_params(epochs=3 + more).fit(table(40), targets(kind, 40), resume=path)


def test_resuming(path: Path, choices: Choices) -> None:
    """Resume from one file."""
    truth = choices.one_of(interrupted())
    if not write_lies(truth, path, choices):
        return
    try:
        resume(truth.name, path, [], choices.below(2))
    except (ValueError, MemoryError, fm.DivergenceError) as error:
        assert str(error)


def test(data: bytes, folder: Path) -> None:
    """Try one file."""
    path = folder / "fuzzed.safetensors"
    choices = Choices(data)
    if choices.below(2):
        test_resuming(path, choices)
        return
    if not write_lies(choices.one_of(truths()), path, choices):
        return
    model = load(path)
    if model is None:
        return
    kind = "classifier" if isinstance(model, fm.FMClassifier) else "regressor"
    y = targets(kind, 20)
    if kind == "classifier":
        y = model.classes_[y % len(model.classes_)]
    try:
        if choices.below(2):
            model.partial_fit(table(20), y)
        else:
            model.set_params(warm_start=True, epochs=1).fit(table(20), y)
        model.predict(table(20))
    except (*REFUSALS, fm.DivergenceError) as error:
        assert str(error)
