"""The weights of pairs of fields of a fitted estimator."""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sparsefm.field_model import FieldWeightedModel
from sparsefm.snapshots import consistent
from sparsefm.training.start import VARIANTS


class FieldWeights:
    """Gives an estimator the weights of pairs of fields, if its model has some."""

    if TYPE_CHECKING:
        variant: str | None

        @property
        def _models(self) -> list[Any]: ...

    @property
    @consistent
    def R_(self) -> npt.NDArray[Any]:
        """The weights of pairs of fields, shape (F, F), in the order of `encoder_.field_names_`.

        With more than two classes (C, F, F): a matrix for each class. There are none, which is an
        AttributeError, unless the variant is "fwfm".
        """
        models = [model for model in self._models if isinstance(model, FieldWeightedModel)]
        if not models:
            raise AttributeError("R_, weights of pairs of fields, needs variant='fwfm'")
        found = np.stack([model.R for model in models])
        return found[0] if len(found) == 1 else found

    @property
    def _has_fields(self) -> bool:
        """Whether the model is one that needs fields, by the user's choice."""
        return self.variant not in (None, VARIANTS[0])
