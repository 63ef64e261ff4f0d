"""The chains of a training, and the rows that they sample on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np

from sparsefm.data.dataset import Dataset
from sparsefm.errors import DivergenceError
from sparsefm.losses import Loss
from sparsefm.sampling.chain import Chain
from sparsefm.sampling.design import Design, Outline
from sparsefm.sampling.linear_start import start_linear
from sparsefm.sampling.solvers import Sweeper
from sparsefm.training.random import feature_normals
from sparsefm.training.start import Start

Result = TypeVar("Result")

CHAIN_BITS = 12  # a chain's number in the core: output << 12 | chain


def chain_numbers(n_outputs: int, chains: int) -> list[int]:
    """Return the numbers of all chains in the core, output by output."""
    return [output << CHAIN_BITS | chain for output in range(n_outputs) for chain in range(chains)]


class Chains:
    """Chains on rows of this process.

    What becomes of a chain depends on its number, not on what other chains there are.

    Parameters
    ----------
    dataset : Dataset
    solver : Gibbs or ALS
    loss : Loss
    start : Start
    seed : int
        Of 64 bits.
    threads : int

    Attributes
    ----------
    n_features : int
    features : ndarray of int64
        Those that chains have. Features that occur in no row would say something of the
        distribution of the others.
    """

    def __init__(
        self, dataset: Dataset, solver: Sweeper, loss: Loss, start: Start, seed: int, threads: int
    ) -> None:
        self._solver, self._start, self._seed, self._threads = solver, start, seed, threads
        self.n_features, self.features = dataset.X.n_features, dataset.used_features
        if len(self.features) == 0:  # there are no entries
            self.features = np.arange(self.n_features)
        if len(self.features) < self.n_features:
            dataset = dataset.with_features(self.features)
        self._design = Design.of(dataset, task=loss.task, rank=start.rank, scale=solver._random)
        self._samplers: list[Any] = []

    @property
    def outline(self) -> Outline:
        """What is known of the rows."""
        return self._design.outline

    def begin(self, numbers: Sequence[int]) -> list[Chain]:
        """Return the chains of these numbers, before their first sweep."""
        chains = [self._begin(number) for number in numbers]
        if self._start.model is None and self._design.task != "regression":
            pairs = list(zip(chains, numbers, strict=True))
            self._in_parallel("the start", self._start_linear, pairs)
        return chains

    def use(self, chains: Mapping[int, Chain]) -> None:
        """Have `sweep` move these chains, by their numbers, in place."""
        self._samplers = [
            chain.sampler(self._design, number >> CHAIN_BITS, self._solver, self._seed, number)
            for number, chain in chains.items()
        ]

    def sweep(self, number: int) -> list[float]:
        """Make a sweep, of this number; return each chain's weighted sum of squared residuals."""

        def sweep(sampler: Any, threads: int) -> float:
            return sampler.sweep(number, threads)  # type: ignore[no-any-return]

        return self._in_parallel(f"sweep {number + 1}", sweep, self._samplers)

    def _in_parallel(
        self, place: str, function: Callable[[Any, int], Result], items: Sequence[Any]
    ) -> list[Result]:
        """Call a function of an item and a number of threads for all chains at the same time."""
        # One chain a thread scales better than several threads a chain.
        workers = min(self._threads, len(items))
        threads = self._threads // workers
        try:
            if workers == 1:
                return [function(item, threads) for item in items]
            with ThreadPoolExecutor(workers) as pool:
                return list(pool.map(lambda item: function(item, threads), items))
        except OverflowError:
            raise DivergenceError(
                f"{place}: numbers are too large for {self._design.dtype}: scale the columns of X "
                "to about unit size, or use dtype='float64'"
            ) from None

    def _begin(self, number: int) -> Chain:
        design, start, output = self._design, self._start, number >> CHAIN_BITS
        if start.model is not None:
            w, V = start.model.w[self.features], start.model.V[self.features]
            return Chain.of_model(start.model.w0, w, V, design, output, self._solver)
        normals = feature_normals(self._seed, number, self.features, start.rank)
        return Chain.begin(design, output, self._solver, start.init_scale, normals)

    def _start_linear(self, numbered: tuple[Chain, int], threads: int) -> None:
        chain, number = numbered
        output = number >> CHAIN_BITS
        start_linear(chain, self._design, output, self._solver, self._seed, number, threads)
