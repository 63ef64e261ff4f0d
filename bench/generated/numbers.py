"""Tables of numbers: of any scale, with straight and bent effects, and with none."""

from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix, hstack
from sklearn.datasets import make_friedman1, make_friedman2, make_friedman3

from bench.data import ones
from bench.generated.parts import Random, names

FRIEDMAN = {1: make_friedman1, 2: make_friedman2, 3: make_friedman3}


def friedman(
    random: Random, rows: int, number: int = 1, noise: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Numeric columns of wild scales and offsets that act together: Friedman's tables 1 to 3.

    In the first five of ten columns matter, two of them as a product. Effects are bent: straight
    lines and products of straight lines miss most of it.
    """
    X, y = FRIEDMAN[number](rows, noise=noise, random_state=int(random.integers(1 << 31)))
    scales = np.array([1e6, 1, 1e-3, 1, 100, 1, 1e6, 1, 1, 1e-3])[: X.shape[1]]
    offsets = np.array([0, 1e4, 0, -5, 0, 0, 0, 1e4, 0, 0])[: X.shape[1]]
    return X * scales + offsets, y


def linear(
    random: Random, rows: int, numeric: int = 20, fields: int = 20, size: int = 24
) -> tuple[csr_matrix, np.ndarray]:
    """Numbers and one-hot fields of categories with a linear truth: interactions are all noise.

    A factorization machine that is not linear can only be worse.
    """
    w = random.normal(0, 0.5, numeric + fields * size)
    w[random.random(len(w)) < 0.5] = 0
    codes = random.integers(size, size=(rows, fields)) + size * np.arange(fields)
    one_hot = ones(codes.ravel().astype(np.int32), rows, fields * size)
    X = csr_matrix(hstack([csr_matrix(random.normal(size=(rows, numeric))), one_hot]))
    return X, X @ w + random.normal(0, 1, rows)


def noise(
    random: Random, rows: int, fields: int = 4, size: int = 30, binary: bool = False
) -> tuple[pd.DataFrame, np.ndarray]:
    """Categories and numbers that tell nothing of the targets.

    The best prediction is the mean. Whatever a search finds is its own luck.
    """
    codes = random.integers(size, size=(rows, fields))
    numbers = random.normal(size=(rows, 4))
    columns: dict[str, Any] = {f"c{i}": names("v", codes[:, i]) for i in range(fields)}
    columns |= {f"x{i}": numbers[:, i] for i in range(4)}
    y = random.integers(2, size=rows) if binary else random.normal(10, 2, rows)
    return pd.DataFrame(columns), y


def bent(
    random: Random,
    rows: int,
    shapes: tuple[str, ...] = ("smooth", "steps", "periodic"),
    cycles: float = 2.0,
    noise: float = 0.5,
) -> tuple[pd.DataFrame, np.ndarray]:
    """Numbers with bent effects, two columns of each shape and two without effect.

    A column that is only standardised has a straight effect. Steps need bins; smooth effects lose
    by wide ones; periodic ones need many.
    """
    columns, y = {}, np.zeros(rows)
    for shape in np.repeat(shapes, 2):
        z = random.normal(size=rows) if shape == "smooth" else random.uniform(-1, 1, rows)
        scale, offset = 10.0 ** random.integers(-3, 5), random.normal(0, 3)
        columns[f"x{len(columns)}"] = scale * (z + offset)
        if shape == "smooth":
            effect = np.sin(1.5 * z + random.uniform(0, 3)) + 0.4 * z**2
        elif shape == "steps":
            levels, cuts = random.normal(0, 1, 7), np.sort(random.uniform(-1, 1, 6))
            effect = levels[np.searchsorted(cuts, z)]
        else:
            effect = np.sin(np.pi * cycles * z + random.uniform(0, 3))
        y += effect
    for _ in range(2):
        columns[f"x{len(columns)}"] = random.normal(size=rows)
    return pd.DataFrame(columns), y + random.normal(0, noise, rows)


def amounts(
    random: Random, rows: int, sigma: float = 1.0, log: bool = False, noise: float = 1.0
) -> tuple[pd.DataFrame, np.ndarray]:
    """Amounts of money, lognormal, with y = 3 x amount, or with the logarithm's effect.

    If outliers are cut the first is lost; if they are not the second is bent beyond use.
    """
    effects = random.normal(0, 2, 6)
    amount = random.lognormal(3, sigma, rows)
    code, age = random.integers(6, size=rows), random.uniform(18, 80, rows)
    y = (2 * np.log(amount) if log else 3 * amount) + effects[code] + 0.02 * age
    X = pd.DataFrame({"amount": amount, "age": age, "kind": names("k", code)})
    return X, y + random.normal(0, noise, rows)


def mostly_zero(
    random: Random, rows: int, zeros: float = 0.95, columns: int = 6, sigma: float = 1.0
) -> tuple[pd.DataFrame, np.ndarray]:
    """Columns of zeros with a few lognormal amounts; some act by amount, some by being there.

    Quantiles are all zero, so that cuts or bins that come from them wipe the column out.
    """
    slopes, effects = random.normal(0, 1, (2, columns))
    there = random.random((rows, columns)) >= zeros
    values = there * random.lognormal(1, sigma, (rows, columns))
    by_amount = np.arange(columns) % 2 == 0
    y = values @ np.where(by_amount, slopes, 0) + there @ np.where(by_amount, 0, 3 * effects)
    X = pd.DataFrame({f"x{i}": values[:, i] for i in range(columns)})
    return X, y + random.normal(0, 1, rows)


def heavy_numbers(
    random: Random, rows: int, product: float = 0.7, columns: int = 8
) -> tuple[np.ndarray, np.ndarray]:
    """Heavy-tailed numbers whose logarithms matter, two of them as a product.

    A few rows have nearly all of each column's variance.
    """
    logs = random.normal(size=(rows, columns))
    scales = random.uniform(0.5, 2, columns)
    y = logs @ random.normal(0, 1, columns) + product * logs[:, 0] * logs[:, 1]
    return np.exp(3 + scales * logs), y + random.normal(0, 0.5, rows)
