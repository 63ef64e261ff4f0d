"""Metrics of recommendations: of ranked lists, and of the scores of all items."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.data.csr import as_csr
from sparsefm.data.distinct import distinct_values
from sparsefm.data.validation import as_array, check_flag, check_integer

LONGEST = 2**53  # a list; ranks are less
ENTRIES_AT_ONCE = 1 << 20  # bounds temporary arrays

Array = npt.NDArray[Any]


def ranking_metrics(
    recommended: Any,
    relevant: Any,
    *,
    k: int = 10,
    user: str = "user",
    item: str = "item",
    rank: str | None = "rank",
    n_items: int | None = None,
    by_user: bool = False,
) -> dict[str, Any]:
    """Return how good recommendations are, by what the users really chose.

    Each metric looks at the first `k` items of each user's list, and is averaged over the users of
    `relevant`. A user who has no recommendations scores 0; recommendations for others do not count.

    Parameters
    ----------
    recommended : table or dict of arrays
        A row for each recommendation. Users and items are integers or text.
    relevant : table or dict of arrays
        What the users chose, and the recommender has not seen: rows of a user and an item. Repeated
        rows count once.
    k : int, default 10
        How many places count.
    user, item : str
        The names of the columns in both tables.
    rank : str or None, default "rank"
        The column of `recommended` with each item's place in the list of its user, 1 for the best.
        A place that is left out stays empty. None: the rows of each user are in order.
    n_items : int, optional
        The size of the catalogue, for ``coverage``.
    by_user : bool, default False
        Return the values of each user instead of the means.

    Returns
    -------
    dict
        ``ndcg``, ``recall``, ``precision``, ``map``, ``mrr`` and ``hit_rate``, floats from 0 to 1.
        With `n_items` also ``coverage``, the share of the catalogue that is among the first `k`
        items of anyone. With `by_user` each is an array, in the order of the array ``user``, which
        ascends.

    Raises
    ------
    ValueError
        If a column is missing, nothing is relevant, a list has a rank or an item twice, a value is
        missing, or a rank is no integer from 1 on.
    TypeError
        If a column holds something else than integers or text, or text in one table only.

    Notes
    -----
    With g = 1 for a relevant item and 0 for another one, and n relevant items of a user::

        ndcg = sum of g / log2(rank + 1) over the first k, divided by its largest possible value,
               the sum of 1 / log2(rank + 1) over the ranks 1 to min(k, n)
        map = mean of the average precision: sum of g * precision at that rank, / min(k, n)
        mrr = mean of 1 / rank of the first relevant item, 0 if there is none among the first k
        recall = hits / n;  precision = hits / k;  hit_rate = 1 if there is a hit, else 0

    Examples
    --------
    >>> from sparsefm.evaluation import ranking_metrics
    >>> recommended = {"user": ["ann", "ann", "bob"], "item": [7, 8, 7], "rank": [1, 2, 1]}
    >>> relevant = {"user": ["ann", "bob"], "item": [8, 9]}
    >>> ranking_metrics(recommended, relevant, k=2)["recall"]
    0.5
    """
    k = min(check_integer(k, "k", 1), LONGEST)
    if n_items is not None:
        n_items = check_integer(n_items, "n_items", 1)
    if check_flag(by_user, "by_user") and n_items is not None:
        raise ValueError("n_items is for coverage, which no single user has: leave out by_user")
    lists = _read(recommended, relevant, {"user": user, "item": item}, rank)
    if n_items is not None and len(distinct_values(lists.items)) > n_items:
        raise ValueError(
            f"n_items is {n_items}, but recommended has {len(distinct_values(lists.items))} items: "
            "it is the size of the whole catalogue"
        )
    is_among = lists.ranks <= k
    is_counted = lists.n_relevant > 0
    hits = is_among & lists.are_hits
    values = metrics_of_hits(lists.users[hits], lists.ranks[hits], lists.n_relevant, k)
    values = {name: value[is_counted] for name, value in values.items()}
    if by_user:
        found = [lists.names[place] for place in np.flatnonzero(is_counted)]
        names = np.array(found)
        if names.dtype.kind not in "iu":  # text would lose a NUL at its end
            names = np.array(found, object)
        order = np.argsort(names, kind="stable")
        return {"user": names[order], **{name: value[order] for name, value in values.items()}}
    # Exact sums: the order of the rows does not count, and neither does that of the users.
    means = {name: math.fsum(value) / len(value) for name, value in values.items()}
    if n_items is not None:
        means["coverage"] = len(distinct_values(lists.items[is_among])) / n_items
    return means


@dataclass(frozen=True, eq=False)
class _Lists:
    """Recommendations, in the order of users and ranks.

    Attributes
    ----------
    users, items : ndarray of int, shape (n,)
        Numbers from 0 on.
    ranks : ndarray of int, shape (n,)
    are_hits : ndarray of bool, shape (n,)
        Which are relevant.
    n_relevant : ndarray of int, shape (n_users,)
        How many items are relevant to each user.
    names : list
        What the users are called.
    """

    users: Array
    items: Array
    ranks: Array
    are_hits: Array
    n_relevant: Array
    names: list[Any]


def _read(recommended: Any, relevant: Any, columns: dict[str, str], rank: str | None) -> _Lists:
    """Return the recommendations of the tables; refuse what is wrong with them."""
    from sparsefm.evaluation.identifiers import as_identifiers, as_ranks, joined, read_columns

    ranked = {} if rank is None else {"rank": rank}
    read = read_columns(recommended, "recommended", columns | ranked)
    wanted = read_columns(relevant, "relevant", columns)
    if not wanted[0].n_rows:
        raise ValueError("relevant has no rows: there is nothing that recommendations could hit")
    codes = []
    for place, name in enumerate(columns.values()):
        what = [f"{argument}: column {name!r}" for argument in ("recommended", "relevant")]
        first, second = (
            as_identifiers(c[place], w) for c, w in zip((read, wanted), what, strict=True)
        )
        codes.append(joined(first, second, what))
    (users, wanted_users, user_names), (items, wanted_items, item_names) = codes
    if rank is None:
        order = np.argsort(users, kind="stable")
        sizes = np.bincount(users, minlength=len(user_names))
        ranks = np.arange(1, len(order) + 1) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    else:
        ranks = as_ranks(read[2], f"recommended: column {rank!r}")
        order = np.lexsort((ranks, users))
        ranks = ranks[order]
    users, items = users[order], items[order]

    same = (users[1:] == users[:-1]) & (ranks[1:] == ranks[:-1])
    if same.any():
        place = int(np.argmax(same))
        raise _twice(rank, int(ranks[place]), columns["user"], user_names[users[place]])
    pairs = users * len(item_names) + items  # a number for each pair
    distinct = np.sort(pairs)
    same = distinct[1:] == distinct[:-1]
    if same.any():
        user, item = divmod(int(distinct[np.argmax(same)]), len(item_names))
        raise _twice(columns["item"], item_names[item], columns["user"], user_names[user])

    relevant_pairs = distinct_values(wanted_users * len(item_names) + wanted_items)
    places = np.searchsorted(relevant_pairs[:-1], pairs)
    are_hits = relevant_pairs[places] == pairs
    n_relevant = np.bincount(relevant_pairs // len(item_names), minlength=len(user_names))
    return _Lists(users, items, ranks, are_hits, n_relevant, user_names)


def _twice(column: str | None, value: Any, user_column: str, user: Any) -> ValueError:
    return ValueError(
        f"recommended: column {column!r} holds {value!r:.80} more than once for {user_column} "
        f"{user!r:.80}: a list has each rank and each item once"
    )


def metrics_of_hits(users: Array, ranks: Array, n_relevant: Array, k: int) -> dict[str, Array]:
    """Return the metrics of each user, from the hits among the first `k` places."""
    n_users = len(n_relevant)
    n_hits = np.bincount(users, minlength=n_users)
    # Of each hit, how many hits its user has up to there.
    so_far = np.arange(1, len(users) + 1) - (np.cumsum(n_hits) - n_hits)[users]

    def sums(values: Array) -> Array:
        return np.bincount(users, values, minlength=n_users)

    best = np.minimum(n_relevant, k)
    largest = np.append(0.0, np.cumsum(1 / np.log2(np.arange(2, best.max() + 2))))
    with np.errstate(invalid="ignore"):  # of users to whom nothing is relevant
        return {
            "ndcg": sums(1 / np.log2(ranks + 1)) / largest[best],
            "recall": n_hits / n_relevant,
            "precision": n_hits / k,
            "map": sums(so_far / ranks) / best,
            "mrr": sums((so_far == 1) / ranks),
            "hit_rate": np.where(n_hits > 0, 1.0, 0.0),
        }


def auc_by_user(scores: Any, relevant: Any, exclude: Any = None) -> float:
    """Return how often a relevant item scores higher than another one, as a mean over the users.

    For each user it is the share of pairs of a relevant item and an item that is neither relevant
    nor excluded whose scores are in order; a tie is half in order. All items count, none is
    sampled. Users without such a pair are left out.

    Parameters
    ----------
    scores : array of shape (n_users, n_items)
        May be infinite, but not NaN.
    relevant : sparse matrix of shape (n_users, n_items)
        Entries that are not zero are relevant. An array will do, too.
    exclude : sparse matrix of shape (n_users, n_items), optional
        Items that are not compared with, such as those of the training rows. Those that are
        relevant stay so.

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError
        If a score is NaN, shapes differ, or no user has a pair.

    Examples
    --------
    >>> from sparsefm.evaluation import auc_by_user
    >>> auc_by_user([[0.9, 0.2, 0.5, 0.1]], [[0, 0, 1, 0]])
    0.6666666666666666
    """
    table = as_array(scores, "scores")
    if table.dtype.kind not in "fiub":
        raise TypeError(f"scores must hold real numbers, got dtype {table.dtype}")
    if table.ndim != 2:
        raise ValueError(f"scores must have shape (n_users, n_items), got {table.shape}")
    bad = np.argwhere(np.isnan(table))
    if len(bad):
        raise ValueError(f"scores holds nan in row {bad[0, 0]}, column {bad[0, 1]}")
    wanted = _entries(relevant, "relevant", table.shape)
    left_out = None if exclude is None else _entries(exclude, "exclude", table.shape)
    n_users, n_items = table.shape
    height = max(1, ENTRIES_AT_ONCE // max(n_items, 1))
    found: list[float] = []
    for begin in range(0, n_users, height):
        block = table[begin : begin + height]
        positive = _mask(wanted, begin, block.shape)
        negative = ~positive
        if left_out is not None:
            negative &= ~_mask(left_out, begin, block.shape)
        has_pairs = positive.any(axis=1) & negative.any(axis=1)
        if has_pairs.any():
            found += _auc(*(one[has_pairs] for one in (block, positive, negative))).tolist()
    if not found:
        raise ValueError(
            "relevant and exclude leave no user with a relevant item and one to compare it with: "
            "AUC is a share of such pairs"
        )
    return math.fsum(found) / len(found)


def _entries(matrix: Any, name: str, shape: tuple[int, ...]) -> tuple[Array, Array]:
    """Return where the rows of a matrix begin, and the columns of its entries."""
    checked = as_csr(matrix, np.float64, name)
    if (checked.n_rows, checked.n_features) != shape:
        raise ValueError(
            f"{name} has shape {(checked.n_rows, checked.n_features)}, but scores has {shape}"
        )
    return np.asarray(checked.indptr, np.int64), np.asarray(checked.indices, np.int64)


def _mask(entries: tuple[Array, Array], begin: int, shape: tuple[int, ...]) -> Array:
    """Return which places of some rows, from `begin` on, have an entry."""
    indptr = entries[0][begin : begin + shape[0] + 1]
    mask = np.zeros(shape, bool)
    mask[np.repeat(np.arange(shape[0]), np.diff(indptr)), entries[1][indptr[0] : indptr[-1]]] = True
    return mask


def _auc(scores: Array, positive: Array, negative: Array) -> Array:
    """Return the AUC of each row, all of which have pairs."""
    n_rows, n_items = scores.shape
    order = np.argsort(scores, axis=1)
    scores, positive, negative = (
        np.take_along_axis(one, order, axis=1) for one in (scores, positive, negative)
    )
    begins_group = np.ones(scores.shape, bool)  # of equal scores
    begins_group[:, 1:] = scores[:, 1:] != scores[:, :-1]
    begins = np.flatnonzero(begins_group)
    rows = begins // n_items
    positives, negatives = (
        np.add.reduceat(one.ravel(), begins, dtype=np.int64) for one in (positive, negative)
    )
    n_negative = negative.sum(axis=1)
    before = np.cumsum(n_negative) - n_negative
    below = np.cumsum(negatives) - negatives - before[rows]
    in_order: Array = np.bincount(rows, positives * (below + negatives / 2), minlength=n_rows)
    n_pairs: Array = positive.sum(axis=1) * n_negative
    return in_order / n_pairs
