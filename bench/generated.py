"""Data sets that `bench.datasets` makes: each shows one thing that defaults can get wrong.

Each function makes that many rows and their targets from a source of chance. The hidden truth is
drawn first, the rows after it.
"""

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix, hstack
from sklearn.datasets import make_friedman1
from sklearn.preprocessing import normalize

from bench.data import Clicks, ones

Random = np.random.Generator

RATINGS_ROWS, RATINGS_IDS = 855_000, (6000, 3700)  # as `ratings` is used: rows; users and items


def friedman1(random: Random, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Numeric columns of wild scales and offsets; five of ten matter, two of them as a product."""
    X, y = make_friedman1(rows, noise=1.0, random_state=int(random.integers(1 << 31)))
    scales = np.array([1e6, 1, 1e-3, 1, 100, 1, 1e6, 1, 1, 1e-3])
    offsets = np.array([0, 1e4, 0, -5, 0, 0, 0, 1e4, 0, 0])
    return X * scales + offsets, y


def linear(random: Random, rows: int) -> tuple[csr_matrix, np.ndarray]:
    """20 numbers and 20 fields of 24 categories with a linear truth: interactions are all noise."""
    numeric, fields, size = 20, 20, 24
    w = random.normal(0, 0.5, numeric + fields * size)
    w[random.random(len(w)) < 0.5] = 0
    categories = random.integers(size, size=(rows, fields)) + size * np.arange(fields)
    one_hot = ones(categories.ravel().astype(np.int32), rows, fields * size)
    X = csr_matrix(hstack([csr_matrix(random.normal(size=(rows, numeric))), one_hot]))
    return X, X @ w + random.normal(0, 1, rows)


def ratings_sparse(random: Random, rows: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Few ratings a user: what users and items have in common is too faint to learn much of."""
    users, items, rank = 5000, 2000, 3
    user_effect, item_effect = random.normal(0, 0.5, users), random.normal(0, 0.5, items)
    scale = (0.3 / np.sqrt(rank)) ** 0.5  # the interactions' standard deviation is 0.3
    U, V = random.normal(0, scale, (users, rank)), random.normal(0, scale, (items, rank))
    user = random.integers(users, size=rows)
    item = (items * random.random(rows) ** 2).astype(int)  # some items are popular
    y = 3.5 + user_effect[user] + item_effect[item] + (U[user] * V[item]).sum(1)
    X = pd.DataFrame({"user": _names("u", user), "item": _names("i", item)})
    return X, y + random.normal(0, 0.8, rows)


def ratings(random: Random, rows: int) -> tuple[csr_matrix, np.ndarray]:
    """Many ratings by users and of items whose popularity falls as 1 / (20 + rank), one-hot."""
    rank, first = 8, 0
    columns, effects, factors = [], [], []
    for ids in RATINGS_IDS:
        popularity = random.permutation(1 / np.arange(20, ids + 20))
        found = random.choice(ids, rows, p=popularity / popularity.sum())
        columns.append(first + found)
        effects.append(random.normal(0, 0.4, ids)[found])
        factors.append(random.normal(0, (0.5 / np.sqrt(rank)) ** 0.5, (ids, rank))[found])
        first += ids
    y = 3.6 + sum(effects) + (factors[0] * factors[1]).sum(1) + random.normal(0, 0.8, rows)
    return ones(np.column_stack(columns).ravel().astype(np.int32), rows, first), y


def clicks(random: Random, rows: int) -> tuple[csr_matrix, np.ndarray]:
    """39 fields of one-hot features, popular and rare, with effects of pairs: `bench.data`."""
    X, y = Clicks(39, 50_000, seed=int(random.integers(1 << 31))).draw(rows)
    return X, y.astype(np.int64)


def wide(random: Random, rows: int) -> tuple[csr_matrix, np.ndarray]:
    """Short texts of two kinds, as frequencies of far more words than there are texts."""
    words, length = 20_000, 120
    popularity = 1 / np.arange(10, words + 10)
    tilt = random.normal(0, 0.7, words) * (random.random(words) < 0.1)
    tables = popularity * np.exp(np.outer([-0.5, 0.5], tilt))
    tables /= tables.sum(1, keepdims=True)
    y = random.integers(2, size=rows)
    drawn = np.stack([random.choice(words, length, p=tables[kind]) for kind in y])
    counts = ones(drawn.ravel().astype(np.int32), rows, words)
    counts.sum_duplicates()
    return normalize(counts), y


def xor(random: Random, rows: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Labels that follow two pairs of columns and no single one, so that a line sees nothing."""
    size = 8
    codes = random.integers(size, size=(rows, 6))
    signs = np.array([random.permutation(np.repeat([-1, 1], size // 2)) for _ in range(4)])
    sign = [signs[column][codes[:, column]] for column in range(4)]
    scores = 1.5 * sign[0] * sign[1] + 1.5 * sign[2] * sign[3]
    X = pd.DataFrame({f"c{column}": _names("v", codes[:, column]) for column in range(6)})
    return X, _labels(random, scores)


def tiny(random: Random, rows: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Hardly any rows, to see whether training fits the noise."""
    effects = random.normal(0, 1, (3, 6))
    codes = random.integers([3, 4, 6], size=(rows, 3))
    numbers = random.normal(0, [1, 30], (rows, 2))
    scores = sum(effects[column][codes[:, column]] for column in range(3)) + numbers[:, 0]
    columns = {f"c{column}": _names("v", codes[:, column]) for column in range(3)}
    X = pd.DataFrame({**columns, "x0": numbers[:, 0], "x1": numbers[:, 1] + 200})
    return X, scores + random.normal(0, 1, rows)


def counts(random: Random, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Heavy-tailed numbers whose logarithms matter, two of them as a product."""
    logs = random.normal(size=(rows, 8))
    scales = random.uniform(0.5, 2, 8)
    X = np.exp(3 + scales * logs)
    y = logs @ random.normal(0, 1, 8) + 0.7 * logs[:, 0] * logs[:, 1]
    return X, y + random.normal(0, 0.5, rows)


def _labels(random: Random, scores: np.ndarray) -> np.ndarray:
    """Draw labels of these log odds."""
    return (random.random(len(scores)) < 1 / (1 + np.exp(-scores))).astype(np.int64)


def _names(prefix: str, codes: np.ndarray) -> list[str]:
    """Name categories; strings, as tables have them."""
    return [f"{prefix}{code}" for code in codes]
