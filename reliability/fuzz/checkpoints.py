"""Lying checkpoints: each is refused by name, or training goes on from it."""

import tempfile
from functools import cache
from pathlib import Path

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


def test(data: bytes, folder: Path) -> None:
    """Try one file."""
    path = folder / "fuzzed.safetensors"
    choices = Choices(data)
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
