"""The peers of ``python -m bench ranking``: implicit, LightFM, and items by popularity.

A peer may live in the environment of another Python. So this module imports only NumPy and SciPy,
and each side imports itself. A side trains, and after each `look` epochs shows the vectors of users
and items, whose inner products order the items.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, diags, hstack, identity, load_npz

TOP = 10
EPOCHS, PATIENCE = 200, 5  # looks without a better one, before training ends

DISTRIBUTIONS = {
    "implicit": ["implicit"],
    "LightFM": ["lightfm", "lightfm-next"],  # the second is a fork, imported by the same name
    "rankfm": ["rankfm"],
}

Vectors = tuple[np.ndarray, np.ndarray, np.ndarray]  # of users, of items; items' biases
Look = Callable[[Vectors], bool]  # whether to stop


@dataclass(frozen=True, eq=False)
class Problem:
    """Who chose what, by number: arrays of shape (2, n), and features of users and items."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    user_features: csr_matrix
    item_features: csr_matrix

    @classmethod
    def load(cls, folder: str) -> "Problem":
        """Read what `bench.choices.Choices.save` wrote."""
        names = ("train", "validation", "test")
        arrays = [np.load(Path(folder) / f"{name}.npy") for name in names]
        sides = [load_npz(Path(folder) / f"{side}_features.npz") for side in ("user", "item")]
        return cls(*arrays, *sides)

    def matrix(self, pairs: np.ndarray) -> csr_matrix:
        """Return ones at pairs of users and items."""
        shape = self.user_features.shape[0], self.item_features.shape[0]
        return csr_matrix((np.ones(pairs.shape[1], np.float32), pairs), shape)


def recommend(vectors: Vectors, seen: csr_matrix, users: np.ndarray) -> np.ndarray:
    """Return the best items of users, without those that they have seen."""
    U, V, biases = vectors
    scores = U[users] @ V.T + biases
    scores[seen[users].nonzero()] = -np.inf
    some = np.argpartition(-scores, TOP, axis=1)[:, :TOP]
    order = np.argsort(-np.take_along_axis(scores, some, 1), axis=1, kind="stable")
    return np.take_along_axis(some, order, 1)


def metrics(found: np.ndarray, chosen: np.ndarray, cold: np.ndarray) -> dict[str, float]:
    """Return NDCG@10 and recall@10 of lists, one relevant item each; NDCG@10 of the cold ones."""
    hits, places = np.nonzero(found == chosen[:, None])
    gains = np.bincount(hits, 1 / np.log2(places + 2), len(chosen))
    of_cold = float(np.mean(gains[cold])) if cold.any() else 0.0
    return {"ndcg": float(np.mean(gains)), "recall": len(hits) / len(chosen), "cold": of_cold}


def tuned(threads: int, folder: str, side: str, settings: dict[str, Any]) -> dict[str, float]:
    """Train until validation gets no better; return the best NDCG@10 and its epoch."""
    problem = Problem.load(folder)
    seen, (users, chosen) = problem.matrix(problem.train), problem.validation
    scores: list[float] = []

    def look(vectors: Vectors) -> bool:
        found = recommend(vectors, seen, users)
        scores.append(metrics(found, chosen, np.zeros(len(users), bool))["ndcg"])
        return len(scores) - int(np.argmax(scores)) > PATIENCE

    SIDES[side](problem, seen, settings, EPOCHS, threads, look)
    epochs = (int(np.argmax(scores)) + 1) * LOOKS.get(side, 1)
    return {"validation": max(scores), "epochs": epochs}


def tested(
    threads: int, folder: str, side: str, settings: dict[str, Any], epochs: int
) -> dict[str, float]:
    """Train on training and validation rows for some epochs, and test; with the seconds of it."""
    problem = Problem.load(folder)
    seen = problem.matrix(np.hstack([problem.train, problem.validation]))
    started = time.perf_counter()
    vectors = SIDES[side](problem, seen, settings, epochs, threads, None)
    seconds = time.perf_counter() - started
    users, chosen = problem.test
    cold = seen.getnnz(0)[chosen] == 0
    found = metrics(recommend(vectors, seen, users), chosen, cold)
    return {**found, "seconds": seconds, "positives": seen.nnz}


def versions(threads: int) -> dict[str, str | None]:
    """Return the distributions and versions of the peers, None for those that are not installed."""
    found = dict.fromkeys(DISTRIBUTIONS)
    for peer, names in DISTRIBUTIONS.items():
        for name in names:
            try:
                found[peer] = f"{name} {version(name)}"
            except PackageNotFoundError:
                continue
    return found


# --- the sides ----------------------------------------------------------------------------------


class _EnoughError(Exception):
    """Ends a training from within."""


def popularity(
    problem: Problem, X: csr_matrix, settings: dict, epochs: int, threads: int, look: Look | None
) -> Vectors:
    """Score items by how many users chose them."""
    n_users, n_items = X.shape
    vectors = np.zeros((n_users, 1)), np.zeros((n_items, 1)), np.asarray(X.sum(0)).ravel()
    if look:
        look(vectors)
    return vectors


def als(
    problem: Problem, X: csr_matrix, settings: dict, epochs: int, threads: int, look: Look | None
) -> Vectors:
    """Squared loss over all pairs, by implicit."""
    from implicit.cpu.als import AlternatingLeastSquares

    return _implicit(AlternatingLeastSquares, X, settings, epochs, threads, look)


def bpr(
    problem: Problem, X: csr_matrix, settings: dict, epochs: int, threads: int, look: Look | None
) -> Vectors:
    """BPR by implicit."""
    from implicit.cpu.bpr import BayesianPersonalizedRanking

    return _implicit(
        BayesianPersonalizedRanking, X, settings, epochs, threads, look, LOOKS["implicit BPR"]
    )


def _implicit(
    kind: Any, X: csr_matrix, settings: dict, epochs: int, threads: int, look: Look | None,
    every: int = 1,
) -> Vectors:  # fmt: skip
    model = kind(iterations=epochs, num_threads=threads, random_state=0, **settings)

    def vectors() -> Vectors:
        return model.user_factors, model.item_factors, np.zeros(X.shape[1])

    def after(epoch: int, *_: Any) -> None:
        if look and (epoch + 1) % every == 0 and look(vectors()):
            raise _EnoughError

    with suppress(_EnoughError):
        model.fit(X, show_progress=False, callback=after)
    return vectors()


def lightfm(
    problem: Problem, X: csr_matrix, settings: dict, epochs: int, threads: int, look: Look | None
) -> Vectors:
    """LightFM, on features beside the identifiers if `features`.

    Each row of them is divided by its sum if `normalize`, as its own `Dataset` does. Then it does
    not see the items that nobody chose, so that they are no negatives, which would push them down.
    """
    from lightfm import LightFM

    others = settings.copy()
    with_features, normalize = (others.pop(name, False) for name in ("features", "normalize"))
    alpha = others.pop("alpha")
    sides = {}
    for key in ("user_features", "item_features"):
        features = vars(problem)[key]
        parts = [identity(features.shape[0], np.float32, "csr"), *([features] * with_features)]
        whole = hstack(parts, "csr", np.float32)
        sides[key] = (
            csr_matrix(diags(1 / np.asarray(whole.sum(1)).ravel()) @ whole) if normalize else whole
        )
    model = LightFM(item_alpha=alpha, user_alpha=alpha, random_state=0, **others)

    def vectors() -> Vectors:
        _, U = model.get_user_representations(sides["user_features"])
        biases, V = model.get_item_representations(sides["item_features"])
        return U, V, biases

    known = X.getnnz(0) > 0 if with_features else np.ones(X.shape[1], bool)
    tables = sides | {"item_features": sides["item_features"][known]}
    chosen = csr_matrix(X[:, known])
    for _ in range(epochs if look else 1):
        model.fit_partial(chosen, **tables, epochs=1 if look else epochs, num_threads=threads)
        if look and look(vectors()):
            break
    return vectors()


SIDES = {"popularity": popularity, "implicit ALS": als, "implicit BPR": bpr, "LightFM": lightfm}
LOOKS = {"implicit BPR": 5}  # epochs from one look to the next, where they are many and short
