"""Labels in a plot: short enough, and without overlap."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = npt.NDArray[Any]

# Positions of a name beside its point, best first: direction, horizontal and vertical alignment.
PLACES = (
    (1, 0, "left", "center"),
    (-1, 0, "right", "center"),
    (0, 1, "center", "bottom"),
    (0, -1, "center", "top"),
    (0.7, 0.7, "left", "bottom"),
    (-0.7, 0.7, "right", "bottom"),
    (0.7, -0.7, "left", "top"),
    (-0.7, -0.7, "right", "top"),
)


def shorten(name: str, width: int) -> str:
    """Return `name` in one line; its beginning and end if it has more than `width` characters."""
    if not name.isprintable():
        name = " ".join(name.split())
    if len(name) <= width:
        return name
    end = (width - 1) // 3
    return f"{name[: width - 1 - end].rstrip()}…{name[len(name) - end :].lstrip()}"


def place_labels(axes: Axes, points: Array, sizes: Array, names: Sequence[str], most: int) -> None:
    """Write names beside points, in order; leave out names that do not fit.

    Parameters
    ----------
    axes : Axes
        With their final size and limits.
    points : ndarray of shape (n, 2)
        In data coordinates.
    sizes : ndarray of shape (n,)
        Areas of the markers in square points, as for ``scatter``.
    names : sequence of str, length n
    most : int
        The largest number of names to write; four times as many points are tried.
    """
    from matplotlib.patheffects import withStroke

    figure: Any = axes.figure
    figure.draw_without_rendering()  # fixes the layout and the limits
    renderer = figure.canvas.get_renderer()
    centers, radii = axes.transData.transform(points), np.sqrt(sizes / np.pi)
    pixels = radii[:, None] * figure.dpi / 72
    frame = _corners(axes.get_window_extent(renderer))
    halo = [withStroke(linewidth=2, foreground="white")]
    written = np.empty((0, 4))
    for n in range(min(4 * most, len(names))):
        # It is best to overlap no marker; in a crowd, not the inner half of any.
        for part, place in product((1.0, 0.5), PLACES):
            text = _write(axes, names[n], points[n], radii[n] + 2, place)
            box = _corners(text.get_window_extent(renderer))
            markers = np.hstack([centers - part * pixels, centers + part * pixels])
            markers[n] = np.nan  # its own
            inside = (box[:2] >= frame[:2]).all() and (box[2:] <= frame[2:]).all()
            if inside and not (_meets(box, written) or _meets(box, markers)):
                text.set_path_effects(halo)
                written = np.vstack([written, box])
                break
            text.remove()
        if len(written) == most:
            return


def _write(axes: Axes, name: str, point: Array, distance: float, place: tuple[Any, ...]) -> Any:
    """Write a name in one of `PLACES`, at a distance in points from its marker's center."""
    x, y, horizontal, vertical = place
    text = axes.annotate(
        name,
        (point[0], point[1]),
        xytext=(x * distance, y * distance),
        textcoords="offset points",
        ha=horizontal,
        va=vertical,
        fontsize="small",
        parse_math=False,
    )
    text.set_in_layout(False)  # it must not change the layout that it was placed in
    return text


def _corners(box: Any) -> Array:
    return np.array([box.x0, box.y0, box.x1, box.y1])


def _meets(box: Array, others: Array) -> bool:
    """Return whether a box (x0, y0, x1, y1) meets one of the others, shape (n, 4)."""
    return bool(((box[2:] > others[:, :2]) & (box[:2] < others[:, 2:])).all(axis=1).any())
