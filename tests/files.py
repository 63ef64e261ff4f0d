"""Files made by hand, byte by byte, so that they can lie."""

import json
import struct
import tracemalloc

import numpy as np

from sparsefm.errors import FileFormatError

W, V = np.arange(4, dtype=np.float32), np.arange(8, dtype=np.float32).reshape(4, 2)
HEADER = {"format_version": 1, "sparsefm": "0.1.0", "kind": "model", "task": "regression"}
HEADER |= {"loss": "squared", "history": []}
TENSORS = {"w0": ("F64", [], 8), "w": ("F32", [4], 16), "V": ("F32", [4, 2], 32)}
DATA = struct.pack("<d", 0.5) + W.tobytes() + V.tobytes()
DAMAGED = "is not a safetensors file, or a damaged one"
# Objects that Python makes of JSON, of strings and in raising, besides arrays.
OVERHEAD, PER_BYTE = 400_000, 4


def container(header=HEADER, tensors=TENSORS, data=DATA, offsets=None, length=None, more=None):
    """Return the bytes of a file; `header` may be text, `offsets` and `length` may lie.

    `more` is what else the metadata hold.
    """
    text = header if type(header) is str else json.dumps(header)
    entries, begin = {"__metadata__": {"sparsefm": text, **(more or {})}}, 0
    for name, (kind, shape, size) in tensors.items():
        place = (offsets or {}).get(name, [begin, begin + size])
        entries[name] = {"dtype": kind, "shape": shape, "data_offsets": place}
        begin += size
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def with_entries(**entries):
    """Return a file whose header has these entries."""
    return container({**HEADER, **entries})


def with_tensor(name, *description, data=DATA):
    """Return a file with another array, or with one of its arrays described like this."""
    return container(tensors={**TENSORS, name: description}, data=data)


def within_memory(read, path, data):
    """Call `read` on a file of these bytes; return its result, or the message of its refusal."""
    path.write_bytes(data)
    tracemalloc.start()
    try:
        return read(path)
    except FileFormatError as error:
        return str(error)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < OVERHEAD + PER_BYTE * len(data)
