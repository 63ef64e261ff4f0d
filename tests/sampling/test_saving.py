"""Files of sampled models: those from before there were ordered classes, and damaged ones."""

from pathlib import Path

import numpy as np
import pytest
from rated import ratings, sample

import sparsefm as fm
from sparsefm.errors import FileFormatError
from sparsefm.io.file import read_file, write_file

OLD = Path(__file__).parent.parent / "fixtures" / "sampled-2.safetensors"


def changed(path, change):
    """Write a file again with other arrays or entries."""
    header, arrays = read_file(path)
    change(header, arrays)
    write_file(path, {k: v for k, v in header.items() if k != "format_version"}, arrays)


def test_files_from_before_there_were_cuts():
    assert not [name for name in read_file(OLD)[1] if "cuts" in name]
    model = fm.load(OLD)
    assert all(sample.cuts.tolist() == [0] for sample in model.samples)
    assert all(chain.cuts.tolist() == [0] for chain in model.progress.chains)


@pytest.mark.parametrize("task", ["regression", "binary"])
def test_sampling_goes_on_from_files_without_cuts(task, tmp_path):
    data = ratings()
    model, path = sample(data, task), tmp_path / "file"
    model.save(path)
    changed(path, lambda header, arrays: [arrays.pop(n) for n in list(arrays) if "cuts" in n])
    options = {"rank": None, "epochs": 3}
    longer = [sample(data, task, init=start, **options) for start in (model, fm.load(path))]
    assert np.array_equal(longer[0].predict(data.X), longer[1].predict(data.X))


def ordered_file(path, change):
    sample(ratings(), "ordinal").save(path)
    changed(path, change)
    return path


@pytest.mark.parametrize("name", ["samples.cuts", "chain.0.cuts"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_cuts_ascend_from_zero(name, place, tmp_path):
    def change(header, arrays):
        arrays[name] = arrays[name].copy()
        arrays[name][..., place] = 1e-9 if place == 0 else 0

    with pytest.raises(FileFormatError, match="do not ascend from 0"):
        fm.load(ordered_file(tmp_path / "file", change))


def test_cuts_are_numbers_of_the_right_shape(tmp_path):
    def cut_short(header, arrays):
        arrays["chain.0.cuts"] = arrays["chain.0.cuts"][:2]

    def none_at_all(header, arrays):
        arrays["samples.cuts"] = arrays["samples.cuts"][:, :0]

    def not_finite(header, arrays):
        arrays["samples.cuts"] = np.where(arrays["samples.cuts"] > 0, np.inf, 0)

    def of_another_task(header, arrays):
        header["task"] = "binary"

    for change, message in [
        (cut_short, "must have shape"),
        (none_at_all, "ascend"),
        (not_finite, "holds inf"),
        (of_another_task, "classes that are not ordered"),
    ]:
        with pytest.raises(FileFormatError, match=message):
            fm.load(ordered_file(tmp_path / "file", change))


def test_ordered_classes_of_an_estimator_need_cuts(tmp_path):
    data, path = ratings(), tmp_path / "file"
    X, y = data.X[:300].toarray(), np.digitize(data.y[:300], [2, 3, 4])
    ordered = fm.FMClassifier(loss="ordinal", solver=fm.Gibbs(), rank=2, epochs=6).fit(X, y)
    ordered.save(path)
    one_less = {"classes.numbers": np.arange(3)}
    changed(path, lambda header, arrays: arrays.update(one_less))
    with pytest.raises(FileFormatError, match="not the cuts between them"):
        fm.load(path)
    two = fm.FMClassifier(solver=fm.Adam(), rank=2, epochs=2).fit(X, y > 1)
    two.save(path)
    changed(path, lambda header, arrays: header.update(loss="ordinal"))
    with pytest.raises(FileFormatError, match="not the cuts between them"):
        fm.load(path)
