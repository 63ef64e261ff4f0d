"""Names of columns: of text and others, and the check that they are those of the fit."""

import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sparsefm import Adam, FMRegressor, load
from sparsefm.encoding import TableEncoder
from sparsefm.encoding.names import Names, check_names, distinct_names, made_up

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

    for names in (["b", "a"], ["a", "c"], list("abcdefgh"), ["b"], ["c", "a", "b"]):
        wanted = pd.DataFrame(np.ones((2, len(names))), columns=names)
        with pytest.raises(ValueError, match="feature names") as theirs:
            StandardScaler().fit(frame(["a", "b"])).transform(wanted)
        with pytest.raises(ValueError, match="feature names") as ours:
            TableEncoder().fit(frame(["a", "b"])).transform(wanted)
        assert str(ours.value).startswith(str(theirs.value))
        is_order = names == ["b", "a"]
        told = (
            "Column 0 was 'a', but is 'b' now: take the columns in the order of feature_names_in_"
        )
        assert (told in str(ours.value)) == is_order
        assert is_order or str(ours.value) == str(theirs.value)


def test_the_remedy_for_another_order_is_one():
    table = frame(["a", "b"])
    model = FMRegressor(rank=0, epochs=1, search=None).fit(table, X[:, 0])
    with pytest.raises(ValueError, match=r"such as X\[list\(model.feature_names_in_\)\]"):
        model.predict(table[["b", "a"]])
    found = model.predict(table[["b", "a"]][list(model.feature_names_in_)])
    np.testing.assert_array_equal(found, model.predict(table))


def test_names_of_another_type_in_another_order_are_refused():
    """Files turn names that are integers into text."""
    for known, found in (([20, 10], ["10", "20"]), (["20", "10"], [10, 20])):
        with pytest.raises(ValueError, match="Column 0 was '20', but is '10' now"):
            TableEncoder().fit(frame(known)).transform(frame(found))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            TableEncoder().fit(frame(known)).transform(frame([known[0], known[1]]))


def test_dicts_are_matched_by_name():
    """Their keys have no order."""
    rows = [{"a": 1.0, "b": "x"}, {"a": 2.0, "b": "y"}]
    encoder = TableEncoder().fit(rows)
    expected = encoder.transform(rows).toarray()
    turned = [dict(reversed(row.items())) for row in rows]
    np.testing.assert_array_equal(encoder.transform(turned).toarray(), expected)


CALLS = {
    "predict": lambda model, X, y: model.predict(X),
    "explain": lambda model, X, y: model.explain(X),
    "interactions": lambda model, X, y: model.interactions(X=X),
    "transform": lambda model, X, y: model.encoder_.transform(X),
    "partial_fit": lambda model, X, y: model.partial_fit(X, y),
    "of the encoder": lambda model, X, y: model.encoder_.partial_fit(X),
    "eval_set": lambda model, X, y: model.fit(X.iloc[:, sorted_by_name(X)], y, eval_set=(X, y)),
}


def sorted_by_name(table):
    return np.argsort(table.columns)[:2]


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_all_methods_have_the_same_rule(call):
    table, y = frame(["a", "b"]), X[:, 0]
    model = FMRegressor(rank=0, epochs=1, search=None, solver=Adam()).partial_fit(table, y)
    with pytest.raises(ValueError, match=r"same order.*\sColumn 0 was 'a', but is 'b' now"):
        call(model, table[["b", "a"]], y)
    grows = call in (CALLS["partial_fit"], CALLS["of the encoder"])
    message = "same order" if grows else "Feature names unseen at fit time:\n- c"
    with pytest.raises(ValueError, match=message):
        call(model, table.assign(c=1.0)[["a", "c", "b"]], y)
    if call is not CALLS["eval_set"]:
        with pytest.raises(ValueError, match="seen at fit time, yet now missing:\n- b"):
            call(model, table[["a"]], y)
    if grows:
        call(model, table.assign(c=1.0), y)
        assert model.encoder_.field_names_ == ["a", "b", "c"]


# --- names of features ---------------------------------------------------------------------------


def test_features_that_would_share_a_name_are_numbered():
    table = pd.DataFrame({"a=b": ["c", "c"], "a": ["b=c", None]})
    encoder = TableEncoder().fit(table)
    assert encoder.get_feature_names_out().tolist() == ["a=b=c", "a=b=c (2)", "a=missing"]
    table = pd.DataFrame({"a": ["missing", None], "a=missing (2)": [1.0, 2.0]})
    names = ["a=missing", "a=missing (2)", "a=missing (2) (2)"]
    assert TableEncoder().fit(table).get_feature_names_out().tolist() == names
    assert distinct_names(np.array(["a", "a (2)", "a"], object)).tolist() == ["a", *NUMBERED_A[:2]]
    assert distinct_names(np.array(["a"] * 4, object)).tolist() == ["a", *NUMBERED_A]


NUMBERED_A = ["a (2)", "a (3)", "a (4)"]
COLUMN_NAMES = st.sampled_from(["a", "a=b", "a@1", "a#0", "a in [-inf, 1)", "a=missing", "a (2)"])
TEXTS = st.sampled_from(["b", "b=c", "c", "missing", "missing (2)", "", "(2)", "1"])
CELLS = st.one_of(
    st.lists(st.none() | TEXTS, min_size=4, max_size=4),
    st.lists(st.none() | st.lists(TEXTS, max_size=2), min_size=4, max_size=4),
    st.lists(st.sampled_from([0.0, 1.0, 2.0, np.nan]), min_size=4, max_size=4),
)


@settings(max_examples=150, deadline=None)
@given(
    columns=st.dictionaries(COLUMN_NAMES, CELLS, min_size=1, max_size=5),
    kind=st.sampled_from(["standardize", "spline", "bin"]),
)
def test_no_two_features_share_a_name(columns, kind):
    """And what has a name keeps it when features are added."""
    table = pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in columns.items()})
    encoder = TableEncoder(numeric=kind, n_bins=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = encoder.partial_fit(table[:2]).get_feature_names_out().tolist()
        was = [type(one).__name__ for one in encoder._encodings]
        try:
            after = encoder.partial_fit(table).get_feature_names_out().tolist()
        except TypeError as error:
            assume("in training, but holds" not in str(error))
            raise
    assert len(set(after)) == len(after) == encoder.n_features_out_
    if was == [type(one).__name__ for one in encoder._encodings]:  # else one was found out late
        assert after[: len(before)] == before


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
