"""Splits of a dataset into training rows and validation rows."""

import numpy as np
import numpy.typing as npt

from sparsefm.data.dataset import Dataset

Places = npt.NDArray[np.int64]  # positions in Dataset.rows


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


def split(
    dataset: Dataset, fraction: float, random: np.random.Generator, *, stratify: bool
) -> tuple[Dataset, Dataset]:
    """Divide the rows at random in two; the second part is a copy of the given fraction."""
    places = _shuffled(dataset, random, stratify)
    n_second = min(max(round(fraction * len(places)), 1), len(places) - 1)
    second = np.linspace(0, len(places) - 1, n_second).astype(np.int64)
    return dataset.choose(np.delete(places, second)), dataset.take(np.sort(places[second]))


def _shuffled(dataset: Dataset, random: np.random.Generator, stratify: bool) -> Places:
    places = random.permutation(len(dataset.rows))
    if not stratify:
        return places
    return places[np.argsort(dataset.y[dataset.rows[places]], kind="stable")]
