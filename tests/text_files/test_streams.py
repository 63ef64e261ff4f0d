"""Files in pieces, compressed files, and files that are larger than memory."""

import functools
import gzip
import os
import sys
import threading
import tracemalloc

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
        fm.read(write(pack(b"1" * (1 << 20)), "bomb"))


def test_the_table_of_fields_must_fit_into_memory(write, monkeypatch):
    monkeypatch.setattr(rows, "total_memory", lambda: 1 << 20)
    with pytest.raises(MemoryError, match="too large"):
        fm.read(write(b"1 1:2147483647:1\n"))


@pytest.mark.parametrize("pack", PACKERS)
def test_a_nul_is_found_before_its_line_ends(write, pack, monkeypatch):
    monkeypatch.setattr(rows, "pieces", functools.partial(lines.pieces, size=1 << 10))
    fill, calls = lines._fill, []
    monkeypatch.setattr(lines, "_fill", lambda *given: calls.append(given[1]) or fill(*given))
    with pytest.raises(fm.FileFormatError, match=r"bomb is no text: its byte 4007 is NUL"):
        fm.read(write(pack(b"1 1:1\n" * 500 + b"1 1:" + b"1" * 1002 + bytes(1 << 20)), "bomb"))
    assert len(calls) < 10


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
@pytest.mark.parametrize("pack", PACKERS)
def test_a_pipe_may_give_a_byte_at_a_time(write, pack, tmp_path):
    path, content = tmp_path / "pipe", pack(TEXT)
    os.mkfifo(path)

    def feed():
        with open(path, "wb", buffering=0) as pipe:
            for byte in content:
                pipe.write(bytes([byte]))

    feeder = threading.Thread(target=feed)
    feeder.start()
    found = fm.read(path)
    feeder.join()
    same(found, fm.read(write(TEXT)))


@pytest.mark.parametrize("magic", [0x184D2A50, 0x184D2A5F])
def test_zstd_may_begin_with_a_frame_to_skip(write, magic):
    skipped = magic.to_bytes(4, "little") + (3).to_bytes(4, "little") + b"abc"
    same(fm.read(write(skipped + zstd_of(TEXT), "packed")), fm.read(write(TEXT)))


def test_the_table_of_fields_takes_no_more_than_its_indices(write):
    content = write(b"1 1:5000000:1\n1 1:3:1\n")
    tracemalloc.start()
    fields = fm.read(content).fields
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(np.flatnonzero(fields), [2, 4_999_999])
    assert peak < 1.3 * fields.nbytes + 2 * lines.PIECE
