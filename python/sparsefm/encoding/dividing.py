"""Text that holds several values in a row, divided into lists."""

from collections import defaultdict
from collections.abc import Callable
from itertools import chain
from typing import Any

import numpy as np

from sparsefm.encoding.columns import all_missing, text
from sparsefm.encoding.tables import Column, Labels, Lists, Value

ROWS_AT_ONCE = 1 << 12  # bounds temporary objects: texts may be large, and all different


class Divider:
    """Divides the texts of some rows after the other; what is blank in them is left out.

    Parameters
    ----------
    separator : str
    """

    def __init__(self, separator: str) -> None:
        self._separator = separator
        self._code_of: defaultdict[str, int] = defaultdict()
        self._code_of.default_factory = self._code_of.__len__  # numbers what is new
        self._present, self._lengths = [np.empty(0, bool)], [np.empty(0, np.int64)]
        self._codes = [np.empty(0, np.int32)]

    def append(self, labels: Labels) -> None:
        """Divide the texts of the next rows, each distinct one once."""
        parts = [text(value).split(self._separator) for value in labels.values]
        lengths = np.fromiter(map(len, parts), np.int64, len(parts))
        found = map(self._code_of.__getitem__, chain.from_iterable(parts))
        items = Labels(np.fromiter(found, np.int32, int(lengths.sum())), [])
        present = labels.codes >= 0
        distinct = Lists(np.append(0, np.cumsum(lengths)), items)
        lists = distinct.take(labels.codes[present])
        self._present.append(present)
        self._lengths.append(np.diff(lists.indptr))
        self._codes.append(lists.items.codes.astype(np.int32, copy=False))

    def finished(self) -> Lists:
        """Return the lists of all rows."""
        values: dict[Value, int] = {"": -1}
        for part in map(str.strip, self._code_of):
            values.setdefault(part, len(values) - 1)
        stripped = [values[part.strip()] for part in self._code_of] or [-1]
        codes = np.concatenate(self._codes)
        self._codes.clear()
        np.take(np.array(stripped, np.int32), codes, out=codes, mode="clip")
        items = Labels(codes, list(values)[1:])
        return Lists.of(np.concatenate(self._present), np.concatenate(self._lengths), items)


def read_divided(read: Callable[[int, int], Column], n_rows: int, separator: str) -> Lists | None:
    """Return a column of text as lists, or None if it is none.

    Parameters
    ----------
    read : callable
        Reads rows from one on, before another. Their text is given back before the next are read.
    n_rows : int
    separator : str
    """
    divider, has_text = Divider(separator), False
    for begin in range(0, n_rows, ROWS_AT_ONCE):
        try:
            column: Any = read(begin, min(begin + ROWS_AT_ONCE, n_rows))
        except (TypeError, ValueError):  # which reading all of it raises with the right row
            return None
        if isinstance(column, Labels) and all(isinstance(one, str) for one in column.values):
            has_text = has_text or len(column.values) > 0
            divider.append(column)
        elif not isinstance(column, Lists) and all_missing(column):
            divider.append(Labels(np.full(column.n_rows, -1), []))
        else:
            return None
    return divider.finished() if has_text else None
