"""``sparsefm train``: from a file of rows to a file of a model."""

import os
from collections.abc import Mapping
from typing import Any

import click

from sparsefm.cli import data
from sparsefm.cli.console import as_json, common, is_quiet, show
from sparsefm.cli.describing import summary
from sparsefm.cli.options import read_config
from sparsefm.cli.settings import add_settings, chosen_settings
from sparsefm.cli.trained import Job, train_classes_of_text, train_on_table, train_on_text

PATH = click.Path()


@add_settings
@click.command("train")
@click.argument("paths", nargs=-1, required=True, metavar="DATA...")
@click.option("-o", "--output", required=True, type=PATH, help="File of the model; - is stdout.")
@click.option("--valid", multiple=True, type=PATH, help="Validation rows; may be repeated.")
@click.option("--target", help="Column of a table with the targets.")
@click.option("--weight", help="Column of a table with weights of the rows.")
@click.option("--ignore", multiple=True, help="Column of a table to leave out; may be repeated.")
@data.data_options
@click.option("--max-bad-lines", type=click.IntRange(0), default=0, help="Of text, to leave out.")
@click.option(
    "--config",
    type=PATH,
    is_eager=True,
    expose_value=False,
    callback=read_config,
    help="TOML file of settings, by the names of the flags; flags come before it.",
)
@click.option("--checkpoint", type=PATH, help="Save the training to this file after each epoch.")
@click.option(
    "--resume", is_flag=True, help="Go on from the file of --checkpoint, if there is one."
)
@click.option(
    "--keep-optimizer-state", is_flag=True, help="Of estimators: to train on as if unbroken."
)
@click.option("--keep-training-rows", is_flag=True, help="Of estimators: a sample, for `inspect`.")
@as_json
@common
@click.pass_context
def train_(context: click.Context, /, paths: tuple[str, ...], in_json: bool, **_: Any) -> None:
    """Train a model on DATA and save it.

    DATA are files of libsvm, libFM or libffm (also compressed), trained on as they are, or tables
    (CSV, TSV, Parquet, Arrow) with --target. With tables, and with --task classification, an
    estimator is trained: what is left open is chosen (--search). `-` is standard input.

    \b
    sparsefm train rows.svm --valid valid.svm --task binary -o model.safetensors
    sparsefm train rows.ffm --task binary --variant ffm --rank 4 -o model.safetensors
    sparsefm train rows.svm --solver adagrad --learning-rate 0.1 --epochs 20 -o m.safetensors
    sparsefm train table.csv --target price -o price.safetensors
    sparsefm train table.csv --target late --task classification -o late.safetensors
    sparsefm train day_0.gz day_1.gz --names numbered --target x0 --task binary -o m.safetensors
    sparsefm train more.svm --init model.safetensors -o model.safetensors

    Each flag below names the functions or classes whose setting it is.
    """
    options = context.params
    format, named = options["format"], options["target"] is not None
    is_table = data.are_tables(paths, format, otherwise=named)
    by_estimator = is_table or options["task"] == "classification"
    data.check_output(options["output"], (*paths, *options["valid"]))
    _check(options, is_table=is_table, by_estimator=by_estimator)
    settings = chosen_settings(context, is_table=is_table, by_estimator=by_estimator)
    job = Job(paths, options, settings)
    if is_table:
        model = train_on_table(job)
    else:
        model = (train_classes_of_text if by_estimator else train_on_text)(job)
    output = options["output"]
    kept = {
        "optimizer_state": options["keep_optimizer_state"],
        "training_rows": options["keep_training_rows"],
    }
    data.write_model(model, output, **(kept if by_estimator else {}))
    if in_json or not is_quiet():
        show({**summary(model), "saved": output}, in_json, err=output == data.STANDARD)


def _check(options: Mapping[str, Any], *, is_table: bool, by_estimator: bool) -> None:
    """Refuse options that do not go together, before any work is done."""
    if is_table and options["target"] is None:
        raise click.UsageError("a table needs --target, the name of the column to predict")
    of_estimators = () if by_estimator else ("keep_optimizer_state", "keep_training_rows")
    for name in () if is_table else ("target", "weight", "ignore", *of_estimators):
        if options[name]:
            raise click.UsageError(f"--{name.replace('_', '-')} is for tables, not for text")
    valid, format = options["valid"], options["format"]
    if valid and data.are_tables(valid, format, otherwise=is_table) != is_table:
        raise click.UsageError("--valid must be a table if DATA is one, and text if DATA is text")
    if options["resume"] and not options["checkpoint"]:
        raise click.UsageError("--resume needs --checkpoint, the file to go on from")
    for name in ("output", "checkpoint"):
        folder = os.path.dirname(options[name] or "")
        if folder and not os.path.isdir(folder):
            flag = "-o" if name == "output" else "--checkpoint"
            raise click.UsageError(f"{flag}: there is no folder {folder!r}")
