"""Dask as an engine: see `distributed.parts` for what it must do."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import cloudpickle

from sparsefm.distributed.parts import FAN_IN, Assemble, Cell, Cut, OfCells

T = TypeVar("T")

SMALL = 1 << 17  # bytes


class DaskCells:
    """Cells on the workers of a cluster.

    Parameters
    ----------
    client : distributed.Client
    n_partitions : int
    by_partition : list of Future
        For each partition that has rows, in order: its cells by block.
    blocks : list of set of int
        The blocks in which each of these has rows.
    """

    def __init__(
        self, client: Any, n_partitions: int, by_partition: list[Any], blocks: list[set[int]]
    ) -> None:
        self.n_partitions = n_partitions
        self._client, self._futures, self._blocks = client, by_partition, blocks

    def reduce(self, each: OfCells[T], join: Callable[[Sequence[T]], T], blocks: range) -> T | None:
        """Return the joined results of the partitions; None if there are none."""
        pairs = zip(self._futures, self._blocks, strict=True)
        present = [future for future, known in pairs if not known.isdisjoint(blocks)]
        found: T | None = _reduced(self._client, _of_cells, each, present, join, blocks)
        return found

    def release(self) -> None:
        """Forget the rows."""
        self._futures, self._blocks = [], []


class DaskTables:
    """Tables on the workers of a cluster.

    Parameters
    ----------
    client : distributed.Client
    parts : list of Future
        Of `pyarrow.Table`.
    """

    def __init__(self, client: Any, parts: list[Any]) -> None:
        lengths = client.gather(client.map(_n_rows, parts, pure=False))
        self._client = client
        self._parts = [part for part, length in zip(parts, lengths, strict=True) if length]

    def reduce(self, each: Callable[[Any], T], join: Callable[[Sequence[T]], T]) -> T | None:
        """Return the joined results of the parts that have rows, in their order."""
        found: T | None = _reduced(self._client, _of_table, each, self._parts, join)
        return found

    def divide(self, cut: Cut, assemble: Assemble, n_partitions: int) -> DaskCells:
        """Return the rows, each sent to the partition that trains on it."""
        client = self._client
        shared = _shared(client, cut)
        sent = [client.submit(_cut, shared, part, pure=False) for part in self._parts]
        receivers = client.gather(client.map(sorted, sent, pure=False))
        futures = []
        for partition in range(n_partitions):
            own = [
                client.submit(_sent_to, rows, partition, pure=False)
                for rows, known in zip(sent, receivers, strict=True)
                if partition in known
            ]
            if own:
                futures.append(client.submit(_assemble, assemble, partition, own, pure=False))
        blocks = client.gather(client.map(set, futures, pure=False))
        self._parts = []  # if a worker dies, they are made once more
        return DaskCells(client, n_partitions, futures, blocks)


def _reduced(
    client: Any,
    call: Callable[..., Any],
    each: Any,
    parts: list[Any],
    join: Any,
    *arguments: Any,
) -> Any:
    """Return the joined results of some parts, None if there are none."""
    if not parts:
        return None
    shared = _shared(client, each)
    found = [client.submit(call, shared, part, *arguments, pure=False) for part in parts]
    while len(found) > 1:
        groups = [found[begin : begin + FAN_IN] for begin in range(0, len(found), FAN_IN)]
        found = [client.submit(join, group, pure=False) for group in groups]
    return found[0].result()


def _shared(client: Any, work: Any) -> Any:
    """Return work as an argument of tasks: what is large is sent to each worker once."""
    if len(cloudpickle.dumps(work)) < SMALL:
        return work
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
        return client.submit(_same, work, pure=False)  # a task, so it can be done again


def _same(work: Any) -> Any:
    return work


def _n_rows(table: Any) -> int:
    return int(table.num_rows)


def _of_table(each: Callable[[Any], T], table: Any) -> T:
    return each(table)


def _of_cells(each: OfCells[T], cells: dict[int, Cell], blocks: range) -> T:
    return each(cells[block] for block in sorted(cells) if block in blocks)


def _cut(cut: Cut, table: Any) -> dict[int, list[bytes]]:
    sent: dict[int, list[bytes]] = {}
    for partition, rows in cut(table):
        sent.setdefault(partition, []).append(rows)
    return sent


def _sent_to(sent: dict[int, list[bytes]], partition: int) -> list[bytes]:
    return sent[partition]


def _assemble(assemble: Assemble, partition: int, sent: list[list[bytes]]) -> dict[int, Cell]:
    rows = [one for own in sent for one in own]
    return {cell.block: cell for cell in assemble(partition, rows)}
