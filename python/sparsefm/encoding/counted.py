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
from sparsefm.encoding.settings import Settings, check_has_no_fields, refuse_names
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
        The distinct values of each column, and their weights. Lists have one item each.
    are_named : bool
        Whether it is to know the columns by these names.
    """
    import pyarrow as pa

    if encoder.list_weights:
        raise ValueError("list_weights: weights of lists are not supported where rows are divided")
    check_has_no_fields(encoder)
    head = pa.table({name: values[:1] for name, (values, _) in columns.items()})
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
        table = as_table(pa.table({name: values}))
        assert table is not None
        own = {0: settings.separators[position]} if position in settings.separators else {}
        column = next(table.columns([name], {}, own))
        held.append(kind_so_far(None, column))
        scaled = scaled_weights(weights, len(weights))
        encoding = settings.begin(position, column, scaled, end)
        encoding = encoding.grown(column, name, end + encoding.n_outputs)
        end += encoding.n_outputs
        check_size(encoding, 0, name, end)
        encodings.append(encoding)
    encoder._remember(data, (encodings, Scales(np.empty(0)), held), encoder)
    return encoder


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
