"""Rules of the codebase: which way the arrows point, how large files get, what stays out."""

import ast
import graphlib
import re
import subprocess
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CORE, BINDINGS, PACKAGE = ROOT / "cpp/core", ROOT / "cpp/bindings", ROOT / "python/sparsefm"

if not (CORE.is_dir() and BINDINGS.is_dir() and PACKAGE.is_dir()):
    pytest.skip("the sources are not beside the tests", allow_module_level=True)

CPP = sorted(path for path in (ROOT / "cpp").rglob("*") if path.suffix in (".hpp", ".cpp"))
PYTHON = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted(Path(__file__).parent.rglob("*.py"))


def name(path):
    return path.relative_to(ROOT).as_posix()


def code(path):
    """Return a C++ file without its comments."""
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", path.read_text("utf-8"), flags=re.DOTALL)


def includes(path):
    return re.findall(r'#\s*include\s*[<"]([^>"]+)[>"]', code(path))


def test_there_is_something_to_check():
    assert {
        "cpp/core/solvers/trainer.cpp",
        "cpp/core/parallel.hpp",
        "cpp/bindings/module.cpp",
    } <= set(map(name, CPP))
    assert "row_pass.hpp" in includes(CORE / "solvers/minibatch.hpp")
    assert "../core/solvers/trainer.hpp" in includes(BINDINGS / "bind_training.cpp")
    assert PACKAGE / "training/train.py" in PYTHON


# --- arrows -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [path for path in CPP if CORE in path.parents], ids=name)
def test_the_core_knows_neither_python_nor_its_bindings(path):
    for include in includes(path):
        assert not re.search(r"python|pybind11|numpy|nanobind|bindings", include, re.IGNORECASE)
        if (path.parent / include).exists():
            assert CORE in (path.parent / include).resolve().parents
    assert not re.search(r"\bpy::|\bPy[A-Z_]\w*\(", code(path))


@pytest.mark.parametrize("path", CPP, ids=name)
def test_one_file_knows_how_threads_are_made(path):
    threading = r"omp\.h|#\s*pragma\s+omp|\bomp_\w+\(|std::j?thread\b|<thread>|<future>|std::async"
    assert bool(re.search(threading, code(path))) == (path == CORE / "parallel.hpp")


@pytest.mark.parametrize("path", PYTHON, ids=name)
def test_one_module_knows_the_extension_modules(path):
    extension = r"sparsefm\._core_|import _core_|_core_(baseline|v\d)|\b_cpu\b"
    assert bool(re.search(extension, path.read_text("utf-8"))) == (path.name == "_core.py")


def imports(path):
    """Return the modules of the package that a file imports, late and for type checking, too."""
    modules = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            modules |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {module for module in modules if module.split(".")[0] == "sparsefm"}


# Each part of the package, a folder or a module, imports only parts that stand before it.
ORDER = (
    *("_cpu", "_core", "errors", "interrupts", "history", "io", "data", "threads", "files"),
    "snapshots",
    *(
        "losses",
        "optimizers",
        "interaction",
        "model",
        "field_model",
        "field_aware_model",
        "nn",
        "sampling",
        "scorer",
        "training",
        "tuning",
        "encoding",
        "inspection",
    ),
    *(
        "evaluation",
        "plots",
        "estimators",
        "retrieval",
        "ranking",
        "distributed",
        "dask",
        "loading",
        "onnx",
        "versions",
        "__init__",
        "spark",
        "datasets",
        "cli",
        "__main__",
    ),
)


def part_of(module):
    """Return the folder, or the module, of the package that a dotted name belongs to."""
    names = module.split(".")
    return names[1] if len(names) > 1 and names[1] in ORDER else "__init__"


def test_every_part_of_the_package_has_its_place():
    parts = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in PYTHON}
    assert parts | {"_cpu"} == set(ORDER)


@pytest.mark.parametrize("path", PYTHON, ids=name)
def test_arrows_point_to_parts_that_stand_before(path):
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for module in imports(path):
        assert ORDER.index(part_of(module)) <= ORDER.index(own), f"{own} imports {module}"


def test_no_module_imports_itself_by_a_detour():
    modules = {
        ".".join(("sparsefm", *path.relative_to(PACKAGE).with_suffix("").parts)): path
        for path in PYTHON
    }
    modules = {module.removesuffix(".__init__"): path for module, path in modules.items()}
    arrows = {
        module: {
            target if target in modules else target.rpartition(".")[0] for target in imports(path)
        }
        - {module, "sparsefm"}
        for module, path in modules.items()
    }
    order = list(graphlib.TopologicalSorter(arrows).static_order())  # or CycleError
    assert set(modules) <= set(order)


def test_only_the_package_itself_imports_what_loads_files():
    assert imports(PACKAGE / "loading.py")
    for path in PYTHON:
        loads = any(module.startswith("sparsefm.loading") for module in imports(path))
        assert loads == (path == PACKAGE / "__init__.py")


def test_the_page_of_the_architecture_is_the_house_as_it_is():
    page = ROOT / "docs/architecture.md"
    if not page.exists():
        pytest.skip("the documentation is not beside the tests")
    python, core = page.read_text("utf-8").split("## The folders of the core")

    def first_cells(text):
        cells = re.findall(r"(?m)^\| (`[^|]*`) \|", text)
        return [entry.rstrip("/") for cell in cells for entry in re.findall(r"`([^`]+)`", cell)]

    listed = first_cells(python)
    assert sorted(listed) == sorted(set(ORDER) - {"_cpu", "versions", "__init__"})
    assert listed == sorted(listed, key=ORDER.index)  # in the order of the arrows
    found = {path.name.split(".")[0] for path in CORE.iterdir()} - {"README", "build"}
    assert set(first_cells(core.split("**Interactions.**")[0])) == found


# --- the build ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["CMakeLists.txt", "pyproject.toml"])
def test_no_flag_ties_the_build_to_one_machine_or_bends_arithmetic(path):
    text = re.sub(r"(?m)#.*$", "", (ROOT / path).read_text("utf-8"))
    for flag in ("-march=native", "-mtune=native", "-ffast-math", "-Ofast", "-funsafe-math"):
        assert flag not in text
    assert "-fno-math-errno" in text or path == "pyproject.toml"  # it is where flags are


def test_versions_agree():
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    (version,) = re.findall(r'(?m)^version = "(.+)"$', project)
    assert metadata.version("sparsefm") == version


# --- files --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", CPP + PYTHON + TESTS, ids=name)
def test_files_stay_short(path):
    limit = 300 if path.suffix == ".hpp" else 400
    assert len(path.read_text("utf-8").splitlines()) <= limit


@pytest.mark.parametrize("path", [path for path in CPP if path.suffix == ".hpp"], ids=name)
def test_headers_may_be_included_twice(path):
    assert code(path).count("#pragma once") == 1


def test_no_file_mentions_somebody_s_machine():
    git = ["git", "-C", str(ROOT), "ls-files", "-z"]
    try:
        tracked = subprocess.run(git, capture_output=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        pytest.skip("not a git checkout")
    machine = re.compile(rb"(?<![\w.>/-])/(home|root|tmp|work|Users|mnt)/\w|[A-Z]:\\Users\\")
    paths = [ROOT / path for path in tracked.decode().split("\0") if path]
    found = [
        f"{name(path)}: {match[0].decode()}"
        for path in paths
        if path.is_file() and path != Path(__file__).resolve()
        for match in machine.finditer(path.read_bytes())
        if b"\0" not in path.read_bytes()
    ]
    assert CORE / "types.hpp" in paths
    assert not found
    assert machine.search(b"cd /home/somebody")
    assert not machine.search(b"example.org/home/page")
