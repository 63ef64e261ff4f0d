"""Replacing a file: completely or not at all, whatever happens to the process meanwhile."""

import errno
import os
import re
import stat
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None  # type: ignore[assignment]

FilePath = str | os.PathLike[str]

TEMPORARY = re.compile(r"\.sparsefm-[0-9a-f]{32}\.tmp")


def name_of(path: FilePath, argument: str = "path") -> str:
    """Return the argument `path`, or one of another name, as text if a file can have that name."""
    try:
        name = os.fspath(path)
    except TypeError:
        name = None
    if not isinstance(name, str):
        raise TypeError(f"{argument} must be a string or a path, got {path!r:.80}")
    try:
        is_name = b"\0" not in os.fsencode(name)
    except UnicodeEncodeError:
        is_name = False
    if not is_name:
        raise ValueError(f"{argument} holds characters that no name of a file has: {name!r:.80}")
    return name


def find_target(path: FilePath) -> tuple[Path, os.stat_result | None]:
    """Return the regular file that `path` leads to, through symbolic links, and its status.

    The status is None if there is no such file yet.

    Raises
    ------
    OSError
        If it is a folder, a device, a pipe or a socket, or cannot be reached.
    """
    name = name_of(path)
    if not name or name.endswith(("/", os.sep)):
        raise IsADirectoryError(errno.EISDIR, "path names a folder, not a file in it", name)
    target = Path(os.path.realpath(name))
    try:
        status = os.stat(name)
    except FileNotFoundError:
        return target, None
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "path is a folder: name a file in it", name)
    if not stat.S_ISREG(status.st_mode):
        why = "path is a device, a pipe or a socket, which a file cannot replace: name a file"
        raise OSError(errno.EINVAL, why, name)
    return target, os.stat(target)  # which is not there if a descriptor keeps a deleted file alive


@contextmanager
def naming_folder(folder: str | None) -> Iterator[None]:
    """Name the folder of a temporary file, which has no name, in an `OSError` of writing it."""
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, folder or tempfile.gettempdir()) from error


@contextmanager
def replacing(path: FilePath) -> Iterator[BinaryIO]:
    """Yield a new file to write; it takes the place of `path` if all goes well.

    It is locked as long as it is written, so whoever saves next knows it for abandoned if its
    process died, and removes it. An `OSError` of writing it, such as that of a full disk, names
    `path`.
    """
    target, status = find_target(path)
    _remove_abandoned(target.parent)
    temporary = target.parent / f".sparsefm-{uuid.uuid4().hex}.tmp"
    try:  # from before the file exists, for Ctrl-C may come at any moment
        with _create(temporary) as file:
            if status is not None:  # first, for what is private must not be seen meanwhile
                os.chmod(temporary, stat.S_IMODE(status.st_mode))
            yield file
            file.flush()
            os.fsync(file.fileno())  # a name must not reach the disk before its content
            if fcntl is not None:
                os.replace(temporary, target)
        if fcntl is None:  # where open files cannot be renamed
            os.replace(temporary, target)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename in (None, str(temporary)):
            raise OSError(error.errno, error.strerror, os.fspath(path)) from error
        raise
    _flush_folder(target.parent)


def _create(temporary: Path) -> BinaryIO:
    """Create a file, and lock it."""
    while True:
        file = open(temporary, "x+b")  # noqa: SIM115
        if fcntl is None:
            return file
        try:
            with suppress(OSError):  # some file systems have no locks
                fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file.fileno()).st_nlink:  # else it was removed before it was locked
                return file
        except BaseException:
            file.close()
            raise
        file.close()


def _remove_abandoned(folder: Path) -> None:
    """Remove the files of processes that died while they were saving."""
    if fcntl is None:
        return
    try:
        with os.scandir(folder) as entries:
            found = [entry.path for entry in entries if TEMPORARY.fullmatch(entry.name)]
    except PermissionError:  # a folder may be written without being read
        return
    for path in found:
        with suppress(OSError):  # those that are locked, gone, or of somebody else
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(path)
            finally:
                os.close(descriptor)


def _flush_folder(folder: Path) -> None:
    """Have the new name written to the disk, where the system can do that."""
    if os.name != "posix":
        return
    with suppress(OSError):  # the content is safe; some file systems know no more
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
