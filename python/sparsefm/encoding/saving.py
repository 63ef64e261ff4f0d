"""Encodings as plain data, to be stored without pickle: a JSON-able header and arrays.

What is read back is not trusted: whatever is not as it was written is a ValueError, and nothing is
allocated that the arrays at hand do not account for.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from sparsefm.data.csr import MAX_FEATURES
from sparsefm.encoding.columns import UNKNOWN, Bins, Categories, Encoding, Hashed, Number
from sparsefm.encoding.scales import Scales
from sparsefm.encoding.tables import Value
from sparsefm.encoding.vocabulary import Vocabulary

FORMAT = 1
Arrays = dict[str, npt.NDArray[Any]]

LARGEST_EXPONENT = 1100  # beyond those of float64


def to_state(encoder: Any) -> tuple[dict[str, Any], Arrays]:
    """Return settings and all that is fitted of a `TableEncoder`."""
    settings = encoder.get_params() | {"dtype": np.dtype(encoder.dtype).name}
    settings["n_bins"] = int(encoder.n_bins)
    if encoder.hashed is not None:
        pairs = (
            (key if isinstance(key, str) else int(key), int(n)) for key, n in encoder.hashed.items()
        )
        settings["hashed"] = list(map(list, pairs))
    names = getattr(encoder, "feature_names_in_", None)
    header = {
        "format": FORMAT,
        "settings": settings,
        "names": None if names is None else list(map(str, names)),
        "columns": None,
    }
    if encoder._encodings is None:
        return header, {"scales": encoder._scales.values}
    header["columns"], arrays = _store_encodings(encoder._encodings)
    return header, arrays


def from_state(header: Any, arrays: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what `to_state` was given: settings, still to be checked, and fitted attributes."""
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        damaged(f"its format is not {FORMAT}, the one that this version reads")
    settings = header.get("settings")
    if not isinstance(settings, dict):
        damaged("it has no settings")
    if settings.get("hashed") is not None:
        settings = settings | {"hashed": _read_hashed(settings["hashed"])}

    encodings, scales = None, np.empty(0)
    if header.get("columns") is None:
        scales = Part(arrays).take("scales", np.float64)
        if (scales < 0).any():
            damaged("a scale is negative")
        n_features_in = n_features_out = len(scales)
    else:
        encodings, n_features_out = _load_encodings(header["columns"], arrays)
        n_features_in = len(encodings)
    fitted: dict[str, Any] = {
        "_encodings": encodings,
        "_scales": Scales(scales),
        "n_features_in_": n_features_in,
        "n_features_out_": n_features_out,
    }
    names = header.get("names")
    if names is not None:
        is_text = isinstance(names, list) and all(isinstance(name, str) for name in names)
        if not is_text or len(names) != n_features_in:
            damaged("its column names do not fit it")
        fitted |= {"feature_names_in_": np.array(names, object)}
    return settings, fitted


def _read_hashed(pairs: Any) -> dict[str | int, int]:
    try:
        return {key: count for key, count in pairs}
    except (TypeError, ValueError):
        damaged(f"'hashed' is {pairs!r:.40}")


def _store_encodings(encodings: list[Encoding]) -> tuple[list[dict[str, Any]], Arrays]:
    """Return a header for each encoding, and the arrays of all."""
    headers: list[dict[str, Any]] = []
    arrays: Arrays = {}
    for position, encoding in enumerate(encodings):
        if isinstance(encoding, Categories):
            kind, stored = _store(encoding.values)
            header = {"kind": kind, "missing": encoding.missing}
            stored["columns"] = encoding.columns
        elif isinstance(encoding, Bins):
            header = {"kind": "bins", "first": encoding.first, "missing": encoding.missing}
            stored = {"edges": encoding.edges}
        else:
            header = {"kind": "number" if isinstance(encoding, Number) else "hashed"}
            header |= vars(encoding)
            stored = {}
        headers.append(header)
        arrays |= {f"{position}.{name}": array for name, array in stored.items()}
    return headers, arrays


def _load_encodings(headers: Any, arrays: Mapping[str, Any]) -> tuple[list[Encoding], int]:
    """Return the encodings, and how many output columns they have."""
    if not isinstance(headers, list):
        damaged("its columns are no list")
    encodings = [_read(header, Part(arrays, f"{j}.")) for j, header in enumerate(headers)]
    spans = np.concatenate([np.empty((0, 2), np.int64), *(part.spans() for part in encodings)])
    spans = spans[np.argsort(spans[:, 0], kind="stable")]
    ends = np.append(0, spans[:, 1])
    if (spans[:, 0] != ends[:-1]).any() or (spans[:, 0] >= spans[:, 1]).any():
        damaged("its output columns overlap or leave gaps")
    if ends[-1] > MAX_FEATURES:
        damaged(f"it has {ends[-1]} output columns")
    return encodings, int(ends[-1])


class Part:
    """The arrays whose names begin with a prefix, checked as they are taken."""

    def __init__(self, arrays: Mapping[str, Any], prefix: str = "") -> None:
        self.arrays, self.prefix = arrays, prefix

    def take(self, name: str, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Return a one-dimensional array of this type."""
        name = self.prefix + name
        array = self.arrays.get(name)
        if not isinstance(array, np.ndarray) or array.ndim != 1 or array.dtype != dtype:
            damaged(f"array {name!r} is missing or not a vector of {np.dtype(dtype)}")
        if array.dtype == np.float64 and not np.isfinite(array).all():
            damaged(f"array {name!r} holds {array[~np.isfinite(array)][0]}")
        return array


def damaged(what: str) -> NoReturn:
    """Raise the error of a state that cannot be."""
    raise ValueError(f"damaged encoder: {what}")


def integer(header: Any, key: str, least: int, most: int) -> int:
    """Return an integer of a header, between bounds."""
    value = header.get(key) if isinstance(header, dict) else None
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        damaged(f"{key!r} is {value!r:.40}")
    return value


def _read(header: Any, part: Part) -> Encoding:
    kind = header.get("kind") if isinstance(header, dict) else None
    if kind == "hashed":
        first = integer(header, "first", 0, MAX_FEATURES)
        return Hashed(first, integer(header, "n_buckets", 1, MAX_FEATURES))
    missing = integer(header, "missing", UNKNOWN, MAX_FEATURES)
    if kind == "number":
        mean, std, low, high = (_real(header, key) for key in ("mean", "std", "low", "high"))
        if std < 0 or low > high:
            damaged(f"'std' is {std}, the range from {low} to {high}")
        exponent = integer(header, "exponent", -LARGEST_EXPONENT, LARGEST_EXPONENT)
        column = integer(header, "column", 0, MAX_FEATURES)
        return Number(column, exponent, mean, std, low, high, missing)
    if kind == "bins":
        edges = part.take("edges", np.float64)
        if (edges[:-1] >= edges[1:]).any():
            damaged("edges of bins do not ascend")
        return Bins(integer(header, "first", 0, MAX_FEATURES), edges, missing)
    columns, values = part.take("columns", np.int32), _load(kind, part)
    if len(values) != len(columns) or len(set(values)) != len(values):
        damaged("categories are repeated, or not one for each output column")
    return Categories(Vocabulary(dict(zip(values, columns.tolist(), strict=True))), missing)


def _real(header: dict[str, Any], key: str) -> float:
    value = header.get(key)
    if not isinstance(value, float) or not np.isfinite(value):
        damaged(f"{key!r} is {value!r:.40}")
    return value


def _store(values: list[Value]) -> tuple[str, Arrays]:
    """Return the kind of some categories, and arrays that hold them."""
    kinds = set(map(type, values))
    if kinds <= {str}:
        texts = [str(value).encode("utf-8", "surrogatepass") for value in values]
        offsets = np.cumsum([0, *map(len, texts)], dtype=np.int64)
        content = np.frombuffer(bytearray().join(texts), np.uint8)
        return "text", {"values": content, "offsets": offsets}
    kind = "bool" if kinds == {bool} else "int" if kinds == {int} else "float"
    return kind, {"values": np.array(values, _DTYPES[kind])}


def _load(kind: Any, part: Part) -> list[Value]:
    """Return categories of a kind."""
    if isinstance(kind, str) and kind in _DTYPES:
        return list(part.take("values", _DTYPES[kind]).tolist())
    if kind != "text":
        damaged(f"a column is of kind {kind!r:.40}")
    content, offsets = part.take("values", np.uint8).tobytes(), part.take("offsets", np.int64)
    if offsets[:1].tolist() != [0] or offsets[-1] != len(content) or (np.diff(offsets) < 0).any():
        damaged("offsets of text do not fit it")
    bounds = offsets.tolist()
    try:
        return [
            content[begin:end].decode("utf-8", "surrogatepass") for begin, end in pairwise(bounds)
        ]
    except UnicodeDecodeError as error:
        damaged(f"text is no UTF-8: {error}")


_DTYPES: dict[str, type] = {"bool": np.bool_, "int": np.int64, "float": np.float64}
