"""Categories and their output columns, in a mapping that is never changed."""

from itertools import chain

from sparsefm.encoding.tables import Value


class Vocabulary:
    """An immutable mapping from categories to output columns. Adding to it costs what is added.

    It is a sequence of dicts, each more than four times as large as the next. What is added becomes
    the last one, and dicts of similar size become one. So there are few dicts, and a category is
    copied a few times in all. The mapping that was added to shares the others.

    Parameters
    ----------
    *layers : dict of value to int
    """

    def __init__(self, *layers: dict[Value, int]) -> None:
        self._layers = layers

    def __len__(self) -> int:
        return sum(map(len, self._layers))

    @property
    def values(self) -> list[Value]:
        """The categories, in the order in which they were added."""
        return list(chain.from_iterable(self._layers))

    @property
    def columns(self) -> list[int]:
        """The output column of each category."""
        return [column for layer in self._layers for column in layer.values()]

    def example(self) -> Value:
        """Return one of the categories."""
        return next(chain.from_iterable(self._layers))

    def find(self, values: list[Value], default: int) -> list[int]:
        """Return the output column of each value, `default` where it is unknown."""
        found = [default] * len(values)
        for layer in self._layers:
            found = list(map(layer.get, values, found))
        return found

    def added(self, new: dict[Value, int]) -> "Vocabulary":
        """Return the mapping with more categories."""
        layers = [*self._layers, new] if new else [*self._layers]
        while len(layers) > 1 and 4 * len(layers[-1]) >= len(layers[-2]):
            layers[-2:] = [layers[-2] | layers[-1]]
        return Vocabulary(*layers)
