"""Which users have seen which items."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from sparsefm.retrieval.frames import Ids, ids_of


class Seen:
    """Pairs of users and items.

    Parameters
    ----------
    frame : narwhals.DataFrame
    user, item : str
        Its columns of identifiers.
    numbers : dict
        The number of each item. Pairs with other items are skipped.
    """

    def __init__(self, frame: Any, user: str, item: str, numbers: dict[Any, int]) -> None:
        users, items = ids_of(frame, user, "seen"), ids_of(frame, item, "seen")
        self._user = user
        found = np.array([numbers.get(one, -1) for one in items], np.int64)
        known = found >= 0
        if len(items) and not known.any():
            raise ValueError(
                f"column {item!r} of seen has none of the items: it has {items[0]!r:.80}, and they "
                f"are such as {next(iter(numbers))!r:.80}"
            )
        self._rows = {one: row for row, one in enumerate(dict.fromkeys(users))}
        rows = np.array([self._rows[one] for one in users], np.int64)
        shape = len(self._rows) + 1, len(numbers)  # the last row is that of all others
        pairs = rows[known], found[known]
        self._pairs = sp.csr_matrix((np.ones(len(pairs[0]), bool), pairs), shape)

    def by(self, users: Ids | None) -> sp.csr_matrix:
        """Return what users have seen, a matrix (n_users, n_items)."""
        if users is None:
            raise ValueError(
                f"contexts need the column {self._user!r} to leave out what users have seen; or "
                "pass exclude_seen=False"
            )
        return self._pairs[[self._rows.get(one, len(self._rows)) for one in users]]
