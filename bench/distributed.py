"""Rounds of partitions beside training on one machine: what they learn in equal epochs.

The partitions are in this process and work one after the other, so seconds mean nothing here.
"""

from collections.abc import Sequence
from typing import Any

import click
import numpy as np

import sparsefm as fm
from bench import datasets, generated
from bench.machine import describe
from bench.table import show
from sparsefm.data.csr import as_csr
from sparsefm.data.dataset import Dataset
from sparsefm.distributed.dividing import divide
from sparsefm.distributed.engine import in_process
from sparsefm.distributed.run import DistributedRun
from sparsefm.distributed.settings import Rounds
from sparsefm.distributed.units import least_rows_of_a_round
from sparsefm.losses import find_loss
from sparsefm.training.hyperparameters import Hyperparameters
from sparsefm.training.learner import Learner, new_planner
from sparsefm.training.random import stream
from sparsefm.training.trainer import run_epoch

EPOCHS, RANK = 8, 16
CLICKS = "clicks"  # more rows than any of `datasets`
TEST_ROWS = 100_000
SOLVERS = {"adagrad": fm.AdaGrad(), "adam": fm.Adam()}


def clicks(rows: int) -> datasets.DataSet:
    """Return clicks of 39 fields."""
    X, y = generated.clicks(np.random.default_rng(1000), rows + TEST_ROWS, features=1_000_000)
    parts = X[:rows], y[:rows], X[rows:], y[rows:]
    return datasets.DataSet(CLICKS, "binary", *parts, "made by bench.generated")


class Task:
    """Encoded rows to train on, and rows to test on.

    Parameters
    ----------
    data : DataSet
        Of numbers, or of two classes.
    solver : AdaGrad or Adam
    """

    def __init__(self, data: datasets.DataSet, solver: Any) -> None:
        self.chosen = Hyperparameters(rank=RANK, solver=solver)
        encoder = fm.TableEncoder()
        X = encoder.fit_transform(data.X_train)
        X_test = as_csr(encoder.transform(data.X_test), np.float32)
        y, y_test = data.y_train, data.y_test
        self.binary = data.task == "binary"
        if not self.binary:  # as the estimators do
            center, unit = y.mean(), y.std()
            y, y_test = (y - center) / unit, (y_test - center) / unit
        self.loss = find_loss("binary" if self.binary else "regression", None)
        task = "binary" if self.binary else "regression"
        self.train = Dataset.training(X, y, None, np.float32, task=task)
        targets = y_test.astype(np.float32)
        self.test = Dataset.of(X_test, targets, (targets,))

    def begin(self, rows: Any, seed: int) -> Learner:
        """Return a model at the start of training."""
        return Learner.begin(self.chosen, self.loss, rows, seed)

    def error(self, learner: Learner) -> float:
        """Return log loss, or root mean squared error, of the test rows."""
        scores = learner.states[0].scores(self.test.X)
        mean = float(self.loss.values(self.test.y, scores).mean(dtype=np.float64))
        return mean if self.binary else (2 * mean) ** 0.5


def alone(task: Task, epochs: int, seed: int) -> list[float]:
    """Return the error after each epoch of training on one machine."""
    learner = task.begin(task.train, seed)
    size = learner.hyperparameters.batch_size_for(len(task.train.rows))
    plan = new_planner(seed, 1).plan(task.train, size)
    targets = [target[plan.rows] for target in task.train.targets]
    trainers, random, errors = learner.trainers(1), stream(seed, "batches", 0), []
    for _ in range(epochs):
        run_epoch(trainers, plan, targets, random)
        errors.append(task.error(learner))
    return errors


def apart(task: Task, epochs: int, partitions: int, rounds: Rounds, seed: int) -> list[float]:
    """Return the error after each epoch of training in rounds."""
    assert rounds.per_epoch is not None
    engine = in_process(divide(task.train, partitions, rounds.per_epoch))
    summary = engine.summarise()
    learner = task.begin(summary, seed)
    run = DistributedRun(learner, engine, summary, rounds, model=lambda: learner.models()[0])
    errors: list[float] = []
    run.run(epochs, run.evaluate, [lambda record: errors.append(task.error(learner))])
    return errors


def compare(
    data: datasets.DataSet,
    solver: Any,
    epochs: int,
    partitions: Sequence[int],
    rounds: Sequence[int | None],
    seeds: int,
) -> None:
    """Print the errors of one data set: those of the best epoch, means over seeds."""
    task = Task(data, solver)
    n_rows = len(task.train.rows)
    least = least_rows_of_a_round(task.chosen, n_rows)
    here = np.array([min(alone(task, epochs, seed)) for seed in range(seeds)])
    spread = f"{here.std(ddof=1) / here.mean():.2%}" if seeds > 1 else "-"
    rows = [["1", "", f"{here.mean():.4f}", "", spread]]
    for count in partitions:
        for each in dict.fromkeys(rounds):
            chosen = Rounds(per_epoch=each).chosen_for(n_rows, count, least)
            there = [min(apart(task, epochs, count, chosen, seed)) for seed in range(seeds)]
            to_one = np.mean(there) / here.mean() - 1
            cells = [str(count), str(chosen.per_epoch), f"{np.mean(there):.4f}", f"{to_one:+.2%}"]
            rows.append([*cells, ""])
    title = (
        f"{data.name}, {type(solver).__name__}: {n_rows:,} rows, {task.train.n_features:,} features"
    )
    show(title, ["partitions", "rounds", "best epoch", "to one machine", "spread of seeds"], rows)


@click.command()
@click.option("--data", "names", multiple=True, help="Data set; may be given more than once.")
@click.option("--partitions", multiple=True, type=int, default=(2, 8, 32))
@click.option("--rounds", multiple=True, type=int, help="Of an epoch. Default: as fits choose.")
@click.option("--epochs", type=int, default=EPOCHS, show_default=True)
@click.option("--rows", default=2_000_000, show_default=True, help="Of clicks.")
@click.option("--solver", type=click.Choice(list(SOLVERS)), default="adagrad", show_default=True)
@click.option("--seeds", default=3, show_default=True)
@click.option("--quick", is_flag=True, help="Small data, to see that it works.")
def distributed(
    names: tuple[str, ...],
    partitions: tuple[int, ...],
    rounds: tuple[int, ...],
    epochs: int,
    rows: int,
    solver: str,
    seeds: int,
    quick: bool,
) -> None:
    """Errors of training in rounds, beside those of one machine after equal epochs."""
    click.echo(describe())
    if quick:
        rows, epochs, seeds = 20_000, 1, 1
    for name in names or ("flights", "movielens_ids", "movielens_full", CLICKS):
        try:
            data = clicks(rows) if name == CLICKS else datasets.load(name)
            compare(data, SOLVERS[solver], epochs, partitions, rounds or (None,), seeds)
        except datasets.UnavailableError as error:
            click.echo(f"\n{name}: not measured; {error}")
