"""How well `fold_in` predicts for new users, beside no rows of theirs and a fit anew with them."""

import copy
import time
from typing import Any

import click
import numpy as np
import pandas as pd

import sparsefm as fm
from bench import machine
from bench.table import show

COLUMNS = ["user", "film"]
NEW, ROWS_OF_NEW, KEPT = 80, 40, 20  # new users, rows of each, and those of them to learn from
SHAPES: dict[str, dict[str, Any]] = {
    "few users": {"users": 100, "films": 60, "rows": (5, 25)},
    "many users": {"users": 800, "films": 300, "rows": (3, 12)},
    "long histories": {"users": 400, "films": 200, "rows": (5, 60)},
    "much noise": {"users": 300, "films": 150, "rows": (10, 80), "noise": 1.0, "tastes": 0.3},
    "strong tastes": {"users": 300, "films": 150, "rows": (10, 60), "noise": 0.3, "tastes": 0.9},
}
SOLVERS = {"AdaGrad": (fm.AdaGrad(), 15), "Adam": (fm.Adam(), 15), "Gibbs": (fm.Gibbs(), 40)}


def ratings(
    seed: int,
    users: int,
    films: int,
    rows: tuple[int, int],
    noise: float = 0.5,
    tastes: float = 0.5,
) -> Any:
    """Return rows of users and films, of which some are more popular, with stars and places."""
    rng = np.random.default_rng(seed)
    of_user, of_film = rng.normal(0, 0.4, users + NEW), rng.normal(0, 0.5, films)
    taste = rng.normal(0, tastes, (users + NEW, 4)) + rng.normal(0, 0.3, 4)
    kind = rng.normal(0, 0.7, (films, 4))
    popularity = np.arange(1, films + 1) ** -0.7
    parts = []
    for user in range(users + NEW):
        n = min(int(rng.integers(*rows)) if user < users else ROWS_OF_NEW, films // 2)
        seen = rng.choice(films, n, replace=False, p=popularity / popularity.sum())
        stars = 3.5 + of_user[user] + of_film[seen] + kind[seen] @ taste[user]
        parts.append(
            pd.DataFrame(
                {
                    "user": f"u{user}",
                    "film": [f"f{film}" for film in seen],
                    "stars": stars + rng.normal(0, noise, n),
                    "place": np.arange(n) if user >= users else -1,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def rmse(model: Any, rows: Any) -> float:
    """Return the root mean squared error."""
    return float(np.sqrt(np.mean((model.predict(rows[COLUMNS]) - rows["stars"]) ** 2)))


def judged(data: Any, few: int, solver: Any, epochs: int) -> dict[str, float]:
    """Return errors for new users, of whom a few rows each are known."""
    old, test = data[data["place"] < 0], data[data["place"] >= KEPT]
    some = data[(data["place"] >= 0) & (data["place"] < few)]
    both = pd.concat([old, some])
    model = fm.FMRegressor(rank=4, solver=solver, epochs=epochs, search=None)
    anew = copy.copy(model).fit(both[COLUMNS], both["stars"])
    model.fit(old[COLUMNS], old["stars"])
    found = {"unknown": rmse(model, test), "fit anew": rmse(anew, test)}
    passes = copy.deepcopy(model)
    start = time.perf_counter()
    model.fold_in(some[COLUMNS], some["stars"], column="user")
    found |= {"ms a user": 1000 * (time.perf_counter() - start) / NEW, "fold_in": rmse(model, test)}
    if not isinstance(solver, fm.Gibbs):
        for _ in range(10):
            passes.partial_fit(some[COLUMNS], some["stars"])
        found["ten partial_fit"] = rmse(passes, test)
    return found


@click.command()
@click.option("--seeds", default=3, show_default=True, help="Data sets of each shape.")
@click.option("--quick", is_flag=True, help="One data set, to see that it works.")
def folding(seeds: int, quick: bool) -> None:
    """RMSE for new users after `fold_in`, by the number of rows of each."""
    click.echo(machine.describe())
    shapes = dict(list(SHAPES.items())[: 1 if quick else None])
    names = ["unknown", "fold_in", "fit anew", "ten partial_fit", "ms a user"]
    rows = []
    for solver, (chosen, epochs) in SOLVERS.items():
        for few in (2, 5, 20):
            found = [
                judged(ratings(100 + seed, **shape), few, chosen, epochs)
                for shape in shapes.values()
                for seed in range(1 if quick else seeds)
            ]
            means = [
                f"{np.mean([one[name] for one in found]):.3f}" if name in found[0] else ""
                for name in names
            ]
            rows.append([solver, str(few), *means])
    show("New users, mean over data sets", ["solver", "rows of each", *names], rows)
