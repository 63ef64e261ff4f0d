"""`TableEncoder`: what users see of the encoding."""

import warnings
from collections.abc import Iterator, Mapping
from numbers import Integral
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from sparsefm import _core
from sparsefm.data.csr import MAX_FEATURES, as_scipy
from sparsefm.data.validation import as_vector, as_weights, check_choice, check_dtype, check_integer
from sparsefm.encoding.assembly import assemble, fields_of, first_unknown
from sparsefm.encoding.columns import Categories, Codes, Encoding, Hashed, Values, begin
from sparsefm.encoding.reading import Input, field_names, read
from sparsefm.encoding.scales import Scales
from sparsefm.encoding.tables import Column, Numbers
from sparsefm.io.values import register

MANY_CATEGORIES = 1_000_000  # from there on `fit` warns
BYTES_PER_CATEGORY = 128  # about: weight and 8 factors in float32, with the optimizer's two moments


@register("encoder")
class TableEncoder(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Turn the columns of a table into features for a factorization machine.

    Text, categorical and boolean columns become one feature a value. Numeric columns are
    standardised, or cut into bins; integers count as numbers, so cast identifiers and codes to
    text or to a categorical type first. Missing values become features of their own:
    "column=missing", beside the column's mean if it is standardised.

    Parameters
    ----------
    numeric : {"standardize", "bin"}
        Standardised to mean 0 and standard deviation 1, or one feature for each of `n_bins`
        intervals of about equal weight. Columns of nothing but 0 and 1 stay as they are, constant
        ones never contribute. Before standardising, values far out are brought to the nearest that
        is not: to the range of the middle 98%, widened by half its width on either side.
    n_bins : int
        At least 2.
    unknown : {"ignore", "error"}
        What a category that training never saw does, and a missing value where nothing was missing:
        contribute nothing, or raise ValueError.
    hashed : mapping of str or int to int, optional
        Number of features for each of these categorical columns, given by name or position. Their
        values are distributed by a hash: memory is bounded, no value is unknown, some share a
        feature.
    dtype : {"float32", "float64"}
        Of the result.

    Attributes
    ----------
    n_features_in_ : int
        Number of input columns m.
    feature_names_in_ : ndarray of str, shape (m,)
        Their names, if the input was a table whose names are all text.
    n_features_out_ : int
        Number of features d.
    fields_ : ndarray of int, shape (d,)
        The input column of each feature.
    field_names_ : list of str
        The input columns' names, "x0", "x1" and so on if they have none.

    Notes
    -----
    Besides tables (pandas, Polars, PyArrow; requires narwhals) there are dense arrays, whose
    columns are all numeric, and sparse matrices. Each column of those is a feature in its place: it
    is divided by the root mean square of its non-zero values, and stays as it is where they are
    all 1.

    Rows of weight w count like w such rows, and rows in any order give the same result, to the bit.
    """

    def __init__(
        self,
        *,
        numeric: str = "standardize",
        n_bins: int = 32,
        unknown: str = "ignore",
        hashed: Mapping[str | int, int] | None = None,
        dtype: str = "float32",
    ) -> None:
        self.numeric = numeric
        self.n_bins = n_bins
        self.unknown = unknown
        self.hashed = hashed
        self.dtype = dtype

    # --- what scikit-learn asks for -------------------------------------------------------------

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> "TableEncoder":
        """Learn categories and statistics.

        Parameters
        ----------
        X : table, array-like or sparse matrix of shape (n, m)
        y : ignored
        sample_weight : array-like of shape (n,), optional
            Rows of weight zero count for nothing.
        """
        data = self._read(X, self, anew=True)
        self._remember(data, *self._learn(data, sample_weight, anew=True), self)
        return self

    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> "TableEncoder":
        """Learn what is new in more rows, as `fit` does in the first call.

        New categories, and missing values where there were none, become features after those that
        there are; so do new columns, which follow the known ones. Statistics stay as they are.
        """
        if not hasattr(self, "n_features_in_"):
            return self.fit(X, y, sample_weight)
        data = self._read(X, self, anew=False)
        self._remember(data, *self._learn(data, sample_weight, anew=False), self)
        return self

    def fit_transform(self, X: Any, y: Any = None, sample_weight: Any = None) -> sp.csr_matrix:
        """Do both; in less time than one after the other, but with all columns in memory."""
        return self._owned(self._fit_encode(X, sample_weight, self))

    def transform(self, X: Any) -> sp.csr_matrix:
        """Return the features of `X`, a CSR matrix of shape (n, d) with sorted int32 indices."""
        check_is_fitted(self)
        return self._owned(self._encode(X, self))

    def _owned(self, X: _core.Csr) -> sp.csr_matrix:
        """Return features as a matrix of its own; those of a matrix may borrow its arrays."""
        matrix = as_scipy(X, check_dtype(self.dtype))
        return matrix.copy() if self._encodings is None else matrix

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Return the features' names: "column=value", "column", "column in [a, b)", "column#3".

        Parameters
        ----------
        input_features : array-like of str, optional
            Names of the input columns, if they were fitted without.
        """
        check_is_fitted(self)
        fields = self._input_names(input_features)
        if self._encodings is None:
            return np.array(fields, object)
        names = np.empty(self.n_features_out_, object)
        for encoding, field in zip(self._encodings, fields, strict=True):
            for column, name in encoding.names(field):
                names[column] = name
        return names

    @property
    def field_names_(self) -> list[str]:
        """The input columns' names, "x0", "x1" and so on if they have none."""
        check_is_fitted(self)
        return field_names(getattr(self, "feature_names_in_", None), self.n_features_in_)

    @property
    def _is_matrix(self) -> bool:
        """Whether it was fitted on a sparse matrix, whose columns are features already."""
        return self._encodings is None

    @property
    def fields_(self) -> npt.NDArray[np.intp]:
        """The input column of each feature, shape (d,)."""
        check_is_fitted(self)
        if self._encodings is None:
            return np.arange(self.n_features_out_)
        return fields_of([encoding.spans() for encoding in self._encodings])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.transformer_tags.preserves_dtype = []
        return tags

    # --- the work; `owner` is the estimator that error messages name -----------------------------

    def _fit_encode(self, X: Any, sample_weight: Any, owner: Any) -> _core.Csr:
        """Learn and encode, looking for distinct values only once."""
        return self._learn_encode(X, sample_weight, owner, anew=True)

    def _grow_encode(self, X: Any, sample_weight: Any, owner: Any) -> _core.Csr:
        """Learn what is new and encode, looking for distinct values only once."""
        return self._learn_encode(X, sample_weight, owner, anew=False)

    def _encode(self, X: Any, owner: Any) -> _core.Csr:
        """Return the features of `X`."""
        self._check_settings()
        return self._features(read(X, owner), self._encodings, self._scales)

    def _learn_encode(self, X: Any, sample_weight: Any, owner: Any, *, anew: bool) -> _core.Csr:
        data = self._read(X, owner, anew=anew).keeping()
        encodings, scales = self._learn(data, sample_weight, anew=anew)
        encoded = self._features(data, encodings, scales)
        self._remember(data, encodings, scales, owner)
        return encoded

    def _read(self, X: Any, owner: Any, *, anew: bool) -> Input:
        self._check_settings()
        return read(X, owner, reset=anew, extend=not anew)

    def _learn(
        self, data: Input, sample_weight: Any, *, anew: bool
    ) -> tuple[list[Encoding] | None, Scales]:
        """Return the encodings of all columns, or the scales of a sparse matrix."""
        weights = _check_weights(sample_weight, data.shape[0])
        encodings: list[Encoding] | None = None if data.is_sparse else []
        scales = Scales(np.empty(0))
        if not anew:
            encodings, scales = self._encodings, self._scales
        if encodings is None:
            return None, scales.grown(data.as_csr(), weights)
        return self._grow(data, weights, encodings), scales

    def _remember(
        self, data: Input, encodings: list[Encoding] | None, scales: Scales, owner: Any
    ) -> None:
        self._encodings, self._scales = encodings, scales
        self.n_features_out_ = len(scales) if encodings is None else _n_outputs(encodings)
        for estimator in (self, owner):
            estimator.n_features_in_ = data.shape[1]
            if data.names is not None:
                estimator.feature_names_in_ = data.names
            elif hasattr(estimator, "feature_names_in_"):
                del estimator.feature_names_in_

    def _features(self, data: Input, encodings: list[Encoding] | None, scales: Scales) -> _core.Csr:
        dtype = check_dtype(self.dtype)
        if encodings is None:
            return scales.apply(data.as_csr(), dtype)
        shape = (data.shape[0], _n_outputs(encodings))
        return assemble(self._encoded(data, encodings), shape, len(encodings), dtype)

    def _grow(self, data: Input, weights: Values | None, known: list[Encoding]) -> list[Encoding]:
        """Return the encodings of all columns, with what is new to those that are known."""
        names = data.field_names
        buckets = _resolve_hashed(self.hashed, names)
        counted = None
        if weights is not None and not weights.all():
            counted = weights > 0
            weights = weights[counted]
        end = _n_outputs(known)
        encodings = []
        for position, (column, name) in enumerate(zip(data.columns(), names, strict=True)):
            if counted is not None:
                column = column.take(counted)
            if position < len(known):
                encoding, before = known[position], known[position].n_outputs
            else:
                encoding, before = self._begin(column, name, weights, end, buckets.get(position)), 0
            encoding = encoding.grown(column, name, end + encoding.n_outputs - before)
            end += encoding.n_outputs - before
            _check_size(encoding, before, name, end)
            encodings.append(encoding)
        return encodings

    def _begin(
        self, column: Column, name: str, weights: Values | None, first: int, buckets: int | None
    ) -> Encoding:
        if buckets is None:
            return begin(column, weights, first, self.n_bins if self.numeric == "bin" else None)
        if isinstance(column, Numbers) and not np.isnan(column.values).all():
            raise TypeError(
                f"hashed names column {name!r}, which is numeric: make it text, or leave it out"
            )
        return Hashed(first, buckets)

    def _encoded(
        self, data: Input, encodings: list[Encoding]
    ) -> Iterator[tuple[Codes, npt.NDArray[Any] | None]]:
        """Yield what each column encodes to."""
        for column, encoding, name in zip(data.columns(), encodings, data.field_names, strict=True):
            codes, values = encoding.encode(column, name)
            row = first_unknown(codes) if self.unknown == "error" else None
            if row is not None:
                raise ValueError(
                    f"column {name!r} holds {column.show(row)} in row {row}, which training never "
                    "saw: train with it, or use unknown='ignore'"
                )
            yield codes, None if values is None else self._cast(values, column, name)

    def _cast(self, values: Values, column: Column, name: str) -> npt.NDArray[Any]:
        """Return the values in the dtype of the result, in which they must be finite."""
        with np.errstate(over="ignore", under="ignore"):
            cast = values.astype(check_dtype(self.dtype))
        if not np.isfinite(cast).all():
            row = int(np.argmin(np.isfinite(cast)))
            raise ValueError(
                f"column {name!r} holds {column.show(row)} in row {row}, too far from the training "
                f"data for {cast.dtype}"
            )
        return cast

    def _check_settings(self) -> None:
        check_choice(self.numeric, "numeric", ("standardize", "bin"))
        check_choice(self.unknown, "unknown", ("ignore", "error"))
        check_integer(self.n_bins, "n_bins", 2)
        check_dtype(self.dtype)
        if self.hashed is not None and not isinstance(self.hashed, Mapping):
            raise TypeError(
                f"hashed must map columns to numbers of features, got {self.hashed!r:.80}"
            )

    def _input_names(self, given: Any) -> list[str]:
        """Return the names of the input columns, which may be given if there are none."""
        if given is None:
            return self.field_names_
        names = getattr(self, "feature_names_in_", None)
        if names is not None and not np.array_equal(names, np.asarray(given, object)):
            raise ValueError("input_features is not equal to feature_names_in_")
        if len(given) != self.n_features_in_:
            raise ValueError(
                "input_features should have length equal to number of features "
                f"({self.n_features_in_}), got {len(given)}"
            )
        return [str(name) for name in given]


def _resolve_hashed(hashed: Mapping[Any, int] | None, names: list[str]) -> dict[int, int]:
    """Return the number of buckets of each hashed column, by position."""
    if hashed is None:
        return {}
    buckets = {}
    for key, count in hashed.items():
        is_position = isinstance(key, Integral) and not isinstance(key, bool)
        if key not in (range(len(names)) if is_position else names):
            raise ValueError(f"hashed names a column {key!r}, but X has no such column")
        buckets[int(key) if is_position else names.index(key)] = check_integer(
            count, f"hashed[{key!r}]", 1
        )
    return buckets


def _n_outputs(encodings: list[Encoding]) -> int:
    return sum(encoding.n_outputs for encoding in encodings)


def _check_weights(sample_weight: Any, n_rows: int) -> Values | None:
    if sample_weight is None:
        return None
    as_weights(sample_weight, n_rows, np.float64, "sample_weight")  # for its checks
    weights = as_vector(sample_weight, n_rows, np.float64, "sample_weight")
    scaled: Values = np.ldexp(weights, -int(np.frexp(weights.max())[1]))
    return scaled  # their sum must not overflow


def _check_size(encoding: Encoding, before: int, name: str, end: int) -> None:
    """Refuse more features than fit in int32; warn once a column has a great many categories."""
    if end > MAX_FEATURES:
        raise ValueError(
            f"column {name!r} brings the number of features to {end}; at most {MAX_FEATURES} are "
            "supported: hash it into fewer"
        )
    count = len(encoding.vocabulary) if isinstance(encoding, Categories) else 0
    if before <= MANY_CATEGORIES < count:
        memory = count * BYTES_PER_CATEGORY / 2**20
        warnings.warn(
            f"column {name!r} has {count:,} distinct values, each of them a feature: about "
            f"{memory:,.0f} MiB while training with rank 8. Hash it with "
            f"TableEncoder(hashed={{{name!r}: 2**20}}), or drop it.",
            UserWarning,
            stacklevel=2,
        )
