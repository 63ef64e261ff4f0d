"""A fitted `TableEncoder` as the content of a file, and back; what is read is not trusted."""

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.data.csr import MAX_FEATURES
from sparsefm.encoding.categories import Categories, Hashed
from sparsefm.encoding.columns import TIMES, UNKNOWN, Encoding, Values
from sparsefm.encoding.dates import CATEGORIES, PARTS, WEEKDAYS, Calendar, Cycle, Part
from sparsefm.encoding.encoder import TableEncoder
from sparsefm.encoding.fields import fields_of_columns
from sparsefm.encoding.following import Seen
from sparsefm.encoding.intervals import Bins, Spline
from sparsefm.encoding.multi import COMBINERS, Multi
from sparsefm.encoding.names import Names
from sparsefm.encoding.numeric import ENOUGH_ROWS, Logarithm, Number
from sparsefm.encoding.scales import Scales
from sparsefm.encoding.settings import check_settings
from sparsefm.encoding.statistics import LARGEST_EXPONENT
from sparsefm.encoding.tables import Value
from sparsefm.encoding.vocabulary import Vocabulary
from sparsefm.errors import FileFormatError
from sparsefm.io.container import Arrays
from sparsefm.io.reader import Reader, add_prefix
from sparsefm.io.strings import read_strings, strings_to_arrays
from sparsefm.io.values import parameters_from_json, shown, to_json

KINDS = {Number: "number", Logarithm: "log", Bins: "bins", Spline: "spline", Hashed: "hashed"}
HELD = {"numbers", "text", "truth values", "lists", *TIMES}  # what columns may hold
NUMBERS = {bool: "bool", int: "int64", float: "float64"}  # of categories that are not text


def encoder_to_content(encoder: TableEncoder) -> tuple[dict[str, Any], Arrays]:
    """Return the parameters and all that is fitted: a header of JSON values, and arrays."""
    parameters = encoder.get_params() | {"dtype": np.dtype(encoder.dtype).name}
    for name in ("dates", "hashed", "list_weights", "multi", "numeric"):
        if isinstance(parameters[name], Mapping):
            parameters[name] = dict(parameters[name])
    if parameters["categorical"] is not None:
        parameters["categorical"] = list(parameters["categorical"])
    if parameters["fields"] is not None:
        parameters["fields"] = np.asarray(parameters["fields"])
    names = encoder._names
    header: dict[str, Any] = {
        "settings": {name: to_json(value) for name, value in parameters.items()},
        "names": None if names is None else names.texts,
        "text_names": names is not None and names.are_text,
        "columns": None,
        "weights": [list(pair) for pair in encoder._weights.items()],
        "held": list(encoder._held),
    }
    if encoder._encodings is None:
        return header, {"scales": encoder._scales.values}
    header["columns"] = []
    arrays: Arrays = {}
    for position, encoding in enumerate(encoder._encodings):
        column, stored = _encoding_to_content(encoding)
        header["columns"].append(column)
        arrays |= add_prefix(f"{position}.", stored)
    return header, arrays


def read_encoder(reader: Reader) -> TableEncoder:
    """Return the encoder of `encoder_to_content`.

    Raises
    ------
    FileFormatError
        If the content is damaged.
    """
    encoder = TableEncoder(**_read_parameters(reader))
    try:
        check_settings(encoder)
    except (TypeError, ValueError) as error:
        raise FileFormatError(f"has an encoder whose {error}") from None
    if reader.has_entry("columns"):
        columns = enumerate(reader.entry("columns", list))
        encoder._encodings = [_read_encoding(reader.part(str(j), header)) for j, header in columns]
        encoder._scales = Scales(np.empty(0))
        encoder._weights = _read_weights(reader, len(encoder._encodings))
        encoder._held = _read_held(reader, len(encoder._encodings))
        encoder.n_features_in_ = len(encoder._encodings) + len(encoder._weights)
        encoder.n_features_out_ = _count_features(encoder._encodings)
    else:
        encoder._encodings = None
        scales = reader.numbers("scales", (None,), ("float64",))
        if (scales < 0).any():
            raise FileFormatError("has an encoder with a negative scale")
        encoder._scales = Scales(scales)
        encoder._fields = _read_fields(encoder.fields, len(scales))
        encoder.n_features_in_ = encoder.n_features_out_ = len(scales)
    if reader.has_entry("names"):
        names = reader.entry("names", list)
        if len(names) != encoder.n_features_in_ or any(type(name) is not str for name in names):
            raise FileFormatError("has names that are not one for each column of its encoder")
        encoder._names = Names(
            names, not reader.has_entry("text_names") or reader.entry("text_names", bool)
        )
        if encoder._names.are_text:
            encoder.feature_names_in_ = encoder._names.as_array()
    return encoder


def _read_weights(reader: Reader, n_fields: int) -> dict[int, int]:
    """Return the columns of lists with those of their weights; older files have none."""
    pairs = reader.entry("weights", list) if reader.has_entry("weights") else []
    if not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        raise FileFormatError(f"has an encoder with damaged weights of lists: {shown(pairs)}")
    columns = range(n_fields + len(pairs))
    positions = [position for pair in pairs for position in pair]
    if any(type(one) is not int or one not in columns for one in positions) or (
        len(set(positions)) < len(positions)
    ):
        raise FileFormatError(f"has an encoder with damaged weights of lists: {shown(pairs)}")
    return dict(pairs)


def _read_held(reader: Reader, n_fields: int) -> list[str | None]:
    """Return what each column held; of older files it is not known."""
    held = reader.entry("held", list) if reader.has_entry("held") else []
    if len(held) not in (0, n_fields) or any(
        one is not None and (type(one) is not str or one not in HELD) for one in held
    ):
        raise FileFormatError(f"has an encoder with damaged kinds of columns: {shown(held)}")
    return held


def _read_fields(fields: Any, n_columns: int) -> npt.NDArray[np.intp] | None:
    try:
        return fields_of_columns(fields, n_columns)
    except (TypeError, ValueError) as error:
        raise FileFormatError(f"has an encoder whose {error}") from None


def _read_parameters(reader: Reader) -> dict[str, Any]:
    parameters = parameters_from_json(reader.entry("settings", dict), TableEncoder)
    if isinstance(parameters.get("hashed"), list):  # of format 1
        try:
            parameters["hashed"] = dict(parameters["hashed"])
        except (TypeError, ValueError) as error:
            raise FileFormatError(f"has a damaged parameter 'hashed' ({error})") from None
    return parameters


def _encoding_to_content(encoding: Encoding) -> tuple[dict[str, Any], Arrays]:
    if isinstance(encoding, Categories):
        kind, arrays = _categories_to_arrays(encoding.values)
        return {"kind": kind, "missing": encoding.missing}, arrays | {"columns": encoding.columns}
    if isinstance(encoding, Multi):
        single, arrays = _encoding_to_content(encoding.single)
        stored: dict[str, Any] = {"combiner": encoding.combiner, "separator": encoding.separator}
        if encoding.has_weights:
            stored["has_weights"] = True
        return {"kind": "multi", "single": single, **stored}, add_prefix("single.", arrays)
    if isinstance(encoding, Calendar):
        return _calendar_to_content(encoding)
    header = {"kind": KINDS[type(encoding)], **vars(encoding)}
    if seen := header.pop("seen", ()):
        header["seen"] = list(seen)
    followed = header.pop("followed", None)
    arrays = {name: header.pop(name) for name in ("edges", "knots") if name in header}
    if followed is not None:
        header["followed"], stored = followed.to_content()
        arrays |= add_prefix("followed.", stored)
    return header, arrays


def _calendar_to_content(calendar: Calendar) -> tuple[dict[str, Any], Arrays]:
    header: dict[str, Any] = {"kind": "dates", "zone": calendar.zone, "missing": calendar.missing}
    header |= {"parts": list(calendar.parts), "waiting": calendar.waiting}
    arrays: Arrays = {}
    for name, part in calendar.parts.items():
        if isinstance(part, Cycle):
            header[name] = vars(part)
            continue
        header[name], stored = _encoding_to_content(part)
        arrays |= add_prefix(f"{name}.", stored)
    return header, arrays


def _read_encoding(reader: Reader) -> Encoding:
    kind = reader.entry("kind", str)
    if kind == "hashed":
        first = reader.integer("first", 0, MAX_FEATURES)
        return Hashed(first, reader.integer("n_buckets", 1, MAX_FEATURES))
    if kind == "multi":
        return _read_multi(reader)
    missing = reader.integer("missing", UNKNOWN, MAX_FEATURES)
    if kind == "dates":
        return _read_calendar(reader, missing)
    if kind == "number":
        return Number(**_read_number(reader), missing=missing)
    if kind == "log":
        scale = reader.real("scale", above=0.0)
        return Logarithm(**_read_number(reader), missing=missing, scale=scale)
    if kind == "bins":
        edges = _read_ascending(reader, "edges")
        return Bins(reader.integer("first", 0, MAX_FEATURES), edges, missing, _read_rest(reader))
    if kind == "spline":
        knots = _read_ascending(reader, "knots")
        if len(knots) < 2:
            raise FileFormatError("has a spline with less than two knots")
        first = reader.integer("first", 0, MAX_FEATURES)
        return Spline(first, knots, missing, _read_rest(reader))
    values = _read_categories(kind, reader)
    columns = reader.array("columns", (len(values),), ("int32",))
    if len(set(values)) != len(values):
        raise FileFormatError("has a category twice")
    vocabulary = Vocabulary(dict(zip(values, columns.tolist(), strict=True)))
    return Categories(vocabulary, missing)


def _read_multi(reader: Reader) -> Multi:
    """Return the encoding of a column of lists."""
    single = _read_encoding(reader.part("single"))
    combiner = reader.entry("combiner", str)
    separator = reader.entry("separator", str) if reader.has_entry("separator") else None
    if not isinstance(single, Categories | Hashed) or combiner not in COMBINERS or separator == "":
        raise FileFormatError("has an encoder with a damaged column of lists")
    has_weights = reader.has_entry("has_weights") and reader.entry("has_weights", bool)
    return Multi(single, combiner, separator, has_weights)


def _read_calendar(reader: Reader, missing: int) -> Calendar:
    """Return the encoding of a column of dates."""
    names, waiting = reader.entry("parts", list), reader.entry("waiting", dict)
    values = (value for value in waiting.values() if value is not None)
    if (
        names != [part for part in PARTS if part in names]
        or not waiting.keys() <= {*CATEGORIES} - {*names}
        or any(type(value) is not int or abs(value) > 2**53 for value in values)
    ):
        raise FileFormatError("has an encoder with a damaged column of dates")
    parts: dict[str, Part] = {}
    for name in names:
        part = reader.part(name)
        if name == "dayofyear":
            sine, cosine = (part.integer(key, 0, MAX_FEATURES) for key in ("sine", "cosine"))
            parts[name] = Cycle(sine, cosine)
            continue
        found = _read_encoding(part)
        if not isinstance(found, Number if name == "linear" else Categories):
            raise FileFormatError(f"has an encoder with a damaged {name} of a column of dates")
        assert isinstance(found, Number | Categories)
        if isinstance(found, Categories) and not _are_values(found, name):
            raise FileFormatError(f"has an encoder with a damaged {name} of a column of dates")
        parts[name] = found
    zone = reader.entry("zone", str) if reader.has_entry("zone") else None
    return Calendar(parts, waiting, zone, missing)


def _are_values(found: Categories, part: str) -> bool:
    """Return whether categories are whole numbers, which for weekdays have names."""
    low, high = (0, len(WEEKDAYS) - 1) if part == "weekday" else (-(2**53), 2**53)
    return all(type(value) is int and low <= value <= high for value in found.values)


def _read_number(reader: Reader) -> dict[str, Any]:
    """Return what standardises a number."""
    low = reader.real("low")
    return {
        "column": reader.integer("column", 0, MAX_FEATURES),
        "exponent": reader.integer("exponent", -LARGEST_EXPONENT, LARGEST_EXPONENT),
        "mean": reader.real("mean"),
        "std": reader.real("std", least=0.0),
        "low": low,
        "high": reader.real("high", least=low),
        "seen": _read_seen(reader),
        "followed": Seen.read(reader.part("followed")) if reader.has_entry("followed") else None,
    }


def _read_rest(reader: Reader) -> int:
    """Return where the second of several output columns is; in older files beside the first."""
    return reader.integer("rest", UNKNOWN, MAX_FEATURES) if reader.has_entry("rest") else UNKNOWN


def _read_seen(reader: Reader) -> tuple[float, ...]:
    """Return the first values of a column that waits for others; older files have none."""
    seen = reader.entry("seen", list) if reader.has_entry("seen") else []
    if not all(isinstance(value, float) and math.isfinite(value) for value in seen):
        raise FileFormatError("has an encoder with damaged first values of a column")
    return tuple(seen[:ENOUGH_ROWS])


def _read_ascending(reader: Reader, name: str) -> Values:
    values = reader.numbers(name, (None,), ("float64",))
    if (values[:-1] >= values[1:]).any():
        raise FileFormatError(f"has {name} that do not ascend")
    return values


def _categories_to_arrays(values: list[Value]) -> tuple[str, Arrays]:
    """Return the kind of some categories, and arrays that hold them."""
    kinds = set(map(type, values))
    if kinds <= {str}:
        return "text", strings_to_arrays(map(str, values), "values")
    if kinds == {int, float} or (kinds == {int} and max(map(int, values)) >= 2**63):
        return "numbers", strings_to_arrays(map(repr, values), "values")
    (kind,) = kinds
    return kind.__name__, {"values": np.array(values, NUMBERS[kind])}


def _read_categories(kind: str, reader: Reader) -> list[Value]:
    if kind == "text":
        return list(read_strings(reader, "values"))
    if kind == "numbers":
        return list(map(_read_number_text, read_strings(reader, "values")))
    for number, dtype in NUMBERS.items():
        if kind == number.__name__:
            return list(reader.numbers("values", (None,), (dtype,)).tolist())
    raise FileFormatError(f"has an encoder with a column of the unknown kind {shown(kind)}")


def _read_number_text(text: str) -> int | float:
    """Return the number that was written as text, because NumPy has no type for all of them."""
    try:
        number = json.loads(text) if len(text) < 40 else None
    except ValueError:
        number = None
    if type(number) is int and -(2**63) <= number < 2**64:
        return number
    if type(number) is float and math.isfinite(number):
        return number
    raise FileFormatError(f"has a category that is no number: {text!r:.40}")


def _count_features(encodings: list[Encoding]) -> int:
    """Return how many features the columns have, which must be side by side."""
    parts = [np.empty((0, 2), np.int64), *(encoding.spans() for encoding in encodings)]
    spans = np.concatenate(parts)
    spans = spans[np.argsort(spans[:, 0], kind="stable")]
    ends = np.append(0, spans[:, 1])
    if (spans[:, 0] != ends[:-1]).any() or (spans[:, 0] >= spans[:, 1]).any():
        raise FileFormatError("has an encoder whose features overlap or leave gaps")
    if ends[-1] > MAX_FEATURES:
        raise FileFormatError(f"has an encoder with {ends[-1]} features")
    return int(ends[-1])
