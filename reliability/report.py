"""How long a promise is tried, and what came of it."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Budget:
    """How often to try, how long at most, and with which random numbers.

    Iterating yields 0, 1, 2 and so on until the count or the time is used up.
    """

    count: int
    seconds: float
    seed: int = 0

    def __iter__(self) -> Iterator[int]:
        begun = time.monotonic()
        for number in range(self.count):
            if time.monotonic() - begun > self.seconds:
                return
            yield number


@dataclass
class Report:
    """What was tried, how each try ended, and what must not be."""

    outcomes: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    figures: list[str] = field(default_factory=list)

    def add(self, outcome: str, tries: int = 1) -> None:
        """Count a try that ended as it should."""
        self.outcomes[outcome] += tries

    def find(self, finding: str) -> None:
        """Note a try that did not."""
        self.outcomes["finding"] += 1
        self.findings.append(finding)

    def row(self, name: str, seconds: float) -> str:
        """Return a row of a Markdown table."""
        ends = [f"{count:,} {end}" for end, count in self.outcomes.most_common() if count]
        cells = [name, f"{self.outcomes.total():,}", "; ".join(ends + self.figures)]
        return f"| {' | '.join([*cells, str(len(self.findings)), f'{seconds:.0f}'])} |"


HEADER = "| promise | tries | how they ended | findings | seconds |\n|---|---|---|---|---|"
