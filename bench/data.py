"""Data sets of the benchmarks: two made here, in the manner of click logs, and the flights.

A made row has one feature, of value 1, in each field. The fields' sizes are spaced evenly in
logarithm; within a field popularity falls as 1 / rank, and identifiers are in no order of
popularity. Labels follow a hidden factorization machine of rank 4 over the fields of middling size,
plus a linear effect of every feature, so that interactions can be learnt and matter.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from scipy.sparse import csr_matrix

SHAPES = {"a": (300_000, 20, 200_000), "b": (500_000, 39, 800_000)}  # rows, fields, features
TITLES = {
    "a": "(a) 300k rows x 20 ones, 200k features",
    "b": "(b) 500k rows x 39 ones, 800k features",
    "c": "(c) flights: 262k rows x 18 ones, 10.6k features",
}
QUICK = 100  # quick data are smaller by this factor
CHUNK = 100_000  # rows made at once
HIDDEN_RANK = 4
HIDDEN_SIZES = (8, 2000)  # of the fields whose features interact
LINEAR_SCALE, PAIR_SCALE = 0.25, 1.2  # a feature's effect; all pairs' together


@dataclass(frozen=True, eq=False)
class Data:
    """Rows to train and to validate with; CSR of float32 ones, sorted int32 indices."""

    X: csr_matrix
    y: np.ndarray
    X_val: csr_matrix
    y_val: np.ndarray
    X_test: csr_matrix | None = None
    y_test: np.ndarray | None = None

    def head(self, rows: int | None) -> "Data":
        """Return these data with at most so many rows of each kind; None for all."""
        parts = (getattr(self, name) for name in _NAMES)
        return Data(*(None if part is None else part[:rows] for part in parts))


def title(name: str, quick: bool) -> str:
    """Return a description of a data set."""
    return TITLES[name] + (f", quick: 1/{QUICK} of that" if quick else "")


_NAMES = tuple(field.name for field in fields(Data))


def field_sizes(number: int, features: int) -> np.ndarray:
    """Return sizes spaced evenly in logarithm, at least 2, whose sum is `features`."""
    sizes = np.geomspace(4, features, number)
    sizes = np.maximum(2, (sizes * features / sizes.sum()).astype(np.int64))
    sizes[-1] += features - sizes.sum()
    return sizes


class Clicks:
    """A source of rows: `draw` as many as needed."""

    def __init__(self, n_fields: int, features: int, seed: int = 0) -> None:
        self._random = np.random.default_rng(seed)
        self._sizes = field_sizes(n_fields, features)
        self._first = np.cumsum(self._sizes) - self._sizes
        self._feature = np.concatenate(
            [
                first + self._random.permutation(size)
                for first, size in zip(self._first, self._sizes, strict=True)
            ]
        ).astype(np.int32)
        self._w = self._random.normal(0, LINEAR_SCALE, features).astype(np.float32)
        self._hidden = np.flatnonzero(
            (self._sizes >= HIDDEN_SIZES[0]) & (self._sizes <= HIDDEN_SIZES[1])
        )
        pairs = max(1, len(self._hidden) * (len(self._hidden) - 1) // 2)
        scale = (PAIR_SCALE / np.sqrt(pairs * HIDDEN_RANK)) ** 0.5
        self._V = self._random.normal(0, scale, (features, HIDDEN_RANK)).astype(np.float32)

    def draw(self, rows: int) -> tuple[csr_matrix, np.ndarray]:
        """Return that many new rows and their labels, 0 or 1."""
        columns = np.empty((rows, len(self._sizes)), np.int32)
        y = np.empty(rows, np.float32)
        for begin in range(0, rows, CHUNK):
            chunk = columns[begin : begin + CHUNK]
            uniform = self._random.random(chunk.shape, np.float32)
            ranks = ((self._sizes + 1.0) ** uniform).astype(np.int32) - 1
            chunk[:] = self._feature[self._first + np.minimum(ranks, self._sizes - 1)]
            scores = self._scores(chunk)
            y[begin : begin + CHUNK] = self._random.random(len(chunk)) < 1 / (1 + np.exp(-scores))
        return ones(columns.ravel(), rows, len(self._feature)), y

    def _scores(self, columns: np.ndarray) -> np.ndarray:
        factors = self._V[columns[:, self._hidden]]
        pairs = (factors.sum(1) ** 2 - (factors**2).sum(1)).sum(1) / 2
        return self._w[columns].sum(1) + pairs - 1


def ones(columns: np.ndarray, rows: int, features: int) -> csr_matrix:
    """Return a matrix with as many ones in each row, in these columns."""
    offsets = np.arange(rows + 1, dtype=np.int32) * np.int32(len(columns) // rows)
    values = np.ones(len(columns), np.float32)
    return csr_matrix((values, columns, offsets), (rows, features))


def make(name: str, quick: bool = False) -> Data:
    """Return data set "a", "b" or "c"; a tenth as many rows again for validation."""
    if name == "c":
        from sparsefm.datasets import load_flights

        flights = load_flights()
        splits = ("train", "valid", "test")
        data = Data(*(getattr(flights, f"{part}_{split}") for split in splits for part in "Xy"))
        return data.head(len(data.y) // QUICK if quick else None)
    rows, n_fields, features = SHAPES[name]
    if quick:
        rows, features = rows // QUICK, features // QUICK
    source = Clicks(n_fields, features)
    return Data(*source.draw(rows), *source.draw(rows // 10))


def save(data: Data, folder: Path) -> None:
    """Write data for `load`."""
    for name in _NAMES:
        part = getattr(data, name)
        if part is not None:
            np.save(folder / f"{name}.npy", part.indices if name.startswith("X") else part)
    (folder / "features").write_text(str(data.X.shape[1]))


def load(folder: str | Path) -> Data:
    """Read what `save` wrote."""
    folder = Path(folder)
    features = int((folder / "features").read_text())
    parts = {path.stem: np.load(path) for path in folder.glob("*.npy")}
    for suffix in ("", "_val", "_test"):
        if f"X{suffix}" in parts:
            parts[f"X{suffix}"] = ones(parts[f"X{suffix}"], len(parts[f"y{suffix}"]), features)
    return Data(**parts)


def distinct_features(X: csr_matrix, batch: int) -> np.ndarray:
    """Return the features of each batch of consecutive rows, each once, one batch after another."""
    bounds = [*X.indptr[::batch], X.nnz]
    return np.concatenate([np.unique(X.indices[a:b]) for a, b in pairwise(bounds)])


@contextmanager
def stored(data: Data) -> Iterator[str]:
    """Keep data in a folder, for other processes to `load`, meanwhile."""
    with TemporaryDirectory() as folder:
        save(data, Path(folder))
        yield folder
