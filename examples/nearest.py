"""Put the vectors of items into an approximate index, and measure its recall and time.

Run as ``python examples/nearest.py``. Needs ``pip install sparsefm pandas usearch``. The exact
search of `Recommender` is fast enough for most catalogues; an index pays off for tens of millions
of items, or where one holds them already.
"""

import time

import numpy as np
import pandas as pd
from usearch.index import Index

import sparsefm as fm

USERS, FILMS, RATINGS, TOP = 5_000, 20_000, 400_000, 10

rng = np.random.default_rng(0)
tastes, kinds = rng.normal(size=(USERS, 8)), rng.normal(size=(FILMS, 8))
user, film = rng.integers(0, USERS, RATINGS), rng.integers(0, FILMS, RATINGS)
stars = np.sum(tastes[user] * kinds[film], axis=1) + rng.normal(size=RATINGS)
rows = pd.DataFrame({"user": user, "film": film}).astype(str)
model = fm.FMRegressor(rank=16, solver=fm.AdaGrad(), epochs=10, search=None).fit(rows, stars)

films = pd.DataFrame({"film": np.arange(FILMS).astype(str)})
recommender = fm.Recommender(model, films, item="film", user="user")
asked = [str(one) for one in range(1000)]

start = time.perf_counter()
exact = recommender.recommend(asked, top=TOP)["film"].to_numpy().astype(int).reshape(-1, TOP)
print(f"exact: {time.perf_counter() - start:.3f} s for {len(asked)} users")

items, contexts = recommender.item_vectors(), recommender.context_vectors(asked)

# Graphs for nearest neighbours need a distance. With one more number all items are equally long,
# and then the nearest is the one with the largest inner product (Y. Bachrach et al., 2014).
norms = np.sum(items.astype(float) ** 2, axis=1)
longer = np.column_stack([items, np.sqrt(norms.max() - norms)]).astype(np.float32)
queries = np.column_stack([contexts, np.zeros(len(contexts))]).astype(np.float32)

for connectivity, expansion in ((16, 64), (16, 256), (32, 512)):
    index = Index(
        ndim=longer.shape[1],
        metric="cos",
        connectivity=connectivity,
        expansion_add=128,
        expansion_search=expansion,
    )
    start = time.perf_counter()
    index.add(np.arange(FILMS), longer)
    built = time.perf_counter() - start
    start = time.perf_counter()
    found = index.search(queries, TOP).keys
    took = time.perf_counter() - start
    pairs = zip(found, exact, strict=True)
    recall = np.mean([len(set(a.tolist()) & set(b.tolist())) / TOP for a, b in pairs])
    print(
        f"usearch, {connectivity} neighbours, {expansion} candidates: recall@{TOP} {recall:.3f}, "
        f"{took:.3f} s, built in {built:.1f} s"
    )
