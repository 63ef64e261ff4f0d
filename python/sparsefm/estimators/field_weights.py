"""The weights of pairs of fields of a fitted estimator."""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sparsefm.encoding import TableEncoder
from sparsefm.field_model import FieldWeightedModel, enlarged
from sparsefm.optimizers import Optimizer
from sparsefm.snapshots import consistent
from sparsefm.training.pairs import as_pairs, chosen_weights
from sparsefm.training.start import VARIANTS


class FieldWeights:
    """Gives an estimator the weights of pairs of fields, if its model has some."""

    if TYPE_CHECKING:
        variant: str | None
        pairs: Any
        solver: Any
        encoder_: TableEncoder
        _learner: Any

        @property
        def _models(self) -> list[Any]: ...

    @property
    @consistent
    def R_(self) -> npt.NDArray[Any]:
        """The weights of pairs of fields, shape (F, F), in the order of `encoder_.field_names_`.

        With more than two classes (C, F, F): a matrix for each class. There are none, which is an
        AttributeError, unless the variant is "fwfm" or there are `pairs`.
        """
        models = [model for model in self._models if isinstance(model, FieldWeightedModel)]
        if not models:
            raise AttributeError("R_, weights of pairs of fields, needs variant='fwfm' or pairs")
        n_fields, pairs = len(self.encoder_.field_names_), self._learner.hyperparameters.pairs
        others = chosen_weights(pairs, n_fields)  # a field without features has weights, too
        found = np.stack([enlarged(model.R, others) for model in models])
        return found[0] if len(found) == 1 else found

    @property
    def _has_fields(self) -> bool:
        """Whether the model is one that needs fields, by the user's choice."""
        return self.variant not in (None, VARIANTS[0]) or self.pairs is not None

    @property
    def _has_penalties_by_field(self) -> bool:
        """Whether fields have penalties of their own."""
        return isinstance(self.solver, Optimizer) and self.solver._is_by_field

    def _pairs_given(self) -> dict[str, Any]:
        """Return the parameter `pairs`, if it is set, with numbers of fields."""
        if self.pairs is None:
            return {}
        field_of = self.encoder_._field_of
        return {"pairs": as_pairs(self.pairs, lambda key: field_of(key, "pairs"))}

    def _by_field_given(self) -> dict[str, Any]:
        """Return the parameters that are set and name fields, with numbers of fields instead."""
        given, field_of = self._pairs_given(), self.encoder_._field_of
        if self._has_penalties_by_field:
            n_fields = len(self.encoder_.field_names_)
            given["solver"] = self.solver._for_fields(
                n_fields, lambda key: field_of(key, "l2_factors")
            )
        return given
