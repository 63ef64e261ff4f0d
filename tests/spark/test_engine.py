"""The engine on Spark, beside that of this process."""

import numpy as np
import pytest

pytest.importorskip("pyspark")
pa = pytest.importorskip("pyarrow")

from spark_work import (  # noqa: E402
    Dying,
    Large,
    Refusing,
    RefusingCells,
    assemble,
    brackets,
    cells_text,
    cut,
    text,
)

from sparsefm.distributed.parts import VALIDATION, LocalTables  # noqa: E402
from sparsefm.spark.engine import SparkTables  # noqa: E402
from sparsefm.spark.slots import partitions_of  # noqa: E402

pytestmark = pytest.mark.slow


def frame_of(spark, parts):
    """Return a DataFrame whose partitions have these numbers, some perhaps none."""
    rows = spark.sparkContext.parallelize(range(len(parts)), len(parts))
    return rows.flatMap(lambda part: [(number,) for number in parts[part]]).toDF("number int")


def local(parts):
    return LocalTables([pa.table({"number": pa.array(part, pa.int32())}) for part in parts])


@pytest.fixture
def tables(spark):
    """Return a function that makes tables of parts, released at the end."""
    made = []

    def make(parts):
        made.append(SparkTables(frame_of(spark, parts)))
        return made[-1]

    yield make
    for one in made:
        one.release()
    assert not spark.sparkContext._jsc.getPersistentRDDs()


FEW = [[3, 1], [], [4, 1, 5], [9]]
SKEWED = [list(range(60)), [], [70], [], [], *([n] for n in range(70, 90))]


@pytest.mark.parametrize("parts", [FEW, SKEWED, [[1]], [[], []]], ids=len)
def test_results_are_joined_as_in_one_process(tables, parts):
    found = tables(parts).reduce(text, brackets)
    assert found == local(parts).reduce(text, brackets)


@pytest.mark.parametrize(("parts", "n_partitions"), [(SKEWED, 10), ([[5, 15], []], 12)])
def test_cells_are_those_of_one_process(tables, parts, n_partitions):
    expected = local(parts).divide(cut, assemble, n_partitions)
    cells = tables(parts).divide(cut, assemble, n_partitions)
    for blocks in (range(1), range(1, 2), range(VALIDATION, 0), range(7, 8), range(8)):
        found = cells.reduce(cells_text, brackets, blocks)
        assert found == expected.reduce(cells_text, brackets, blocks)
    assert cells.n_partitions == n_partitions
    cells.release()


def test_each_partition_of_cells_is_one_of_spark(tables):
    cells = tables(SKEWED).divide(cut, assemble, 10)
    rows = cells._frame.selectExpr("spark_partition_id() AS place", "partition").distinct()
    places = [row.place for row in rows.collect()]
    assert len(places) == len(set(places)) == 10
    cells.release()


def test_large_work_arrives(tables):
    found = tables(SKEWED).reduce(Large(text), brackets)
    assert found == local(SKEWED).reduce(Large(text), brackets)


def test_tasks_that_die_are_repeated(tables):
    parts = [[1, 2], [], [3, 14], [25]]
    spark_tables, expected = tables(parts), local(parts)
    found = spark_tables.reduce(Dying(text, [0, 3]), brackets)
    assert found == expected.reduce(text, brackets)
    cells = spark_tables.divide(cut, assemble, 10)
    found = cells.reduce(Dying(cells_text, [3]), brackets, range(1))
    assert found == expected.divide(cut, assemble, 10).reduce(cells_text, brackets, range(1))
    cells.release()


def test_errors_are_those_of_the_work(tables):
    with pytest.raises(LookupError, match=r"^the number 72 is not welcome$") as found:
        tables(SKEWED).reduce(Refusing(text, 72, LookupError), brackets)
    assert "spark_work.py" in str(found.value.__cause__)
    with pytest.raises(LookupError, match=r"^the number 72 is not welcome$"):
        tables(SKEWED).divide(Refusing(cut, 72, LookupError), assemble, 10)
    with pytest.raises(LookupError, match=r"^no rows for 2$"):
        tables(SKEWED).divide(cut, RefusingCells(2, LookupError), 10)


def test_slots_are_where_spark_sends_integers(spark):
    found = spark.range(50).selectExpr("pmod(hash(int(id)), 7) AS place").collect()
    assert partitions_of(np.arange(50), 7).tolist() == [row.place for row in found]
