"""Which tables are made, in two halves: rules are chosen on one and reported on the other.

Each kind, a function of `bench.generated`, is in both halves, with other arguments and other
seeds: 0 to 99 for the half "shaping", 1000 to 1099 for the half "judging". Nothing may be chosen by
looking at the half "judging".
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from bench import generated
from bench.real import Parts

SHAPING, JUDGING = "shaping", "judging"
SEEDS = {SHAPING: range(100), JUDGING: range(1000, 1100)}
TEST_ROWS = 5000  # many, whatever the training rows, so that differences stand out
MORE_TEST_ROWS = 20_000  # where a few rows have most of the loss
RARE_TEST_ROWS = 100_000  # where one row in a thousand is of class 1

REGRESSION, BINARY, MULTICLASS = "regression", "binary", "multiclass"


@dataclass(frozen=True)
class Made:
    """A table: `rows` to train on, and others to test on, as a function of `bench.generated` makes.

    Attributes
    ----------
    half, kind, task : str
    rows, test_rows : int
    options : dict
        Of the function `kind`.
    table : int, optional
        Of how many training rows the first `rows` are taken. Default: all of them.
    """

    half: str
    kind: str
    task: str
    rows: int
    test_rows: int = TEST_ROWS
    options: dict[str, Any] = field(default_factory=dict)
    table: int | None = None

    def parts(self, seed: int) -> Parts:
        """Make the rows."""
        total = self.table or self.rows
        make = getattr(generated, self.kind)
        X, y = make(np.random.default_rng(seed), total + self.test_rows, **self.options)
        part = X.iloc if isinstance(X, pd.DataFrame) else X
        train, test = slice(self.rows), slice(total, None)
        return part[train], y[train], part[test], y[test]


def _made(half: str) -> Any:
    """Return a function that describes a table of this half."""

    def describe(
        kind: str,
        task: str,
        rows: int,
        test_rows: int = TEST_ROWS,
        table: int | None = None,
        /,
        **options: Any,
    ) -> Made:
        return Made(half, kind, task, rows, test_rows, options, table)

    return describe


def _nested(half: str, task: str, **options: Any) -> dict[str, Made]:
    """Describe a table's first 10^4, 10^5 and 10^6 rows."""
    return {
        f"nested_{task}_1e{power}": _made(half)(
            "nested", task, 10**power, MORE_TEST_ROWS, 10**6, **options
        )
        for power in (4, 5, 6)
    }


_of = _made(SHAPING)
_SHAPING: dict[str, Made] = {
    # Quick ones first.
    "tiny": _of("tiny", REGRESSION, 60),
    "text_2": _of("text", BINARY, 300),
    "hashed": _of("hashed", BINARY, 300),
    "friedman1": _of("friedman", REGRESSION, 2000),
    "separable": _of("separable", BINARY, 2000),
    "noise_labels": _of("noise", BINARY, 3000, binary=True),
    "bent": _of("bent", REGRESSION, 4000),
    "amounts": _of("amounts", REGRESSION, 4000, MORE_TEST_ROWS),
    "log_amounts": _of("amounts", REGRESSION, 3000, log=True, sigma=1.5),
    "mostly_zero": _of("mostly_zero", REGRESSION, 5000, MORE_TEST_ROWS),
    "heavy_numbers": _of("heavy_numbers", REGRESSION, 5000),
    "mixed": _of("mixed", REGRESSION, 8000),
    "poisson": _of("poisson", REGRESSION, 8000, MORE_TEST_ROWS),
    "student": _of("heavy_targets", REGRESSION, 8000, MORE_TEST_ROWS),
    "xor": _of("xor", BINARY, 10_000),
    "pairs_small": _of("pairs", REGRESSION, 16_000),
    "pairs_small_labels": _of("pairs", BINARY, 16_000, rank=2, signal=2.5, binary=True),
    "pairs_hopeless": _of("pairs", REGRESSION, 16_000, signal=0.1),
    "popular_small": _of("popular_pairs", REGRESSION, 16_000, signal=0.7, form="csr"),
    "linear": _of("linear", REGRESSION, 20_000),
    "few_ratings": _of("few_ratings", REGRESSION, 20_000),
    "stars": _of("stars", REGRESSION, 40_000),
    "classes_5": _of("classes", MULTICLASS, 6000, classes=5),
    "classes_100": _of("classes", MULTICLASS, 20_000, classes=100),
    "long_tailed": _of("long_tailed", REGRESSION, 50_000, ids=(40_000, 10_000)),
    "clicks_39": _of("clicks", BINARY, 50_000),
    "context_100k": _of("context", BINARY, 100_000),
    "pairs_middle_labels": _of(
        "pairs", BINARY, 100_000, users=1000, items=500, signal=1.5, binary=True, form="csr"
    ),
    "imbalance": _of("imbalance", BINARY, 100_000, RARE_TEST_ROWS),
    "pairs_large": _of(
        "pairs", REGRESSION, 200_000, users=2000, items=1000, rank=5, signal=0.8, form="csr"
    ),
    **_nested(SHAPING, REGRESSION),
}

_of = _made(JUDGING)
_JUDGING: dict[str, Made] = {
    "tiny_noisy": _of("tiny", REGRESSION, 100, noise=2.0),
    "text_4": _of("text", MULTICLASS, 800, words=40_000, length=80, kinds=4, tilt=1.0),
    "hashed_signed": _of("hashed", BINARY, 1500, fields=12, signed=True),
    "friedman2": _of("friedman", REGRESSION, 3000, number=2, noise=50.0),
    "separable_wide": _of("separable", BINARY, 5000, flips=5e-3, pair=0.5),
    "noise": _of("noise", REGRESSION, 2000, fields=2, size=200),
    "bent_steps": _of("bent", REGRESSION, 8000, shapes=("steps", "periodic"), cycles=1.5),
    "amounts_wide": _of("amounts", REGRESSION, 8000, MORE_TEST_ROWS, sigma=1.4, noise=3.0),
    "log_amounts_wide": _of("amounts", REGRESSION, 6000, log=True, sigma=2.0, noise=0.5),
    "mostly_zero_wide": _of("mostly_zero", REGRESSION, 8000, MORE_TEST_ROWS, zeros=0.9, columns=10),
    "heavy_numbers_flat": _of("heavy_numbers", REGRESSION, 3000, product=0.3, columns=6),
    "mixed_groups": _of("mixed", REGRESSION, 15_000, groups=80, noise=0.5, slope=0.6),
    "poisson_rare": _of("poisson", REGRESSION, 12_000, MORE_TEST_ROWS, mean=0.4, pair=0.5),
    "lognormal": _of(
        "heavy_targets", REGRESSION, 12_000, MORE_TEST_ROWS, kind="lognormal", spread=0.7
    ),
    "xor_wide": _of("xor", BINARY, 20_000, size=12, fields=8, scale=1.2),
    "pairs_small_easy": _of("pairs", REGRESSION, 16_000, rank=2, signal=1.2, noise=0.4),
    "pairs_small_hard_labels": _of("pairs", BINARY, 16_000, rank=1, signal=1.5, binary=True),
    "pairs_hopeless_labels": _of("pairs", BINARY, 16_000, rank=4, signal=0.2, binary=True),
    "popular_middle_labels": _of(
        "popular_pairs", BINARY, 100_000, users=1000, items=500, effects=0.8, binary=True
    ),
    "linear_long": _of("linear", REGRESSION, 8000, numeric=5, fields=12, size=60),
    "few_ratings_small": _of("few_ratings", REGRESSION, 12_000, users=2500, items=1500, signal=0.4),
    "stars_few": _of("stars", REGRESSION, 25_000, users=700, items=900, rank=6, signal=0.5),
    "classes_3": _of("classes", MULTICLASS, 4000, classes=3, sizes=(20, 15, 40), pair=1.5),
    "classes_60": _of("classes", MULTICLASS, 15_000, classes=60, sizes=(10, 25), pair=0.7),
    "long_tailed_labels": _of(
        "long_tailed", BINARY, 60_000, ids=(20_000, 30_000), exponent=1.0, signal=1.0, binary=True
    ),
    "clicks_12": _of("clicks", BINARY, 120_000, fields=12, features=20_000, form="table"),
    "context_200k": _of(
        "context", BINARY, 200_000, sizes=(800, 600, 60), rank=3, signal=1.5, triple=0.5, bias=-2.0
    ),
    "pairs_middle_hard": _of(
        "pairs", REGRESSION, 100_000, users=1000, items=500, rank=6, signal=0.6, form="csr"
    ),
    "imbalance_pairs": _of("imbalance", BINARY, 150_000, RARE_TEST_ROWS, pair=0.6, scale=2.0),
    "pairs_large_labels": _of(
        "pairs", BINARY, 200_000, users=2000, items=1000, rank=4, signal=2.0, binary=True
    ),
    **_nested(
        JUDGING, BINARY, ids=(3000, 8000), rank=4, signal=1.2, effects=0.6, binary=True
    ),
}  # fmt: skip

HALVES = {SHAPING: _SHAPING, JUDGING: _JUDGING}
