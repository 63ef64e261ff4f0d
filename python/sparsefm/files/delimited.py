"""CSV and TSV, read by PyArrow; the type of a column is that of all of its values."""

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

from sparsefm.errors import FileFormatError
from sparsefm.files.streams import Source, opened

BLOCK = 1 << 22  # bytes at a time
DELIMITERS = {"csv": ",", "tsv": "\t"}
HEADER, NUMBERED = "header", "numbered"
UNFIT = re.compile(r"In CSV column #(\d+):.*CSV conversion error to ", re.DOTALL)

Types: TypeAlias = Mapping[str, Any]


class MisfitError(Exception):
    """A value is not of the type of its column, the type that is given or that the first rows have.

    Attributes
    ----------
    name : str
        Of the column.
    next_kind : DataType
        What the column may be instead.
    """

    def __init__(self, path: str, name: str, kind: Any, told: str) -> None:
        super().__init__(f"{path}, column {name!r}: {told}")
        self.name, self.next_kind = name, _wider(kind, told)


def _wider(kind: Any, told: str) -> Any:
    """Return the next type that Arrow tries where a value does not fit, and that it may fit."""
    import pyarrow as pa
    import pyarrow.csv as pacsv

    ladder = [pa.null(), pa.int64(), pa.bool_(), pa.date32(), pa.time32("s")]
    ladder += [pa.timestamp("s"), pa.timestamp("ns"), pa.float64(), pa.string()]
    if kind not in ladder[:-1]:
        return pa.string()
    value = told.partition("invalid value '")[2][:-1].replace('"', '""')
    alone = pacsv.read_csv(io.BytesIO(f'value\n"{value}"\n'.encode())).schema.field(0).type
    fits = ladder.index(alone) if alone in ladder else len(ladder) - 1
    return ladder[max(ladder.index(kind) + 1, fits)]


class _Bytes(io.RawIOBase):
    """The bytes of a source as a file of Python."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, room: Any, /) -> int | None:
        return self._source.readinto(room)


@contextmanager
def decompressed(path: str) -> Iterator[io.BufferedReader]:
    """Open a file, decompressed if its first bytes say that it is compressed."""
    with opened(path) as source:
        yield io.BufferedReader(_Bytes(source), BLOCK)


@dataclass(frozen=True)
class Delimited:
    """A file of CSV or TSV.

    Attributes
    ----------
    path : str
    format : {"csv", "tsv"}
    given_names : {"header", "numbered"} or sequence of str
        What names the columns: the first line, their numbers, or these.
    """

    path: str
    format: str
    given_names: str | Sequence[str]

    def names(self) -> list[str]:
        """Return the names of the columns, from the first lines."""
        names: list[str] = []
        with self._told():
            if isinstance(self.given_names, str):
                with self._reader([], None, {}) as reader:
                    names = reader.schema.names
                if self.given_names == NUMBERED:
                    names = [f"x{column}" for column in range(len(names))]
            else:
                names = list(self.given_names)
        return names

    def read(self, columns: Sequence[str], types: Types) -> Any:
        """Return columns as a table; types are found where they are not given."""
        import pyarrow.csv as pacsv

        names = self.names()

        def read(*, use_threads: bool) -> Any:
            with decompressed(self.path) as file:
                return pacsv.read_csv(
                    file,
                    read_options=self._read_options(names, use_threads=use_threads),
                    parse_options=self._parse_options(),
                    convert_options=_convert_options(columns, types),
                )

        with self._told(names, types):
            try:
                table = read(use_threads=True)
            except ValueError as error:
                if isinstance(error, FileFormatError):
                    raise
                table = read(use_threads=False)  # whose error has the number of the row
        self._check_text(table.schema)
        return table

    def scan(self, columns: Sequence[str], types: Types) -> Any:
        """Read to the end and return the schema; `MisfitError` says which type is to be another."""
        batches = self.batches(columns, types)
        schema = next(batches)
        for _ in batches:
            pass
        return schema

    def batches(self, columns: Sequence[str], types: Types) -> Iterator[Any]:
        """Yield the schema, and then the rows in batches."""
        names = self.names()
        known: dict[str, Any] = dict(types)
        with self._told(names, known), self._reader(names, columns, types) as reader:
            known |= {field.name: field.type for field in reader.schema}
            self._check_text(reader.schema)
            yield reader.schema
            yield from reader

    @contextmanager
    def _reader(self, names: list[str], columns: Sequence[str] | None, types: Types) -> Any:
        import pyarrow.csv as pacsv

        with (
            decompressed(self.path) as file,
            pacsv.open_csv(
                file,
                read_options=self._read_options(names, use_threads=False),
                parse_options=self._parse_options(),
                convert_options=_convert_options(columns, types),
            ) as reader,
        ):
            yield reader

    def _read_options(self, names: list[str], *, use_threads: bool) -> Any:
        import pyarrow.csv as pacsv

        in_file = self.given_names == HEADER
        return pacsv.ReadOptions(
            use_threads=use_threads,
            block_size=BLOCK,
            column_names=None if in_file or not names else names,
            autogenerate_column_names=not in_file and not names,
        )

    def _parse_options(self) -> Any:
        import pyarrow.csv as pacsv

        return pacsv.ParseOptions(delimiter=DELIMITERS[self.format], newlines_in_values=True)

    @contextmanager
    def _told(self, names: Sequence[str] = (), types: Types | None = None) -> Iterator[None]:
        """Raise what Arrow says as an error that names the file."""
        try:
            yield
        except FileFormatError:
            raise
        except (ValueError, UnicodeError) as error:  # ArrowInvalid is a ValueError
            text = str(error)
            unfit = UNFIT.search(text)
            if unfit is None or types is None:
                what = text.removeprefix("CSV parse error: ")
                if not isinstance(self.given_names, str):
                    what += f"; names has {len(self.given_names)} of them"
                raise FileFormatError(f"{self.path} is no table in {self.format}: {what}") from None
            name = names[int(unfit[1])]
            told = re.sub(r"^In CSV column #\d+: ", "", text)
            raise MisfitError(self.path, name, types.get(name), told) from None

    def _check_text(self, schema: Any) -> None:
        import pyarrow as pa

        for field in schema:
            if pa.types.is_binary(field.type):
                raise FileFormatError(
                    f"{self.path}, column {field.name!r}: its text is not UTF-8; save the file in "
                    "that encoding"
                )


def _convert_options(columns: Sequence[str] | None, types: Types) -> Any:
    import pyarrow.csv as pacsv

    chosen = {} if columns is None else {"include_columns": list(columns)}
    known = {name: kind for name, kind in types.items() if columns is None or name in columns}
    return pacsv.ConvertOptions(strings_can_be_null=True, column_types=known, **chosen)
