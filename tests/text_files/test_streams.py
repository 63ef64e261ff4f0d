"""Files in pieces, compressed files, and files that are larger than memory."""

import functools
import gzip
import sys

import numpy as np
import pytest
from text_reference import same

import sparsefm as fm
from sparsefm.files import lines, rows

TEXT = b"# begin\n1 1:2 3:0.5\n\n-1 2:1 # end\r\n\t0\n1 4:1e-3 2 1:7"


def zstd_of(content):
    return pytest.importorskip("zstandard").ZstdCompressor(write_checksum=True).compress(content)


def as_is(content):
    return content


PACKERS = [as_is, gzip.compress, zstd_of]


@pytest.mark.parametrize("pack", PACKERS)
def test_pieces_may_end_anywhere(write, pack, monkeypatch):
    whole = fm.read(write(TEXT))
    path = write(pack(TEXT), "packed")
    for size in range(4, len(TEXT) + 3):
        monkeypatch.setattr(rows, "pieces", functools.partial(lines.pieces, size=size))
        same(fm.read(path), whole)
    for size in (4, 20):
        monkeypatch.setattr(rows, "pieces", functools.partial(lines.pieces, size=size))
        with pytest.raises(fm.FileFormatError, match=r"line 8, column 3: .*'x'"):
            fm.read(write(pack(TEXT + b"\n\n1 x\n"), "bad"))


@pytest.mark.parametrize("pack", PACKERS[1:])
def test_packed_files(write, pack):
    whole = fm.read(write(TEXT))
    same(fm.read(write(pack(TEXT), "packed")), whole)
    twice = fm.read(write(pack(TEXT + b"\n") + pack(TEXT), "twice"))  # one after the other
    np.testing.assert_array_equal(twice.y, [*whole.y, *whole.y])
    packed = pack(TEXT * 100)
    for end in (len(packed) // 2, len(packed) - 1, 6):
        with pytest.raises(fm.FileFormatError, match="damaged"):
            fm.read(write(packed[:end], "short"))
    for place in range(10, len(packed), 3):
        damaged = bytearray(packed)
        damaged[place] ^= 0x55
        with pytest.raises(fm.FileFormatError, match=r"damaged|line"):
            fm.read(write(bytes(damaged), "damaged"))


def test_zstd_needs_its_package(write, monkeypatch):
    path = write(b"\x28\xb5\x2f\xfd....")
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(ImportError, match=r"sparsefm\[zstd\]"):
        fm.read(path)


@pytest.mark.parametrize("pack", PACKERS)
def test_what_does_not_fit_into_memory_is_refused_meanwhile(write, pack, monkeypatch):
    monkeypatch.setattr(rows, "pieces", functools.partial(lines.pieces, size=1 << 14))
    monkeypatch.setattr(rows, "total_memory", lambda: 1 << 20)
    read_bytes = []
    fill = lines._fill
    monkeypatch.setattr(lines, "_fill", lambda *given: read_bytes.append(given[1]) or fill(*given))
    path = write(pack(b"1 1\n" * 500_000), "bomb")
    with pytest.raises(MemoryError, match=r"bomb is too large: .* rows"):
        fm.read(path)
    assert len(read_bytes) < 20  # pieces of 123


@pytest.mark.parametrize("pack", PACKERS)
def test_a_line_without_an_end_is_refused(write, pack, monkeypatch):
    monkeypatch.setattr(rows, "pieces", functools.partial(lines.pieces, size=1 << 10))
    monkeypatch.setattr(lines, "LONGEST", 1 << 16)
    with pytest.raises(fm.FileFormatError, match="bomb has a line of more than 65534 bytes"):
        fm.read(write(pack(bytes(1 << 20)), "bomb"))


def test_the_table_of_fields_must_fit_into_memory(write, monkeypatch):
    monkeypatch.setattr(rows, "total_memory", lambda: 1 << 20)
    with pytest.raises(MemoryError, match="too large"):
        fm.read(write(b"1 1:2147483647:1\n"))
