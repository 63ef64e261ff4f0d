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
from sparsefm.losses import find_loss
from sparsefm.training.hyperparameters import Hyperparameters
from sparsefm.training.learner import Learner, new_planner
from sparsefm.training.random import stream
from sparsefm.training.trainer import run_epoch

EPOCHS, RANK = 8, 16
CLICKS = "clicks"  # more rows than any of `datasets`
TEST_ROWS = 100_000
SOLVER = fm.AdaGrad()


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
    """

    def __init__(self, data: datasets.DataSet) -> None:
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

    def begin(self, rows: Any) -> Learner:
        """Return a model at the start of training."""
        return Learner.begin(Hyperparameters(rank=RANK, solver=SOLVER), self.loss, rows, seed=0)

    def error(self, learner: Learner) -> float:
        """Return log loss, or root mean squared error, of the test rows."""
        scores = learner.states[0].scores(self.test.X)
        mean = float(self.loss.values(self.test.y, scores).mean(dtype=np.float64))
        return mean if self.binary else (2 * mean) ** 0.5


def alone(task: Task, epochs: int) -> list[float]:
    """Return the error after each epoch of training on one machine."""
    learner = task.begin(task.train)
    size = learner.hyperparameters.batch_size_for(len(task.train.rows))
    plan = new_planner(0, 1).plan(task.train, size)
    targets = [target[plan.rows] for target in task.train.targets]
    trainers, random, errors = learner.trainers(1), stream(0, "batches", 0), []
    for _ in range(epochs):
        run_epoch(trainers, plan, targets, random)
        errors.append(task.error(learner))
    return errors


def apart(task: Task, epochs: int, partitions: int, rounds: Rounds) -> list[float]:
    """Return the error after each epoch of training in rounds."""
    engine = in_process(divide(task.train, partitions, rounds.per_epoch))
    summary = engine.summarise()
    learner = task.begin(summary)
    run = DistributedRun(learner, engine, summary, rounds, model=lambda: learner.models()[0])
    errors: list[float] = []
    run.run(epochs, run.evaluate, [lambda record: errors.append(task.error(learner))])
    return errors


def compare(
    data: datasets.DataSet, epochs: int, partitions: Sequence[int], rounds: Sequence[int]
) -> None:
    """Print the errors of one data set."""
    task = Task(data)
    here = alone(task, epochs)
    rows = [["1", "", f"{min(here):.4f}", f"{here[-1]:.4f}", "", ""]]
    for count in partitions:
        for each in rounds:
            errors = apart(task, epochs, count, Rounds(per_epoch=each))
            best, last = min(errors) / min(here) - 1, errors[-1] / here[-1] - 1
            figures = [f"{min(errors):.4f}", f"{errors[-1]:.4f}", f"{best:+.2%}", f"{last:+.2%}"]
            rows.append([str(count), str(each), *figures])
    title = f"{data.name}: {len(task.train.rows):,} rows, {task.train.n_features:,} features"
    header = ["partitions", "rounds", "best epoch", "last epoch", "to one machine", "last"]
    show(title, header, rows)


@click.command()
@click.option("--data", "names", multiple=True, help="Data set; may be given more than once.")
@click.option("--partitions", multiple=True, type=int, default=(2, 8, 32))
@click.option("--rounds", multiple=True, type=int, default=(Rounds.per_epoch,))
@click.option("--epochs", type=int, default=EPOCHS, show_default=True)
@click.option("--quick", is_flag=True, help="Small data, to see that it works.")
def distributed(
    names: tuple[str, ...],
    partitions: tuple[int, ...],
    rounds: tuple[int, ...],
    epochs: int,
    quick: bool,
) -> None:
    """Errors of training in rounds, beside those of one machine after equal epochs."""
    click.echo(describe())
    for name in names or ("flights", "movielens_ids", "movielens_full", CLICKS):
        try:
            data = clicks(20_000 if quick else 2_000_000) if name == CLICKS else datasets.load(name)
            compare(data, 1 if quick else epochs, partitions, rounds)
        except datasets.UnavailableError as error:
            click.echo(f"\n{name}: not measured; {error}")
