"""`fit(resume=...)`: the end is the same bits, whenever the training was interrupted."""

import os

import numpy as np
import pytest

import sparsefm as fm
from tests.interrupted import Cut, Interruption, Wanders, assert_same, interrupt

RANDOM = np.random.default_rng(0)
N = 150
TABLE = np.column_stack([RANDOM.integers(0, 5, N), RANDOM.normal(size=N), RANDOM.integers(0, 7, N)])
TABLE = TABLE.astype(object)
TABLE[:, 0] = np.array(list("abcde"))[TABLE[:, 0].astype(int)]
NUMBERS = TABLE[:, 1].astype(float) * (TABLE[:, 2].astype(int) % 3) + RANDOM.normal(size=N)
LABELS = np.array(["low", "mid", "top"])[np.digitize(NUMBERS, [-0.4, 0.5])]
STAGED = {"solver": fm.Adam(learning_rate=0.05), "epochs": (3, 2, 2), "search": None}
GIBBS = fm.Gibbs(burn_in=2, chains=2, samples=3)

CASES = {
    "stages": (fm.FMRegressor, {**STAGED, "validation_fraction": 0.3}),
    "exact, huber": (
        fm.FMRegressor,
        {**STAGED, "solver": fm.Adam(updates="exact"), "loss": "huber", "dtype": "float64"},
    ),
    "adagrad": (fm.FMRegressor, {**STAGED, "solver": fm.AdaGrad()}),
    "softmax": (fm.FMClassifier, {**STAGED, "loss": "softmax", "validation_fraction": 0.3}),
    "one against the rest": (fm.FMClassifier, {**STAGED, "loss": "logistic"}),
    "class weights": (fm.FMClassifier, {**STAGED, "class_weight": "balanced"}),
    "gibbs": (fm.FMRegressor, {"solver": GIBBS, "epochs": 7, "validation_fraction": 0.3}),
    "gibbs, classes": (fm.FMClassifier, {"solver": GIBBS, "epochs": 6}),
    "ordinal": (fm.FMClassifier, {"solver": GIBBS, "loss": "ordinal", "epochs": 6}),
    "als": (fm.FMRegressor, {"solver": fm.ALS(), "epochs": 6}),
}


def fit(name, callbacks=(), resume=None, eval_set=None, **changed):
    kind, given = CASES[name]
    estimator = kind(rank=2, callbacks=list(callbacks)).set_params(**{**given, **changed})
    y = NUMBERS if kind is fm.FMRegressor else LABELS
    return estimator.fit(TABLE, y, eval_set=eval_set, resume=resume)


@pytest.mark.parametrize("name", CASES)
def test_the_same_bits_whenever_it_was_interrupted(name, tmp_path):
    whole = fit(name, [fm.Checkpoint(tmp_path / "{epoch}")])
    assert_same(fit(name), whole, TABLE)
    for after in range(1, whole.n_iter_ + 1):
        resumed = fit(name, resume=tmp_path / f"{after}")
        assert_same(resumed, whole, TABLE)
        assert "_resumption" not in vars(resumed)
    again = interrupt(lambda callbacks, path: fit(name, callbacks, path), tmp_path / "file", 3)
    assert_same(again, whole, TABLE)


def test_training_goes_on_from_what_was_resumed(tmp_path):
    for name in ("stages", "softmax"):
        estimators = [fit(name), interrupt(lambda c, p, n=name: fit(n, c, p), tmp_path / name, 4)]
        y = NUMBERS if name == "stages" else LABELS
        one, other = (estimator.partial_fit(TABLE, y) for estimator in estimators)
        assert np.array_equal(one.V_, other.V_)


@pytest.mark.parametrize("stop", [None, 5])
def test_a_callback_of_a_user_and_a_schedule(stop, tmp_path):
    def run(callbacks, resume=None):
        halve = fm.LearningRateSchedule(lambda epoch: 1 / epoch)
        return fit("stages", [Wanders(stop), *callbacks, halve], resume)

    whole = run([])
    for after in (2, 3, 4, 5):
        assert_same(interrupt(run, tmp_path / f"{after}", after), whole, TABLE)


def test_several_sets_and_a_score(tmp_path):
    sets = {"all": (TABLE, NUMBERS), "some": (TABLE[:50], NUMBERS[:50])}

    def run(callbacks, resume=None):
        more = {"scoring": "r2", "patience": 2, "epochs": 40, "validation_fraction": None}
        return fit("stages", callbacks, resume, sets, **more)

    whole = run([])
    assert 3 < whole.n_iter_ < 40
    assert "some/r2" in whole.history_
    for after in (1, whole.best_epoch_, whole.n_iter_ - 1, whole.n_iter_):
        assert_same(interrupt(run, tmp_path / f"{after}", after), whole, TABLE)


def test_more_epochs(tmp_path):
    path = tmp_path / "file"
    fit("stages", [fm.Checkpoint(path)], epochs=4)
    for epochs in (9, (4, 3), (4, 2, 2)):
        more = fit("stages", [], path, epochs=epochs)
        assert_same(more, fit("stages", epochs=epochs), TABLE)
    for epochs in ((3, 9), (2, 2, 2)):
        with pytest.raises(
            ValueError, match=r"^resume: epochs has other stages .* what follows epoch 4 may"
        ) as told:
            fit("stages", [], path, epochs=epochs)
        assert not isinstance(told.value, fm.FileFormatError)
    with pytest.raises(ValueError, match=r"epochs is 3, but .* has made 4 already"):
        fit("stages", [], path, epochs=3)
    fit("gibbs", [fm.Checkpoint(path)])
    assert_same(fit("gibbs", [], path, epochs=11), fit("gibbs", epochs=11), TABLE)


class Searches:
    """A callback that counts candidates; it may end the search."""

    def __init__(self, end=None):
        self.candidates, self.end = 0, end

    def __call__(self, epoch):
        pass

    def search(self, candidate):
        self.candidates += 1
        if self.candidates == self.end:
            raise Interruption


SLOW = pytest.mark.slow
SEARCHES = {
    "numbers": (fm.FMRegressor, {"warm_start": True}),
    "sampled": (fm.FMRegressor, {"rank": 2}),
    "epochs": (fm.FMClassifier, {"epochs": 6, "warm_start": True}),
    "classes": (
        fm.FMClassifier,
        {"solver": fm.Adam(), "rank": 2, "epochs": 5, "validation_fraction": 0.4},
    ),
}


@pytest.mark.parametrize(
    "name", [name if name == "classes" else pytest.param(name, marks=SLOW) for name in SEARCHES]
)
def test_what_a_search_chose_is_in_the_checkpoint(name, tmp_path):
    """An interruption of the search begins it anew; later there is no other search."""
    path, (kind, given) = tmp_path / "file", SEARCHES[name]
    y = NUMBERS if kind is fm.FMRegressor else LABELS

    def run(callbacks, resume=path, **more):
        estimator = kind(callbacks=[fm.Checkpoint(path), *callbacks], **{**given, **more})
        return estimator.fit(TABLE[:60], y[:60], resume=resume)

    whole, searched = run([searches := Searches()], None), searches.candidates
    assert searched > 2
    assert isinstance(whole.best_params_["solver"], fm.Gibbs) == (name == "sampled")
    path.unlink()
    with pytest.raises(Interruption):
        run([Searches(2)])
    assert os.listdir(tmp_path) == []
    with pytest.raises(Interruption):
        run([searches := Searches(), Cut(3)])
    assert searches.candidates == searched
    resumed = run([searches := Searches()])
    assert searches.candidates == 0
    assert_same(resumed, whole, TABLE)
    seconds = ("seconds",)
    found, expected = (
        {n: v for n, v in one.search_.items() if n not in seconds} for one in (resumed, whole)
    )
    assert repr(found) == repr(expected)
    with pytest.raises(ValueError, match="resume: parameter search is 'thorough', but was 'fast'"):
        run([], search="thorough")
    if "epochs" in given:
        more = run([searches := Searches()], epochs=9)
        assert searches.candidates == 0
        assert more.n_iter_ == 9


CHANGES = {
    "rank": {"rank": 3},
    "solver": {"solver": fm.Adam()},
    "random_state": {"random_state": 5},
    "dtype": {"dtype": "float64"},
    "loss": {"loss": "huber"},
    "validation_fraction": {"validation_fraction": 0.2},
    "patience": {"patience": 2},
    "encoder": {"encoder": fm.TableEncoder(n_bins=9)},
}


def first(estimator, X, y):
    return 1.0


def second(estimator, X, y):
    return 1.0


@pytest.mark.filterwarnings("ignore:scoring=.* cannot be saved")
def test_what_is_refused(tmp_path):
    path = tmp_path / "file"
    fit("stages", [fm.Checkpoint(path)], n_threads=1)
    for name, change in CHANGES.items():
        with pytest.raises(ValueError, match=rf"^resume: parameter {name} is .*, but was .* in "):
            fit("stages", [], path, **change)
    for seed in (None, np.random.RandomState(0)):
        with pytest.raises(ValueError, match="random_state must be an integer"):
            fit("stages", [], path, random_state=seed)
    with pytest.raises(ValueError, match=r"resume: the training rows, targets.* are others"):
        fm.FMRegressor(rank=2, **CASES["stages"][1]).fit(TABLE, NUMBERS[::-1], resume=path)
    with pytest.raises(ValueError, match=r"resume: the training rows"):  # alike, standardised
        fm.FMRegressor(rank=2, **CASES["stages"][1]).fit(TABLE, 4 * NUMBERS, resume=path)
    with pytest.raises(FileNotFoundError, match="no Checkpoint of this training writes it"):
        fit("stages", [], tmp_path / "other")
    going_on = {"early_stopping": False, "epochs": 3}
    fit("stages", [fm.Checkpoint(path)], scoring=first, **going_on)
    with pytest.raises(ValueError, match=r"resume: the figures of an epoch are .*second.*first"):
        fit("stages", [], path, scoring=second, **going_on | {"epochs": 4})
    fm.load(path).save(path)
    with pytest.raises(fm.FileFormatError, match="is no checkpoint"):
        fit("stages", [], path)


def test_after_an_error_the_estimator_is_as_it_was(tmp_path):
    path = tmp_path / "file"
    fit("stages", [fm.Checkpoint(path)])
    estimator = fit("stages")
    before = dict(vars(estimator))
    with pytest.raises(ValueError, match="resume: the training rows"):
        estimator.fit(TABLE[:-1], NUMBERS[:-1], resume=path)
    assert vars(estimator) == before


def test_the_rows_may_come_in_another_order(tmp_path):
    """As for `fit`, whose result depends on their content alone."""
    path, order = tmp_path / "file", RANDOM.permutation(N)
    with pytest.raises(Interruption):
        fit("stages", [fm.Checkpoint(path), Cut(3)], validation_fraction=None)
    whole = fit("stages", validation_fraction=None)
    given = {"rank": 2, **CASES["stages"][1], "validation_fraction": None}
    resumed = fm.FMRegressor(**given).fit(TABLE[order], NUMBERS[order], resume=path)
    assert_same(resumed, whole, TABLE)


def test_resume_names_one_file(tmp_path):
    with pytest.raises(ValueError, match=r"^resume names one file"):
        fit("stages", [fm.Checkpoint(tmp_path / "{epoch}")], tmp_path / "{epoch}")
