"""Tables of several columns of categories: clicks, hashed columns, few rows."""

from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from bench.data import Clicks
from bench.generated.parts import Random, labels, names


def clicks(
    random: Random, rows: int, fields: int = 39, features: int = 50_000, form: str = "csr"
) -> tuple[Any, np.ndarray]:
    """Fields of popular and rare categories, with effects of pairs: `bench.data`.

    Rare categories need penalties, popular ones factors. Little is gained over a linear model, so
    a factorization machine that is chosen badly is worse than it.
    """
    X, y = Clicks(fields, features, seed=int(random.integers(1 << 31))).draw(rows)
    if form == "table":
        codes = X.indices.reshape(rows, fields)
        X = pd.DataFrame({f"c{field}": names("v", codes[:, field]) for field in range(fields)})
    return X, y.astype(np.int64)


def hashed(
    random: Random, rows: int, fields: int = 30, columns: int = 1 << 18, signed: bool = False
) -> tuple[csr_matrix, np.ndarray]:
    """Few rows of categories hashed to 2^18 columns, most of them empty.

    Memory that grows with columns x folds x candidates runs out; most of the columns of the test
    rows are new.
    """
    sizes = np.geomspace(3, 20_000, fields).astype(int)
    places = [random.integers(columns, size=size) for size in sizes]
    signs = [random.choice([-1, 1], size) if signed else np.ones(size) for size in sizes]
    effects = [random.normal(0, 0.5, size) for size in sizes]
    # In most fields the first categories are in most of the rows.
    codes = [((size + 1.0) ** random.random(rows)).astype(int) - 1 for size in sizes]
    of_row = [
        np.column_stack([part[code] for part, code in zip(parts, codes, strict=True)])
        for parts in (places, signs, effects)
    ]
    offsets = np.arange(rows + 1) * fields
    values = of_row[1].ravel().astype(np.float64)
    X = csr_matrix((values, of_row[0].ravel().astype(np.int32), offsets), (rows, columns))
    X.sum_duplicates()
    return X, labels(random, of_row[2].sum(1))


def xor(
    random: Random, rows: int, size: int = 8, fields: int = 6, scale: float = 1.5
) -> tuple[pd.DataFrame, np.ndarray]:
    """Labels that follow two pairs of columns and no single one, so that a line sees nothing.

    Training starts at a saddle, and the columns without any effect are noise.
    """
    codes = random.integers(size, size=(rows, fields))
    signs = np.array([random.permutation(np.repeat([-1, 1], size // 2)) for _ in range(4)])
    sign = [signs[column][codes[:, column]] for column in range(4)]
    scores = scale * sign[0] * sign[1] + scale * sign[2] * sign[3]
    X = pd.DataFrame({f"c{column}": names("v", codes[:, column]) for column in range(fields)})
    return X, labels(random, scores)


def mixed(
    random: Random, rows: int, groups: int = 20, noise: float = 1.0, slope: float = 1.0
) -> tuple[pd.DataFrame, np.ndarray]:
    """Numbers beside categories; how a number acts depends on the category.

    Numbers and categories need penalties of their own; the products of both matter.
    """
    single = [random.normal(0, 1, size) for size in (groups, 5, 200)]
    slopes = random.normal(0, slope, groups)
    codes = random.integers([groups, 5, 200], size=(rows, 3))
    numbers = random.normal(size=(rows, 4))
    scores = sum(effects[codes[:, column]] for column, effects in enumerate(single))
    scores += slopes[codes[:, 0]] * numbers[:, 0] + 0.7 * numbers[:, 1] + np.sin(2 * numbers[:, 2])
    columns = {f"c{column}": names("v", codes[:, column]) for column in range(3)}
    scales, offsets = [100, 1, 1e-3, 5], [5000, 0, 0, -3]
    columns |= {f"x{i}": numbers[:, i] * scales[i] + offsets[i] for i in range(4)}
    return pd.DataFrame(columns), scores + random.normal(0, noise, rows)


def tiny(random: Random, rows: int, noise: float = 1.0) -> tuple[pd.DataFrame, np.ndarray]:
    """Hardly any rows, to see whether training fits the noise.

    A few validation rows say little, so the choice is a lottery.
    """
    effects = random.normal(0, 1, (3, 6))
    codes = random.integers([3, 4, 6], size=(rows, 3))
    numbers = random.normal(0, [1, 30], (rows, 2))
    scores = sum(effects[column][codes[:, column]] for column in range(3)) + numbers[:, 0]
    columns = {f"c{column}": names("v", codes[:, column]) for column in range(3)}
    X = pd.DataFrame({**columns, "x0": numbers[:, 0], "x1": numbers[:, 1] + 200})
    return X, scores + random.normal(0, noise, rows)
