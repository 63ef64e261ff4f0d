"""The command line ``sparsefm``: one module for each command, which is imported late."""

from sparsefm.cli.main import main

__all__ = ["main"]
