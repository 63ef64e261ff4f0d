"""Columns of whole numbers: quantities, and identifiers, each in two halves.

The first half shaped the rule of `sparsefm.encoding.identifiers`; the second one only judges it.
Each entry has names and what makes values of a random generator and a number of rows.
"""

import numpy as np


def poisson(mean):
    return lambda rng, n: rng.poisson(mean, n)


def lognormal(middle, spread):
    return lambda rng, n: np.round(middle * rng.lognormal(0, spread, n))


def normal(mean, deviation):
    return lambda rng, n: np.maximum(0, np.round(rng.normal(mean, deviation, n)))


def uniform(low, high):
    return lambda rng, n: rng.integers(low, high, n)


def dates(first, days):
    """Return what makes days in the form 20240131."""

    def make(rng, n):
        days_since = np.datetime64(first) + rng.integers(0, days, n)
        return np.array([int(str(day).replace("-", "")) for day in days_since])

    return make


def counter(step):
    return lambda rng, n: np.cumsum(1 + rng.poisson(step, n))


def entities(n_known, make):
    """Return what makes an attribute of a few things, repeated as often as these occur."""
    return lambda rng, n: make(rng, n_known)[zipf(n_known)(rng, n)]


def zipf(n_known):
    """Return what makes positions, of which some are far more frequent than others."""

    def make(rng, n):
        shares = rng.permutation(1 / np.arange(1, n_known + 1))
        return rng.choice(n_known, n, p=shares / shares.sum())

    return make


def rows(step=1, first=0):
    """Return what makes row numbers in any order, of which every `step`-th is there on average."""
    return lambda rng, n: first + rng.choice(step * n, n, replace=False)


def users(share):
    return lambda rng, n: rng.integers(0, max(2, int(share * n)), n) + 1


def spread(low, high, n_known):
    """Return what makes codes between two numbers."""
    return lambda rng, n: rng.choice(np.arange(low, high), n_known, replace=False)[
        zipf(n_known)(rng, n)
    ]


SHAPING_QUANTITIES = [
    (["age", "Age", "x3"], normal(40, 15)),
    (["year", "yearBuilt", "year_of_birth", "x0"], uniform(1930, 2024)),
    (["n_visits", "visit_count", "children", "x1"], poisson(2)),
    (["price_cents", "amount", "fare", "x2"], lognormal(2500, 1)),
    (["humidity", "percent", "battery", "x4"], uniform(0, 101)),
    (["paid", "income", "salary", "x5"], lognormal(40000, 0.6)),
    (["id_count", "n_ids", "num_codes", "ids_per_user"], poisson(30)),
    (["distance", "elevation", "miles"], entities(200, lognormal(800, 0.8))),
    (["date", "signup_date", "x6"], dates("2018-01-01", 2000)),
    (["dep_time", "minute", "minutes_since_open", "x7"], uniform(0, 1440)),
    (["population", "votes", "x8"], lognormal(100000, 2)),
    (["rating", "stars", "month", "hour"], uniform(1, 13)),
    (["lines_of_code", "key_presses", "code_length", "video_views"], lognormal(300, 1.5)),
    (["epoch", "timestamp", "seconds"], lambda rng, n: 1700000000 + 60 * np.arange(n)),
    (["t", "step", "day"], lambda rng, n: np.arange(n)),
]
JUDGING_QUANTITIES = [
    (["tenure", "MonthsEmployed", "loan_term", "c1"], uniform(0, 73)),
    (["sqft_living", "LotArea", "GrLivArea", "c2"], normal(2000, 800)),
    (["bedrooms", "SibSp", "number_of_rooms", "num_of_floors"], poisson(3)),
    (["clicks", "impressions", "installs", "likes", "c3"], lognormal(50, 2)),
    (["body_mass_index", "price_index", "heat_index", "c4"], normal(100, 25)),
    (["heart_rate", "SystolicBP", "cholesterol", "glucose", "c5"], normal(130, 30)),
    (["odometer", "mileage", "km_driven", "c6"], lognormal(60000, 0.7)),
    (["width", "height_mm", "acidity", "liquidity", "c7"], normal(500, 90)),
    (["vintage", "yr_built", "YearRemodAdd", "c8"], uniform(1900, 2025)),
    (["adr_cents", "balance", "credit_limit", "deposit", "c9"], lognormal(90000, 1.2)),
    (["lead_time", "days_in_waiting_list", "previous_cancellations"], lognormal(30, 1.5)),
    (["wind_dir", "bearing", "azimuth", "c10"], uniform(0, 360)),
    (["station_elevation", "city_population", "hub_distance"], entities(80, lognormal(400, 1.3))),
    (["yyyymmdd", "order_date", "last_seen", "c11"], dates("2019-06-01", 900)),
    (["played_id_games", "accounts", "users", "employees"], lognormal(200, 1)),
    (["pixel_0_1", "brightness", "alpha"], uniform(0, 256)),
    (["duration_ms", "latency_us", "bytes", "c12"], lognormal(5000, 1.8)),
    (["score", "points", "goals", "c13"], poisson(20)),
    (["trend", "time_index", "week_number_of_data"], lambda rng, n: np.arange(n)),
    (
        ["cumulative_sales", "meter_reading", "c14"],
        lambda rng, n: np.cumsum(rng.poisson(40, n) + 1),
    ),
]
SHAPING_IDENTIFIERS = [
    (["id", "row_id", "order_id", "x0", "x1"], rows()),
    (["index", "Unnamed: 0", "x2", "key"], rows()),
    (["user_id", "userId", "customer", "UserID"], users(0.1)),
    (["zip", "zip_code", "zipcode", "postal"], spread(501, 99950, 300)),
    (["product_code", "sku", "item", "x3"], users(0.02)),
    (["invoice_no", "phone_number", "x4"], rows(2, 500000)),
]
JUDGING_IDENTIFIERS = [
    (["PassengerId", "customer_id", "ListingID", "c1", "c2"], rows(1, 1)),
    (["transaction", "case_number", "recno", "c3"], rows(2, 10000)),
    (["account", "MemberNo", "agent", "company", "c4"], users(0.2)),
    (["postcode", "PLZ", "fips_code", "c5"], spread(1000, 99999, 500)),
    (["movieId", "track", "isbn", "item_key", "c6"], spread(1, 5000, 400)),
    (["store", "shop_id", "airport", "region_code", "c7"], users(0.01)),
    (["MLSNumber", "ticket_no", "barcode", "session_id", "c8"], rows(20, 10**6)),
]
