"""How well and how fast `FMRanker` learns what users choose, beside implicit and LightFM."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from bench import choices, machine, ranking_ours, ranking_peers
from bench.kept import Kept
from bench.real import UnavailableError
from bench.table import ratio, show
from bench.worker import WorkerError, alternate, call, medians

RANK = 32
REPEATS = 3
TIMED_EPOCHS = 8  # the most that are timed
FEATURES = {"ids": False, "features": True}

ABSENT = {
    "implicit": "not installed in the Python of --python",
    "LightFM": "not installed in the Python of --python: lightfm 1.17 needs pip 23, setuptools, "
    "wheel and `pip install --no-use-pep517 lightfm`; its fork lightfm-next has wheels",
    "rankfm": "0.2.5 does not build on Python 3.11, which has no longintrepr.h: no side yet",
}
"""Why a peer is not measured."""

Settings = dict[str, Any]
Found = dict[str, float]


def grid(**values: tuple[Any, ...]) -> list[Settings]:
    """Return all combinations."""
    return [dict(zip(values, ones, strict=True)) for ones in product(*values.values())]


_start = {"rank": (RANK,), "init_scale": (0.01,), "initial_accumulator": (0.1,)}
_own = [
    {"rank": RANK, "l2_factors": 0.01},
    *grid(**_start, learning_rate=(0.025, 0.05), l2_factors=(0.01, 0.03)),
]
_all_pairs = grid(rank=(RANK,), unobserved_weight=(0.1, 0.3, 1.0), l2=(0.001, 0.01))
OURS = {"softmax": _own, "warp": _own, "bpr": _own, "all-pairs": _all_pairs}
"""The grid of each loss."""

_lightfm = {"no_components": (RANK,), "alpha": (0, 1e-5, 1e-4)}
_normalized = _lightfm | {"normalize": (False, True), "alpha": (0, 1e-5)}
PEERS: dict[str, tuple[str, str | None, list[Settings]]] = {
    "popularity": ("popularity", None, [{}]),
    "implicit ALS": (
        "implicit ALS",
        "implicit",
        grid(factors=(16, 32, 64), alpha=(1.0, 2.0, 5.0), regularization=(0.1, 1.0, 10.0)),
    ),
    "implicit BPR": (
        "implicit BPR",
        "implicit",
        grid(factors=(RANK,), learning_rate=(0.03, 0.1), regularization=(0.003, 0.01, 0.03)),
    ),
    **{
        f"LightFM {loss.upper()}, {name}": (
            "LightFM",
            "LightFM",
            grid(loss=(loss,), features=(on,), **(_normalized if on else _lightfm)),
        )
        for loss in ("warp", "bpr")
        for name, on in FEATURES.items()
    },
}
"""Of each peer: its function in `bench.ranking_peers`, its distribution, its grid."""

TIMED_PEERS = ("LightFM WARP, ids", "LightFM BPR, ids", "implicit BPR")
TIMED = tuple(f"sparsefm {loss}, ids" for loss in ("softmax", "warp", "bpr", "all-pairs"))


@dataclass(frozen=True)
class Side:
    """Who is measured: functions that take settings, and threads, and epochs if `tested`."""

    tuned: partial
    tested: partial
    settings: list[Settings]


def sides(folder: str, python: str, ratings: bool, quick: bool) -> dict[str, Side]:
    """Return those that can be run, one of them if there are `ratings`; quick: of one setting."""
    found = {}
    for loss, settings in OURS.items():
        for name, on in FEATURES.items():
            own = {"folder": folder, "loss": loss, "features": on}
            found[f"sparsefm {loss}, {name}"] = Side(
                partial(call, ranking_ours.tuned, **own),
                partial(call, ranking_ours.tested, **own),
                settings,
            )
    if ratings:
        found["sparsefm FMRegressor, ratings"] = Side(
            partial(call, ranking_ours.untuned, folder=folder),
            partial(call, ranking_ours.ratings, folder=folder),
            [{}],
        )
    here = call(ranking_peers.versions, threads=1, python=python)
    for name, (side, distribution, settings) in PEERS.items():
        if distribution is None or here[distribution]:
            own = {"python": python, "folder": folder, "side": side}
            found[name] = Side(
                partial(call, ranking_peers.tuned, **own),
                partial(call, ranking_peers.tested, **own),
                settings,
            )
    if quick:
        return {
            name: Side(side.tuned, side.tested, side.settings[:1]) for name, side in found.items()
        }
    return found


@click.command()
@click.option(
    "--python",
    default=sys.executable,
    help="A Python that has implicit and LightFM. Default: this one.",
)
@click.option("--data", "names", type=click.Choice(["movielens", "cold"]), multiple=True)
@click.option(
    "--side", "chosen", multiple=True, default=("",), help="How names of sides begin. Default: all."
)
@click.option(
    "--kept", type=click.Path(path_type=Path), help="File of what settings reach, to go on with."
)
@click.option("--speed/--no-speed", "timed", default=True, help="Whether to measure it, too.")
@click.option("--threads", default=2, show_default=True, help="Of each training while tuning.")
@click.option("--quick", is_flag=True, help="Small data, one setting each, to see that it works.")
def ranking(
    python: str,
    names: tuple[str, ...],
    chosen: tuple[str, ...],
    kept: Path | None,
    timed: bool,
    threads: int,
    quick: bool,
) -> None:
    """Rank what users choose next: NDCG@10 of tuned models, and positives a second.

    The last choice of each user is the test, the last but one validation. All items that the user
    has not chosen are ranked. Settings are chosen by validation, over the grids that are printed,
    and so is the number of epochs; what was chosen is trained on all but the test, and tested.
    """
    click.echo(machine.describe())
    here = call(ranking_peers.versions, threads=1, python=python)
    rows = [[name, version or f"not measured: {ABSENT[name]}"] for name, version in here.items()]
    show("Peers", ["peer", "version"], rows)
    sources = {"movielens": choices.movielens, "cold": choices.cold}
    if quick:
        sources = {"cold": partial(choices.cold, 60, 40)}
    for name, make in sources.items():
        if names and name not in names:
            continue
        try:
            data = make()
        except UnavailableError as error:
            click.echo(f"{name}: skipped: {error}", err=True)
            continue
        with TemporaryDirectory() as folder:
            data.save(Path(folder))
            own = sides(folder, python, "rating" in data.train, quick)
            own = {side: how for side, how in own.items() if side.startswith(chosen)}
            best = quality(name, data, own, threads, folder, Kept(kept))
            if timed:
                speed(name, own, best, quick)


def quality(
    name: str,
    data: choices.Choices,
    sides: Mapping[str, Side],
    threads: int,
    folder: str,
    kept: Kept,
) -> dict[str, tuple[Settings, Found]]:
    """Tune all sides, and print how they do; return the settings chosen and what they reach."""
    best, rows = {}, []
    for side, how in sides.items():
        tried = list(_tried(name, side, how, threads, kept))
        if not tried:
            rows.append([side, "failed", *[None] * 5])
            continue
        settings, found = max(tried, key=lambda one: one[1]["validation"])
        epochs = int(found["epochs"])
        test = partial(how.tested, threads=threads, settings=settings, epochs=epochs)
        found |= kept.get([name, side, settings, epochs], test)
        best[side] = settings, found
        rows.append([side, *_scores(found), len(tried), epochs, _text(settings)])
    header = ["side", "validation NDCG@10", "NDCG@10", "recall@10", "NDCG@10 of cold items"]
    header += ["settings tried", "epochs", "settings chosen"]
    shape = f"{len(data.users):,} users, {len(data.items):,} items, {len(data.train):,} choices"
    show(f"{name}: {shape}", header, rows)
    show(
        "Grids", ["side", "settings"], [[side, _grid(how.settings)] for side, how in sides.items()]
    )
    return best


def _tried(
    name: str, side: str, how: Side, threads: int, kept: Kept
) -> Iterator[tuple[Settings, Found]]:
    for settings in how.settings:
        try:
            tune = partial(how.tuned, threads=threads, settings=settings)
            found = kept.get([name, side, settings], tune)
        except WorkerError as error:
            click.echo(f"{side}, {_text(settings)}: {error}", err=True)
            continue
        click.echo(f"{side}, {_text(settings)}: {found['validation']:.4f}", err=True)
        yield settings, found


def speed(
    name: str, sides: Mapping[str, Side], best: Mapping[str, tuple[Settings, Found]], quick: bool
) -> None:
    """Time trainings with the chosen settings, in turns, and print positives a second."""
    chosen = [side for side in sides if side in (*TIMED, *TIMED_PEERS) and side in best]
    counts = machine.thread_counts()[:2]  # one and two
    calls = {}
    for threads in counts:
        for side in chosen:
            settings, found = best[side]
            epochs = min(int(found["epochs"]), TIMED_EPOCHS)
            calls[side, threads] = partial(
                sides[side].tested, threads=threads, settings=settings, epochs=epochs
            )
    rows, rates = [], {}
    for (side, threads), results in alternate(calls, 1 if quick else REPEATS).items():
        found, chosen_epochs = medians(results), int(best[side][1]["epochs"])
        epochs = min(chosen_epochs, TIMED_EPOCHS)
        rates[side, threads] = found["positives"] * epochs / max(found["seconds"], 1e-9)
        ndcg = f"{best[side][1]['ndcg']:.4f}"
        rows.append([side, threads, epochs, rates[side, threads], chosen_epochs, ndcg])
    for row in rows:
        peers = [rates.get((peer, row[1])) for peer in TIMED_PEERS]
        row += [ratio(row[3] / peer) if peer else None for peer in peers]
    header = ["side", "threads", "epochs timed", "positives/s", "epochs chosen", "their NDCG@10"]
    header += [f"against {peer}" for peer in TIMED_PEERS]
    show(f"{name}: speed at rank {RANK}, load {machine.load()}", header, rows)


def _scores(found: Found) -> list[str | None]:
    names = ("validation", "ndcg", "recall", "cold")
    return [f"{found[name]:.4f}" if name in found else None for name in names]


def _text(settings: Settings) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items()) or "none"


def _grid(settings: list[Settings]) -> str:
    """Return the values of each setting."""
    names = dict.fromkeys(name for one in settings for name in one)
    values = {
        name: dict.fromkeys(one.get(name, "the default") for one in settings) for name in names
    }
    return "; ".join(f"{name} {', '.join(map(str, own))}" for name, own in values.items()) or "none"
