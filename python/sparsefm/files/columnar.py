"""Parquet and Arrow, read by PyArrow: the files say what types their columns have."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sparsefm.errors import FileFormatError

PARQUET, ARROW, STREAM = b"PAR1", b"ARROW1", b"\xff\xff\xff\xff"
INDEX = re.compile(r"__index_level_\d+__")  # what pandas calls an index without a name


@dataclass(frozen=True)
class Columnar:
    """A file of Parquet or Arrow IPC (also called Feather).

    Attributes
    ----------
    path : str
    format : {"parquet", "arrow"}
    """

    path: str
    format: str

    def names(self) -> list[str]:
        """Return the names of the columns, without an index of pandas that has no name."""
        with self._told(), self._opened() as file:
            return [name for name in _schema(file).names if not INDEX.fullmatch(name)]

    def read(self, columns: Sequence[str], types: Mapping[str, Any]) -> Any:
        """Return columns as a table."""
        import pyarrow as pa

        if self.format == "parquet":  # by all cores, unlike batches
            with self._told(), self._opened() as file:
                return file.read(columns=list(columns)).select(list(columns))
        batches = self.batches(columns, types)
        schema = next(batches)
        return pa.Table.from_batches(batches, schema)

    def scan(self, columns: Sequence[str], types: Mapping[str, Any]) -> Any:
        """Return the schema."""
        return next(self.batches(columns, types))

    def batches(self, columns: Sequence[str], types: Mapping[str, Any]) -> Iterator[Any]:
        """Yield the schema, and then the rows in batches."""
        import pyarrow as pa

        with self._told(), self._opened() as file:
            schema = _schema(file)
            yield pa.schema([schema.field(name) for name in columns])
            for batch in _batches(file, list(columns)):
                yield batch.select(list(columns))

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        with pa.OSFile(self.path) as file:
            head = file.read(len(ARROW))
            file.seek(0)
            if self.format == "parquet":
                yield pq.ParquetFile(file)
            elif head == ARROW:
                yield pa.ipc.open_file(file)
            else:
                yield pa.ipc.open_stream(file)

    @contextmanager
    def _told(self) -> Iterator[None]:
        import pyarrow as pa

        try:
            yield
        except FileFormatError:
            raise
        except (pa.ArrowException, OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            what = f"{self.path} is no table in {self.format}, or damaged: {error}"
            raise FileFormatError(what) from None


def _schema(file: Any) -> Any:
    return getattr(file, "schema_arrow", None) or file.schema


def _batches(file: Any, columns: list[str]) -> Iterator[Any]:
    """Yield the batches of a file; of Parquet, only these columns are read."""
    if hasattr(file, "iter_batches"):
        yield from file.iter_batches(columns=columns)
    elif hasattr(file, "num_record_batches"):
        yield from map(file.get_batch, range(file.num_record_batches))
    else:
        yield from file
