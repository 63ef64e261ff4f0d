"""A file is replaced completely or not at all, and only if it is one."""

import errno
import os
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from files import V

from sparsefm.io.file import read_file, write_file
from sparsefm.io.replacing import replacing

POSIX = pytest.mark.skipif(os.name != "posix", reason="POSIX only")


def names(folder):
    return sorted(os.listdir(folder))


def open_files():
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


# --- all or nothing -------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["os.fsync", "os.replace", "os.chmod"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failing_write_leaves_the_old_file(tmp_path, monkeypatch, call, error):
    write_file(tmp_path / "file", {}, {"V": V})
    before, descriptors = (tmp_path / "file").read_bytes(), open_files()

    def fail(*_, **__):
        raise error

    monkeypatch.setattr(call, fail)
    with pytest.raises(type(error)):
        write_file(tmp_path / "file", {}, {"V": 2 * V})
    monkeypatch.undo()
    assert (tmp_path / "file").read_bytes() == before
    assert names(tmp_path) == ["file"]
    assert open_files() == descriptors


def test_an_error_of_the_writer(tmp_path):
    def write():
        with replacing(tmp_path / "file") as file:
            file.write(b"half")
            raise MemoryError

    with pytest.raises(MemoryError):
        write()
    assert not names(tmp_path)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no full disk here")
def test_a_full_disk_says_so(tmp_path, monkeypatch):
    """Writing fails, not the call that opens the file."""
    create = sys.modules["sparsefm.io.replacing"]._create

    def full(temporary):
        file = create(temporary)
        descriptor = os.open("/dev/full", os.O_WRONLY)
        os.dup2(descriptor, file.fileno())
        os.close(descriptor)
        return file

    monkeypatch.setattr("sparsefm.io.replacing._create", full)
    with pytest.raises(OSError, match="No space") as caught:
        write_file(tmp_path / "file", {}, {"V": np.zeros(100_000)})
    assert caught.value.errno == errno.ENOSPC
    assert not names(tmp_path)


def test_a_name_reaches_the_disk_after_its_content(tmp_path, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        call = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, n=name, c=call: (calls.append(n), c(*a)))
    write_file(tmp_path / "file", {}, {"V": V})
    assert calls == ["fsync", "replace"] + ["fsync"] * (os.name == "posix")  # of the folder


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX")
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_permissions_are_those_of_any_new_file(tmp_path, mask):
    before = os.umask(mask)
    try:
        write_file(tmp_path / "file", {}, {"V": V})
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o666 & ~mask


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX")
def test_permissions_of_an_existing_file_stay(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "file").chmod(0o600)
    write_file(tmp_path / "file", {}, {"V": V})
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600


def test_names_of_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in ("model", "a b.é", Path("model.pkl"), str(tmp_path / ("n" * 255))):
        for _ in range(2):
            write_file(path, {}, {"V": V})
        np.testing.assert_array_equal(read_file(path)[1]["V"], V)
    assert len(os.listdir()) == 4
    os.symlink("model.pkl", "link")
    write_file("link", {}, {"V": 2 * V})
    assert Path("link").is_symlink()
    np.testing.assert_array_equal(read_file("model.pkl")[1]["V"], 2 * V)
    with pytest.raises(IsADirectoryError, match="path is a folder: name a file in it"):
        write_file(tmp_path, {}, {"V": V})
    with pytest.raises(FileNotFoundError):
        write_file(tmp_path / "nowhere" / "model", {}, {"V": V})
    assert len(os.listdir()) == 5
    for wrong in (None, 3):
        with pytest.raises(TypeError):
            write_file(wrong, {}, {"V": V})


@POSIX
def test_links_are_followed(tmp_path):
    (tmp_path / "real").mkdir()
    for target in ("real/new", "real/new"):  # first to what is not there yet
        (tmp_path / "link").unlink(missing_ok=True)
        os.symlink("chain", tmp_path / "link")
        (tmp_path / "chain").unlink(missing_ok=True)
        os.symlink(target, tmp_path / "chain")
        write_file(tmp_path / "link", {}, {"V": V})
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "chain").is_symlink()
        assert not (tmp_path / "real" / "new").is_symlink()
    assert names(tmp_path / "real") == ["new"]
    for loop in ("a", "b"):
        os.symlink({"a": "b", "b": "a"}[loop], tmp_path / loop)
    with pytest.raises(OSError, match="symbolic links"):
        write_file(tmp_path / "a", {}, {})
    assert (tmp_path / "a").is_symlink()


@POSIX
def test_what_is_not_a_file_stays(tmp_path):
    (tmp_path / "folder").mkdir()
    os.symlink("folder", tmp_path / "to-folder")
    os.mkfifo(tmp_path / "fifo")
    os.symlink("fifo", tmp_path / "to-fifo")
    os.symlink(os.devnull, tmp_path / "to-device")
    listener = socket.socket(socket.AF_UNIX)
    folder = os.getcwd()
    try:
        os.chdir(tmp_path)  # the name of a socket must be short
        listener.bind("socket")
    finally:
        os.chdir(folder)

    def found():
        statuses = {name: os.lstat(tmp_path / name) for name in names(tmp_path)}
        return {name: (status.st_ino, status.st_mode) for name, status in statuses.items()}

    before = found()
    for name in before:
        with pytest.raises(OSError, match=r"path is a (folder|device)"):
            write_file(tmp_path / name, {}, {"V": V})
    assert found() == before
    for wrong in (os.devnull, "/dev/stdout" if os.path.exists("/dev/stdout") else os.devnull):
        if not stat.S_ISREG(os.stat(wrong).st_mode):
            with pytest.raises(OSError, match="path is a device"):
                write_file(wrong, {}, {"V": V})
    listener.close()


@pytest.mark.parametrize("wrong", ["", "/", "nowhere/", b"bytes", None, 3])
def test_names_that_are_none(tmp_path, monkeypatch, wrong):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((OSError, TypeError), match="path"):
        write_file(wrong, {}, {"V": V})
    assert not names(tmp_path)


@POSIX
@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(tmp_path):
    write_file(tmp_path / "file", {}, {"V": V})
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(PermissionError):
            write_file(tmp_path / "file", {}, {"V": 2 * V})
    finally:
        tmp_path.chmod(0o700)
    np.testing.assert_array_equal(read_file(tmp_path / "file")[1]["V"], V)


# --- processes that die ---------------------------------------------------------------------------

SAVE_FOR_EVER = """
import sys, numpy as np
from sparsefm.io.file import write_file
number = 0
while True:
    number += 1
    write_file(sys.argv[1], {"number": number}, {"V": np.full(3_000_000, float(number))})
"""

SAVE_SLOWLY = """
import sys, time
from sparsefm.io.replacing import replacing
with replacing(sys.argv[1]) as file:
    file.write(b"half")
    print("begun", flush=True)
    time.sleep(60)
"""


def killed_while_saving(path, seconds):
    """Run a process that saves again and again; kill it."""
    with subprocess.Popen([sys.executable, "-c", SAVE_FOR_EVER, str(path)]) as process:
        before = path.stat() if path.exists() else None
        while not path.exists() or (before and os.path.samestat(path.stat(), before)):
            time.sleep(0.01)
        time.sleep(seconds)
        process.kill()


@POSIX
def test_what_killed_processes_leave_is_removed(tmp_path):
    for number in range(6):
        killed_while_saving(tmp_path / "file", 0.005 * number)
        header, arrays = read_file(tmp_path / "file")  # whole, each time
        assert (arrays["V"] == header["number"]).all()
        write_file(tmp_path / "other", {}, {"V": V})
        assert names(tmp_path) == ["file", "other"]
        (tmp_path / "other").unlink()


@POSIX
def test_what_a_killed_process_began_is_removed(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", SAVE_SLOWLY, str(tmp_path / "file")], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"begun\n"
        process.kill()
    assert len(names(tmp_path)) == 1
    write_file(tmp_path / "other", {}, {"V": V})
    assert names(tmp_path) == ["other"]


@POSIX
def test_what_others_are_writing_stays(tmp_path):
    (tmp_path / ".mine.tmp").touch()
    abandoned = tmp_path / f".sparsefm-{'0' * 32}.tmp"
    abandoned.touch()
    with replacing(tmp_path / "a") as file:
        file.write(b"one")
        assert not abandoned.exists()
        write_file(tmp_path / "b", {}, {"V": V})
    assert (tmp_path / "a").read_bytes() == b"one"
    assert names(tmp_path) == [".mine.tmp", "a", "b"]


@POSIX
def test_a_file_that_is_removed_before_it_is_locked(tmp_path, monkeypatch):
    import fcntl

    flock, calls = fcntl.flock, []

    def late(descriptor, how):
        if not calls:
            for path in tmp_path.iterdir():
                path.unlink()
        calls.append(how)
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    descriptors = open_files()
    write_file(tmp_path / "file", {}, {"V": V})
    assert len(calls) == 2
    assert names(tmp_path) == ["file"]
    assert open_files() == descriptors


@POSIX
def test_ctrl_c_before_the_descriptor_has_a_name(tmp_path, monkeypatch):
    import sparsefm.io.replacing as module

    monkeypatch.setattr(module, "open", interrupted(open), raising=False)
    with pytest.warns(ResourceWarning), pytest.raises(KeyboardInterrupt):
        write_file(tmp_path / "file", {}, {"V": V})
    assert not names(tmp_path)


@POSIX
def test_ctrl_c_after_the_file_is_locked(tmp_path, monkeypatch):
    import fcntl

    monkeypatch.setattr(fcntl, "flock", interrupted(fcntl.flock))
    descriptors = open_files()
    with pytest.raises(KeyboardInterrupt):
        write_file(tmp_path / "file", {}, {"V": V})
    assert not names(tmp_path)
    assert open_files() == descriptors


def interrupted(call):
    """Return a function that does its work, whereupon Ctrl-C is pressed."""

    def calling(*args, **options):
        call(*args, **options)
        raise KeyboardInterrupt

    return calling


@POSIX
def test_a_private_file_stays_private_while_it_is_written(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "file").chmod(0o600)
    with replacing(tmp_path / "file") as file:
        assert os.fstat(file.fileno()).st_mode & 0o777 == 0o600
        file.write(b"secret")
