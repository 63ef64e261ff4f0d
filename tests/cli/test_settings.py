"""The flags of ``sparsefm train``: every setting has one, and what does not fit is refused."""

import inspect
import sys

import pytest

import sparsefm as fm

pytest.importorskip("click")
pytest.importorskip("pandas")

NOT_FLAGS = {"callbacks", "warm_start", "sample_weight", "encoder", "resume"}
RENAMED = {"n_threads": "threads", "random_state": "seed"}


def flags():
    from sparsefm.cli.training import train_

    return {flag for option in train_.params for flag in option.opts}


@pytest.mark.parametrize(
    "owner",
    [fm.train, fm.FMRegressor, fm.FMClassifier, fm.Adam, fm.AdaGrad, fm.Gibbs, fm.ALS],
)
def test_every_setting_has_a_flag(owner):
    parameters = inspect.signature(owner).parameters.values()
    names = {one.name for one in parameters if one.kind is one.KEYWORD_ONLY} - NOT_FLAGS
    assert names
    for name in names:
        assert f"--{RENAMED.get(name, name).replace('_', '-')}" in flags()


def test_every_setting_of_the_encoder_has_a_flag():
    for name in inspect.signature(fm.TableEncoder).parameters:
        assert f"--encoder-{name.replace('_', '-')}" in flags()
    assert "--loss-delta" in flags()


def test_the_help_has_words_for_every_flag():
    from sparsefm.cli.settings import MAIN, OF_ENCODER, OF_LOSSES, OF_SOLVERS

    for group in (MAIN, OF_SOLVERS, OF_ENCODER, OF_LOSSES):
        for setting in group.values():
            assert setting.help, setting.flag
            assert "`" not in setting.help
            assert ":math:" not in setting.help


@pytest.mark.parametrize(
    ("rest", "told"),
    [
        ("rows.svm", "--output"),
        ("rows.svm -o m.st --task many", "--task"),
        ("rows.svm -o m.st --solver als --learning-rate 1", "--learning-rate is a setting of"),
        ("rows.svm -o m.st --search fast", "--search is a setting of"),
        ("rows.svm -o m.st --class-weight balanced", "--class-weight is a setting of"),
        ("rows.svm -o m.st --encoder-n-bins 4", "is for tables"),
        ("rows.svm -o m.st --target late", "is for tables"),
        ("rows.svm -o m.st --keep-training-rows", "is for tables"),
        ("rows.svm -o m.st --loss-delta 2", "--loss-delta needs --loss huber"),
        ("rows.svm -o m.st --resume", "--checkpoint"),
        ("rows.svm -o nowhere/m.st", "no folder"),
        ("rows.csv -o m.st", "--target"),
        ("rows.csv -o m.st --target price --learning-rate 1", "needs --solver"),
        ("rows.csv -o m.st --target price --no-shuffle", "--shuffle is a setting of train"),
        ("rows.csv -o m.st --target price --valid valid.svm", "--valid"),
        ("rows.csv rows.svm -o m.st --target price", "all"),
    ],
)
def test_what_does_not_fit_is_refused_before_any_work(run, rest, told, folder):
    assert told in run(f"train {rest}", code=2).stderr
    assert not (folder / "m.st").exists()


def test_a_file_of_settings(run, folder):
    pytest.importorskip("tomllib")
    (folder / "settings.toml").write_text(
        'task = "binary"\nsolver = "adam"\nlearning-rate = 0.02\nrank = 3\nvalid = "valid.svm"\n'
    )
    run("train rows.svm --config settings.toml --rank 2 -o model.st --quiet")
    expected = fm.train("rows.svm", task="binary", solver=fm.Adam(learning_rate=0.02), rank=2)
    assert fm.load("model.st").V.tobytes() == expected.V.tobytes()
    assert fm.load("model.st").history[-1].val_loss is not None
    (folder / "table.toml").write_text(
        'target = "price"\noutput = "price.st"\nepochs = [3, 1]\nsearch = "none"\nsolver = "adam"\n'
        '[encoder]\nhashed = {user = 4}\ncategorical = ["item"]\n'
    )
    run("train rows.csv --config table.toml --quiet")
    model = fm.load("price.st")
    assert model.encoder.hashed == {"user": 4}
    assert model.epochs == [3, 1]


@pytest.mark.parametrize(
    ("text", "told"), [("rnak = 3", "'rnak'"), ("rank = ", "is no TOML"), ("rank = 'x'", "rank")]
)
def test_a_wrong_file_of_settings(run, folder, text, told):
    pytest.importorskip("tomllib")
    (folder / "settings.toml").write_text(text)
    assert told in run("train rows.svm --config settings.toml -o m.st", code=2).stderr
    assert "nowhere" in run("train rows.svm --config nowhere.toml -o m.st", code=2).stderr


def test_without_tomllib_there_is_a_message(run, folder, monkeypatch):
    (folder / "settings.toml").write_text("rank = 3")
    monkeypatch.setitem(sys.modules, "tomllib", None)
    assert "Python 3.11" in run("train rows.svm --config settings.toml -o m.st", code=2).stderr


def test_values_that_are_nested_are_json(run):
    run(
        [
            *("train", "rows.csv", "--target", "late", "--task", "classification", "--search"),
            *("none", "--solver", "adam", "--variant", "fwfm", "-o", "m.st", "--quiet"),
            *("--pairs", '[["user", "item"]]', "--class-weight", '{"yes": 2}'),
            *("--encoder-numeric", '{"price": "spline"}'),
        ]
    )
    model = fm.load("m.st")
    assert model.class_weight == {"yes": 2}
    assert model.encoder.numeric == {"price": "spline"}
    assert list(map(list, model.pairs)) == [["user", "item"]]
