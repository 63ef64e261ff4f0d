"""``sparsefm demo``, ``doctor`` and ``versions``: whether it works here, and what it is like."""

import click


@click.command("demo")
@click.option("--threads", type=click.IntRange(min=1), help="Default: every available core.")
def demo_(threads: int | None) -> None:
    """Train on the New York flights of 2013 and compare with logistic regression."""
    from sparsefm.cli.demo import run

    run(click.echo, threads)


@click.command("doctor")
@click.pass_context
def doctor_(context: click.Context) -> None:
    """Show what a bug report needs, and try whether this copy works."""
    from sparsefm.cli.doctor import run

    context.exit(not run())


@click.command("versions")
def versions_() -> None:
    """Show how this copy was built and its system."""
    from sparsefm.versions import show_versions

    show_versions()
