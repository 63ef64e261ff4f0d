"""How many features there may be, and how many are worth a warning."""

import warnings

from sparsefm.data.csr import MAX_FEATURES
from sparsefm.encoding.categories import Categories
from sparsefm.encoding.columns import Encoding
from sparsefm.encoding.multi import Multi

MANY_CATEGORIES = 1_000_000  # from there on `fit` warns
BYTES_PER_CATEGORY = 128  # about: weight and 8 factors in float32, with the optimizer's two moments


def check_size(encoding: Encoding, before: int, name: str, end: int) -> None:
    """Refuse more features than fit in int32; warn once a column has a great many categories."""
    if end > MAX_FEATURES:
        raise ValueError(
            f"column {name!r} brings the number of features to {end}; at most {MAX_FEATURES} are "
            "supported: hash it into fewer"
        )
    single = encoding.single if isinstance(encoding, Multi) else encoding
    count = len(single.vocabulary) if isinstance(single, Categories) else 0
    if before <= MANY_CATEGORIES < count:
        memory = count * BYTES_PER_CATEGORY / 2**20
        warnings.warn(
            f"column {name!r} has {count:,} distinct values, each of them a feature: about "
            f"{memory:,.0f} MiB while training with rank 8. Hash it with "
            f"TableEncoder(hashed={{{name!r}: 2**20}}), or drop it.",
            UserWarning,
            stacklevel=2,
        )
