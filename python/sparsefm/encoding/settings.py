"""What the parameters of a `TableEncoder` say of each column, and the encoding to begin with."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any, TypeAlias

import numpy as np

from sparsefm.data.validation import check_choice, check_dtype, check_integer, is_mapping
from sparsefm.encoding import beginning, dates
from sparsefm.encoding.categories import Categories, Hashed
from sparsefm.encoding.columns import Encoding, Values, all_missing, kind_of_column
from sparsefm.encoding.dates import PARTS, Calendar
from sparsefm.encoding.multi import COMBINERS, Multi
from sparsefm.encoding.reading import Input
from sparsefm.encoding.tables import Column, Dates, Labels, Lists, Numbers
from sparsefm.encoding.vocabulary import Vocabulary

KINDS = ("standardize", "log", "spline", "bin")  # of encodings of numbers
OTHERS = "*"  # instead of a column: those that are not named

Kinds: TypeAlias = str | Mapping[str | int, str]
Parts: TypeAlias = str | Sequence[str]  # of dates
PartsOf: TypeAlias = Parts | Mapping[str | int, Parts]


@dataclass(frozen=True, eq=False)
class Settings:
    """The parameters of an encoder for columns of these names.

    Attributes
    ----------
    names : list of str
    buckets : dict of int to int
        The number of buckets of each hashed column, by position.
    categorical : set of int
        The columns, by position, whose numbers are categories.
    kinds : dict of int to str
        What numbers become in the columns that the user names, by position.
    others : str
        What they become in the others.
    parts : dict of int to str or sequence of str
        What dates become in the columns that the user names, by position.
    other_parts : str or sequence of str
        What they become in the others.
    separators : dict of int to str
        The separator of values in each column of text that holds several in a row, by position.
    combiner : str
    n_bins : int
    clip : bool
    follows : bool
        Whether the statistics of numbers follow the rows of a stream.
    """

    names: list[str]
    buckets: dict[int, int]
    categorical: set[int]
    kinds: dict[int, str]
    others: str
    parts: dict[int, Parts]
    other_parts: Parts
    separators: dict[int, str]
    combiner: str
    n_bins: int
    clip: bool
    follows: bool

    @classmethod
    def of(cls, encoder: Any, names: list[str], weights: Mapping[int, int]) -> "Settings":
        """Return those of an encoder; `weights` has the columns of the weights of lists."""
        hashed = _by_position(encoder.hashed or {}, "hashed", names)
        buckets = {position: int(count) for position, count in hashed.items()}
        columns = [] if encoder.categorical is None else encoder.categorical
        categorical = {position_of(column, "categorical", names) for column in columns}
        named, others = named_and_others(encoder.numeric)
        kinds = _by_position(named, "numeric", names)
        named, other_parts = named_and_others(encoder.dates)
        parts = _by_position(named, "dates", names)
        separators = named_separators(encoder, names)
        used = {"hashed": buckets, "categorical": categorical, "numeric": kinds, "dates": parts}
        _check_weights(weights, names, {**used, "multi": separators})
        n_bins = 32 if encoder.n_bins == "auto" else int(encoder.n_bins)
        clip = encoder.clip == "auto" or bool(encoder.clip)
        calendar = parts, other_parts
        lists = separators, encoder.combiner
        chosen = names, buckets, categorical, kinds, others, *calendar, *lists
        return cls(*chosen, n_bins, clip, encoder._follows)

    def kind(self, position: int) -> str:
        """Return what numbers become in the column at a position, perhaps "auto"."""
        return self.kinds.get(position, self.others)

    def is_named(self, position: int) -> bool:
        """Return whether the user has said what numbers are in the column at a position."""
        return position in {*self.buckets, *self.categorical, *self.kinds}

    def begin(self, position: int, column: Column, weights: Values | None, first: int) -> Encoding:
        """Return an encoding for a column, output columns from `first` on; `grown` completes it."""
        buckets, separator = self.buckets.get(position), self.separators.get(position)
        self._check_kind(position, column)
        single = Categories(Vocabulary()) if buckets is None else Hashed(first, buckets)
        if separator is not None or isinstance(column, Lists):
            return Multi(single, self.combiner, separator)
        if isinstance(column, Dates):
            return self.calendar(position, column, weights, first)
        if isinstance(column, Numbers) and buckets is None and position not in self.categorical:
            kind = self.kind(position).replace("auto", KINDS[0])
            begun = beginning.begin(column, weights, first, kind, self.n_bins, clip=self.clip)
            return beginning.followed(begun, column, weights, kind) if self.follows else begun
        return single

    def calendar(
        self,
        position: int,
        column: Dates,
        weights: Values | None,
        first: int,
        spare: int | None = None,
    ) -> Calendar:
        """Return an encoding for a column of dates; `spare` is an output column to use first."""
        self._check_kind(position, column)
        parts = self.parts.get(position, self.other_parts)
        chosen = None if isinstance(parts, str) and parts == "auto" else _several(parts)
        follows = self.follows
        return dates.begin(
            column, weights, first, chosen, clip=self.clip, follows=follows, spare=spare
        )

    def _check_kind(self, position: int, column: Column) -> None:
        """Refuse a column that a parameter names for what it is not."""
        name = self.names[position]
        if position in self.categorical and position in self.kinds:
            raise ValueError(f"categorical and numeric both name column {name!r}: leave one out")
        for parameter, named, kinds, remedy in (
            ("hashed", self.buckets, (Labels, Lists, Numbers), "make it text"),
            ("categorical", self.categorical, (Labels, Lists, Numbers), "make it text"),
            ("multi", self.separators, (Labels, Lists), "make it text"),
            ("numeric", self.kinds, (Numbers,), "make it numbers"),
            ("dates", self.parts, (Dates,), "make it dates"),
        ):
            if position in named and not isinstance(column, kinds) and not all_missing(column):
                raise TypeError(
                    f"{parameter} names column {name!r}, which holds "
                    f"{kind_of_column(column)}: {remedy}, or leave it out"
                )
        if isinstance(column, Numbers) and position in {*self.buckets, *self.categorical}:
            fractions = column.values[column.values % 1 > 0]
            if len(fractions):
                parameter = "categorical" if position in self.categorical else "hashed"
                raise TypeError(
                    f"{parameter} names column {name!r}, which holds numbers with fractions, such "
                    f"as {fractions[0]:g}: make it text, or leave it out"
                )


def check_settings(encoder: Any) -> None:
    """Refuse what the parameters of an encoder cannot be, whatever the columns are."""
    kinds = encoder.numeric
    if isinstance(kinds, str) or not is_mapping(kinds):  # asking for a mapping takes longer
        kinds = {None: kinds}
    for key, kind in kinds.items():
        name = "numeric" if key is None else f"numeric[{key!r}]"
        check_choice(kind, name, ("auto", *KINDS))
    _check_dates(encoder.dates)
    _check_categorical(encoder.categorical)
    if not isinstance(encoder.n_bins, str) or encoder.n_bins != "auto":
        check_integer(encoder.n_bins, "n_bins", 2)
    if not isinstance(encoder.clip, bool | np.bool_):
        check_choice(encoder.clip, "clip", ("auto",))
    check_choice(encoder.unknown, "unknown", ("ignore", "error"))
    check_dtype(encoder.dtype)
    if encoder.hashed is not None and not is_mapping(encoder.hashed):
        raise TypeError(
            f"hashed must map columns to numbers of features, got {encoder.hashed!r:.80}"
        )
    check_choice(encoder.combiner, "combiner", COMBINERS)
    if encoder.multi is not None and not is_mapping(encoder.multi):
        raise TypeError(f"multi must map columns to separators, got {encoder.multi!r:.80}")
    for key, separator in (encoder.multi or {}).items():
        if not isinstance(separator, str):
            raise TypeError(
                f"multi[{key!r}] must be text, the separator of values, got {separator!r:.80}"
            )
        if not separator:
            raise ValueError(f"multi[{key!r}] must not be empty: it separates values")
    if encoder.list_weights is not None and not is_mapping(encoder.list_weights):
        raise TypeError(
            "list_weights must map columns of lists to the columns of their weights, got "
            f"{encoder.list_weights!r:.80}"
        )
    for key, count in (encoder.hashed or {}).items():
        check_integer(count, f"hashed[{key!r}]", 1)


def refuse_names(encoder: Any) -> None:
    """Refuse parameters that name columns of categories, for a sparse matrix, which has none."""
    for parameter in ("categorical", "hashed", "multi", "list_weights"):
        named = getattr(encoder, parameter)
        if named is not None and len(named):
            raise ValueError(
                f"{parameter} names columns, but the columns of a sparse matrix are features "
                "already: pass a table, or leave it out"
            )


def weights_of(encoder: Any, names: list[str]) -> dict[int, int]:
    """Return the positions of columns of lists with those of the columns of their weights."""
    given = _by_position(encoder.list_weights or {}, "list_weights", names)
    return {position: position_of(own, "list_weights", names) for position, own in given.items()}


def named_separators(encoder: Any, names: list[str]) -> dict[int, str]:
    """Return the separators that the user names, by the position of the column."""
    return _by_position(encoder.multi or {}, "multi", names)


def with_lists(data: Input, encoder: Any, *, anew: bool) -> Input:
    """Return a table that is read with the weights and separators that an encoder says."""
    names = data.column_names
    separators, weights = named_separators(encoder, names), weights_of(encoder, names)
    if not anew:
        separators |= separators_of(encoder)
        weights = _going_on(encoder, weights, names)
    return replace(data, weights=weights, separators=separators)


def _going_on(encoder: Any, given: dict[int, int], names: list[str]) -> dict[int, int]:
    """Return the columns of weights of a fitted encoder, and those that are given for new columns.

    What is given must say the same of the columns of the fit, or nothing.
    """
    fitted: Mapping[int, int] = encoder._weights
    for position, own in given.items():
        is_old = min(position, own) < encoder.n_features_in_
        if is_old and fitted.get(position) != own:
            was = "had none" if position not in fitted else f"had {names[fitted[position]]!r}"
            raise ValueError(
                f"list_weights names column {names[own]!r} as the weights of column "
                f"{names[position]!r} now, but in the fit to go on from that column {was}: fit "
                "anew, or leave list_weights as it was"
            )
    return {**given, **fitted}


def separators_of(encoder: Any) -> dict[int, str]:
    """Return the separators of a fitted encoder, by the position of the column."""
    if encoder._encodings is None:  # of a sparse matrix, which may have millions of columns
        return {}
    fields = zip(encoder._field_positions, encoder._encodings, strict=True)
    return {
        position: encoding.separator
        for position, encoding in fields
        if isinstance(encoding, Multi) and encoding.separator is not None
    }


def _check_weights(
    weights: Mapping[int, int], names: list[str], named: Mapping[str, Collection[int]]
) -> None:
    """Refuse columns of weights that are something else besides."""
    owners: dict[int, int] = {}
    for position, own in weights.items():
        if own in weights:
            raise ValueError(
                f"list_weights names column {names[own]!r} as lists and as weights: a column is "
                "one of them"
            )
        if own in owners:
            raise ValueError(
                f"list_weights names column {names[own]!r} as the weights of columns "
                f"{names[owners[own]]!r} and {names[position]!r}: copy it"
            )
        owners[own] = position
        if position in named["multi"]:
            raise ValueError(
                f"multi and list_weights both name column {names[position]!r}: text has no "
                "weights, make lists of it"
            )
        for parameter, columns in named.items():
            if own in columns:
                raise ValueError(
                    f"{parameter} names column {names[own]!r}, which list_weights names as "
                    "weights: leave it out"
                )


def check_has_no_fields(encoder: Any) -> None:
    """Refuse fields for a table, whose columns are the fields."""
    if encoder.fields is not None:
        raise ValueError(
            "fields are those of the columns of a sparse matrix; the columns of a table are fields "
            "themselves: leave fields out"
        )


def _check_categorical(columns: Any) -> None:
    if columns is None:
        return
    is_scalar = isinstance(columns, str) or (isinstance(columns, np.ndarray) and columns.ndim == 0)
    if is_scalar or not isinstance(columns, Collection):
        raise TypeError(f"categorical must be a list of columns, got {columns!r:.80}")
    for column in columns:
        # NumPy takes spans of time for integers.
        if not isinstance(column, str | Integral) or isinstance(column, bool | np.timedelta64):
            raise TypeError(
                f"categorical must hold names or positions of columns, got {column!r:.80}"
            )


def _check_dates(given: Any) -> None:
    """Refuse what dates cannot become."""
    if isinstance(given, str) or not is_mapping(given):
        given = {None: given}
    for key, parts in given.items():
        name = "dates" if key is None else f"dates[{key!r}]"
        if isinstance(parts, str):
            check_choice(parts, name, ("auto", *PARTS))
            continue
        if not isinstance(parts, Sequence) or not parts:
            raise TypeError(f"{name} must name parts of dates, or be 'auto'; got {parts!r:.80}")
        for part in parts:
            check_choice(part, f"a part in {name}", PARTS)


def _several(parts: Parts) -> tuple[str, ...]:
    return (parts,) if isinstance(parts, str) else tuple(parts)


def resolved(kinds: Kinds, kind: str) -> Kinds:
    """Return the parameter `numeric` with `kind` in place of "auto"."""
    if isinstance(kinds, str):
        return kind if kinds == "auto" else kinds
    named, others = named_and_others(kinds)
    known = {**named, OTHERS: others}
    return {key: kind if value == "auto" else value for key, value in known.items()}


def named_and_others(kinds: Any) -> tuple[dict[str | int, Any], Any]:
    """Return what a parameter says of the columns that it names, and of the others."""
    if not is_mapping(kinds):
        return {}, kinds
    named = {key: kind for key, kind in kinds.items() if key != OTHERS}
    return named, kinds.get(OTHERS, "auto")


def position_of(key: Any, parameter: str, names: list[str]) -> int:
    """Return the position of a column that a parameter names, by name or position."""
    if not isinstance(key, str | Integral) or isinstance(key, bool):
        raise TypeError(f"{parameter} must name columns by name or position, got {key!r:.80}")
    is_position = isinstance(key, Integral) and not isinstance(key, bool)
    text = str(key)
    if is_position and text in names and names.index(text) != key:
        raise ValueError(
            f"{parameter} names column {key}, which is one column's name and may be another's "
            f"position: give the name as text, {text!r}"
        )
    if key not in (range(len(names)) if is_position else names):
        raise ValueError(f"{parameter} names a column {key!r}, but X has no such column")
    return int(key) if isinstance(key, Integral) else names.index(key)


def _by_position(mapping: Mapping[Any, Any], parameter: str, names: list[str]) -> dict[int, Any]:
    """Return a mapping from columns, given by name or position, as one from positions."""
    keys: dict[int, Any] = {}
    for key in mapping:
        position = position_of(key, parameter, names)
        if position in keys:
            raise ValueError(
                f"{parameter} names one column twice, by {keys[position]!r} and by {key!r}: leave "
                "one out"
            )
        keys[position] = key
    return {position: mapping[key] for position, key in keys.items()}
