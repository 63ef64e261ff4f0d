"""Where Spark sends rows.

``repartition(n, column)`` sends a row to the partition that the hash of an integer says. Here are
integers, one for each partition, so that none gets two shares of the work and another none.
"""

from functools import cache

import numpy as np
import numpy.typing as npt

Bits = npt.NDArray[np.uint32]

TRIED = 32  # integers for each partition, at first


@cache
def slots(n: int) -> tuple[int, ...]:
    """Return for each of n partitions an integer whose rows are sent there."""
    tried = TRIED * n
    while True:
        found, first = np.unique(partitions_of(np.arange(tried), n), return_index=True)
        if len(found) == n:
            return tuple(first.tolist())
        tried *= 2


def partitions_of(values: npt.NDArray[np.integer], n: int) -> npt.NDArray[np.int64]:
    """Return which of n partitions Spark sends integers of 32 bits to.

    It is their hash modulo n: Murmur3 of 32 bits (Appleby, 2008), seed 42, as a signed integer.
    """
    bits = _rotated(values.astype(np.uint32) * np.uint32(0xCC9E2D51), 15) * np.uint32(0x1B873593)
    bits = _rotated(np.uint32(42) ^ bits, 13) * np.uint32(5) + np.uint32(0xE6546B64)
    bits ^= np.uint32(4)  # bytes
    bits = (bits ^ (bits >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    bits = (bits ^ (bits >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    bits ^= bits >> np.uint32(16)
    found: npt.NDArray[np.int64] = bits.astype(np.int32).astype(np.int64) % n
    return found


def _rotated(bits: Bits, by: int) -> Bits:
    rotated: Bits = (bits << np.uint32(by)) | (bits >> np.uint32(32 - by))
    return rotated
