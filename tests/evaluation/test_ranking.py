"""Metrics of recommendations against plain loops and scikit-learn, and what they refuse."""

import math
import random
import warnings

import numpy as np
import pytest
import reference_ranking as reference
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score, roc_auc_score
from table_libraries import LIBRARIES

import sparsefm as fm
from sparsefm.evaluation import auc_by_user, ranking_metrics

MAKERS = {"dict": dict, "arrays": lambda found: {n: np.array(v) for n, v in found.items()}}
MAKERS |= LIBRARIES


def lists(rows):
    """Return rows of (user, item, rank) as columns."""
    return dict(zip(("user", "item", "rank"), map(list, zip(*rows, strict=True)), strict=True))


def pairs(rows):
    return dict(zip(("user", "item"), map(list, zip(*rows, strict=True)), strict=True))


@st.composite
def problems(draw):
    """Return rows of recommendations, relevant rows and k; some users are in one of them only."""
    recommended, relevant = [], []
    for user in range(draw(st.integers(1, 5))):
        items = draw(st.lists(st.integers(0, 7), unique=True, max_size=6))
        ranks = draw(st.permutations(range(1, 9)))  # some places stay empty
        recommended += [(user, item, rank) for item, rank in zip(items, ranks, strict=False)]
        relevant += [(user, item) for item in draw(st.lists(st.integers(0, 7), max_size=6))]
    relevant += [(9, 0)] * draw(st.integers(0 if relevant else 1, 1))
    recommended += [(11, 3, 1)] * draw(st.integers(0 if recommended else 1, 1))
    return (
        draw(st.permutations(recommended)),
        draw(st.permutations(relevant)),
        draw(st.integers(1, 9)),
    )


@settings(deadline=None, max_examples=150)
@given(problems())
def test_metrics_are_those_of_plain_loops(problem):
    recommended, relevant, k = problem
    found = ranking_metrics(lists(recommended), pairs(relevant), k=k)
    assert list(found) == list(reference.METRICS)
    assert all(type(value) is float for value in found.values())
    assert found == pytest.approx(reference.means(recommended, relevant, k), rel=1e-13)
    each = ranking_metrics(lists(recommended), pairs(relevant), k=k, by_user=True)
    wanted = reference.by_user(recommended, relevant, k)
    assert each.pop("user").tolist() == list(wanted)
    assert each.keys() == found.keys()
    for name, values in each.items():
        assert values.tolist() == pytest.approx([one[name] for one in wanted.values()], rel=1e-13)


@settings(deadline=None, max_examples=60)
@given(problems(), st.integers(8, 20))
def test_coverage_is_the_share_of_the_catalogue_that_anyone_gets(problem, n_items):
    recommended, relevant, k = problem
    found = ranking_metrics(lists(recommended), pairs(relevant), k=k, n_items=n_items)
    among = {item for _, item, rank in recommended if rank <= k}
    assert found["coverage"] == len(among) / n_items


@settings(deadline=None, max_examples=60)
@given(problems(), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_no_bit(problem, shuffler):
    recommended, relevant, k = problem
    found = ranking_metrics(lists(recommended), pairs(relevant), k=k)
    shuffler.shuffle(recommended)
    shuffler.shuffle(relevant)
    assert ranking_metrics(lists(recommended), pairs(relevant), k=k) == found


def test_the_order_of_users_changes_no_bit():
    rng = np.random.default_rng(0)
    users = np.array([f"u{user}" for user in range(500)]).repeat(4)
    recommended = {
        "user": users,
        "item": np.tile(range(4), 500),
        "rank": np.tile([1, 2, 3, 4], 500),
    }
    relevant = {"user": users, "item": rng.integers(0, 9, 2000)}
    found = ranking_metrics(recommended, relevant)
    for _ in range(5):
        one, other = rng.permutation(2000), rng.permutation(2000)
        shuffled = (
            {name: values[rows] for name, values in table.items()}
            for table, rows in ((recommended, one), (relevant, other))
        )
        assert ranking_metrics(*shuffled) == found


@settings(deadline=None, max_examples=60)
@given(problems())
def test_without_ranks_the_order_of_rows_counts(problem):
    recommended, relevant, k = problem
    places, ranked = {}, []
    for user, item, _ in recommended:
        places[user] = places.get(user, 0) + 1
        ranked.append((user, item, places[user]))
    found = ranking_metrics(lists(recommended), pairs(relevant), k=k, rank=None)
    assert found == ranking_metrics(lists(ranked), pairs(relevant), k=k)


@pytest.mark.parametrize("seed", range(30))
def test_ndcg_is_that_of_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    n_users, n_items, k = 6, 12, int(rng.integers(1, 14))
    wanted = rng.random((n_users, n_items)) < 0.3
    wanted[:, 0] = True
    scores = rng.permuted(np.tile(np.arange(n_items), (n_users, 1)), axis=1)
    users, items = np.indices(wanted.shape).reshape(2, -1)
    recommended = {"user": users, "item": items, "rank": n_items - scores.ravel()}
    relevant = {"user": np.nonzero(wanted)[0], "item": np.nonzero(wanted)[1]}
    found = ranking_metrics(recommended, relevant, k=k)
    assert found["ndcg"] == pytest.approx(ndcg_score(wanted, scores, k=k), rel=1e-13)


def test_metrics_by_hand():
    recommended = {"user": [1, 1, 1, 2, 3], "item": [10, 20, 30, 10, 99], "rank": [1, 2, 3, 1, 1]}
    relevant = {"user": [1, 1, 2, 4, 1], "item": [20, 30, 50, 10, 20]}
    each = ranking_metrics(recommended, relevant, k=3, by_user=True)
    assert each["user"].tolist() == [1, 2, 4]  # 3 has nothing relevant, 4 no recommendations
    ideal = 1 + 1 / math.log2(3)
    assert each["ndcg"].tolist() == pytest.approx([(1 / math.log2(3) + 0.5) / ideal, 0, 0])
    assert each["map"].tolist() == pytest.approx([(1 / 2 + 2 / 3) / 2, 0, 0])
    assert each["recall"].tolist() == [1, 0, 0]
    assert each["precision"].tolist() == pytest.approx([2 / 3, 0, 0])
    assert each["mrr"].tolist() == [0.5, 0, 0]
    assert each["hit_rate"].tolist() == [1, 0, 0]


def test_a_list_beyond_k_does_not_count():
    recommended = {"user": [1, 1], "item": [5, 6], "rank": [1, 2]}
    found = ranking_metrics(recommended, {"user": [1], "item": [6]}, k=1, n_items=4)
    assert set(found.values()) == {0.0, 0.25}
    far = ranking_metrics(recommended, {"user": [1], "item": [6]}, k=10**400)
    assert far["map"] == 0.5
    assert far["precision"] == 2.0**-53


@pytest.mark.parametrize("rows", [6, 600])  # up to 200 rows, tables are read otherwise
@pytest.mark.parametrize("kind", ["integers", "text", "long integers"])
def test_all_libraries_give_the_same_numbers(rows, kind):
    random.seed(rows)
    name = {"text": "u{}".format, "long integers": lambda i: 2**62 + i, "integers": int}[kind]
    user, item = [name(row // 3) for row in range(rows)], [name(row % 7) for row in range(rows)]
    recommended = {"user": user, "item": item, "rank": [1 + row % 3 for row in range(rows)]}
    relevant = {"user": user, "item": [name(random.randrange(9)) for _ in user]}
    found = [
        ranking_metrics(make(recommended), make(relevant), by_user=True) for make in MAKERS.values()
    ]
    assert len(found[0]["user"]) == rows // 3
    for one in found:
        assert {n: v.tolist() for n, v in one.items()} == {
            n: v.tolist() for n, v in found[0].items()
        }
    wanted = reference.by_user(
        list(zip(*recommended.values(), strict=True)),
        list(zip(*relevant.values(), strict=True)),
        10,
    )
    assert found[0]["ndcg"].tolist() == pytest.approx([one["ndcg"] for one in wanted.values()])


def test_kinds_of_tables_may_differ():
    pd, pa = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    recommended = pd.DataFrame({"a": pd.Categorical([3, 4]), "b": ["x", "y"], "c": [1.0, 1.0]})
    relevant = pa.table({"a": pa.array([3, 5], "uint64"), "b": ["x", "y"]})
    found = ranking_metrics(recommended, relevant, user="a", item="b", rank="c", by_user=True)
    assert found["user"].tolist() == [3, 5]
    assert found["recall"].tolist() == [1, 0]


def test_texts_that_differ_after_a_nul_are_two_users():
    relevant = {"user": ["a", "a\0"], "item": [1, 2]}
    found = ranking_metrics({"user": ["a\0"], "item": [2], "rank": [1]}, relevant, by_user=True)
    assert found["user"].tolist() == ["a", "a\0"]
    assert found["recall"].tolist() == [0, 1]


def test_nothing_recommended_scores_zero():
    nothing = {"user": [], "item": [], "rank": []}
    for make in MAKERS.values():
        found = ranking_metrics(make(nothing), make({"user": ["a"], "item": ["b"]}), n_items=3)
        assert set(found.values()) == {0.0}


RIGHT = {"user": [1, 1, 2], "item": [5, 6, 5], "rank": [1, 2, 1]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rank": [1, 1, 1]}, "column 'rank' holds 1 more than once for user 1: a list"),
        ({"item": [5, 5, 5]}, "column 'item' holds 5 more than once for user 1: a list"),
        ({"rank": [1, 0, 1]}, "column 'rank' holds 0 in row 1: ranks are integers, and 1 is"),
        ({"rank": [1.0, 2.0, 1.5]}, "column 'rank' holds 1.5 in row 2: ranks are integers"),
        ({"rank": [1.0, 2.0, 2.0**53]}, r"column 'rank' holds 9.0072e\+15 in row 2: "),
        ({"rank": [1.0, 2.0, math.nan]}, "'rank' holds nothing .a missing value. in row 2: remove"),
        ({"user": [1, None, 2]}, "'user' holds nothing .a missing value. in row 1: remove"),
        ({"item": ["a", "b", None]}, "'item' holds nothing .a missing value. in row 2: remove"),
        ({"user": [1.0, 1.0, 2.5]}, "'user' holds 2.5 in row 2: identifiers are integers or text"),
        ({"user": [1.0, 1.0, math.inf]}, "(in row|, row) 2"),
        ({"user": [1.0, 1.0, 1e300]}, "holds 1e.300 in row 2: make such numbers integers"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_values_that_are_refused(make, change, message):
    with pytest.raises(ValueError, match=rf"^recommended: .*{message}"):
        ranking_metrics(make(RIGHT | change), make({"user": [1], "item": [5]}))
    if "rank" not in change and "more than" not in message:
        relevant = {name: (RIGHT | change)[name] for name in ("user", "item")}
        with pytest.raises(ValueError, match=rf"^relevant: .*{message}"):
            ranking_metrics(make(RIGHT), make(relevant))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rank": ["a", "b", "c"]}, "column 'rank' holds text: ranks are integers"),
        ({"rank": [True, False, True]}, "column 'rank' holds bools or categories: ranks"),
        ({"user": [True, False, True]}, "column 'user' holds bools or categories: ident"),
        ({"user": np.zeros(3, "M8[s]")}, "column 'user' holds dates: identifiers are"),
        ({"user": np.zeros(3, "m8[s]")}, "column 'user' holds durations: identifiers"),
        ({"item": [[1], [2], [3]]}, "column 'item' "),
        ({"user": ["1", "1", "2"]}, "column 'user' holds text, but relevant: column 'user' holds"),
    ],
)
def test_kinds_that_are_refused(change, message):
    for make in (dict, *([LIBRARIES["pandas"]] if "pandas" in LIBRARIES else [])):
        kind = (TypeError, ValueError) if change.get("item") else TypeError
        with pytest.raises(kind, match=rf"^(recommended: )?{message}"):
            ranking_metrics(make(RIGHT | change), make({"user": [1], "item": [5]}))


def test_mixed_types_are_refused():
    mixed = RIGHT | {"user": [1, "a", 2]}
    for make in (dict, *([LIBRARIES["pandas"]] if "pandas" in LIBRARIES else [])):
        with pytest.raises(TypeError, match="recommended: column 'user' holds values of several"):
            ranking_metrics(make(mixed), {"user": [1], "item": [5]})


@pytest.mark.parametrize(
    ("kind", "message", "wrong"),
    [
        (ValueError, "recommended has no column 'who': user= names it; its columns are 'user',",
         {"user": "who"}),
        (ValueError, "relevant has no column 'item': item= names it; its columns are 'user'$",
         {"relevant": {"user": [1]}}),
        (ValueError, "recommended has no column 'place': rank= names it", {"rank": "place"}),
        (ValueError, "relevant has no column 'user': .* its columns are none at all",
         {"relevant": {}}),
        (TypeError, "item must be the name of a column, got 3", {"item": 3}),
        (ValueError, "k must be at least 1, got 0", {"k": 0}),
        (TypeError, "k must be an integer, got 1.5", {"k": 1.5}),
        (ValueError, "n_items must be at least 1, got 0", {"n_items": 0}),
        (ValueError, "n_items is 1, but recommended has 2 items", {"n_items": 1}),
        (ValueError, "n_items is for coverage", {"n_items": 9, "by_user": True}),
        (TypeError, "by_user must be True or False", {"by_user": "yes"}),
        (ValueError, "relevant has no rows", {"relevant": {"user": [], "item": []}}),
        (ValueError, r"relevant has columns of different lengths: \[1, 2\]",
         {"relevant": {"user": [1], "item": [1, 2]}}),
        (TypeError, "recommended must be a table .* or a dict of arrays, got list",
         {"recommended": [1, 2]}),
        (ValueError, "relevant: column 'item' must be one-dimensional, got shape",
         {"relevant": {"user": [1], "item": [[1]]}}),
        (TypeError, "relevant: column 'user' must be a one-dimensional array, got a sparse",
         {"relevant": {"user": sp.csr_matrix([[1]]), "item": [1]}}),
    ],
)  # fmt: skip
def test_arguments_that_are_refused(kind, message, wrong):
    arguments = {"recommended": RIGHT, "relevant": {"user": [1], "item": [5]}} | wrong
    with pytest.raises(kind, match=message):
        ranking_metrics(arguments.pop("recommended"), arguments.pop("relevant"), **arguments)


def test_tables_are_called_by_their_arguments():
    pl = pytest.importorskip("polars")
    pd = pytest.importorskip("pandas")
    with pytest.raises(TypeError, match=r"^relevant is a lazy table .*: pass relevant.collect\(\)"):
        ranking_metrics(RIGHT, pl.DataFrame({"user": [1], "item": [5]}).lazy())
    with pytest.raises(TypeError, match=r"^recommended has column names of several types"):
        ranking_metrics(pd.DataFrame([[1, 2]], columns=["user", 3]), RIGHT)


# --- AUC ----------------------------------------------------------------------------------------


@st.composite
def scored(draw):
    """Return scores with many ties, and which items are relevant and excluded."""
    shape = draw(st.integers(1, 5)), draw(st.integers(1, 7))

    def table(cells):
        row = st.lists(cells, min_size=shape[1], max_size=shape[1])
        return draw(st.lists(row, min_size=shape[0], max_size=shape[0]))

    values = st.sampled_from([-math.inf, -1.5, -0.0, 0.0, 0.5, 2.0, math.inf])
    return table(values), table(st.booleans()), table(st.booleans())


@settings(deadline=None, max_examples=150)
@given(scored(), st.sampled_from([1, 8, 1 << 20]))
def test_auc_is_that_of_plain_loops(problem, at_once):
    scores, relevant, excluded = problem
    arguments = (
        np.array(scores),
        sp.csr_array(np.array(relevant)),
        sp.csc_matrix(np.array(excluded)),
    )
    wanted = reference.auc(*problem)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sparsefm.evaluation.ranking.ENTRIES_AT_ONCE", at_once)
        if wanted is None:
            with pytest.raises(
                ValueError, match="relevant and exclude leave no user with a relevant item"
            ):
                auc_by_user(*arguments)
        else:
            assert auc_by_user(*arguments) == pytest.approx(wanted, rel=1e-13)


@pytest.mark.parametrize("seed", range(20))
def test_auc_is_that_of_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 30, (20, 60)).astype(np.float32)
    relevant, exclude = rng.random((2, 20, 60)) < 0.2
    relevant[:, 0], relevant[:, 1] = True, False
    exclude[:, 1] = False
    wanted = [
        roc_auc_score(r[r | ~e], s[r | ~e])
        for s, r, e in zip(scores, relevant, exclude, strict=True)
    ]
    found = auc_by_user(scores, sp.csr_array(relevant), sp.csr_array(exclude))
    assert found == pytest.approx(np.mean(wanted), rel=1e-13)


def test_stored_zeros_are_not_relevant():
    stored = sp.csr_matrix((np.array([1.0, 0.0]), np.array([0, 1]), np.array([0, 2])), (1, 3))
    assert auc_by_user([[2.0, 3.0, 1.0]], stored) == 0.5
    assert auc_by_user([[2.0, 3.0, 1.0]], stored, sp.csr_matrix([[1, 1, 0]])) == 1.0


@pytest.mark.parametrize(
    ("kind", "message", "wrong"),
    [
        (ValueError, "scores holds nan in row 1, column 0",
         {"scores": np.array([[1.0, 2.0], [math.nan, 1.0]])}),
        (ValueError, r"scores must have shape \(n_users, n_items\), got \(2,\)",
         {"scores": np.ones(2)}),
        (TypeError, "scores must hold real numbers", {"scores": np.full((2, 2), "a")}),
        (ValueError, r"relevant has shape \(1, 2\), but scores has \(2, 2\)",
         {"relevant": sp.csr_matrix((1, 2))}),
        (ValueError, r"exclude has shape \(2, 3\), but scores has \(2, 2\)",
         {"exclude": sp.csr_matrix((2, 3))}),
        (ValueError, "relevant and exclude leave no user", {"relevant": sp.csr_matrix((2, 2))}),
        (ValueError, "relevant and exclude leave no user", {"exclude": np.ones((2, 2))}),
    ],
)  # fmt: skip
def test_scores_that_are_refused(kind, message, wrong):
    right = {"scores": np.eye(2), "relevant": sp.csr_matrix(np.eye(2)), "exclude": None}
    assert auc_by_user(**right) == 1.0
    with pytest.raises(kind, match=message):
        auc_by_user(**right | wrong)


def test_the_module_is_imported_with_the_package():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fm.evaluation.ranking_metrics is ranking_metrics
