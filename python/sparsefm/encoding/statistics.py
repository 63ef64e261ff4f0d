"""Statistics of a numeric column that no order and no repetition of rows can change, to the bit.

A floating-point sum depends on the order of its terms. So everything is computed from the sorted
distinct values and the total weight of each: these are the same for rows in any order, and for a
row of weight three or the row three times (sums of whole numbers are exact).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.data.distinct import distinct_values
from sparsefm.data.validation import as_vector, as_weights

Array = npt.NDArray[np.float64]

LARGEST = float(np.finfo(np.float64).max)
LARGEST_EXPONENT = 1100  # beyond those of float64
MOST_WEIGHT = 1e200  # of a row, so that the sum over a stream does not overflow


@dataclass(frozen=True, eq=False)
class Distribution:
    """Distinct values, ascending, and their total weights: two arrays of one length."""

    values: Array
    weights: Array

    @classmethod
    def of(cls, values: Array, weights: Array | None) -> "Distribution":
        """Return the distribution of a column, its missing values (NaN) left out."""
        present = ~np.isnan(values)
        values = values[present] + 0.0  # 0.0 and -0.0 are one value
        if len(values) == 1:  # as in streams of single rows
            return cls(values, np.ones(1) if weights is None else weights[present])
        if weights is None:
            distinct, counts = np.unique(values, return_counts=True)
            return cls(distinct, counts.astype(np.float64))
        weights = weights[present]
        order = np.lexsort((weights, values))  # weights that are no whole numbers: in one order too
        values, weights = values[order], weights[order]
        starts = np.flatnonzero(np.append(True, values[1:] != values[:-1])[: len(values)])
        return cls(values[starts], np.add.reduceat(weights, starts) if len(starts) else weights)

    def joined(self, other: "Distribution") -> "Distribution":
        """Return the distribution of the rows of both."""
        values, weights = (
            np.concatenate(pair)
            for pair in ((self.values, other.values), (self.weights, other.weights))
        )
        return Distribution.of(values, weights)

    @property
    def is_binary(self) -> bool:
        """Whether there is nothing but 0 and 1."""
        return len(self.values) > 0 and bool(np.all((self.values == 0) | (self.values == 1)))

    def usual_range(self) -> tuple[float, float]:
        """Return bounds beyond which values are far out: (low, high).

        The range of the middle 98% of the weight, and half its width on either side, which is 4.6
        standard deviations from the mean of a normal distribution. Where those 98% are one value,
        the least and the greatest value.
        """
        if len(self.values) == 0:
            return -LARGEST, LARGEST
        through = np.cumsum(self.weights)
        places = np.searchsorted(through, np.array([0.01, 0.99]) * through[-1])
        low, high = self.values[np.minimum(places, len(self.values) - 1)]
        if low == high:
            return float(self.values[0]), float(self.values[-1])
        half = high / 2 - low / 2
        with np.errstate(over="ignore"):
            return float(max(low - half, -LARGEST)), float(min(high + half, LARGEST))

    def share_beyond(self, low: float, high: float) -> float:
        """Return the share of the weight that is outside of a range."""
        beyond = (self.values < low) | (self.values > high)
        return float(self.weights[beyond].sum() / self.weights.sum()) if beyond.any() else 0.0

    def clipped(self, low: float, high: float) -> "Distribution":
        """Return the distribution of values that are brought into a range."""
        return Distribution(np.clip(self.values, low, high), self.weights)

    def moments(self) -> tuple[int, float, float]:
        """Return e, and mean and standard deviation in units of 2**e.

        In these units the largest value is about one: its square neither overflows nor vanishes.
        """
        if len(self.values) == 0:
            return 0, 0.0, 0.0
        exponent = int(np.frexp(np.abs(self.values).max())[1])
        scaled = scale_down(self.values, exponent)
        if len(scaled) == 1:
            return exponent, float(scaled[0]), 0.0
        share = self.weights / self.weights.sum()
        near = scaled[len(scaled) // 2]  # the mean of distances from it keeps more digits
        mean = near + np.sum(share * (scaled - near))
        return exponent, float(mean), float(np.sqrt(np.sum(share * (scaled - mean) ** 2)))

    def quantiles(self, parts: int) -> Array:
        """Return the at most ``parts - 1`` values that begin a new part of about equal weight.

        They are values of the column, greater than the least of them.
        """
        through = np.cumsum(self.weights)
        total = through[-1] if len(through) else 0.0
        below = (through - self.weights) * parts
        starts = distinct_values(np.searchsorted(below, np.arange(1, parts) * total))
        return np.asarray(self.values[starts[starts < len(self.values)]])

    def knots(self, parts: int) -> Array:
        """Return at most ``parts + 1`` values between which parts of about equal weight lie.

        They are all values if there are no more than that; else the least, the greatest, and
        quantiles. A value with the weight of several parts counts as one of them: so where most is
        zero, the rest has most of the knots.
        """
        if len(self.values) <= parts + 1:
            return self.values
        through = np.cumsum(np.minimum(self.weights * parts, self.weights.sum()))
        places = np.searchsorted(through * parts, np.arange(parts + 1) * through[-1])
        return np.asarray(self.values[distinct_values(places)])

    def median_size(self) -> float:
        """Return the median of the absolute values that are not zero; 1 if all are."""
        present = self.values != 0
        sizes, weights = np.abs(self.values[present]), self.weights[present]
        if len(sizes) == 0:
            return 1.0
        order = np.argsort(sizes, kind="stable")
        through = np.cumsum(weights[order])
        return float(sizes[order[np.searchsorted(through, through[-1] / 2)]])


def scale_down(values: Array, exponent: int) -> Array:
    """Return ``values / 2**exponent``; far outside of the training data it may be infinite."""
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(np.ldexp(values, -exponent), np.float64)


def scaled_weights(sample_weight: Any, n_rows: int, *, stream: bool = False) -> Array | None:
    """Return weights of rows, in a unit in which their sum does not overflow.

    Those of a `stream` are in the unit of all its calls, the user's, and not arbitrarily large.
    """
    if sample_weight is None:
        return None
    as_weights(sample_weight, n_rows, np.float64, "sample_weight")  # for its checks
    weights: Array = as_vector(sample_weight, n_rows, np.float64, "sample_weight")
    if stream:
        return np.minimum(weights, MOST_WEIGHT)
    scaled: Array = np.ldexp(weights, -int(np.frexp(weights.max())[1]))
    return scaled
