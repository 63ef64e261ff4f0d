"""How columns of numbers may be encoded: what a search tries."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class NumericChoice:
    """An encoding for the columns of numbers whose encoding is open; see `TableEncoder`.

    Attributes
    ----------
    numeric : {"standardize", "log", "spline", "bin"}
    n_bins : int
    clip : bool
    """

    numeric: str
    n_bins: int = 32
    clip: bool = True

    def __str__(self) -> str:
        if self.numeric in ("spline", "bin"):
            return f"{self.numeric}({self.n_bins})"
        return f"{self.numeric}({'clip' if self.clip else 'no clip'})"


# Simple and safe ones come first: they win ties.
CHOICES = (
    NumericChoice("standardize"),
    NumericChoice("standardize", clip=False),
    NumericChoice("log"),
    NumericChoice("spline", 8),
    NumericChoice("spline", 32),
    NumericChoice("bin", 64),
)
