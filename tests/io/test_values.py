"""Parameters in a form that a file can hold, and back."""

import json
import math
from collections import OrderedDict

import numpy as np
import pytest

import sparsefm as fm
from sparsefm.encoding import TableEncoder
from sparsefm.errors import FileFormatError
from sparsefm.io import values
from sparsefm.io.values import parameters_from_json, parameters_to_json, register


class Estimator:
    """Takes two parameters."""

    def __init__(self, a=None, b=None):
        self.a, self.b = a, b


class MyAdam(fm.Adam):
    """A solver of the user's own."""


def again(**parameters):
    """Take parameters through JSON as it is in files; return also what was skipped."""
    stored, skipped = parameters_to_json(parameters)
    text = json.dumps(stored, allow_nan=False)
    return parameters_from_json(json.loads(text), Estimator), skipped


# fmt: off
SAME = [
    None, True, False, 0, -1, 2**100, 0.1, -0.0, 5e-324, math.inf, -math.inf, "", "é\n\ud800",
    (), [], {}, (1,), [1, (2.0, [None])], ((), [[]]), {"a": 1, 2: "b", 0.5: (1,), False: None},
    {"tuple": [1]}, {"float": "nan"}, {math.inf: {"solver": ["adam", {}]}},
    fm.Adam(), fm.AdaGrad(), fm.Adam(learning_rate=1 / 3, updates="exact", l2_linear=0),
    [fm.AdaGrad(initial_accumulator=0.1)],
]
CANNOT = [
    print, lambda: 0, fm.Adam, np.random.default_rng(0), np.random.RandomState(0), np.ones(2),
    object(), b"bytes", {1, 2}, 1j, [print], {"a": (1, [print])}, {(1, 2): 3}, {None: 1},
    OrderedDict(), TableEncoder, np.float32, MyAdam(), fm.Model(0.0, np.ones(1), np.ones((1, 1))),
]
# fmt: on


@pytest.mark.parametrize("value", SAME, ids=repr)
def test_parameters_come_back_the_same(value):
    back, skipped = again(a=value, b=1)
    assert back == {"a": value, "b": 1}
    assert repr(back["a"]) == repr(value)  # types, signs of zero and order too
    assert not skipped


def test_nan_and_numbers_of_numpy():
    assert math.isnan(again(a=float("nan"))[0]["a"])
    weights = {np.int64(3): np.float32(0.1), np.str_("x"): np.bool_(True)}
    back, _ = again(a=weights, b=np.int32(7))
    assert repr(back) == repr({"a": {3: float(np.float32(0.1)), "x": True}, "b": 7})


@pytest.mark.parametrize("value", CANNOT, ids=lambda value: str(value)[:20])
def test_what_cannot_be_saved_is_named_and_left_out(value):
    back, (skipped,) = again(a=value, b=1)
    assert back == {"b": 1}
    assert skipped == f"a={value!r:.80}"


# --- objects of registered classes ----------------------------------------------------------------


def test_encoders():
    encoder = TableEncoder(numeric="bin", n_bins=np.int64(3), hashed={"city": 5, 2: 7})
    back, skipped = again(a=encoder, b=[encoder])
    for found in (back["a"], *back["b"]):
        assert type(found) is TableEncoder
        assert found.get_params() == encoder.get_params()
    assert not skipped


def test_a_parameter_of_a_parameter_is_named_and_left_out():
    encoder = TableEncoder(n_bins=3, dtype=np.float64, hashed=print)
    back, skipped = again(a=encoder)
    assert back["a"].get_params() == TableEncoder(n_bins=3).get_params()
    assert skipped == [
        "a__hashed=<built-in function print>",
        "a__dtype=<class 'numpy.float64'>",
    ]


def test_only_registered_classes_are_saved_and_made(monkeypatch):
    for name in ("_TAGS", "_CLASSES"):
        monkeypatch.setattr(values, name, dict(getattr(values, name)))
    assert again(a=Estimator(1, b=2))[0] == {}
    stored = {"a": {"pair": {"a": 1, "b": 2}}}
    with pytest.raises(FileFormatError, match="damaged parameter"):
        parameters_from_json(stored, Estimator)
    assert register("pair")(Estimator) is Estimator
    assert parameters_to_json({"a": Estimator(1, b=2)}) == (stored, [])
    found = parameters_from_json(stored, Estimator)["a"]
    assert (type(found), vars(found)) == (Estimator, {"a": 1, "b": 2})


def test_solvers_are_registered_under_their_names():
    for solver in (fm.Adam(), fm.AdaGrad()):
        (tag, (name, _)) = next(iter(values.to_json(solver).items()))
        assert (tag, name) == ("solver", solver.name)
    assert again(a=MyAdam(), b=1)[0] == {"b": 1}  # of the user's own there is nothing to go by


@pytest.mark.parametrize(
    "stored",
    [
        None,
        [],
        {"c": 1},
        {"self": 1},
        {"a": {"solver": ["sgd", {}]}},
        {"a": {"solver": ["adam"]}},
        {"a": {"solver": ["adam", {"learning_rate": -1}]}},
        {"a": {"solver": ["adam", {"learning_rate": {"float": "nan"}}]}},
        {"a": {"solver": ["adam", {"moments": 7}]}},
        {"a": {"solver": ["adam", []]}},
        {"a": {"solver": [["adam"], {}]}},
        {"a": {"encoder": {"n_bins": {"callable": "print"}}}},
        {"a": {"encoder": {"common": 1}}},
        {"a": {"encoder": 1}},
        {"a": {"encoder": ["adam", {}]}},
        {"a": {"solver": {"learning_rate": 0.1}}},
        {"a": {"solver": "ab"}},
        {"a": {"float": "1"}},
        {"a": {"float": 1}},
        {"a": {"tuple": {"a": 1}}},
        {"a": {"tuple": "ab"}},
        {"a": {"dict": [[1]]}},
        {"a": {"dict": [[[1], 2]]}},
        {"a": {"dict": [[None, 2]]}},
        {"a": {"dict": {"ab": 1}}},
        {"a": {"eval": "1"}},
        {"a": {}},
        {"a": {"tuple": [], "dict": []}},
    ],
    ids=str,
)
def test_parameters_refused(stored):
    with pytest.raises(FileFormatError, match=r"^has .*parameter"):
        parameters_from_json(stored, Estimator)
