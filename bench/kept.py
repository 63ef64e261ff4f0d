"""What was computed, kept in a file with a line of JSON for each, so that it need not run again."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Kept:
    """A file of results; several processes may write to it. Without a file nothing is kept.

    The file says nothing of versions: delete it where they change.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        lines = file.read_text().splitlines() if file and file.exists() else []
        self._found = {json.dumps(key): found for key, found in map(json.loads, lines)}

    def get(self, key: list[Any], compute: Callable[[], Any]) -> Any:
        """Return what was kept for a key, or compute it and keep it."""
        name = json.dumps(key)
        if name not in self._found:
            self._found[name] = compute()
            if self._file:
                with self._file.open("a") as file:
                    file.write(json.dumps([key, self._found[name]]) + "\n")
        return self._found[name]
