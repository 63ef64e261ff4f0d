"""Names in plots: short enough, so that the column and the value can both be read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.plots.label_placement import shorten

DIGITS = 4  # of a number in a name, or more where numbers would look the same


def shorten_pair(column: str, value: str, width: int) -> str:
    """Return a column and a value one after the other; each keeps about half of the width."""
    column = shorten(column, max(width - len(value), width // 2))
    return column + shorten(value, width - len(column))


class FeatureLabels:
    """Short labels for the features of a fitted encoder.

    Parameters
    ----------
    encoder : TableEncoder
    """

    def __init__(self, encoder: Any) -> None:
        self.names = np.asarray(encoder.get_feature_names_out(), object)
        self.fields = np.asarray(encoder.fields_)
        self.field_names = list(map(str, encoder.field_names_))
        self._encodings = encoder._encodings

    def of(self, names: Iterable[str], width: int) -> list[str]:
        """Return a label for each of some names of features."""
        names = list(names)
        places = np.flatnonzero(np.isin(self.names, names))
        label = {}
        for place in places.tolist():
            field = self.field_names[self.fields[place]]
            label[self.names[place]] = shorten_pair(field, self.value(place), width)
        return [label[name] for name in names]

    def value(self, place: int) -> str:
        """Return what stands after the name of the field, such as "=Rome", or nothing."""
        from sparsefm.encoding.intervals import Bins, Spline, places_of

        field = self.fields[place]
        encoding = None if self._encodings is None else self._encodings[field]
        if isinstance(encoding, Bins) and place != encoding.missing:
            return interval(encoding.edges, int(places_of(encoding, place)))
        if isinstance(encoding, Spline) and place != encoding.missing:
            return "@" + numbers(encoding.knots)[int(places_of(encoding, place))]
        return str(self.names[place]).removeprefix(self.field_names[field])


def interval(edges: npt.NDArray[np.float64], bin: int) -> str:
    """Return the values of a bin: "=2" of whole numbers, "<8", or " in [8, 9.5)".

    Edges are values of the column. If all are whole, so are its values, as a rule; and if the first
    is 1, less than a bin's share of them is below 0, as of counts.
    """
    shown = numbers(edges)
    if len(edges) == 0:
        return ""
    is_whole = bool(np.all(edges == np.floor(edges))) and bool(np.all(np.abs(edges) < 2**53))
    if bin == 0:
        if not is_whole:
            return f"<{shown[0]}"
        return "=0" if edges[0] == 1 else f"≤{edges[0] - 1:.0f}"
    if bin == len(edges):
        return f"≥{shown[-1]}"
    begin, end = edges[bin - 1 : bin + 1]
    if not is_whole:
        return f" in [{shown[bin - 1]}, {shown[bin]})"
    return f"={begin:.0f}" if end == begin + 1 else f"={begin:.0f} to {end - 1:.0f}"


def numbers(values: npt.NDArray[np.float64]) -> list[str]:
    """Return numbers as text, with few digits but no two of them the same."""
    for digits in range(DIGITS, 18):
        texts = [_number(value, digits) for value in values.tolist()]
        if len(set(texts)) == len(texts):
            break
    return texts


def _number(value: float, digits: int) -> str:
    return f"{value:.0f}" if value.is_integer() and abs(value) < 1e9 else f"{value:.{digits}g}"
