"""What is told of a model in a few lines."""

from typing import Any

from sparsefm.model import Model


def summary(model: Any) -> dict[str, Any]:
    """Return the kind of a model, its sizes, and the end of its training."""
    if isinstance(model, Model):
        history = [
            {"train_loss": e.train_loss, "val_loss": e.val_loss, **e.metrics, "seconds": e.seconds}
            for e in model.history
        ]
        about = {"task": model.task, "loss": model.loss}
        parts, last = [model], history[-1] if history else {}
    else:
        columns = model.history_
        at = columns["epoch"].index(model.best_epoch_) if model.best_epoch_ else -1
        last = {name: values[at] for name, values in columns.items() if name != "epoch" and values}
        parts, history = model._models, columns["epoch"]
        classes = getattr(model, "classes_", None)
        about = {
            "task": "regression" if classes is None else f"classification, {len(classes)} classes",
            "loss": model._learner.loss.name,
        }
    sizes = {"features": parts[0].n_features, "rank": parts[0].rank, "epochs": len(history)}
    return {"kind": type(model).__name__, **about, **sizes, **last}
