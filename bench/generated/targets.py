"""Tables whose targets are awkward: many classes, rare ones, counts, outliers."""

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from bench.generated.parts import Random, factors, labels, names, scored


def classes(
    random: Random,
    rows: int,
    classes: int = 5,
    sizes: tuple[int, ...] = (12, 30, 8),
    pair: float = 1.0,
) -> tuple[pd.DataFrame, np.ndarray]:
    """Several classes, of which categories, numbers and a pair of categories tell.

    Time and memory must not grow with classes x candidates; choices that are made on a few of the
    classes must fit the others.
    """
    single = [random.normal(0, 0.7, (size, classes)) for size in sizes]
    slopes = random.normal(0, 0.7, (2, classes))
    left, right = (factors(random, size, 4, 1.0) for size in sizes[:2])
    mix = random.normal(0, pair, (4, classes))
    codes = random.integers(sizes, size=(rows, len(sizes)))
    numbers = random.normal(size=(rows, 2))
    scores = numbers @ slopes + (left[codes[:, 0]] * right[codes[:, 1]]) @ mix
    for column, effects in enumerate(single):
        scores += effects[codes[:, column]]
    y = (scores + random.gumbel(size=scores.shape)).argmax(1)
    columns = {f"c{column}": names("v", codes[:, column]) for column in range(len(sizes))}
    return pd.DataFrame({**columns, "x0": numbers[:, 0], "x1": 40 * numbers[:, 1]}), y


def imbalance(
    random: Random, rows: int, rate: float = 1e-3, pair: float = 0.3, scale: float = 1.5
) -> tuple[pd.DataFrame, np.ndarray]:
    """One row in a thousand is of class 1.

    A sample of the rows, or a validation part, has next to none of them.
    """
    X, scores = scored(random, rows, pair)
    scores = scale * scores
    bias = brentq(lambda bias: (1 / (1 + np.exp(-scores - bias))).mean() - rate, -50, 50)
    return X, labels(random, scores + bias)


def separable(
    random: Random, rows: int, flips: float = 2e-3, pair: float = 0.2
) -> tuple[pd.DataFrame, np.ndarray]:
    """Two classes that a score tells apart but for a few rows.

    Weights want to grow for ever; a few wrong rows are very dear.
    """
    X, scores = scored(random, rows, pair)
    return X, ((scores > 0) ^ (random.random(rows) < flips)).astype(np.int64)


def poisson(
    random: Random, rows: int, mean: float = 1.0, pair: float = 0.3, scale: float = 0.7
) -> tuple[pd.DataFrame, np.ndarray]:
    """Small counts, of which many are 0 and a few large, with effects that multiply.

    The noise grows with the mean, and sums of effects are only nearly right.
    """
    X, scores = scored(random, rows, pair)
    return X, random.poisson(mean * np.exp(scale * scores)).astype(np.float64)


def heavy_targets(
    random: Random, rows: int, kind: str = "student", spread: float = 2.5, pair: float = 0.3
) -> tuple[pd.DataFrame, np.ndarray]:
    """Targets with outliers: noise of Student's t with so many degrees, or "lognormal" targets.

    A few rows decide which candidate wins on the validation rows, and fits chase them.
    """
    X, scores = scored(random, rows, pair)
    if kind == "student":
        return X, 2 * scores + random.standard_t(spread, rows)
    return X, np.exp(0.7 * scores + random.normal(0, spread, rows))
