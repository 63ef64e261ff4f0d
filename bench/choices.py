"""What users chose: MovieLens 100k, a made table with cold items, and many small made tables."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix, save_npz

from bench import real
from sparsefm import TableEncoder
from sparsefm.evaluation import leave_last_out

COLD_SHARE = 0.2  # of the items, that nobody chose before the test
RANK, GENRES, STUDIOS, AGES, CITIES = 6, 15, 20, 6, 10
IDENTITY = 0.6  # standard deviation of what an identifier adds to the vectors of its features
TESTED = 5  # choices of each user to test on, of the small tables
FEWEST = 3  # to train on


@dataclass(frozen=True, eq=False)
class Choices:
    """Tables.

    Attributes
    ----------
    train, test : DataFrame
        Columns user, item and time; the last choice of each user is the test. `train` may have a
        column of ratings, too.
    users, items : DataFrame
        A row for each user or item that can be recommended: its identifier and its features.
    """

    train: pd.DataFrame
    test: pd.DataFrame
    users: pd.DataFrame
    items: pd.DataFrame

    def save(self, folder: Path) -> None:
        """Write tables for our sides, numbers for the peers' (`bench.ranking_peers.Problem`)."""
        for name, table in vars(self).items():
            table.to_pickle(folder / f"{name}.pickle")
        past, last = leave_last_out(self.train["user"], self.train["time"])
        parts = {"train": self.train.iloc[past], "validation": self.train.iloc[last]}
        for name, part in (parts | {"test": self.test}).items():
            np.save(folder / f"{name}.npy", self._codes(part))
        for side in ("user", "item"):
            save_npz(folder / f"{side}_features.npz", _features(vars(self)[f"{side}s"], side))

    @classmethod
    def load(cls, folder: str) -> "Choices":
        """Read the tables."""
        names = ("train", "test", "users", "items")
        return cls(*(pd.read_pickle(Path(folder) / f"{name}.pickle") for name in names))

    def _codes(self, part: pd.DataFrame) -> np.ndarray:
        """Return numbers of users and items, rows of their tables."""
        sides = {"user": self.users, "item": self.items}
        return np.array([pd.Index(sides[key][key]).get_indexer(part[key]) for key in sides])


def _features(table: pd.DataFrame, key: str) -> csr_matrix:
    """Return the features of users or items as our sides encode them, but for the identifier."""
    encoded = TableEncoder().fit_transform(table.drop(columns=key))
    return csr_matrix((encoded.data, encoded.indices, encoded.indptr), encoded.shape)


def movielens() -> Choices:
    """Who rated which movie, whatever the rating, by time; with decades and genres."""
    ratings = real.read("MovieLens100k_data").rename(
        columns={"user_id": "user", "movie_id": "item", "timestamp": "time"}
    )
    users = real.read("MovieLens100k_users").rename(columns={"user_id": "user"})
    users["age"] = (users["age"] // 10).astype(str)
    movies = real.read("MovieLens100k_items").rename(columns={"movie_id": "item"})
    released = pd.to_datetime(movies["release_date"], format="%d-%b-%Y").dt.year
    genres = movies.loc[:, "Action":]
    movies["genres"] = [list(genres.columns[row]) for row in genres.to_numpy(bool)]
    movies["years"] = (released.fillna(released.median()) // 5).astype(int).astype(str)
    past, last = leave_last_out(ratings["user"], ratings["time"])
    return Choices(
        ratings.iloc[past].reset_index(drop=True),
        ratings.iloc[last][["user", "item", "time"]].reset_index(drop=True),
        users[["user", "age", "gender", "occupation"]],
        movies[["item", "genres", "years"]],
    )


def cold(n_users: int = 800, n_items: int = 600, seed: int = 0) -> Choices:
    """Make choices that depend on features of users and items, and on who and what they are.

    A fifth of the items are chosen by nobody but in the test, where they are as good as others.
    """
    random = np.random.default_rng(seed)
    genres = [
        list(random.choice(GENRES, 1 + random.integers(3), replace=False)) for _ in range(n_items)
    ]
    studio = random.integers(STUDIOS, size=n_items)
    age, city = (random.integers(size, size=n_users) for size in (AGES, CITIES))
    sizes = (n_users, n_items, AGES, CITIES, GENRES, STUDIOS)
    of_user, of_item, *effects = (random.normal(size=(size, RANK)) for size in sizes)
    of_age, of_city, of_genre, of_studio = effects
    of_genres = np.array([np.sum(of_genre[own], axis=0) / len(own) ** 0.5 for own in genres])
    unit = (2 + IDENTITY**2) ** 0.5  # the elements of the vectors have variance one
    U = (IDENTITY * of_user + of_age[age] + of_city[city]) / unit
    V = (IDENTITY * of_item + of_genres + of_studio[studio]) / unit
    popularity = random.normal(size=n_items) + 0.5 * random.normal(size=STUDIOS)[studio]
    utilities = 2 / RANK**0.5 * U @ V.T + popularity
    utilities += random.gumbel(size=utilities.shape)
    is_cold = random.permutation(n_items) < COLD_SHARE * n_items
    # The best of all items is the last choice; the best of the rest that are not cold are the
    # choices before, in an order at random.
    last = np.argmax(utilities, axis=1)
    utilities[:, is_cold] = -np.inf
    utilities[np.arange(n_users), last] = -np.inf
    counts = np.minimum(5 + random.poisson(random.gamma(2, 12, n_users)), n_items // 2)
    best = np.argsort(-utilities, axis=1)
    user = np.repeat(np.arange(n_users), counts)
    item = [random.permutation(own[:n]) for own, n in zip(best, counts, strict=True)]
    return Choices(
        pd.DataFrame({"user": user, "item": np.concatenate(item), "time": np.arange(len(user))}),
        pd.DataFrame({"user": np.arange(n_users), "item": last, "time": len(user)}),
        pd.DataFrame(
            {"user": np.arange(n_users), "age": age.astype(str), "city": city.astype(str)}
        ),
        pd.DataFrame({
            "item": np.arange(n_items),
            "genres": [[f"g{one}" for one in own] for own in genres],
            "studio": studio.astype(str),
        }),
    )  # fmt: skip


def made(
    seed: int,
    users: int,
    items: int,
    mean: float,
    skew: float = 1.0,
    signal: float = 2.0,
    rank: int = 4,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw, for each user, items without replacement, in proportion to the exponential of a score.

    The score of an item is what it is for all, a normal number with the standard deviation `skew`,
    and an inner product with the standard deviation `signal`. How many items a user chooses has a
    long tail. A training that is too long, or has too weak penalties, does worse than popularity
    where there is little signal; one that stops early misses what there is.

    Returns
    -------
    train, test : DataFrame
        Columns user and item; `mean` rows a user in `train`, about, and `TESTED` in `test`.
    """
    random = np.random.default_rng(seed)
    U, V = random.normal(size=(users, rank)), random.normal(size=(items, rank))
    scores = skew * random.normal(size=items) + signal / rank**0.5 * U @ V.T
    scores += random.gumbel(size=scores.shape)
    counts = FEWEST + random.poisson(random.gamma(1.5, max(mean - FEWEST, 0) / 1.5, users))
    counts = np.minimum(counts, items // 3)
    best = np.argsort(-scores, axis=1)
    lists = [random.permutation(own[: n + TESTED]) for own, n in zip(best, counts, strict=True)]
    user = np.arange(users)
    train, test = ([own[part] for own in lists] for part in (slice(TESTED, None), slice(TESTED)))
    return (
        pd.DataFrame({"user": np.repeat(user, counts), "item": np.concatenate(train)}),
        pd.DataFrame({"user": np.repeat(user, TESTED), "item": np.concatenate(test)}),
    )
