"""What the parameters of a `TableEncoder` say of each column, and the encoding to begin with."""

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any, TypeAlias

import numpy as np

from sparsefm.data.validation import check_choice, check_dtype, check_integer, is_mapping
from sparsefm.encoding import beginning
from sparsefm.encoding.categories import Categories, Hashed
from sparsefm.encoding.columns import Encoding, Values
from sparsefm.encoding.multi import COMBINERS, Multi
from sparsefm.encoding.tables import Column, Lists, Numbers
from sparsefm.encoding.vocabulary import Vocabulary

KINDS = ("standardize", "log", "spline", "bin")  # of encodings of numbers
OTHERS = "*"  # instead of a column: those that are not named

Kinds: TypeAlias = str | Mapping[str | int, str]


@dataclass(frozen=True, eq=False)
class Settings:
    """The parameters of an encoder for columns of these names.

    Attributes
    ----------
    names : list of str
    buckets : dict of int to int
        The number of buckets of each hashed column, by position.
    kinds : dict of int to str
        What numbers become in the columns that the user names, by position.
    others : str
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
    kinds: dict[int, str]
    others: str
    separators: dict[int, str]
    combiner: str
    n_bins: int
    clip: bool
    follows: bool

    @classmethod
    def of(cls, encoder: Any, names: list[str]) -> "Settings":
        """Return those of an encoder."""
        hashed = _by_position(encoder.hashed or {}, "hashed", names)
        buckets = {position: int(count) for position, count in hashed.items()}
        named, others = _named(encoder.numeric)
        kinds = _by_position(named, "numeric", names)
        separators = _by_position(encoder.multi or {}, "multi", names)
        n_bins = 32 if encoder.n_bins == "auto" else int(encoder.n_bins)
        clip = encoder.clip == "auto" or bool(encoder.clip)
        follows = encoder._follows
        return cls(
            names, buckets, kinds, others, separators, encoder.combiner, n_bins, clip, follows
        )

    def kind(self, position: int) -> str:
        """Return what numbers become in the column at a position, perhaps "auto"."""
        return self.kinds.get(position, self.others)

    def begin(self, position: int, column: Column, weights: Values | None, first: int) -> Encoding:
        """Return an encoding for a column, output columns from `first` on; `grown` completes it."""
        buckets, separator = self.buckets.get(position), self.separators.get(position)
        self._check_kind(position, column)
        single = Categories(Vocabulary()) if buckets is None else Hashed(first, buckets)
        if separator is not None or isinstance(column, Lists):
            return Multi(single, self.combiner, separator)
        if isinstance(column, Numbers) and buckets is None:
            kind = self.kind(position).replace("auto", KINDS[0])
            begun = beginning.begin(column, weights, first, kind, self.n_bins, clip=self.clip)
            return beginning.followed(begun, column, weights) if self.follows else begun
        return single

    def _check_kind(self, position: int, column: Column) -> None:
        """Refuse a column that a parameter names for what it is not."""
        name = self.names[position]
        if isinstance(column, Numbers):
            found = [
                parameter
                for parameter, named in (("hashed", self.buckets), ("multi", self.separators))
                if position in named and not np.isnan(column.values).all()
            ]
            if found:
                raise TypeError(
                    f"{found[0]} names column {name!r}, which is numeric: make it text, or leave "
                    "it out"
                )
        elif position in self.kinds and (isinstance(column, Lists) or column.values):
            raise TypeError(
                f"numeric names column {name!r}, which is not numeric: make it numbers, or leave "
                "it out"
            )


def check_settings(encoder: Any) -> None:
    """Refuse what the parameters of an encoder cannot be, whatever the columns are."""
    kinds = encoder.numeric
    if isinstance(kinds, str) or not is_mapping(kinds):  # asking for a mapping takes longer
        kinds = {None: kinds}
    for key, kind in kinds.items():
        name = "numeric" if key is None else f"numeric[{key!r}]"
        check_choice(kind, name, ("auto", *KINDS))
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
    for key, count in (encoder.hashed or {}).items():
        check_integer(count, f"hashed[{key!r}]", 1)


def resolved(kinds: Kinds, kind: str) -> Kinds:
    """Return the parameter `numeric` with `kind` in place of "auto"."""
    if isinstance(kinds, str):
        return kind if kinds == "auto" else kinds
    named, others = _named(kinds)
    known = {**named, OTHERS: others}
    return {key: kind if value == "auto" else value for key, value in known.items()}


def _named(kinds: Kinds) -> tuple[dict[str | int, str], str]:
    """Return what numbers become in the columns that are named, and in the others."""
    if isinstance(kinds, str):
        return {}, kinds
    named = {key: kind for key, kind in kinds.items() if key != OTHERS}
    return named, kinds.get(OTHERS, "auto")


def _by_position(mapping: Mapping[Any, Any], parameter: str, names: list[str]) -> dict[int, Any]:
    """Return a mapping from columns, given by name or position, as one from positions."""
    values = {}
    for key, value in mapping.items():
        is_position = isinstance(key, Integral) and not isinstance(key, bool)
        text = str(key)
        if is_position and text in names and names.index(text) != key:
            raise ValueError(
                f"{parameter} names column {key}, which is one column's name and may be another's "
                f"position: give the name as text, {text!r}"
            )
        if key not in (range(len(names)) if is_position else names):
            raise ValueError(f"{parameter} names a column {key!r}, but X has no such column")
        values[int(key) if is_position else names.index(key)] = value
    return values
