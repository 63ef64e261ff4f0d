"""Serve recommendations over HTTP, and reload the model without dropping a request.

Needs ``pip install sparsefm pandas starlette uvicorn``. Run, in turns::

    python examples/serve.py train FOLDER     # makes ratings, fits a model, writes both
    python examples/serve.py serve FOLDER     # http://127.0.0.1:8000/recommend?user=u7&top=10
    python examples/serve_load.py             # fifty clients, who also have it reload

``POST /reload`` reads the folder again. Requests go on with the old model meanwhile, and a batch
that has begun ends with the model that it began with.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

import sparsefm as fm

USERS, FILMS, WATCHED = 20_000, 20_000, 600_000
LARGEST_BATCH, MOST_ITEMS = 64, 100

Answer = dict[str, object]


def train(folder: Path) -> None:
    """Write a model and the tables that it recommends from."""
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(
        {
            "user": [f"u{one}" for one in rng.integers(0, USERS, WATCHED)],
            "film": [f"f{one}" for one in (FILMS * rng.random(WATCHED) ** 3).astype(int)],
        }
    )
    drawn = rows.assign(film=rng.permutation(rows["film"].to_numpy()))
    both = pd.concat([rows, drawn], ignore_index=True)
    model = fm.FMClassifier(rank=16, solver=fm.AdaGrad(), epochs=2, search=None)
    model.fit(both, np.arange(len(both)) < len(rows))
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / "model.safetensors")
    rows.to_csv(folder / "seen.csv", index=False)


def read(folder: Path) -> fm.Recommender:
    """Return a recommender made of what `train` wrote."""
    seen = pd.read_csv(folder / "seen.csv")
    films = seen[["film"]].drop_duplicates()
    model = fm.load(folder / "model.safetensors")
    return fm.Recommender(model, films, item="film", user="user", seen=seen)


class Service:
    """Answers requests in batches: one call for many users costs little more than for one.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.recommender = read(folder)
        self.waiting: asyncio.Queue[tuple[str, int, asyncio.Future[list[Answer]]]] = asyncio.Queue()

    async def run(self) -> None:
        """Answer those who wait, for ever; who comes during a batch is in the next."""
        while True:
            batch = [await self.waiting.get()]
            while len(batch) < LARGEST_BATCH and not self.waiting.empty():
                batch.append(self.waiting.get_nowait())
            recommender = self.recommender  # of this batch, whatever is reloaded meanwhile
            try:
                found = await run_in_threadpool(answers, recommender, [one[:2] for one in batch])
            except Exception as error:  # those of the next batch must be answered, too
                found = [error] * len(batch)
            for (*_, future), answer in zip(batch, found, strict=True):
                if future.cancelled():
                    continue
                if isinstance(answer, Exception):
                    future.set_exception(answer)
                else:
                    future.set_result(answer)

    async def recommend(self, request: Request) -> JSONResponse:
        """Answer ``/recommend?user=...&top=...``."""
        user, top = request.query_params.get("user"), request.query_params.get("top", "10")
        if not user or not top.isdecimal() or not 1 <= int(top) <= MOST_ITEMS:
            return JSONResponse({"error": f"needs user, and top from 1 to {MOST_ITEMS}"}, 400)
        future = asyncio.get_running_loop().create_future()
        self.waiting.put_nowait((user, int(top), future))
        return JSONResponse({"user": user, "items": await future})

    async def reload(self, request: Request) -> JSONResponse:
        """Answer ``POST /reload``: read the folder, then swap one reference."""
        self.recommender = await run_in_threadpool(read, self.folder)
        return JSONResponse({"reloaded": str(self.recommender)})


def answers(recommender: fm.Recommender, asked: list[tuple[str, int]]) -> list[list[Answer]]:
    """Return the best items of each user, as many as were asked for."""
    lists: dict[str, list[Answer]] = {user: [] for user, _ in asked}
    table = recommender.recommend(list(lists), top=max(top for _, top in asked))
    columns = (table[name].tolist() for name in ("user", "film", "score"))
    for user, film, score in zip(*columns, strict=True):
        lists[user].append({"film": film, "score": score})
    return [lists[user][:top] for user, top in asked]


def application(folder: Path) -> Starlette:
    """Return the application."""
    service = Service(folder)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        running = asyncio.create_task(service.run())
        yield
        running.cancel()

    routes = [
        Route("/recommend", service.recommend),
        Route("/reload", service.reload, methods=["POST"]),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


if __name__ == "__main__":
    command, where = sys.argv[1], Path(sys.argv[2])
    if command == "train":
        train(where)
    else:
        uvicorn.run(application(where), host="127.0.0.1", port=8000, log_level="warning")
