"""Our sides of ``python -m bench ranking``: `FMRanker`, and a model of ratings."""

from typing import Any

import numpy as np

import sparsefm as fm
from bench.choices import Choices
from bench.ranking_peers import TOP, metrics


def tuned(
    threads: int, folder: str, loss: str, features: bool, settings: dict[str, Any]
) -> dict[str, float]:
    """Fit with early stopping, by the last choices before the test, which are validation."""
    ranker = _fitted(Choices.load(folder), threads, loss, features, settings)
    return {"validation": max(ranker.history_["ndcg"]), "epochs": ranker.n_iter_}


def tested(
    threads: int, folder: str, loss: str, features: bool, settings: dict[str, Any], epochs: int
) -> dict[str, float]:
    """Fit for some epochs, and test; with the seconds of the epochs."""
    data = Choices.load(folder)
    settings = settings | {"early_stopping": False, "epochs": epochs}
    ranker = _fitted(data, threads, loss, features, settings)
    seconds = ranker.history_["seconds"][-1]
    return {**_test(ranker, data), "seconds": seconds, "positives": len(data.train)}


def untuned(threads: int, folder: str, settings: dict[str, Any]) -> dict[str, float]:
    """Return what stands for the validation of a side without settings."""
    return {"validation": 0.0, "epochs": 0}


def ratings(threads: int, folder: str, settings: dict[str, Any], epochs: int) -> dict[str, float]:
    """Fit `FMRegressor`, with its defaults, to the ratings; recommend what it thinks rated best."""
    data = Choices.load(folder)
    model = fm.FMRegressor(n_threads=threads)
    model.fit(data.train[["user", "item"]], data.train["rating"].astype(float))
    recommender = fm.Recommender(
        model, data.items[["item"]], item="item", user="user", seen=data.train
    )
    return _test(recommender, data)


def _fitted(
    data: Choices, threads: int, loss: str, features: bool, settings: dict[str, Any]
) -> fm.FMRanker:
    ranker = fm.FMRanker(loss=loss, time="time", n_threads=threads, **parameters(settings))
    tables = {"user_features": data.users, "item_features": data.items}
    if not features:
        # The identifiers of all, so that all can be recommended.
        tables = {name: table.iloc[:, :1] for name, table in tables.items()}
    return ranker.fit(data.train[["user", "item", "time"]], **tables)


def parameters(settings: dict[str, Any]) -> dict[str, Any]:
    """Return parameters of `FMRanker`: those of its solver are among the settings."""
    others = settings.copy()
    names = ("learning_rate", "initial_accumulator", "l2_linear", "l2_factors")
    solver = {name: others.pop(name) for name in names if name in others}
    if solver:
        others["solver"] = fm.AdaGrad(**{"learning_rate": 0.05, **solver})  # 0.05: the default
    return others


def _test(recommender: Any, data: Choices) -> dict[str, float]:
    """Return how well the last choices are recommended."""
    found = recommender.recommend(data.test["user"].tolist(), top=TOP)
    lists = found["item"].to_numpy().reshape(len(data.test), TOP)
    cold = ~np.isin(data.test["item"], data.train["item"])
    return metrics(lists, data.test["item"].to_numpy(), cold)
