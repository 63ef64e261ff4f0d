"""Whether a column of whole numbers looks like an identifier, of which the size says nothing.

A warning that is often wrong is not read. So there are two rules that rarely are:

- the name says so, as ``user_id``, ``zipCode`` or ``customer`` do, and no word in it speaks of an
  amount, as in ``id_count``;
- every row has its own value, and they lie so densely that numbers which measure or count anything
  would have some twice: row numbers, and keys of a table. Years and dates written as numbers also
  do, and are left out.

Identifiers that repeat, in a column without a telling name, are not found: days of the year, and
distances to known places, have the same distribution.
"""

import re

import numpy as np
import numpy.typing as npt

from sparsefm.encoding.columns import is_whole

WORDS = {
    *("id", "ids", "uid", "uuid", "guid", "pid", "identifier", "key", "pk", "fk", "hash", "code"),
    *("zip", "zipcode", "postcode", "postal", "plz", "fips", "sku", "ean", "upc", "gtin", "isbn"),
    *("issn", "asin", "ssn", "iban", "vin", "barcode", "userid", "itemid", "productid", "idx"),
}
NUMBERS = {"number", "no", "nr"}  # as in "order number", but not alone
THINGS = {  # alone
    *("user", "customer", "client", "member", "account", "patient", "student", "employee", "agent"),
    *("driver", "seller", "vendor", "merchant", "supplier", "advertiser", "publisher", "company"),
    *("item", "product", "article", "movie", "film", "song", "track", "artist", "author", "book"),
    *("store", "shop", "hotel", "restaurant", "station", "airport", "device", "sensor", "campaign"),
    *("index", "row", "rownum", "unnamed"),
}
AMOUNTS = {
    *("n", "num", "count", "counts", "total", "sum", "mean", "avg", "average", "median", "min"),
    *("max", "std", "size", "length", "len", "share", "ratio", "rate", "freq", "frequency"),
    *("amount", "price", "cost", "value", "score", "per", "of", "lines", "distance", "weight"),
}
TIMES = {
    *("time", "timestamp", "date", "datetime", "day", "days", "week", "month", "year", "hour"),
    *("minute", "second", "seconds", "epoch", "age", "duration", "step", "rank", "position", "t"),
}
ENOUGH = 100  # rows, for the second rule
DENSE = 3  # values of which at least one is there
SOME = 1000  # rows that mostly tell


def reason(values: npt.NDArray[np.float64], name: str) -> str | None:
    """Return why numbers look like identifiers, or None.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        NaN where missing.
    name : str
        Of the column.
    """
    some = values[:SOME]
    if not is_whole(some[~np.isnan(some)]):
        return None
    values = values[~np.isnan(values)]
    if len(values) == 0 or values.min() < 0 or not is_whole(values):
        return None
    words = words_of(name)
    if names_identifiers(words) and ((values != 0) & (values != 1)).any():
        return "its name says that it holds identifiers"
    if len(values) < ENOUGH or not {*words}.isdisjoint(AMOUNTS | TIMES):
        return None
    if values.max() - values.min() >= DENSE * len(values) or _are_dates(values):
        return None
    is_distinct = len(np.unique(some)) == len(some) and len(np.unique(values)) == len(values)
    return "each row has a whole number of its own" if is_distinct else None


def words_of(name: str) -> list[str]:
    """Return the words of a name in snake_case, camelCase or with blanks, without digits."""
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)]


def names_identifiers(words: list[str]) -> bool:
    """Return whether the words of a name say that a column holds identifiers."""
    if not words or not AMOUNTS.isdisjoint(words):
        return False
    if len(words) == 1:
        return words[0] in WORDS | THINGS
    return words[-1] in WORDS | NUMBERS or words[0] == "id"


def _are_dates(values: npt.NDArray[np.float64]) -> bool:
    """Return whether numbers may be years, or dates such as 20240131."""
    low, high = values.min(), values.max()
    if low >= 1500 and high <= 2200:
        return True
    months, days = values // 100 % 100, values % 100
    is_date = (months >= 1) & (months <= 12) & (days >= 1) & (days <= 31)
    return bool(low >= 19000101 and high <= 21001231 and is_date.all())
