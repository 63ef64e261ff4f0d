"""Rows that Spark holds: the engine of `distributed.parts`.

Work runs as `mapInArrow`, whose task sees all rows of a partition. Results are rows of bytes, with
the place of each in their order; they are joined on the workers, level by level as `in_tree` does,
the last of them on the driver. Spark repeats tasks that died. As work is a function of its
arguments, and places are numbers of partitions, that changes nothing.
"""

from __future__ import annotations

import pickle
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeVar
from uuid import uuid4

from pyspark import StorageLevel, TaskContext
from pyspark.sql.functions import col, lit

from sparsefm.distributed.parts import FAN_IN, Assemble, Cell, Cut, OfCells, in_tree
from sparsefm.spark.sending import Failure, Sent, attempt, attempts, check, packed
from sparsefm.spark.slots import slots

T = TypeVar("T")
Batches = Iterator[Any]  # of pyarrow.RecordBatch
Rows = Iterator[tuple[Any, ...]]

RESULT = "slot int, place int, payload binary"
SENT = "slot int, partition int, part int, number int, payload binary"
CELL = "partition int, block int, payload binary"
FAILED = -2  # the block of a cell, and the number of what is sent, that is a Failure


class SparkTables:
    """The rows of a DataFrame; a part is one of its partitions.

    If a worker is lost, Spark computes its partitions again. A DataFrame whose rows are others
    then, because it has ``rand()`` in it, is its user's fault: write it to a table first.

    Parameters
    ----------
    frame : DataFrame
        Of the columns that work needs.
    keep : bool
        Whether to keep the rows, in memory or on disks, until `release`. If not, they must be kept
        already: else Spark may divide them in another way when other columns are read.
    """

    def __init__(self, frame: Any, keep: bool = True) -> None:
        self._names = frame.columns
        frame = frame.toDF(*(f"c{place}" for place in range(len(self._names))))  # dots are fields
        if keep:  # as a plan of its own, so that whoever keeps the same rows does not lose them
            own = frame.withColumn("fit", lit(uuid4().hex))
            frame = own.persist(StorageLevel.MEMORY_AND_DISK)
        self._frame, self._keep = frame, keep

    def reduce(self, each: Callable[[Any], T], join: Callable[[Sequence[T]], T]) -> T | None:
        """Return the joined results of the parts that have rows, in their order."""

        def work(batches: Batches) -> Rows:
            function, _ = sent.get()
            for part, table in _tables(batches, names):
                yield places[part], attempt(function, table)

        names, places = self._names, self._places
        sent = Sent((each, join), self._context)
        found: T | None = _reduced(self._frame, work, sent, len(places))
        return found

    def divide(self, cut: Cut, assemble: Assemble, n_partitions: int) -> SparkCells:
        """Return the rows, each sent to the partition that trains on it."""

        def cutting(batches: Batches) -> Rows:
            function, _ = sent.get()
            for part, table in _tables(batches, names):
                for number, piece in enumerate(attempts(function, table)):
                    if isinstance(piece, Failure):
                        yield keys[0], 0, part, FAILED, packed(piece)
                    else:
                        yield keys[piece[0]], piece[0], part, number, piece[1]

        def assembling(batches: Batches) -> Rows:
            _, function = sent.get()
            found = defaultdict(list)
            for _, partition, part, number, payload in _rows(batches):
                if number == FAILED:
                    yield partition, FAILED, payload
                else:
                    found[partition].append((part, number, payload))
            for partition in sorted(found):
                own = [payload for _, _, payload in sorted(found.pop(partition))]
                for cell in attempts(function, partition, own):
                    failed = isinstance(cell, Failure)
                    yield (partition, FAILED, packed(cell)) if failed else cell

        names, keys = self._names, slots(n_partitions)
        sent = Sent((cut, assemble), self._context)
        pieces = self._frame.mapInArrow(_yielding(cutting, SENT), SENT)
        own = pieces.repartition(n_partitions, "slot")
        cells = own.mapInArrow(_yielding(assembling, CELL), CELL)
        return SparkCells(cells, n_partitions, sent)

    def release(self) -> None:
        """Forget the rows that were kept."""
        if self._keep:
            self._frame.unpersist()

    @cached_property
    def _places(self) -> dict[int, int]:
        """For each part that has rows its place among them."""

        def counting(batches: Batches) -> Rows:
            for part, _ in _tables(batches, ()):
                yield 0, part, b""

        ones = self._frame.select(lit(1))  # the rows need not be read
        rows = ones.mapInArrow(_yielding(counting, RESULT), RESULT).collect()
        return {part: place for place, part in enumerate(sorted(row.place for row in rows))}

    @property
    def _context(self) -> Any:
        return self._frame.sparkSession.sparkContext


class SparkCells:
    """Cells on Spark's workers, in memory or on their disks.

    Parameters
    ----------
    frame : DataFrame
        Of cells, those of a partition in the same partition of Spark.
    n_partitions : int
    sent : Sent
        What cells are computed with, also once more if a worker is lost.
    """

    def __init__(self, frame: Any, n_partitions: int, sent: Sent) -> None:
        self.n_partitions = n_partitions
        self._frame, self._sent = frame.persist(StorageLevel.MEMORY_AND_DISK), sent
        self._partitions_of = defaultdict(list)
        try:
            for row in self._frame.select("partition", "block").collect():
                self._partitions_of[row.block].append(row.partition)
            if FAILED in self._partitions_of:
                failed = self._frame.filter(col("block") == FAILED).first()
                check(pickle.loads(failed.payload))
        except BaseException:
            self.release()
            raise

    def reduce(self, each: OfCells[T], join: Callable[[Sequence[T]], T], blocks: range) -> T | None:
        """Return the joined results of the partitions; None if there are none."""

        def work(batches: Batches) -> Rows:
            function, _ = sent.get()
            for partition, own in groupby(_rows(batches), itemgetter(0)):  # in order, as assembled
                yield places[partition], attempt(function, map(Cell._make, own))

        asked = [self._partitions_of.get(block, []) for block in blocks]
        present = sorted({partition for own in asked for partition in own})
        places = {partition: place for place, partition in enumerate(present)}
        sent = Sent((each, join), self._frame.sparkSession.sparkContext)
        # Between two numbers: Spark does not read what it keeps of other blocks.
        own = self._frame.filter(col("block").between(blocks[0], blocks[-1]))
        found: T | None = _reduced(own, work, sent, len(places))
        return found

    def release(self) -> None:
        """Forget the rows."""
        self._frame.unpersist()
        self._sent.forget()


def _reduced(frame: Any, work: Callable[[Batches], Rows], sent: Sent, count: int) -> Any:
    """Return the joined results of work, of which there are so many; None if there are none.

    Work yields the place and the result of each. What is sent are the work's function, and `join`.
    """

    def first(batches: Batches) -> Rows:
        for place, value in work(batches):
            yield of_first[place // FAN_IN], place, packed(value)

    def joining(keys: Sequence[int]) -> Callable[[Batches], Rows]:
        def level(batches: Batches) -> Rows:
            _, join = sent.get()
            found = defaultdict(list)
            for _, place, payload in _rows(batches):
                found[place // FAN_IN].append((place, payload))
            for place in sorted(found):
                values = _loaded(found.pop(place))
                yield keys[place // FAN_IN], place, packed(attempt(_join, join, values))

        return level

    try:
        if count == 0:
            return None
        of_first = slots(_groups(count))
        frame = frame.mapInArrow(_yielding(first, RESULT), RESULT)
        while count > FAN_IN:
            count = _groups(count)
            level = joining(slots(_groups(count)))
            frame = frame.repartition(count, "slot").mapInArrow(_yielding(level, RESULT), RESULT)
        values = _loaded([(row.place, row.payload) for row in frame.collect()])
        for value in values:
            check(value)
        _, join = sent.get()
        return in_tree(values, join)
    finally:
        sent.forget()


def _groups(count: int) -> int:
    return -(-count // FAN_IN)


def _join(join: Callable[[Sequence[Any]], Any], values: list[Any]) -> Any:
    """Return joined results, or the first failure among them."""
    failed = [value for value in values if isinstance(value, Failure)]
    return failed[0] if failed else join(values)


def _loaded(payloads: list[tuple[int, bytes]]) -> list[Any]:
    """Return results in the order of their places."""
    return [pickle.loads(payload) for _, payload in sorted(payloads, key=lambda row: row[0])]


# --- rows of Arrow --------------------------------------------------------------------------------


def _tables(batches: Batches, names: Sequence[str]) -> Iterator[tuple[int, Any]]:
    """Yield the number of the task's partition and all its rows as one table, if it has rows.

    Of its columns, the first ones have these names.
    """
    import pyarrow as pa

    present = [batch for batch in batches if batch.num_rows]
    if present:
        table = pa.Table.from_batches(present).select(list(range(len(names))))
        yield TaskContext.get().partitionId(), table.rename_columns(list(names))


def _rows(batches: Batches) -> Rows:
    """Yield rows."""
    for batch in batches:
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _yielding(function: Callable[[Batches], Rows], schema: str) -> Callable[[Batches], Batches]:
    """Return a function for `mapInArrow`: each row that is yielded is sent at once."""
    import pyarrow as pa

    named = [column.split() for column in schema.split(", ")]
    fields = pa.schema([(name, {"int": "int32"}.get(kind, kind)) for name, kind in named])

    def run(batches: Batches) -> Batches:
        for row in function(batches):
            pairs = zip(row, fields.types, strict=True)
            arrays = [pa.array([value], kind) for value, kind in pairs]
            yield pa.RecordBatch.from_arrays(arrays, schema=fields)

    return run
