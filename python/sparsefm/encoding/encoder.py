"""`TableEncoder`: what users see of the encoding."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

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
from sparsefm.encoding.assembly import assemble, encode
from sparsefm.encoding.beginning import is_plain
from sparsefm.encoding.categories import Categories, Hashed
from sparsefm.encoding.columns import Encoding, n_outputs
from sparsefm.encoding.dates import PARTS
from sparsefm.encoding.fields import FieldsMixin, fields_of_columns
from sparsefm.encoding.inverse import InverseMixin
from sparsefm.encoding.learning import learn
from sparsefm.encoding.multi import Multi
from sparsefm.encoding.names import Names, distinct_names, input_names
from sparsefm.encoding.numeric import Number
from sparsefm.encoding.reading import Input, read
from sparsefm.encoding.scales import Scales
from sparsefm.encoding.settings import (
    Kinds,
    PartsOf,
    Settings,
    check_has_no_fields,
    check_settings,
    named_and_others,
    refuse_names,
    resolved,
    separators_of,
    with_lists,
)
from sparsefm.encoding.statistics import scaled_weights
from sparsefm.encoding.streams import Watch, warn_of_few_rows
from sparsefm.io.values import register
from sparsefm.snapshots import aside, consistent

Learned: TypeAlias = tuple[list[Encoding] | None, Scales, Sequence[str | None]]


@register("encoder")
class TableEncoder(FieldsMixin, InverseMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Turn the columns of a table into features for a factorization machine.

    Text, categorical and boolean columns become one feature a value. So do columns of lists, whose
    rows have the features of all their values. Numeric columns are standardised, or become several
    features: see `numeric`. Integers count as numbers, unless `categorical` names their column;
    there is a warning where they look like identifiers. Dates become parts of the calendar: see
    `dates`. Missing values become features of their own: "column=missing", beside the column's mean
    if it is standardised.

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
    dates : str, sequence of str, or mapping of str or int to one
        Which features a column of dates has: some of "linear" (time as a number, standardised),
        "dayofyear" (sine and cosine), "year", "month", "day", "weekday" and "hour" (a feature for
        each value). "auto" is "linear", and of "month", "weekday" and "hour" those that differ
        between rows. A mapping names columns, as in `numeric`.
    n_bins : int or "auto"
        At least 2. "auto" is 32, unless an estimator chooses another.
    clip : bool or "auto"
        Whether values far out are brought to the nearest that is not, before they are standardised:
        to the range of the middle 98%, widened by half its width on either side; with "log", of the
        logarithms. "auto" is True, unless an estimator chooses.
    unknown : {"ignore", "error"}
        What a category that training never saw does, and a missing value where nothing was missing:
        contribute nothing, or raise ValueError.
    categorical : sequence of str or int, optional
        The columns, by name or position, whose whole numbers are categories, such as identifiers.
    hashed : mapping of str or int to int, optional
        Number of features for each of these columns of categories or whole numbers, given by name
        or position. Their values are distributed by a hash: memory is bounded, no value is unknown,
        some share a feature.
    multi : mapping of str or int to str, optional
        The separator of each column of text that holds several values in a row, such as
        ``{"genres": "|"}``, by name or position. Columns of lists need no mention.
    list_weights : mapping of str or int to str or int, optional
        The column that has the weights of each of these columns of lists, such as
        ``{"items": "amounts"}``, by name or position: a list of as many numbers in each row. It is
        no field of its own.
    combiner : {"mean", "sqrt", "sum"}
        What the features of a list are in a row: with "mean" they add up to 1, so a list counts as
        much as a single value, however long it is; with "sqrt" their squares do; with "sum" they
        are 1, or how often the value occurs in the list.
    fields : array-like of int, shape (m,), optional
        The field of each column of a sparse matrix: 0, 1, 2 and so on. The columns that a one-hot
        encoder made of one are a field. Default: each column is one.
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
        The field of each feature: its input column, or what `fields` says.
    field_names_ : list of str
        The fields' names: those of the input columns as text, "x0", "x1" and so on if they have
        none; "field 0", "field 1" and so on where `fields` says what they are. Without the columns
        of weights that `list_weights` names.

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
    _warns: bool | None = None  # of identifiers; None: if `numeric` is "auto"
    _follows = False  # whether statistics follow the rows of a stream
    _held: Sequence[str | None] = ()  # what the columns that are fields held; older files: ()

    def __init__(
        self,
        *,
        numeric: Kinds = "auto",
        dates: PartsOf = "auto",
        n_bins: int | str = "auto",
        clip: bool | str = "auto",
        unknown: str = "ignore",
        categorical: Sequence[str | int] | None = None,
        hashed: Mapping[str | int, int] | None = None,
        multi: Mapping[str | int, str] | None = None,
        list_weights: Mapping[str | int, str | int] | None = None,
        combiner: str = "mean",
        fields: Any = None,
        dtype: str = "float32",
    ) -> None:
        self.numeric = numeric
        self.dates = dates
        self.n_bins = n_bins
        self.clip = clip
        self.unknown = unknown
        self.categorical = categorical
        self.hashed = hashed
        self.multi = multi
        self.list_weights = list_weights
        self.combiner = combiner
        self.fields = fields
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
        self._remember(data, self._learn(data, sample_weight, anew=True), self)
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
        self._remember(data, self._learn(data, sample_weight, anew=anew), self)
        if anew:
            warn_of_few_rows(self, data.shape[0])
        return self

    def fit_transform(self, X: Any, y: Any = None, sample_weight: Any = None) -> sp.csr_matrix:
        """Do both; in less time than one after the other, but with all columns in memory."""
        self._follows = False
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
        fields = self._column_names
        if input_features is not None:
            known = getattr(self, "feature_names_in_", None)
            fields = input_names(input_features, known, self.n_features_in_)
        if self._encodings is None:
            return np.array(fields, object)
        names = np.empty(self.n_features_out_, object)
        for encoding, position in zip(self._encodings, self._field_positions, strict=True):
            for column, name in encoding.names(fields[position]):
                names[column] = name
        return distinct_names(names)

    @property
    def _is_matrix(self) -> bool:
        """Whether it was fitted on a sparse matrix, whose columns are features already."""
        return self._encodings is None

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
        _, others = named_and_others(self.numeric)
        fixed._warns = others == "auto" if self._warns is None else self._warns
        return fixed

    def _plain(self) -> "TableEncoder | None":
        """Return an encoder to which different numbers are different; None if this is such one."""
        known = self._encodings or []
        if all(isinstance(one, Categories | Hashed | Multi) or is_plain(one) for one in known):
            return None
        options = {"numeric": "standardize", "clip": False, "dates": PARTS}
        plain: TableEncoder = clone(self).set_params(**options)
        plain._warns = False
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
        settings = Settings.of(self, self._column_names, self._weights)
        return [
            position
            for position, encoding in zip(self._field_positions, self._encodings, strict=True)
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
        return self._features(self._read_known(X, owner), self._encodings, self._scales)

    def _read_known(self, X: Any, owner: Any) -> Input:
        """Return a table like that of the fit, checked."""
        data, separators = read(X, owner, self._names), separators_of(self)
        return replace(data, weights=self._weights, separators=separators, held=self._held)

    def _learn_encode(self, X: Any, sample_weight: Any, owner: Any, *, anew: bool) -> _core.Csr:
        data = self._read(X, owner, anew=anew).keeping()
        learned = self._learn(data, sample_weight, anew=anew)
        encoded = self._features(data, *learned[:2])
        self._remember(data, learned, owner)
        return encoded

    def _read(self, X: Any, owner: Any, *, anew: bool) -> Input:
        check_settings(self)
        data = read(X, owner, self._names, reset=anew, extend=not anew)
        data = replace(data, held=() if anew else self._held)
        return data if data.is_sparse else with_lists(data, self, anew=anew)

    def _learn(self, data: Input, sample_weight: Any, *, anew: bool) -> Learned:
        """Return the encodings of all columns, the scales of a sparse matrix, and the kinds."""
        weights = scaled_weights(sample_weight, data.shape[0], stream=self._follows)
        if anew or "_watch" not in vars(self):
            self._watch = Watch()
        encodings: list[Encoding] | None = None if data.is_sparse else []
        scales = Scales(np.empty(0))
        if not anew:
            encodings, scales = self._encodings, self._scales
        if encodings is None:
            refuse_names(self)
            check_width(data.shape[1], 0, np.dtype(np.float64).itemsize)  # the scales
            grown = scales.grown(data.as_csr(), weights)
            self._watch.check_matrix(data.as_csr(), weights, scales, data.names)
            return None, grown, ()
        check_has_no_fields(self)
        settings = Settings.of(self, data.column_names, data.weights)
        warns = settings.others == "auto" if self._warns is None else self._warns
        learned, held = learn(data, weights, encodings, settings, self._watch, warns=warns)
        return learned, scales, held

    def _remember(self, data: Input, learned: Learned, owner: Any) -> None:
        self._encodings, self._scales, self._held = learned
        self._names, self._weights = data.names, data.weights
        encodings, scales, _ = learned
        self._fields = (
            None if encodings is not None else fields_of_columns(self.fields, len(scales))
        )
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
        encoded = encode(data, encodings, dtype, strict=self.unknown == "error")
        return assemble(encoded, shape, lengths, dtype)


# Around what scikit-learn puts around them: names in tables are those of the same state.
TableEncoder.fit_transform = aside(TableEncoder.fit_transform)  # type: ignore[method-assign]
TableEncoder.transform = consistent(TableEncoder.transform)  # type: ignore[method-assign]
