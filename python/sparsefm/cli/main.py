"""The command ``sparsefm``."""

import sys


def main() -> None:
    """Run the command line; without click, say what to install."""
    try:
        import click  # noqa: F401
    except ImportError:
        sys.exit(
            "the command line needs click: pip install 'sparsefm[cli]'; without it there is "
            "`python -m sparsefm.cli.doctor`"
        )
    try:
        from sparsefm.cli.group import cli

        cli(prog_name="sparsefm")
    except KeyboardInterrupt:  # before a command began
        sys.exit(130)
