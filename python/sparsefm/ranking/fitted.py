"""The trained parameters of a ranker as an estimator, which has all that estimators have."""

from __future__ import annotations

from typing import Any

from sklearn.base import clone

from sparsefm.encoding import TableEncoder
from sparsefm.estimators import FMRegressor
from sparsefm.estimators.going_on import parameters_of
from sparsefm.estimators.targets import Numbers
from sparsefm.losses import find_loss
from sparsefm.ranking.all_pairs import LeastSquares
from sparsefm.ranking.comparing import Comparing
from sparsefm.training.hyperparameters import Hyperparameters
from sparsefm.training.learner import Learner
from sparsefm.training.parameters import State


def model_of(
    how: Comparing | LeastSquares, state: State, encoder: TableEncoder, ranker: Any
) -> FMRegressor:
    """Return a fitted regressor whose predictions are the scores of a ranker."""
    model = FMRegressor(
        rank=how.rank,
        solver=how.optimizer,
        epochs=ranker.n_iter_,
        batch_size=how.batch_size,
        init_scale=how.init_scale,
        encoder=clone(encoder),
        bounds=None,
        search=None,
        random_state=how.seed,
        n_threads=ranker.n_threads,
        dtype=ranker.dtype,
    )
    chosen = Hyperparameters(how.rank, how.optimizer, "normal", how.init_scale, how.batch_size)
    loss = find_loss("regression", "squared")
    model._learner = Learner(chosen, loss, [state], how.seed)
    model._target = Numbers(0, 0.0, 1.0)
    model._sample = None  # of rows that explanations are compared with
    model.encoder_ = encoder
    model.n_iter_ = model.best_epoch_ = ranker.n_iter_
    model.history_ = ranker.history_
    for name in ("n_features_in_", "feature_names_in_"):
        if name in vars(encoder):
            setattr(model, name, getattr(encoder, name))
    model._fitted_with = parameters_of(model)
    return model
