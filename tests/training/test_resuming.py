"""`train(resume=...)`: the end is the same bits, whenever the training was interrupted."""

import errno
import os
import re
import sys

import numpy as np
import pytest
import scipy.sparse as sp

import sparsefm as fm
from sparsefm.io.file import read_file, write_file
from tests.interrupted import Cut, Interruption, Wanders, assert_same, interrupt

FIELDS = np.repeat([0, 1, 2], [9, 12, 4])


def problem(n=160, seed=0):
    """Return one-hot rows of three fields, and numbers that depend on pairs."""
    random = np.random.default_rng(seed)
    codes = np.column_stack([random.integers(0, 9, n), random.integers(9, 21, n)])
    codes = np.column_stack([codes, random.integers(21, 25, n)]).astype(np.int32)
    X = sp.csr_matrix((np.ones(3 * n, np.float32), codes.ravel(), np.arange(0, 3 * n + 1, 3)))
    V = random.normal(size=(25, 2))
    y = (V[codes].sum(axis=1) ** 2 - (V[codes] ** 2).sum(axis=1)).sum(axis=1)
    return X, y + random.normal(size=n)


X, NUMBERS = problem()
LABELS = (np.median(NUMBERS) < NUMBERS).astype(float)
LEVELS = np.digitize(NUMBERS, np.quantile(NUMBERS, [0.3, 0.6])).astype(float)
GIBBS = fm.Gibbs(burn_in=2, chains=2, samples=2)

# Arguments of `train`; nothing: numbers with Adam.
CASES = {
    "adam": {},
    "exact adam": {"solver": fm.Adam(updates="exact"), "batch_size": 20},
    "adagrad": {"solver": fm.AdaGrad(learning_rate=0.3)},
    "float64, in order": {"dtype": "float64", "shuffle": False},
    "huber": {"loss": fm.losses.Huber(delta=0.5), "rank": 0},
    "weights": {"sample_weight": np.arange(120.0) % 3},
    "binary": {"task": "binary", "solver": fm.Adam(learning_rate=0.3)},
    "fwfm": {"variant": "fwfm", "fields": FIELDS},
    "exact fwfm": {"variant": "fwfm", "solver": fm.Adam(updates="exact")},
    "gibbs": {"solver": GIBBS},
    "gibbs, binary": {"solver": fm.Gibbs(burn_in=0, samples=3), "task": "binary"},
    "ordinal": {"solver": GIBBS, "task": "ordinal"},
    "als": {"solver": fm.ALS()},
}


def train(name, callbacks=(), resume=None, epochs=6, **changed):
    """Train with validation rows; `Gibbs` and `ALS` get one feature that no row has."""
    given = {"rank": 3, **CASES[name], "epochs": epochs, **changed}
    y = {"binary": LABELS, "ordinal": LEVELS}.get(given.get("task"), NUMBERS)
    matrix = sp.hstack([X, sp.csr_matrix((160, 1))], "csr") if "als" in name else X
    rows = matrix[:120], y[:120], matrix[120:], y[120:]
    return fm.train(*rows, callbacks=callbacks, resume=resume, **given), matrix


@pytest.mark.parametrize("name", CASES)
def test_the_same_bits_whenever_it_was_interrupted(name, tmp_path):
    sampled = "solver" in CASES[name] and not isinstance(
        CASES[name]["solver"], fm.Adam | fm.AdaGrad
    )

    def run(callbacks, resume=None):
        stopping = fm.EarlyStopping("train_loss" if sampled else "val_loss", patience=4)
        rates = [] if sampled else [fm.LearningRateSchedule(lambda epoch: 0.9**epoch)]
        return train(name, [*callbacks, stopping, *rates], resume)[0]

    whole, (_, matrix) = run([fm.Checkpoint(tmp_path / "{epoch}")]), train(name, epochs=3)
    assert_same(run([]), whole, matrix)
    for after in range(1, len(whole.history) + 1):
        assert_same(run([], tmp_path / f"{after}"), whole, matrix)
    assert_same(interrupt(run, tmp_path / "file", 3), whole, matrix)


def test_it_was_stopped_early_or_kept_an_early_epoch(tmp_path):
    """The best epoch lies before the interruption, and the training ends by itself."""

    def run(callbacks, resume=None, epochs=60):
        stopping = fm.EarlyStopping(patience=3)
        solver = fm.Adam(learning_rate=0.1)
        return train("adam", [*callbacks, stopping], resume, epochs, solver=solver)[0]

    whole = run([])
    n = len(whole.history)
    assert 4 < n < 60
    for after in (n - 3, n - 1, n):
        assert_same(interrupt(run, tmp_path / f"{after}", after), whole, X)
    finished = tmp_path / f"{n}"
    assert_same(run([], finished), whole, X)
    more = run([], finished, epochs=90)  # it stays stopped
    assert len(more.history) == n


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("stop", [None, 5])
def test_callbacks_of_users(first, stop, tmp_path):
    def run(callbacks, resume=None):
        given = [*callbacks, Wanders(stop)] if first else [Wanders(stop), *callbacks]
        return train("exact adam", given, resume)[0]

    whole = run([])
    assert len(whole.history) == (stop or 6)
    for after in range(6):
        assert_same(interrupt(run, tmp_path / f"{after}", after), whole, X)


@pytest.mark.parametrize("name", ["adam", "exact adam", "adagrad", "fwfm", "gibbs", "als"])
def test_more_epochs(name, tmp_path):
    """A training that is finished goes on as one that was asked for more from the start."""
    rates = [] if name in ("gibbs", "als") else [fm.LearningRateSchedule(lambda epoch: 1 / epoch)]
    path = tmp_path / "file"
    train(name, [fm.Checkpoint(path), *rates])
    whole, matrix = train(name, rates, epochs=11)
    assert_same(train(name, [fm.Checkpoint(path), *rates], path, epochs=11)[0], whole, matrix)
    assert_same(train(name, rates, path, epochs=11)[0], whole, matrix)
    with pytest.raises(ValueError, match=r"^resume: epochs is 10, but .* has made 11 already"):
        train(name, rates, path, epochs=10)


def test_threads_and_places_may_differ(tmp_path):
    whole, _ = train("adam")
    train("adam", [fm.Checkpoint(tmp_path / "{epoch}", every=2)], n_threads=1)
    other = [fm.Checkpoint(tmp_path / "other")]
    resumed, _ = train("adam", other, tmp_path / "4", n_threads=2, verbose=False)
    assert_same(resumed, whole, X)
    seconds = [record.seconds for record in resumed.history]
    assert seconds == sorted(seconds)


def test_a_start_from_a_model(tmp_path):
    for name in ("adam", "gibbs", "fwfm"):
        init, _ = train(name, epochs=3)

        def run(callbacks, resume=None, name=name, init=init):
            return train(name, callbacks, resume, init=init, rank=None)[0]

        resumed = interrupt(run, tmp_path / name, 2)
        assert_same(resumed, run([]), X)
        with pytest.raises(ValueError, match=r"resume: the initial parameters are others"):
            train(name, resume=tmp_path / name, epochs=9)


def test_a_checkpoint_predicts(tmp_path):
    for name in CASES:
        path = tmp_path / "file"
        _, matrix = train(name, [fm.Checkpoint(path), fm.EarlyStopping("train_loss")], epochs=3)
        plain, _ = train(name, epochs=3)
        for mapped in (False, True):
            assert_same(fm.load(path, mmap=mapped), plain, matrix)
    again = tmp_path / "again"
    fm.load(path).save(again)
    with pytest.raises(fm.FileFormatError, match=r"again: is no checkpoint: resume needs"):
        train("als", resume=again)


def test_no_file_yet(tmp_path, caplog):
    path = tmp_path / "file"
    with pytest.raises(
        FileNotFoundError, match="no Checkpoint of this training writes it"
    ) as error:
        train("adam", [fm.Checkpoint(tmp_path / "other")], path)
    assert error.value.filename == str(path)
    with caplog.at_level("INFO", logger="sparsefm"):
        begun, _ = train("adam", [fm.Checkpoint(tmp_path / "." / "file")], path)
    assert "training begins" in caplog.text
    assert_same(begun, train("adam")[0], X)


# --- what is refused ------------------------------------------------------------------------------


CHANGES = {
    "rank": {"rank": 4},
    "solver": {"solver": fm.Adam(learning_rate=0.02)},
    "batch_size": {"batch_size": 17},
    "shuffle": {"shuffle": False},
    "init_scale": {"init_scale": 0.1},
    "seed": {"seed": 1},
    "dtype": {"dtype": "float64"},
    "loss": {"loss": "huber"},
    "variant": {"variant": "fwfm", "fields": FIELDS},
    "the training rows, targets": {"sample_weight": np.arange(120.0)},
}


@pytest.mark.parametrize("name", CHANGES)
def test_other_settings(name, tmp_path):
    path = tmp_path / "file"
    train("adam", [fm.Checkpoint(path)])
    with pytest.raises(ValueError, match=rf"^resume: {name}.* in {re.escape(str(path))}"):
        train("adam", resume=path, **CHANGES[name])
    with pytest.raises(ValueError, match="seed must be an integer, got None"):
        train("adam", resume=path, seed=None)


def test_other_data(tmp_path):
    path = tmp_path / "file"
    rows = [X[:120], NUMBERS[:120], X[120:], NUMBERS[120:]]
    fm.train(*rows, epochs=2, callbacks=[fm.Checkpoint(path)])
    for place, expected in enumerate(["training rows", "targets"] + ["validation rows"] * 2):
        changed = [part.copy() for part in rows]
        if sp.issparse(changed[place]):
            changed[place] = changed[place][::-1]
            assert (changed[place] != rows[place]).nnz
        else:
            changed[place][7] += 1e-3
        with pytest.raises(ValueError, match=rf"^resume: the .*{expected}.* are others than"):
            fm.train(*changed, epochs=3, resume=path)
    with pytest.raises(ValueError, match=r"^resume: the validation rows are others"):
        fm.train(*rows[:2], epochs=3, resume=path)
    fm.train(*rows, epochs=3, resume=path)


@pytest.mark.parametrize(
    ("then", "now", "message"),
    [
        ([], [fm.EarlyStopping()], "callbacks that have a state are EarlyStopping, but were none"),
        ([fm.EarlyStopping()], [], "callbacks that have a state are none, but were EarlyStopping"),
        ([fm.EarlyStopping()], [fm.EarlyStopping(patience=4)], "patience .* is 4 now, but was 3"),
        ([Wanders()], [fm.EarlyStopping()], "are EarlyStopping, but were Wanders"),
    ],
)
def test_other_callbacks(then, now, message, tmp_path):
    path = tmp_path / "file"
    train("adam", [fm.Checkpoint(path), *then], epochs=3)
    with pytest.raises(ValueError, match=message):
        train("adam", now, path)


def changed_header(path, change):
    """Change the training's entries in a file whose checksum is right."""
    header, arrays = read_file(path)
    change(header, header["training"], arrays)
    header.pop("format_version")
    write_file(path, header, arrays)


def test_another_version(tmp_path):
    path = tmp_path / "file"
    train("adam", [fm.Checkpoint(path)])

    def change(header, training, arrays):
        header["sparsefm"] = "0.0.7"

    changed_header(path, change)
    with pytest.raises(fm.FileFormatError, match=r"written by sparsefm 0\.0\.7, and only that one"):
        train("adam", resume=path)
    assert fm.load(path).rank == 3


LIES = {
    "no history": lambda t, arrays: t.update(history=[]),
    "epochs left out": lambda t, arrays: t["history"].pop(0),
    "other figures": lambda t, arrays: t["history"][1]["metrics"].pop("rmse"),
    "no rate": lambda t, arrays: t.update(learning_rate=-0.1),
    "an endless rate": lambda t, arrays: t.update(learning_rate={"float": "inf"}),
    "neither over nor not": lambda t, arrays: t.update(is_over=1),
    "callbacks": lambda t, arrays: t.update(callbacks=[3]),
    "best": lambda t, arrays: t["callbacks"][0][1].pop("best"),
    "best epoch": lambda t, arrays: t["callbacks"][0][1].update(best_epoch="one"),
    "snapshot": lambda t, arrays: t["callbacks"][0][1]["snapshot"].update(snapshot=3),
    "steps": lambda t, arrays: t["state"].update(steps=-1),
    "state": lambda t, arrays: t.update(state=3),
    "settings": lambda t, arrays: t.update(settings=[1]),
    "more arrays": lambda t, arrays: arrays.update({"training.more": np.ones(1)}),
    "fewer arrays": lambda t, arrays: arrays.pop("training.state.0.1"),
    "other shape": lambda t, arrays: arrays.update({"training.state.0.1": np.ones((2, 3))}),
    "not finite": lambda t, arrays: arrays["training.state.0.2"].fill(np.nan),
}
OF_CHAINS = {
    "no outputs": lambda t, arrays: t["state"].update(outputs=[]),
    "chains": lambda t, arrays: t["state"]["outputs"][0].update(chains=1),
    "scores": lambda t, arrays: arrays.update({"training.state.0.scores": np.ones(3)}),
    "diagnosed": lambda t, arrays: t["state"].update(diagnosed=99),
    "monitored": lambda t, arrays: arrays.update({"training.state.monitored": np.ones((2, 2, 1))}),
    "means": lambda t, arrays: arrays.update(
        {f"training.state.0.chain.0.{name}": np.ones((9, 4)) for name in ("means", "precisions")}
    ),
    "features": lambda t, arrays: arrays.update(
        {
            "training.state.0.chain.0.w": np.ones(2, np.float32),
            "training.state.0.chain.0.V": np.ones((2, 3), np.float32),
        }
    ),
    "samples": lambda t, arrays: arrays.update(
        {
            "training.state.0.samples.w": np.ones((4, 30), np.float32),
            "training.state.0.samples.V": np.ones((4, 30, 3), np.float32),
        }
    ),
}


@pytest.mark.parametrize("lie", [*LIES, *OF_CHAINS])
def test_a_file_that_lies(lie, tmp_path):
    """All of it is checked, though its checksum is right; nothing of it is used half."""
    path = tmp_path / "file"
    name, change = ("adam", LIES[lie]) if lie in LIES else ("gibbs", OF_CHAINS[lie])
    stopping = [fm.EarlyStopping()] if lie in LIES else []
    train(name, [fm.Checkpoint(path), *stopping], epochs=4)
    changed_header(path, lambda header, training, arrays: change(training, arrays))
    with pytest.raises(fm.FileFormatError, match=rf"^(resume: )?{re.escape(str(path))}: "):
        train(name, stopping, path)


def test_a_damaged_file(tmp_path):
    path = tmp_path / "file"
    train("adam", [fm.Checkpoint(path)], epochs=2)
    content = path.read_bytes()
    random = np.random.default_rng(0)
    for number in range(60):
        place = int(random.integers(len(content)))
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(random.integers(8))
        path.write_bytes(content[:place] if number % 3 == 0 else bytes(damaged))
        with pytest.raises(fm.FileFormatError):
            train("adam", [fm.Checkpoint(path)], path)


@pytest.mark.skipif(sys.platform != "linux", reason="for Linux")
def test_a_full_disk(tmp_path):
    """The error names the file, which stays that of the epoch before; training resumes from it."""
    import resource

    path = tmp_path / "file"
    train("adam", [fm.Checkpoint(path)], epochs=2)
    content, (soft, hard) = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(content) // 2, hard))
    try:
        with pytest.raises(OSError, match="file") as error:
            train("adam", [fm.Checkpoint(path)], path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert error.value.errno in (errno.EFBIG, errno.ENOSPC)
    assert error.value.filename == str(path)
    assert os.listdir(tmp_path) == ["file"]
    assert path.read_bytes() == content
    assert_same(train("adam", [fm.Checkpoint(path)], path)[0], train("adam")[0], X)


def test_an_error_ends_it_as_any_training(tmp_path):
    """A callback that fails while it gets its state back closes the others."""
    closed = []

    class Fails(Wanders):
        def load_state_dict(self, state):
            raise RuntimeError("not mine")

        def close(self):
            closed.append(self)

    path = tmp_path / "file"
    with pytest.raises(Interruption):
        train("adam", [fm.Checkpoint(path), Fails(), Cut(2)])
    with pytest.raises(RuntimeError, match="not mine"):
        train("adam", [fm.Checkpoint(path), Fails()], path)
    assert len(closed) == 2
