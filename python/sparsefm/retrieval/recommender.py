"""Recommendations from a fitted model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from sklearn.exceptions import NotFittedError

from sparsefm.data.csr import as_scipy
from sparsefm.data.distinct import distinct_values
from sparsefm.data.validation import check_flag, check_integer
from sparsefm.encoding import TableEncoder
from sparsefm.encoding.partial import encode_columns
from sparsefm.estimators.base import FactorizationMachine
from sparsefm.retrieval.frames import (
    Identifiers,
    Ids,
    as_frame,
    ids_of,
    is_listed,
    listed,
    table_of,
)
from sparsefm.retrieval.index import NONE, ItemIndex
from sparsefm.retrieval.seen import Seen
from sparsefm.retrieval.split import Split
from sparsefm.threads import resolve_threads

Array = npt.NDArray[Any]
Rows = npt.NDArray[np.int64]

RESULTS = {"row", "rank", "score", "similar"}  # columns of results


class Recommender:
    """Finds the items that a fitted model scores highest, exactly.

    The columns that the model was fitted on are those of an item, which `items` has, and those of
    its context: a user, and whatever else is known when somebody asks, such as the hour. The score
    of a context with an item is an inner product, so that of all items is found in milliseconds.
    Users and items that training never saw are scored by their other columns.

    A recommender has a copy of what it needs: later training does not change it, nor do changes of
    the tables. A vector has as many dimensions as the model has factors; with ``variant="fwfm"`` or
    ``"ffm"`` times the number of columns of items or contexts, whichever is less; with `Gibbs`
    times the number of samples. A search takes as much longer.

    Parameters
    ----------
    model : FMRegressor or FMClassifier
        Fitted on a table, with one score: no classifier of more than two classes.
    items : table of pandas, Polars or PyArrow
        A row for each item that can be recommended: the column `item`, and all columns of the model
        that belong to items. Other columns are not read. What a context has, such as the hour, must
        not be among them.
    item : str
        Its column of identifiers, each of which is there once. The model may have it or not.
    user : str, optional
        The column of users' identifiers, in contexts, in `users` and in `seen`.
    users : table, optional
        A row for each user: the column `user`, and all columns of the model that are not those of
        items. Then users can be asked for by their identifiers. It is not needed if the only column
        of the model beside those of items is `user`.
    seen : table, optional
        Pairs of `user` and `item` that need no recommendation, such as the training rows. Rows of
        other items, or without a user, are skipped.
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
            if given in RESULTS or (name == "user" and given == item):
                raise ValueError(
                    f"{name} is {given!r}, a name that another column of the results has: rename it"
                )
        self.item, self.user = item, user
        self._threads = resolve_threads(n_threads)
        self._encoder, columns = _columns_of(model)
        frame = as_frame(items, "items")
        self._items = Identifiers(frame, item, "items")
        if not len(self._items):
            raise ValueError("items has no rows: there is nothing to recommend")
        self._own = [name for name in columns if name in frame.columns]
        self._context = [name for name in columns if name not in self._own]
        if not self._own:
            raise ValueError(f"items has none of the model's columns, {columns!r:.200}")
        if user in self._own:
            raise ValueError(f"items has the column {user!r}, which is that of users")
        fields = self._encoder.field_names_
        of_items = [fields.index(name) for name in self._own if name in fields]
        self._split = Split.of(model._formula(None), np.array(of_items))
        parts = self._split.items(self._encoded(frame, self._own))
        self._index = ItemIndex(len(frame), self._split.width, model.dtype, parts)
        self._users = self._seen = None
        if user is None and (users is not None or seen is not None):
            name = "seen" if users is None else "users"
            raise ValueError(f"{name} needs user, the name of the column of users' identifiers")
        if users is not None:
            frame = as_frame(users, "users")
            self._users = Identifiers(frame, str(user), "users")
            self._user_rows = self._features(frame, "users")
        if seen is not None:
            self._seen = Seen(as_frame(seen, "seen"), str(user), item, self._items)

    def __repr__(self) -> str:
        return (
            f"Recommender({len(self._items)} items of {', '.join(self._own)}; contexts of "
            f"{', '.join(self._context) or 'no columns'})"
        )

    # --- recommendations --------------------------------------------------------------------------

    def recommend(
        self, contexts: Any, top: int = 10, *, exclude_seen: bool = True, candidates: Any = None
    ) -> Any:
        """Return the items with the highest scores for each context.

        Parameters
        ----------
        contexts : table, or sequence of identifiers
            A table has all columns of the model that are not those of items, and the column `user`
            if there is one, where a missing user has seen nothing. Users can be asked for by their
            identifiers if there is a table of `users`, which must have them, or if `user` is all
            that the model has of a context; there, one whom training never saw is a new user.
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
            clipped to its bounds, or the ``decision_function`` of a classifier; of one fitted with
            `Gibbs`, the mean of the samples' scores, which is not its ``decision_function``.
            Contexts are in the order asked. Of equal scores the item that is first in `items` is
            better.
        """
        top = check_integer(top, "top", 1)
        exclude_seen = check_flag(exclude_seen, "exclude_seen")
        asked = self._asked(contexts)
        vectors, own = self._split.contexts(asked.X)
        excluded = self._seen.by(asked.users) if exclude_seen and self._seen else None
        index, chosen = self._index, np.arange(len(self._items))
        if candidates is not None:
            name = "candidates"
            chosen = self._items.rows(listed(candidates, name), name, "item")
            if len(chosen) == 0:
                raise ValueError("candidates has no items")
            chosen = distinct_values(chosen)
            index = index.among(chosen)
            excluded = None if excluded is None else excluded[:, chosen]
        top = min(top, index.n_items)
        found, scores = index.search(vectors, top, excluded, self._threads)
        rows, places = np.nonzero(found != NONE)
        return table_of(
            asked.like,
            {
                **asked.named(rows),
                self.item: self._items.column(chosen[found[rows, places]]),
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
        """Return the items that are most similar to some, by the cosine of their vectors.

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
        asked = self._items.rows(listed(items, "items"), "items", "item")
        vectors = self._index.vectors()[:, :-1]
        return self._similar(self._items, self.item, vectors, asked, top)

    def similar_users(self, users: Sequence[Any], top: int = 10) -> Any:
        """Return the users that are most similar to some, by the cosine of their vectors.

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
        asked = self._users.rows(listed(users, "users"), "users", "user")
        vectors, _ = self._split.contexts(self._user_rows)
        return self._similar(self._users, str(self.user), vectors, asked, top)

    # --- vectors ----------------------------------------------------------------------------------

    def item_vectors(self) -> Array:
        """Return a vector of each item, in their order, shape (n_items, D + 1).

        The inner product with a vector of `context_vectors` orders items as scores do, so they can
        be put in any index for inner products.
        """
        return self._index.vectors()

    def context_vectors(self, contexts: Any) -> Array:
        """Return a vector of each context, shape (n, D + 1), whose last number is 1.

        Parameters
        ----------
        contexts : table, or sequence of identifiers
        """
        vectors, _ = self._split.contexts(self._asked(contexts).X)
        return np.column_stack([vectors, np.ones(len(vectors))]).astype(self._index.dtype)

    # --- tables -----------------------------------------------------------------------------------

    def _encoded(self, frame: Any, columns: list[str]) -> sp.csr_matrix:
        """Return the features of some columns of a table."""
        n_rows = len(frame)
        if not columns or n_rows == 0:
            return sp.csr_matrix((n_rows, self._encoder.n_features_out_))
        own = frame.select(columns).to_native()
        encoded = as_scipy(encode_columns(self._encoder, own, self._encoder))
        return encoded.astype(np.float64)

    def _features(self, frame: Any, name: str) -> sp.csr_matrix:
        """Return the features of a table of contexts, which errors call `name`."""
        for column in self._context:
            if column not in frame.columns:
                raise ValueError(
                    f"{name} needs the column {column!r}: the model has it, and items has not"
                )
        for column in self._own:
            if column in frame.columns:
                raise ValueError(
                    f"{name} has the column {column!r}, and so has items: leave it out of one of "
                    "them, to say whether it belongs to an item or to a context"
                )
        return self._encoded(frame, self._context)

    def _asked(self, contexts: Any) -> _Asked:
        if not is_listed(contexts):
            frame = as_frame(contexts, "contexts")
            X = self._features(frame, "contexts")
            if self.user is None or self.user not in frame.columns:
                return _Asked(X, None, None, frame)
            users = ids_of(frame, self.user, "contexts", may_miss=True)
            return _Asked(X, users, frame[self.user], frame)
        ids, like = listed(contexts, "contexts"), self._items.like
        if self._users is not None:
            rows = self._users.rows(ids, "contexts", "user")
            return _Asked(self._user_rows[rows], ids, self._users.column(rows), like)
        if self.user is None or self._context not in ([], [self.user]):
            raise TypeError(
                f"contexts must be a table with the columns {self._context!r:.200}: users can be "
                "asked for by their identifiers if there is a table of users"
            )
        frame = as_frame(table_of(like, {self.user: ids}), "contexts")
        try:
            X = self._encoded(frame, self._context)
        except (TypeError, ValueError) as error:
            raise type(error)(f"contexts: {error}") from None
        return _Asked(X, ids, frame[self.user], like)

    def _similar(
        self, known: Identifiers, column: str, vectors: Array, asked: Rows, top: Any
    ) -> Any:
        """Return the most similar of some vectors, by the cosine."""
        top = check_integer(top, "top", 1)
        if vectors.shape[1] == 0:
            raise ValueError("the model has no factors of items and contexts, which can be similar")
        numbers = vectors.astype(np.float64)
        norms = np.sqrt(np.sum(numbers**2, axis=1, keepdims=True))
        units = (numbers / np.maximum(norms, np.finfo(np.float64).tiny)).astype(self._index.dtype)
        index = ItemIndex(len(units), units.shape[1], units.dtype, [(units, np.zeros(len(units)))])
        pairs = np.ones(len(asked), bool), asked, np.arange(len(asked) + 1)
        itself = sp.csr_matrix(pairs, (len(asked), len(units)))
        found, scores = index.search(units[asked], min(top, len(units)), itself, self._threads)
        rows, places = np.nonzero(found != NONE)
        return table_of(
            known.like,
            {
                column: known.column(asked[rows]),
                "similar": known.column(found[rows, places]),
                "rank": places + 1,
                "score": scores[rows, places].astype(np.float64),
            },
        )


@dataclass(frozen=True, eq=False)
class _Asked:
    """Contexts for which items are asked.

    Attributes
    ----------
    X : csr_matrix of shape (n, d)
    users : list or None
    column : narwhals.Series or None
        The users, as their table has them.
    like : narwhals.DataFrame
        Of the library that the results are to be of.
    """

    X: sp.csr_matrix
    users: Ids | None
    column: Any
    like: Any

    def named(self, rows: Rows) -> dict[str, Any]:
        """Return a column that says whose some rows are."""
        return {"row": rows} if self.column is None else {self.column.name: self.column[rows]}


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
    if not encoder._names.are_text:
        raise ValueError("the model was fitted on a table whose column names are not text")
    if model._loss.task == "ordinal":
        raise ValueError(
            "the model has loss='ordinal', whose classes have no single score: use a regressor"
        )
    if model._n_scores > 1:
        raise ValueError(
            f"the model has a score for each of its {model._n_scores} classes: use a regressor, or "
            "a classifier of two classes with another loss than 'softmax'"
        )
    return encoder, encoder._column_names
