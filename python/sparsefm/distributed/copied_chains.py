"""Chains of a sampler, each in a task of the engine that has all rows.

A chain's next state follows from the one before, the rows and its number. So it does not matter
which task moves it, nor after how many sweeps the task sends what it has found, and begins anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.distributed.packing import matrix_of, pack_matrix, unpack
from sparsefm.distributed.parts import Cell, Cells
from sparsefm.distributed.summary import NO_ROWS
from sparsefm.losses import Loss
from sparsefm.sampling.chain import Chain
from sparsefm.sampling.design import Outline
from sparsefm.sampling.solvers import Sweeper
from sparsefm.training.chains import Chains, chain_numbers
from sparsefm.training.start import Start

BYTES_OF_ROUND = 1 << 28  # of the states of chains that are sent at a time, or one sweep

States = dict[int, list[tuple[float, Chain]]]  # after each sweep, by number: (squares, state)


@dataclass(frozen=True, eq=False)
class Task:
    """What a task must know to move its chains.

    Attributes
    ----------
    make : callable
        Returns the `Chains` of a dataset.
    numbers : list of int
        Of all chains; each of the partitions has its share.
    n_partitions : int
    """

    make: Callable[[Any], Chains]
    numbers: list[int]
    n_partitions: int

    def begin(self, cells: Iterable[Cell]) -> Begun:
        """Return chains before their first sweep."""
        chains, own = self._chains(cells)
        begun = dict(zip(own, chains.begin(own), strict=True))
        outline = {**vars(chains.outline), "monitored": pack_matrix(chains.outline.monitored)}
        return Begun(chains.n_features, chains.features, outline, begun)

    def sweep(
        self, states: Mapping[int, Chain], first: int, count: int, cells: Iterable[Cell]
    ) -> States:
        """Return the states of chains after each of so many sweeps."""
        chains, own = self._chains(cells)
        moved = {number: states[number] for number in own}
        chains.use(moved)
        found: States = {number: [] for number in own}
        for sweep in range(first, first + count):
            for number, squares in zip(own, chains.sweep(sweep), strict=True):
                found[number].append((squares, moved[number].copy()))
        return found

    def _chains(self, cells: Iterable[Cell]) -> tuple[Chains, list[int]]:
        (cell,) = cells
        return self.make(unpack(cell.rows)), self.numbers[cell.partition :: self.n_partitions]


@dataclass(frozen=True, eq=False)
class Begun:
    """Chains before their first sweep, and what is known of the rows.

    Attributes
    ----------
    n_features : int
    features : ndarray of int64
    outline : dict of str to object
        That of `Chains`, with a matrix that can be pickled.
    chains : dict of int to Chain
    """

    n_features: int
    features: npt.NDArray[np.int64]
    outline: dict[str, Any]
    chains: dict[int, Chain]


class CopiedChains:
    """Chains that are moved where the rows are; see `Chains`, whose place it takes.

    Parameters
    ----------
    cells : Cells
        Each partition has one, with all rows.
    solver : Gibbs or ALS
    loss : Loss
    start : Start
    seed : int
    threads : int
        Of this process; those of a task are `task_threads`.
    n_outputs : int
    epochs : int
        The number of sweeps.
    task_threads : int
    """

    def __init__(
        self,
        cells: Cells,
        solver: Sweeper,
        loss: Loss,
        start: Start,
        seed: int,
        threads: int,
        *,
        n_outputs: int,
        epochs: int,
        task_threads: int,
    ) -> None:
        self._cells, self._epochs = cells, epochs
        make = partial(
            Chains, solver=solver, loss=loss, start=start, seed=seed, threads=task_threads
        )
        self._task = Task(
            make,
            chain_numbers(n_outputs, solver.chains),
            cells.n_partitions,
        )
        begun = cells.reduce(self._task.begin, _all_begun, range(1))
        if begun is None:
            raise ValueError(NO_ROWS)
        self.n_features, self.features = begun.n_features, begun.features
        monitored = matrix_of(begun.outline["monitored"])
        self.outline = Outline(**{**begun.outline, "monitored": monitored})
        self._begun, self._chains = begun.chains, begun.chains
        self._known: dict[int, dict[int, tuple[float, Chain]]] = {}  # by sweep, then by chain

    def begin(self, numbers: Sequence[int]) -> list[Chain]:
        """Return the chains of these numbers, before their first sweep."""
        return [self._begun[number] for number in numbers]

    def use(self, chains: Mapping[int, Chain]) -> None:
        """Have `sweep` move these chains, by their numbers, in place."""
        self._chains = dict(chains)

    def sweep(self, number: int) -> list[float]:
        """Make a sweep, of this number; return each chain's weighted sum of squared residuals."""
        if number not in self._known:
            self._known = self._sweeps(number)
        found = self._known.pop(number)
        for key, chain in self._chains.items():
            chain.assign(found[key][1])
        return [found[key][0] for key in self._chains]

    def _sweeps(self, first: int) -> dict[int, dict[int, tuple[float, Chain]]]:
        """Return what becomes of the chains in the next sweeps, as many as there is room for."""
        arrays = [array for one in self._chains.values() for array in one.arrays().values()]
        room = BYTES_OF_ROUND // sum(array.nbytes for array in arrays)
        count = max(1, min(self._epochs - first, room))
        work = partial(self._task.sweep, self._chains, first, count)
        found = self._cells.reduce(work, _all_states, range(1))
        assert found is not None
        return {
            first + k: {number: states[k] for number, states in found.items()} for k in range(count)
        }


def _all_begun(parts: Sequence[Begun]) -> Begun:
    chains = {number: chain for part in parts for number, chain in part.chains.items()}
    return replace(parts[0], chains=chains)


def _all_states(parts: Sequence[States]) -> States:
    return {number: states for part in parts for number, states in part.items()}
