"""The group of commands; each is imported when it is asked for."""

from importlib import import_module

import click

from sparsefm.cli.console import Guarded
from sparsefm.io.file import package_version

COMMANDS = {
    "train": "training",
    "predict": "predicting",
    "evaluate": "evaluating",
    "inspect": "inspecting",
    "explain": "explaining",
    "demo": "trying",
    "doctor": "trying",
    "versions": "trying",
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
        command = getattr(import_module(f"sparsefm.cli.{COMMANDS[cmd_name]}"), f"{cmd_name}_")
        assert isinstance(command, click.Command)
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_version(), prog_name="sparsefm")
def cli() -> None:
    """Factorization machines on sparse data.

    \b
    sparsefm train rows.svm --task binary -o model.safetensors
    sparsefm evaluate model.safetensors more.svm
    sparsefm predict model.safetensors new.svm > predictions.txt

    Text files (libsvm, libFM, libffm) are trained on as they are. Tables (CSV, Parquet) need
    `--target`; their columns are encoded, and settings that are left open are chosen.

    Exit codes: 0 fine, 1 something is wrong with the data or a file, 2 with the arguments.
    """
