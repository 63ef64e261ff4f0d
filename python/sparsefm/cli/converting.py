"""``sparsefm convert``: from sparse text to a file of rows."""

import click

import sparsefm as fm
from sparsefm.cli import data
from sparsefm.cli.console import common


@click.command("convert")
@click.argument("paths", nargs=-1, required=True, metavar="DATA...")
@click.option("-o", "--output", required=True, type=click.Path(), help="File of the rows.")
@click.option("--zero-based/--one-based", default=None, help="Default: with 0 if there is a 0.")
@click.option("--format", type=click.Choice(("auto", *data.TEXTS)), default="auto")
@click.option("--features", type=click.IntRange(1), help="Default: what the largest index says.")
@click.option("--dtype", type=click.Choice(("float32", "float64")), default="float32")
@click.option("--max-bad-lines", type=click.IntRange(0), default=0, help="To leave out.")
@data.threads_option
@common
def convert_(
    paths: tuple[str, ...],
    output: str,
    zero_based: bool | None,
    format: str,
    features: int | None,
    dtype: str,
    max_bad_lines: int,
    threads: int | None,
) -> None:
    """Write the rows of sparse text to a file that is trained on without parsing.

    `train --memory-budget` does so by itself, and keeps the file beside the text.

    \b
    sparsefm convert rows.svm.gz -o rows.rows
    sparsefm train rows.rows --task binary --memory-budget 500000000 -o model.safetensors
    """
    with data.local(paths) as files:
        fm.convert(
            files,
            output,
            format,
            zero_based="auto" if zero_based is None else zero_based,
            n_features=features,
            dtype=dtype,
            max_bad_lines=max_bad_lines,
            n_threads=threads,
        )
