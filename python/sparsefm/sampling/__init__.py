"""Solvers that go through the features instead of the rows: Gibbs sampling and least squares."""

from sparsefm.sampling.posterior import SampledModel
from sparsefm.sampling.solvers import ALS, Gibbs, Sweeper

__all__ = ["ALS", "Gibbs", "SampledModel", "Sweeper"]
