"""A model that sampling made, in the place of a `Learner`."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sparsefm.losses import Loss
from sparsefm.model import Model
from sparsefm.optimizers import AdaGrad
from sparsefm.sampling import SampledModel
from sparsefm.training.hyperparameters import Hyperparameters
from sparsefm.training.learner import Learner
from sparsefm.training.start import VARIANTS

logger = logging.getLogger("sparsefm")

# AdaGrad at a tenth of its learning rate takes ever smaller steps for features that many rows have,
# and learns those that are new. Adam's steps, as long as ever, undo what sampling has found.
RATE_FACTOR = 0.1


@dataclass(frozen=True, eq=False)
class Sampled:
    """The models of all outputs; they never change.

    Attributes
    ----------
    outputs : tuple of Model
        `SampledModel` of `Gibbs`, `Model` of `ALS`.
    loss : Loss
    """

    outputs: tuple[Model, ...]
    loss: Loss

    @property
    def n_features(self) -> int:
        """Number of features d."""
        return self.outputs[0].n_features

    def models(self) -> list[Model]:
        """Return the model of each output."""
        return list(self.outputs)

    def learner(self, given: dict[str, Any], seed: int) -> Learner:
        """Return a model for an optimizer to train on, which predicts about the same.

        Parameters
        ----------
        given : dict
            Hyperparameters that are set; the rank is that of the compressed models.
        seed : int
        """
        models = [m.compress() if isinstance(m, SampledModel) else m for m in self.outputs]
        kind = {"rank": models[0].rank, "variant": VARIANTS[0], "pairs": None}
        chosen = Hyperparameters(**{"solver": AdaGrad()} | given | kind)
        dtype: np.dtype[Any] = models[0].dtype
        learner = Learner.of_models(models, chosen, self.loss, dtype, seed)
        logger.info(
            "training goes on from the mean of the samples, compressed to rank %d, with %s at %g "
            "times its learning rate; there are no standard deviations any more",
            chosen.rank,
            type(chosen.solver).__name__,
            RATE_FACTOR,
        )
        return replace(learner, rate_factor=RATE_FACTOR)
