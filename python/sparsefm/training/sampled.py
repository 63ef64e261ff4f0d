"""A model that sampling made, in the place of a `Learner`."""

from dataclasses import dataclass

from sparsefm.losses import Loss
from sparsefm.model import Model


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
