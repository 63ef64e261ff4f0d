"""One file: a JSON header and named arrays, in the safetensors format.

The header is one entry of the format's own metadata, under "sparsefm", so any reader of safetensors
sees the arrays too. Nothing in a file is ever executed. This module writes a file completely or not
at all, and reads one without trusting it. What the entries and arrays mean is up to the classes
that write them.
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

# 1: estimators always held a sample of their training rows.
# 2: they hold it only on request; an encoder has no format number of its own.
FORMAT_VERSION = 2
ENTRY = "sparsefm"
LARGEST_HEADER = 1 << 24  # characters of JSON; as objects they take some twenty times the memory
TYPES = ("BOOL", "U8", "I8", "U16", "I16", "U32", "I32", "U64", "I64", "F16", "F32", "F64")


def write_file(
    path: FilePath, header: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]
) -> None:
    """Write `header` and `arrays` to `path`, completely or not at all.

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
            f"the parameters and the history take {len(text)} characters of JSON; a file holds at "
            f"most {LARGEST_HEADER}: shorten them"
        )
    dense = {
        name: np.require(array, array.dtype.newbyteorder("="), "C")
        for name, array in arrays.items()
    }
    with _replacing(Path(os.path.realpath(path))) as temporary:
        save_file(dense, temporary, metadata={ENTRY: text})


def read_file(path: FilePath) -> tuple[dict[str, Any], Arrays]:
    """Return the header and the arrays of a file; the caller checks what they hold.

    Each array is read once, and is no larger than the file.

    Raises
    ------
    FileFormatError
        If the file is not one that `write_file` wrote. The message says what is wrong, and leaves
        out the name of the file.
    OSError
        If it cannot be read, such as `FileNotFoundError`.
    """
    safetensors = import_safetensors()
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise FileFormatError("is a folder or a device, not a file that `save` wrote")
    try:
        with safetensors.safe_open(os.fspath(path), framework="numpy") as file:
            header = _read_header(file.metadata())
            return header, {name: _read_array(file, name, status.st_size) for name in file.keys()}  # noqa: SIM118
    except safetensors.SafetensorError as error:
        raise FileFormatError(f"is not a safetensors file, or a damaged one ({error})") from None


def import_safetensors() -> Any:
    """Return the package that knows the format; imported late, as most programs never save."""
    try:
        import safetensors.numpy
    except ImportError:
        raise ImportError("saving and loading need safetensors: pip install safetensors") from None
    return safetensors


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Yield the name of a new file beside `path`; rename it to `path` if all goes well."""
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: name a file in it")
    temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
    # Created here for the permissions of a new file: safetensors may put another in its place.
    descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    status = path.stat() if path.exists() else os.fstat(descriptor)
    os.close(descriptor)
    try:
        yield temporary
        os.chmod(temporary, stat.S_IMODE(status.st_mode))
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
        raise FileFormatError(f"has a header of {len(text)} characters, over {LARGEST_HEADER}")
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"has a header that is not JSON ({error})") from None
    if not isinstance(header, dict):
        raise FileFormatError(f"has a header that is not a JSON object: {header!r:.40}")
    number = header.get("format_version")
    if type(number) is not int or number < 1:
        raise FileFormatError(f"has an unknown format_version {number!r:.40}")
    if number > FORMAT_VERSION:
        raise FileFormatError(f"was written by a newer sparsefm (format {number}); upgrade")
    return header


def _read_array(file: Any, name: str, file_size: int) -> npt.NDArray[Any]:
    view = file.get_slice(name)
    dtype, shape = view.get_dtype(), view.get_shape()
    if dtype not in TYPES:
        raise FileFormatError(f"has an array {name!r:.80} of the unsupported type {dtype}")
    # The bytes of an array lie in the file; but one that has none may claim any shape.
    if max(shape, default=0) > file_size:
        raise FileFormatError(f"has an array {name!r:.80} of shape {shape}, larger than the file")
    try:
        array: npt.NDArray[Any] = file.get_tensor(name)
    except ValueError as error:  # shapes beyond NumPy's
        raise FileFormatError(f"has an array {name!r:.80} that cannot be read ({error})") from None
    if dtype == "BOOL" and (array.view(np.uint8) > 1).any():
        raise FileFormatError(f"has an array {name!r:.80} of booleans that are neither 0 nor 1")
    return array
