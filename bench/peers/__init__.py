"""The sides of the comparisons: one module each, all with the same names in it.

NAME, DISTRIBUTION : str
    What it is called, and what is installed from PyPI for it.
NOTE : str
    What is measured, where that is not the same as for the others.
THREADED : bool
    Whether it can use more than one thread.
MAX_ROWS : int or None
    How many rows the throughput is measured on, if all would take minutes.
GRID : list of dict
    Settings to choose from in `bench.quality`; empty if it takes no part there.
epochs(data, rank, epochs, threads, settings) -> iterator of (seconds, loss)
    Train; after each epoch give the seconds of training so far and the validation log loss.
    Converting the data and computing the loss are not counted. Settings are batch, learning_rate
    and, where the side has them, optimizer, epsilon, l2 and updates.
"""

from types import ModuleType

from bench.machine import version_of
from bench.peers import lightfm_, modern_fm_, ours, river_, sgd, torch_fm, vowpal

SIDES: dict[str, ModuleType] = {
    side.NAME: side for side in (ours, modern_fm_, torch_fm, vowpal, lightfm_, river_, sgd)
}


def installed() -> dict[str, ModuleType]:
    """Return the sides that can be run here."""
    return {name: side for name, side in SIDES.items() if version_of(side.DISTRIBUTION)}


def status() -> list[list[str]]:
    """Return name, version and note of every side, installed or not."""
    rows = []
    for name, side in SIDES.items():
        found = version_of(side.DISTRIBUTION)
        missing = f"not installed here (pip install {side.DISTRIBUTION}): not measured"
        rows.append([name, found or "-", side.NOTE if found else missing])
    return rows
