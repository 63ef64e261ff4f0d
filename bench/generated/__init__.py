"""Tables that `bench.halves` makes: each function makes one kind, which defaults can get wrong.

Each function takes a source of chance and a number of rows, and returns these rows and their
targets. Further arguments vary the kind. The docstring says what the kind can break.
"""

from bench.generated.categories import clicks, hashed, mixed, tiny, xor
from bench.generated.interactions import (
    RATINGS_IDS,
    RATINGS_ROWS,
    context,
    few_ratings,
    long_tailed,
    nested,
    pairs,
    popular_pairs,
    ratings,
    stars,
)
from bench.generated.numbers import (
    amounts,
    bent,
    friedman,
    heavy_numbers,
    linear,
    mostly_zero,
    noise,
)
from bench.generated.targets import classes, heavy_targets, imbalance, poisson, separable
from bench.generated.text import text

__all__ = [
    "RATINGS_IDS",
    "RATINGS_ROWS",
    "amounts",
    "bent",
    "classes",
    "clicks",
    "context",
    "few_ratings",
    "friedman",
    "hashed",
    "heavy_numbers",
    "heavy_targets",
    "imbalance",
    "linear",
    "long_tailed",
    "mixed",
    "mostly_zero",
    "nested",
    "noise",
    "pairs",
    "poisson",
    "popular_pairs",
    "ratings",
    "separable",
    "stars",
    "text",
    "tiny",
    "xor",
]
