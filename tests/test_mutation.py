"""The table of mutants fits the sources, and the script tells the killed from the survivors."""

import re

import pytest

pytest.importorskip("tomllib", reason="new in Python 3.11")

from mutation import ROOT, Copy, Mutant, read_mutants, run

MUTANTS = read_mutants()


def test_every_mutant_fits_its_file():
    for mutant in MUTANTS:
        text = (ROOT / mutant.path).read_text("utf-8")
        assert mutant.apply(text) != text
        for test in mutant.tests:
            assert (ROOT / test).exists(), test
    assert len(MUTANTS) >= 100
    assert len({(mutant.path, mutant.what) for mutant in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize("old", ["no such text", "return"])
def test_a_text_that_is_there_twice_or_never_is_an_error(old):
    mutant = Mutant("", "a.py", old, "pass", ())
    with pytest.raises(ValueError, match=f"a.py has '{old}' [02] times, not once"):
        mutant.apply("return a\nreturn b\n")


SOURCE = "def double(x):\n    return 2 * x\n\n\ndef half(x):\n    return x / 2\n"
TEST = "from toy import double\n\n\ndef test_double():\n    assert double(3) == 6\n"


def mutant(what, old, new):
    return Mutant(what, "python/toy.py", old, new, ("tests/test_toy.py",))


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """Return a folder with a package of which half is tested."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # most of the time of so little
    root = tmp_path / "root"
    for name, text in {"python/toy.py": SOURCE, "tests/test_toy.py": TEST}.items():
        (root / name).parent.mkdir(parents=True)
        (root / name).write_text(text, "utf-8")
    return root


def test_killed_and_survived(toy, capsys):
    mutants = {
        mutant("triples", "2 * x", "3 * x"): "killed",
        mutant("does not halve", "x / 2", "x / 3"): "survived",
        mutant("same size", "2 * x", "4 * x"): "killed",
    }
    assert run(list(mutants), toy) == mutants
    lines = capsys.readouterr().out.splitlines()
    assert [re.sub(r"\d+ s", "", line) for line in lines] == [
        "killed     python/toy.py: triples ()",
        "survived   python/toy.py: does not halve ()",
        "killed     python/toy.py: same size ()",
    ]
    assert (toy / "python/toy.py").read_text("utf-8") == SOURCE


def test_tests_that_do_not_run_kill_nothing(toy, tmp_path):
    broken = mutant("no Python", "def half", "def def half")
    (tmp_path / "copy").mkdir()
    assert Copy(toy, tmp_path / "copy").try_mutant(broken) == "tests did not run: status 2"


def test_tests_that_fail_as_they_are_are_an_error(toy):
    (toy / "tests/test_toy.py").write_text(TEST.replace("6", "7"), "utf-8")
    with pytest.raises(SystemExit, match="tests fail as they are"):
        run([mutant("triples", "2 * x", "3 * x")], toy)
