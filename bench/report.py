"""What ``python -m bench defaults`` prints: tables by data set, and what must be reached."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import click

from bench.comparison import Comparison
from bench.datasets import REGISTRY
from bench.sides import BOOSTING, CEILING, HELD_OUT, LINEAR, NAMES, OURS
from bench.table import show

NEAR, FAR = 0.01, 0.03  # of the best: on most sets; on every one
WORSE_THAN_BOOSTING = 0.02
SPREAD = 0.01
LEARNABLE = 0.02  # what the ceiling gains on linear, as a share, to be worth a word
NESTED = re.compile(r"(nested_\w+)_1e(\d)")

Found = Mapping[str, Comparison]


def report(found: Found) -> None:
    """Print everything."""
    titles = [side for side in NAMES if any(side in had.losses for had in found.values())]
    header = ["data set", "rows x columns", *(side for side in titles if side != HELD_OUT)]
    header += [f"{OURS} - {other}" for other in (LINEAR, CEILING, BOOSTING)]
    header += ["spread", "eval_set: change", "spread", "s"]
    title = "Predictions with defaults: RMSE for regression, else log loss, of the test rows"
    show(title, header, [_row(name, titles, had) for name, had in found.items()])
    rows = [[name, *(had.seconds.get(side) for side in titles)] for name, had in found.items()]
    show("Seconds of training and prediction", ["data set", *titles], rows)
    _show_notes(found)
    groups: dict[str, dict[str, Comparison]] = defaultdict(dict)
    for name, comparison in found.items():
        groups[REGISTRY[name].group][name] = comparison
    for group, members in groups.items():
        click.echo(f"\n**{group}**\n")
        for line in summary(members):
            click.echo(f"- {line}")


def summary(found: Found) -> Iterator[str]:
    """Make a line for each thing that must be reached."""
    gaps = {name: gap for name, had in found.items() if (gap := behind_best(had)) is not None}
    if gaps:
        near = sum(gap <= NEAR for gap, _ in gaps.values())
        yield (
            f"within {NEAR:.0%} of the better of {LINEAR} and {CEILING} on {near} of "
            f"{len(gaps)} sets; {_listed(gaps, NEAR, 'further')}; worst: "
            f"{max(gaps.values())[0]:+.1%} (may be {FAR:+.0%})"
        )
    changes = {name: change for name, had in found.items() if (change := _to(had, BOOSTING))}
    if changes:
        worse = f"worse by more than {WORSE_THAN_BOOSTING:.0%}"
        text = _listed(changes, WORSE_THAN_BOOSTING, worse)
        yield f"beside {BOOSTING}, {len(changes)} sets: {text}"
    missed = [name for name, had in found.items() if misses_half(had)]
    if gaps:
        yield (
            f"less than half of what {CEILING} gains on {LINEAR} is found on: "
            f"{', '.join(missed) or 'none'}"
        )
    yield from _improvement(found)
    for side in (OURS, HELD_OUT):
        spreads = {
            name: (spread, 0.0)
            for name, had in found.items()
            if (spread := had.spread(side)) is not None
        }
        if spreads:
            text = _listed(spreads, SPREAD, f"above {SPREAD:.0%}", errors=False)
            yield f"spread of {side} over seeds, {len(spreads)} sets: {text}"
    held = {name: change for name, had in found.items() if (change := had.change(HELD_OUT, OURS))}
    if held:
        text = _listed(held, NEAR, f"worse by more than {NEAR:.0%}")
        yield f"eval_set instead of nothing, {len(held)} sets: {text}"


def behind_best(found: Comparison) -> tuple[float, float] | None:
    """Return by what share we are behind the better of linear and ceiling, and its error."""
    changes = [change for other in (LINEAR, CEILING) if (change := _to(found, other))]
    return max(changes) if changes else None


def misses_half(found: Comparison) -> bool:
    """Return whether we have less than half of what the ceiling has gained on linear."""
    linear, ceiling, ours = (found.metric(side) for side in (LINEAR, CEILING, OURS))
    if linear is None or ceiling is None or ours is None:
        return False
    return ceiling < (1 - LEARNABLE) * linear and linear - ours < (linear - ceiling) / 2


def record(name: str, found: Comparison) -> dict[str, Any]:
    """Return what was found, for JSON; differences of ours as [difference, standard error]."""
    rows, columns = found.data.X_train.shape
    entry = REGISTRY[name]
    return {
        "group": entry.group,
        "kind": entry.kind,
        "task": found.data.task,
        "rows": rows,
        "columns": columns,
        "metric": {side: found.metric(side) for side in found.losses},
        "figures": found.figures,
        "difference": {side: found.difference(OURS, side) for side in found.losses if side != OURS},
        "spread": {side: found.spread(side) for side in (OURS, HELD_OUT) if side in found.losses},
        "seconds": found.seconds,
        "notes": found.notes,
    }


def _show_notes(found: Found) -> None:
    """Print why sides have no results, each reason once."""
    names = defaultdict(list)
    for name, comparison in found.items():
        for side, note in comparison.notes.items():
            names[side, note].append(name)
    for (side, note), of in names.items():
        where = "all sets" if len(of) == len(found) > 1 else ", ".join(of)
        click.echo(f"\n{side}: {note} ({where})")


def _improvement(found: Found) -> Iterator[str]:
    """Make a line for each table of which several numbers of rows were taken."""
    tables: dict[str, dict[int, Comparison]] = defaultdict(dict)
    for name, had in found.items():
        match = NESTED.fullmatch(name)
        if match and OURS in had.losses:
            tables[match[1]][int(match[2])] = had
    for table, by_rows in tables.items():
        if len(by_rows) < 2:
            continue
        metrics = [by_rows[power].metric(OURS) for power in sorted(by_rows)]
        better = all(more < few for few, more in pairwise(metrics))
        shown = ", ".join(f"{metric:#.4g}" for metric in metrics)
        verdict = "improves" if better else "DOES NOT IMPROVE"
        powers = ", ".join(f"10^{power}" for power in sorted(by_rows))
        yield f"{table}, {powers} rows: {shown}: {verdict} with rows"


def _listed(
    values: Mapping[str, tuple[float, float]], limit: float, what: str, errors: bool = True
) -> str:
    """Name the sets whose values are above a limit, the largest first."""
    above = sorted(((value, error, name) for name, (value, error) in values.items()), reverse=True)
    texts = [
        f"{name} {value:+.1%}" + (_error(value, error) if errors else "")
        for value, error, name in above
        if value > limit
    ]
    return f"{what}: {', '.join(texts) or 'none'}"


def _error(value: float, error: float) -> str:
    """Return the standard error, and whether the value may be chance alone."""
    return f" ± {100 * error:.1f}" + (" (noise)" if value < 2 * error else "")


def _row(name: str, titles: list[str], found: Comparison) -> list[Any]:
    rows, columns = found.data.X_train.shape
    metrics = [_digits(found.metric(side)) for side in titles if side != HELD_OUT]
    relative = [_percent(_to(found, other)) for other in (LINEAR, CEILING, BOOSTING)]
    spreads = [_share(found.spread(side)) for side in (OURS, HELD_OUT)]
    held = _percent(found.change(HELD_OUT, OURS))
    ends = [spreads[0], held, spreads[1], found.seconds.get(OURS)]
    return [name, f"{rows} x {columns}", *metrics, *relative, *ends]


def _to(found: Comparison, other: str) -> tuple[float, float] | None:
    return found.change(OURS, other)


def _digits(metric: float | None) -> str | None:
    """Return four digits: fewer would hide what is significant on many rows."""
    return None if metric is None else f"{metric:#.4g}"


def _percent(change: tuple[float, float] | None) -> str | None:
    return None if change is None else f"{change[0]:+.1%} ± {100 * change[1]:.1f}"


def _share(value: float | None) -> str | None:
    return None if value is None else f"{value:.1%}"
