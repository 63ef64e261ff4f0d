"""The command ``sparsefm``."""

import sys

from sparsefm.io.file import package_version


def main() -> None:
    """Run the command line; without click, say what to install."""
    try:
        import click
    except ImportError:
        sys.exit(
            "the command line needs click: pip install 'sparsefm[demo]'; without it there is "
            "`python -m sparsefm.cli.doctor`"
        )

    @click.group(context_settings={"help_option_names": ["-h", "--help"]})
    @click.version_option(package_version(), prog_name="sparsefm")
    def cli() -> None:
        """Factorization machines on sparse data."""

    @cli.command()
    @click.option("--threads", type=click.IntRange(min=1), help="Default: every available core.")
    def demo(threads: int | None) -> None:
        """Train on the New York flights of 2013 and compare with logistic regression."""
        from sparsefm.cli.demo import run

        try:
            run(click.echo, threads)
        except ImportError as error:
            raise click.ClickException(str(error)) from error

    @cli.command()
    @click.pass_context
    def doctor(context: click.Context) -> None:
        """Show what a bug report needs, and try whether this copy works."""
        from sparsefm.cli.doctor import run

        context.exit(not run())

    @cli.command()
    def versions() -> None:
        """Show how this copy was built and its system."""
        from sparsefm.versions import show_versions

        show_versions()

    cli()
