"""Build self-contained wheels and try each: ``python .ci/wheel.py [--torch] [PYTHON ...]``.

For each interpreter: source distribution, wheel, ``auditwheel repair`` (which puts OpenMP's library
inside), then an environment that has no compiler, in which every level of the instruction set
trains, beside the OpenMP of others and after a fork; and with ``qemu-x86_64``, if there is one, on
an old processor. The wheels are left in ``dist/``.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from itertools import product
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).resolve().parent.parent
SMOKE = ROOT / ".ci/smoke.py"
LEVELS = ("baseline", "v3", "v4")
OLD = "Nehalem"  # of 2008, x86-64-v2: what NumPy 2 needs; sparsefm itself runs on any x86-64
FOREIGN = ("LD_LIBRARY_PATH", "LD_PRELOAD", "PYTHONHOME", "PYTHONPATH", "SPARSEFM_ISA")

SCENARIOS = [
    "train fork train",
    "sklearn fork train",
    "sklearn train fork train fork train",
    "train sklearn train",
]
WITH_TORCH = [
    "torch train sklearn train torch",
    "train torch sklearn train",
    "torch train fork train",
    "torch fork train",
]


def run(*command: object, **options: object) -> str:
    """Run a command; return what it prints."""
    done = subprocess.run(
        [str(part) for part in command], stdout=subprocess.PIPE, text=True, check=False, **options
    )
    if done.returncode:
        sys.exit(f"{done.stdout}\nexit status {done.returncode}: {' '.join(map(str, command))}")
    return done.stdout


def environment(python: str, folder: Path) -> Path:
    """Make a virtual environment; return its folder of commands."""
    run(python, "-m", "venv", folder)
    run(folder / "bin/python", "-m", "pip", "install", "--quiet", "--upgrade", "pip")
    return folder / "bin"


def build(python: str, scratch: Path) -> Path:
    """Return a repaired wheel, in ``dist``."""
    tools = environment(python, scratch / "tools")
    run(tools / "pip", "install", "--quiet", "--group", f"{ROOT}/pyproject.toml:wheel")
    run(tools / "python", "-m", "build", "--outdir", scratch, ROOT)
    (raw,) = scratch.glob("*.whl")
    with_tools = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    repair = (tools / "auditwheel", "repair", "--wheel-dir", scratch / "repaired", raw)
    run(*repair, env=with_tools)
    (repaired,) = (scratch / "repaired").iterdir()
    (ROOT / "dist").mkdir(exist_ok=True)
    return repaired.replace(ROOT / "dist" / repaired.name)


def check_contents(wheel: Path) -> None:
    """See that a wheel holds every level, OpenMP's library with its license, and nothing else."""
    names = [name for name in ZipFile(wheel).namelist() if not name.endswith("/")]
    modules = {match[1] for name in names if (match := re.match(r"sparsefm/(_c\w+)\..*so$", name))}
    assert modules == {"_cpu", *(f"_core_{level}" for level in LEVELS)}, modules
    libraries = [name for name in names if name.startswith("sparsefm.libs/")]
    assert [name.split("-")[0] for name in libraries] == ["sparsefm.libs/libgomp"], libraries
    assert any(name.endswith("LICENSES-BUNDLED.md") for name in names)
    known = r"sparsefm/[\w/]+\.(py|pyi|typed|cpython.*so)$|sparsefm-[^/]*\.dist-info/"
    unknown = [name for name in names if not re.match(known, name) and name not in libraries]
    assert not unknown, unknown
    assert "-manylinux_" in wheel.name, "auditwheel found no manylinux tag for it"


def check_installed(python: str, wheel: Path, scratch: Path, with_torch: bool) -> None:
    """Install the wheel where there is no compiler, and train."""
    commands = environment(python, scratch / "clean")
    clean = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    # Told the number of threads, scikit-learn does not ask a command how many cores there are.
    clean |= {"PATH": str(commands), "OMP_NUM_THREADS": "2"}
    (scratch / "empty").mkdir()
    here = {"cwd": scratch / "empty", "env": clean}
    install = (commands / "pip", "install", "--quiet", "--only-binary=:all:", wheel)
    run(*install, *["torch"] * with_torch, **here)
    print(f"  {run(commands / 'python', '-I', SMOKE, 'papers', **here)}", end="", flush=True)
    tell = "from sparsefm import _core; print(*_core.isa_levels)"
    levels = run(commands / "python", "-c", tell, **here).split()
    print(f"  levels here: {' '.join(levels)}")
    for level, scenario in product(levels, SCENARIOS + WITH_TORCH * with_torch):
        here["env"] = {**clean, "SPARSEFM_ISA": level}
        done = run(commands / "python", "-I", SMOKE, *scenario.split(), **here)
        assert f": {level}, " in done
        print(f"  {done}", end="", flush=True)
    if emulator := shutil.which("qemu-x86_64"):
        here["env"] = clean
        done = run(emulator, "-cpu", OLD, commands / "python", "-I", SMOKE, "train", **here)
        assert ": baseline, " in done
        print(f"  {OLD}: {done}", end="", flush=True)


def main() -> None:
    """Build for every interpreter that was named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pythons", nargs="*", default=[sys.executable], metavar="PYTHON")
    parser.add_argument("--torch", action="store_true", help="try it beside PyTorch too")
    options = parser.parse_args()
    for python in options.pythons:
        with tempfile.TemporaryDirectory() as folder:
            wheel = build(python, Path(folder))
            print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.2f} MB", flush=True)
            check_contents(wheel)
            check_installed(python, wheel, Path(folder), options.torch)


if __name__ == "__main__":
    main()
