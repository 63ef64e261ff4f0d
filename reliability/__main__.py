"""The command line: ``python -m reliability``."""

import sys
import time
import traceback
import warnings
from importlib import import_module

import click

from reliability import children
from reliability.report import HEADER, Budget, Report

# What is promised, the module that tries it, and how often it does if nothing else is said.
PROMISES = {
    "fuzz": ("No input crashes the process, or ends in an error of another library.", 10**9, 60.0),
    "out-of-memory": ("Too little memory is a MemoryError, and changes nothing.", 600, 3600.0),
    "failing-allocations": (
        "A failed allocation is a MemoryError, and changes nothing.",
        10**6,
        3600.0,
    ),
    "kill": ("A process killed while it saves leaves a whole file.", 1_000, 3600.0),
    "resume": (
        "A training that is killed and resumed, again and again, ends with the same bits.",
        1_000,
        3600.0,
    ),
    "full-disk": ("A full disk is an OSError, and the old file stays.", 300, 3600.0),
    "interrupt": ("Ctrl-C is heard at once, and changes nothing.", 500, 3600.0),
    "leaks": ("Memory, threads and descriptors do not grow.", 10_000, 3600.0),
    "processes": ("Forks, pools and exits of the interpreter work.", 64, 3600.0),
    "damaged": ("A damaged file is refused, in bounded memory.", 50_000, 3600.0),
}


@click.group()
def main() -> None:
    """Try to break sparsefm; print what came of it, and end with status 1 on a finding."""


def keep(name: str, budget: Budget) -> Report:
    """Try a promise in a process of its own, which may crash."""
    module = import_module(f"reliability.{name.replace('-', '_')}")

    def run() -> Report:
        warnings.simplefilter("ignore")
        report = Report()
        try:
            module.run(budget, report)
        except Exception:
            report.find(traceback.format_exc())
        return report

    report, ended = children.call(run)
    if report is None:
        report = Report()
        report.find(ended)
    return report


def show(name: str, budget: Budget) -> bool:
    """Print a row, and the findings; return whether there are some."""
    begun = time.monotonic()
    report = keep(name, budget)
    click.echo(report.row(name, time.monotonic() - begun))
    for finding in report.findings[:20]:
        click.echo(f"{name}: {finding}", err=True)
    return bool(report.findings)


def add(name: str) -> None:
    """Add the command of a promise."""
    text, count, seconds = PROMISES[name]

    @main.command(name, help=text)
    @click.option("--count", default=count, show_default=True, help="How often to try.")
    @click.option("--seconds", default=seconds, show_default=True, help="How long at most.")
    @click.option("--seed", default=0, show_default=True, help="Of the random numbers.")
    def run(count: int, seconds: float, seed: int) -> None:
        click.echo(HEADER)
        sys.exit(show(name, Budget(count, seconds, seed)))


for promise in PROMISES:
    add(promise)


@main.command("all")
@click.option("--seconds", default=600.0, show_default=True, help="How long each at most.")
@click.option("--seed", default=0, show_default=True, help="Of the random numbers.")
def everything(seconds: float, seed: int) -> None:
    """Try all of them, one after the other."""
    click.echo(HEADER)
    found = [show(name, Budget(count, seconds, seed)) for name, (_, count, _) in PROMISES.items()]
    sys.exit(any(found))


if __name__ == "__main__":
    main()
