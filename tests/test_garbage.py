"""Garbage in every argument of every public entry: a result, or a refusal that names the argument.

One argument is wrong at a time, or two. Errors that the garbage itself raises pass through.
"""

import pathlib
import shutil
import warnings

import garbage
import garbage_entries
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

pytest.importorskip("matplotlib").use("Agg")

ALL = garbage.values(garbage_entries.ROWS, garbage_entries.COLUMNS)
HUGE = {
    "array: list of 10**400",
    "container: huge and text",
}  # so many epochs are too many to wait for
ENDLESS = {("epochs", name) for name in HUGE}
# A function that is given is called; what goes wrong in it is told as it is.
OWN_ERRORS = {("factor", "thing: EarlyStopping")}


@pytest.fixture(scope="module")
def entries(tmp_path_factory):
    return garbage_entries.entries(tmp_path_factory.mktemp("garbage"))


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Garbage may be a path, too. Return the folder, which is empty."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def check(entries, folder, name, wrong):
    """Call an entry with wrong arguments, given as names of garbage; remove what it writes."""
    function, right = entries[name]
    if wrong.items() & (ENDLESS | OWN_ERRORS):
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of np.matrix
        made = {argument: ALL[value]() for argument, value in wrong.items()}
    found = garbage_entries.fault(name, function, right, made)
    for path in folder.iterdir():  # else a later call would find it
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert found is None, f"{name} with {wrong}: {found}"


@st.composite
def calls(draw, entries, n_wrong):
    """Return the name of an entry, and which of its arguments are what garbage."""
    name = draw(st.sampled_from(sorted(entries)))
    arguments = draw(
        st.lists(st.sampled_from(list(entries[name][1])), min_size=1, max_size=n_wrong, unique=True)
    )
    return name, {argument: draw(st.sampled_from(sorted(ALL))) for argument in arguments}


def run(entries, folder, n_wrong, count):
    @seed(0)
    @given(call=calls(entries, n_wrong))
    @settings(
        max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    def each(call):
        check(entries, folder, *call)

    each()


def test_right_arguments_are_taken(entries, elsewhere):
    for name, (function, right) in entries.items():
        function(**right)
        garbage_entries.close_figures()
        assert garbage_entries.fault(name, function, right, {}) is None


@pytest.mark.parametrize("n_wrong", [1, 2])
def test_garbage_is_refused_by_name(entries, elsewhere, n_wrong):
    run(entries, elsewhere, n_wrong, 1000)


@pytest.mark.slow
def test_all_garbage_in_every_argument(entries, elsewhere):
    for name, (_, right) in entries.items():
        for argument in right:
            for value in ALL:
                check(entries, elsewhere, name, {argument: value})


@pytest.mark.slow
@pytest.mark.parametrize(("of_lists", "count"), [(False, 20_000), (True, 2_000)])
def test_many_pairs(entries, elsewhere, of_lists, count):
    """Entries of recommendations are apart: so new ones do not change what the others are given."""
    begins = ("FMRanker", "Recommender", "evaluation")
    chosen = {name: of for name, of in entries.items() if name.startswith(begins) == of_lists}
    assert len(chosen) > 5
    run(chosen, elsewhere, 2, count)


def test_every_public_name_has_an_entry(entries):
    """A new public function or class must come here too."""
    lines = (pathlib.Path(__file__).parent / "public_api/0.1.0.txt").read_text().splitlines()
    takers = {line for line in lines if line.startswith(("sparsefm.", "class "))}
    public = {
        line.split("(")[0].removeprefix("class ").removeprefix("sparsefm.") for line in takers
    }
    untold = {
        "evaluation: module",
        "nn: module",
        "onnx: module",
        "plots: module",
        "show_versions",
        "ProgressBar",
        "SampledModel",
    }
    untold |= {"SparseData"}
    untold |= {"datasets.load_flights", "datasets.load_flights_table", "datasets.Flights"}
    untold |= {"datasets.FlightsTable", "DivergenceError", "FileFormatError"}
    names = {name.removeprefix("losses.") if name == "losses.Huber" else name for name in public}
    without_arguments = {name for name in names if name.startswith("losses.")}
    assert names - untold - without_arguments <= set(entries)
