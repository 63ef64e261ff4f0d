"""One chain of a sampler: the parameters of one output, and the distributions they come from."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm import _core
from sparsefm.sampling.design import Design
from sparsefm.sampling.solvers import Sweeper

Array = npt.NDArray[Any]

LIKELIHOODS = {"regression": "squared", "binary": "probit", "ordinal": "ordinal"}  # in the core
LEAST_VARIANCE = 1e-6  # that the first precision of V stands for


@dataclass(frozen=True, eq=False)
class Chain:
    """The state of a chain between two sweeps; targets are standardised.

    Attributes
    ----------
    w0 : ndarray of shape (1,)
    w : ndarray of shape (d,)
    V : ndarray of shape (d, k)
    noise_precision : ndarray of float64, shape (1,)
    means, precisions : ndarray of float64, shape (n_groups, 1 + k)
        Of the normal distributions of w, in the first column, and of the columns of V.
    cuts : ndarray of float64, shape (n_classes - 1,)
        The cuts between ordered classes; the first is 0, and that between two classes. Numbers have
        no use for it.
    """

    w0: Array
    w: Array
    V: Array
    noise_precision: npt.NDArray[np.float64]
    means: npt.NDArray[np.float64]
    precisions: npt.NDArray[np.float64]
    cuts: npt.NDArray[np.float64]

    @classmethod
    def begin(
        cls, design: Design, output: int, solver: Sweeper, scale: float | None, normals: Array
    ) -> Chain:
        """Return a chain before its first sweep.

        Parameters
        ----------
        design : Design
        output : int
        solver : Sweeper
        scale : float or None
            Standard deviation of V's entries; None: chosen by the number of pairs in a row.
        normals : ndarray of shape (d, k)
            Standard normal numbers.
        """
        rank = normals.shape[1]
        variance = design.start_variance(rank) if scale is None else max(scale**2, LEAST_VARIANCE)
        of_w, of_v = solver._precisions(1 / design.features_of_row, variance)
        precisions = np.tile([of_w] + [of_v] * rank, (design.n_groups, 1))
        spread = np.sqrt(variance) if scale is None else scale
        w0, cuts = design.constant(output)
        return cls(
            np.array([w0], design.dtype),
            np.zeros(design.X.n_features, design.dtype),
            np.ascontiguousarray(spread * normals, design.dtype),
            np.ones(1),
            np.zeros_like(precisions),
            precisions,
            cuts,
        )

    @classmethod
    def of_model(
        cls, w0: float, w: Array, V: Array, design: Design, output: int, solver: Sweeper
    ) -> Chain:
        """Return a chain that starts from the parameters of a model, given those of the design.

        The first precisions are those of the solver, or for a random one fit the parameters.
        """
        offset, scale = design.units[output]
        w = w * design.sizes / scale
        V = V * design.sizes[:, None] / np.sqrt(scale)
        squares = np.column_stack([w, V]).astype(np.float64) ** 2
        counts = np.bincount(design.groups, minlength=design.n_groups)
        sums = [np.bincount(design.groups, column, design.n_groups) for column in squares.T]
        variances = np.column_stack(sums) / np.maximum(counts, 1)[:, None]
        precisions = 1 / np.clip(variances, 1e-6, None)
        if not solver._random:
            precisions[:, 0], precisions[:, 1:] = solver._precisions(1.0, 1.0)
        return cls(
            np.array([(w0 - offset) / scale], design.dtype),
            w.astype(design.dtype),
            np.ascontiguousarray(V, design.dtype),
            np.ones(1),
            np.zeros_like(precisions),
            precisions,
            design.constant(output)[1],
        )

    def sampler(self, design: Design, output: int, solver: Sweeper, seed: int, number: int) -> Any:
        """Return the core's sampler, which changes these arrays."""
        return _core.Gibbs(
            design.X,
            design.targets[output],
            design.weights,
            design.groups,
            _core.Described(LIKELIHOODS[design.task], solver._core_constants),
            self.w0,
            self.w,
            self.V,
            self.noise_precision,
            self.means,
            self.precisions,
            self.cuts,
            seed,
            number,
            design.relations,
        )

    def arrays(self) -> dict[str, Array]:
        """Return the arrays by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def copy(self) -> Chain:
        """Return a copy with arrays of its own."""
        return replace(self, **{name: array.copy() for name, array in self.arrays().items()})

    def assign(self, other: Chain) -> None:
        """Copy the numbers of another chain."""
        for name, array in self.arrays().items():
            array[:] = getattr(other, name)
