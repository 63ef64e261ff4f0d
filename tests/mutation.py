"""Which mistakes would the tests not notice? Make them one at a time and run the tests.

``python tests/mutation.py [--only TEXT] [--cpp]`` takes the mistakes in ``mutants.toml``, makes
each in a copy of the sources, runs the tests that are named beside it, and lists those that no test
noticed. Needs Python 3.11.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import tomllib

ROOT = Path(__file__).resolve().parent.parent
LEFT_OUT = (".git", "__pycache__", ".*_cache", "build", "dist", "_build")
TIMEOUT = 600  # seconds: a mutant that makes training endless is noticed too
PASSED, FAILED = 0, 1  # exit statuses of pytest
CRASHED = (-signal.SIGABRT, -signal.SIGFPE, -signal.SIGSEGV)  # any other: the tests did not run


@dataclass(frozen=True)
class Mutant:
    """A mistake: in a file, the text `old` becomes `new`."""

    what: str
    path: str
    old: str
    new: str
    tests: tuple[str, ...]

    @property
    def is_compiled(self) -> bool:
        """Whether the extension must be built for it."""
        return self.path.startswith("cpp/")

    def apply(self, text: str) -> str:
        """Return the text of the file with the mistake."""
        if text.count(self.old) != 1:
            raise ValueError(f"{self.path} has {self.old!r} {text.count(self.old)} times, not once")
        return text.replace(self.old, self.new)


def read_mutants(path: Path = ROOT / "tests/mutants.toml") -> list[Mutant]:
    """Return all mutants of a table."""
    return [
        Mutant(what, group["path"], old, new, tuple(group["tests"]))
        for group in tomllib.loads(path.read_text("utf-8"))["file"]
        for what, old, new in group["mutants"]
    ]


class Copy:
    """A copy of the sources in which to make mistakes.

    Parameters
    ----------
    root : Path
        The sources, with the extension built in ``python/sparsefm``.
    folder : Path
        Empty.
    """

    def __init__(self, root: Path, folder: Path) -> None:
        self._sources, self._build = folder / "sources", folder / "build"
        shutil.copytree(root, self._sources, ignore=shutil.ignore_patterns(*LEFT_OUT))
        # Compiled files are told apart by their time in seconds and their size: not well enough.
        self._environment = {
            **os.environ,
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": str(self._sources / "python"),
        }

    def test(self, tests: tuple[str, ...]) -> int | None:
        """Run tests until one fails; return pytest's exit status, None if they take too long."""
        options = ("-x", "-q", "-p", "no:cacheprovider", "-m", "")  # the slow ones, too
        return self._run(sys.executable, "-m", "pytest", *options, *tests)

    def try_mutant(self, mutant: Mutant) -> str:
        """Return what became of a mutant: "killed", "survived" or what went wrong instead."""
        path = self._sources / mutant.path
        original = path.read_text("utf-8")
        path.write_text(mutant.apply(original), "utf-8")
        try:
            if mutant.is_compiled and not self.build():
                return "does not compile"
            status = self.test(mutant.tests)
        finally:
            path.write_text(original, "utf-8")
        names = {PASSED: "survived", FAILED: "killed", None: "killed"}
        names |= dict.fromkeys(CRASHED, "killed")
        return names.get(status, f"tests did not run: status {status}")

    def build(self) -> bool:
        """Compile the extension for any processor, the fastest to build; use it from now on."""
        self._environment["SPARSEFM_ISA"] = "baseline"
        if not self._build.exists():
            import pybind11

            found = f"-Dpybind11_DIR={pybind11.get_cmake_dir()}"
            options = ("-DCMAKE_BUILD_TYPE=Release", f"-DPython_EXECUTABLE={sys.executable}", found)
            if self._run("cmake", "-S", ".", "-B", str(self._build), *options):
                return False
        if self._run("cmake", "--build", str(self._build), "--target", "_core_baseline"):
            return False
        library = f"_core_baseline{sysconfig.get_config_var('EXT_SUFFIX')}"
        shutil.copy(self._build / library, self._sources / "python/sparsefm" / library)
        return True

    def _run(self, *command: str) -> int | None:
        try:
            return subprocess.run(
                command,
                cwd=self._sources,
                env=self._environment,
                timeout=TIMEOUT,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            return None


def run(mutants: list[Mutant], root: Path = ROOT) -> dict[Mutant, str]:
    """Try mutants one after the other, tell of each, and return what became of them."""
    outcomes: dict[Mutant, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        copy = Copy(root, Path(folder))
        if any(mutant.is_compiled for mutant in mutants) and not copy.build():
            raise SystemExit("the sources do not compile as they are")
        tests = tuple(dict.fromkeys(test for mutant in mutants for test in mutant.tests))
        if copy.test(tests) != PASSED:
            raise SystemExit(f"tests fail as they are: {' '.join(tests)}")
        for mutant in mutants:
            started = time.monotonic()
            outcomes[mutant] = copy.try_mutant(mutant)
            seconds = f"{time.monotonic() - started:.0f} s"
            print(f"{outcomes[mutant]:10} {mutant.path}: {mutant.what} ({seconds})", flush=True)
    return outcomes


def main() -> None:
    """Try the mutants of the table; the exit status tells whether all were killed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="of mutants whose file or description has this")
    parser.add_argument("--cpp", action="store_true", help="those of the core, minutes each")
    parser.add_argument("--list", action="store_true", help="try none")
    options = parser.parse_args()
    mutants = [
        mutant
        for mutant in read_mutants()
        if mutant.is_compiled == options.cpp and options.only in f"{mutant.path}: {mutant.what}"
    ]
    if options.list:
        print("\n".join(f"{mutant.path}: {mutant.what}" for mutant in mutants))
        return
    outcomes = run(mutants)
    left = [mutant for mutant, outcome in outcomes.items() if outcome != "killed"]
    print(f"{len(mutants)} mutants, {len(mutants) - len(left)} killed")
    for mutant in left:
        print(f"{outcomes[mutant]}: {mutant.path}: {mutant.what}")
    sys.exit(bool(left))


if __name__ == "__main__":
    main()
