"""The demo predicts which flights out of New York arrive more than 15 minutes late.

All hyperparameters were chosen on the validation split by ``bench/demo_settings.py``.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.datasets.flights import Flights, load_flights
from sparsefm.inspection.interactions import strongest_interactions
from sparsefm.model import Model
from sparsefm.optimizers import Adam, Optimizer
from sparsefm.training.callbacks import Callback, ProgressBar
from sparsefm.training.train import train

LOGISTIC_C = 0.1
RANK = 16
EPOCHS = 26
BATCH_SIZE = 1024
# An epsilon this large damps rare features, which cause overfitting on one-hot data.
SOLVER = Adam(learning_rate=0.002, epsilon=1e-3, l2_linear=1e-3, l2_factors=1e-2)


@dataclass(frozen=True)
class Result:
    """The result of one model on the test split."""

    name: str
    log_loss: float
    auc: float
    seconds: float


def run(echo: Callable[[str], object] = print, n_threads: int | None = None) -> list[Result]:
    """Train on the flights, print the comparison and the strongest interactions; return results.

    Parameters
    ----------
    echo : callable
        Prints a line.
    n_threads : int, optional
        For the factorization machine.
    """
    echo("New York flights of 2013: will it arrive more than 15 minutes late?")
    echo("reading and encoding the data ...")
    flights = load_flights()
    rows = [X.shape[0] for X in (flights.X_train, flights.X_valid, flights.X_test)]
    echo(
        f"{rows[0]:,} training, {rows[1]:,} validation and {rows[2]:,} test rows, "
        f"{len(flights.field_names)} fields, {len(flights.feature_names):,} one-hot features\n"
    )
    base = float(flights.y_train.mean())
    results = [_result("base rate", np.full(rows[2], base), flights, 0.0)]
    _, linear = logistic_regression(flights)
    results.append(linear)
    model = factorization_machine(flights, [ProgressBar(desc="FM")], n_threads)
    probabilities = model.predict(flights.X_test)
    seconds = model.history[-1].seconds
    results.append(_result(f"FM, rank {RANK}", probabilities, flights, seconds))
    echo("")
    _print_results(results, echo)
    _print_interactions(model, flights, echo)
    return results


def logistic_regression(flights: Flights) -> tuple[Any, Result]:
    """Train scikit-learn's logistic regression on the flights; return it and its result."""
    from sklearn.linear_model import LogisticRegression

    started = time.perf_counter()
    linear = LogisticRegression(C=LOGISTIC_C, max_iter=1000)
    linear.fit(flights.X_train, flights.y_train)
    seconds = time.perf_counter() - started
    probabilities = linear.predict_proba(flights.X_test)[:, 1]
    return linear, _result("logistic regression", probabilities, flights, seconds)


def factorization_machine(
    flights: Flights,
    callbacks: Sequence[Callback] = (),
    n_threads: int | None = None,
    *,
    solver: Optimizer = SOLVER,
    epochs: int = EPOCHS,
) -> Model:
    """Train on the flights with the demo's hyperparameters, or others."""
    return train(
        flights.X_train,
        flights.y_train,
        flights.X_valid,
        flights.y_valid,
        task="binary",
        rank=RANK,
        epochs=epochs,
        batch_size=BATCH_SIZE,
        solver=solver,
        n_threads=n_threads,
        callbacks=callbacks,
    )


def _result(
    name: str, probabilities: npt.NDArray[np.floating], flights: Flights, seconds: float
) -> Result:
    from sklearn.metrics import log_loss, roc_auc_score

    return Result(
        name,
        float(log_loss(flights.y_test, probabilities.astype(np.float64))),
        float(roc_auc_score(flights.y_test, probabilities)),
        seconds,
    )


def _print_results(results: list[Result], echo: Callable[[str], object]) -> None:
    echo(f"{'test split':<22}{'log loss':>10}{'AUC':>10}{'training s':>13}")
    for result in results:
        echo(f"{result.name:<22}{result.log_loss:>10.4f}{result.auc:>10.4f}{result.seconds:>13.2f}")


def _print_interactions(model: Model, flights: Flights, echo: Callable[[str], object]) -> None:
    """Print the strongest pair of features of ten pairs of fields."""
    pairs = strongest_interactions(model, flights.X_train, top=10_000)
    echo("\nstrongest interactions, the first of each pair of fields")
    echo(f"{'strength':>8}{'weight':>8}{'flights':>9}  pair")
    seen: set[tuple[int, int]] = set()
    for p in range(len(pairs.first)):
        i, j = int(pairs.first[p]), int(pairs.second[p])
        fields = int(flights.feature_fields[i]), int(flights.feature_fields[j])
        if fields in seen:
            continue
        seen.add(fields)
        names = f"{flights.feature_names[i]}  x  {flights.feature_names[j]}"
        count = round(pairs.share[p] * flights.X_train.shape[0])
        echo(f"{pairs.strength[p]:>8.4f}{pairs.weight[p]:>+8.2f}{count:>9,}  {names}")
        if len(seen) == 10:
            break
