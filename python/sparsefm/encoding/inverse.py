"""From features back to cells: what `TableEncoder.inverse_transform` returns."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import singledispatch
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from sklearn.utils.validation import check_is_fitted

from sparsefm.data.csr import as_csr, as_scipy
from sparsefm.data.validation import check_dtype
from sparsefm.encoding.categories import Categories, Hashed
from sparsefm.encoding.columns import Encoding, Values
from sparsefm.encoding.dates import Calendar
from sparsefm.encoding.intervals import Bins, Spline, places_of
from sparsefm.encoding.multi import Multi
from sparsefm.encoding.names import Names
from sparsefm.encoding.numeric import Logarithm, Number
from sparsefm.encoding.scales import Scales
from sparsefm.encoding.statistics import LARGEST
from sparsefm.encoding.times import FARTHEST, as_objects, as_times
from sparsefm.snapshots import consistent

Cells = npt.NDArray[Any]

LOG_LARGEST = float(np.log(LARGEST))
DIGITS = 22  # powers of ten up to this one are exact


class InverseMixin:
    """Gives an encoder `inverse_transform`."""

    if TYPE_CHECKING:
        dtype: str
        n_features_in_: int
        n_features_out_: int
        _encodings: list[Encoding] | None
        _scales: Scales
        _names: Names | None
        _weights: Mapping[int, int]
        _held: Sequence[str | None]

        @property
        def _column_names(self) -> list[str]: ...
        @property
        def _field_positions(self) -> list[int]: ...
        @property
        def fields_(self) -> npt.NDArray[np.intp]: ...  # noqa: D102

    @consistent
    def inverse_transform(self, X: Any) -> Any:
        """Return the cells that the features `X` stand for.

        Categories and lists come back as they were; numbers do up to rounding, those that were
        clipped as the bounds; of "bin", the text of the interval, such as "[20, 35)". Missing cells
        and unknown categories are None or NaN. Values of a list with weights are a dict; weights
        that have a column of their own are there, divided as `combiner` says. Dates come back in
        whole seconds, as exactly as `dtype` allows, those with a time zone in UTC; missing ones are
        NaT. Durations and times of day come back as such, up to rounding; in bins as seconds.

        Parameters
        ----------
        X : table, sparse matrix or array-like of shape (n, d)
            Features as `transform` returns them.

        Returns
        -------
        table, ndarray or csr_matrix of shape (n, m)
            What `fit` was given: a sparse matrix after a sparse matrix, an array after an array or
            lists of rows without names. After a table, a pandas DataFrame; a dict of columns if
            pandas is not installed.

        Raises
        ------
        ValueError
            If a column is hashed: several values share a feature, which does not tell them apart;
            or if it holds dates without the part "linear", which alone tells when they are.
        """
        check_is_fitted(self)
        matrix = as_scipy(as_csr(X, np.float64, "X", self.n_features_out_))
        if self._encodings is None:
            scales = self._scales.values
            scales[scales == 0] = 1
            data = (matrix.data * scales[matrix.indices]).astype(check_dtype(self.dtype))
            return sp.csr_matrix((data, matrix.indices, matrix.indptr), matrix.shape, copy=True)
        eps = float(np.finfo(check_dtype(self.dtype)).eps)
        parts = _by_field(matrix, self.fields_, len(self._encodings), eps)
        names, cells = self._column_names, dict[int, Cells]()
        kinds = self._held or [None] * len(self._encodings)
        for position, encoding, entries, held in zip(
            self._field_positions, self._encodings, parts, kinds, strict=True
        ):
            if position in self._weights:
                pair = weighted_cells(encoding, entries, names[position])
                cells[position], cells[self._weights[position]] = pair
            else:
                found = cells_of(encoding, entries, names[position])
                cells[position] = found if isinstance(encoding, Bins) else as_times(found, held)
        columns = [cells[position] for position in range(self.n_features_in_)]
        if self._names is None:
            return _stacked(columns)
        table = _frame(columns, self._names, getattr(X, "index", None))
        return dict(zip(names, columns, strict=True)) if table is None else table


@dataclass(frozen=True, eq=False)
class Entries:
    """The entries of a sparse matrix that belong to one input column, row by row.

    Attributes
    ----------
    n_rows : int
    rows, columns : ndarray of int
        Ascending, the output columns within a row.
    values : ndarray of float64
        Not zero.
    eps : float
        The relative error of the values.
    """

    n_rows: int
    rows: npt.NDArray[np.intp]
    columns: npt.NDArray[np.integer[Any]]
    values: Values
    eps: float

    def where(self, chosen: npt.NDArray[np.bool_]) -> "Entries":
        """Return some of the entries."""
        chosen_values = self.values[chosen]
        return Entries(
            self.n_rows, self.rows[chosen], self.columns[chosen], chosen_values, self.eps
        )

    def greatest(self) -> "Entries":
        """Return the one of the greatest value in each row that has any."""
        order = np.lexsort((self.values, self.rows))
        last = np.diff(self.rows[order], append=-1) != 0
        return self.where(order[last])


@singledispatch
def cells_of(encoding: Any, entries: Entries, name: str) -> Cells:
    """Return the cells of the input column of that name, shape (n,)."""
    raise TypeError(f"column {name!r} cannot be given back: {type(encoding).__name__}")


@cells_of.register
def _(encoding: Categories, entries: Entries, name: str) -> Cells:
    found = entries.greatest()
    found = found.where(found.columns != encoding.missing)
    cells = np.full(entries.n_rows, None, object)
    cells[found.rows] = _values(encoding, found.columns)
    return cells.astype(bool) if set(map(type, cells)) == {bool} else cells


@cells_of.register
def _(encoding: Hashed, entries: Entries, name: str) -> Cells:
    raise ValueError(
        f"column {name!r} is hashed, and cannot be given back: several values share a feature; fit "
        "an encoder that does not hash it"
    )


@cells_of.register
def _(encoding: Multi, entries: Entries, name: str) -> Cells:
    lists, all_weights, items = _lists_of(encoding, entries, name)
    counts = np.bincount(items.rows, minlength=entries.n_rows)
    equal: dict[str, Any] = {
        "mean": 1 / counts[items.rows],
        "sqrt": counts[items.rows] ** -0.5,
        "sum": 1.0,
    }
    if not np.allclose(items.values, equal[encoding.combiner], rtol=4 * entries.eps, atol=0):
        pairs = zip(lists, all_weights, strict=True)
        lists = [dict(zip(values, weights, strict=True)) for values, weights in pairs]
    elif encoding.separator is not None:
        lists = _joined(lists, encoding.separator)
    return _in_cells(lists, encoding, entries)


def weighted_cells(encoding: Any, entries: Entries, name: str) -> tuple[Cells, Cells]:
    """Return the cells of a column of lists, and those of the column of their weights."""
    if not isinstance(encoding, Multi):  # there were none
        return cells_of(encoding, entries, name), np.full(entries.n_rows, None, object)
    lists, weights, _ = _lists_of(encoding, entries, name)
    return _in_cells(lists, encoding, entries), _in_cells(weights, encoding, entries)


def _lists_of(
    encoding: Multi, entries: Entries, name: str
) -> tuple[list[Any], list[list[float]], Entries]:
    """Return the values of each row, their weights, and the entries of both together."""
    single = encoding.single
    if isinstance(single, Hashed):
        cells_of(single, entries, name)  # refuses
    assert isinstance(single, Categories)
    items = entries.where(entries.columns != single.missing)
    counts = np.bincount(items.rows, minlength=entries.n_rows)
    spans = list(pairwise([0, *np.cumsum(counts).tolist()]))
    values, weights = _values(single, items.columns).tolist(), items.values.tolist()
    return [values[a:b] for a, b in spans], [weights[a:b] for a, b in spans], items


def _in_cells(lists: list[Any], encoding: Multi, entries: Entries) -> Cells:
    """Return a cell for each row, None where its list is missing."""
    assert isinstance(encoding.single, Categories)
    cells = np.empty(entries.n_rows, object)
    for row, cell in enumerate(lists):
        cells[row] = cell
    cells[entries.rows[entries.columns == encoding.single.missing]] = None
    return cells


@cells_of.register
def _(encoding: Number, entries: Entries, name: str) -> Cells:
    is_missing = entries.columns == encoding.missing
    items = entries.where(~is_missing)
    scaled = np.zeros(entries.n_rows)
    scaled[items.rows] = items.values
    with np.errstate(over="ignore", under="ignore"):
        numbers = np.ldexp(scaled * encoding.std + encoding.mean, encoding.exponent)
        errors = np.ldexp(np.abs(scaled) * encoding.std * entries.eps, encoding.exponent)
        if isinstance(encoding, Logarithm):
            grown = np.exp(np.minimum(np.abs(numbers) + np.log(encoding.scale), LOG_LARGEST))
            small = np.expm1(np.minimum(np.abs(numbers), 1)) * encoding.scale
            sizes = np.where(np.abs(numbers) < 1, small, grown - encoding.scale)
            numbers, errors = np.copysign(sizes, numbers), errors * grown
    cells = _rounded(np.clip(numbers, -LARGEST, LARGEST), errors)
    cells[entries.rows[is_missing]] = np.nan
    return cells


@cells_of.register
def _(encoding: Calendar, entries: Entries, name: str) -> Cells:
    linear = encoding.linear
    if linear is None:
        raise ValueError(
            f"column {name!r} holds dates without the part 'linear', and cannot be given back: fit "
            "an encoder whose dates have that part"
        )
    seconds = cells_of(linear, entries.where(entries.columns == linear.column), name)
    cells = np.round(np.clip(seconds, -FARTHEST, FARTHEST)).astype(np.int64).astype("M8[s]")
    cells[entries.rows[entries.columns == encoding.missing]] = np.datetime64("NaT")
    return cells


@cells_of.register
def _(encoding: Bins, entries: Entries, name: str) -> Cells:
    found = entries.greatest()
    found = found.where(found.columns != encoding.missing)
    texts = [text.removeprefix(f"{name} in ") for _, text in encoding.names(name)]
    cells = np.full(entries.n_rows, None, object)
    cells[found.rows] = np.array(texts, object)[places_of(encoding, found.columns)]
    return cells


@cells_of.register
def _(encoding: Spline, entries: Entries, name: str) -> Cells:
    items = entries.where(entries.columns != encoding.missing)
    cells = np.full(entries.n_rows, np.nan)
    last = np.diff(items.rows, append=-1) != 0  # the knot on the right, or the only one
    alone = np.bincount(items.rows, minlength=entries.n_rows)[items.rows[last]] == 1
    places, shares = places_of(encoding, items.columns[last]), items.values[last]
    left, right = encoding.knots[np.maximum(places - 1, 0)], encoding.knots[places]
    with np.errstate(over="ignore"):
        widths = right - left
    between = np.where(np.isinf(widths), left * (1 - shares) + right * shares, left)
    finite = np.where(np.isinf(widths), 0, widths)
    inside = _rounded(between + shares * finite, entries.eps * finite)
    cells[items.rows[last]] = np.where(alone, right, inside)
    return cells


def _values(encoding: Categories, columns: npt.NDArray[Any]) -> Cells:
    """Return the category of each output column."""
    values = np.empty(len(encoding.vocabulary), object)
    values[:] = encoding.values
    order = np.argsort(encoding.columns)
    return np.asarray(values[order[np.searchsorted(encoding.columns[order], columns)]])


def _joined(lists: list[list[Any]], separator: str) -> list[Any]:
    """Return lists as text, unless some value is none that text could be divided into."""
    texts = []
    for values in lists:
        if not all(isinstance(value, str) for value in values):
            return lists
        texts.append(separator.join(values))
        parts = [part.strip() for part in texts[-1].split(separator)] if values else []
        if parts != values:
            return lists
    return texts


def _rounded(numbers: Values, errors: Values) -> Values:
    """Return numbers with as many decimals as their errors allow: 37 instead of 36.9999996."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        errors = 2 * errors + np.abs(numbers) * (4 * np.finfo(np.float64).eps)
        digits = np.floor(-np.log10(errors))
        powers = 10.0 ** np.clip(np.nan_to_num(digits), 0, DIGITS)
        rounded = np.round(numbers * powers) / powers
    usable = np.isfinite(rounded) & (digits >= 0) & (digits <= DIGITS)
    return np.where(usable, rounded, numbers)


def _by_field(
    matrix: sp.csr_matrix, fields: npt.NDArray[np.intp], n_fields: int, eps: float
) -> Iterator[Entries]:
    """Yield the entries of each input column."""
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    owners = fields[matrix.indices]
    order = np.argsort(owners, kind="stable")
    ends = np.searchsorted(owners[order], np.arange(n_fields + 1))
    for begin, end in pairwise(ends):
        own = order[begin:end]
        yield Entries(matrix.shape[0], rows[own], matrix.indices[own], matrix.data[own], eps)


def _stacked(columns: list[Cells]) -> Cells:
    """Return columns as an array, of objects if there are dates or durations beside others."""
    if len({cells.dtype.kind if cells.dtype.kind in "mM" else "" for cells in columns}) > 1:
        columns = [as_objects(cells) for cells in columns]
    return np.column_stack(columns)


def _frame(columns: list[Cells], names: Names, index: Any) -> Any:
    """Return a pandas DataFrame, or None if pandas is not installed."""
    try:
        import pandas as pd
    except ImportError:
        return None
    series = [
        pd.Series(_typed(cells), index=index if isinstance(index, pd.Index) else None)
        for cells in columns
    ]
    table = pd.concat(series, axis=1)
    table.columns = range(len(columns)) if names.are_numbering else names.texts
    return table


def _typed(cells: Cells) -> Any:
    """Return cells; categories that are numbers as such, for they would be numbers otherwise."""
    import pandas as pd

    if cells.dtype != object:
        return cells
    found = next((cell for cell in cells if cell is not None), None)
    return pd.Categorical(cells) if type(found) in (int, float) else cells
