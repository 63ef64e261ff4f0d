"""The names of columns, and whether those of a later table are the same.

Names of text are what scikit-learn calls ``feature_names_in_``, and are checked in its words. Other
names (integers, tuples of a MultiIndex) have the same check, as the text that they print as.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.data.validation import read_array


@dataclass(frozen=True)
class Names:
    """The names of a table's columns.

    Attributes
    ----------
    texts : list of str
        All names as text.
    are_text : bool
        Whether they were text in the table.
    """

    texts: list[str]
    are_text: bool = True

    @classmethod
    def of(cls, found: Sequence[Any], table: str = "X") -> "Names":
        """Return the names of a table, which errors call `table`."""
        are_text = [isinstance(name, str) for name in found]
        if all(are_text):
            return cls([str.__str__(name) for name in found])
        if any(are_text):
            types = ", ".join(sorted({type(name).__name__ for name in found}))
            raise TypeError(
                f"{table} has column names of several types ({types}): make all of them text, such "
                f"as by {table}.columns = {table}.columns.astype(str)"
            )
        texts = list(map(str, found))
        if len(set(texts)) < len(texts):
            raise ValueError(f"{table} must have distinct column names, got {found!r:.200}")
        return cls(texts, False)

    @property
    def are_numbering(self) -> bool:
        """Whether they are 0, 1 and so on, which pandas gives to columns without names."""
        return not self.are_text and self.texts == [str(j) for j in range(len(self.texts))]

    def begins(self, other: "Names") -> bool:
        """Return whether the other names begin with these."""
        return other.texts[: len(self.texts)] == self.texts

    def as_array(self) -> npt.NDArray[np.object_]:
        """Return them as scikit-learn does."""
        return np.array(self.texts, object)


def made_up(n_columns: int) -> list[str]:
    """Return names for columns that have none."""
    return [f"x{column}" for column in range(n_columns)]


def input_names(given: Any, known: Any, n_columns: int) -> list[str]:
    """Return the names of columns that a user gives to `get_feature_names_out`.

    Parameters
    ----------
    given : array-like of str
    known : ndarray of str, shape (n_columns,), optional
        Those of the fit, which they must be.
    n_columns : int
    """
    array = read_array(given, "input_features", object)
    if array.ndim != 1:
        raise TypeError(f"input_features must be a list of names, got {given!r:.80}")
    texts = [str(name) for name in array]
    if known is not None and known.tolist() != texts:
        raise ValueError("input_features is not equal to feature_names_in_")
    if len(texts) != n_columns:
        raise ValueError(
            "input_features should have length equal to number of features "
            f"({n_columns}), got {len(texts)}"
        )
    return texts


def distinct_names(names: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
    """Return names of features, of which those that an earlier feature has get a number.

    The value "c" of a column "a=b" and the value "b=c" of a column "a" would share a name, as would
    the text "missing" and missing values. Features that come later change no name.
    """
    if len(set(names.tolist())) == len(names):
        return names
    taken: set[str] = set()
    following: dict[str, int] = {}
    distinct: npt.NDArray[np.object_] = names.copy()
    for place, name in enumerate(names.tolist()):
        number = following.get(name, 2)
        while distinct[place] in taken:
            distinct[place] = f"{name} ({number})"
            number += 1
        following[name] = number
        taken.add(distinct[place])
    return distinct


def check_names(
    known: Names | None, found: Names | None, owner: str, *, extend: bool = False
) -> None:
    """Compare the names of a table with those in the fit of an estimator of the class `owner`.

    Names of the same kind must be equal: scikit-learn's own checks of estimators require that a
    table with its columns in another order is refused. So must be names that are the same text in
    another order. Where only one has names of text, scikit-learn warns otherwise.

    Parameters
    ----------
    known, found : Names, optional
    owner : str
    extend : bool
        Whether there may be new columns after the known ones.
    """
    if known is not None and found is not None:
        if known.texts == found.texts:
            return
        if known.are_text == found.are_text or sorted(known.texts) == sorted(found.texts):
            raise ValueError(_difference(known, found.texts, extend=extend))
    if known is not None and known.are_text:
        problem = f"X does not have valid feature names, but {owner} was fitted with feature names"
    elif found is not None and found.are_text:
        problem = f"X has feature names, but {owner} was fitted without feature names"
    else:
        return
    warnings.warn(problem, UserWarning, stacklevel=2)


def _difference(known: Names, found: list[str], *, extend: bool) -> str:
    """Return what is different, in scikit-learn's words, and what to do about the order."""
    message = "The feature names should match those that were passed during fit.\n"
    unseen, missing = sorted({*found} - {*known.texts}), sorted({*known.texts} - {*found})
    if extend and not missing:
        unseen = []  # there may be new columns, but not among the known ones
    for names, what in (
        (unseen, "unseen at fit time"),
        (missing, "seen at fit time, yet now missing"),
    ):
        if names:
            shown = names[:5] + ["..."] * (len(names) > 5)
            message += f"Feature names {what}:\n" + "".join(f"- {name}\n" for name in shown)
    if unseen or missing:
        return message
    pairs = enumerate(zip(known.texts, found, strict=False))
    place, was, now = next((j, a, b) for j, (a, b) in pairs if a != b)
    order = "feature_names_in_, such as X[list(model.feature_names_in_)]"
    return (
        f"{message}Feature names must be in the same order as they were in fit.\n"
        f"Column {place} was {was!r}, but is {now!r} now: take the columns in the order of "
        f"{order if known.are_text else 'the fit'}{', and new ones after them' * extend}.\n"
    )
