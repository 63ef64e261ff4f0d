"""Flags that are made of signatures and docstrings: no setting is written down twice."""

import inspect
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import click

Owner = Callable[..., Any]

# Names of Python that the command line says otherwise.
FLAGS = {"n_threads": "threads", "random_state": "seed"}


class Value(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """JSON, parts separated by commas, or text."""

    name = "value"

    def __init__(self, listed: bool = False) -> None:
        self.listed = listed  # whether one part is a list, too

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value; that of a settings file has its type already."""
        found = self._parsed(value) if isinstance(value, str) else value
        return [found] if self.listed and not isinstance(found, list) else found

    def _parsed(self, text: str) -> Any:
        try:
            return json.loads(text)
        except ValueError:
            return [self._parsed(part) for part in text.split(",")] if "," in text else text


@dataclass
class Setting:
    """A setting of one or more functions and classes.

    Attributes
    ----------
    name : str
        Of the flag, with underscores.
    owners : dict of str to str
        What has it, and what it is called there.
    """

    name: str
    type: Any
    help: str
    default: Any
    owners: dict[str, str] = field(default_factory=dict)

    @property
    def flag(self) -> str:
        """The flag, with dashes."""
        return f"--{self.name.replace('_', '-')}"

    def option(self, of_whom: str) -> click.Option:
        """Return it as an option of click."""
        text = f"{self.help}  [{of_whom}]" if of_whom else self.help
        if self.type is bool:
            both = f"{self.flag}/--no-{self.flag[2:]}"
            return click.Option([both, self.name], default=None, help=text)
        return click.Option([self.flag, self.name], type=self.type, default=None, help=text)


def settings_of(
    owners: Iterable[tuple[str, Owner]], without: Iterable[str] = (), prefix: str = ""
) -> dict[str, Setting]:
    """Return the settings that functions and classes have, by the name of the flag."""
    found: dict[str, Setting] = {}
    for owner, function in owners:
        described = _described(function)
        for name, parameter in inspect.signature(function).parameters.items():
            if name in without:
                continue
            flag = prefix + FLAGS.get(name, name)
            kind, text = described.get(name, ("", ""))
            setting = found.get(flag)
            if setting is None:
                kinds = _type(kind, str(parameter.annotation))
                setting = found[flag] = Setting(flag, kinds, text, parameter.default)
            elif isinstance(setting.type, click.Choice):
                more = _type(kind, str(parameter.annotation))
                choices = more.choices if isinstance(more, click.Choice) else ()
                setting.type = click.Choice(list(dict.fromkeys([*setting.type.choices, *choices])))
            elif setting.type is int and "Sequence" in str(parameter.annotation):
                setting.type = Value()
            setting.owners[owner] = name
    return found


def _type(kind: str, annotation: str) -> Any:
    """Return the type of a flag, by the words of the docstring and the annotation."""
    choices = None if "Mapping" in annotation else re.match(r"\{(.*?)\}(.*)", kind)
    names = re.findall(r'"(.*?)"', choices.group(1)) if choices else []
    if choices and len(names) > 1:
        none = ["none"] if re.match(r" or None", choices.group(2)) else []
        return click.Choice([*names, *none])
    if annotation in ("<class 'bool'>", "bool"):
        return bool
    words = set(re.findall(r"\w+", annotation)) - {"None", "class"}
    if words in ({"int"}, {"float"}):
        return int if words == {"int"} else float
    return Value(listed=annotation.startswith("collections.abc.Sequence"))


def _described(function: Owner) -> dict[str, tuple[str, str]]:
    """Return type and first sentence of each parameter, as the docstring has them."""
    text = inspect.cleandoc(function.__doc__ or "")
    parts = re.split(r"(?m)^(\w[\w ]*)\n-+\n", text)
    if "Parameters" not in parts:
        return {}
    section = parts[parts.index("Parameters") + 1]
    found = {}
    for names, kind, body in re.findall(r"(?m)^([\w, *]+?) : (.*)\n((?:[ \n].*\n?)*)", section):
        flat = " ".join(body.split())
        sentence = re.match(r"(.*?[^.]\.)(?: [A-Z`\"]|$)", flat)
        default = re.search(r"Default: [^.]*(?:\.\d[^.]*)*\.", flat)
        line = sentence.group(1) if sentence else flat
        if default and default.group() not in line:
            line += f" {default.group()}"
        for name in names.split(","):
            found[name.strip()] = kind, re.sub(r":math:|\\(?=\w)|`+", "", line)
    return found


def given_settings(context: click.Context, settings: Iterable[str]) -> dict[str, Any]:
    """Return the settings that the arguments or the file of settings give, by name."""
    source = click.core.ParameterSource.DEFAULT
    return {
        name: None if context.params[name] == "none" else context.params[name]
        for name in settings
        if context.get_parameter_source(name) != source
    }


def read_config(context: click.Context, _: click.Parameter, path: str | None) -> None:
    """Make the settings of a TOML file the defaults of the flags."""
    if path is None:
        return
    try:
        tomllib = import_module("tomllib")
    except ImportError:
        raise click.UsageError("--config needs Python 3.11 or newer, which reads TOML") from None
    try:
        with click.open_file(path, "rb") as file:
            entries = tomllib.load(file)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"{path} is no TOML: {error}") from None
    except OSError as error:
        raise click.BadParameter(f"{path}: {error.strerror}") from None
    flat: dict[str, Any] = {}
    for name, value in entries.items():
        nested = isinstance(value, dict) and name in ("encoder", "loss")
        parts = (
            {f"{name}_{key}": entry for key, entry in value.items()} if nested else {name: value}
        )
        flat |= {key.replace("-", "_"): entry for key, entry in parts.items()}
    known = {one.name: one for one in context.command.params if one.name and one.name != "config"}
    for name, value in flat.items():
        if name not in known:
            raise click.BadParameter(f"{path} has the setting {name!r}, which no flag has")
        if getattr(known[name], "multiple", False) and isinstance(value, str):
            flat[name] = [value]
    context.default_map = flat
