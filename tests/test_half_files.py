"""Models in files of float16 and bfloat16: half as large, and nearly the same."""

import copy
import dataclasses
import json

import numpy as np
import pytest
from safetensors import safe_open
from served import MAKERS, predicted, rows, served

import sparsefm as fm

X, Y = rows(60, seed=1)
DIGITS = {"float16": 2.0**-11, "bfloat16": 2.0**-8}


def models_of(one):
    """Return the models of an estimator, or a model alone, or its samples."""
    if hasattr(one, "_learner"):
        return [part for model in one._learner.models() for part in models_of(model)]
    return list(getattr(one, "samples", (getattr(one, "state", one),)))


@pytest.mark.parametrize("mmap", [False, True])
@pytest.mark.parametrize("dtype", DIGITS)
@pytest.mark.parametrize("name", MAKERS)
def test_every_kind(name, dtype, mmap, tmp_path):
    model = served(name)
    model.save(tmp_path / "file", dtype=dtype)
    again = fm.load(tmp_path / "file", mmap=mmap)
    for one, other in zip(models_of(model), models_of(again), strict=True):
        for array in ("w", "V"):
            given, found = getattr(one, array), getattr(other, array)
            assert found.dtype == np.float32
            assert given.size == 0 or (found != given).any()
            np.testing.assert_allclose(found, given, rtol=DIGITS[dtype], atol=1e-7)
    np.testing.assert_allclose(predicted(again, X), predicted(model, X), atol=0.1)


@pytest.mark.parametrize(
    "name", ["regressor of float64", "classifier, fwfm", "classifier, softmax"]
)
def test_training_goes_on(name, tmp_path):
    served(name).save(tmp_path / "file", optimizer_state=True, training_rows=True, dtype="bfloat16")
    again = fm.load(tmp_path / "file")
    before = predicted(again, X)
    again.partial_fit(X, Y["three" if "softmax" in name else "two"])
    assert (predicted(again, X) != before).any()
    assert again.encoder_.dtype == again.dtype == "float32"


def test_sizes_and_other_readers(tmp_path):
    model = fm.Model(0.5, np.linspace(0, 1, 1000, dtype="f4"), np.ones((1000, 16), "f4"))
    model.save(tmp_path / "whole")
    for dtype, kind in (("float16", "F16"), ("bfloat16", "BF16")):
        model.save(tmp_path / "half", dtype=dtype)
        assert (tmp_path / "half").stat().st_size < 0.52 * (tmp_path / "whole").stat().st_size
        with safe_open(tmp_path / "half", "numpy") as file:
            assert file.get_slice("V").get_dtype() == kind
            if dtype == "float16":
                np.testing.assert_array_equal(file.get_tensor("w"), model.w.astype(np.float16))
    content = (tmp_path / "half").read_bytes()
    table = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert table["w"] == {"dtype": "BF16", "shape": [1000], "data_offsets": [8 + 32000, 8 + 34000]}


def test_what_is_too_large_is_not_saved(tmp_path):
    model = fm.Model(0.5, np.ones(3), np.full((3, 2), 1e5))
    with pytest.raises(ValueError, match=r"V holds 100000, too large for float16.*bfloat16"):
        model.save(tmp_path / "file", dtype="float16")
    assert not (tmp_path / "file").exists()
    model.save(tmp_path / "file", dtype="bfloat16")


def test_labels_of_float16_are_not_parameters(tmp_path):
    labels = np.array([1, 2], np.float16)[Y["two"]]
    model = fm.FMClassifier(rank=1, epochs=1, search=None, solver=fm.Adam()).fit(X, labels)
    model.save(tmp_path / "file", dtype="float16")
    assert fm.load(tmp_path / "file").classes_.dtype == np.float16


@pytest.mark.parametrize("name", ["model of float64", "field-weighted", "field-aware", "sampled"])
@pytest.mark.parametrize("dtype", DIGITS)
def test_what_stays_exact_must_fit_too(name, dtype, tmp_path):
    model = copy.copy(served(name))
    if name == "sampled":
        samples = (dataclasses.replace(model.samples[0], w0=1e39), *model.samples[1:])
        object.__setattr__(model, "samples", samples)
    else:
        object.__setattr__(model, "w0", 1e39)
    (tmp_path / "file").write_bytes(b"the old one")
    with pytest.raises(ValueError, match=r"w0 holds 1e\+39, too large for float32: leave"):
        model.save(tmp_path / "file", dtype=dtype)
    assert (tmp_path / "file").read_bytes() == b"the old one"
