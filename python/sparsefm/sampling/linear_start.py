"""The start of a chain for classes: a linear model, whose scores are as large as they will be.

Given the scores, latent targets are at most a few units away, and given the latent targets, the
scores are hardly larger. So a chain takes dozens of sweeps to large scores, which classes that can
nearly be told apart ask for. Without factors, sweeps are cheap, and there is a shortcut. Multiply
latent targets, scores, w0, w and the means of w by g. The density of all of them, with respect to
dg / g, is g^N exp(-g^2 P / 2), where N counts them and P is the sum of their squared distances,
each times its precision. So g^2 = N / P is the size that fits best. (A draw of g would be an exact
move of the chain: Liu and Wu, "Parameter expansion for data augmentation", JASA 94, 1999. But a
start needs no randomness, and may go further.) Cuts between ordered classes are multiplied, too; N
has none of them, because their prior is one of the logarithms of gaps, and wide.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sparsefm.sampling.chain import Chain
from sparsefm.sampling.design import Design
from sparsefm.sampling.solvers import Sweeper

MOST_SWEEPS = 40
SETTLED = 0.01  # growth of the scores in a sweep, on average over the last ones ...
LAST = 3  # ... of this number
OTHER_KEY = 2**63  # random numbers must not be those of the chain that follows


def start_linear(
    chain: Chain, design: Design, output: int, solver: Sweeper, seed: int, number: int, threads: int
) -> int:
    """Sample w0, w and their distributions without V, until scores have found their size.

    Parameters
    ----------
    chain : Chain
        It has not begun; its w0, w, cuts, and the distributions of w are changed.
    design : Design
    output : int
    solver : Sweeper
    seed, number : int
        Of the chain.
    threads : int

    Returns
    -------
    int
        The number of sweeps.
    """
    linear = replace(
        chain,
        V=np.zeros((len(chain.V), 0), design.dtype),
        means=chain.means[:, :1].copy(),
        precisions=chain.precisions[:, :1].copy(),
    )
    sampler = linear.sampler(design, output, solver, seed ^ OTHER_KEY, number)
    growth: list[float] = []
    while len(growth) < MOST_SWEEPS:
        best = best_square(linear, design, solver, sampler.sweep(len(growth), threads))
        growth.append(np.log(best) / 2)
        for part in (linear.w0, linear.w, linear.means, linear.cuts):
            part *= best  # the root would do, but twice as far on the same way is faster
        if len(growth) >= LAST and np.mean(growth[-LAST:]) < SETTLED:
            break
    chain.means[:, :1], chain.precisions[:, :1] = linear.means, linear.precisions
    return len(growth)


def best_square(linear: Chain, design: Design, solver: Sweeper, squares: float) -> float:
    """Return N / P, given the sum of squares of the latent targets' distances from the scores."""
    constants = solver._core_constants
    means, precisions = linear.means[:, 0], linear.precisions[:, 0]
    distances = linear.w - means[design.groups]
    weighted = (
        squares
        + constants["bias_precision"] * float(linear.w0[0]) ** 2
        + (precisions[design.groups] * distances**2).sum()
        + constants["gamma0"] * (precisions * means**2).sum()
    )
    return float((design.X.n_rows + 1 + len(linear.w) + len(means)) / weighted)
