"""What users may rely on: ``public_api`` has a list of public names for each version.

The list of the version in ``pyproject.toml`` is the API as it is. After a change that is meant:
``python tests/test_public_api.py``, which writes it. The lists of earlier versions were released,
and stay as they are: what stands there works until it was deprecated for long enough
(``docs/stability.md``). Then ``public_api/broken.txt`` names it.
"""

import ast
import functools
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

MODULES = [
    "sparsefm",
    "sparsefm.datasets",
    "sparsefm.evaluation",
    "sparsefm.losses",
    "sparsefm.nn",
    "sparsefm.onnx",
    "sparsefm.plots",
]
FOLDER = Path(__file__).with_name("public_api")
BROKEN = FOLDER / "broken.txt"
PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"


def numbers(version: str) -> tuple[int, ...]:
    """Return the numbers of a version: 0.10.0 comes after 0.9.0."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def current_version() -> str:
    """Return the version that is worked on, without what marks it as unfinished."""
    match = re.search(r'(?m)^version = "(\d+\.\d+\.\d+)', PROJECT.read_text("utf-8"))
    assert match
    return match[1]


def current_list() -> Path:
    return FOLDER / f"{current_version()}.txt"


def released_lists() -> list[Path]:
    """Return the lists of the versions before the current one, oldest first."""
    lists = [path for path in FOLDER.glob("*.txt") if path != BROKEN]
    earlier = [path for path in lists if numbers(path.stem) < numbers(current_version())]
    return sorted(earlier, key=lambda path: numbers(path.stem))


def public_names(module: ModuleType) -> list[str]:
    """Return ``__all__``; of a module without it, the functions and classes that it defines.

    Of the losses it is the classes: functions are for other parts of the package.
    """
    if module.__name__ == "sparsefm.losses":
        return sorted(name for name in module.__all__ if inspect.isclass(getattr(module, name)))
    if hasattr(module, "__all__"):
        return sorted(module.__all__)
    return sorted(
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    )


class Verbatim(str):
    """A text whose representation is itself."""

    def __repr__(self) -> str:
        return str(self)


def written(default: Any) -> Any:
    """Return what is written for a default: no address, which is another in each process."""
    if default is inspect.Parameter.empty:
        return default
    text = repr(default)
    return Verbatim(f"<{type(default).__name__}>" if " at 0x" in text else text)


def parameters_of(function: Any) -> str:
    """Write a signature without its annotations."""
    try:
        signature = inspect.signature(function)
    except ValueError:  # an exception that takes what its builtin base takes
        return "(...)"
    parameters = [
        parameter.replace(annotation=parameter.empty, default=written(parameter.default))
        for parameter in signature.parameters.values()
    ]
    return str(signature.replace(parameters=parameters, return_annotation=signature.empty))


def members_of(cls: type) -> Iterator[str]:
    """Yield the public methods and attributes that this package gives to a class."""
    owners = [base for base in cls.__mro__ if base.__module__.split(".")[0] == "sparsefm"]
    members = {name: value for owner in reversed(owners) for name, value in vars(owner).items()}
    for name in sorted(members):
        member = members[name]
        if name.startswith("_") or type(member).__name__ == "RequestMethod":  # scikit-learn's own
            continue
        if isinstance(member, staticmethod | classmethod):
            member = getattr(cls, name)
        elif hasattr(member, "fn"):  # scikit-learn's available_if
            member = member.fn
        if isinstance(member, property | functools.cached_property):
            yield f"{name}: property"
        elif callable(member):
            yield f"{name}{parameters_of(member)}"
        else:
            yield f"{name}: attribute"


def public_api() -> Iterator[str]:
    """Yield the lines of the list."""
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        for name in public_names(module):
            full_name = f"{module_name}.{name}"
            value = getattr(module, name)
            if inspect.ismodule(value):
                yield f"{full_name}: module"
            elif inspect.isclass(value):
                yield f"class {full_name}{parameters_of(value)}"
                if module_name == "sparsefm.losses":  # users make losses, and pass them on
                    continue
                yield from (f"    {full_name}.{member}" for member in members_of(value))
            else:
                yield f"{full_name}{parameters_of(value)}"


def split(line: str) -> tuple[str, str]:
    """Return the name of a line, and what stands behind it: parameters or a kind."""
    match = re.match(r"(?:class )?([\w.]+)(.*)", line.strip())
    assert match, line
    return match[1], match[2]


def arguments(signature: str) -> tuple[list[str], dict[str, str | None], set[str]]:
    """Return the names by position, the default of every name, and which of * and ** there are.

    The default of a parameter that has none is None.
    """
    source = re.sub(r"<(\w+)>", r"'\1'", signature)
    (function,) = ast.parse(f"def f{source}: pass").body
    assert isinstance(function, ast.FunctionDef)
    args = function.args
    positional = [arg.arg for arg in (*args.posonlyargs, *args.args)]
    first = [None] * (len(positional) - len(args.defaults))
    values = [*first, *args.defaults, *args.kw_defaults]
    names = [*positional, *(arg.arg for arg in args.kwonlyargs)]
    written = [None if value is None else ast.unparse(value) for value in values]
    rest = {mark for mark, arg in (("*", args.vararg), ("**", args.kwarg)) if arg}
    return positional, dict(zip(names, written, strict=True)), rest


def breaks(old: str, new: str) -> str:
    """Return why code that was written for the line `old` fails with `new`; "" if it does not."""
    callable_now = new.startswith("(")
    if not old.startswith("("):
        module = (": module" in old, ": module" in new)
        return f"is no longer{old[1:]}" if callable_now or module[0] != module[1] else ""
    if not callable_now:
        return "can no longer be called"
    if "(...)" in (old, new):
        return ""
    positional, defaults, rest = arguments(old)
    positional_now, defaults_now, rest_now = arguments(new)
    if gone := [name for name in defaults if name not in defaults_now]:
        return f"no longer has {', '.join(gone)}"
    if positional != positional_now[: len(positional)]:
        return f"has another order of parameters: {new}"
    for name, default in defaults.items():
        if default not in (None, defaults_now[name]):
            return f"has another default of {name}: {defaults_now[name]} instead of {default}"
    if needed := [n for n, value in defaults_now.items() if value is None and n not in defaults]:
        return f"needs {', '.join(needed)}"
    return "" if rest <= rest_now else f"no longer takes any other parameters: {new}"


def broken_by(released: list[str], now: list[str]) -> dict[str, str]:
    """Return the names of a released list that work no longer, and why."""
    api = dict(split(line) for line in now)
    found = {}
    for name, behind in map(split, released):
        why = breaks(behind, api[name]) if name in api else "is gone"
        if why:
            found[name] = why
    return found


def broken_on_purpose(text: str) -> dict[str, str]:
    """Return the names of ``broken.txt``, and the version that broke each."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    matches = {line: re.fullmatch(r"(\d+\.\d+\.\d+) ([\w.]+): .+", line) for line in lines}
    assert all(matches.values()), [line for line, match in matches.items() if not match]
    return {match[2]: match[1] for match in matches.values() if match}


def test_the_public_api_is_the_one_listed():
    hint = "If that is meant, python tests/test_public_api.py writes the list, and"
    hint += " docs/stability.md says what to do if a released version has it."
    assert current_list().exists(), f"no list of version {current_version()}. {hint}"
    listed = current_list().read_text("utf-8").splitlines()
    found = list(public_api())
    gone = [f"- {line.strip()}" for line in listed if line not in found]
    new = [f"+ {line.strip()}" for line in found if line not in listed]
    assert found == listed, "\n".join(["the public API is another:", *gone, *new, hint])


def test_what_was_released_still_works():
    meant = broken_on_purpose(BROKEN.read_text("utf-8"))
    now = list(public_api())
    for path in released_lists():
        found = broken_by(path.read_text("utf-8").splitlines(), now)
        lines = [f"{name} {why}" for name, why in found.items() if name not in meant]
        assert not lines, "\n".join(
            [
                f"code that was written for version {path.stem} breaks:",
                *lines,
                "Keep it, with a FutureWarning, for as long as docs/stability.md says. After that, "
                f"name it in {BROKEN.name}.",
            ]
        )


def test_what_was_broken_on_purpose_was_released_before():
    released = {
        split(line)[0]: numbers(path.stem)
        for path in reversed(released_lists())
        for line in path.read_text("utf-8").splitlines()
    }
    for name, version in broken_on_purpose(BROKEN.read_text("utf-8")).items():
        assert name in released, f"{BROKEN.name} names {name}, which no released version has"
        assert numbers(version) > released[name]


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("f(a, b=1)", "f(a, b=1)", ""),
        ("f(a, b=1)", "f(a, b=1, *, c=2)", ""),
        ("f(a, b=1)", "f(a, b=1, c=2)", ""),
        ("f(a, *, b)", "f(a, *, b=None)", ""),
        ("f(a, *, b=1)", "f(a, b=1)", ""),
        ("f(a, *, b=<Adam>)", "f(a, *, b=<Adam>)", ""),
        ("f: attribute", "f: property", ""),
        ("class f(a)", "f(a)", ""),
        ("f(...)", "f(a)", ""),
        ("f(a)", "g(a)", "is gone"),
        ("f(a, b=1)", "f(a)", "no longer has b"),
        ("f(a, b=1)", "f(a, c=1)", "no longer has b"),
        ("f(a, b=1)", "f(a, b=2)", "has another default of b: 2 instead of 1"),
        ("f(a, b=1)", "f(a, b)", "has another default of b: None instead of 1"),
        ("f(a, *, b=<Adam>)", "f(a, *, b=<ALS>)", "has another default of b"),
        ("f(a, b=1)", "f(b=1, a=2)", "has another order of parameters"),
        ("f(a, b=1)", "f(a, *, b=1)", "has another order of parameters"),
        ("f(a)", "f(a, b)", "needs b"),
        ("f(a)", "f(a, *, b)", "needs b"),
        ("f(a, **kwargs)", "f(a)", "no longer takes any other parameters"),
        ("f(a)", "f: property", "can no longer be called"),
        ("f: attribute", "f(self)", "is no longer attribute"),
        ("f: module", "f: attribute", "is no longer module"),
    ],
)
def test_what_breaks_code_is_found(old, new, why):
    found = broken_by([old], [new])
    assert found.get("f", "").startswith(why)
    assert bool(found) == bool(why)


def test_the_whole_list_can_be_compared():
    now = list(public_api())
    assert broken_by(now, now) == {}
    fewer = [line for line in now if "sparsefm.load(" not in line]
    assert broken_by(now, fewer) == {"sparsefm.load": "is gone"}


def test_versions_are_ordered_by_their_numbers():
    assert numbers("0.10.0") > numbers("0.9.1")
    assert numbers("1.0.0.dev0") == (1, 0, 0)


def test_every_public_name_is_listed_by_dir():
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        assert set(public_names(module)) <= set(dir(module))


if __name__ == "__main__":
    lines = list(public_api())
    current_list().write_text("".join(f"{line}\n" for line in lines), "utf-8")
