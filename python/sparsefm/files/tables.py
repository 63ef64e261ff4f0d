"""`read_table`: from CSV, TSV, Parquet and Arrow to a table of PyArrow."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sparsefm.data.validation import check_choice, check_integer
from sparsefm.errors import FileFormatError
from sparsefm.files.columnar import ARROW, PARQUET, STREAM, Columnar
from sparsefm.files.delimited import (
    DELIMITERS,
    HEADER,
    NUMBERED,
    Delimited,
    MisfitError,
    decompressed,
)
from sparsefm.files.paths import as_paths

FORMATS = ("auto", *DELIMITERS, "parquet", "arrow")
SNIFFED = 1 << 16  # bytes of a file that may tell its format
NO_TYPES: Mapping[str, Any] = {}


def read_table(
    path: Any,
    format: str = "auto",
    columns: Sequence[str] | None = None,
    *,
    names: str | Sequence[str] = HEADER,
    chunk_rows: int | None = None,
) -> Any:
    """Read a table from CSV, TSV, Parquet or Arrow files, with PyArrow.

    The estimators take the result as it is. Types are those that the files have; those of text are
    Arrow's guess from all values of a column: whole numbers, true and false, dates and times in ISO
    8601, numbers, else text. So 007 is the number 7, unless some value of its column is no number.
    An empty cell is missing, and so are NA, NaN, null and the like; text of Parquet and Arrow is as
    it is. Empty lines are left out.

    Parameters
    ----------
    path : str, path-like or list of them
        The files, whose rows follow one another in this order. A pattern such as
        ``"part-*.parquet"`` stands for the files that match it, sorted by name. CSV and TSV may be
        compressed by gzip, or by zstd (with the extra "zstd"); their first bytes tell.
    format : {"auto", "csv", "tsv", "parquet", "arrow"}
        "auto": the first bytes tell Parquet and Arrow (IPC files and streams, Feather 2). Other
        files are TSV if there is a tab in their first line, else CSV.
    columns : sequence of str, optional
        The columns to read, in this order. Default: all.
    names : {"header", "numbered"} or sequence of str
        What names the columns of CSV and TSV: the first line; or, if that is a row like others,
        their numbers ("x0", "x1", ...) or these names.
    chunk_rows : int, optional
        Return an iterator of tables of so many rows instead; the last of each file has fewer. One
        is in memory at a time. All have the same types, for which CSV and TSV are read twice.

    Returns
    -------
    pyarrow.Table, or iterator of pyarrow.Table

    Raises
    ------
    FileFormatError
        If a file is malformed or damaged, with the row if Arrow tells it; or if it lacks columns of
        the first file, or has others.
    ImportError
        If PyArrow is missing.
    OSError
        If a file cannot be read.
    ValueError
        If there is no column of a name in `columns`.

    Examples
    --------
    >>> import sparsefm as fm
    >>> with open("rides.csv", "w") as file:
    ...     print("city,km,late", file=file)
    ...     print("Oslo,2.5,no", file=file)
    ...     print("Rome,,yes", file=file)
    >>> table = fm.read_table("rides.csv", columns=["city", "km"])
    >>> table.to_pylist()
    [{'city': 'Oslo', 'km': 2.5}, {'city': 'Rome', 'km': None}]
    >>> [chunk["late"].to_pylist() for chunk in fm.read_table("rides.csv", chunk_rows=1)]
    [['no'], ['yes']]
    """
    n_rows = None if chunk_rows is None else check_integer(chunk_rows, "chunk_rows", 1)
    tables = Tables.of(path, format, names)
    chosen = tables.all_columns if columns is None else _as_names(columns, "columns")
    if n_rows is None:
        return tables.read(chosen)
    tables.check(chosen)
    return (chunk for _, _, chunk in tables.chunks(n_rows, chosen))


@dataclass(frozen=True, eq=False)
class Tables:
    """Files of one table.

    Attributes
    ----------
    files : list of Delimited or Columnar
    all_columns : list of str
        Those of the first file.
    """

    files: list[Delimited | Columnar]
    all_columns: list[str]

    @classmethod
    def of(
        cls,
        path: Any,
        format: str = "auto",
        names: str | Sequence[str] = HEADER,
        argument: str = "path",
    ) -> "Tables":
        """Return the files that `path` names; see `read_table`. Errors call it `argument`."""
        given = check_choice(format, "format", FORMATS)
        if isinstance(names, str):
            check_choice(names, "names", (HEADER, NUMBERED))
        else:
            names = _as_names(names, "names")
        paths = as_paths(path, argument)
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError:
            raise ImportError(
                "reading a table from a file needs PyArrow: pip install 'sparsefm[arrow]'"
            ) from None
        formats = [detected(one) if given == "auto" else given for one in paths]
        for one, found in zip(paths, formats, strict=True):
            if found != formats[0]:
                told = f"{one} is {found}, but {paths[0]} is {formats[0]}"
                raise FileFormatError(f"{told}: read files of one format at a time")
        if formats[0] in DELIMITERS:
            files: list[Any] = [Delimited(one, formats[0], names) for one in paths]
        elif names == HEADER:
            files = [Columnar(one, formats[0]) for one in paths]
        else:
            raise ValueError(f"names={names!r:.80} is for CSV and TSV, but {paths[0]} has names")
        first = files[0].names()
        twice = [name for place, name in enumerate(first) if name in first[:place]]
        if twice:
            raise FileFormatError(f"{paths[0]} has the column {twice[0]!r:.80} twice")
        return cls(files, first)

    def read(self, columns: Sequence[str], types: Mapping[str, Any] = NO_TYPES) -> Any:
        """Return columns of all files; text has the types given, where they are."""
        import pyarrow as pa

        self.check(columns)
        try:
            parts = [file.read(columns, types) for file in self.files]
        except MisfitError as misfit:
            raise FileFormatError(str(misfit)) from None
        if any(part.schema != parts[0].schema for part in parts):
            found = self.types(columns, types)
            parts = [_cast(file, file.read(columns, found), found) for file in self.files]
        return pa.concat_tables(parts).replace_schema_metadata(None)

    def chunks(
        self, n_rows: int, columns: Sequence[str], types: Mapping[str, Any] = NO_TYPES
    ) -> Iterator[tuple[str, int, Any]]:
        """Yield the file, its first row and a table of `n_rows` rows; the last of a file has fewer.

        No more than one is in memory.

        Text whose types are not all given is read twice: only the last row of a column may tell.
        """
        self.check(columns)
        found = self.types(columns, types)
        for file in self.files:
            first = 0
            for table in _regrouped(self._batches(file, columns, found), n_rows):
                yield file.path, first, table
                first += table.num_rows

    def types(self, columns: Sequence[str], known: Mapping[str, Any]) -> dict[str, Any]:
        """Return the types of columns that all files have in common."""
        if isinstance(self.files[0], Columnar):
            return self._common([file.scan(columns, {}) for file in self.files])
        widened = {name: kind for name, kind in known.items() if name in columns}
        if len(widened) == len(columns):
            return widened
        while True:
            found = dict(widened)
            try:
                for file in self.files:
                    found |= {field.name: field.type for field in file.scan(columns, found)}
                return found
            except MisfitError as misfit:
                if misfit.name in known:
                    raise FileFormatError(str(misfit)) from None
                widened[misfit.name] = misfit.next_kind

    def _common(self, schemas: list[Any]) -> dict[str, Any]:
        """Return the types that columns of all files can be converted to without loss."""
        import pyarrow as pa

        found = {field.name: field for field in schemas[0]}
        for file, schema in zip(self.files, schemas, strict=True):
            for field in schema:
                both = found[field.name], field
                if both[0].type != both[1].type:
                    both = _without_dictionary(both[0]), _without_dictionary(both[1])
                try:
                    pair = [pa.schema([one]) for one in both]
                    (found[field.name],) = pa.unify_schemas(pair, promote_options="permissive")
                except pa.ArrowException:
                    raise FileFormatError(
                        f"{file.path}: column {field.name!r} is of the type {field.type}, but "
                        f"{found[field.name].type} in {self.files[0].path}"
                    ) from None
        return {name: field.type for name, field in found.items()}

    def _batches(
        self, file: Delimited | Columnar, columns: Sequence[str], types: Mapping[str, Any]
    ) -> Iterator[Any]:
        """Yield tables of one batch each, all of the same types."""
        import pyarrow as pa

        try:
            batches = file.batches(columns, types)
            next(batches)
            for batch in batches:
                yield _cast(file, pa.Table.from_batches([batch]), types)
        except MisfitError as misfit:
            raise FileFormatError(str(misfit)) from None

    def check(self, columns: Sequence[str]) -> None:
        """Check that the first file has these columns, and the others its own."""
        for name in columns:
            if name not in self.all_columns:
                known = ", ".join(self.all_columns)
                raise ValueError(
                    f"{self.files[0].path} has no column {name!r:.80}; there are {known:.200}"
                )
        for file in self.files[1:]:
            other = set(file.names()) ^ set(self.all_columns)
            if other:
                raise FileFormatError(
                    f"{file.path} has other columns than {self.files[0].path}: "
                    f"{', '.join(sorted(other)):.200}"
                )


def _without_dictionary(field: Any) -> Any:
    """Return a field with the type of its values."""
    import pyarrow as pa

    kind = field.type
    return field.with_type(kind.value_type) if pa.types.is_dictionary(kind) else field


def _cast(file: Delimited | Columnar, table: Any, types: Mapping[str, Any]) -> Any:
    """Return rows of a file with the types of all files."""
    import pyarrow as pa

    columns = []
    for name in table.column_names:
        try:
            columns.append(table[name].cast(types[name]))
        except pa.ArrowException as error:
            kinds = f"{table[name].type} cannot be {types[name]}, as in other files"
            raise FileFormatError(f"{file.path}, column {name!r}: {kinds}: {error}") from None
    return pa.table(columns, schema=pa.schema([(name, types[name]) for name in table.column_names]))


def detected(path: str) -> str:
    """Return the format of a file: its first bytes tell."""
    if os.path.exists(path) and not os.path.isdir(path) and not os.path.isfile(path):
        raise FileFormatError(f"{path} is no regular file, which a table is read from twice")
    with decompressed(path) as file:
        head = file.read(SNIFFED)
    if head.startswith(PARQUET):
        return "parquet"
    if head.startswith((ARROW, STREAM)):
        return "arrow"
    return "tsv" if b"\t" in head.partition(b"\n")[0] else "csv"


def _regrouped(batches: Iterator[Any], n_rows: int) -> Iterator[Any]:
    """Yield tables of so many rows each, the last of fewer."""
    import pyarrow as pa

    held: list[Any] = []
    count = 0
    for batch in batches:
        rest = batch
        while count + rest.num_rows >= n_rows:
            part = n_rows - count
            yield pa.concat_tables([*held, rest.slice(0, part)])
            rest, held, count = rest.slice(part), [], 0
        if rest.num_rows:
            held.append(rest)
            count += rest.num_rows
    if held:
        yield pa.concat_tables(held)


def _as_names(given: Any, argument: str) -> list[str]:
    """Return distinct names of columns."""
    is_list = isinstance(given, Sequence) and not isinstance(given, str | bytes)
    if not is_list or not given or not all(isinstance(name, str) for name in given):
        raise TypeError(f"{argument} must be a list of names, got {given!r:.80}")
    names = list(given)
    twice = [name for place, name in enumerate(names) if name in names[:place]]
    if twice:
        raise ValueError(f"{argument} has {twice[0]!r:.80} twice")
    return names
