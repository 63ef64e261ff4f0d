"""The figure in the README: validation log loss against training time on the flights.

Run as ``python -m bench.readme_figure`` (needs matplotlib); writes ``docs/flights.png``.
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from sklearn.metrics import log_loss

from sparsefm.cli.demo import RANK, factorization_machine, logistic_regression
from sparsefm.datasets import load_flights


def main() -> None:
    """Train both models and draw."""
    flights = load_flights()
    linear, result = logistic_regression(flights)
    linear_loss = log_loss(flights.y_valid, linear.predict_proba(flights.X_valid)[:, 1])
    model = factorization_machine(flights)
    figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
    seconds = [epoch.seconds for epoch in model.history]
    losses = [epoch.val_loss for epoch in model.history]
    axes.plot(seconds, losses, "o-", ms=4, label=f"sparsefm, rank {RANK}: one dot an epoch")
    axes.axhline(linear_loss, color="0.6", lw=1, ls="--")
    axes.plot([result.seconds], [linear_loss], "s", color="0.35", label="logistic regression")
    axes.set(
        xlabel="training time [s]",
        ylabel="validation log loss",
        title="New York flights of 2013: more than 15 minutes late?",
    )
    axes.set_xlim(left=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    figure.savefig(Path(__file__).parents[1] / "docs" / "flights.png", dpi=130)


if __name__ == "__main__":
    main()
