"""Reading of sparse text files: megabytes a second of every side, in turns."""

import gzip
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import numpy as np

import sparsefm as fm
from bench import machine
from bench.table import show

ROWS, ENTRIES, FEATURES = 200_000, 20, 1_000_000
REPEATS = 7


def write(folder: Path, rows: int) -> dict[str, Path]:
    """Write rows as one-hot, with values, with fields and compressed; return the paths."""
    rng = np.random.default_rng(0)
    step = FEATURES // ENTRIES  # one feature of each block, as in one-hot data
    columns = rng.integers(0, step, (rows, ENTRIES)) + step * np.arange(ENTRIES) + 1
    values = rng.normal(size=(rows, ENTRIES))
    labels = rng.integers(0, 2, rows)
    texts = {
        "one-hot": lambda field, index, _: f"{index}:1",
        "values": lambda field, index, value: f"{index}:{value:.6g}",
        "libffm": lambda field, index, _: f"{field}:{index}:1",
    }
    paths = {}
    for name, entry in texts.items():
        paths[name] = folder / name
        with paths[name].open("w") as file:
            for label, row, numbers in zip(labels, columns.tolist(), values.tolist(), strict=True):
                parts = map(entry, range(ENTRIES), row, numbers)
                file.write(f"{label} {' '.join(parts)}\n")
    paths["one-hot, gzip"] = folder / "one-hot.gz"
    with gzip.open(paths["one-hot, gzip"], "wb", 6) as packed:
        packed.write(paths["one-hot"].read_bytes())
    return paths


def lines(path: str) -> Iterator[bytes]:
    """Yield the lines of a file."""
    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as file:
        yield from file


def sides() -> dict[str, Callable[[str], Any]]:
    """Return who reads."""
    from sklearn.datasets import load_svmlight_file

    found: dict[str, Callable[[str], Any]] = {
        f"sparsefm, {threads} threads": lambda path, threads=threads: fm.read(
            path, n_threads=threads
        )
        for threads in machine.thread_counts()
    }
    found["scikit-learn"] = lambda path: load_svmlight_file(path, dtype=np.float32)
    if find_spec("svmlight_loader"):
        from svmlight_loader import classification_from_lines

        found["svmlight-loader"] = lambda path: classification_from_lines(lines(path))
    return found


def measure(path: Path, size: int, repeats: int) -> list[float | None]:
    """Return the median speed of each side, in megabytes of text a second; None: it cannot."""
    readers = sides()
    if path.name == "libffm":
        readers = {name: read for name, read in readers.items() if name.startswith("sparsefm")}
    seconds: dict[str, list[float]] = {name: [] for name in sides()}
    for _ in range(repeats):
        for name, read in readers.items():
            started = time.perf_counter()
            read(str(path))
            seconds[name].append(time.perf_counter() - started)
    return [size / 1e6 / float(np.median(times)) if times else None for times in seconds.values()]


@click.command()
@click.option("--quick", is_flag=True, help="Small data, to see that it works.")
def files(quick: bool) -> None:
    """Read sparse text files of 20 entries a row, a million features."""
    click.echo(machine.describe())
    click.echo(f"\nload {machine.load()}")
    rows = ROWS // 100 if quick else ROWS
    with tempfile.TemporaryDirectory() as name:
        paths = write(Path(name), rows)
        results = []
        for kind, path in paths.items():
            text = paths["one-hot"] if path.suffix == ".gz" else path
            size = text.stat().st_size
            speeds = measure(path, size, 1 if quick else REPEATS)
            results.append([kind, f"{size / 1e6:.0f}", *speeds])
        show(f"Reading, {rows:,} rows, MB of text a second", ["file", "MB", *sides()], results)
