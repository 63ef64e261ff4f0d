"""Plots of what columns do, and that nothing is cut or covered, whatever the columns are called."""

import numpy as np
import pandas as pd
import pytest
from fitted import draw_fitted, draw_table, fit_known
from scipy import sparse

import sparsefm as fm
from sparsefm.encoding import TableEncoder
from sparsefm.inspection.field_explanation import Background

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

from matplotlib import pyplot as plt  # noqa: E402

from sparsefm import plots  # noqa: E402
from sparsefm.plots.figures import BLUE, RED  # noqa: E402

LONG = "a rather long column name, which came out of a questionnaire, number "
COLUMNS = {
    "short": list("abcd"),
    "long": [f"{LONG}{j}" for j in range(6)],
    "three": ["city", "children", "age"],
    "forty": [f"column_{j}" for j in range(40)],
    "odd": ["price $ in $\\frac{", "two\nlines\tof it", "ünïcode", "%d"],
}


@pytest.fixture
def fitted():
    return draw_fitted(np.random.default_rng(0))


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def labels(axes):
    return [text.get_text() for text in axes.get_yticklabels()]


def bars(axes):
    """Return begin, length and colour of each bar, from the top down."""
    found = sorted(axes.patches, key=lambda bar: bar.get_y())
    color = matplotlib.colors.to_hex
    return [(bar.get_x(), bar.get_width(), color(bar.get_facecolor())) for bar in found]


# --- waterfall ------------------------------------------------------------------------------------


def test_bars_lead_from_the_average_to_the_score(fitted):
    X = draw_table(np.random.default_rng(1), 5, holes=0)
    axes = plots.waterfall(fitted, X, row=3)
    parts = fitted.explain_fields(X)
    order = np.argsort(-np.abs(parts.contributions[3]))
    at = parts.average
    for (begin, length, color), step in zip(bars(axes), parts.contributions[3, order], strict=True):
        np.testing.assert_allclose((begin, length), (at, step), rtol=1e-12)
        assert color == (RED if step >= 0 else BLUE)
        at += step
    np.testing.assert_allclose(at, fitted.predict(X)[3])
    names = [parts.labels(3)[field] for field in order]
    assert [name.split("=")[0] for name in labels(axes)[1:-1]] == [
        name.split("=")[0] for name in names
    ]
    assert not any(text.get_parse_math() for text in axes.get_yticklabels())
    assert labels(axes)[0] == "average row"
    assert labels(axes)[-1] == "score of row 3"
    assert axes.texts[-1].get_text() == f"{fitted.predict(X)[3]:.2f}"
    low, high = axes.get_ylim()
    assert low > high  # the average is on top


def test_weak_columns_are_put_together(fitted):
    X = draw_table(np.random.default_rng(1), 5, holes=0)
    axes = plots.waterfall(fitted, X, top=2)
    assert labels(axes)[3] == "2 other columns"
    begin, length, _ = bars(axes)[-1]
    np.testing.assert_allclose(begin + length, fitted.predict(X)[0])
    assert "other" not in "".join(labels(plots.waterfall(fitted, X, top=3)))  # it would be one


def test_a_row_that_is_the_average(fitted):
    X = draw_table(np.random.default_rng(1), 1, holes=0)
    axes = plots.waterfall(fitted, X, background=X)
    axes.figure.canvas.draw()
    assert max(abs(length) for _, length, _ in bars(axes)) < 1e-12


def test_only_one_row_is_explained(monkeypatch):
    pa, pl = pytest.importorskip("pyarrow"), pytest.importorskip("polars")
    n, row = 3, 1
    read = []
    encode = TableEncoder._features

    def counted(self, data, *learned):
        read.append(data.shape[0])
        return encode(self, data, *learned)

    X = np.random.default_rng(0).normal(size=(40, 4)).round(2)
    y, split = X[:, 0] * X[:, 1], Background.split
    explained = []

    def spy(self, features):
        explained.append(features.shape[0])
        return split(self, features)

    monkeypatch.setattr(Background, "split", spy)
    names = list("abcd")
    frame, texts = pd.DataFrame(X, columns=names), X.astype(str).astype(object)
    kinds = (X, X.tolist(), sparse.csr_matrix(X), frame, frame.to_dict("records"), texts)
    tables = [*kinds, pl.DataFrame(X, names), pa.table(frame)]
    for table in tables:
        model = fm.FMRegressor(rank=2, epochs=1, search=None, solver=fm.Adam()).fit(table, y)
        some = table[:n]
        with monkeypatch.context() as patch:
            patch.setattr(TableEncoder, "_features", counted)
            axes = plots.waterfall(model, some, row)
        assert (read, explained) == ([1], [1])
        read.clear()
        whole = model.explain_fields(some)
        order = np.argsort(-np.abs(whole.contributions[row]), kind="stable")
        lengths = [length for _, length, _ in bars(axes)]
        np.testing.assert_allclose(lengths, whole.contributions[row, order], rtol=1e-6)
        assert labels(axes)[1:-1] == [whole.labels(row)[field] for field in order]
        explained.clear()


def test_wrong_rows_are_refused_before_anything_is_explained(fitted, monkeypatch):
    monkeypatch.setattr(Background, "__init__", None)
    X = draw_table(np.random.default_rng(1), 2)
    for row, error in ((2, ValueError), (-1, ValueError), (0.5, TypeError)):
        with pytest.raises(error, match="row"):
            plots.waterfall(fitted, X, row=row)


def test_wrong_arguments(fitted):
    X = draw_table(np.random.default_rng(1), 2)
    with pytest.raises(ValueError, match="row must be less than 2"):
        plots.waterfall(fitted, X, row=2)
    for draw in (plots.waterfall, plots.field_importances):
        with pytest.raises(ValueError, match="top must be at least 1"):
            draw(fitted, X=X, top=0)
        with pytest.raises(TypeError, match="must be a fitted regressor or classifier"):
            draw(3, X=X)
        with pytest.raises(TypeError, match="ax must be axes of matplotlib"):
            draw(fitted, X=X, ax=3)
    assert not plt.get_fignums()


# --- importances ----------------------------------------------------------------------------------


def test_bars_are_the_most_important_columns(fitted):
    importances = fitted.field_importances()
    axes = plots.field_importances(fitted, top=3)
    order = np.argsort(-importances)[:3]
    assert labels(axes) == [fitted.encoder_.field_names_[field] for field in order]
    np.testing.assert_array_equal([length for _, length, _ in bars(axes)], importances[order])


def test_each_class_has_its_own_picture():
    many = draw_fitted(np.random.default_rng(0), classes=["early", "late", "lost"])
    X = draw_table(np.random.default_rng(1), 2)
    for draw in (plots.waterfall, plots.field_importances):
        with pytest.raises(ValueError, match="target is needed"):
            draw(many, X=X)
        assert draw(many, X=X, target="late").has_data()


def test_they_are_drawn_where_they_are_told(fitted):
    X = draw_table(np.random.default_rng(1), 2)
    figure, (given, other) = plt.subplots(1, 2)
    for draw in (plots.waterfall, plots.field_importances):
        assert draw(fitted, X=X, ax=given) is given
    assert not other.has_data()
    assert plt.get_fignums() == [figure.number]


# --- nothing is cut or covered --------------------------------------------------------------------

DRAW = {
    "waterfall": lambda model, X: plots.waterfall(model, X, row=1),
    "field_importances": lambda model, X: plots.field_importances(model),
    "field_heatmap": lambda model, X: plots.field_heatmap(model),
    "top_interactions": lambda model, X: plots.top_interactions(model),
    "factors": lambda model, X: plots.factors(model, 0),
}


@pytest.mark.parametrize("columns", COLUMNS.values(), ids=COLUMNS)
@pytest.mark.parametrize("draw", DRAW.values(), ids=DRAW)
def test_nothing_is_cut_or_covered(columns, draw):
    rng = np.random.default_rng(0)
    texts = ["agree with most of it", "disagree with $x_{ nearly all of it", "no answer"]
    table = pd.DataFrame({name: rng.choice(texts, 60) for name in columns[:-1]})
    table[columns[-1]] = rng.integers(0, 4, 60).astype(float)
    encoder = fm.TableEncoder(numeric="bin", n_bins=4)
    model = fm.FMRegressor(rank=2, epochs=2, search=None, encoder=encoder, solver=fm.Adam())
    model.fit(table, rng.normal(size=60))
    axes = draw(model, table)
    figure = axes.figure
    figure.canvas.draw()
    whole = figure.bbox
    for part in figure.axes:
        box = part.get_tightbbox()
        assert box.x0 >= whole.x0 - 1
        assert box.y0 >= whole.y0 - 1
        assert box.x1 <= whole.x1 + 1
        assert box.y1 <= whole.y1 + 1
        if part is not axes:
            assert not part.get_tightbbox().overlaps(axes.get_window_extent())
    assert axes.get_window_extent().width > 0.25 * whole.width


def test_numbers_of_any_size_are_readable():
    for size, text in ((1e-6, "0.00000100"), (1.0, "1.00"), (12_345.0, "12,345")):
        model = fit_known(pd.DataFrame({"x": [0.0, 1.0]}), 0.0, np.array([size]), np.zeros((1, 1)))
        rows = pd.DataFrame({"x": [1.0]})
        axes = plots.waterfall(model, rows, background=pd.DataFrame({"x": [0.0]}))
        assert [one.get_text() for one in axes.texts][1:] == [f"+{text}", text]
