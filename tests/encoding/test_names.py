"""Names of columns: of text and others, and the check that they are those of the fit."""

import warnings

import numpy as np
import pytest

from sparsefm import FMRegressor, load
from sparsefm.encoding import TableEncoder
from sparsefm.encoding.names import Names, check_names, made_up

pd = pytest.importorskip("pandas")
pytest.importorskip("narwhals")

X = np.random.default_rng(0).normal(size=(30, 2))
TEXT, NUMBERED, OTHER = Names(["a", "b"]), Names(["0", "1"], False), Names(["10", "20"], False)


def frame(names):
    return pd.DataFrame(X, columns=names)


@pytest.mark.parametrize("known", [TEXT, NUMBERED, OTHER, None])
@pytest.mark.parametrize("found", [TEXT, NUMBERED, OTHER, None])
def test_names_of_one_kind_must_be_equal(known, found):
    """Where one is text and the other is not, scikit-learn warns."""
    was_text, is_text = known is TEXT, found is TEXT
    if None not in (known, found) and was_text == is_text and known != found:
        with pytest.raises(ValueError, match="The feature names should match those that were"):
            check_names(known, found, "Owner")
    elif was_text and not is_text:
        with pytest.warns(UserWarning, match="X does not have valid feature names, but Owner was"):
            check_names(known, found, "Owner")
    elif is_text and not was_text:
        with pytest.warns(UserWarning, match="X has feature names, but Owner was fitted without"):
            check_names(known, found, "Owner")
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            check_names(known, found, "Owner")


def test_the_difference_is_in_scikit_learns_words():
    from sklearn.preprocessing import StandardScaler

    for names in (["b", "a"], ["a", "c"], list("abcdefgh"), ["b"]):
        wanted = pd.DataFrame(np.ones((2, len(names))), columns=names)
        with pytest.raises(ValueError, match="feature names") as theirs:
            StandardScaler().fit(frame(["a", "b"])).transform(wanted)
        with pytest.raises(ValueError, match="feature names") as ours:
            TableEncoder().fit(frame(["a", "b"])).transform(wanted)
        assert str(ours.value) == str(theirs.value)


def test_names_that_are_not_text_become_text():
    assert Names.of([10, 2.5, ("a", 1)]) == Names(["10", "2.5", "('a', 1)"], False)
    assert Names.of([np.str_("a"), "b"]) == TEXT
    assert Names.of([0, 1]).are_numbering
    assert not Names.of(["0", "1"]).are_numbering
    assert not Names.of([1, 0]).are_numbering
    with pytest.raises(TypeError, match=r"several types \(int, str\): make all of them text"):
        Names.of(["a", 1])
    with pytest.raises(ValueError, match="X must have distinct column names"):
        Names.of([1, np.float64(1), 1])


@pytest.mark.parametrize(
    ("names", "fields"),
    [
        ([10, 20], ["10", "20"]),
        ([1, 0], ["1", "0"]),
        ([0, 1], ["x0", "x1"]),
        ([("a", "x"), ("b", "y")], ["('a', 'x')", "('b', 'y')"]),
        (pd.to_datetime(["2024-01-01", "2024-02-01"]).tolist(), None),
    ],
)
def test_columns_in_another_order_are_refused(names, fields, tmp_path):
    """Also by a loaded estimator."""
    is_multi = isinstance(names[0], tuple)
    table = frame(pd.MultiIndex.from_tuples(names) if is_multi else names)
    fitted = FMRegressor(rank=0, epochs=1, search=None).fit(table, X[:, 0])
    fitted.save(tmp_path / "model")
    for estimator in (fitted, load(tmp_path / "model"), fitted.encoder_):
        assert not hasattr(estimator, "feature_names_in_")  # as in scikit-learn
        predict = getattr(estimator, "predict", getattr(estimator, "transform", None))
        with pytest.raises(ValueError, match="must be in the same order"):
            predict(table.iloc[:, ::-1])
        with pytest.raises(ValueError, match="Feature names seen at fit time, yet now missing"):
            predict(table.iloc[:, :1])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            predict(table)
            predict(X)
    if fields is not None:
        assert fitted.encoder_.field_names_ == fields
        assert fitted.get_feature_names_out().tolist() == fields
        assert load(tmp_path / "model").get_feature_names_out().tolist() == fields
    assert fitted.get_feature_names_out(["p", "q"]).tolist() == ["p", "q"]


def test_parameters_name_columns_by_the_text_of_their_names():
    table = pd.DataFrame({10: ["a", "b"], 20: [1.0, 2.0]})
    fitted = TableEncoder(hashed={"10": 4}, numeric={"20": "bin"}).fit(table)
    assert fitted.get_feature_names_out().tolist()[:4] == [f"10#{j}" for j in range(4)]


def test_an_integer_that_may_be_a_name_or_a_position_is_refused():
    for names, key in (([1, 0], 1), ([10, 1], 10), (["1", "0"], 0)):
        table = pd.DataFrame([["a", "b"]], columns=names)
        with pytest.raises(ValueError, match=f"hashed names column {key}, .* as text, '{key}'"):
            TableEncoder(hashed={key: 4}).fit(table)
    fitted = TableEncoder(hashed={1: 4}).fit(pd.DataFrame([["a", "b"]], columns=[0, 1]))
    assert fitted.n_features_out_ == 5


def test_columns_without_names_are_numbered():
    assert made_up(3) == ["x0", "x1", "x2"]
