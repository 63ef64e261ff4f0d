"""Learning the encodings of all columns of a table, and what is new to those that are known."""

from sparsefm.encoding.columns import Encoding, Values, kind_so_far, n_outputs
from sparsefm.encoding.reading import Input
from sparsefm.encoding.settings import Settings
from sparsefm.encoding.size import check_size
from sparsefm.encoding.streams import Watch, awakened


def learn(
    data: Input,
    weights: Values | None,
    known: list[Encoding],
    settings: Settings,
    watch: Watch,
    *,
    warns: bool,
) -> tuple[list[Encoding], list[str | None]]:
    """Return the encodings of all columns, with what is new to those that are known.

    The second list has what each column holds, None where all of it is missing.

    Parameters
    ----------
    data : Input
    weights : ndarray of float64, shape (n,), optional
        Of the rows; those of weight zero do not count.
    known : list of Encoding
        Of the first columns that are fields.
    settings : Settings
    watch : Watch
    warns : bool
        Whether to warn of new columns that look like identifiers.
    """
    counted = None
    if weights is not None and not weights.all():
        counted = weights > 0
        weights = weights[counted]
    end = n_outputs(known)
    encodings: list[Encoding] = []
    held: list[str | None] = []
    for position, column in zip(data.field_positions, data.columns(), strict=True):
        name, field = settings.names[position], len(encodings)
        if counted is not None:
            column = column.take(counted)
        before_now = data.held[field] if field < len(data.held) else None
        held.append(kind_so_far(before_now, column))
        if field < len(known):
            encoding, before = known[field], known[field].n_outputs
            encoding = awakened(encoding, position, column, weights, end, settings)
            watch.check_column(encoding, column, name)
        else:
            encoding, before = settings.begin(position, column, weights, end), 0
            if warns and not settings.is_named(position):
                watch.check_identifier(column, name)
        encoding = encoding.grown(column, name, end + encoding.n_outputs - before)
        end += encoding.n_outputs - before
        check_size(encoding, before, name, end)
        encodings.append(encoding)
    return encodings, held
