"""`TableEncoder`: what users see of the encoding."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.validation import check_is_fitted

from sparsefm import _core
from sparsefm.data.csr import as_scipy
from sparsefm.data.memory import check_width
from sparsefm.data.validation import check_choice, check_dtype
from sparsefm.encoding.assembly import assemble, fields_of, first_unknown, in_dtype
from sparsefm.encoding.beginning import is_plain
from sparsefm.encoding.categories import Categories, Hashed
from sparsefm.encoding.columns import Encoded, Encoding, Values, n_outputs
from sparsefm.encoding.multi import Multi
from sparsefm.encoding.names import Names, input_names
from sparsefm.encoding.numeric import Number
from sparsefm.encoding.reading import Input, field_names, read
from sparsefm.encoding.scales import Scales
from sparsefm.encoding.settings import Kinds, Settings, check_settings, resolved
from sparsefm.encoding.size import check_size
from sparsefm.encoding.statistics import scaled_weights
from sparsefm.encoding.streams import Watch, awakened, warn_of_few_rows
from sparsefm.io.values import register
from sparsefm.snapshots import aside, consistent


@register("encoder")
class TableEncoder(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Turn the columns of a table into features for a factorization machine.

    Text, categorical and boolean columns become one feature a value. So do columns of lists, whose
    rows have the features of all their values. Numeric columns are standardised, or become several
    features: see `numeric`. Integers count as numbers, so cast identifiers and codes to text or to
    a categorical type first. Missing values become features of their own: "column=missing", beside
    the column's mean if it is standardised.

    Parameters
    ----------
    numeric : {"auto", "standardize", "log", "spline", "bin"} or mapping of str or int to one
        What numbers become, for all columns, or for each by name or position; "*" stands for the
        columns that are not named, which are "auto" otherwise. Columns of nothing but 0 and 1 stay
        as they are; constant ones never contribute.

        - "standardize": one feature, of mean 0 and standard deviation 1;
        - "log": the same of ``sign(x) log(1 + |x| / s)``, where s is the median of ``|x|`` where x
          is not zero;
        - "spline": a feature for each of at most ``n_bins + 1`` values ("knots"), which divide the
          column into parts of about equal weight; a value with the weight of several parts counts
          as one. A feature is 1 at its knot and falls linearly to 0 at the knots beside it, so a
          number has two features, which add up to 1;
        - "bin": a feature for each of `n_bins` intervals of about equal weight;
        - "auto": the estimators choose; an encoder by itself standardises.
    n_bins : int or "auto"
        At least 2. "auto" is 32, unless an estimator chooses another.
    clip : bool or "auto"
        Whether values far out are brought to the nearest that is not, before they are standardised:
        to the range of the middle 98%, widened by half its width on either side; with "log", of the
        logarithms. "auto" is True, unless an estimator chooses.
    unknown : {"ignore", "error"}
        What a category that training never saw does, and a missing value where nothing was missing:
        contribute nothing, or raise ValueError.
    hashed : mapping of str or int to int, optional
        Number of features for each of these categorical columns, given by name or position. Their
        values are distributed by a hash: memory is bounded, no value is unknown, some share a
        feature.
    multi : mapping of str or int to str, optional
        The separator of each column of text that holds several values in a row, such as
        ``{"genres": "|"}``, by name or position. Columns of lists need no mention.
    combiner : {"mean", "sqrt", "sum"}
        What the features of a list are in a row: with "mean" they add up to 1, so a list counts as
        much as a single value, however long it is; with "sqrt" their squares do; with "sum" they
        are 1, or how often the value occurs in the list.
    dtype : {"float32", "float64"}
        Of the result.

    Attributes
    ----------
    n_features_in_ : int
        Number of input columns m.
    feature_names_in_ : ndarray of str, shape (m,)
        Their names, if the input was a table, or a list of dicts, whose names are all text.
    n_features_out_ : int
        Number of features d.
    fields_ : ndarray of int, shape (d,)
        The input column of each feature.
    field_names_ : list of str
        The input columns' names as text, "x0", "x1" and so on if they have none.

    Notes
    -----
    Tables are those of pandas, Polars and PyArrow (requires narwhals), arrays of objects or text,
    lists of rows and lists of dicts. Besides there are arrays, whose columns are all numeric, and
    sparse matrices. Each column of those is a feature in its place: it is divided by the root mean
    square of its non-zero values, and stays as it is where they are all 1.

    Rows of weight w count like w such rows, and rows in any order give the same result, to the bit.

    Until a fit returns, other threads see the encoder as it was, and may transform.
    """

    _names: Names | None = None  # also those that are not text
    _follows = False  # whether statistics follow the rows of a stream

    def __init__(
        self,
        *,
        numeric: Kinds = "auto",
        n_bins: int | str = "auto",
        clip: bool | str = "auto",
        unknown: str = "ignore",
        hashed: Mapping[str | int, int] | None = None,
        multi: Mapping[str | int, str] | None = None,
        combiner: str = "mean",
        dtype: str = "float32",
    ) -> None:
        self.numeric = numeric
        self.n_bins = n_bins
        self.clip = clip
        self.unknown = unknown
        self.hashed = hashed
        self.multi = multi
        self.combiner = combiner
        self.dtype = dtype

    # --- what scikit-learn asks for -------------------------------------------------------------

    @aside
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> "TableEncoder":
        """Learn categories and statistics.

        Parameters
        ----------
        X : table, array-like or sparse matrix of shape (n, m)
        y : ignored
        sample_weight : array-like of shape (n,), optional
            Rows of weight zero count for nothing.
        """
        self._follows = False
        data = self._read(X, self, anew=True)
        self._remember(data, *self._learn(data, sample_weight, anew=True), self)
        return self

    @aside
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> "TableEncoder":
        """Learn what is new in more rows, as `fit` does in the first call.

        New categories, and missing values where there were none, become features after those that
        there are; so do new columns. Statistics of numbers follow the rows, unless they are those
        of `fit`: earlier features are then in other units. Columns of one value wait for others.
        """
        anew = not hasattr(self, "n_features_in_")
        self._follows = True
        data = self._read(X, self, anew=anew)
        self._remember(data, *self._learn(data, sample_weight, anew=anew), self)
        if anew:
            warn_of_few_rows(self, data.shape[0])
        return self

    def fit_transform(self, X: Any, y: Any = None, sample_weight: Any = None) -> sp.csr_matrix:
        """Do both; in less time than one after the other, but with all columns in memory."""
        return self._owned(self._fit_encode(X, sample_weight, self))

    def transform(self, X: Any) -> sp.csr_matrix:
        """Return the features of `X`, a CSR matrix of shape (n, d) with sorted int32 indices."""
        check_is_fitted(self)
        return self._owned(self._encode(X, self))

    def set_output(self, *, transform: str | None = None) -> "TableEncoder":
        """Have `transform` return "default", a sparse matrix, or tables: "pandas" or "polars"."""
        if transform is not None:
            check_choice(transform, "transform", ("default", "pandas", "polars"))
        super().set_output(transform=transform)
        return self

    def _owned(self, X: _core.Csr) -> sp.csr_matrix | npt.NDArray[Any]:
        """Return features as a matrix of its own; those of a matrix may borrow its arrays."""
        matrix = as_scipy(X, check_dtype(self.dtype))
        if _get_output_config("transform", self)["dense"] != "default":
            return matrix.toarray()  # scikit-learn makes a table of it
        return matrix.copy() if self._encodings is None else matrix

    @consistent
    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Return the features' names: "city=Rome", "age", "age@37.5", "age in [a, b)", "id#3".

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
    @consistent
    def field_names_(self) -> list[str]:
        """The input columns' names, "x0", "x1" and so on if they have none."""
        check_is_fitted(self)
        return field_names(self._names, self.n_features_in_)

    @property
    def _is_matrix(self) -> bool:
        """Whether it was fitted on a sparse matrix, whose columns are features already."""
        return self._encodings is None

    @property
    @consistent
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

    # --- what estimators choose ------------------------------------------------------------------

    def _resolved(self, kind: str, n_bins: int, *, clip: bool) -> "TableEncoder":
        """Return a clone, not fitted, with these in place of every "auto"."""
        fixed: TableEncoder = clone(self).set_params(
            numeric=resolved(self.numeric, kind),
            n_bins=n_bins if self.n_bins == "auto" else self.n_bins,
            clip=clip if self.clip == "auto" else self.clip,
        )
        return fixed

    def _plain(self) -> "TableEncoder | None":
        """Return an encoder to which different numbers are different; None if this is such one."""
        known = self._encodings or []
        if all(isinstance(one, Categories | Hashed | Multi) or is_plain(one) for one in known):
            return None
        plain: TableEncoder = clone(self).set_params(numeric="standardize", clip=False)
        return plain

    @property
    def _has_numbers(self) -> bool:
        """Whether a column of numbers has more than 0 and 1."""
        known = self._encodings or []
        return any(isinstance(one, Number) and one.is_informative for one in known)

    @property
    def _open_columns(self) -> list[int]:
        """The positions of the columns of numbers that "auto" decides, once fitted.

        Those of 0 and 1, and constant ones, are left out: they stay as they are.
        """
        if self._encodings is None:
            return []
        settings = Settings.of(self, self.field_names_)
        return [
            position
            for position, encoding in enumerate(self._encodings)
            if isinstance(encoding, Number)
            and encoding.is_informative
            and settings.kind(position) == "auto"
        ]

    # --- the work; `owner` is the estimator that error messages name -----------------------------

    def _fit_encode(self, X: Any, sample_weight: Any, owner: Any) -> _core.Csr:
        """Learn and encode, looking for distinct values only once."""
        return self._learn_encode(X, sample_weight, owner, anew=True)

    def _grow_encode(self, X: Any, sample_weight: Any, owner: Any) -> _core.Csr:
        """Learn what is new and encode, looking for distinct values only once."""
        return self._learn_encode(X, sample_weight, owner, anew=False)

    def _encode(self, X: Any, owner: Any) -> _core.Csr:
        """Return the features of `X`."""
        check_settings(self)
        return self._features(read(X, owner, self._names), self._encodings, self._scales)

    def _learn_encode(self, X: Any, sample_weight: Any, owner: Any, *, anew: bool) -> _core.Csr:
        data = self._read(X, owner, anew=anew).keeping()
        encodings, scales = self._learn(data, sample_weight, anew=anew)
        encoded = self._features(data, encodings, scales)
        self._remember(data, encodings, scales, owner)
        return encoded

    def _read(self, X: Any, owner: Any, *, anew: bool) -> Input:
        check_settings(self)
        return read(X, owner, self._names, reset=anew, extend=not anew)

    def _learn(
        self, data: Input, sample_weight: Any, *, anew: bool
    ) -> tuple[list[Encoding] | None, Scales]:
        """Return the encodings of all columns, or the scales of a sparse matrix."""
        weights = scaled_weights(sample_weight, data.shape[0], stream=self._follows)
        if anew or "_watch" not in vars(self):
            self._watch = Watch()
        encodings: list[Encoding] | None = None if data.is_sparse else []
        scales = Scales(np.empty(0))
        if not anew:
            encodings, scales = self._encodings, self._scales
        if encodings is None:
            check_width(data.shape[1], 0, np.dtype(np.float64).itemsize)  # the scales
            grown = scales.grown(data.as_csr(), weights)
            self._watch.check_matrix(data.as_csr(), weights, scales, data.names)
            return None, grown
        return self._grow(data, weights, encodings), scales

    def _remember(
        self, data: Input, encodings: list[Encoding] | None, scales: Scales, owner: Any
    ) -> None:
        self._encodings, self._scales, self._names = encodings, scales, data.names
        self.n_features_out_ = len(scales) if encodings is None else n_outputs(encodings)
        for estimator in (self, owner):
            estimator.n_features_in_ = data.shape[1]
            if data.names is not None and data.names.are_text:
                estimator.feature_names_in_ = data.names.as_array()
            elif hasattr(estimator, "feature_names_in_"):
                del estimator.feature_names_in_

    def _features(self, data: Input, encodings: list[Encoding] | None, scales: Scales) -> _core.Csr:
        dtype = check_dtype(self.dtype)
        if encodings is None:
            return scales.apply(data.as_csr(), dtype)
        shape = (data.shape[0], n_outputs(encodings))
        lengths = [encoding.n_entries for encoding in encodings]
        return assemble(self._encoded(data, encodings), shape, lengths, dtype)

    def _grow(self, data: Input, weights: Values | None, known: list[Encoding]) -> list[Encoding]:
        """Return the encodings of all columns, with what is new to those that are known."""
        names = data.field_names
        settings = Settings.of(self, names)
        counted = None
        if weights is not None and not weights.all():
            counted = weights > 0
            weights = weights[counted]
        end = n_outputs(known)
        encodings = []
        for position, (column, name) in enumerate(zip(data.columns(), names, strict=True)):
            if counted is not None:
                column = column.take(counted)
            if position < len(known):
                encoding, before = known[position], known[position].n_outputs
                encoding = awakened(encoding, position, column, weights, end, settings)
                self._watch.check_column(encoding, column, name)
            else:
                encoding, before = settings.begin(position, column, weights, end), 0
            encoding = encoding.grown(column, name, end + encoding.n_outputs - before)
            end += encoding.n_outputs - before
            check_size(encoding, before, name, end)
            encodings.append(encoding)
        return encodings

    def _encoded(self, data: Input, encodings: list[Encoding]) -> Iterator[Encoded]:
        """Yield what each column encodes to."""
        dtype = check_dtype(self.dtype)
        columns = data.columns(last=True)
        for column, encoding, name in zip(columns, encodings, data.field_names, strict=True):
            encoded = encoding.encode(column, name)
            row = first_unknown(encoded) if self.unknown == "error" else None
            if row is not None:
                raise ValueError(
                    f"column {name!r} holds {column.show(row)} in row {row}, which training never "
                    "saw: train with it, or use unknown='ignore'"
                )
            encoded, row = in_dtype(encoded, dtype)
            if row is not None:
                raise ValueError(
                    f"column {name!r} holds {column.show(row)} in row {row}, too far from the "
                    f"training data for {dtype}"
                )
            yield encoded

    def _input_names(self, given: Any) -> list[str]:
        """Return the names of the input columns, which may be given if there are none."""
        if given is None:
            return self.field_names_
        return input_names(given, getattr(self, "feature_names_in_", None), self.n_features_in_)


# Around what scikit-learn puts around them: names in tables are those of the same state.
TableEncoder.fit_transform = aside(TableEncoder.fit_transform)  # type: ignore[method-assign]
TableEncoder.transform = consistent(TableEncoder.transform)  # type: ignore[method-assign]
