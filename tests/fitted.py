"""A fitted estimator of known parameters: what the insight methods and the plots look at."""

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator

from sparsefm.data.csr import as_csr
from sparsefm.inspection.mixin import InsightMixin


class Encoder:
    """Knows the names of the features, "field=value", and so their fields."""

    def __init__(self, names):
        self.names = np.asarray(names, dtype=object)
        of = [name.split("=")[0] for name in names]
        self.field_names_ = list(dict.fromkeys(of))
        self.fields_ = np.array([self.field_names_.index(field) for field in of])

    def get_feature_names_out(self, input_features=None):
        return self.names


class Fitted(InsightMixin, BaseEstimator):
    """An estimator as it is after `fit`; its rows are given encoded."""

    def __init__(self, w0, w, V, names, sample, classes=None, history=None):
        self.w0_, self.w_, self.V_ = w0, w, V
        self.encoder_ = Encoder(names)
        self._sample = sparse.csr_matrix(sample)
        self.history_ = history
        if classes is not None:
            self.classes_ = np.asarray(classes)

    def fit(self, X, y):
        return self

    def _encode(self, X):
        return as_csr(X, self.V_.dtype, n_features=self.V_.shape[-2])


FIELDS = {"carrier": 4, "origin": 3, "hour": 5, "distance": 1}
NAMES = [
    f"{field}={value}" if size > 1 else field
    for field, size in FIELDS.items()
    for value in range(size)
]


def draw_rows(rng, n):
    """Return rows of three one-hot fields and a number, shape (n, 13); some fields are missing."""
    parts = [
        np.eye(size)[rng.integers(0, size, n)] * (rng.random((n, 1)) < 0.9)
        for size in list(FIELDS.values())[:3]
    ]
    return np.concatenate([*parts, rng.normal(size=(n, 1))], axis=1)


def draw_fitted(rng, *, rank=3, classes=None, dtype=np.float64, history=None):
    """Return an estimator with random parameters; of more than two classes, with as many scores."""
    lead = () if classes is None or len(classes) == 2 else (len(classes),)
    w, V = rng.normal(size=(*lead, len(NAMES))), rng.normal(size=(*lead, len(NAMES), rank))
    w0 = rng.normal(size=lead) if lead else float(rng.normal())
    sample = draw_rows(rng, 300)
    return Fitted(w0, w.astype(dtype), V.astype(dtype), NAMES, sample, classes, history)
