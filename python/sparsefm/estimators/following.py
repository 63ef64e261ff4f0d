"""Models in training whose columns and targets get other statistics; predictions stay."""

from __future__ import annotations

import numpy as np

from sparsefm.encoding import TableEncoder
from sparsefm.encoding.moves import moves
from sparsefm.estimators.targets import Classes, Numbers
from sparsefm.training.learner import Learner
from sparsefm.training.substitution import Substitution, in_units, with_target_scale

Fitted = tuple[TableEncoder, Numbers | Classes]


def followed(learner: Learner, before: Fitted, after: Fitted) -> Learner:
    """Return a model with the predictions that it had when columns and targets had others."""
    (old_encoder, old_target), (new_encoder, new_target) = before, after
    found = moves(old_encoder._encodings or [], new_encoder._encodings or [])
    if found:
        features, missing, factors, offsets = map(np.array, zip(*found, strict=True))
        learner = in_units(learner, Substitution(features, missing, factors, offsets))
    if isinstance(old_target, Numbers) and isinstance(new_target, Numbers):
        factor, offset = old_target.line(new_target)
        if (factor, offset) != (1.0, 0.0):
            learner = with_target_scale(learner, factor or np.inf, offset)  # infinite: anew
    return learner
