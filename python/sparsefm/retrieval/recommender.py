"""Recommendations from a fitted model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from sklearn.exceptions import NotFittedError

from sparsefm.data.csr import as_scipy
from sparsefm.data.validation import check_flag, check_integer
from sparsefm.encoding import TableEncoder
from sparsefm.encoding.partial import encode_columns
from sparsefm.estimators.base import FactorizationMachine
from sparsefm.retrieval.frames import (
    as_frame,
    ids_of,
    is_listed,
    listed,
    numbered,
    rows_of,
    table_like,
)
from sparsefm.retrieval.index import NONE, ItemIndex
from sparsefm.retrieval.seen import Seen
from sparsefm.retrieval.split import Split
from sparsefm.threads import resolve_threads

Array = npt.NDArray[Any]


class Recommender:
    """Finds the items that a fitted model scores highest, exactly.

    The columns that the model was fitted on are those of an item, which `items` has, and those of
    its context: a user, and whatever else is known when somebody asks, such as the hour. The score
    of a context with an item is an inner product, so that of all items is found in milliseconds.
    Users and items that training never saw are scored by their other columns.

    A recommender has a copy of what it needs of the model: later training does not change it.

    Parameters
    ----------
    model : FMRegressor or FMClassifier
        Fitted on a table, with one score: no classifier of more than two classes.
    items : table of pandas, Polars or PyArrow
        A row for each item that can be recommended: the column `item`, and all columns of the model
        that belong to items. Other columns are not read.
    item : str
        Its column of identifiers, each of which is there once. The model may have it or not.
    user : str, optional
        The column of users' identifiers, in contexts, in `users` and in `seen`.
    users : table, optional
        A row for each user: the column `user`, and all columns of the model that are not those of
        items. Then users can be asked for by their identifiers. It is not needed if the only column
        of the model beside those of items is `user`.
    seen : table, optional
        Pairs of `user` and `item` that need no recommendation, such as the training rows. Items
        that are not in `items` are skipped.
    n_threads : int, optional
        Default: every core that the process may use. Results do not depend on it.

    Examples
    --------
    >>> import pandas as pd, sparsefm as fm
    >>> ratings = pd.DataFrame({
    ...     "user": ["ann", "ann", "bob", "bob", "cid"],
    ...     "movie": ["Alien", "Brazil", "Alien", "Cars", "Brazil"],
    ...     "stars": [5, 2, 4, 1, 3],
    ... })
    >>> features = ["user", "movie"]
    >>> model = fm.FMRegressor(rank=2, solver=fm.AdaGrad(), epochs=20, search=None)
    >>> model = model.fit(ratings[features], ratings["stars"])
    >>> movies = pd.DataFrame({"movie": ["Alien", "Brazil", "Cars"]})
    >>> recommender = fm.Recommender(model, movies, item="movie", user="user", seen=ratings)
    >>> recommender.recommend(["cid", "bob"], top=1)[["user", "movie", "rank"]]
      user   movie  rank
    0  cid   Alien     1
    1  bob  Brazil     1
    """

    def __init__(
        self,
        model: FactorizationMachine,
        items: Any,
        *,
        item: str,
        user: str | None = None,
        users: Any = None,
        seen: Any = None,
        n_threads: int | None = None,
    ) -> None:
        for name, given in (("item", item), ("user", user)):
            if not (isinstance(given, str) or (name == "user" and given is None)):
                raise TypeError(f"{name} must be the name of a column, got {given!r:.80}")
        self.item, self.user = item, user
        self._threads = resolve_threads(n_threads)
        self._encoder, columns = _columns_of(model)
        self._items = as_frame(items, "items")
        self._ids = ids_of(self._items, item, "items")
        self._numbers = numbered(self._ids, item, "items")
        if not self._ids:
            raise ValueError("items has no rows: there is nothing to recommend")
        own = [name for name in columns if name in self._items.columns]
        if not own:
            raise ValueError(f"items has none of the model's columns, {columns!r:.200}")
        self._context = [name for name in columns if name not in own]
        if user in own:
            raise ValueError(f"items has the column {user!r}, which is that of users")
        fields = self._encoder.field_names_
        self._split = Split.of(
            model._formula(None), np.array([fields.index(name) for name in own if name in fields])
        )
        vectors, biases = self._split.items(self._encoded(self._items, own))
        self._dtype = np.dtype(model.dtype)
        self._vectors, self._biases = vectors.astype(self._dtype), biases.astype(self._dtype)
        self._index = ItemIndex(self._vectors, self._biases)
        self._users = None
        if users is not None:
            if user is None:
                raise ValueError("users needs user, the name of its column of identifiers")
            self._users = as_frame(users, "users")
            self._user_ids = ids_of(self._users, user, "users")
            self._user_rows = numbered(self._user_ids, user, "users")
            self._check_context(self._users, "users")
        self._seen = None
        if seen is not None:
            if user is None:
                raise ValueError("seen needs user, the name of the column of users' identifiers")
            self._seen = Seen(as_frame(seen, "seen"), user, item, self._numbers)

    # --- recommendations --------------------------------------------------------------------------

    def recommend(
        self, contexts: Any, top: int = 10, *, exclude_seen: bool = True, candidates: Any = None
    ) -> Any:
        """Return the items with the highest scores for each context.

        Parameters
        ----------
        contexts : table, or sequence of identifiers
            A table has all columns of the model that are not those of items, and the column `user`
            if there is one. Users can be asked for by their identifiers if there is a table of
            `users`, or if `user` is all that the model has of a context.
        top : int
            Number of items for each; there are fewer where there are not so many.
        exclude_seen : bool
            Whether to leave out the pairs in `seen`.
        candidates : sequence of identifiers, optional
            The items that can be recommended. Default: all.

        Returns
        -------
        table
            Of the library of `contexts`, or of `items` if those are identifiers. It has a row for
            each recommendation: `user`, or "row" with the number of the context from 0 if there is
            no such column; `item`; "rank", from 1; "score", the prediction of a regressor, not
            clipped to its bounds, or the ``decision_function`` of a classifier. Contexts are in the
            order asked. Of equal scores the item that is first in `items` is better.
        """
        top = check_integer(top, "top", 1)
        check_flag(exclude_seen, "exclude_seen")
        frame, ids = self._asked(contexts)
        vectors, own = self._split.contexts(self._encoded(frame, self._context))
        excluded = self._seen.by(ids) if exclude_seen and self._seen else None
        index, chosen = self._index, None
        if candidates is not None:
            name = "candidates"
            chosen = rows_of(listed(candidates, name), self._numbers, name, "item")
            chosen = np.array(sorted(set(chosen.tolist())), np.int64)
            if len(chosen) == 0:
                raise ValueError("candidates has no items")
            index = ItemIndex(self._vectors[chosen], self._biases[chosen])
            excluded = None if excluded is None else excluded[:, chosen]
        top = min(top, index.n_items)
        found, scores = index.search(vectors, top, excluded, self._threads)
        rows, places = np.nonzero(found != NONE)
        numbers = found[rows, places]
        items = numbers if chosen is None else chosen[numbers]
        named: Any = rows if ids is None else [ids[row] for row in rows]
        is_table = not is_listed(contexts)
        return table_like(
            as_frame(contexts, "contexts") if is_table else self._items,
            {
                "row" if ids is None else str(self.user): named,
                self.item: [self._ids[number] for number in items],
                "rank": places + 1,
                "score": own[rows] + scores[rows, places],
            },
        )

    def rank(self, contexts: Any, candidates: Any) -> Any:
        """Return all candidates for each context, the best first, as `recommend` does.

        Parameters
        ----------
        contexts : table, or sequence of identifiers
        candidates : sequence of identifiers
        """
        ids = listed(candidates, "candidates")
        top = max(1, len(ids))
        return self.recommend(contexts, top, exclude_seen=False, candidates=ids)

    def similar_items(self, items: Sequence[Any], top: int = 10) -> Any:
        """Return the items whose vectors have the smallest angle with those of some.

        Parameters
        ----------
        items : sequence of identifiers
        top : int
            Number of items for each.

        Returns
        -------
        table
            Of the library of `items`: `item`, "similar", "rank" and "score", the cosine.
        """
        asked = listed(items, "items")
        rows = rows_of(asked, self._numbers, "items", "item")
        found = _similar(self._vectors, rows, check_integer(top, "top", 1), self._threads)
        return self._similar_table(self._items, self.item, asked, self._ids, found)

    def similar_users(self, users: Sequence[Any], top: int = 10) -> Any:
        """Return the users whose vectors have the smallest angle with those of some.

        Parameters
        ----------
        users : sequence of identifiers
            Of the table of users.
        top : int
            Number of users for each.

        Returns
        -------
        table
            Of the library of that table: `user`, "similar", "rank" and "score", the cosine.
        """
        if self._users is None:
            raise ValueError("similar_users needs the table of users: Recommender(..., users=...)")
        asked = listed(users, "users")
        rows = rows_of(asked, self._user_rows, "users", "user")
        vectors, _ = self._split.contexts(self._encoded(self._users, self._context))
        vectors = vectors.astype(self._dtype)
        found = _similar(vectors, rows, check_integer(top, "top", 1), self._threads)
        return self._similar_table(self._users, str(self.user), asked, self._user_ids, found)

    # --- vectors ----------------------------------------------------------------------------------

    def item_vectors(self) -> Array:
        """Return a vector of each item, in their order, shape (n_items, D + 1).

        The inner product with a vector of `context_vectors` orders items as scores do, so they can
        be put in any index for inner products.
        """
        return np.column_stack([self._vectors, self._biases])

    def context_vectors(self, contexts: Any) -> Array:
        """Return a vector of each context, shape (n, D + 1), whose last number is 1.

        Parameters
        ----------
        contexts : table, or sequence of identifiers
        """
        frame, _ = self._asked(contexts)
        vectors, _ = self._split.contexts(self._encoded(frame, self._context))
        return np.column_stack([vectors, np.ones(len(vectors))]).astype(self._dtype)

    # --- tables -----------------------------------------------------------------------------------

    def _encoded(self, frame: Any, columns: list[str]) -> sp.csr_matrix:
        """Return the features of some columns of a table."""
        n_rows = len(frame)
        if not columns or n_rows == 0:
            return sp.csr_matrix((n_rows, self._encoder.n_features_out_))
        own = frame.select(columns).to_native()
        encoded = as_scipy(encode_columns(self._encoder, own, self._encoder))
        return encoded.astype(np.float64)

    def _asked(self, contexts: Any) -> tuple[Any, list[Any] | None]:
        """Return contexts as a table, and their users."""
        if not is_listed(contexts):
            frame = as_frame(contexts, "contexts")
            self._check_context(frame, "contexts")
            has_users = self.user is not None and self.user in frame.columns
            return frame, ids_of(frame, str(self.user), "contexts") if has_users else None
        ids = listed(contexts, "contexts")
        if self._users is not None:
            rows = rows_of(ids, self._user_rows, "contexts", "user")
            return self._users[rows.tolist()], ids
        if self._context != [self.user]:
            raise TypeError(
                f"contexts must be a table with the columns {self._context!r:.200}: users can be "
                "asked for by their identifiers if there is a table of users"
            )
        table = table_like(self._items, {str(self.user): ids})
        return as_frame(table, "contexts"), ids

    def _check_context(self, frame: Any, name: str) -> None:
        """Check that a table has the columns of contexts."""
        lacking = [column for column in self._context if column not in frame.columns]
        if lacking:
            raise ValueError(
                f"{name} needs the column {lacking[0]!r}: the model has it, and items has not"
            )

    def _similar_table(
        self, frame: Any, column: str, asked: list[Any], ids: list[Any], found: tuple[Array, Array]
    ) -> Any:
        numbers, scores = found
        rows, places = np.nonzero(numbers != NONE)
        return table_like(
            frame,
            {
                column: [asked[row] for row in rows],
                "similar": [ids[number] for number in numbers[rows, places]],
                "rank": places + 1,
                "score": scores[rows, places],
            },
        )


def _columns_of(model: Any) -> tuple[TableEncoder, list[str]]:
    """Return the encoder of a fitted model, and the names of its columns."""
    if not isinstance(model, FactorizationMachine):
        raise TypeError(f"model must be an FMRegressor or FMClassifier, got {model!r:.80}")
    if not hasattr(model, "encoder_"):
        raise NotFittedError(f"model, an {type(model).__name__}, is not fitted: call fit first")
    encoder = model.encoder_
    if encoder._encodings is None or encoder._names is None:
        raise ValueError(
            "the model was fitted on a matrix or an array, which has no names of columns: fit it "
            "on a table"
        )
    if model._n_scores > 1:
        raise ValueError(
            f"the model has {model._n_scores} classes with a score each: recommend with a "
            "regressor or a classifier of two classes"
        )
    return encoder, encoder._column_names


def _similar(
    vectors: Array, rows: npt.NDArray[np.int64], top: int, threads: int
) -> tuple[npt.NDArray[np.int64], Array]:
    """Return the numbers of the vectors with the smallest angle to some of them, and cosines."""
    if vectors.shape[1] == 0:
        raise ValueError("the model has rank 0: it has no vectors, which could be similar")
    norms = np.sqrt(np.sum(vectors.astype(np.float64) ** 2, axis=1, keepdims=True))
    units = (vectors / np.maximum(norms, np.finfo(vectors.dtype).tiny)).astype(vectors.dtype)
    index = ItemIndex(units, np.zeros(len(units)))
    itself = sp.csr_matrix(
        (np.ones(len(rows), bool), rows, np.arange(len(rows) + 1)), (len(rows), len(units))
    )
    return index.search(units[rows], min(top, len(units)), itself, threads)
