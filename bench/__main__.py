"""The command line: ``python -m bench``."""

from collections.abc import Callable

import click

from bench import data as sets
from bench import machine, memory, peers
from bench.defaults import defaults
from bench.distributed import distributed
from bench.encode import encode
from bench.fields import fields
from bench.files import files
from bench.folding import folding
from bench.gibbs import find_myfm, gibbs
from bench.gibbs import measure as measure_gibbs
from bench.memory_limit import memory_limit
from bench.own import busy, exact
from bench.predict import predict
from bench.quality import flights, quality
from bench.ranking import ranking
from bench.ranking_defaults import ranking_defaults
from bench.retrieval import retrieval
from bench.spark import spark
from bench.streams import streams
from bench.table import show
from bench.throughput import throughput

quick_option = click.option("--quick", is_flag=True, help="Small data, to see that it works.")
ON_DATA: dict[str, tuple[Callable[[str, str, bool], None], str, str]] = {
    "throughput": (throughput, "abc", "Rows a second in an epoch of every side."),
    "quality": (quality, "ac", "Seconds until each side's best validation loss is reached."),
    "memory-limit": (memory_limit, "ab", "Epochs against the bare accesses to memory."),
    "exact": (exact, "a", "Lazy and exact updates, by batch size and threads."),
    "busy": (busy, "a", "Threads while other processes want every core."),
    "predict": (predict, "ab", "Predictions, in one call and row by row."),
    "peak-memory": (memory.peak_memory, "ab", "Peak memory of training, of every side."),
}


@click.group()
def main() -> None:
    """Measure sparsefm beside its peers, in turns, and print medians as Markdown tables.

    Data sets: a and b are made here, c is the flights.
    """


def introduce() -> None:
    """Print the machine, and which sides take part."""
    click.echo(machine.describe())
    show("Sides", ["side", "version", "what is measured"], peers.status())


def measure(command: str, names: tuple[str, ...], quick: bool) -> None:
    """Run one command on each of the data sets."""
    function = ON_DATA[command][0]
    for name in names:
        with sets.stored(sets.make(name, quick)) as folder:
            function(folder, name, quick)
            if function is quality and name == "c":
                flights(folder, quick)


def add(command: str) -> None:
    """Add a command that runs on data sets of one's choice."""
    _, names, text = ON_DATA[command]

    @main.command(command, help=text)
    @click.option(
        "--data",
        "names",
        type=click.Choice(list(sets.TITLES)),
        multiple=True,
        default=tuple(names),
        show_default=True,
        help="Data set; may be given more than once.",
    )
    @quick_option
    def run(names: tuple[str, ...], quick: bool) -> None:
        introduce()
        measure(command, names, quick)


for command in ON_DATA:
    add(command)


@main.command()
@quick_option
def scale(quick: bool) -> None:
    """Train on 5 million rows with up to 10 million features; needs 10 GB."""
    introduce()
    memory.scale(quick)


main.add_command(defaults)
main.add_command(distributed)
main.add_command(folding)
main.add_command(retrieval)
main.add_command(ranking)
main.add_command(ranking_defaults)
main.add_command(encode)
main.add_command(fields)
main.add_command(files)
main.add_command(spark)
main.add_command(streams)
main.add_command(gibbs)


@main.command("all")
@quick_option
def everything(quick: bool) -> None:
    """Run all of the others, each on its data sets; quick: on the first of them."""
    introduce()
    for command, (_, names, _) in ON_DATA.items():
        measure(command, tuple(names[:1] if quick else names), quick)
    measure_gibbs(quick, find_myfm())
    memory.scale(quick)


if __name__ == "__main__":
    main()
