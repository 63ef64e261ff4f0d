"""Random numbers: a stream for each purpose, all from one seed."""

from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.data.canonical import mixed
from sparsefm.data.validation import check_integer

PURPOSES = {"splits": 0, "rows": 1, "batches": 2, "holdout": 3, "blocks": 4}
GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # steps of a Weyl sequence: 2**64 / golden ratio, odd


def check_seed(seed: Any, name: str = "seed") -> int:
    """Return the argument `seed` as an integer; None gives a new seed each time."""
    if seed is None:
        return int(np.random.SeedSequence().generate_state(1, np.uint64)[0])
    return check_integer(seed, name, 0)


def stream(seed: int, purpose: str, *numbers: int) -> np.random.Generator:
    """Return the generator for a purpose and further numbers, such as the steps made so far."""
    return np.random.default_rng((seed, PURPOSES[purpose], *numbers))


def feature_uniforms(
    seed: int, output: int, features: npt.NDArray[np.int64], count: int
) -> npt.NDArray[np.float64]:
    """Return `count` numbers from (0, 1) for each feature, shape (n_features, count).

    The numbers of a feature do not depend on the other features: a feature that joins a model later
    starts as it would have started in the first fit. They are outputs of a SplitMix64 generator, at
    positions that the feature and the number determine.
    """
    start = np.random.SeedSequence((seed, output)).generate_state(1, np.uint64)[0]
    places = features[:, None].astype(np.uint64) << np.uint64(32)
    places = places | np.arange(1, count + 1, dtype=np.uint64)
    with np.errstate(over="ignore"):
        places *= GOLDEN
        places += start
    bits = mixed(places)
    bits >>= np.uint64(11)
    numbers = bits.astype(np.float64)
    numbers += 0.5
    numbers *= 2.0**-53
    return numbers


def feature_normals(
    seed: int, output: int, features: npt.NDArray[np.int64], count: int
) -> npt.NDArray[np.float32]:
    """Return `count` standard normal numbers for each feature (Box and Muller, 1958)."""
    half = -(-count // 2)
    uniforms = feature_uniforms(seed, output, features, 2 * half).astype(np.float32)
    first, second = np.split(uniforms, 2, axis=1)
    radius, angle = np.sqrt(-2 * np.log(first)), np.float32(2 * np.pi) * second
    return np.hstack([radius * np.cos(angle), radius * np.sin(angle)])[:, :count]
