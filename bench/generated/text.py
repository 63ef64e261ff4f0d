"""Texts, as frequencies of words."""

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.preprocessing import normalize

from bench.data import ones
from bench.generated.parts import Random


def text(
    random: Random,
    rows: int,
    words: int = 20_000,
    length: int = 120,
    kinds: int = 2,
    tilt: float = 0.7,
) -> tuple[csr_matrix, np.ndarray]:
    """Short texts of several kinds; rare words weigh more; far more words than texts.

    A linear model with a strong penalty is best. Interactions fit the noise, weak penalties too.
    """
    shares = 1 / np.arange(10, words + 10)
    tilts = random.normal(0, tilt, (kinds, words)) * (random.random(words) < 0.1)
    tables = shares * np.exp(tilts)
    tables /= tables.sum(1, keepdims=True)
    y = random.integers(kinds, size=rows)
    drawn = np.empty((rows, length), np.int32)
    for kind, table in enumerate(tables):
        of_kind = y == kind
        places = np.searchsorted(np.cumsum(table), random.random((of_kind.sum(), length)))
        drawn[of_kind] = np.minimum(places, words - 1)
    counts = ones(drawn.ravel(), rows, words)
    counts.sum_duplicates()
    rarity = np.log(1 / (1 - (1 - tables.mean(0)) ** length))  # of a word in a text
    counts.data *= 1 + rarity[counts.indices].astype(counts.dtype)
    return normalize(counts), y
