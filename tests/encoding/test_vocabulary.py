"""`Vocabulary` beside a dict."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sparsefm.encoding.vocabulary import Vocabulary

values = st.text("abc", max_size=3)


@given(st.lists(st.lists(values, max_size=8), max_size=20), st.lists(values))
def test_it_is_a_dict_that_is_never_changed(chunks, asked):
    known, vocabulary, earlier = {}, Vocabulary(), []
    for chunk in chunks:
        new = {value: 10 + len(known) + place for place, value in enumerate({*chunk} - {*known})}
        known |= new
        vocabulary = vocabulary.added(new)
        earlier.append((vocabulary, dict(known)))
    for vocabulary, expected in earlier:
        assert vocabulary.values == list(expected)
        assert vocabulary.columns == list(expected.values())
        assert len(vocabulary) == len(expected)
        assert vocabulary.find(asked, -2) == [expected.get(value, -2) for value in asked]
        assert not expected or vocabulary.example() in expected


def test_few_dicts_and_few_copies():
    """Adding one by one, 4,096 times: a list of as many dicts would be slow to search."""
    vocabulary, copied = Vocabulary(), 0
    for value in range(4096):
        before = {id(layer) for layer in vocabulary._layers}
        vocabulary = vocabulary.added({value: value})
        copied += sum(len(layer) for layer in vocabulary._layers if id(layer) not in before)
        sizes = [len(layer) for layer in vocabulary._layers]
        assert all(size > 4 * after for size, after in pairwise(sizes))
        assert len(sizes) <= 6
    assert copied < 20 * 4096


def test_adding_shares_what_is_large():
    large = {f"id {i}": i for i in range(1000)}
    first = Vocabulary(large)
    one, other = first.added({"one": 1000}), first.added({"other": 1000})
    assert one._layers[0] is other._layers[0] is large
    assert one.find(["one", "other"], -2) == [1000, -2]
    assert other.find(["one", "other"], -2) == [-2, 1000]
    assert first.added({}).values == list(large)
