"""How the settings of ``sparsefm demo`` were chosen: on the validation split alone.

Run as ``python -m bench.demo_settings``; prints a Markdown table, best first, each setting with its
best epoch. The demo trains for the number of epochs that was best for the best setting.
"""

import itertools

import sparsefm as fm
from sparsefm.cli.demo import factorization_machine
from sparsefm.datasets.flights import Flights, load_flights

LEARNING_RATES = (1e-3, 2e-3, 4e-3)
EPSILONS = (1e-8, 1e-4, 3e-4, 1e-3, 3e-3)
L2_FACTORS = (3e-3, 1e-2, 3e-2)
L2_LINEAR = 1e-3  # hardly matters: 1e-4 to 1e-2 change the log loss by 1e-4
MAX_EPOCHS = 40
PATIENCE = 2


class Patience:
    """Stops when the validation loss has not improved for some epochs."""

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs
        self.best: fm.Epoch | None = None

    def __call__(self, epoch: fm.Epoch) -> bool:
        """Note an epoch."""
        if self.best is None or epoch.val_loss < self.best.val_loss:
            self.best = epoch
        return epoch.epoch >= self.best.epoch + self._epochs


def best_epoch(flights: Flights, solver: fm.Adam) -> fm.Epoch:
    """Train and return the record of the best epoch on the validation split."""
    patience = Patience(PATIENCE)
    factorization_machine(flights, [patience], solver=solver, epochs=MAX_EPOCHS)
    return patience.best


def main() -> None:
    """Print validation log loss and AUC at the best epoch for each setting."""
    flights = load_flights()
    results = []
    for rate, epsilon, l2 in itertools.product(LEARNING_RATES, EPSILONS, L2_FACTORS):
        solver = fm.Adam(learning_rate=rate, epsilon=epsilon, l2_linear=L2_LINEAR, l2_factors=l2)
        best = best_epoch(flights, solver)
        results.append((best.val_loss, best.metrics["auc"], best.epoch, rate, epsilon, l2))
    print("| log loss | AUC | best epoch | learning rate | epsilon | l2_factors |")
    print("|---|---|---|---|---|---|")
    for loss, auc, epoch, rate, epsilon, l2 in sorted(results):
        print(f"| {loss:.4f} | {auc:.4f} | {epoch} | {rate:g} | {epsilon:g} | {l2:g} |")


if __name__ == "__main__":
    main()
