"""What other threads see of an encoder that is being fitted."""

import inspect

import numpy as np
import pytest
from other_threads import different, in_another_thread, watched

import sparsefm as fm
from sparsefm.encoding import encoder as module


def encoded(encoder, X, output):
    """Return all of what an encoder says of some rows, as lists."""
    found = encoder.transform(X)
    if output == "pandas":
        return list(found.columns), found.to_numpy().tolist()
    return found.shape, found.indices.tolist(), found.data.tolist()


@pytest.mark.parametrize("output", ["default", "pandas"])
@pytest.mark.parametrize("method", ["fit", "fit_transform", "partial_fit"])
def test_transforms_during_refits_are_those_of_one_of_the_states(method, output):
    tables = [different(3, seed)[0].assign(n=np.arange(150.0) % 7 * seed) for seed in (1, 4)]
    X = tables[0].iloc[:15]

    def new():
        return fm.TableEncoder().set_output(transform=output)

    def refit(encoder):
        if method == "partial_fit":
            encoder.fit(tables[0])
        getattr(encoder, method)(tables[1])

    states = [new().fit(tables[0]), new()]
    refit(states[1])
    expected = [encoded(state, X, output) for state in states]
    assert expected[0] != expected[1]
    encoder, seen = new().fit(tables[0]), []

    def work(wait):
        for turn in range(60):
            for change in refit, lambda encoder: encoder.fit(tables[0]):
                change(encoder)
                if turn % 10 == 9:
                    wait()

    def read():
        seen.append(encoded(encoder, X, output))
        assert seen[-1] in expected

    def describe():
        names, fields = encoder.get_feature_names_out(), encoder.fields_
        assert len(names) in [state.n_features_out_ for state in states]
        assert len(fields) in [state.n_features_out_ for state in states]
        assert len(encoder.field_names_) == 4

    assert watched(work, [read, describe]) == []
    assert {repr(found) for found in seen} == {repr(one) for one in expected}


def during(monkeypatch, name, function, owner=fm.TableEncoder):
    """Have a method of encoders call a function in another thread, once its work is done."""
    method = getattr(owner, name)

    def calling(*args, **kwargs):
        result = method(*args, **kwargs)
        monkeypatch.setattr(owner, name, method)
        in_another_thread(function)
        return result

    monkeypatch.setattr(owner, name, calling)


@pytest.mark.parametrize("method", ["fit", "partial_fit", "fit_transform"])
def test_an_encoder_changes_when_its_fit_returns(monkeypatch, method):
    few, many = different(3, 1)[0], different(3, 4)[0]
    encoder, seen = fm.TableEncoder().fit(few), []
    before = encoded(encoder, many, "default")
    during(monkeypatch, "_remember", lambda: seen.append(encoded(encoder, many, "default")))
    getattr(encoder, method)(many)
    assert seen == [before]
    assert encoded(encoder, many, "default") != before


def test_names_and_fields_of_an_encoder_are_those_of_one_state(monkeypatch):
    few, many = different(3, 1)[0], different(3, 4)[0]
    encoder = fm.TableEncoder().fit(few)
    names = encoder.get_feature_names_out().tolist()
    during(monkeypatch, "check_is_fitted", lambda: encoder.fit(many), owner=module)
    assert encoder.get_feature_names_out().tolist() == names
    assert len(encoder.get_feature_names_out()) > len(names)
    encoder.fit(few).set_output(transform="pandas")
    during(monkeypatch, "_encode", lambda: encoder.fit(many))
    assert list(encoder.transform(few).columns) == names


@pytest.mark.parametrize("method", ["fit", "partial_fit", "fit_transform"])
def test_an_encoder_whose_fit_fails_is_as_it_was(method):
    X, _ = different(3, 4)
    encoder = fm.TableEncoder().fit(X)
    before = dict(vars(encoder))
    worse = X.assign(w=[[[1]]] * len(X))  # the first columns are read, and the last one is refused
    with pytest.raises((TypeError, ValueError), match="'w'"):
        getattr(encoder, method)(worse)
    assert vars(encoder) == before


def test_methods_of_an_encoder_keep_their_signatures():
    fitted = fm.TableEncoder().set_output(transform="pandas")
    pytest.importorskip("pandas")
    assert list(fitted.fit_transform([["a"], ["b"]]).columns) == ["x0=a", "x0=b"]
    assert list(inspect.signature(fitted.fit_transform).parameters) == ["X", "y", "sample_weight"]
    assert list(inspect.signature(fitted.transform).parameters) == ["X"]
