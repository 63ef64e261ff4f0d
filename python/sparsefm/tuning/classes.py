"""Several classes: an output for each against the rest, or one model in which all share factors."""

from dataclasses import replace

import numpy as np

from sparsefm.data.distinct import distinct_values
from sparsefm.tuning.trials import Fold

SEARCH_OUTPUTS = 6  # candidates are trained for at most so many classes against the rest
MOST_AGAINST_REST = 20  # with more classes, and if the loss is open, there is one model of all


def some_outputs(fold: Fold) -> Fold:
    """Return a fold with at most `SEARCH_OUTPUTS` outputs; all outputs share settings."""
    n_outputs = len(fold.training.targets)
    some = distinct_values(np.linspace(0, n_outputs - 1, SEARCH_OUTPUTS).astype(int))
    training, validation = (
        replace(part, targets=tuple(part.targets[output] for output in some))
        for part in (fold.training, fold.validation)
    )
    return Fold(training, validation)


def of_all_classes(fold: Fold) -> Fold:
    """Return a fold with one output for all classes."""
    return Fold(fold.training.of_all_classes(), fold.validation.of_all_classes())
