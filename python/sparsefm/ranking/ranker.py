"""`FMRanker`: what learns to put items in order."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from sparsefm.data.validation import as_weights
from sparsefm.encoding import TableEncoder
from sparsefm.estimators import FMRegressor
from sparsefm.estimators.going_on import RANKING
from sparsefm.evaluation import ranking_metrics
from sparsefm.history import Epoch, as_columns
from sparsefm.optimizers import Optimizer
from sparsefm.ranking.all_pairs import LeastSquares
from sparsefm.ranking.comparing import Positives
from sparsefm.ranking.fitted import model_of
from sparsefm.ranking.graded import positives_of_lists
from sparsefm.ranking.interactions import Columns, Interactions, Side, Sides, completed
from sparsefm.ranking.parameters import Chosen, Training, checked
from sparsefm.ranking.validating import Validation
from sparsefm.retrieval import Recommender
from sparsefm.retrieval.frames import as_frame, is_listed
from sparsefm.snapshots import aside
from sparsefm.training.parameters import State
from sparsefm.training.random import stream

Array = npt.NDArray[Any]


class FMRanker(BaseEstimator):  # type: ignore[misc]
    """Factorization machine that learns which items to put first.

    It learns from what users chose (clicks, purchases, plays), by comparing each chosen item with
    others that the user did not choose. What a rating model predicts is how much somebody likes
    what they rate, which says little of what they choose: to recommend, use this.

    Parameters
    ----------
    loss : {"softmax", "warp", "bpr", "all-pairs"}
        What a comparison costs. "softmax": the cross entropy of the chosen item among all items, of
        which the negatives are a sample. "warp": negatives are tried until one has a score near
        that of the chosen item or above; the more had to be tried, the less that counts. "bpr": the
        logistic loss of the difference of two scores. "all-pairs": squared loss, where the score of
        what a user chose shall be 1 and that of every pair of a context and an item 0, with the
        weight `unobserved_weight`; it is minimised by least squares, without negatives.
    user, item : str
        The columns of interactions that say who chose what: integers or text.
    weight : str, optional
        The column of interactions with their weights. Rows of weight zero are left out.
    time : str, optional
        The column of interactions with their time. It is no feature; it says which interaction of a
        user is the last.
    rank : int
        Number of factors.
    solver : AdaGrad or Adam, optional
        Default: ``AdaGrad(learning_rate=0.05, initial_accumulator=0.1)``. "all-pairs" has none.
    epochs : int
        The most passes over the interactions.
    batch_size : int
        Number of interactions of a step.
    n_negatives : int, optional
        How many negatives each chosen item is compared with; with "warp" the most that are tried.
        0 stands for all, which "softmax" and "bpr" can have. Default: 50 for "softmax", 100 for
        "warp", 4 for "bpr".
    popularity : float
        Negatives are drawn in proportion to this power of how often they were chosen: 0 draws all
        items alike, 1 as often as they were chosen. What a user chose is never drawn.
    unobserved_weight : float
        Of "all-pairs": the weight of each pair, chosen or not, beside the 1 of a chosen one.
    l2 : float, optional
        Of "all-pairs": the penalty, by which a feature's parameters are drawn to zero in proportion
        to the weight of its pairs. Default: the best of 0.001, 0.003, 0.01 and 0.03 on what is held
        out, or 0.01 without early stopping.
    init_scale : float
        Standard deviation of the initial factors.
    encoder : TableEncoder, optional
        What turns columns into features. `user` and `item` are categories in any case.
    early_stopping : bool
        Choose the number of epochs: the last interaction of up to 5,000 users (by `time`; without
        it one at random) is held out, and the epoch after which those have the best NDCG@10 is the
        last. Then the model is trained anew on all interactions. Without, there are `epochs`.
    patience : int
        How many epochs without a better one end the first training.
    random_state : int, RandomState or None
    n_threads : int, optional
        Default: every core that the process may use. Results do not depend on it.
    dtype : {"float32", "float64"}
    verbose : bool
        Print a line after each epoch.

    Attributes
    ----------
    model_ : FMRegressor
        The fitted model, whose predictions are scores. Only the order of items in the same context
        means something. It can be saved, exported and explained, and `Recommender` takes it.
    recommender_ : Recommender
        Of all items, if the ranker was fitted on interactions.
    n_iter_ : int
        Number of epochs of the model.
    history_ : dict of str to list
        "epoch", "seconds" and "ranking_loss", the mean over interactions; with early stopping those
        of the first training, and its "ndcg".

    Notes
    -----
    The score of an item in a context is that of a factorization machine on the features of both:
    identifiers and columns of users and items, and further columns of interactions, such as the
    hour. Items are compared in the same context, so that what a context adds by itself is not
    learned. Results are the same bits on any number of threads.

    References
    ----------
    S. Rendle et al., "BPR: Bayesian Personalized Ranking from Implicit Feedback", UAI 2009.
    J. Weston, S. Bengio and N. Usunier, "WSABIE: Scaling Up To Large Vocabulary Image Annotation",
    IJCAI 2011.
    Y. Bengio and J.-S. Senecal, "Adaptive Importance Sampling to Accelerate Training of a Neural
    Probabilistic Language Model", 2008.
    I. Bayer et al., "A Generic Coordinate Descent Framework for Learning from Implicit Feedback",
    WWW 2017.

    Examples
    --------
    >>> import pandas as pd, sparsefm as fm
    >>> clicks = pd.DataFrame({
    ...     "user": ["ann", "ann", "bob", "bob", "cid"],
    ...     "item": ["tea", "cup", "tea", "pot", "cup"],
    ... })
    >>> ranker = fm.FMRanker(rank=4, epochs=20, early_stopping=False).fit(clicks)
    >>> ranker.recommend(["cid", "ann"], top=1)[["user", "item"]]
      user item
    0  cid  tea
    1  ann  pot
    """

    model_: FMRegressor

    def __init__(
        self,
        *,
        loss: str = "softmax",
        user: str = "user",
        item: str = "item",
        weight: str | None = None,
        time: str | None = None,
        rank: int = 32,
        solver: Optimizer | None = None,
        epochs: int = 50,
        batch_size: int = 256,
        n_negatives: int | None = None,
        popularity: float = 0.0,
        unobserved_weight: float = 0.3,
        l2: float | None = None,
        init_scale: float = 0.01,
        encoder: TableEncoder | None = None,
        early_stopping: bool = True,
        patience: int = 5,
        random_state: Any = 0,
        n_threads: int | None = None,
        dtype: str = "float32",
        verbose: bool = False,
    ) -> None:
        self.loss = loss
        self.user = user
        self.item = item
        self.weight = weight
        self.time = time
        self.rank = rank
        self.solver = solver
        self.epochs = epochs
        self.batch_size = batch_size
        self.n_negatives = n_negatives
        self.popularity = popularity
        self.unobserved_weight = unobserved_weight
        self.l2 = l2
        self.init_scale = init_scale
        self.encoder = encoder
        self.early_stopping = early_stopping
        self.patience = patience
        self.random_state = random_state
        self.n_threads = n_threads
        self.dtype = dtype
        self.verbose = verbose

    # --- training ---------------------------------------------------------------------------------

    @aside
    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        group: Any = None,
        user_features: Any = None,
        item_features: Any = None,
    ) -> FMRanker:
        """Learn from interactions, or from graded lists.

        Parameters
        ----------
        X : table, or matrix of shape (n, d)
            Interactions: a table of pandas, Polars or PyArrow with a row for each time that a user
            chose an item. Columns beside those that parameters name are features of the context. Or
            with `y` and `group` the rows of lists, in any form that `FMRegressor` takes.
        y : array-like of shape (n,), optional
            Grades of the rows of lists: the higher the better.
        sample_weight : array-like of shape (n,), optional
            Weights of the rows of lists. Those of interactions are the column `weight`.
        group : array-like of shape (n,), optional
            The list that each row belongs to: integers or text. Rows are compared with rows of
            lower grade of the same list; `n_negatives` is how many of those are drawn. There is no
            early stopping.
        user_features, item_features : table, optional
            A row for each user, with the column `user`, and for each item, with the column `item`;
            all other columns are features. Items without interactions can be recommended, but are
            no negatives.

        Raises
        ------
        ValueError, TypeError
            If a column or a row is missing, an identifier is missing or there twice, a weight is
            negative, or a parameter is invalid.
        DivergenceError
            If the loss is not finite any more.
        """
        how, epochs = checked(self)
        columns = Columns(self.user, self.item, self.weight, self.time)
        for name in ("recommender_", "history_", "_sides"):
            self.__dict__.pop(name, None)
        if (y is None) != (group is None):
            raise ValueError("y and group go together: they are grades and lists of the rows of X")
        if group is not None:
            if user_features is not None or item_features is not None:
                raise ValueError("with group, leave out user_features and item_features")
            self._fit_lists(how, epochs, X, y, sample_weight, group)
            return self
        if sample_weight is not None:
            raise ValueError("sample_weight is for lists: weight= names the column of interactions")
        data = Interactions.read(X, columns)
        like = data.frame
        users = Side.read(user_features, self.user, data.users, like, "user_features")
        items = Side.read(item_features, self.item, data.items, like, "item_features")
        sides = Sides.learn(data, users, items, self._encoder())
        positives = sides.positives()
        if (positives.known.getnnz(axis=1)[positives.user] == len(data.items)).all():
            raise ValueError("every user of X has every item: there is nothing to compare")
        if self.early_stopping:
            how, epochs = self._validated(how, epochs, positives, data.times)
        self._train(how, epochs, positives, sides.encoder)
        self._sides, self._context = {self.user: users, self.item: items}, sides.context
        self.recommender_ = Recommender(
            self.model_,
            items.frame.to_native(),
            item=self.item,
            user=self.user,
            users=None if sides.context or user_features is None else user_features,
            seen=data.frame.to_native(),
            n_threads=self.n_threads,
        )
        return self

    def _encoder(self) -> TableEncoder:
        encoder = TableEncoder() if self.encoder is None else clone(self.encoder)
        encoder.set_params(dtype=np.dtype(self.dtype).name)
        return encoder

    def _validated(self, how: Training, epochs: int, data: Positives, times: Any) -> Chosen:
        """Return how to train, and for how many epochs: what ranks held-out interactions best."""
        random = stream(how.seed, "holdout")
        held = Validation.hold_out(data, times, random, self.patience, how.threads)
        if len(held.item) == 0 or len(held.data) == 0:
            return how, epochs

        def after_epoch(state: State, epoch: Epoch) -> bool:
            done = held.after_epoch(state.w, state.V)
            records.append(epoch)
            if self.verbose:
                print(f"{epoch}, NDCG@10 {held.scores[-1]:.4f}", flush=True)
            return done

        best: tuple[float, Chosen] | None = None
        for candidate in how.candidates():
            records: list[Epoch] = []
            held.scores = []
            candidate.train(held.data, epochs, self.dtype, after_epoch)
            if best is None or max(held.scores) > best[0]:
                best = max(held.scores), (candidate, held.best)
                self.history_ = {**_history(records), "ndcg": held.scores}
        assert best is not None
        return best[1]

    def _fit_lists(
        self, how: Training, epochs: int, X: Any, y: Any, weights: Any, group: Any
    ) -> None:
        if isinstance(how, LeastSquares):
            raise ValueError("loss='all-pairs' is for interactions: lists have no other pairs")
        if how.power:
            raise ValueError("popularity is for interactions: rows of a list are drawn alike")
        encoder = self._encoder()
        encoded = sp.csr_matrix(encoder.fit_transform(X, sample_weight=weights))
        if weights is not None:
            weights = as_weights(weights, encoded.shape[0], np.dtype(np.float64), "sample_weight")
        self._train(how, epochs, positives_of_lists(encoded, y, group, weights), encoder)

    def _train(self, how: Training, epochs: int, data: Positives, encoder: TableEncoder) -> None:
        """Train on all positives."""

        def after_epoch(_: State, epoch: Epoch) -> bool:
            records.append(epoch)
            if self.verbose:
                print(epoch, flush=True)
            return False

        records: list[Epoch] = []
        state = how.train(data, epochs, self.dtype, after_epoch)
        self.n_iter_ = epochs
        if "history_" not in vars(self):
            self.history_ = _history(records)
        self.model_ = model_of(how, state, encoder, self)

    # --- use --------------------------------------------------------------------------------------

    def predict(self, X: Any) -> Array:
        """Return the scores of rows, shape (n,), which mean something within a context alone.

        Parameters
        ----------
        X : table or matrix
            A table has `user`, `item` and the columns of the context. Those of users and items that
            it lacks come from the tables that were given to `fit`.
        """
        check_is_fitted(self)
        if "_sides" in vars(self):
            X = completed(X, self.model_.feature_names_in_.tolist(), self._sides, "X")
        return np.asarray(self.model_.predict(X))

    def score(self, X: Any, y: Any = None) -> float:
        """Return the NDCG@10 of interactions, among all items that training did not see for a user.

        Parameters
        ----------
        X : table
            As for `fit`, of other interactions; weights do not count. With columns of a context
            each row is a list of its own, else each user.
        y : ignored
        """
        data = Interactions.read(X, Columns(self.user, self.item, None, self.time))
        users = [data.users[one] for one in data.user]
        items = [data.items[one] for one in data.item]
        every = self._recommender()
        assert every._seen is not None
        if not self._context:
            found = as_frame(self.recommend(data.users), "lists")
            lists = found[self.user].to_list()
        else:  # a list for each row that has one: its user has not seen all
            left = np.flatnonzero(every._seen.by(users).getnnz(axis=1) < len(every._items))
            asked = data.frame[left].drop(self.item).to_native()
            found = as_frame(self.recommend(asked), "lists")
            users = list(range(len(data)))
            lists = left[np.cumsum(found["rank"].to_numpy() == 1) - 1]
        recommended = {"user": lists, "item": found[self.item].to_list(), "rank": found["rank"]}
        return float(ranking_metrics(recommended, {"user": users, "item": items})["ndcg"])

    def recommend(
        self, contexts: Any, top: int = 10, *, exclude_seen: bool = True, candidates: Any = None
    ) -> Any:
        """Return the items with the highest scores, see `Recommender.recommend`.

        A table of contexts needs no columns that `user_features` of `fit` has for its users.
        """
        recommender = self._recommender()
        if not is_listed(contexts):
            frame = as_frame(contexts, "contexts")
            wanted = [*frame.columns, *self._sides[self.user].columns]
            contexts = completed(contexts, list(dict.fromkeys(wanted)), self._sides, "contexts")
        return recommender.recommend(
            contexts, top, exclude_seen=exclude_seen, candidates=candidates
        )

    def _recommender(self) -> Recommender:
        check_is_fitted(self)
        if "recommender_" not in vars(self):
            raise NotFittedError("there is nothing to recommend: fit was given lists with a group")
        return self.recommender_


def _history(records: list[Epoch]) -> dict[str, list[float]]:
    """Return the records of epochs. Their loss is none of targets, and has another name."""
    history = as_columns(records)
    history[RANKING] = history.pop("train_loss")
    return history
