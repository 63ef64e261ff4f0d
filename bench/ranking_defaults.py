"""How good the defaults of `FMRanker` are, beside others, on made choices in two halves.

Defaults are chosen on the half "shaping" alone, and reported on the half "judging": see
`bench.halves`.
"""

from functools import cache
from typing import Any

import click
import numpy as np
import pandas as pd

import sparsefm as fm
from bench import machine
from bench.choices import made
from bench.halves import JUDGING, SEEDS, SHAPING
from bench.ranking_ours import parameters
from bench.table import show
from sparsefm.evaluation import ranking_metrics
from sparsefm.ranking.parameters import LOSSES

SHAPES: dict[str, dict[str, dict[str, Any]]] = {
    SHAPING: {
        "few items": {"users": 500, "items": 150, "mean": 12},
        "many items": {"users": 500, "items": 1500, "mean": 20},
        "sparse": {"users": 1000, "items": 500, "mean": 5},
        "dense": {"users": 200, "items": 400, "mean": 50},
        "skewed": {"users": 500, "items": 600, "mean": 15, "skew": 2.5},
        "weak": {"users": 500, "items": 400, "mean": 15, "skew": 1.5, "signal": 0.7},
        "strong": {"users": 500, "items": 500, "mean": 20, "skew": 0.5, "signal": 4.0, "rank": 8},
    },
    JUDGING: {
        "few items": {"users": 400, "items": 100, "mean": 10, "rank": 3},
        "many items": {"users": 600, "items": 1200, "mean": 25, "skew": 1.2, "rank": 6},
        "sparse": {"users": 900, "items": 400, "mean": 6, "signal": 2.5},
        "dense": {"users": 150, "items": 500, "mean": 60, "rank": 6},
        "skewed": {"users": 450, "items": 700, "mean": 16, "skew": 2.2, "rank": 5},
        "weak": {"users": 600, "items": 300, "mean": 14, "skew": 1.3, "signal": 0.9},
        "strong": {"users": 450, "items": 600, "mean": 20, "skew": 0.7, "signal": 3.5, "rank": 6},
    },
}
QUICK = {"few items": {"users": 60, "items": 60, "mean": 6}}


@cache
def _made(half: str, shape: str, seed: int, quick: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    options = QUICK[shape] if quick else SHAPES[half][shape]
    return made(SEEDS[half][seed], **options)


def ndcg(data: tuple[pd.DataFrame, pd.DataFrame], settings: dict[str, Any]) -> float:
    """Return the NDCG@10 of a ranker."""
    train, test = data
    ranker = fm.FMRanker(**parameters(settings)).fit(train)
    found = ranker.recommend(test["user"].unique().tolist())
    return float(ranking_metrics(found, test)["ndcg"])


def popularity(data: tuple[pd.DataFrame, pd.DataFrame]) -> float:
    """Return the NDCG@10 of the items that most users chose, without those that a user chose."""
    train, test = data
    seen = pd.crosstab(train["user"], train["item"]).to_numpy() > 0
    items = np.sort(train["item"].unique())
    scores = np.where(seen, -1, seen.sum(0))
    best = items[np.argsort(-scores, axis=1, kind="stable")[:, :10]]
    users = np.repeat(np.sort(train["user"].unique()), best.shape[1])
    found = pd.DataFrame({"user": users, "item": best.ravel()})
    return float(ranking_metrics(found, test, rank=None)["ndcg"])


def _settings(context: Any, parameter: Any, texts: tuple[str, ...]) -> list[dict[str, Any]]:
    """Read settings such as "batch_size=64 l2_factors=0.003"."""
    return [
        {name: float(value) if set(value) & set(".e") else int(value) for name, value in pairs}
        for pairs in ([pair.split("=") for pair in text.split()] for text in texts)
    ]


@click.command("ranking-defaults")
@click.option("--half", type=click.Choice([SHAPING, JUDGING]), default=JUDGING, show_default=True)
@click.option("--loss", "losses", type=click.Choice(LOSSES), multiple=True, default=LOSSES)
@click.option(
    "--other",
    "others",
    multiple=True,
    metavar="SETTINGS",
    callback=_settings,
    help='Settings to compare the defaults with, as in "batch_size=64 l2_factors=0.003".',
)
@click.option(
    "--seeds", type=click.IntRange(1), default=2, show_default=True, help="Of the tables."
)
@click.option("--quick", is_flag=True, help="Small data, to see that it works.")
def ranking_defaults(
    half: str, losses: tuple[str, ...], others: list[dict[str, Any]], seeds: int, quick: bool
) -> None:
    """Compare defaults of FMRanker with other settings: NDCG@10 on made choices."""
    click.echo(machine.describe())
    shapes = list(QUICK if quick else SHAPES[half])
    ranked = [({"loss": loss}, other) for loss in losses for other in ({}, *others)]
    table = {name: [] for name in ["popularity", *(_name(*one) for one in ranked)]}
    for shape in shapes:
        for seed in range(seeds):
            data = _made(half, shape, seed, quick)
            table["popularity"].append(popularity(data))
            for loss, other in ranked:
                scores = table[_name(loss, other)]
                scores.append(ndcg(data, loss | other))
                click.echo(f"{shape} {seed} {_name(loss, other)} {scores[-1]:.4f}", err=True)
    rows = []
    for name, scores in table.items():
        # Against the defaults of the same loss, set by set.
        base = table.get(name.split(",")[0], scores)
        logs = np.log(np.array(scores) / base)
        means = np.reshape(scores, (len(shapes), seeds)).mean(1)
        wins = f"{int((logs > 0).sum())} of {len(logs)}"
        rows.append([name, *(f"{one:.4f}" for one in means), f"{np.expm1(logs.mean()):+.1%}", wins])
    header = ["settings", *shapes, "against the defaults", "better on"]
    show(f'NDCG@10, half "{half}", {seeds} tables of each shape', header, rows)


def _name(loss: dict[str, Any], other: dict[str, Any]) -> str:
    return ", ".join([loss["loss"], *(f"{name} {value}" for name, value in other.items())])
