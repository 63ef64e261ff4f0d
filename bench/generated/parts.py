"""What tables are made of: columns of categories, labels, and a table whose score is known."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bench.data import ones

Random = np.random.Generator


def names(prefix: str, codes: np.ndarray) -> np.ndarray:
    """Name categories; strings, as tables have them."""
    return np.array([f"{prefix}{code}" for code in range(codes.max() + 1)], object)[codes]


def categories(codes: Mapping[str, np.ndarray], sizes: Sequence[int], form: str = "table") -> Any:
    """Return columns of categories as a "table" of strings or as a one-hot "csr" matrix."""
    if form == "table":
        return pd.DataFrame({name: names(name[0], column) for name, column in codes.items()})
    first = np.cumsum(sizes) - np.asarray(sizes)
    columns = np.column_stack(list(codes.values())) + first
    return ones(columns.ravel().astype(np.int32), len(columns), sum(sizes))


def popular(random: Random, size: int, rows: int, exponent: float, offset: int) -> np.ndarray:
    """Draw ids whose popularity falls as 1 / (offset + rank) ** exponent."""
    shares = random.permutation(1 / np.arange(offset, size + offset) ** exponent)
    return random.choice(size, rows, p=shares / shares.sum())


def factors(random: Random, size: int, rank: int, signal: float) -> np.ndarray:
    """Draw factors; products of two ids' factors have this standard deviation."""
    return random.normal(0, (signal / np.sqrt(rank)) ** 0.5, (size, rank))


def labels(random: Random, scores: np.ndarray) -> np.ndarray:
    """Draw labels of these log odds."""
    return (random.random(len(scores)) < 1 / (1 + np.exp(-scores))).astype(np.int64)


def targets(random: Random, scores: np.ndarray, noise: float, binary: bool) -> np.ndarray:
    """Draw labels, or add noise."""
    return labels(random, scores) if binary else scores + random.normal(0, noise, len(scores))


def scored(
    random: Random, rows: int, pair: float, sizes: tuple[int, int] = (12, 40)
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return a table of two columns of categories and three of numbers, and its scores.

    The scores have mean 0 and standard deviation 1; `pair` is the share of the variance that is
    the categories' interaction. The last number has no effect.
    """
    effects = [random.normal(0, 1, size) for size in sizes]
    left, right = (factors(random, size, 3, 1.0) for size in sizes)
    slopes = np.array([0.8, -0.5, 0])
    codes = random.integers(sizes, size=(rows, 2))
    numbers = random.normal(size=(rows, 3))
    linear = effects[0][codes[:, 0]] + effects[1][codes[:, 1]] + numbers @ slopes
    product = (left[codes[:, 0]] * right[codes[:, 1]]).sum(1)
    parts = [(part - part.mean()) / part.std() for part in (linear, product)]
    columns = {"a": names("a", codes[:, 0]), "b": names("b", codes[:, 1])}
    columns |= {f"x{i}": numbers[:, i] * 10.0**i + i for i in range(3)}
    return pd.DataFrame(columns), (1 - pair) ** 0.5 * parts[0] + pair**0.5 * parts[1]
