"""What the pictures show: the numbers in them, their labels, and that they leave no trace."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from fitted import NAMES, draw_fitted, draw_table, encode, fit_known, set_parameters

import sparsefm as fm
from sparsefm.plots.label_placement import place_labels, shorten

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

from matplotlib import pyplot as plt  # noqa: E402

from sparsefm.plots import figures as plots  # noqa: E402

HISTORY = {
    "epoch": [1, 2, 3, 4],
    "train_loss": [0.7, 0.6, 0.5, 0.4],
    "val_loss": [0.8, 0.65, 0.6, 0.7],
    "r_hat": [np.nan, 1.5, 1.2, 1.1],
    "ess": [np.nan, 3.0, 7.0, 9.0],
}
DRAW = {
    "learning_curves": plots.learning_curves,
    "convergence": plots.convergence,
    "field_heatmap": plots.field_heatmap,
    "top_interactions": plots.top_interactions,
    "factors": lambda fitted, ax=None: plots.factors(fitted, "hour", ax),
}


@pytest.fixture
def fitted():
    return draw_fitted(np.random.default_rng(0), history=HISTORY)


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def bars(axes):
    """Return length and colour of each bar, from the top down."""
    found = sorted(axes.patches, key=lambda bar: bar.get_y())
    return [(bar.get_width(), matplotlib.colors.to_hex(bar.get_facecolor())) for bar in found]


# --- all of them ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DRAW)
def test_draws_where_it_is_told_and_leaves_no_trace(fitted, name, monkeypatch):
    monkeypatch.setattr(plt, "show", lambda *_, **__: pytest.fail("shown"))
    settings = dict(matplotlib.rcParams)
    figure, (given, other) = plt.subplots(1, 2)
    assert DRAW[name](fitted, ax=given) is given
    assert not other.has_data()
    assert plt.get_fignums() == [figure.number]
    axes = DRAW[name](fitted)
    assert axes.figure is not figure
    for drawn in (given, axes):
        assert drawn.get_xlabel()
        assert drawn.get_ylabel()
        drawn.figure.canvas.draw()
    assert dict(matplotlib.rcParams) == settings


@pytest.mark.parametrize("name", ["field_heatmap", "top_interactions", "factors"])
def test_without_training_rows_they_must_be_given(fitted, name):
    fitted._sample = None  # as after loading
    with pytest.raises(ValueError, match=r"training rows were not saved.*pass X="):
        DRAW[name](fitted)
    assert not plt.get_fignums()
    X = draw_table(np.random.default_rng(0), 50)
    options = {"field": "hour"} if name == "factors" else {}
    assert getattr(plots, name)(fitted, X=X, **options).has_data()


def test_importing_the_package_leaves_matplotlib_alone():
    code = "import sys, sparsefm, sparsefm.plots.figures; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_without_matplotlib(fitted, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    monkeypatch.delattr(matplotlib, "pyplot")
    with pytest.raises(ImportError, match="pip install matplotlib"):
        plots.learning_curves(fitted)


# --- learning curves ------------------------------------------------------------------------------


def test_curves_and_the_best_epoch(fitted):
    for source in (fitted, HISTORY):
        train, validation, best = plots.learning_curves(source).lines
        np.testing.assert_array_equal(train.get_xydata(), np.c_[1:5, HISTORY["train_loss"]])
        np.testing.assert_array_equal(validation.get_xydata(), np.c_[1:5, HISTORY["val_loss"]])
        np.testing.assert_array_equal(best.get_xydata(), [[3, 0.6]])
        assert best.get_label() == "lowest: 0.6, epoch 3"


@pytest.mark.parametrize("given", [{}, {"val_loss": [None] * 4}])
def test_without_validation_there_is_one_curve(given):
    history = {"epoch": HISTORY["epoch"], "train_loss": HISTORY["train_loss"]} | given
    assert len(plots.learning_curves(history).lines) == 1


def test_curves_of_a_model():
    X, y = np.random.default_rng(0).normal(size=(50, 4)), np.arange(50.0)
    model = fm.train(X, y, X, y, rank=2, epochs=3)
    train, validation, _ = plots.learning_curves(model).lines
    assert train.get_ydata().tolist() == [epoch.train_loss for epoch in model.history]
    assert validation.get_ydata().tolist() == [epoch.val_loss for epoch in model.history]


def test_no_history():
    with pytest.raises(TypeError, match=r"dict of columns 'epoch' and 'train_loss', got \[1, 2\]"):
        plots.learning_curves([1, 2])
    with pytest.raises(TypeError, match=r"columns 'epoch', 'r_hat' and 'ess', got \[1, 2\]"):
        plots.convergence([1, 2])
    for draw in (plots.learning_curves, plots.convergence):
        with pytest.raises(ValueError, match="no epochs"):
            draw(fm.Model(0.0, np.zeros(2), np.zeros((2, 1))))


# --- convergence ----------------------------------------------------------------------------------


def curves(axes):
    """Return the points of R-hat and of the effective sample size."""
    (twin,) = (other for other in axes.figure.axes if other is not axes)
    ratios, at_one = axes.lines
    assert at_one.get_ydata() == [1, 1]
    (sizes,) = twin.lines
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == [ratios.get_label(), sizes.get_label()]
    assert labels == ["largest R-hat", "smallest effective sample size"]
    for side, line in ((axes, ratios), (twin, sizes)):
        assert side.yaxis.label.get_color() == line.get_color()
    assert twin.get_ylim()[0] == 0
    return ratios.get_xydata(), sizes.get_xydata()


def test_convergence_begins_where_it_is_known(fitted):
    for source in (fitted, HISTORY):
        ratios, sizes = curves(plots.convergence(source))
        np.testing.assert_array_equal(ratios, np.c_[2:5, HISTORY["r_hat"][1:]])
        np.testing.assert_array_equal(sizes, np.c_[2:5, HISTORY["ess"][1:]])


def test_convergence_of_a_sampling():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 4)), rng.normal(size=50)
    solver = fm.Gibbs(burn_in=2, chains=2)
    model = fm.train(X, y, rank=2, solver=solver, epochs=12)
    known = model.history[9:]  # eight sweeps after burn-in
    ratios, sizes = curves(plots.convergence(model))
    np.testing.assert_array_equal(ratios, [[e.epoch, e.metrics["r_hat"]] for e in known])
    np.testing.assert_array_equal(sizes, [[e.epoch, e.metrics["ess"]] for e in known])
    estimator = fm.FMRegressor(rank=2, solver=solver, epochs=12).fit(X, y)
    assert curves(plots.convergence(estimator))[0][:, 0].tolist() == [10, 11, 12]


def test_without_chains_there_is_nothing_to_compare():
    X, y = np.random.default_rng(0).normal(size=(50, 4)), np.arange(50.0)
    for solver in (fm.Adam(), fm.ALS()):
        model = fm.train(X, y, rank=2, epochs=2, solver=solver)
        with pytest.raises(ValueError, match=r"no chains to compare: fit with .*Gibbs"):
            plots.convergence(model)
    with pytest.raises(ValueError, match="eight sweeps after burn-in"):
        plots.convergence(fm.train(X, y, rank=2, epochs=12, solver=fm.Gibbs()))
    assert not plt.get_fignums()


# --- fields ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [False, True])
def test_heatmap_shows_each_pair_once(fitted, given):
    X = draw_table(np.random.default_rng(1), 60) if given else None
    axes = plots.field_heatmap(fitted, X)
    strength = fitted.field_interactions(X)
    shown = axes.images[0].get_array()
    rows = [text.get_text() for text in axes.get_yticklabels()]
    columns = [text.get_text() for text in axes.get_xticklabels()]
    assert (rows, columns) == (["origin", "hour", "distance"], ["carrier", "origin", "hour"])
    names = fitted.encoder_.field_names_
    for r, row in enumerate(rows):
        for c, column in enumerate(columns):
            a, b = names.index(row), names.index(column)
            assert shown.mask[r, c] == (a <= b)
            assert shown.mask[r, c] or shown[r, c] == strength[a, b]
    (bar,) = set(axes.figure.axes) - {axes}
    assert "score" in bar.get_ylabel()


def test_one_field_has_no_pairs():
    table = pd.DataFrame({"a": ["1", "2"]})
    single = fit_known(table, 0.0, np.zeros(2), np.ones((2, 1)))
    with pytest.raises(ValueError, match="only 'a'"):
        plots.field_heatmap(single)


# --- pairs ----------------------------------------------------------------------------------------


def test_bars_are_the_strongest_pairs(fitted):
    axes = plots.top_interactions(fitted, top=8)
    pairs = fitted.interactions(top=8)
    colors = [plots.RED if weight >= 0 else plots.BLUE for weight in pairs["weight"]]
    assert set(colors) == {plots.RED, plots.BLUE}
    assert bars(axes) == list(zip(pairs["strength"], colors, strict=True))
    low, high = axes.get_ylim()
    assert low > high  # the strongest is on top
    shown = [text.get_text() for text in axes.get_yticklabels()]
    expected = zip(pairs["first"], pairs["second"], strict=True)
    assert shown == [f"{first}  {plots.TIMES}  {second}" for first, second in expected]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "raises the score where both occur",
        "lowers the score where both occur",
    ]


@pytest.mark.parametrize("name", ["field_heatmap", "top_interactions", "factors"])
def test_without_interactions_there_is_a_word_of_it(fitted, name):
    axes = DRAW[name](draw_fitted(np.random.default_rng(0), rank=0))
    assert [text.get_text() for text in axes.texts] == ["no interactions: the model has rank 0"]
    assert len(axes.figure.axes) == 1  # and no colour bar
    set_parameters(fitted, 0.0, fitted.w_, np.zeros_like(fitted.V_))
    if name != "factors":
        (text,) = DRAW[name](fitted).texts
        assert text.get_text() == "no interactions: all of them are zero"


def test_each_class_has_its_own_picture():
    many = draw_fitted(np.random.default_rng(0), classes=["early", "late", "lost"])
    with pytest.raises(ValueError, match="target is needed"):
        plots.top_interactions(many)
    lengths = [length for length, _ in bars(plots.top_interactions(many, target="lost"))]
    np.testing.assert_array_equal(lengths, many.interactions(target="lost")["strength"])
    for draw in (plots.field_heatmap, lambda *a, **k: plots.factors(*a, "hour", **k)):
        assert draw(many, target="late").has_data()


# --- factors --------------------------------------------------------------------------------------


def test_map_is_the_principal_components_of_the_rows(fitted):
    table = draw_table(np.random.default_rng(1), 300)
    axes = plots.factors(fitted, "hour", X=table)
    hours = [i for i, name in enumerate(NAMES) if name.startswith("hour=")]
    X = encode(fitted, table)[:, hours]
    X = X[X.any(axis=1)]  # rows that have the field
    assert 200 < len(X) < 300
    u = X @ fitted.V_[hours]
    _, axes_of_u = np.linalg.eigh(np.cov(u.T))
    expected = (fitted.V_[hours] - u.mean(axis=0)) @ axes_of_u[:, ::-1][:, :2]
    (points,) = axes.collections
    order = np.argsort(-X.sum(axis=0), kind="stable")
    np.testing.assert_allclose(np.abs(points.get_offsets()), np.abs(expected[order]), atol=1e-10)
    share = X.sum(axis=0)[order] / 300
    np.testing.assert_allclose(points.get_sizes(), 12 + 600 * share / share.max())
    assert sorted(text.get_text() for text in axes.texts) == list("01234")
    variance = np.linalg.eigvalsh(np.cov(u.T))[::-1]
    assert f"({variance[0] / variance.sum():.0%} of their variance)" in axes.get_xlabel()
    assert f"({variance[1] / variance.sum():.0%})" in axes.get_ylabel()


def test_names_stand_beside_their_points(fitted):
    axes = plots.factors(fitted, "hour")
    hours = [i for i, name in enumerate(NAMES) if name.startswith("hour=")]
    count = np.asarray(fitted._sample[:, hours].sum(axis=0)).ravel()
    place = np.asarray(axes.collections[0].get_offsets())[
        np.argsort(np.argsort(-count, kind="stable"))
    ]
    for text in axes.texts:
        np.testing.assert_array_equal(text.xy, place[int(text.get_text())])


def test_rows_to_count_in(fitted):
    X = draw_table(np.random.default_rng(0), 4).assign(hour="3")
    sizes = plots.factors(fitted, "hour", X=X).collections[0].get_sizes()
    assert sizes.tolist() == [612] + [12] * 4


@pytest.mark.parametrize("rank", [1, 2])
def test_few_factors_are_drawn(rank):
    fitted = draw_fitted(np.random.default_rng(0), rank=rank)
    points = plots.factors(fitted, 2).collections[0].get_offsets()
    assert np.linalg.matrix_rank(points) == rank


def test_wrong_fields(fitted):
    known = "'carrier', 'origin', 'hour', 'distance'"
    for field in ("month", 4, -1, 1.5):
        with pytest.raises(ValueError, match=f"none of the fields: {known}"):
            plots.factors(fitted, field)
    with pytest.raises(ValueError, match="'distance' has only 1 feature"):
        plots.factors(fitted, "distance")


# --- names ----------------------------------------------------------------------------------------


def test_long_names_keep_beginning_and_end():
    assert shorten("short", 5) == "short"
    assert shorten("scheduled departure hour=17", 12) == "schedule…=17"
    for width in range(4, 30):
        assert len(shorten("scheduled departure hour=17", width)) <= width


def test_names_do_not_overlap():
    rng = np.random.default_rng(0)
    points, sizes = rng.normal(size=(300, 2)), rng.uniform(10, 200, 300)
    _, axes = plt.subplots()
    axes.scatter(*points.T, sizes)
    place_labels(axes, points, sizes, [f"name {n}" for n in range(300)], 40)
    renderer = axes.figure.canvas.get_renderer()
    boxes = [text.get_window_extent(renderer) for text in axes.texts]
    assert 5 < len(boxes) <= 40
    frame = axes.get_window_extent(renderer)
    for n, box in enumerate(boxes):
        assert frame.x0 <= box.x0 < box.x1 <= frame.x1
        assert frame.y0 <= box.y0 < box.y1 <= frame.y1
        assert not any(box.overlaps(other) for other in boxes[:n])


def test_no_names_if_none_are_wanted(fitted):
    assert not plots.factors(fitted, "hour", labels=0).texts
