"""One file: a JSON header and named arrays, in the safetensors format.

The header is one entry of the format's own metadata, under "sparsefm", so any reader of safetensors
sees the arrays too. Nothing in a file is ever executed. What the parts mean is known to
`persistence`; here is only how they reach the disk, whole or not at all, and how they are read
without trusting them.
"""

import json
import os
import stat
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.errors import FileFormatError

FilePath = str | os.PathLike[str]
Arrays = dict[str, npt.NDArray[Any]]

FORMAT_VERSION = 1
ENTRY = "sparsefm"
LARGEST_HEADER = 1 << 24  # characters of JSON; as objects they take some twenty times the memory
TYPES = ("BOOL", "U8", "I8", "U16", "I16", "U32", "I32", "U64", "I64", "F16", "F32", "F64")


def write_container(
    path: FilePath, header: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]
) -> None:
    """Write `header` and `arrays` to `path`; the file is complete or remains what it was.

    Parameters
    ----------
    path : str or path-like
        Replaced if it exists.
    header : mapping
        JSON values; the versions of the format and of the package are added.
    arrays : mapping of str to ndarray
        Booleans, integers and floats of up to 64 bits.

    Raises
    ------
    OSError
        If the file cannot be written.
    ValueError
        If the header is too long.
    """
    save_file = import_safetensors().numpy.save_file
    versions = {"format_version": FORMAT_VERSION, "sparsefm": version("sparsefm")}
    text = json.dumps({**versions, **header}, allow_nan=False)
    if len(text) > LARGEST_HEADER:
        raise ValueError(
            f"the settings and the history take {len(text)} characters of JSON; a file holds at "
            f"most {LARGEST_HEADER}: shorten them"
        )
    dense = {
        name: np.require(array, array.dtype.newbyteorder("="), "C")
        for name, array in arrays.items()
    }
    with _replacing(Path(os.path.realpath(path))) as temporary:
        save_file(dense, temporary, metadata={ENTRY: text})


def read_container(path: FilePath) -> tuple[dict[str, Any], Arrays]:
    """Return the header and the arrays of a file; what they hold is for the caller to check.

    Each array is read once, and is no larger than the file.

    Raises
    ------
    FileFormatError
        If it is no such file; the message says what is wrong, and not yet with which file.
    OSError
        If it cannot be read, such as `FileNotFoundError`.
    """
    safetensors = import_safetensors()
    found = os.stat(path)
    if not stat.S_ISREG(found.st_mode):
        raise FileFormatError("is a folder or a device, not a file that `save` wrote")
    try:
        with safetensors.safe_open(os.fspath(path), framework="numpy") as file:
            header = _read_header(file.metadata())
            return header, {name: _read_array(file, name, found.st_size) for name in file.keys()}  # noqa: SIM118
    except safetensors.SafetensorError as error:
        raise FileFormatError(f"is no safetensors file, or a damaged one ({error})") from None


def import_safetensors() -> Any:
    """Return the package that knows the format."""
    try:
        import safetensors.numpy
    except ImportError:
        raise ImportError("saving and loading need safetensors: pip install safetensors") from None
    return safetensors


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Lend the name of a file beside `path`; rename it to `path` if all goes well."""
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: name a file in it")
    temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
    # Made here for the permissions of a new file: safetensors may put another in its place.
    descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    model = path.stat() if path.exists() else os.fstat(descriptor)
    mode = stat.S_IMODE(model.st_mode)
    os.close(descriptor)
    try:
        yield temporary
        os.chmod(temporary, mode)
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())  # a name must not reach the disk before its content
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _read_header(metadata: Mapping[str, str] | None) -> dict[str, Any]:
    text = (metadata or {}).get(ENTRY)
    if text is None:
        raise FileFormatError("is a safetensors file, but not one that sparsefm wrote")
    if len(text) > LARGEST_HEADER:
        raise FileFormatError(f"has a header of {len(text)} characters; {LARGEST_HEADER} may be")
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"has a header that is no JSON ({error})") from None
    if not isinstance(header, dict):
        raise FileFormatError(f"has a header that is no JSON object, but {header!r:.40}")
    found = header.pop("format_version", None)
    if type(found) is not int or found < 1:
        raise FileFormatError(f"says format_version {found!r:.40}, which is none")
    if found > FORMAT_VERSION:
        raise FileFormatError(f"was written by a newer sparsefm (format {found}); upgrade")
    return header


def _read_array(file: Any, name: str, file_size: int) -> npt.NDArray[Any]:
    part = file.get_slice(name)
    kind, shape = part.get_dtype(), part.get_shape()
    if kind not in TYPES:
        raise FileFormatError(f"has an array {name!r:.80} of type {kind}, which is not used")
    # The bytes of an array lie in the file; but one that has none may claim any shape.
    if max(shape, default=0) > file_size:
        raise FileFormatError(f"has an array {name!r:.80} of shape {shape}, larger than the file")
    try:
        array: npt.NDArray[Any] = file.get_tensor(name)
    except ValueError as error:  # shapes beyond NumPy's
        raise FileFormatError(f"has an array {name!r:.80} that is none ({error})") from None
    if kind == "BOOL" and (array.view(np.uint8) > 1).any():
        raise FileFormatError(f"has an array {name!r:.80} of neither true nor false")
    return array
