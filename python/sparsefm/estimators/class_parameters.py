"""The parameters of a fitted classifier, whatever the model of its classes is."""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sparsefm.training.class_model import ClassModel

Array = npt.NDArray[Any]


class ClassParameters:
    """Gives a classifier its parameters, as arrays and for each score."""

    if TYPE_CHECKING:

        @property
        def _models(self) -> list[Any]: ...
        def _fitted(self, name: str) -> Any: ...

    @property
    def classes_(self) -> Array:
        """The classes in ascending order, shape (C,)."""
        return self._fitted("_target").labels  # type: ignore[no-any-return]

    @property
    def w0_(self) -> float | Array:
        """The bias; with more than two classes, or softmax loss, one for each, shape (C,)."""
        return self._of_all(0)  # type: ignore[no-any-return]

    @property
    def w_(self) -> Array:
        """The linear weights, shape (d,); where `w0_` has a bias for each class, (C, d)."""
        return self._of_all(1)  # type: ignore[no-any-return]

    @property
    def V_(self) -> Array:
        """The factors, shape (d, k); where `w0_` has a bias for each class, (C, d, k).

        With softmax loss those of class c are the shared ones times the roots of its class vector.
        """
        return self._of_all(2)  # type: ignore[no-any-return]

    def _of_all(self, part: int) -> Any:
        """Return w0, w or V of the one score, or those of all scores in one array."""
        found = [self._of_score(c)[part] for c in range(self._n_scores)]
        return found[0] if len(found) == 1 else np.stack(found)

    @property
    def _n_scores(self) -> int:
        models = self._models
        return len(self.classes_) if isinstance(models[0], ClassModel) else len(models)

    def _of_score(self, c: int) -> tuple[float, Array, Array]:
        """Return w0, w (d,) and V (d, k) of one score."""
        models = self._models
        if isinstance(models[0], ClassModel):
            return models[0].of_class(c)
        return float(models[c].w0), models[c].w.copy(), models[c].V.copy()
