"""Columns whose first rows are not like those that follow: what is learned late, and warnings."""

import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from sparsefm import _core
from sparsefm.data.offsets import offset_columns, warn_of_offsets
from sparsefm.encoding import beginning
from sparsefm.encoding.categories import Categories, Hashed
from sparsefm.encoding.columns import Encoding, Values, all_missing, as_numbers
from sparsefm.encoding.dates import Calendar
from sparsefm.encoding.identifiers import reason
from sparsefm.encoding.intervals import Bins, Spline
from sparsefm.encoding.multi import Multi
from sparsefm.encoding.numeric import Number
from sparsefm.encoding.scales import Scales, column_scales
from sparsefm.encoding.settings import Settings
from sparsefm.encoding.tables import Column, Dates, Lists, Numbers
from sparsefm.encoding.vocabulary import Vocabulary

FEW_ROWS = 10  # so few say little about a column
FAR = 10.0  # standard deviations that the median is off
MOST = 0.9  # share of the numbers
SOME = 0.1  # share from which on others than 0 and 1 matter; a few twos among ones do not
CENTRED = ", or pass a table or a dense array, of which columns are centred"
REMEDY = (
    "begin with rows that are typical, for example with TableEncoder().fit on a sample, or scale "
    "the column yourself"
)


def awakened(
    encoding: Encoding,
    position: int,
    column: Column,
    weights: Values | None,
    end: int,
    settings: Settings,
) -> Encoding:
    """Return an encoding in the place of one that knows nothing of its column yet.

    Of a column that was constant, empty, or always zero nothing has been learned, so nothing
    contradicts what the rows of now say. Otherwise the encoding is returned as it is.

    Parameters
    ----------
    encoding : Encoding
    position : int
    column : Numbers or Labels
    weights : ndarray of float64, shape (n,), optional
    end : int
        New output columns begin here.
    settings : Settings
    """
    if isinstance(column, Lists):
        return _of_lists(encoding, column, settings.combiner)
    if isinstance(column, Dates):
        return _of_dates(encoding, position, column, weights, end, settings)
    if isinstance(encoding, Number) and encoding.is_waiting:
        if isinstance(column, Numbers):
            kind, n_bins, clip = settings.kind(position), settings.n_bins, settings.clip
            values = column.values
            return beginning.awakened(encoding, values, weights, kind, end, n_bins, clip=clip)
        found = [] if encoding.seen else column.occurring()
        if found:  # its output column becomes that of a category
            return Categories(Vocabulary({found[0]: encoding.column}), encoding.missing)
    is_empty = isinstance(encoding, Categories) and len(encoding.vocabulary) == 0
    if is_empty and isinstance(column, Numbers) and not np.isnan(column.values).all():
        begun = settings.begin(position, column, weights, end)
        if isinstance(begun, Number | Bins | Spline):
            return replace(begun, missing=encoding.missing)  # type: ignore[attr-defined]
    if settings.follows and isinstance(encoding, Number) and encoding.followed is not None:
        numbers = as_numbers(column, settings.names[position]).values
        return encoding.following(numbers, weights, settings.kind(position), clip=settings.clip)
    return encoding


def _of_lists(encoding: Encoding, column: Lists, combiner: str) -> Encoding:
    """Return an encoding of lists in the place of one that knows nothing of its column yet.

    A hash knows nothing ever: its column may hold single values beside lists from now on.
    """
    if isinstance(encoding, Number) and encoding.is_waiting and not encoding.seen:
        found = column.items.occurring()
        if found:
            known = Vocabulary({found[0]: encoding.column})
            return Multi(Categories(known, encoding.missing), combiner)
    if isinstance(encoding, Hashed):
        return Multi(encoding, combiner)
    if isinstance(encoding, Categories) and len(encoding.vocabulary) == 0:
        return Multi(encoding, combiner)
    return encoding


def _of_dates(
    encoding: Encoding,
    position: int,
    column: Dates,
    weights: Values | None,
    end: int,
    settings: Settings,
) -> Encoding:
    """Return an encoding of dates in the place of one that knows nothing of its column yet."""
    if isinstance(encoding, Calendar):
        return encoding.awakened(column, weights, clip=settings.clip, follows=settings.follows)
    if all_missing(column):
        return encoding
    if isinstance(encoding, Number) and encoding.is_waiting and not encoding.seen:
        spare: int | None = encoding.column
    elif isinstance(encoding, Categories) and len(encoding.vocabulary) == 0:
        spare = None
    else:
        return encoding
    begun = settings.calendar(position, column, weights, end, spare=spare)
    return replace(begun, missing=encoding.missing)


def contradiction(encoding: Encoding, column: Column, name: str) -> str | None:
    """Return what to warn of if a column is far from what the first rows said of it."""
    if not isinstance(column, Numbers) or not isinstance(encoding, Number | Bins | Spline):
        return None
    if isinstance(encoding, Number) and encoding.followed is not None:
        return None  # its statistics follow
    numbers = as_numbers(column, name).values
    numbers = numbers[~np.isnan(numbers)]
    if isinstance(encoding, Number) and encoding.is_binary:
        others = numbers[(numbers != 0) & (numbers != 1)]
        are_many = len(numbers) >= FEW_ROWS and len(others) > SOME * len(numbers)
        if are_many or (np.abs(others) > FAR).any():
            return (
                f"column {name!r} held nothing but 0 and 1 in the first rows, so it is not scaled, "
                f"but it holds {max(others, key=abs):g} now: {REMEDY}"
            )
    if len(numbers) < FEW_ROWS or not _is_far(encoding, numbers):
        return None
    median = np.sort(numbers)[len(numbers) // 2]  # no mean of two, which may overflow
    return (
        f"column {name!r} has a median of {median:g} now, far from what it held in the first "
        f"rows, which its encoding is made for: {REMEDY}"
    )


def _is_far(encoding: Number | Bins | Spline, numbers: Values) -> bool:
    """Return whether most numbers are far from those that an encoding was fitted on."""
    if isinstance(encoding, Number):
        with np.errstate(over="ignore"):  # infinity is far, too
            far = encoding.std > 0 and np.median(np.abs(encoding.deviations(numbers))) > FAR
        return bool(far)
    if isinstance(encoding, Spline):
        low, high = encoding.knots[[0, -1]]
        return bool(np.mean((numbers < low) | (numbers > high)) > MOST)
    edges = encoding.edges
    if len(edges) < 2 or np.mean(numbers == np.median(numbers)) > 0.5:  # it may be so in all rows
        return False
    return float(max(np.mean(numbers < edges[0]), np.mean(numbers >= edges[-1]))) > MOST


class Watch:
    """Warns once of each column that later rows show to be other than the first rows said."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def check_column(self, encoding: Encoding, column: Column, name: str) -> None:
        """Warn if numbers are far from what the encoding of their column is made for."""
        if name not in self._told:
            self.tell(name, contradiction(encoding, column, name))

    def check_identifier(self, column: Column, name: str) -> None:
        """Warn if numbers look like identifiers."""
        if not isinstance(column, Numbers) or column.kind != "numbers":
            return
        why = reason(column.values, name)
        if why is not None:
            self.tell(
                f"{name} identifies",
                f"column {name!r} holds numbers, but looks like an identifier ({why}): pass "
                f"TableEncoder(categorical=[{name!r}]) or drop it; "
                f"numeric={{{name!r}: 'standardize'}} keeps it as numbers without this warning",
            )

    def check_matrix(
        self, X: _core.Csr, weights: Values | None, scales: Scales, names: Any
    ) -> None:
        """Warn if values of a sparse matrix are far from zero, or from the scales so far."""
        if len(scales) == 0:
            warn_of_offsets(offset_columns(X, weights), names, CENTRED)
            return
        for column, ratio in far_scales(scales, X).items():
            name = f"x{column}" if names is None else names[column]
            message = (
                f"the values of column {name!r} of the sparse matrix are {ratio:.3g} times as "
                f"large as in the first rows that had any, which it is scaled by: {REMEDY}"
            )
            self.tell(name, message)

    def tell(self, name: str, message: str | None) -> None:
        """Warn, unless there is nothing to say or there was a warning of the same name."""
        if message is not None and name not in self._told:
            self._told.add(name)
            warnings.warn(message, UserWarning, stacklevel=2)


def far_scales(scales: Scales, X: _core.Csr) -> dict[int, float]:
    """Return the columns of a sparse matrix whose values are far from their scale: how far."""
    if X.values is None or X.all_ones:
        return {}
    indices = X.indices[: X.n_nonzeros]
    _, places, counts = np.unique(indices, return_inverse=True, return_counts=True)
    chosen = counts[places] >= FEW_ROWS
    if not chosen.any():
        return {}
    columns, found = column_scales(
        indices[chosen], X.values[: X.n_nonzeros][chosen], None, X.n_features
    )
    before = scales.at(columns)
    with np.errstate(over="ignore", under="ignore"):
        ratios = found / np.where(before == 0, found, before)  # 0: there was no value yet
    far = (ratios > FAR) | (ratios < 1 / FAR)
    return dict(zip(columns[far].tolist(), ratios[far].tolist(), strict=True))


def warn_of_few_rows(encoder: Any, n_rows: int) -> None:
    """Warn if the scales of a sparse matrix, which stay, are made of so few rows."""
    if n_rows < FEW_ROWS and encoder._encodings is None and not encoder._scales.all_ones:
        warnings.warn(
            f"the first call of partial_fit has {n_rows} row(s), of which the scales of the sparse "
            "matrix are made, which stay: make that call some hundred rows",
            UserWarning,
            stacklevel=2,
        )
