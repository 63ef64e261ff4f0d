"""Malformed sparse matrices through every public entry; a crash ends this process.

``python tests/sparse_fuzz.py COUNT SEED`` prints how many were refused, and how many were taken.
"""

import contextlib
import faulthandler
import sys
import warnings

import numpy as np
from scipy import sparse

import sparsefm as fm

FORMATS = ("csr", "csc", "bsr", "coo", "lil", "dia", "dok")
ROWS, COLUMNS = 12, 6
ALLOWED = (ValueError, TypeError, MemoryError, fm.DivergenceError)
PARTS = {
    "csr": ("indptr", "indices", "data"),
    "csc": ("indptr", "indices", "data"),
    "bsr": ("indptr", "indices", "data"),
    "coo": ("coords", "data"),
    "lil": ("rows", "data"),
    "dia": ("offsets", "data"),
    "dok": ("_dict",),
}
EXTREMES = (-1, 1, 5, 6, 12, 13, 1000, 10**6, 2**31 - 1, -(2**31), 2**40)
ODD = (None, 3, "text", [], [1, 2], {}, np.empty(0), np.ones((2, 2)), np.array("x"), object())


def matrix(random):
    """Return a matrix in order, in a random format."""
    dense = random.integers(-2, 3, (ROWS, COLUMNS)).astype(random.choice(["f4", "f8", "i4"]))
    form = random.choice(FORMATS)
    X = getattr(sparse, f"{form}_{random.choice(['matrix', 'array'])}")(dense)
    if form == "bsr" and random.random() < 0.5:
        X = X.__class__(dense, blocksize=(3, 2))
    return X


def wrong_array(array, random):
    """Return an array that is not what it was."""
    array = np.array(array)
    choice = random.integers(12)
    if choice < 4 and array.size:  # a number that lies
        value = EXTREMES[random.integers(len(EXTREMES))]
        if array.dtype.kind == "i" and array.dtype.itemsize == 4:
            array = array.astype(np.int64) if random.random() < 0.3 else array
            value = int(np.clip(value, *(np.iinfo(array.dtype).min, np.iinfo(array.dtype).max)))
        array.flat[random.integers(array.size)] = value
        return array
    if choice == 4:
        return array[: random.integers(len(array) + 1)]
    if choice == 5:
        return np.concatenate([array, array[: random.integers(len(array) + 1)]])
    if choice == 6:
        kinds = ("f8", "u1", "u8", "i8", "O", "?", ">i4", ">f8", "c16", "f2", "U3", "i1")
        return array.astype(kinds[random.integers(len(kinds))])
    if choice == 7:
        return array.reshape(-1, 1) if random.random() < 0.5 else array[None]
    if choice == 8:
        return array[::-1]
    if choice == 9:
        return np.zeros_like(array)
    if choice == 10:
        return np.ma.masked_array(array, array == 1)
    return ODD[random.integers(len(ODD))]


def lie_in_lists(X, random):
    """Make a matrix of lists, or a dictionary of keys, lie."""
    if X.format == "lil":
        part = X.rows if random.random() < 0.5 else X.data
        row, choice = random.integers(ROWS), random.integers(5)
        if choice == 0:
            part[row] = [*part[row], int(random.choice(EXTREMES))]
        elif choice == 1:
            part[row] = part[row][:-1]
        elif choice == 2:
            X.rows[row], X.data[row] = [int(random.choice(EXTREMES))], [1.0]
        elif choice == 3:
            part[row] = ODD[random.integers(len(ODD))]
        else:
            X.rows[row], X.data[row] = [2, 0, 2], [1.0, 2.0, 3.0]
    else:
        keys = ((int(random.choice(EXTREMES)), 0), (0, int(random.choice(EXTREMES))), (0,), "ab")
        keys += ((0, 1, 2), 5, (0.5, 1), None, (0, "a"))
        values = (1.0, None, "x", 1j, np.nan, [1])
        X._dict[keys[random.integers(len(keys))]] = values[random.integers(len(values))]


def lie(X, random):
    """Make a matrix wrong in one way."""
    choice = random.random()
    if choice < 0.15:
        a, b = (int(n) for n in random.choice([*EXTREMES, ROWS, COLUMNS, ROWS + 1], 2))
        shapes = ((a, b), (ROWS, b), (a, COLUMNS), (ROWS,), (), None, (ROWS, COLUMNS, 1))
        shapes += ((12.0, 6.0), ("12", 6), (None, 6), [ROWS, b], (2**62, 2**62), (2**70, 6))
        X._shape = shapes[random.integers(len(shapes))]
    elif choice < 0.2:
        for flag in ("has_sorted_indices", "has_canonical_format"):
            if X.format in ("csr", "csc", "bsr") and random.random() < 0.7:
                setattr(X, flag, bool(random.random() < 0.7))
    elif choice < 0.25:
        vars(X).pop(random.choice(list(vars(X))))
    elif X.format in ("lil", "dok") and choice < 0.8:
        lie_in_lists(X, random)
    else:
        part = random.choice(PARTS[X.format])
        value = getattr(X, part)
        if part == "coords":
            coords = list(value)
            axis = random.integers(2)
            coords[axis] = wrong_array(coords[axis], random)
            X.coords = tuple(coords[: random.integers(1, 4)])
        elif part == "_dict":
            X._dict = ODD[random.integers(len(ODD))]
        else:
            setattr(X, part, wrong_array(value, random))


def entries():
    """Return the public entries that take a matrix, by name."""
    dense = np.random.default_rng(0).normal(size=(ROWS, COLUMNS))
    y, labels = dense[:, 0].copy(), (dense[:, 1] > 0).astype(int)
    quick = {"rank": 2, "epochs": 1, "solver": fm.Adam(), "init": "normal", "init_scale": 0.1}
    model = fm.train(dense, y, rank=2, epochs=1)
    fitted = fm.FMRegressor(**quick).fit(sparse.csr_matrix(dense), y)
    of_dense = fm.FMClassifier(**quick).fit(dense, labels)
    encoder = fm.TableEncoder().fit(sparse.csr_matrix(dense))
    of_table = fm.TableEncoder().fit(dense)
    return {
        "train": lambda X: fm.train(X, y, rank=2, epochs=1),
        "train, validation": lambda X: fm.train(dense, y, X, y, rank=2, epochs=1),
        "train, y": lambda X: fm.train(dense, X, rank=2, epochs=1),
        "train, weights": lambda X: fm.train(dense, y, sample_weight=X, rank=2, epochs=1),
        "predict": lambda X: fm.predict(X, model),
        "score": lambda X: model.score(X),
        "nn": lambda X: fm.nn.forward(X, 0.0, np.zeros(COLUMNS), np.zeros((COLUMNS, 2))),
        "fit": lambda X: fm.FMRegressor(**quick).fit(X, y),
        "fit a classifier": lambda X: fm.FMClassifier(**quick).fit(X, labels),
        "fit, y": lambda X: fm.FMRegressor(**quick).fit(dense, X),
        "fit, labels": lambda X: fm.FMClassifier(**quick).fit(dense, X),
        "fit, weights": lambda X: fm.FMRegressor(**quick).fit(dense, y, sample_weight=X),
        "fit, eval_set": lambda X: fm.FMRegressor(**quick).fit(dense, y, eval_set=(X, y)),
        "partial_fit": lambda X: fm.FMRegressor(**quick).partial_fit(X, y),
        "predict of an estimator": fitted.predict,
        "predict of one of dense rows": of_dense.predict_proba,
        "score of an estimator": lambda X: fitted.score(X, y),
        "interactions": lambda X: fitted.interactions(X=X),
        "encoder": lambda X: fm.TableEncoder().fit(X),
        "encoder, both": lambda X: fm.TableEncoder().fit_transform(X),
        "encoder, more": lambda X: fm.TableEncoder().fit(X).partial_fit(X),
        "transform": encoder.transform,
        "transform of one of dense rows": of_table.transform,
    }


def run(count, seed):
    """Return how many matrices were refused, and how many were taken."""
    random = np.random.default_rng(seed)
    calls = entries()
    names = list(calls)
    refused = 0
    for _ in range(count):
        X = matrix(random)
        with contextlib.suppress(AttributeError, LookupError, OverflowError, TypeError, ValueError):
            for _ in range(random.integers(1, 3)):
                lie(X, random)
        name = names[random.integers(len(names))]
        try:
            calls[name](X)
        except ALLOWED as error:
            refused += bool(str(error))  # it says something
        except Exception as error:
            raise AssertionError(f"{name} of {type(X)} {vars(X)}: {error!r}") from error
    return refused, count - refused


if __name__ == "__main__":
    faulthandler.enable()
    with contextlib.suppress(ImportError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    warnings.simplefilter("ignore")
    print(*run(int(sys.argv[1]), int(sys.argv[2])))
