"""The rows of a fit in several encodings of their columns of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sklearn.base import clone

from sparsefm.data.dataset import Dataset
from sparsefm.estimators.weighting import sample_of
from sparsefm.tuning.numbers import CHOICES, NumericChoice
from sparsefm.tuning.splits import Split


class Views:
    """Encodes the rows of a fit, always the same rows in the same order.

    Parameters
    ----------
    owner : FMRegressor or FMClassifier
        Its `encoder_` becomes that of the last view.
    X, sample_weight, eval_set
        The arguments of `fit`.
    dataset : Dataset
        The rows as they have been encoded already.
    counts : ndarray of shape (n,) or None
        How often each row of the dataset counts.
    split : Split or None
        Which rows to hold out as validation rows.
    """

    def __init__(
        self,
        owner: Any,
        X: Any,
        sample_weight: Any,
        eval_set: Any,
        dataset: Dataset,
        counts: Any,
        split: Split | None,
    ) -> None:
        self._owner, self._X, self._sample_weight = owner, X, sample_weight
        self._eval_set, self._split = eval_set, split
        self._rows, self._counts = dataset.rows, counts
        self._y, self._targets, self._weights = dataset.y, dataset.targets, dataset.weights
        self._numeric: NumericChoice | None = None
        self._encoder = owner.encoder_
        clip = "auto" if owner.encoder is None else owner.encoder.clip  # the first view has none
        self._open = clone(self._encoder).set_params(clip=clip)
        self._open._warns = False  # the first encoder has warned
        self._current: tuple[Dataset, Dataset | None] | None = self._parts(dataset)

    def choices(self) -> Sequence[NumericChoice]:
        """Return the encodings that are open; none if there are no numbers, or the user chose."""
        encoder, given = self._encoder, self._owner.encoder
        if not encoder._has_numbers:
            return ()
        open_choices = CHOICES if encoder._open_columns else CHOICES[:2]  # of `clip` only
        if given is None:
            return open_choices
        fixed: dict[str, Any] = {}
        if not isinstance(given.clip, str):
            fixed["clip"] = bool(given.clip)
        if not isinstance(given.n_bins, str):
            fixed["n_bins"] = int(given.n_bins)
        return list(dict.fromkeys(replace(choice, **fixed) for choice in open_choices))

    def __call__(self, numeric: NumericChoice | None) -> tuple[Dataset, Dataset | None]:
        """Return the training rows, and the validation rows or None, in an encoding."""
        if self._current is not None and numeric in (None, self._numeric):
            return self._current
        assert numeric is not None
        owner, self._current = self._owner, None  # to free its memory
        owner.encoder_ = self._open._resolved(numeric.numeric, numeric.n_bins, clip=numeric.clip)
        matrix = owner.encoder_._fit_encode(self._X, self._sample_weight, owner)
        dataset = Dataset.of(matrix, self._y, self._targets, self._weights, self._rows)
        dataset = replace(dataset, fields=owner._fields(), n_classes=owner._target.n_classes)
        owner._sample = sample_of(matrix, self._rows, self._counts)
        self._numeric, self._current = numeric, self._parts(dataset)
        return self._current

    def _parts(self, dataset: Dataset) -> tuple[Dataset, Dataset | None]:
        if self._split is not None:
            return self._split.parts(dataset)
        return dataset, self._owner._validation(self._eval_set)
