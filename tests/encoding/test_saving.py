"""A fitted encoder as the content of a file, and back; damage is an error."""

import contextlib
import json
import random
import warnings
from types import MappingProxyType

import numpy as np
import pytest
from scipy import sparse

from sparsefm.data.csr import MAX_FEATURES
from sparsefm.encoding import TableEncoder
from sparsefm.encoding.saving import encoder_to_content, read_encoder
from sparsefm.errors import FileFormatError
from sparsefm.io.reader import Reader, add_prefix
from sparsefm.io.strings import strings_to_arrays

DENSE = np.random.default_rng(0).normal(3, 2, (50, 3))
GAPS = np.where(DENSE > 1, DENSE, np.nan)
RANDOM = sparse.random(60, 8, density=0.3, format="csr", dtype="f4", random_state=0)
RANDOM = sparse.csr_matrix(RANDOM.multiply(np.arange(8) != 5))  # a column without values


def fitted_encoders():
    pd = pytest.importorskip("pandas")
    pytest.importorskip("narwhals")
    frame = pd.DataFrame(
        {"s": ["ä", "", "😀", None], "n": [1, 2, 3, None], "h": list("abca"),
         "b": [True, False, True, True], "c": pd.Categorical([3, 1, 2, 2]),
         "f": pd.Categorical([0.5, 1.0, None, 0.5]), "g": list("zzyx")},
    ).astype({"s": object})  # fmt: skip
    options = {"hashed": {"h": 5, 6: np.int64(7)}}
    yield TableEncoder(**options).fit(frame), frame
    options = {"hashed": MappingProxyType(options["hashed"])}
    yield TableEncoder(**options, numeric="bin", n_bins=np.int32(2)).fit(frame), frame
    yield TableEncoder(dtype=np.float64, unknown="error").fit(DENSE), DENSE
    yield TableEncoder().fit(RANDOM), RANDOM
    kinds = MappingProxyType({0: "log", "x1": "spline", "*": "bin"})
    yield TableEncoder(numeric=kinds, n_bins=5, clip=False).fit(GAPS), GAPS


def assert_same(restored, fitted, X):
    assert (restored.transform(X) != fitted.transform(X)).nnz == 0
    assert restored.transform(X).dtype == fitted.transform(X).dtype
    names = restored.get_feature_names_out().tolist()
    assert names == fitted.get_feature_names_out().tolist()
    np.testing.assert_array_equal(restored.fields_, fitted.fields_)
    assert restored.field_names_ == fitted.field_names_


def test_round_trip():
    for fitted, X in fitted_encoders():
        header, arrays = encoder_to_content(fitted)
        written = json.loads(json.dumps(header, allow_nan=False))
        reader = Reader(written, dict(arrays))
        restored = read_encoder(reader)
        reader.check_all_read()
        assert_same(restored, fitted, X)
        again, same = encoder_to_content(restored)
        assert again == written
        assert same.keys() == arrays.keys()
        assert all(np.array_equal(same[name], arrays[name]) for name in arrays)


def test_a_restored_encoder_learns_more():
    for fitted, X in fitted_encoders():
        more = X.assign(s=["new", None, "é", "ä"], c=[1, 2, 3, 4]) if hasattr(X, "assign") else X
        header, arrays = encoder_to_content(fitted)
        restored = read_encoder(Reader(header, arrays)).partial_fit(more)
        assert_same(restored, fitted.partial_fit(more), more)


def test_text_is_stored_as_everywhere():
    (fitted, _), *_ = fitted_encoders()
    _, arrays = encoder_to_content(fitted)
    for name, expected in strings_to_arrays(sorted(["ä", "", "😀"]), "values").items():
        np.testing.assert_array_equal(arrays[f"0.{name}"], expected)


def test_numbers_that_no_type_of_numpy_holds():
    pd = pytest.importorskip("pandas")
    pytest.importorskip("narwhals")
    values = [2**64 - 1, 2**64 - 2, -(2**63), 2**53 + 1]
    fitted = TableEncoder().partial_fit(pd.DataFrame({7: pd.Categorical(values)}))
    fitted.partial_fit(pd.DataFrame({7: pd.Categorical([2.0**53, 0.5])}))
    header, arrays = encoder_to_content(fitted)
    assert header["columns"][0]["kind"] == "numbers"
    restored = read_encoder(Reader(json.loads(json.dumps(header)), dict(arrays)))
    assert restored._encodings[0].values == [*sorted(values), 0.5, 2.0**53]
    assert_same(restored, fitted, pd.DataFrame({7: pd.Categorical([*values, 0.5])}))
    with pytest.raises(ValueError, match="feature names should match"):
        restored.transform(pd.DataFrame({8: pd.Categorical([0.5])}))
    for text in ("1e400", "NaN", "true", '"1"', "1" * 30, "1" * 50, "", "[1]"):
        damage = strings_to_arrays(["1", text], "values")
        stored = {"0.columns": np.arange(2, dtype=np.int32)} | add_prefix("0.", damage)
        with pytest.raises(FileFormatError, match="has a category that is no number"):
            read_encoder(Reader(header, stored))


def test_files_of_before_there_were_names_that_are_not_text():
    (fitted, X), *_ = fitted_encoders()
    header, arrays = encoder_to_content(fitted)
    del header["text_names"]
    restored = read_encoder(Reader(header, arrays))
    assert restored.feature_names_in_.tolist() == fitted.feature_names_in_.tolist()
    assert_same(restored, fitted, X)


def test_buckets_of_format_1():
    (fitted, X), *_ = fitted_encoders()
    header, arrays = encoder_to_content(fitted)
    header["settings"] |= {"hashed": [["h", 5], [6, 7]]}
    restored = read_encoder(Reader(header | {"format": 1}, dict(arrays)))
    assert restored.hashed == {"h": 5, 6: 7}
    assert_same(restored, fitted, X)


# --- damage ---------------------------------------------------------------------------------------


def described(fitted, change):
    """Return the error of reading an encoder after a change to its header and arrays."""
    header, arrays = encoder_to_content(fitted)
    header = json.loads(json.dumps(header))
    change(header, arrays)
    with pytest.raises(FileFormatError) as caught:
        read_encoder(Reader(header, arrays))
    return str(caught.value)


def entry(path, value):
    """Return a change of one entry of the header."""

    def change(header, arrays):
        *path_, last = path
        for key in path_:
            header = header[key]
        header[last] = value

    return change


def array(name, *values, dtype=None):
    """Return a change of one array."""
    return lambda header, arrays: arrays.update({name: np.array(values, dtype)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (entry(["settings"], None), "settings must be of type dict"),
        (entry(["settings", "more"], 1), "parameter 'more' unknown to TableEncoder"),
        (entry(["settings", "numeric"], "scale"), "encoder whose numeric must be one of"),
        (entry(["settings", "n_bins"], "8"), "encoder whose n_bins must be an integer"),
        (entry(["settings", "hashed"], 3), "encoder whose hashed must map"),
        (entry(["settings", "hashed"], [1]), "damaged parameter 'hashed'"),
        (entry(["names"], ["a"]), "names that are not one for each column"),
        (entry(["names", 0], 1), "names that are not one for each column"),
        (entry(["columns"], {}), "columns must be of type list"),
        (entry(["columns", 0], []), "0 must be a JSON object, got []"),
        (entry(["columns", 0, "kind"], "date"), "unknown kind 'date'"),
        (entry(["columns", 0, "missing"], -3), "0.missing must be at least -2"),
        (entry(["columns", 0, "missing"], 2**31), "0.missing must be at least -2 and at most"),
        (entry(["columns", 1, "std"], -1.0), "1.std must be at least 0"),
        (entry(["columns", 1, "mean"], "0"), "1.mean must be of type float"),
        (entry(["columns", 1, "high"], -1e9), "1.high must be at least"),
        (entry(["columns", 1, "exponent"], 1101), "1.exponent must be"),
        (entry(["columns", 1, "column"], -1), "1.column must be at least 0"),
        (entry(["columns", 1, "column"], 0), "features overlap or leave gaps"),
        (entry(["columns", 2, "n_buckets"], 0), "2.n_buckets must be at least 1"),
        (entry(["columns", 2, "n_buckets"], 2**31 - 1), "overlap|with .* features"),
        (array("0.columns", 0, 1, dtype="i4"), r"0.columns must have shape (3), got (2,)"),
        (array("0.columns", 0, 1, 2), "0.columns must be of int32"),
        (array("0.offsets", 0, 2, 1, 6), "offsets do not divide"),
        (array("4.values", 1, 1, 2), "a category twice"),
        (array("4.values", 1.0, 2.0, 3.0), "4.values must be of int64"),
        (array("5.values", 1.0, np.nan), "5.values holds nan at row 1"),
        (lambda header, arrays: arrays.clear(), "has no array '0.values'"),
    ],
)
def test_damage_is_described(change, message):
    (fitted, _), *_ = fitted_encoders()
    answer = described(fitted, change)
    assert any(part in answer for part in message.split("|")), answer


def test_damage_of_bins_and_scales_is_described():
    _, (binned, _), _, (scaled, _), _ = fitted_encoders()
    assert "edges that do not ascend" in described(binned, array("1.edges", 2.0, 2.0))
    assert "holds inf" in described(binned, array("1.edges", 2.0, np.inf))
    assert "negative scale" in described(scaled, array("scales", *[-1.0] * 8))
    assert "has no array 'scales'" in described(scaled, lambda _, arrays: arrays.clear())


def test_damage_of_splines_and_logarithms_is_described():
    *_, (fitted, _) = fitted_encoders()
    assert "knots that do not ascend" in described(fitted, array("1.knots", 2.0, 2.0))
    assert "less than two knots" in described(fitted, array("1.knots", 2.0))
    assert "scale must be greater than 0" in described(fitted, entry(["columns", 0, "scale"], 0.0))
    wrong = entry(["settings", "numeric"], {"dict": [["x1", "cubic"]]})
    assert "numeric['x1'] must be one of" in described(fitted, wrong)
    assert "clip must be" in described(fitted, entry(["settings", "clip"], 3))


def test_the_number_of_features_is_limited():
    settings = {"settings": {}, "names": None}
    most = {"kind": "hashed", "first": 0, "n_buckets": MAX_FEATURES}
    assert read_encoder(Reader({"columns": [most], **settings}, {})).n_features_out_ == MAX_FEATURES
    number = {"kind": "number", "column": MAX_FEATURES, "exponent": 0, "mean": 0.0, "std": 1.0}
    number |= {"low": -1.0, "high": 1.0, "missing": -2}
    category = {"kind": "int", "missing": -2}
    arrays = {"1.values": np.array([3]), "1.columns": np.array([MAX_FEATURES], np.int32)}
    for column, held in ((number, {}), (category, arrays)):
        with pytest.raises(FileFormatError, match="has an encoder"):
            read_encoder(Reader({"columns": [most, column], **settings}, held))


JUNK = [None, -1, -3, 2**31, 2**80, 0, 1, 1.5, float("nan"), "x", [], [[]], {}, True]


def damage(value, rng):
    """Return a JSON value with one place in it changed."""
    if rng.random() < 0.2 or not isinstance(value, list | dict) or not value:
        return rng.choice(JUNK)
    copied = value.copy()
    key = rng.choice(list(value) if isinstance(value, dict) else range(len(value)))
    if rng.random() < 0.2:
        del copied[key]
    else:
        copied[key] = damage(value[key], rng)
    return copied


def damage_array(array, rng):
    changed = rng.choice([array[:-1], np.append(array, array[-1:]), array[::-1], array[None]])
    changed = rng.choice([changed, array.astype("i2"), np.full_like(array, 77)])
    return changed


def test_random_damage_is_an_error_and_no_crash():
    rng = random.Random(0)
    refused = 0
    for fitted, X in fitted_encoders():
        header, arrays = encoder_to_content(fitted)
        for _ in range(1000):
            changed, others = damage(header, rng), dict(arrays)
            if arrays and rng.random() < 0.5:
                name = rng.choice(list(arrays))
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    changed, others[name] = header, damage_array(arrays[name], rng)
            try:
                restored = read_encoder(Reader(changed, others))
            except FileFormatError:
                refused += 1
                continue
            if restored.n_features_out_ < 100 and restored.n_features_in_ == X.shape[1]:
                with contextlib.suppress(TypeError, ValueError, UserWarning):
                    restored.transform(X)  # what nobody can tell to be damaged must do no harm
    assert refused > 2000
