"""The features of tables that have only some of the columns."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sparsefm import _core
from sparsefm.data.validation import check_dtype
from sparsefm.encoding.assembly import assemble, encode
from sparsefm.encoding.columns import n_outputs
from sparsefm.encoding.encoder import TableEncoder
from sparsefm.encoding.reading import read
from sparsefm.encoding.settings import separators_of


def encode_columns(encoder: TableEncoder, X: Any, owner: Any) -> _core.Csr:
    """Return the features of the columns that a table has, in a matrix of all features.

    Parameters
    ----------
    encoder : TableEncoder
        Fitted on a table.
    X : table
        Its columns are some of the encoder's, in any order.
    owner : estimator
        Whom error messages name.

    Raises
    ------
    ValueError
        If it has lists without the column of their weights, or the other way around.
    """
    data = read(X, owner, reset=True)
    known, encodings = encoder._column_names, encoder._encodings
    assert encodings is not None
    positions = [known.index(name) for name in data.column_names]
    place = {position: own for own, position in enumerate(positions)}
    for lists, weights in encoder._weights.items():
        if (lists in place) != (weights in place):
            first, second = known[lists], known[weights]
            raise ValueError(
                f"column {second!r} has the weights of the lists in column {first!r}: a table "
                "needs both or neither"
            )
    field_of = {position: field for field, position in enumerate(encoder._field_positions)}
    fields = [field_of[position] for position in positions if position in field_of]
    own = [encodings[field] for field in fields]
    held = encoder._held
    data = replace(
        data,
        weights={
            place[lists]: place[weights]
            for lists, weights in encoder._weights.items()
            if lists in place
        },
        separators={
            place[position]: text
            for position, text in separators_of(encoder).items()
            if position in place
        },
        held=[held[field] if field < len(held) else None for field in fields],
    )
    dtype = check_dtype(encoder.dtype)
    encoded = encode(data, own, dtype, strict=encoder.unknown == "error")
    lengths = [encoding.n_entries for encoding in own]
    return assemble(encoded, (data.shape[0], n_outputs(encodings)), lengths, dtype)
