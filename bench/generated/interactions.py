"""Tables of ids that act together: users, items, tags."""

from typing import Any

import numpy as np
import pandas as pd

from bench.generated.parts import Random, categories, factors, names, popular, targets

RATINGS_ROWS, RATINGS_IDS = 855_000, (6000, 3700)  # as `ratings` is used: rows; users and items


def pairs(
    random: Random,
    rows: int,
    users: int = 300,
    items: int = 200,
    rank: int = 3,
    signal: float = 1.5,
    noise: float = 1.0,
    effects: float = 0.0,
    binary: bool = False,
    form: str = "table",
) -> tuple[Any, np.ndarray]:
    """Users x items with scores <u, v>; no user and no item is better than another.

    Single columns tell next to nothing, so training starts at a saddle: a rule that takes a
    plateau for the end chooses a linear model and predicts the mean. With little signal there is
    nothing to learn, and a rule that overfits does worse than the mean. No cell occurs twice.
    """
    U, V = factors(random, users, rank, signal), factors(random, items, rank, signal)
    single = [random.normal(0, effects, ids) for ids in (users, items)]
    user, item = np.divmod(random.choice(users * items, rows, replace=False), items)
    scores = (U[user] * V[item]).sum(1) + single[0][user] + single[1][item]
    X = categories({"user": user, "item": item}, (users, items), form)
    return X, targets(random, scores, noise, binary)


def popular_pairs(
    random: Random, rows: int, effects: float = 0.5, **options: Any
) -> tuple[Any, np.ndarray]:
    """Users x items as in `pairs`, and some users and items have higher scores than others.

    The linear model is good at once, and interactions pay late: a rule that stops early, or
    prefers the linear model by a margin, never sees them.
    """
    return pairs(random, rows, effects=effects, **options)


def ratings(
    random: Random,
    rows: int,
    ids: tuple[int, int] = RATINGS_IDS,
    rank: int = 8,
    signal: float = 0.5,
    effects: float = 0.4,
    noise: float = 0.8,
    exponent: float = 1.0,
    offset: int = 20,
    binary: bool = False,
    form: str = "csr",
) -> tuple[Any, np.ndarray]:
    """Many ratings by users and of items whose popularity falls as 1 / (20 + rank).

    Factors pay only with many rows an id: a search on a sample of the rows sees none of it.
    """
    found, single, vectors = [], [], []
    for size in ids:
        drawn = popular(random, size, rows, exponent, offset)
        found.append(drawn)
        single.append(random.normal(0, effects, size)[drawn])
        vectors.append(factors(random, size, rank, signal)[drawn])
    scores = sum(single) + (vectors[0] * vectors[1]).sum(1)
    X = categories({"user": found[0], "item": found[1]}, ids, form)
    return X, targets(random, scores if binary else 3.6 + scores, noise, binary)


def nested(random: Random, rows: int, **options: Any) -> tuple[Any, np.ndarray]:
    """One table of `ratings`, of which sets have the first 10^4, 10^5 or all training rows.

    The test rows are the same, so the figure must improve with rows: if it does not, the search
    has been fooled by its own economy.
    """
    return ratings(random, rows, form="table", **options)


def long_tailed(
    random: Random, rows: int, exponent: float = 1.1, **options: Any
) -> tuple[Any, np.ndarray]:
    """`ratings` by ids of which few are in most rows, and most in one row or none.

    One penalty must fit both; ids of the test rows are unknown; a sample of rows has other ids.
    """
    return ratings(random, rows, exponent=exponent, offset=2, **options)


def context(
    random: Random,
    rows: int,
    sizes: tuple[int, int, int] = (500, 400, 100),
    rank: int = 4,
    signal: float = 1.2,
    triple: float = 0.8,
    effects: float = 0.5,
    bias: float = -1.5,
    noise: float = 1.0,
    binary: bool = True,
) -> tuple[pd.DataFrame, np.ndarray]:
    """(user, item, tag): each pair of the three has an effect, and so have all three at once.

    The last is beyond a model of pairs and is noise to it. Linear models see hardly anything.
    """
    single = [random.normal(0, effects, size) for size in sizes]
    vectors = [factors(random, size, rank, signal) for size in sizes]
    thirds = [random.normal(0, (triple / np.sqrt(rank)) ** (1 / 3), (size, rank)) for size in sizes]
    codes = [popular(random, size, rows, 1.0, 20) for size in sizes]
    scores = np.full(rows, bias if binary else 0.0)
    for effect, code in zip(single, codes, strict=True):
        scores += effect[code]
    for a, b in ((0, 1), (0, 2), (1, 2)):
        scores += (vectors[a][codes[a]] * vectors[b][codes[b]]).sum(1)
    scores += np.prod([part[code] for part, code in zip(thirds, codes, strict=True)], 0).sum(1)
    X = categories(dict(zip(("user", "item", "tag"), codes, strict=True)), sizes)
    return X, targets(random, scores, noise, binary)


def few_ratings(
    random: Random, rows: int, users: int = 5000, items: int = 2000, signal: float = 0.3
) -> tuple[pd.DataFrame, np.ndarray]:
    """Few ratings a user: what users and items have in common is too faint to learn much of.

    Interactions are noise for the most part, so weak penalties and high ranks overfit.
    """
    single = [random.normal(0, 0.5, size) for size in (users, items)]
    U, V = factors(random, users, 3, signal), factors(random, items, 3, signal)
    user = random.integers(users, size=rows)
    item = (items * random.random(rows) ** 2).astype(int)  # some items are popular
    scores = 3.5 + single[0][user] + single[1][item] + (U[user] * V[item]).sum(1)
    X = pd.DataFrame({"user": names("u", user), "item": names("i", item)})
    return X, scores + random.normal(0, 0.8, rows)


def stars(
    random: Random,
    rows: int,
    users: int = 900,
    items: int = 600,
    rank: int = 4,
    signal: float = 0.6,
) -> tuple[pd.DataFrame, np.ndarray]:
    """Ratings of 1 to 5 stars, most of them 3 to 5, by users who are mild or strict.

    Targets have few values and two bounds: predictions beyond 5 are always wrong.
    """
    U, V = factors(random, users, rank, signal), factors(random, items, rank, signal)
    mild, liked = random.normal(0, 0.5, users), random.normal(0.2, 0.6, items)
    user, item = popular(random, users, rows, 1.0, 30), popular(random, items, rows, 1.0, 20)
    scores = 3.6 + mild[user] + liked[item] + (U[user] * V[item]).sum(1)
    X = categories({"user": user, "item": item}, (users, items))
    return X, np.clip(np.rint(scores + random.normal(0, 0.7, rows)), 1, 5)
