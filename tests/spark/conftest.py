"""One Spark for all tests of this folder, as small as it can be."""

import os
import shutil
import sys
import warnings
from pathlib import Path

import pytest

import sparsefm

TESTS = Path(__file__).resolve().parent.parent


def pytest_collection_modifyitems(items):
    """Let PySpark leave sockets behind, and tell its opinion of pandas 3."""
    kinds = ["PySpark does not:FutureWarning", ":ResourceWarning"]
    kinds += [":DeprecationWarning", ":pytest.PytestUnraisableExceptionWarning"]
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings(*(f"ignore:{kind}" for kind in kinds)))


@pytest.fixture(scope="module", autouse=True)
def _few_rows_are_enough():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sparsefm.distributed.settings.LEAST_ROWS", 1)
        yield


@pytest.fixture(scope="session")
def spark(tmp_path_factory):
    """Return a session of two workers, which try each task up to four times."""
    sql = pytest.importorskip("pyspark.sql")
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("Spark needs Java")
    folder = tmp_path_factory.mktemp("spark")
    known = [str(Path(sparsefm.__file__).parent.parent), str(TESTS), os.environ.get("PYTHONPATH")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, known))  # of the workers, too
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    session = (
        sql.SparkSession.builder.master("local[2, 4]")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.memory", "1g")
        .config("spark.local.dir", str(folder))
        .config("spark.log.level", "OFF")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.warehouse.dir", str(folder / "warehouse"))
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .getOrCreate()
    )
    yield session
    gateway = session.sparkContext._gateway
    session.stop()
    gateway.shutdown()  # its sockets, and then the JVM ends
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gateway.proc.stdin.close()
        gateway.proc.wait(timeout=60)
