"""What a side has reached on a data set, kept in files of JSON: slow sides need not run again."""

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np

from bench.datasets import DataSet

DIGITS = 6  # of a loss in a file


@dataclass(frozen=True, eq=False)
class Result:
    """The loss of each test row, and the seconds of training and prediction."""

    losses: np.ndarray
    seconds: float


class Results:
    """A folder with a file for each data set, its seed and a side.

    A file of another version of the side, or of other data, counts for nothing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, data: DataSet, side: str, version: str) -> Result | None:
        """Return what was kept."""
        try:
            kept = json.loads(self._file(data, side).read_text())
        except FileNotFoundError:
            return None
        if kept["version"] != version or kept["data"] != fingerprint(data):
            return None
        return Result(np.array(kept["losses"]), kept["seconds"])

    def keep(self, data: DataSet, side: str, version: str, result: Result) -> None:
        """Write a file."""
        losses = [float(f"{loss:.{DIGITS}g}") for loss in result.losses]
        kept = {"version": version, "data": fingerprint(data), "seconds": result.seconds}
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._file(data, side)
        # Nobody reads half a file, whatever runs beside.
        half = file.with_suffix(".part")
        half.write_text(json.dumps(kept | {"losses": losses}) + "\n")
        half.replace(file)

    def _file(self, data: DataSet, side: str) -> Path:
        return self._folder / f"{data.name}-{data.seed}-{side}.json"


def fingerprint(data: DataSet) -> str:
    """Return what changes when the data do: of the targets and the shapes."""
    found = sha256(f"{type(data.X_train).__name__} {data.X_train.shape}".encode())
    for y in (data.y_train, data.y_test):
        found.update(np.ascontiguousarray(y).tobytes())
    return found.hexdigest()[:16]
