"""How well estimators predict with no argument at all, beside linear models, peers, a ceiling."""

import json
from collections.abc import Sequence
from pathlib import Path

import click

from bench import machine, tuned
from bench import sides as registry
from bench.comparison import Comparison, compare
from bench.datasets import GROUPS, KINDS, NAMES, UnavailableError, named, select
from bench.price import prices
from bench.report import record, report
from bench.results import Results
from bench.sides import Side

KEPT = Path(__file__).parents[1] / "build" / "bench-defaults"


@click.command()
@click.option(
    "--half",
    "halves",
    type=click.Choice(GROUPS),
    multiple=True,
    default=GROUPS,
    help="Group of data sets; may be given more than once. Default: all.",
)
@click.option(
    "--only",
    type=click.Choice([*NAMES, *KINDS]),
    multiple=True,
    metavar="NAME",
    help="Data set, or kind of made ones; may be given more than once.",
)
@click.option(
    "--side",
    "chosen",
    type=click.Choice(registry.NAMES),
    multiple=True,
    default=registry.NAMES,
    help="Side to compute; others are shown if they were kept. Default: all.",
)
@click.option("--seeds", type=click.IntRange(1), default=1, help="Seeds of ours on each table.")
@click.option("--tables", type=click.IntRange(1), default=1, help="Tables, or splits, of each set.")
@click.option(
    "--settings",
    type=click.IntRange(1),
    default=tuned.SETTINGS,
    show_default=True,
    help="Settings that the ceiling tries.",
)
@click.option(
    "--ceiling-seconds",
    type=click.FloatRange(0),
    default=tuned.SEARCH_SECONDS,
    show_default=True,
    help="Time for them on each table.",
)
@click.option(
    "--kept",
    type=click.Path(path_type=Path, file_okay=False),
    default=KEPT,
    help="Folder of the slow sides' results. Default: build/bench-defaults.",
)
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write what was found, too.")
@click.option("--price", is_flag=True, help="Instead: seconds and memory of the search.")
def defaults(
    halves: tuple[str, ...],
    only: tuple[str, ...],
    chosen: tuple[str, ...],
    seeds: int,
    tables: int,
    settings: int,
    ceiling_seconds: float,
    kept: Path,
    file: Path | None,
    price: bool,
) -> None:
    """Compare predictions of estimators with defaults on small and large data sets.

    The made sets are in two halves: rules are chosen on the half "shaping" alone, and reported on
    the half "judging". The spread is (max - min) / mean over the seeds on the same rows.
    """
    click.echo(machine.describe())
    names = [name for half in halves for name in select(half)]
    if only:
        wanted = named(only)
        names = [name for name in names if name in wanted]
    if price:
        prices(names)
        return
    sides = registry.sides(settings, ceiling_seconds)
    run(names, sides, chosen, Results(kept), tables, seeds, file)


def run(
    names: Sequence[str],
    sides: dict[str, Side],
    chosen: Sequence[str],
    results: Results,
    tables: int = 1,
    seeds: int = 1,
    file: Path | None = None,
) -> None:
    """Compare on each of the data sets, and print; write to `file` after each of them."""
    found: dict[str, Comparison] = {}
    for name in names:
        click.echo(name, err=True)
        try:
            found[name] = compare(name, sides, chosen, results, tables, seeds)
        except UnavailableError as error:
            click.echo(f"{name}: skipped: {error}", err=True)
            continue
        if file is not None:
            records = {name: record(name, comparison) for name, comparison in found.items()}
            file.write_text(json.dumps(records, indent=1) + "\n")
    report(found)
