"""Plots of a training and of a fitted model (needs matplotlib).

Every function draws on `ax`, or on the axes of a new figure, and returns the axes. It neither shows
the figure nor changes any setting of matplotlib. Colour-blind readers can tell the colours apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sparsefm.data.validation import check_integer, is_mapping
from sparsefm.history import Epoch, as_columns
from sparsefm.inspection.mixin import InsightMixin
from sparsefm.plots.label_placement import place_labels, shorten
from sparsefm.plots.labels import FeatureLabels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, RED, GREY = "#0072b2", "#d55e00", "#8c8c8c"
TIMES = "\N{MULTIPLICATION SIGN}"
MOST_FIELDS = 40  # more make labels smaller, not the figure larger
FIELD_WIDTH, FEATURE_WIDTH = 24, 32  # characters of a name


def learning_curves(estimator_or_history: Any, ax: Axes | None = None) -> Axes:
    """Draw the loss after each epoch, and mark the epoch of the lowest validation loss.

    Parameters
    ----------
    estimator_or_history : fitted estimator, Model, or dict
        A dict has equally long columns "epoch", "train_loss" and, with validation rows,
        "val_loss", like an estimator's ``history_``.
    ax : Axes, optional
        Default: those of a new figure.

    Returns
    -------
    Axes
    """
    history = _history(estimator_or_history, "epoch", "train_loss")
    epochs = np.asarray(history["epoch"])
    axes = _axes(ax, 6.4, 4.0)
    train = np.asarray(history["train_loss"], float)
    axes.plot(epochs, train, color=BLUE, marker=".", label="training rows, before each step")
    validation = np.asarray(history.get("val_loss", []), float)
    if np.isfinite(validation).any():
        label = "validation rows, after the epoch"
        axes.plot(epochs, validation, color=RED, marker=".", linestyle="--", label=label)
        best = int(np.nanargmin(validation))
        label = f"lowest: {validation[best]:.4g}, epoch {epochs[best]}"
        lowest = (epochs[best], validation[best])
        axes.plot(*lowest, "o", color=RED, fillstyle="none", markersize=11, label=label)
    axes.set_xlabel("epoch")
    axes.set_ylabel("mean loss of a row")
    axes.locator_params(axis="x", integer=True)
    axes.grid(axis="y", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return axes


def convergence(estimator_or_history: Any, ax: Axes | None = None) -> Axes:
    """Draw how well the chains of a sampling agree, after each sweep.

    The scores of up to 256 training rows are followed. Their largest R-hat falls to 1 as the chains
    forget where they began. Their smallest effective sample size says how many independent samples
    the mean of a score is worth. Both need eight sweeps after burn-in.

    Parameters
    ----------
    estimator_or_history : fitted estimator, Model, or dict
        Fitted with ``solver=Gibbs()``. A dict has equally long columns "epoch", "r_hat" and "ess",
        like an estimator's ``history_``.
    ax : Axes, optional
        Default: those of a new figure.

    Returns
    -------
    Axes
        Those of R-hat; the axes of the effective sample size are their twin.
    """
    history = _history(estimator_or_history, "epoch", "r_hat", "ess")
    ratios, sizes = (np.asarray(history[name], float) for name in ("r_hat", "ess"))
    known = np.isfinite(ratios) & np.isfinite(sizes)
    if not known.any():
        raise ValueError("R-hat needs eight sweeps after burn-in, of scores that vary: run more")
    epochs = np.asarray(history["epoch"])[known]
    axes = _axes(ax, 6.4, 4.0)
    twin = axes.twinx()
    lines = axes.plot(epochs, ratios[known], color=BLUE, marker=".", label="largest R-hat")
    axes.axhline(1, color=GREY, linewidth=0.8, zorder=0)
    label = "smallest effective sample size"
    lines += twin.plot(epochs, sizes[known], color=RED, marker=".", linestyle="--", label=label)
    twin.set_ylim(bottom=0)
    for side, color, name, text in (
        (axes, BLUE, "left", "R-hat (1: the chains agree)"),
        (twin, RED, "right", "effective sample size"),
    ):
        side.set_ylabel(text, color=color)
        side.tick_params(axis="y", colors=color)
        side.spines[:].set_visible(False)
        side.spines[["bottom", name]].set_visible(True)
    axes.set_xlabel("sweep")
    axes.locator_params(axis="x", integer=True)
    axes.legend(handles=lines, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1), ncol=2)
    return axes


def field_heatmap(
    estimator: InsightMixin, X: Any = None, ax: Axes | None = None, *, target: Any = None
) -> Axes:
    """Draw how much the interactions of pairs of fields change the scores.

    Parameters
    ----------
    estimator : fitted estimator
    X : table or matrix, optional
        Rows to use. Default: a sample of the training rows.
    ax : Axes, optional
        Default: those of a new figure.
    target : label, optional
        The class whose score is meant; needed with more than two classes, and only then.

    Returns
    -------
    Axes
        They show the lower triangle of ``field_interactions``, without the diagonal.
    """
    _check_estimator(estimator)
    strength = estimator.field_interactions(X, target)
    names = _field_names(estimator)
    if len(names) < 2:
        raise ValueError(f"a pair takes two fields, but there is only {names[0]!r}")
    side = 3.2 + 0.25 * min(len(names), MOST_FIELDS)
    axes = _axes(ax, side + 1.2, side)
    if not strength.any():
        return _say_nothing(axes, estimator)
    pairs = np.ma.masked_where(~np.tri(len(names), dtype=bool, k=-1), strength)[1:, :-1]
    image = axes.imshow(pairs, cmap="Blues", vmin=0, aspect="auto")  # else labels may be cut
    shown = [shorten(name, FIELD_WIDTH) for name in names]
    text: dict[str, Any] = {"parse_math": False}
    if len(names) > MOST_FIELDS:
        text["fontsize"] = 10 * MOST_FIELDS / len(names)
    turned = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks(range(len(names) - 1), shown[:-1], **turned, **text)
    axes.set_yticks(range(len(names) - 1), shown[1:], **text)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("field")
    axes.set_ylabel("field")
    bar = axes.figure.colorbar(image, ax=axes, shrink=0.8)
    bar.outline.set_visible(False)
    bar.set_label("strength of the interaction\n(standard deviation, score)")
    return axes


def top_interactions(
    estimator: InsightMixin,
    top: int = 20,
    X: Any = None,
    ax: Axes | None = None,
    *,
    target: Any = None,
) -> Axes:
    """Draw the strongest pairs of features as bars; the colour shows the sign.

    Parameters
    ----------
    estimator : fitted estimator
    top : int
        Number of pairs.
    X : table or matrix, optional
        Rows to use. Default: a sample of the training rows.
    ax : Axes, optional
        Default: those of a new figure.
    target : label, optional
        The class whose score is meant; needed with more than two classes, and only then.

    Returns
    -------
    Axes
    """
    _check_estimator(estimator)
    pairs = estimator.interactions(top, X, target)
    labels = FeatureLabels(estimator.encoder_)
    first, second = (labels.of(pairs[column], FEATURE_WIDTH) for column in ("first", "second"))
    names = [f"{a}  {TIMES}  {b}" for a, b in zip(first, second, strict=True)]
    axes = _axes(ax, 8.0, 1.2 + 0.24 * max(len(names), 3))
    if not pairs["strength"].any():
        return _say_nothing(axes, estimator)
    place, raises = np.arange(len(names)), pairs["weight"] >= 0
    for chosen, color, label in (
        (raises, RED, "raises the score where both occur"),
        (~raises, BLUE, "lowers the score where both occur"),
    ):
        if chosen.any():
            axes.barh(place[chosen], pairs["strength"][chosen], 0.7, color=color, label=label)
    axes.set_yticks(place, names, fontsize="small", parse_math=False)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.locator_params(axis="x", nbins=6)
    axes.set_xlabel("strength of the interaction\n(standard deviation, score)")
    axes.set_ylabel("pair of features")
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncol=2)
    return axes


def factors(
    estimator: InsightMixin,
    field: str | int,
    ax: Axes | None = None,
    *,
    X: Any = None,
    target: Any = None,
    labels: int = 25,
) -> Axes:
    r"""Draw a map of the features of one field: features with similar factors are close together.

    The axes are the first two principal components of what the field contributes to a row,
    :math:`u = \sum_i x_i v_i`, over the rows, for one-hot features: frequent features count more.
    The features that contribute most to the variance are named.

    Parameters
    ----------
    estimator : fitted estimator
    field : str or int
        Name of a field, or its position among the fields.
    ax : Axes, optional
        Default: those of a new figure.
    X : table or matrix, optional
        Rows to count the features in. Default: a sample of the training rows.
    target : label, optional
        The class whose factors are meant; needed with more than two classes, and only then.
    labels : int
        Number of features to name; there are fewer if names would overlap.

    Returns
    -------
    Axes
    """
    _check_estimator(estimator)
    check_integer(labels, "labels", 0)
    f = _find_field(estimator, field)
    members = np.flatnonzero(np.asarray(estimator.encoder_.fields_) == f)
    V = estimator._formula(target).V
    if V.shape[1] == 0:
        return _say_nothing(_axes(ax, 7.0, 6.0), estimator)
    if len(members) < 3:
        raise ValueError(
            f"field {field!r} has only {len(members)} feature(s): a map needs factors of three"
        )
    rows = estimator._rows(X)
    share = np.bincount(rows.indices, minlength=len(V))[members] / max(rows.shape[0], 1)
    points, explained = _principal_map(np.asarray(V[members], float), share)

    axes = _axes(ax, 7.0, 6.0)
    size = 12 + 600 * share / max(share.max(), 0.05)  # area in points; at least 12
    often = np.argsort(-share, kind="stable")  # draws rare ones on top
    x, y = points[often].T
    axes.scatter(x, y, size[often], BLUE, alpha=0.45, edgecolors="white", linewidths=0.7)
    for draw in (axes.axhline, axes.axvline):
        draw(0, color=GREY, linewidth=0.6, zorder=0)
    axes.set_aspect("equal", adjustable="datalim")
    axes.margins(0.1)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel(f"first component of the factors ({explained[0]:.0%} of their variance)")
    axes.set_ylabel(f"second component ({explained[1]:.0%})")
    field_name = _field_names(estimator)[f]
    title = f"{shorten(field_name, 40)}: the larger, the more frequent"
    axes.set_title(title, fontsize="medium", parse_math=False)
    spread = np.maximum(share, 1e-9) * (points**2).sum(axis=1)
    chosen = np.argsort(-spread, kind="stable")
    features = FeatureLabels(estimator.encoder_)
    names = [
        shorten(features.value(place).lstrip("=@ ") or field_name, FEATURE_WIDTH)
        for place in members[chosen].tolist()
    ]
    place_labels(axes, points[chosen], size[chosen], names, labels)
    return axes


def _history(source: Any, *columns: str) -> dict[str, Any]:
    """Return the columns of a history; `columns` are those that a plot cannot do without."""
    history = getattr(source, "history_", getattr(source, "history", source))
    if isinstance(history, tuple) and all(isinstance(one, Epoch) for one in history):  # of a Model
        history = as_columns(history) if history else {name: [] for name in columns}
    if is_mapping(history) and "r_hat" in set(columns) - set(history) and "epoch" in history:
        raise ValueError("there are no chains to compare: fit with solver=sparsefm.Gibbs()")
    if not is_mapping(history) or not set(columns) <= set(history):
        needed = f"{', '.join(map(repr, columns[:-1]))} and {columns[-1]!r}"
        raise TypeError(
            "estimator_or_history must be a fitted estimator, a trained Model or a dict of columns "
            f"{needed}, got {source!r:.80}"
        )
    if not len(history["epoch"]):
        raise ValueError("estimator_or_history has no epochs: it was never trained")
    return dict(history)


def _principal_map(V: npt.NDArray[Any], share: npt.NDArray[Any]) -> tuple[Any, Any]:
    """Return 2-D positions of the rows of `V` and the shares of variance, weighted by `share`."""
    weights = share / share.sum() if share.any() else np.full(len(V), 1 / len(V))
    centered = V - weights @ V
    _, scales, axes = np.linalg.svd(np.sqrt(weights)[:, None] * centered, full_matrices=False)
    axes *= np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:, None]  # no chance
    points = np.zeros((len(V), 2))
    points[:, : len(axes[:2])] = centered @ axes[:2].T
    variance = np.zeros(2)
    variance[: len(scales[:2])] = scales[:2] ** 2 / max((scales**2).sum(), np.finfo(float).tiny)
    return points, variance


def _find_field(estimator: Any, field: str | int) -> int:
    names = _field_names(estimator)
    if isinstance(field, str) and field in names:
        return names.index(field)
    if isinstance(field, int | np.integer) and 0 <= field < len(names):
        return int(field)
    some = ", ".join(map(repr, names[:30])) + (", ..." if len(names) > 30 else "")
    raise ValueError(f"field {field!r:.80} is none of the fields: {some}")


def _field_names(estimator: Any) -> list[str]:
    return [str(name) for name in estimator.encoder_.field_names_]


def _say_nothing(axes: Axes, estimator: Any) -> Axes:
    """Write that there is nothing to draw, and why."""
    _, _, V = estimator._of_score(0)
    why = "the model has rank 0" if V.shape[1] == 0 else "all of them are zero"
    axes.text(0.5, 0.5, f"no interactions: {why}", ha="center", transform=axes.transAxes)
    axes.set_axis_off()
    return axes


def _axes(ax: Any, width: float, height: float) -> Axes:
    """Return the argument `ax`, or the axes of a new figure; its size is in inches."""
    try:
        import matplotlib.pyplot as plt
        from matplotlib.axes import Axes
    except ImportError:
        raise ImportError("plots need matplotlib: pip install matplotlib") from None
    if ax is None:
        return plt.subplots(figsize=(width, height), layout="constrained")[1]
    if not isinstance(ax, Axes):
        raise TypeError(f"ax must be axes of matplotlib, got {ax!r:.80}")
    return ax


def _check_estimator(estimator: Any) -> None:
    from sklearn.utils.validation import check_is_fitted

    if not isinstance(estimator, InsightMixin):
        raise TypeError(
            f"estimator must be a fitted regressor or classifier, got {estimator!r:.80}"
        )
    check_is_fitted(estimator)
