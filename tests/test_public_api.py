"""What users may rely on: every public name, with its parameters, stands in ``public_api.txt``.

After a change that is meant: ``python tests/test_public_api.py > tests/public_api.txt``.
"""

import functools
import importlib
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

MODULES = ["sparsefm", "sparsefm.datasets", "sparsefm.nn", "sparsefm.plots"]
LISTED = Path(__file__).with_name("public_api.txt")


def public_names(module: ModuleType) -> list[str]:
    """Return ``__all__``; of a module without it, the functions and classes that it defines."""
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
                yield from (f"    {full_name}.{member}" for member in members_of(value))
            else:
                yield f"{full_name}{parameters_of(value)}"


def test_the_public_api_is_the_one_listed():
    listed = LISTED.read_text("utf-8").splitlines()
    found = list(public_api())
    gone = [f"- {line.strip()}" for line in listed if line not in found]
    new = [f"+ {line.strip()}" for line in found if line not in listed]
    hint = "If that is meant: python tests/test_public_api.py > tests/public_api.txt"
    assert found == listed, "\n".join(["the public API is another:", *gone, *new, hint])


def test_every_public_name_is_listed_by_dir():
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        assert set(public_names(module)) <= set(dir(module))


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in public_api())
