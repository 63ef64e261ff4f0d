"""Choices of a search: the encoding of numbers, the rank, and a sampler or an optimizer."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from estimating import products, targets
from raced import CONDITIONS, ended, numbers, onehot, sampled, searching

import sparsefm as fm
from sparsefm import losses
from sparsefm.tuning import contest, search
from sparsefm.tuning.contest import Optimizers, Samplers, chosen, samples_for
from sparsefm.tuning.numbers import CHOICES
from sparsefm.tuning.portfolio import Sampling
from sparsefm.tuning.racing import Race, ranked
from sparsefm.tuning.trials import Fold

# --- encodings of numbers -------------------------------------------------------------------------


def test_encodings_are_tried_first_on_the_same_rows(kind, entrants):
    X, y = products(60)
    kind().fit(X, targets(kind, y))
    first = entrants[: 10 * len(CHOICES)]  # ten folds each
    assert {settings.rank for settings, _ in first} == {contest.FIRST_RANK}
    for number, (_, fold) in enumerate(first):
        assert np.array_equal(fold.validation.y, first[number % 10][1].validation.y)
    widths = [first[10 * number][1].training.X.n_features for number in range(len(CHOICES))]
    assert widths[0] == widths[1] == widths[2] < widths[3] < widths[4]


def test_the_simplest_of_the_good_encodings_is_chosen(monkeypatch):
    losses = {"standardize(no clip)": 1.05, "standardize(clip)": 1.2, "log(clip)": 1.0}

    def run(self, entrants, leader=np.inf):
        best = losses[str(self.numeric)]
        # Of 100 rows; what the first has more than the third is less than its standard error.
        rows = (best + np.resize([-0.6, 0.6], 100) * (best > 1)) / 100
        return [replace(ended([best], 8, rows), numeric=self.numeric)]

    monkeypatch.setattr(Race, "run", run)
    tables = {choice: numbers(50) for choice in [None, *CHOICES[:3]]}

    def found():
        return searching()._numerics(
            lambda choice: (tables[choice], None),
            CHOICES[:3],
            searching()._splits(tables[None], None),
            True,
            SimpleNamespace(),
        )

    assert [one.best for one in found()] == [1.05, 1.0, 1.2]
    losses["standardize(no clip)"] = 1.1
    assert [one.best for one in found()] == [1.0, 1.1, 1.2]


def test_a_model_of_the_chosen_encoding_is_not_trained_twice(entrants):
    X, y = products(60, noise=0.5)
    estimator = fm.FMRegressor().fit(X, y)
    chosen = estimator.search_["numeric"][0]
    assert set(estimator.search_["numeric"][: estimator.search_["stage"].count("model")]) == {
        chosen
    }
    eight = [one for one, fold in entrants if one == Sampling(8)]
    assert len(eight) == 10 * len(CHOICES)


def test_many_numbers_are_encoded_on_a_part_of_the_rows(kind, entrants, monkeypatch, brief_search):
    monkeypatch.setattr(search, "NUMERIC_ENTRIES", 200)
    monkeypatch.setattr(search, "NUMERIC_ROWS", 30)
    X, y = products(200, share=1)
    estimator = kind().fit(X, targets(kind, y))
    stages, rows = estimator.search_["stage"], estimator.search_["rows"]
    assert {n for n, stage in zip(rows, stages, strict=True) if stage == "model"} == {180}
    assert {n for n, stage in zip(rows, stages, strict=True) if stage == "encoding"} == {50}
    assert {len(fold.validation.rows) for _, fold in entrants} == {20}


# --- samplers -------------------------------------------------------------------------------------


class Scripted:
    """A race whose candidates have the losses that somebody wrote down, by rank."""

    def __init__(self, losses):
        self.losses, self.tried = losses, []

    def run(self, entrants, leader=np.inf):
        found = []
        for settings in entrants:
            self.tried.append(settings.rank)
            found.append(replace(sampled([self.losses[settings.rank]]), settings=settings))
        return found


@pytest.mark.parametrize(
    ("losses", "effort", "ranks"),
    [
        ({8: 1, 0: 0.9, 16: 0.5}, "fast", [8, 0]),
        ({8: 1, 0: 2, 16: 0.9995}, "fast", [8, 0, 16]),
        ({8: 1, 0: 2, 16: 0.9, 32: 0.8}, "fast", [8, 0, 16]),
        ({8: 1, 0: 2, 16: 0.9995, 32: 0.5}, "thorough", [8, 0, 16]),
        ({8: 1, 0: 2, 16: 0.9, 32: 0.8, 64: 0.7}, "thorough", [8, 0, 16, 32, 64]),
    ],
)
def test_the_rank_grows_while_that_is_worth_it(losses, effort, ranks):
    race = Scripted(losses)
    found = Samplers(race, numbers(50), {}, effort).run()
    assert race.tried == ranks
    assert [one.best for one in found] == sorted(losses[rank] for rank in ranks)
    known = Scripted(losses)
    first = replace(sampled([losses[8]]), settings=Sampling(8))
    again = Samplers(known, numbers(50), {}, effort).run([first])
    assert known.tried == ranks[1:]
    assert [one.best for one in again] == [one.best for one in found]


def test_a_given_rank_is_the_only_one():
    race = Scripted({3: 1.0})
    Samplers(race, numbers(50), {"rank": 3}, "fast").run()
    assert race.tried == [3]


def test_samples_take_no_more_memory_than_they_may(monkeypatch):
    data = numbers(50)
    assert samples_for(data, 8) == fm.Gibbs.samples
    monkeypatch.setattr(contest, "FEW_BYTES", 9 * 4 * 8 * 20)  # parameters of 8 bytes
    monkeypatch.setattr(contest, "BYTES_FOR_ENTRY", 0)
    assert samples_for(data, 8) == 20
    assert samples_for(data, 17) == 10
    assert samples_for(replace(data, targets=data.targets * 2), 8) == 10
    monkeypatch.setattr(contest, "BYTES_FOR_ENTRY", 9 * 4 * 8 * 30 / 200)  # of 200 entries
    assert samples_for(data, 8) == 30
    monkeypatch.setattr(contest, "MOST_BYTES", 9 * 4 * 8 * 25)
    assert samples_for(data, 8) == 25


def test_where_few_samples_fit_in_memory_an_optimizer_trains(kind, monkeypatch):
    for name in ("FEW_BYTES", "MOST_BYTES"):
        monkeypatch.setattr(contest, name, 10_000)  # 27 samples of rank 8, 14 of rank 16
    monkeypatch.setattr(contest, "BYTES_FOR_ENTRY", 0)
    X, y = onehot()
    y = targets(kind, y)
    estimator = kind().fit(X, y)
    assert {0, 8} <= {
        rank
        for rank, solver in zip(estimator.search_["rank"], estimator.search_["solver"], strict=True)
        if solver.startswith("Gibbs")
    }
    monkeypatch.setattr(contest, "MOST_BYTES", 1_000)
    estimator = kind().fit(X, y)
    assert not any(solver.startswith("Gibbs") for solver in estimator.search_["solver"])


@pytest.mark.parametrize(
    ("sampler", "other", "winner"),
    [(1.0, 0.5, "other"), (1.0, 0.85, "sampler"), (0.5, 1.0, "sampler"), (np.inf, 1.0, "other")],
)
def test_an_optimizer_wins_if_it_is_better_than_by_chance(sampler, other, winner):
    spread = np.resize([-1.0, 1.0], 100) / 100  # an error of a tenth
    candidates = {
        "sampler": sampled([sampler], 8, sampler / 100 + spread),
        "other": ended([other], 8, np.full(100, other / 100)),
    }
    loss = losses.Squared()
    found = chosen([candidates["sampler"]], [candidates["other"]], loss)
    assert found is candidates[winner]
    assert chosen([candidates["sampler"]], [], loss) is candidates["sampler"]
    assert chosen([], [candidates["other"]], loss) is candidates["other"]


def test_the_chosen_sampler_is_trained_with_all_sweeps():
    estimator = fm.FMRegressor(rank=2).fit(*onehot(noise=0.5))
    assert estimator.best_params_["epochs"] == estimator.n_iter_ == fm.Gibbs.default_epochs
    assert estimator.search_["outcome"].count("chosen") == 1
    assert estimator.search_["solver"][estimator.search_["outcome"].index("chosen")] == str(
        estimator.best_params_["solver"]
    )


def test_a_warm_start_needs_an_optimizer(kind, entrants):
    X, y = onehot()
    kind(warm_start=True).fit(X, targets(kind, y))
    assert not any(isinstance(settings, Sampling) for settings, _ in entrants)


# --- variants -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_fields", "given", "tried"),
    [(2, {}, 0), (3, {}, 1), (100, {}, 1), (101, {}, 0), (None, {}, 0), (3, {"variant": "fm"}, 0)],
)
def test_fields_are_weighed_where_there_are_some(monkeypatch, n_fields, given, tried):
    entered = []

    def run(self, entrants, leader=np.inf):
        entered.extend(entrants)
        return ranked(ended([1.0 / (1 + one.rank)], one.rank) for one in entrants)

    monkeypatch.setattr(Race, "run", run)
    data = numbers(50)
    fields = None if n_fields is None else np.arange(n_fields, dtype=np.int32)
    data = replace(data, fields=fields)
    race = searching()._race([Fold(data, data)], None, CONDITIONS)
    Optimizers(race, data, given, "fast").run([])
    weighted = [one for one in entered if one.variant == "fwfm"]
    assert len(weighted) == tried
    assert all(one.rank == 16 for one in weighted)  # the best


def test_weights_of_fields_are_found():
    rng = np.random.default_rng(0)
    frame = pytest.importorskip("pandas").DataFrame(
        {name: rng.integers(0, 20, 4000).astype(str) for name in "uvwxyz"}
    )
    vectors = rng.normal(size=(20, 4))
    u, v, w, x, y, z = (vectors[frame[name].astype(int)] for name in "uvwxyz")
    target = (u * v).sum(1) - 2 * (u * w).sum(1) + (x * y).sum(1) - (y * z).sum(1)
    target += 0.5 * rng.normal(size=4000)
    model = fm.FMRegressor(warm_start=True).fit(frame[:3000], target[:3000])
    assert model.best_params_["variant"] == "fwfm"
    plain = fm.FMRegressor(warm_start=True, variant="fm").fit(frame[:3000], target[:3000])
    assert model.score(frame[3000:], target[3000:]) > plain.score(frame[3000:], target[3000:])
