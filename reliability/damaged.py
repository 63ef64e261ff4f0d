"""Load damaged files: flipped bits, other bytes, cuts, gaps, and headers that ask for memory."""

import os
import random
import tempfile
from pathlib import Path

import sparsefm as fm
from reliability.problems import KINDS, fitted, matrix
from reliability.report import Budget, Report
from sparsefm.io.file import read_file

MOST_MEMORY = 100 << 20  # beyond the file's size


def originals(folder: Path) -> list[bytes]:
    """Return a file of each kind."""
    path = folder / "original.safetensors"
    files = []
    for kind in KINDS:
        for options in ({}, {"training_rows": True, "optimizer_state": kind != "sampled"}):
            fitted(kind).save(path, **options)
            files.append(path.read_bytes())
    fm.train(matrix(50, 40), range(50), rank=2, epochs=1).save(path)
    return [*files, path.read_bytes()]


def flip(data: bytearray, numbers: random.Random) -> None:
    """Flip one bit."""
    data[numbers.randrange(len(data))] ^= 1 << numbers.randrange(8)


def overwrite(data: bytearray, numbers: random.Random) -> None:
    """Write other bytes somewhere."""
    begin, size = numbers.randrange(len(data)), numbers.choice([1, 2, 4, 8, 64])
    data[begin : begin + size] = numbers.randbytes(min(size, len(data) - begin))


def cut(data: bytearray, numbers: random.Random) -> None:
    """Cut the end off."""
    del data[numbers.randrange(len(data)) :]


def remove(data: bytearray, numbers: random.Random) -> None:
    """Remove some bytes."""
    begin = numbers.randrange(len(data))
    del data[begin : begin + numbers.randint(1, 64)]


def repeat(data: bytearray, numbers: random.Random) -> None:
    """Insert a copy of some bytes."""
    begin, place = numbers.randrange(len(data)), numbers.randrange(len(data) + 1)
    data[place:place] = data[begin : begin + numbers.randint(1, 64)]


def zero(data: bytearray, numbers: random.Random) -> None:
    """Have a hole, as after a crash of the system."""
    begin = numbers.randrange(len(data))
    end = min(begin + numbers.choice([16, 512, 4096]), len(data))
    data[begin:end] = bytes(end - begin)


def change_digit(data: bytearray, numbers: random.Random) -> None:
    """Change a digit of the header: a shape, an offset, a parameter."""
    digits = [place for place in range(8, len(data)) if 48 <= data[place] < 58][:2000]
    data[numbers.choice(digits)] = numbers.randrange(48, 58)


def swell(data: bytearray, numbers: random.Random) -> None:
    """Have a header of up to 16 MiB that asks for as many objects as it can."""
    token = numbers.choice([b"[", b'{"":', b"[],", b"1,", b'"",', b'"a":{},', b"1e9,", b"\\u0000"])
    begin = numbers.choice([b"{", b'{"a":[', b'{"__metadata__":{"sparsefm":"', b"["])
    head = begin + token * (numbers.choice([1 << 12, 1 << 20, 1 << 24]) // len(token))
    data[:] = len(head).to_bytes(8, "little") + head


DAMAGES = [flip] * 8 + [overwrite, cut, remove, repeat, zero, change_digit, change_digit]
SWELL_EVERY = 500


def peak(*, restart: bool = False) -> int:
    """Return the most memory that this process had since the restart, in bytes."""
    if restart:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) << 10


def content(path: Path) -> object:
    """Return all that a file says."""
    header, arrays = read_file(path, verify=False)
    return header, {name: (one.dtype, one.shape, one.tobytes()) for name, one in arrays.items()}


def try_one(path: Path, original: bytes, data: bytes, report: Report) -> None:
    """Load a damaged file."""
    path.write_bytes(data)
    try:
        fm.load(path)
    except fm.FileFormatError as error:
        if os.fspath(path) in str(error):
            report.add("refused")
        else:
            report.find(f"the refusal does not name the file: {error}")
    except Exception as error:
        report.find(f"{type(error).__name__}: {error}")
    else:
        damaged = content(path)
        path.write_bytes(original)
        if damaged == content(path):
            report.add("the same content after all")
        else:
            report.find("loaded in silence, with another content")


def run(budget: Budget, report: Report) -> None:
    """Try a damage after the other."""
    numbers = random.Random(budget.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files, path, most = originals(folder), folder / "damaged.safetensors", 0
        for number in budget:
            original = numbers.choice(files)
            data = bytearray(original)
            damage = swell if number % SWELL_EVERY == 0 else numbers.choice(DAMAGES)
            damage(data, numbers)
            if data == original:
                report.add("not damaged")
                continue
            before = peak(restart=True)
            try_one(path, original, bytes(data), report)
            more = peak() - before - len(data)
            most = max(most, more)
            if more > MOST_MEMORY:
                report.find(f"{damage.__name__}: took {more >> 20} MiB more than the file has")
    report.figures.append(f"at most {most >> 20} MiB more than the file")
