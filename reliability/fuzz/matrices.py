"""CSR matrices whose parts need not fit one another, through every entry that takes one."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

import sparsefm as fm
from reliability.fuzz.choices import Choices
from reliability.problems import SAMPLED, SGD

ROWS, COLUMNS = 6, 5
INDEX_TYPES = ("i4", "i8", "u4", "u8", "i2", "f8", ">i4", "?", "O")
DATA_TYPES = ("f4", "f8", "i4", "?", "f2", "i8", "u8", "c8", ">f8", "O", "U2")
FORMATS = ("csr", "csc", "coo", "bsr", "lil", "dia", "dok")
REFUSALS = (ValueError, TypeError, MemoryError, fm.DivergenceError)


@cache
def known() -> tuple[Any, Any, Any, Any]:
    """Return good rows and what was fitted to them."""
    X = sparse.random(ROWS, COLUMNS, 0.5, format="csr", random_state=0)
    y = np.linspace(-1, 1, ROWS)
    return X, y, fm.train(X, y, rank=2, epochs=1), fm.FMRegressor(**SGD).fit(X, y)


def cast(values: list[Any], dtype: str) -> Any:
    """Return an array of any type; numbers beyond the type wrap around."""
    with np.errstate(all="ignore"):
        wide = np.array(values, object)
        if dtype in ("O", "U2"):
            return wide.astype(dtype)
        if any(isinstance(value, float) for value in values):
            return wide.astype("f8").astype(dtype)
        if np.dtype(dtype).kind not in "iu":
            return wide.astype("f8").astype(dtype)
        bits = 8 * np.dtype(dtype).itemsize
        wrapped = [value % (1 << bits) for value in values]
        return np.array(wrapped, f"u{bits // 8}").view(f"i{bits // 8}").astype(dtype)


def matrix(choices: Choices) -> Any:
    """Return a CSR matrix, of which parts are as they should be and others are not."""
    rows, columns = ROWS, COLUMNS
    counts = [choices.below(4) for _ in range(rows)]
    indptr: list[Any] = [0, *np.cumsum(counts).tolist()]
    indices: list[Any] = [choices.below(columns) for _ in range(indptr[-1])]
    data: list[Any] = [choices.real() for _ in indices]
    for part in (indptr, indices):
        for _ in range(choices.below(3)):
            how = choices.below(3)
            if how == 0 and part:
                part[choices.below(len(part))] = choices.integer()
            elif how == 1:
                del part[choices.below(len(part) + 1) :]
            else:
                part.append(choices.integer())
    kinds = choices.one_of(INDEX_TYPES), choices.one_of(INDEX_TYPES), choices.one_of(DATA_TYPES)
    X = sparse.csr_matrix((rows, columns))
    X.data, X.indices, X.indptr = (
        cast(data, kinds[2]),
        cast(indices, kinds[1]),
        cast(indptr, kinds[0]),
    )
    if not choices.below(4):
        X._shape = choices.one_of([(rows, columns), (choices.integer(), columns)])
    if not choices.below(8):
        X.has_sorted_indices, X.has_canonical_format = bool(choices.below(2)), True
    if not choices.below(3):
        form = choices.one_of(FORMATS)
        good = sparse.csr_matrix(np.arange(rows * columns).reshape(rows, columns) % 3)
        other = good.asformat(form)
        if hasattr(other, "data") and form in ("csc", "coo", "bsr", "dia"):
            other.data = X.data if choices.below(2) else other.data[: choices.below(9)]
        return other
    return X


def test(data: bytes, folder: Path) -> None:
    """Hand one matrix to one entry."""
    choices = Choices(data)
    good, y, model, estimator = known()
    entry = choices.below(8)
    try:
        X = matrix(choices)
    except (TypeError, ValueError, OverflowError):
        return  # NumPy or SciPy make no such matrix
    entries = [
        lambda: fm.train(X, y, rank=2, epochs=1),
        lambda: fm.predict(X, model),
        lambda: fm.FMRegressor(**SGD).fit(X, y),
        lambda: fm.FMRegressor(**SAMPLED).fit(X, y),
        lambda: estimator.predict(X),
        lambda: fm.TableEncoder().fit_transform(X),
        lambda: fm.train(good, y, X, y, rank=2, epochs=1),
        lambda: fm.FMRegressor(**SGD).partial_fit(X, y),
    ]
    try:
        entries[entry]()
    except REFUSALS as error:
        assert str(error)
