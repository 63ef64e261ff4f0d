"""A dict that never changes, for parameters of objects that never change either."""

from collections.abc import Iterator, Mapping
from typing import Any


class Frozen(Mapping[Any, Any]):
    """The entries of a mapping, as they are now. It equals a dict that has the same, and prints so.

    Parameters
    ----------
    entries : mapping
    """

    __slots__ = ("_entries",)

    def __init__(self, entries: Mapping[Any, Any]) -> None:
        self._entries = dict(entries)

    def __getitem__(self, key: Any) -> Any:
        return self._entries[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __hash__(self) -> int:
        return hash(frozenset(self._entries.items()))

    def __repr__(self) -> str:
        return repr(self._entries)
