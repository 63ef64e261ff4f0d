"""Whether a column of whole numbers looks like an identifier, of which the size says nothing.

A warning that is often wrong is not read. So there are two rules that rarely are:

- the name says so, as ``user_id``, ``zipCode`` or ``customer`` do, and does not speak of an amount
  after all, as ``id_count`` and ``n_ids`` do; ``price_id`` is no amount;
- every row has its own value, and they lie so densely that numbers which measure or count anything
  would have some twice: row numbers, and keys of a table. Years and dates written as numbers also
  do, and are left out.

Identifiers that repeat, in a column without a telling name, are not found: days of the year, and
distances to known places, have the same distribution.
"""

import re

import numpy as np
import numpy.typing as npt

from sparsefm.data.distinct import distinct_values
from sparsefm.encoding.columns import is_whole

WORDS = {
    *("id", "ids", "uid", "uuid", "guid", "pid", "identifier", "key", "pk", "fk", "hash", "code"),
    *("zip", "zipcode", "postcode", "postal", "plz", "fips", "sku", "ean", "upc", "gtin", "isbn"),
    *("issn", "asin", "ssn", "iban", "vin", "barcode", "userid", "itemid", "productid", "idx"),
}
NUMBERS = {"number", "no", "nr", "nbr", "num"}  # as in "order number", but not alone
THINGS = {  # alone
    *("user", "customer", "client", "member", "account", "patient", "student", "employee", "agent"),
    *("driver", "seller", "vendor", "merchant", "supplier", "advertiser", "publisher", "company"),
    *("item", "product", "article", "movie", "film", "song", "track", "artist", "author", "book"),
    *("store", "shop", "hotel", "restaurant", "station", "airport", "device", "sensor", "campaign"),
    *("index", "row", "rownum", "unnamed"),
}
COUNTS = {  # say at the beginning, too, that what follows is counted or summed up
    *("n", "num", "count", "counts", "total", "sum", "mean", "avg", "average", "median", "min"),
    *("max", "std"),
}
AMOUNTS = COUNTS | {
    *("size", "length", "len", "share", "ratio", "rate", "freq", "frequency", "amount", "price"),
    *("cost", "value", "score", "per", "of", "lines", "distance", "weight"),
}
TIMES = {
    *("time", "timestamp", "date", "datetime", "day", "days", "week", "weeks", "month", "months"),
    *("year", "years", "hour", "hours", "minute", "minutes", "second", "seconds", "epoch", "age"),
    *("duration", "elapsed", "quarter", "quarters", "period", "periods", "step", "rank"),
    *("position", "t"),
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
    if len(values) == 0 or not is_whole(values):
        return None
    words = words_of(name)
    if names_identifiers(words) and (np.abs(values) > 1).any():  # -1: there is none
        return "its name says that it holds identifiers"
    if len(values) < ENOUGH or values.min() < 0 or not {*words}.isdisjoint(AMOUNTS | TIMES):
        return None
    if values.max() - values.min() >= DENSE * len(values) or _are_dates(values):
        return None
    # The first few are enough to tell of most columns that their numbers are not distinct.
    is_distinct = all(len(distinct_values(part)) == len(part) for part in (some, values))
    return "each row has a whole number of its own" if is_distinct else None


def words_of(name: str) -> list[str]:
    """Return the words of a name in snake_case, camelCase or with blanks, without digits."""
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)]


def names_identifiers(words: list[str]) -> bool:
    """Return whether the words of a name say that a column holds identifiers."""
    if len(words) == 1:
        return words[0] in WORDS | THINGS
    if not words or words[0] in COUNTS or not {"of", "per"}.isdisjoint(words):
        return False
    if words[-1] == "index":  # of bodies and prices it is an amount
        return words[-2] in THINGS
    return words[-1] in WORDS | NUMBERS or (words[0] == "id" and words[-1] not in AMOUNTS)


def _are_dates(values: npt.NDArray[np.float64]) -> bool:
    """Return whether numbers may be years, or dates such as 20240131."""
    low, high = values.min(), values.max()
    if low >= 1500 and high <= 2200:
        return True
    months, days = values // 100 % 100, values % 100
    is_date = (months >= 1) & (months <= 12) & (days >= 1) & (days <= 31)
    return bool(low >= 19000101 and high <= 21001231 and is_date.all())
