"""Learning the encodings of columns from their distinct values, each with a weight of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from sparsefm.data.csr import as_csr
from sparsefm.encoding.columns import Encoding, kind_so_far
from sparsefm.encoding.encoder import TableEncoder
from sparsefm.encoding.libraries import as_table
from sparsefm.encoding.scales import Scales
from sparsefm.encoding.settings import Settings, check_has_no_fields, refuse_names, weights_of
from sparsefm.encoding.size import check_size
from sparsefm.encoding.statistics import scaled_weights
from sparsefm.encoding.streams import Watch

Weights = npt.NDArray[np.float64]


def fit_counted(
    encoder: TableEncoder, columns: Mapping[str, tuple[Any, Weights]], *, are_named: bool = True
) -> TableEncoder:
    """Fit an encoder on columns whose rows do not belong together, as `fit` does on whole rows.

    Parameters
    ----------
    encoder : TableEncoder
        Fitted in place.
    columns : dict of str to (pyarrow.Array, ndarray)
        The distinct values of each column, and their weights. Lists have one item each. Of hashed
        columns, and of weights of lists, one value is enough.
    are_named : bool
        Whether it is to know the columns by these names.
    """
    import pyarrow as pa

    check_has_no_fields(encoder)
    names = list(columns)
    weighted = {names[lists]: names[own] for lists, own in weights_of(encoder, names).items()}
    heads = {name: _head(values) for name, (values, _) in columns.items()}
    heads |= {own: _ones(heads[name]) for name, own in weighted.items()}
    head = pa.table({name: heads[name] for name in names})
    encoder._follows = False
    data = encoder._read(head, encoder, anew=True)
    if not are_named:
        data = replace(data, names=None)
    encoder._watch = Watch()
    settings = Settings.of(encoder, data.column_names, data.weights)
    encodings: list[Encoding] = []
    held: list[str | None] = []
    end = 0
    for position, (name, (values, weights)) in enumerate(columns.items()):
        if position in data.weights.values():
            continue
        read, of_lists = {name: values}, {}
        if name in weighted:
            read[weighted[name]], of_lists = _ones(values), {0: 1}
        table = as_table(pa.table(read))
        assert table is not None
        own = {0: settings.separators[position]} if position in settings.separators else {}
        column = next(table.columns(list(read), of_lists, own))
        held.append(kind_so_far(None, column))
        scaled = scaled_weights(weights, len(weights)) if len(weights) else None  # empty lists
        encoding = settings.begin(position, column, scaled, end)
        encoding = encoding.grown(column, name, end + encoding.n_outputs)
        end += encoding.n_outputs
        check_size(encoding, 0, name, end)
        encodings.append(encoding)
    encoder._remember(data, (encodings, Scales(np.empty(0)), held), encoder)
    return encoder


def _head(values: Any) -> Any:
    """Return the first value of an array or column of Arrow, or a missing one."""
    import pyarrow as pa

    return values[:1] if len(values) else pa.nulls(1, values.type)


def _ones(lists: Any) -> Any:
    """Return weights of lists of one item."""
    import pyarrow as pa

    missing = np.asarray(lists.is_null())
    ends = np.append(0, np.cumsum(~missing)).astype(np.int32)
    ones = np.ones(int(ends[-1]))
    return pa.ListArray.from_arrays(ends, ones, mask=pa.array(missing))


def fit_counted_matrix(
    encoder: TableEncoder, values: sp.csr_matrix, weights: Weights
) -> TableEncoder:
    """Fit an encoder on the distinct values of each column of a matrix, one in a row.

    Parameters
    ----------
    encoder : TableEncoder
        Fitted in place.
    values : csr_matrix of shape (m, d)
    weights : ndarray of shape (m,)
    """
    refuse_names(encoder)
    encoder._follows = False
    data = encoder._read(values, encoder, anew=True)
    encoder._watch = Watch()
    scaled = scaled_weights(weights, len(weights))
    scales = Scales(np.empty(0)).grown(as_csr(values, np.float64), scaled)
    encoder._remember(data, (None, scales, ()), encoder)
    return encoder
