"""Markdown tables."""

from collections.abc import Sequence
from typing import Any

import click


def show(title: str, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a table under a title."""
    click.echo(f"\n**{title}**\n")
    for cells in (header, ["---"] * len(header), *rows):
        click.echo(f"| {' | '.join(_text(cell) for cell in cells)} |")


def _text(cell: Any) -> str:
    """Return three significant digits of a number, "-" for None."""
    if cell is None:
        return "-"
    if isinstance(cell, float):
        return f"{cell:.0f}" if abs(cell) >= 1000 else f"{cell:#.3g}".rstrip(".")
    return str(cell)


def ratio(value: float) -> str:
    """Return a factor, as in "12.3x"."""
    return f"{value:.3g}x"
