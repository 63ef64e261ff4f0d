"""Which users have seen which items."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from sparsefm.retrieval.frames import Identifiers, Ids, ids_of, kinds


class Seen:
    """Pairs of users and items.

    Parameters
    ----------
    frame : narwhals.DataFrame
    user : str
        Its column of users. Rows without one are skipped.
    item : str
        Its column of items.
    items : Identifiers
        Those that can be recommended. Pairs with others are skipped.
    """

    def __init__(self, frame: Any, user: str, item: str, items: Identifiers) -> None:
        users = ids_of(frame, user, "seen", may_miss=True)
        found = ids_of(frame, item, "seen", may_miss=True)
        self._user = user
        numbers = np.array([items.row(one) for one in found], np.int64)
        if len(found) and (numbers < 0).all():
            raise ValueError(
                f"column {item!r} of seen has none of the items: it has {found[0]!r:.80}, and they "
                f"are such as {items.ids[0]!r:.80}"
            )
        self._rows = {one: row for row, one in enumerate(dict.fromkeys(users)) if one is not None}
        self._kinds = kinds(list(self._rows))
        rows = np.array([self._rows.get(one, -1) for one in users], np.int64)
        known = (numbers >= 0) & (rows >= 0)
        others = max(self._rows.values(), default=-1) + 1  # the row of all others
        pairs = rows[known], numbers[known]
        ones = np.ones(len(pairs[0]), bool)
        self._pairs = sp.csr_matrix((ones, pairs), (others + 1, len(items)))

    def by(self, users: Ids | None) -> sp.csr_matrix:
        """Return what users have seen, a matrix (n_users, n_items); nothing of one who is None."""
        if users is None:
            raise ValueError(
                f"contexts need the column {self._user!r} to leave out what users have seen; or "
                "pass exclude_seen=False"
            )
        asked = kinds(users)
        if asked and self._kinds and asked.isdisjoint(self._kinds):
            raise TypeError(
                f"contexts have users that are {' and '.join(sorted(asked))}, and seen has "
                f"{' and '.join(sorted(self._kinds))}: give them one type"
            )
        others = self._pairs.shape[0] - 1
        return self._pairs[[self._rows.get(one, others) for one in users]]
