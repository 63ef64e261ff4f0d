"""The group of commands; each is imported when it is asked for."""

from importlib import import_module

import click

from sparsefm.cli.console import Guarded
from sparsefm.io.file import package_version

# Each with its module and its first sentence: importing all for the list would take seconds.
COMMANDS = {
    "train": ("training", "Train a model on DATA and save it."),
    "predict": ("predicting", "Predict each row of DATA with the model of a file."),
    "evaluate": ("evaluating", "Print metrics of the model of a file on the rows of DATA."),
    "inspect": ("inspecting", "Show what is in the file of a model."),
    "convert": (
        "converting",
        "Write the rows of sparse text to a file that is trained on without parsing.",
    ),
    "explain": (
        "explaining",
        "Split the score of a row of DATA into contributions of features and pairs.",
    ),
    "demo": (
        "trying",
        "Train on the New York flights of 2013 and compare with logistic regression.",
    ),
    "doctor": ("trying", "Show what a bug report needs, and try whether this copy works."),
    "versions": ("trying", "Show how this copy was built and its system."),
}


class Commands(Guarded):
    """Imports a command late: those of tables need scikit-learn."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order of a first use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, or None."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"sparsefm.cli.{COMMANDS[cmd_name][0]}")
        command = getattr(module, f"{cmd_name}_")
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_version(), prog_name="sparsefm")
def cli() -> None:
    """Factorization machines on sparse data.

    \b
    sparsefm train rows.svm --task binary -o model.safetensors
    sparsefm evaluate model.safetensors more.svm
    sparsefm predict model.safetensors new.svm > predictions.txt

    Text files (libsvm, libFM, libffm) are trained on as they are. Tables (CSV, TSV, Parquet,
    Arrow) need `--target`; their columns are encoded, and settings that are left open are chosen.

    Exit codes: 0 fine, 1 something is wrong with the data or a file, 2 with the arguments.
    """
