"""The settings of ``sparsefm train``: those of `train`, the estimators and their parts."""

from typing import Any

import click

from sparsefm.cli.options import Setting, given_settings, settings_of
from sparsefm.encoding import TableEncoder
from sparsefm.estimators import FMClassifier, FMRegressor
from sparsefm.losses import LOSSES
from sparsefm.optimizers import AdaGrad, Adam
from sparsefm.sampling import ALS, Gibbs
from sparsefm.training.train import train

TASKS = ("regression", "binary", "ordinal", "classification")
SOLVERS = {"adam": Adam, "adagrad": AdaGrad, "gibbs": Gibbs, "als": ALS}
DATA = ("X", "y", "X_val", "y_val", "sample_weight")
NOT_FLAGS = (*DATA, "task", "init", "solver", "encoder", "callbacks", "resume", "warm_start")

TEXT, REGRESSOR, CLASSIFIER = "train", "FMRegressor", "FMClassifier"
OWNERS = ((TEXT, train), (REGRESSOR, FMRegressor), (CLASSIFIER, FMClassifier))

MAIN = settings_of(OWNERS, NOT_FLAGS)
OF_SOLVERS = settings_of(SOLVERS.items())
OF_ENCODER = settings_of([("TableEncoder", TableEncoder)], prefix="encoder_")
OF_LOSSES = settings_of(LOSSES.items(), prefix="loss_")
# With validation rows `train` stops early by a callback; that has these two.
STOPPING = ("patience", "min_delta")


def add_settings(command: click.Command) -> click.Command:
    """Add a flag for each setting."""
    command.params += [
        click.Option(["--task"], type=click.Choice(TASKS), default="regression", show_default=True),
        click.Option(["--init"], help="A model to go on from; or 'normal' or 'uniform'."),
        click.Option(["--solver"], type=click.Choice(list(SOLVERS)), help="How to train."),
    ]
    for group in (OF_SOLVERS, MAIN, OF_LOSSES, OF_ENCODER):
        for setting in group.values():
            command.params.append(setting.option(_of_whom(setting)))
    return command


def _of_whom(setting: Setting) -> str:
    owners = list(setting.owners)
    tables = [REGRESSOR, CLASSIFIER]
    return "" if owners == [TEXT, *tables] else "tables" if owners == tables else ", ".join(owners)


def chosen_settings(
    context: click.Context, *, is_table: bool, by_estimator: bool
) -> dict[str, Any]:
    """Return the arguments by keyword that the flags stand for.

    They go to `train`, which takes the task, or to the estimator of the task.
    """
    task = context.params["task"]
    owner = TEXT if not by_estimator else REGRESSOR if task == "regression" else CLASSIFIER
    chosen = {} if by_estimator else {"task": task}
    for flag, value in given_settings(context, MAIN).items():
        setting = MAIN[flag]
        if owner in setting.owners:
            chosen[setting.owners[owner]] = value
        elif not (flag in STOPPING and not by_estimator):
            whose = ", ".join(setting.owners)
            raise click.UsageError(f"{setting.flag} is a setting of {whose}, not of {owner} here")
    solver = _solver(context, by_estimator=by_estimator)
    if solver is not None:
        chosen["solver"] = solver
    if task == "ordinal":
        chosen.setdefault("solver", Gibbs())
        chosen.setdefault("loss", "ordinal")
    return chosen | _parts(context, chosen, is_table=is_table)


def _solver(context: click.Context, *, by_estimator: bool) -> Any:
    given = given_settings(context, OF_SOLVERS)
    name = context.params["solver"] or (None if by_estimator or not given else "adam")
    if name is None:
        if given:
            raise click.UsageError(f"{OF_SOLVERS[next(iter(given))].flag} needs --solver")
        return None
    for flag in given:
        setting = OF_SOLVERS[flag]
        if name not in setting.owners:
            whose = ", ".join(setting.owners)
            raise click.UsageError(f"{setting.flag} is a setting of {whose}, not of {name}")
    return SOLVERS[name](**given)


def _parts(context: click.Context, chosen: dict[str, Any], *, is_table: bool) -> dict[str, Any]:
    """Return the loss and the encoder, if they have settings of their own."""
    found: dict[str, Any] = {}
    given = given_settings(context, OF_LOSSES)
    for flag in given:
        setting = OF_LOSSES[flag]
        if chosen.get("loss") not in setting.owners:
            raise click.UsageError(f"{setting.flag} needs --loss {' or '.join(setting.owners)}")
    if given:
        named = {OF_LOSSES[flag].owners[chosen["loss"]]: value for flag, value in given.items()}
        found["loss"] = LOSSES[chosen["loss"]](**named)
    given = given_settings(context, OF_ENCODER)
    if given and not is_table:
        raise click.UsageError(f"{OF_ENCODER[next(iter(given))].flag} is for tables, not for text")
    if given:
        named = {OF_ENCODER[flag].owners["TableEncoder"]: value for flag, value in given.items()}
        found["encoder"] = TableEncoder(**named)
    return found
