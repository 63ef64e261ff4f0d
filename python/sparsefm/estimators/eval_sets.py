"""The argument `eval_set` of `fit`: validation rows, or several sets of them with names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.data.csr import stacked
from sparsefm.data.dataset import Dataset
from sparsefm.data.validation import is_mapping
from sparsefm.files.texts import are_files
from sparsefm.training.loop import Run

UNNAMED = ""  # the only set
SEPARATOR = "/"  # between the name of a set and that of a loss or metric, in `history_`
ALLOWED = (
    "eval_set must be a tuple (X, y) or (X, y, sample_weight), a list of such tuples, or a dict of "
    "them by name"
)


@dataclass(frozen=True, eq=False)
class EvalSets(Dataset):
    """The validation rows that decide, and those of all sets.

    Attributes
    ----------
    sets : mapping of str to Dataset
        Each by its name; the last is the one that decides.
    together : Dataset or None
        The rows of all sets, one set after the other, without weights.
    """

    sets: Mapping[str, Dataset] = field(default_factory=dict)
    together: Dataset | None = None

    @classmethod
    def of_sets(cls, sets: Mapping[str, Dataset]) -> EvalSets:
        """Return several sets; the last of them decides."""
        parts = list(sets.values())
        together = Dataset.of(
            stacked([part.X for part in parts]),
            np.concatenate([part.y for part in parts]),
            tuple(map(np.concatenate, zip(*(part.targets for part in parts), strict=True))),
        )
        last = {item.name: getattr(parts[-1], item.name) for item in fields(Dataset)}
        return cls(**last, sets=sets, together=together)

    def of_all_classes(self) -> EvalSets:
        """Return the same sets with the numbers of classes as their one target."""
        return EvalSets.of_sets({name: rows.of_all_classes() for name, rows in self.sets.items()})


def all_rows(validation: Dataset | None) -> Dataset | None:
    """Return the rows to score after each epoch."""
    return validation.together if isinstance(validation, EvalSets) else validation


def scored_sets(
    run: Run, validation: Dataset
) -> Iterator[tuple[str, Dataset, npt.NDArray[np.float64]]]:
    """Yield the name of each set, its rows and their current scores; the last set decides."""
    if not isinstance(validation, EvalSets) or validation.together is None:
        yield UNNAMED, validation, run.scores(validation)
        return
    scores, begin = run.scores(validation.together), 0
    for name, rows in validation.sets.items():
        end = begin + rows.X.n_rows
        yield name, rows, scores[begin:end]
        begin = end


def named_sets(eval_set: Any) -> dict[str, tuple[Any, Any, Any]]:
    """Return X, y and weights (or None) of each set by its name."""
    if is_mapping(eval_set):
        named = dict(eval_set)
    elif isinstance(eval_set, list | tuple) and any(map(_is_set, eval_set)):
        named = {f"valid_{number}": part for number, part in enumerate(eval_set)}
        if len(named) == 1:
            named = {UNNAMED: eval_set[0]}
    else:
        named = {UNNAMED: eval_set}
    if not named:
        raise ValueError(f"{ALLOWED}; it is empty")
    for name, part in named.items():
        if not isinstance(name, str) or (name == UNNAMED and isinstance(eval_set, Mapping)):
            raise TypeError(f"the names in eval_set must be text, got {name!r:.80}")
        is_pair = isinstance(part, list | tuple) and len(part) in (2, 3)
        if not is_pair or (part[1] is None and not are_files(part[0])):
            raise TypeError(f"{ALLOWED}; got {type(part).__name__}{name and f' for {name!r}'}")
    return {name: (*part, None)[:3] for name, part in named.items()}


def _is_set(part: Any) -> bool:
    """Return whether something is a tuple (X, y) or (X, y, w), and not itself an X or a y."""
    if not isinstance(part, list | tuple) or len(part) not in (2, 3):
        return False
    X = part[0]
    if isinstance(part, tuple) and are_files(X):
        return True
    shape = getattr(X, "shape", None)
    if isinstance(shape, tuple):
        return len(shape) == 2
    return isinstance(X, list | tuple) and len(X) > 0 and isinstance(X[0], list | tuple | dict)
