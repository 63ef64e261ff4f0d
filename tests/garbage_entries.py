"""Every public entry with arguments that are right, and what may come of wrong ones."""

import inspect
import os
import pathlib
import re
import sys
import traceback
import warnings

import garbage
import garbage_evaluation
import numpy as np
from garbage_ranking import ranking
from garbage_recommending import recommending
from scipy import sparse
from sklearn.exceptions import NotFittedError

import sparsefm as fm
from sparsefm import losses

ROWS, COLUMNS = 12, 6
PACKAGE = str(pathlib.Path(fm.__file__).parent) + os.sep
QUICK = {"rank": 2, "epochs": 1, "solver": fm.Adam(), "init": "normal", "search": None}
GIBBS = fm.Gibbs(burn_in=0, samples=2)

SEARCH = {"stage": ["model"], "losses": [[1.0, 0.5]], "solver": ["Adam"], "rank": [2]}
SEARCH |= {"outcome": ["chosen"], "loss": [0.5]}

rng = np.random.default_rng(0)
X = rng.normal(size=(ROWS, COLUMNS))
Y, LABELS, CLASSES = X[:, 0].copy(), np.arange(ROWS) % 2, np.arange(ROWS) % 3


def made():
    """Return fitted models of every kind, by name."""
    quiet = {"n_threads": 1}
    return {
        "model": fm.train(X, Y, rank=2, epochs=1, **quiet),
        "sampled": fm.train(X, Y, rank=2, epochs=2, solver=GIBBS, **quiet),
        "regressor": fm.FMRegressor(**QUICK, **quiet).fit(X, Y),
        "bayesian": fm.FMRegressor(**QUICK | {"solver": GIBBS, "epochs": 2}, **quiet).fit(X, Y),
        "classifier": fm.FMClassifier(**QUICK, **quiet).fit(X, LABELS),
        "three": fm.FMClassifier(**QUICK, **quiet).fit(X, CLASSES),
        "tabular": fm.FMRegressor(**QUICK, **quiet).fit(np.resize(list("abcde"), (ROWS, 2)), Y),
        "encoder": fm.TableEncoder().fit(X),
    }


def parameters(cls, but=()):
    """Return the default of each parameter of a class."""
    signature = inspect.signature(cls).parameters
    return {name: p.default for name, p in signature.items() if name not in but}


def entries(folder):
    """Return each public entry by name: a function, and arguments that are right.

    The function takes the arguments by name.
    """
    known = made()
    saved = pathlib.Path(folder) / "saved.safetensors"
    known["regressor"].save(saved)
    target = str(pathlib.Path(folder) / "target.safetensors")
    text = pathlib.Path(folder) / "rows.svm"
    text.write_text("1 1:0.5 2:1\n0 2:2\n")
    table = pathlib.Path(folder) / "rows.csv"
    table.write_text("a,b,y\n1,x,0.5\n2,z,1\n")
    rows, weights = {"X": X}, {"sample_weight": None}
    scored = {"X": X, "n_threads": 1}
    eval_set = {"eval_set": None}
    found = {
        "train": (
            fm.train,
            {"X": X, "y": Y}
            | parameters(fm.train, ("X", "y"))
            | {"rank": 2, "epochs": 1, "n_threads": 1},
        ),
        "train two classes": (
            lambda **given: fm.train(**given, task="binary", epochs=1),
            {"X": X, "y": LABELS, "X_val": X, "y_val": LABELS, "loss": "hinge"},
        ),
        "train ordered classes": (
            lambda **given: fm.train(**given, task="ordinal", solver=GIBBS, epochs=1),
            {"X": X, "y": CLASSES, "X_val": X, "y_val": CLASSES, "sample_weight": None},
        ),
        "train by sampling": (
            lambda **given: fm.train(**given, solver=GIBBS, epochs=1),
            {"X": X, "y": Y, "sample_weight": None, "fields": None, "init": "normal"}
            | {"init_scale": None, "batch_size": None},
        ),
        "predict": (fm.predict, {"X": X, "model": known["model"], "n_threads": 1}),
        "Model": (
            fm.Model,
            {"w0": 0.0, "w": np.ones(COLUMNS), "V": np.ones((COLUMNS, 2))}
            | {"task": "regression", "loss": "squared", "history": ()},
        ),
        "FieldWeightedModel": (
            fm.FieldWeightedModel,
            {"w0": 0.0, "w": np.ones(COLUMNS), "V": np.ones((COLUMNS, 2))}
            | {"task": "regression", "loss": "squared", "history": ()}
            | {"fields": np.arange(COLUMNS) % 2, "R": np.ones((2, 2))},
        ),
        "FieldAwareModel": (
            fm.FieldAwareModel,
            {"w0": 0.0, "w": np.ones(COLUMNS), "V": np.ones((COLUMNS, 2, 3))}
            | {"task": "regression", "loss": "squared", "history": ()}
            | {"fields": np.arange(COLUMNS) % 2},
        ),
        "train with fields": (
            lambda **given: fm.train(**given, variant="fwfm", epochs=1),
            {"X": X, "y": Y, "sample_weight": None, "fields": np.arange(COLUMNS) % 2}
            | {"init": "normal", "batch_size": None},
        ),
        "train with factors for fields": (
            lambda **given: fm.train(**given, variant="ffm", epochs=1),
            {"X": X, "y": Y, "sample_weight": None, "fields": np.arange(COLUMNS) % 2}
            | {"init": "normal", "init_scale": None, "rank": 2, "batch_size": None},
        ),
        "Epoch": (fm.Epoch, {"epoch": 1, "epochs": 1, "train_loss": 0.5, "val_loss": None}),
        "load": (fm.load, {"path": saved, "mmap": False, "checksum": None}),
        "Scorer": (fm.Scorer, {"model": known["model"]}),
        "Scorer.score": (fm.Scorer(known["model"]).score, {"indices": [0, 3], "values": [1.0, 2]}),
        "Scorer.predict": (fm.Scorer(known["sampled"]).predict, {"indices": [0], "values": [1.0]}),
        "onnx.export": (fm.onnx.export, {"model": known["tabular"], "path": target}),
        "read": (fm.read, {"path": text} | parameters(fm.read, ("path",))),
        "convert": (
            fm.convert,
            {"source": text, "path": target} | parameters(fm.convert, ("source", "path")),
        ),
        "SparseText": (
            lambda **given: fm.train(fm.SparseText(**given), epochs=1),
            {"path": text} | parameters(fm.SparseText, ("path",)),
        ),
        "read_table": (fm.read_table, {"path": table} | parameters(fm.read_table, ("path",))),
        "train on a file": (
            lambda **given: fm.train(**given, epochs=1),
            {"X": text, "y": None, "X_val": text, "y_val": None, "fields": None},
        ),
        "nn.forward": (
            fm.nn.forward,
            {"X": X, "w0": 0.0, "w": np.ones(COLUMNS), "V": np.ones((COLUMNS, 2)), "n_threads": 1},
        ),
        "nn.backward": (
            fm.nn.backward,
            {"X": X, "slopes": Y, "w0": 0.0, "w": np.ones(COLUMNS)}
            | {"V": np.ones((COLUMNS, 2)), "n_threads": 1},
        ),
        "nn.adam_update": (
            lambda **given: fm.nn.adam_update(
                **{n: v.copy() if type(v) is np.ndarray else v for n, v in given.items()}
            ),
            {"theta": np.ones(12), "grad": np.ones(12), "m": np.ones(12), "v": np.ones(12)}
            | {"t": 1, "lr": 0.1, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8},
        ),
        "Checkpoint": (fm.Checkpoint, {"path": target, "every": 1, "best": False}),
        "train with Checkpoint": (
            lambda path: fm.train(X, Y, epochs=1, callbacks=[fm.Checkpoint(path)]),
            {"path": target},
        ),
        "EarlyStopping": (
            lambda **given: fm.train(X, Y, X, Y, epochs=1, callbacks=[fm.EarlyStopping(**given)]),
            parameters(fm.EarlyStopping) | {"monitor": "val_loss"},
        ),
        "LearningRateSchedule": (
            lambda factor: fm.train(X, Y, epochs=1, callbacks=[fm.LearningRateSchedule(factor)]),
            {"factor": lambda epoch: 1.0},
        ),
        "plots.learning_curves": (
            fm.plots.learning_curves,
            {"estimator_or_history": known["model"], "ax": None},
        ),
        "plots.convergence": (
            fm.plots.convergence,
            {"estimator_or_history": {"epoch": [1], "r_hat": [1.0], "ess": [2.0]}, "ax": None},
        ),
        "plots.race": (fm.plots.race, {"estimator_or_search": SEARCH, "ax": None}),
        "plots.field_heatmap": (
            fm.plots.field_heatmap,
            {"estimator": known["regressor"], "X": None, "ax": None, "target": None},
        ),
        "plots.top_interactions": (
            fm.plots.top_interactions,
            {"estimator": known["regressor"], "top": 3, "X": None, "ax": None, "target": None},
        ),
        "plots.waterfall": (
            fm.plots.waterfall,
            {"estimator": known["regressor"], "X": X, "row": 0, "ax": None, "background": None}
            | {"target": None, "top": 3},
        ),
        "plots.field_importances": (
            fm.plots.field_importances,
            {"estimator": known["regressor"], "top": 3, "X": None, "ax": None, "target": None},
        ),
        "plots.factors": (
            fm.plots.factors,
            {"estimator": known["tabular"], "field": 0, "ax": None, "X": None}
            | {"target": None, "labels": 3},
        ),
    }
    found |= garbage_evaluation.entries(X)
    for cls in (fm.Adam, fm.AdaGrad, fm.Gibbs, fm.ALS, losses.Huber):
        found[cls.__name__] = (cls, parameters(cls))
    for name in ("model", "sampled"):
        model = known[name]
        found |= {
            f"{name}.predict": (model.predict, scored),
            f"{name}.score": (model.score, scored),
            f"{name}.save": (model.save, {"path": target, "dtype": "bfloat16"}),
        }
    sampled = known["sampled"]
    found |= {
        "sampled.predict with std": (sampled.predict, scored | {"return_std": True}),
        "sampled.predict_std": (sampled.predict_std, scored),
        "sampled.predict_quantiles": (sampled.predict_quantiles, scored | {"quantiles": [0.5]}),
        "sampled.compress": (sampled.compress, {"rank": None}),
    }
    for kind, y in ((fm.FMRegressor, Y), (fm.FMClassifier, CLASSES)):
        name, given = kind.__name__, {"X": X, "y": y, **weights}
        found |= {
            f"{name}.fit": (
                lambda kind=kind, **given: kind(**QUICK).fit(**given),
                given | eval_set,
            ),
            f"{name}.fit, eval_set": (
                lambda kind=kind, _y=y, **part: kind(**QUICK).fit(
                    X, _y, eval_set=tuple(part.values())
                ),
                given,
            ),
            f"{name}.fit, eval_sets": (
                lambda kind=kind, _y=y, **sets: kind(**QUICK).fit(
                    X, _y, eval_set=list(sets.values())
                ),
                {"eval_set 0": (X, y), "eval_set 1": (X, y)},
            ),
            f"{name}.partial_fit": (
                lambda kind=kind, **given: kind(**QUICK).partial_fit(**given),
                given | ({"classes": None} if kind is fm.FMClassifier else {}),
            ),
            f"{name}.partial_fit, again": (
                lambda kind=kind, _y=y, **given: (
                    kind(**QUICK).partial_fit(X, _y).partial_fit(**given)
                ),
                given,
            ),
            name: (
                lambda kind=kind, _y=y, **given: kind(**given).fit(X, _y),
                parameters(kind) | QUICK | {"n_threads": 1},
            ),
            f"{name}, partial_fit": (
                lambda kind=kind, _y=y, **given: kind(**given).partial_fit(X, _y),
                parameters(kind) | QUICK | {"n_threads": 1},
            ),
            f"{name}, eval_set": (
                lambda kind=kind, _y=y, **given: kind(**QUICK | given).fit(X, _y, eval_set=(X, _y)),
                {"scoring": None, "patience": 5, "min_delta": 0.0, "early_stopping": True}
                | {"callbacks": ()},
            ),
            f"{name}.set_params": (
                lambda kind=kind, _y=y, **given: kind(**QUICK).set_params(**given).fit(X, _y),
                {"solver__learning_rate": 0.1, "encoder__n_bins": 8, "encoder__numeric": "auto"}
                | {"encoder__clip": "auto", "encoder__hashed": None, "encoder__unknown": "ignore"},
            ),
        }
    for name in ("regressor", "bayesian", "classifier", "three"):
        one = known[name]
        target_of = {"target": 1 if name == "three" else None}
        found |= {
            f"{name}.predict": (one.predict, rows),
            f"{name}.explain": (one.explain, rows | target_of),
            f"{name}.explain_fields": (
                one.explain_fields,
                {**rows, "background": None, **target_of},
            ),
            f"{name}.field_importances": (one.field_importances, {"X": None, **target_of}),
            f"{name}.interactions": (one.interactions, {"top": 3, "X": None, **target_of}),
            f"{name}.field_interactions": (one.field_interactions, {"X": None, **target_of}),
            f"{name}.get_feature_names_out": (one.get_feature_names_out, {"input_features": None}),
            f"{name}.score": (
                one.score,
                {"X": X, "y": CLASSES if name == "three" else LABELS, **weights},
            ),
            f"{name}.save": (
                one.save,
                {"path": target, "optimizer_state": False, "training_rows": False, "dtype": None},
            ),
        }
    for name in ("classifier", "three"):
        for method in ("decision_function", "predict_proba", "predict_log_proba"):
            found[f"{name}.{method}"] = (getattr(known[name], method), rows)
    encoder, given, new = known["encoder"], {"X": X, "y": None, **weights}, fm.TableEncoder
    found |= {
        "bayesian.predict with std": (known["bayesian"].predict, rows | {"return_std": True}),
        "bayesian.predict_quantiles": (
            known["bayesian"].predict_quantiles,
            rows | {"quantiles": [0.5]},
        ),
        "TableEncoder": (lambda **given: new(**given).fit_transform(X), parameters(new)),
        "TableEncoder, matrix": (
            lambda **given: new(**given).fit_transform(sparse.csr_matrix(X)),
            parameters(new) | {"fields": np.arange(COLUMNS) % 2},
        ),
        "encoder.fit": (lambda **given: new().fit(**given), given),
        "encoder.fit_transform": (lambda **given: new().fit_transform(**given), given),
        "encoder.partial_fit": (lambda **given: new().fit(X).partial_fit(**given), given),
        "encoder.transform": (encoder.transform, rows),
        "encoder.get_feature_names_out": (encoder.get_feature_names_out, {"input_features": None}),
        "encoder.set_output": (
            lambda transform: new().fit(X).set_output(transform=transform).transform(X),
            {"transform": "default"},
        ),
    }
    return found | recommending() | ranking()


def close_figures():
    """Close what plots opened, if anything did."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close("all")


WARNINGS = ("sparsefm", "sklearn")  # whose warnings users may see
ALLOWED = {ValueError, TypeError, fm.DivergenceError, fm.FileFormatError, NotFittedError}
# What the messages of others say, which say nothing about the argument.
RAW = re.compile(
    r"setting an array element|could not convert string|has no attribute|not subscriptable|"
    r"unsupported operand|object is not (iterable|callable)|ambiguous|must be real number|"
    r"float\(\) argument must be|positional argument|unhashable|cannot be interpreted|"
    r"Expected sequence"
)


def fault(name, function, right, wrong):
    """Return what is wrong with the outcome of a call with wrong arguments, or None."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            function(**right | wrong)
        except MemoryError:
            return None
        except Exception as error:
            return _fault_of(error, wrong)
        finally:
            close_figures()
    for warning in told:
        if not issubclass(warning.category, UserWarning):
            return f"{warning.category.__name__} {warning.message}, {warning.filename}"
    return None


def _fault_of(error, wrong):
    text, frames = str(error), traceback.extract_tb(error.__traceback__)
    if frames[-1].filename == garbage.__file__:  # raised by the argument itself
        return None
    own = [
        f"{f.filename.removeprefix(PACKAGE)}:{f.lineno}"
        for f in frames
        if f.filename.startswith(PACKAGE)
    ]
    where = f"{' '.join(own[-3:])} {frames[-1].filename}:{frames[-1].lineno}"
    what = f"{type(error).__name__}: {text[:300]} ({where})"
    if isinstance(error, OSError) and error.errno:
        return None
    if type(error) not in ALLOWED and not (isinstance(error, OSError) and text):
        return "type " + what
    if not frames[-1].filename.startswith(PACKAGE) and not OF_SKLEARN.search(text):
        return "raw " + what
    if RAW.search(text):
        return "text " + what
    if not any(word in text for argument in wrong for word in WORDS.get(argument, ())) and not any(
        re.search(rf"\b{argument.split('__')[-1]}\b", text) for argument in wrong
    ):
        return "names nothing " + what
    return None


# Words for an argument, besides its name.
_ROWS = ("column ", "X", "rows", "feature")
WORDS = {
    "X": _ROWS,
    "background": _ROWS,
    "X_val": _ROWS,
    "y": ("label", "target", "class"),
    "eval_set": ("eval_set", "X", "y"),
    "eval_set 0": ("eval_set", "X", "y", "column ", "label"),
    "eval_set 1": ("eval_set", "X", "y", "column ", "label"),
    "classes": ("class ",),
    "source": ("folder", ", line "),
    "path": ("folder", ", line ", " is no table"),  # a file of that name, which another call wrote
    "model": ("X",),
    "monitor": ("greater_is_better",),
    "init": ("V", "w", "w0"),
    "estimator": ("not fitted",),
}
OF_SKLEARN = re.compile(
    r"^Input \w+ contains|not fitted|are not in class_weight|"
    r"Invalid parameter|random_state|input_features"
)
