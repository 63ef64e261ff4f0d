"""Sparse text as an argument: which files, and what they are read with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

import numpy as np

from sparsefm.data.csr import MAX_FEATURES
from sparsefm.data.validation import check_choice, check_integer
from sparsefm.files.detecting import FORMATS
from sparsefm.files.paths import names_files
from sparsefm.files.rows import Expected

OWNER = "sparsefm.SparseText"  # of the options that errors of other functions advise to use


@dataclass(frozen=True)
class SparseText:
    """Files of sparse text with what `read` can be told of them, to be passed instead of a path.

    `train` and the estimators take it wherever they take a path of sparse text. Nothing is read
    before.

    Parameters
    ----------
    path : str, path-like or list of them
        Files, or a pattern, as `read` takes them.
    format : {"auto", "libsvm", "libffm"}
        "auto": the first entry tells.
    zero_based : {"auto"} or bool
        Whether indices begin with 0. "auto": they do if an index is 0. What is told of training or
        validation rows counts for both, and estimators remember what it was in the fit.
    n_features : int, optional
        The number of features. Default: as many as the largest index says. What is told of training
        or validation rows counts for both.
    max_bad_lines : int
        How many malformed lines to leave out, with a warning to the logger "sparsefm".

    Raises
    ------
    ValueError, TypeError
        If a parameter is invalid.

    Examples
    --------
    >>> import sparsefm as fm
    >>> with open("clicks.svm", "w") as file:
    ...     print("1 1:1 3:0.5", file=file)
    ...     print("?", file=file)
    ...     print("0 2:1", file=file)
    >>> model = fm.train(fm.SparseText("clicks.svm", max_bad_lines=10), task="binary")
    """

    path: Any
    format: str = "auto"
    _: KW_ONLY
    zero_based: bool | str = "auto"
    n_features: int | None = None
    max_bad_lines: int = 0

    def __post_init__(self) -> None:
        if not names_files(self.path):
            raise TypeError(
                f"path must be a path, a pattern or a list of them, got {self.path!r:.80}"
            )
        check_choice(self.format, "format", FORMATS)
        by_name = isinstance(self.zero_based, str) and self.zero_based == "auto"
        if not by_name and not isinstance(self.zero_based, bool | np.bool_):
            raise ValueError(
                f"zero_based must be True, False or 'auto', got {self.zero_based!r:.80}"
            )
        if self.n_features is not None:
            count = check_integer(self.n_features, "n_features", 1)
            if count > MAX_FEATURES:
                raise ValueError(f"n_features must be at most {MAX_FEATURES}, got {count}")
        check_integer(self.max_bad_lines, "max_bad_lines", 0)

    @property
    def _begins_with_zero(self) -> bool | None:
        """Whether indices begin with 0; None: the files tell."""
        return None if isinstance(self.zero_based, str) else bool(self.zero_based)

    def _expected(self, dtype: np.dtype[Any], owner: str = "") -> Expected:
        """Return what is expected of the rows; `owner` is what errors say has these options."""
        width = None if self.n_features is None else int(self.n_features)
        format = None if self.format == "auto" else self.format
        most_bad = int(self.max_bad_lines)
        return Expected(dtype, self._begins_with_zero, width, most_bad, format, owner)


def are_files(value: Any) -> bool:
    """Return whether a value is a path, a list of paths, or a `SparseText`."""
    return isinstance(value, SparseText) or names_files(value)


def as_text(value: Any) -> SparseText:
    """Return files with what is told of them: of a path, nothing."""
    return value if isinstance(value, SparseText) else SparseText(value)


def expectations(
    texts: Mapping[str, SparseText],
    dtype: np.dtype[Any],
    zero_based: bool | None = None,
    n_features: int | None = None,
) -> dict[str, Expected]:
    """Return what is expected of texts of the same features: what is told of one counts for all.

    Parameters
    ----------
    texts : mapping of str to SparseText
        By the name of the argument.
    dtype : dtype
    zero_based, n_features : optional
        What is known already, and contradicted by none.
    """
    found = {name: text._expected(dtype, OWNER) for name, text in texts.items()}
    known: dict[str, Any] = {"zero_based": zero_based, "n_features": n_features}
    for option in known:
        told = {name: getattr(one, option) for name, one in found.items()}
        told = {name: value for name, value in told.items() if value is not None}
        for name, value in told.items():
            first = next(iter(told))
            if value != told[first]:
                raise ValueError(
                    f"{option} is {told[first]} for {first}, but {value} for {name}: they have "
                    "the same features"
                )
            known[option] = value
    return {name: replace(one, **known) for name, one in found.items()}
