"""Columns of PyArrow, read by its own methods, as in `libraries`."""

from typing import Any

import numpy as np

from sparsefm.encoding import objects
from sparsefm.encoding.objects import distinct, list_parts, no_lists, no_weights, read_weights
from sparsefm.encoding.table import Parts
from sparsefm.encoding.tables import (
    Column,
    Labels,
    Numbers,
    as_column,
    as_finite,
    as_items,
    multi_valued,
    nested,
    temporal,
    unsupported,
)
from sparsefm.encoding.times import as_seconds, read_dates, read_durations, zone_name


def read_arrow(column: Any, name: str) -> Column:
    """Return a column, a chunked array."""
    import pyarrow as pa

    kind, is_a = column.type, pa.types
    if is_a.is_run_end_encoded(kind):
        return read_arrow(_decoded(column), name)
    value_kind = kind.value_type if is_a.is_dictionary(kind) else kind
    if is_a.is_map(kind) or any(is_list(kind) for is_list in _arrow_lists()):
        return arrow_parts(column, name).joined()
    is_text = str(value_kind) in ("string", "large_string", "string_view")
    is_number = is_a.is_integer(value_kind) or is_a.is_floating(value_kind)
    is_decimal, is_flag = is_a.is_decimal(value_kind), is_a.is_boolean(value_kind)
    if is_a.is_null(kind):
        return Numbers(np.full(len(column), np.nan))
    if is_a.is_null(value_kind):
        return Labels(np.full(len(column), -1), [])
    if is_a.is_temporal(kind):
        return _read_arrow_times(column, name)
    if is_a.is_struct(value_kind):
        raise nested(name, kind)
    if is_a.is_nested(value_kind) and not is_a.is_union(value_kind):
        raise multi_valued(name, kind)
    if is_a.is_temporal(value_kind) and "interval" not in str(value_kind):
        is_text = True  # categories stay categories
    if not (is_text or is_number or is_decimal or is_flag):
        raise unsupported(name, kind)
    if value_kind is kind and (is_number or is_decimal):
        numbers = (column.cast(pa.float64()) if is_decimal else column).to_numpy()
        integers = (lambda: column.fill_null(0).to_numpy()) if is_a.is_integer(kind) else None
        return as_finite(numbers, name, integers)
    if value_kind is kind and is_flag:
        return Labels(column.cast(pa.int8()).fill_null(-1).to_numpy(), [False, True])
    if len(column) <= objects.FEW_ROWS:
        return as_column(*distinct(column.to_pylist()), name, is_categorical=True)
    if value_kind is not kind:
        known = [chunk.dictionary for chunk in column.chunks]
        if sum(map(len, known)) > len(column) or any(values.null_count for values in known):
            column = column.cast(value_kind).dictionary_encode()
    else:
        column = column.dictionary_encode()
    encoded = column.unify_dictionaries().combine_chunks()
    codes = encoded.indices.cast(pa.int64()).fill_null(-1).to_numpy()
    return as_column(codes, encoded.dictionary.to_pylist(), name, is_categorical=True)


def _decoded(column: Any) -> Any:
    """Return a column that is encoded in runs without these."""
    import pyarrow as pa
    import pyarrow.compute as pc

    chunks = [pc.run_end_decode(chunk) for chunk in column.chunks]
    return pa.chunked_array(chunks, column.type.value_type)


def _read_arrow_times(column: Any, name: str) -> Column:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_duration(kind):
        return read_durations(column.to_numpy(), name)
    if pa.types.is_time(kind):
        ticks = column.cast(pa.time64("ns")).cast(pa.int64())
        return as_seconds(
            ticks.cast(pa.float64(), safe=False).to_numpy() / 1e9, name, "times of day"
        )
    if not (pa.types.is_date(kind) or pa.types.is_timestamp(kind)):
        raise temporal(name, kind)
    if pa.types.is_date(kind) or kind.tz is None:
        return read_dates(column.to_numpy(), name)
    try:
        clock = pc.local_timestamp(column).to_numpy()
    except pa.ArrowInvalid as error:
        raise ValueError(f"column {name!r} has a time zone that is not known: {error}") from None
    return read_dates(clock, name, zone_name(kind.tz), column.to_numpy())


def _arrow_lists() -> list[Any]:
    import pyarrow.types as is_a

    return [is_a.is_list, is_a.is_large_list, is_a.is_fixed_size_list]


def arrow_parts(column: Any, name: str) -> Parts:
    """Return the parts of a column of lists or maps."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_null(column.type):
        return list_parts(column.to_pylist(), name)
    if not (pa.types.is_map(column.type) or any(one(column.type) for one in _arrow_lists())):
        raise no_lists(name, column.type)
    if pa.types.is_list(column.type) and str(column.type.value_type) == "string_view":
        # Arrow cannot drop the missing ones of these.
        column = column.cast(pa.list_(pa.string()))
    present = column.is_valid().to_numpy()
    kind, weights = column.type, None
    try:
        column = column.drop_null()
    except pa.ArrowNotImplementedError:
        raise unsupported(name, kind) from None
    is_map = pa.types.is_map(kind)
    value_kind = kind.key_type if is_map else kind.value_type
    is_pair = pa.types.is_struct(value_kind) and value_kind.num_fields == 2
    if is_pair:
        value_kind, weight_kind = value_kind[0].type, value_kind[1].type
    if pa.types.is_nested(value_kind):
        raise multi_valued(name, kind)
    if pa.types.is_temporal(value_kind):
        raise temporal(name, kind)
    if (is_map and pa.types.is_nested(kind.item_type)) or (
        is_pair and not (pa.types.is_primitive(weight_kind) or pa.types.is_decimal(weight_kind))
    ):
        raise no_weights(name, kind)
    if is_map:
        parts = [(chunk, chunk.offsets.to_numpy()) for chunk in column.chunks]
        inside = [slice(offsets[0], offsets[-1]) for _, offsets in parts]
        chunks = [chunk.keys[part] for (chunk, _), part in zip(parts, inside, strict=True)]
        flat = pa.chunked_array(chunks, value_kind)
        lengths = np.concatenate([np.empty(0, np.int64), *(np.diff(one) for _, one in parts)])
        chunks = [chunk.items[part] for (chunk, _), part in zip(parts, inside, strict=True)]
        found = pa.chunked_array(chunks, kind.item_type)
        weights = read_weights(found.to_pylist(), name)
    else:
        flat, lengths = pc.list_flatten(column), pc.list_value_length(column).to_numpy()
    if is_pair:
        weights = read_weights(pc.struct_field(flat, [1]).to_pylist(), name)
        flat = pc.struct_field(flat, [0])
    if pa.types.is_float16(value_kind):
        flat = flat.cast(pa.float32())
    is_number = pa.types.is_primitive(value_kind) or pa.types.is_decimal(value_kind)
    is_float = pa.types.is_floating(value_kind) or pa.types.is_integer(value_kind)

    def items() -> Labels:
        # Numbers are categories here.
        return as_items(read_arrow(flat.dictionary_encode() if is_number else flat, name), name)

    def values() -> Any:
        return flat.cast(pa.float64()).to_numpy() if is_float else flat.to_pylist()

    return Parts(present, lengths, items, values, weights)
