"""What all commands share: errors of one line, exit codes, and what is printed."""

import json
import os
import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click
import numpy as np

INTERRUPTED, BROKEN_PIPE = 130, 141  # 128 and the number of the signal, as of other programs
DEBUG, QUIET = "sparsefm.debug", "sparsefm.quiet"

F = TypeVar("F", bound=Callable[..., Any])


class Guarded(click.Group):
    """A group whose commands end with one line on standard error if something is wrong."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; what goes wrong decides about the exit code."""
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            warnings.showwarning = _show_warning
            try:
                result = super().invoke(ctx)
                sys.stdout.flush()
                return result
            except (click.ClickException, click.exceptions.Exit, click.Abort):
                raise
            except KeyboardInterrupt:
                raise SystemExit(INTERRUPTED) from None
            except BrokenPipeError:
                # What is left in the buffer must not fail again when Python ends.
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
                raise SystemExit(BROKEN_PIPE) from None
            except Exception as error:
                if ctx.meta.get(DEBUG):
                    raise
                click.echo(f"Error: {_line(error)}", err=True)
                ctx.exit(1)


def common(command: F) -> F:
    """Add the options that every command has."""

    def keep(key: str) -> Callable[[click.Context, click.Parameter, bool], None]:
        def callback(ctx: click.Context, _: click.Parameter, value: bool) -> None:
            ctx.meta[key] = value

        return callback

    for flag, key, text in (
        ("--debug", DEBUG, "Show the traceback of an error."),
        ("--quiet", QUIET, "No progress bar, no warnings, no summary."),
    ):
        decorate = click.option(
            flag, is_flag=True, expose_value=False, is_eager=True, callback=keep(key), help=text
        )
        command = decorate(command)
    return command


def as_json(command: F) -> F:
    """Add the option ``--json``."""
    decorate = click.option("--json", "in_json", is_flag=True, help="Print one JSON object.")
    return decorate(command)


def is_quiet() -> bool:
    """Return whether ``--quiet`` was given."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(QUIET))


def progress_bars() -> list[Any]:
    """Return a progress bar as a callback if a person is watching, and tqdm is there."""
    from sparsefm.training.callbacks import ProgressBar

    if is_quiet() or not sys.stderr.isatty():
        return []
    try:
        return [ProgressBar(leave=False)]
    except ImportError:
        return []


def warn(text: str) -> None:
    """Print a warning on standard error, unless ``--quiet``."""
    if not is_quiet():
        click.echo(f"Warning: {text}", err=True)


def show(values: Mapping[str, Any], in_json: bool, err: bool = False) -> None:
    """Print names and values, as JSON or in two columns; what is None has no line."""
    if in_json:
        click.echo(json.dumps(plain(values), allow_nan=False), err=err)
        return
    width = max(map(len, values))
    for name, value in values.items():
        if value is not None:
            click.echo(f"{name.replace('_', ' '):<{width}}  {_text(value)}", err=err)


def show_table(columns: Mapping[str, Any]) -> None:
    """Print columns of equal length, numbers to the right."""
    cells = {name: [_text(value) for value in plain(column)] for name, column in columns.items()}
    number = {name: np.asarray(column).dtype.kind in "iuf" for name, column in columns.items()}
    widths = {name: max(map(len, [name, *column])) for name, column in cells.items()}
    for row in zip(*([name, *column] for name, column in cells.items()), strict=True):
        padded = (
            text.rjust(widths[name]) if number[name] else text.ljust(widths[name])
            for name, text in zip(cells, row, strict=True)
        )
        click.echo("  ".join(padded).rstrip())


def plain(value: Any) -> Any:
    """Return JSON values; a number that is not finite, which JSON lacks, is None."""
    if isinstance(value, Mapping):
        return {str(name): plain(entry) for name, entry in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _text(value: Any) -> str:
    if isinstance(value, float | np.floating):
        return f"{value:.6g}"
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


def _line(error: Exception) -> str:
    """Return an error as one line."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    text = " ".join(str(error).split())
    kinds = ValueError, TypeError, ArithmeticError, ImportError, OSError
    return text if text and isinstance(error, kinds) else f"{type(error).__name__}: {text}"


def _show_warning(message: Any, *_: Any, **__: Any) -> None:
    warn(" ".join(str(message).split()))
