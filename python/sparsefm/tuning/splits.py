"""Splits of a dataset into training rows and validation rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from sparsefm.data.dataset import Dataset
from sparsefm.data.distinct import distinct_values
from sparsefm.tuning.trials import Fold

Places = npt.NDArray[np.int64]  # positions in Dataset.rows


@dataclass(frozen=True, eq=False)
class Split:
    """Positions of the training rows and of the validation rows of a fold.

    Attributes
    ----------
    training : ndarray of int64 or None
        None: all rows.
    validation : ndarray of int64 or None
        None: other rows than those of the dataset.
    """

    training: Places | None = None
    validation: Places | None = None

    def fold(self, dataset: Dataset, validation: Dataset | None) -> Fold:
        """Return the fold of a dataset, or of the same rows encoded in another way."""
        training, own = self.parts(dataset)
        rows = validation if own is None else own
        assert rows is not None
        return _without_unused_features(Fold(training, rows))

    def parts(self, dataset: Dataset) -> tuple[Dataset, Dataset | None]:
        """Return the training rows of a dataset, and a copy of its validation rows or None."""
        training = dataset if self.training is None else dataset.choose(self.training)
        return training, None if self.validation is None else dataset.take(self.validation)

    def smaller(self, n_rows: int, n_training: int) -> Split:
        """Return a split with at most so many of the training rows, evenly spread.

        Parameters
        ----------
        n_rows : int
            Of the dataset.
        n_training : int
        """
        places = np.arange(n_rows) if self.training is None else self.training
        if len(places) <= n_training:
            return self
        chosen = np.linspace(0, len(places) - 1, n_training).astype(np.int64)
        return replace(self, training=places[chosen])


def folds(
    dataset: Dataset, n_folds: int, random: np.random.Generator, *, stratify: bool
) -> list[Places]:
    """Divide the rows at random into parts of about equal size; return their positions.

    Parameters
    ----------
    dataset : Dataset
    n_folds : int
    random : numpy.random.Generator
    stratify : bool
        Whether to keep the share of each class in `y` about equal in all parts.
    """
    places = _shuffled(dataset, random, stratify)
    return [places[fold::n_folds] for fold in range(n_folds)]


def rest_of(parts: Sequence[Places], number: int) -> Places:
    """Return the positions in all parts but one."""
    return np.concatenate([*parts[:number], *parts[number + 1 :]])


def split(
    dataset: Dataset, fraction: float, random: np.random.Generator, *, stratify: bool
) -> Split:
    """Divide the rows at random in two, of which the second is the given fraction."""
    places = _shuffled(dataset, random, stratify)
    n_second = min(max(round(fraction * len(places)), 1), len(places) - 1)
    second = np.linspace(0, len(places) - 1, n_second).astype(np.int64)
    if stratify:  # the only row of a class is a training row
        _, classes, counts = np.unique(
            dataset.y[dataset.rows[places]], return_inverse=True, return_counts=True
        )
        several = second[counts[classes[second]] > 1]
        second = several if len(several) else second
    return Split(np.delete(places, second), np.sort(places[second]))


def _shuffled(dataset: Dataset, random: np.random.Generator, stratify: bool) -> Places:
    places = random.permutation(len(dataset.rows))
    if not stratify:
        return places
    return places[np.argsort(dataset.y[dataset.rows[places]], kind="stable")]


def _without_unused_features(fold: Fold) -> Fold:
    """Return a fold with only the features of its training rows, if these are less than half.

    Hashed and rare features would take memory and time for every candidate.
    """
    training = fold.training
    used, fields = training.used_features, training.fields
    if 2 * len(used) > training.X.n_features or len(used) == 0:
        return fold
    if fields is not None and len(distinct_values(fields[used])) < len(distinct_values(fields)):
        return fold  # what is set for a field by its number would be another's
    return Fold(training.with_features(used), fold.validation.with_features(used))
