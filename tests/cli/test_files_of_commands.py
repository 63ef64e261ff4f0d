"""Files that commands read and write: tables of all kinds, several classes, some rows at a time."""

import gzip
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

import sparsefm as fm

pytest.importorskip("click")
pa = pytest.importorskip("pyarrow")
from sparsefm.cli.data import Data, of_chunks  # noqa: E402

FAST = "--search none --solver adam --quiet"


def parquet(name, table):
    import pyarrow.parquet as pq

    pq.write_table(table, name)


def arrow(name, table):
    with pa.ipc.new_file(name, table.schema) as writer:
        writer.write_table(table)


def tsv(name, table):
    import pyarrow.csv

    options = pyarrow.csv.WriteOptions(delimiter="\t")
    pyarrow.csv.write_csv(table, name, options)


@pytest.mark.parametrize("suffix", ["parquet", "arrow", "tsv"])
def test_tables_of_other_formats_are_as_csv(run, suffix):
    write = {"parquet": parquet, "arrow": arrow, "tsv": tsv}[suffix]
    for name in ("rows", "more", "new"):
        write(f"{name}.{suffix}", fm.read_table(f"{name}.csv"))
    for kind, model in (("csv", "a.st"), (suffix, "b.st")):
        files = f"rows.{kind} more.{kind} --valid more.{kind}"
        run(f"train {files} --target price --ignore late {FAST} -o {model}")
    found = run(f"predict b.st new.{suffix}").stdout
    assert found == run("predict a.st new.csv").stdout
    run(f"predict b.st new.{suffix} -o found.{suffix}")
    written = fm.read_table(f"found.{suffix}")["prediction"].to_pylist()
    assert written == pytest.approx(list(map(float, found.split())), rel=1e-6)
    assert run(f"explain b.st new.{suffix} --row 3 --json")["score"] == pytest.approx(
        written[3], rel=1e-3
    )


def test_rows_without_a_header(run):
    lines = Path("rows.csv").read_text().splitlines()[1:]
    text = "\n".join(line.replace(",", "\t") for line in lines)
    Path("day_0").write_bytes(gzip.compress(text.encode()))
    run(f"train day_0 --names numbered --target x2 --ignore x3 {FAST} -o a.st")
    run(f"train day_0 --names user,item,price,late --target price --ignore late {FAST} -o b.st")
    run(f"train rows.csv --target price --ignore late {FAST} -o c.st")
    assert fm.load("a.st").feature_names_in_.tolist() == ["x0", "x1"]
    found = run("predict a.st day_0 --names numbered").stdout
    assert found == run("predict b.st rows.csv").stdout == run("predict c.st rows.csv").stdout


def test_classes_of_text(run):
    for name in ("rows", "valid", "new"):
        data = fm.read(f"{name}.ffm")
        lines = Path(f"{name}.ffm").read_text().splitlines()
        users = np.asarray(data.X[:, :5].argmax(axis=1)).ravel()
        text = [f"{user % 3} {line[2:]}\n" for user, line in zip(users, lines, strict=True)]
        Path(f"{name}.ffm").write_text("".join(text))
    run(f"train rows.ffm --valid valid.ffm --task classification --variant fwfm {FAST} -o m.st")
    model = fm.load("m.st")
    assert model.classes_.tolist() == [0, 1, 2]
    assert len(model.encoder_.field_names_) == 2
    assert run("evaluate m.st valid.ffm --json")["accuracy"] == 1
    assert set(run("predict m.st new.ffm").stdout.split()) == {"0", "1", "2"}
    printed = run("predict m.st new.ffm --probabilities").stdout.splitlines()
    assert printed[0] == "0\t1\t2"
    Path("tail.ffm").write_text("1 0:1:1 1:7:1\n")  # where indices begin is known from the fit
    assert run("predict m.st tail.ffm").stderr == ""


@pytest.mark.parametrize("data", ["rows.svm", "rows.csv --target price --ignore late"])
def test_how_sure_predictions_are(run, data):
    search = "--search none " if "csv" in data else ""
    run(f"train {data} --solver gibbs --epochs 12 {search}-o m.st --quiet")
    new = "new.csv" if "csv" in data else "new.svm"
    found = run(f"predict m.st {new} --std --quantiles 0.1,0.9 --json")
    assert list(found) == ["prediction", "std", "q0.1", "q0.9"]
    model = fm.load("m.st")
    X = (
        fm.read_table(new, columns=["user", "item"])
        if "csv" in data
        else fm.read(new, n_features=11).X
    )
    mean, std = model.predict(X, return_std=True)
    np.testing.assert_allclose(found["prediction"], mean, rtol=1e-6)
    np.testing.assert_allclose(found["std"], std, rtol=1e-6)
    quantiles = model.predict_quantiles(X, [0.1, 0.9])
    np.testing.assert_allclose(found["q0.1"], quantiles[:, 0], rtol=1e-6)
    run(f"predict m.st {new} --quantiles 0.5 -o found.csv")
    assert fm.read_table("found.csv").column_names == ["prediction", "q0.5"]
    assert "quantile" in run(f"predict m.st {new} --quantiles 7", code=1).stderr
    run(f"predict m.st {new} --std --probabilities", code=2)
    run(f"train {data} --solver adam {search}-o m.st --quiet")
    assert "gibbs" in run(f"predict m.st {new} --std", code=2).stderr


@pytest.mark.parametrize("suffix", ["svm", "csv"])
def test_rows_are_predicted_some_at_a_time(run, suffix, monkeypatch):
    from sparsefm.cli import data
    from sparsefm.files import chunks, lines

    what = (
        "--task binary" if suffix == "svm" else f"--target late --ignore price --task binary {FAST}"
    )
    run(f"train rows.{suffix} {what} -o m.st --quiet")
    once = run(f"predict m.st rows.{suffix} new.{suffix}").stdout
    calls = []
    kind = fm.Model if suffix == "svm" else fm.FMClassifier
    predict = kind.predict

    def counted(self, X, **options):
        calls.append(X.shape[0])
        return predict(self, X, **options)

    monkeypatch.setattr(kind, "predict", counted)
    monkeypatch.setattr(data, "CHUNK", 64)
    monkeypatch.setattr(chunks, "pieces", lambda path: lines.pieces(path, 1000))
    for output in ("-", "found.csv", "found.parquet", "found.csv.gz"):
        calls.clear()
        printed = run(f"predict m.st rows.{suffix} new.{suffix} -o {output}").stdout
        assert len(calls) > 2
        assert max(calls) <= 100
        if output == "-":
            assert printed == once
        else:
            column = fm.read_table(output)["prediction"].to_pylist()
            assert [str(value) for value in column] == pytest.approx(once.split()) or np.allclose(
                column, list(map(float, once.split())), rtol=1e-6
            )


def test_a_wrong_guess_of_where_indices_begin_is_impossible_between_pieces(run, monkeypatch):
    from sparsefm.files import chunks, lines

    Path("late.svm").write_text("1 1:1 7:1\n" * 50 + "1 0:1 6:1\n")
    run("train rows.svm --task binary -o m.st --quiet")
    once = run("predict m.st late.svm").stdout
    monkeypatch.setattr(chunks, "pieces", lambda path: lines.pieces(path, 32))
    done = run("predict m.st late.svm")
    assert done.stdout == once
    assert done.stderr == ""
    Path("late.svm").write_text("1 1:1 7:1\n" * 50 + "1 0:1 6:x\n")
    assert "late.svm, line 51, column" in run("predict m.st late.svm", code=1).stderr


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with a name")
@pytest.mark.parametrize("suffix", ["svm", "csv"])
def test_what_can_be_read_only_once(run, suffix):
    what = "" if suffix == "svm" else f"--target price --ignore late {FAST}"
    run(f"train rows.{suffix} {what} -o m.st --quiet")
    os.mkfifo("pipe")
    content = Path(f"new.{suffix}").read_bytes()
    writer = threading.Thread(target=lambda: Path("pipe").write_bytes(content))
    writer.start()
    found = run("predict m.st pipe").stdout
    writer.join()
    assert found == run(f"predict m.st new.{suffix}").stdout


def test_the_list_of_commands_says_what_they_say_and_imports_none():
    from sparsefm.cli.group import COMMANDS, cli

    for name, (_, text) in COMMANDS.items():
        first = (cli.get_command(None, name).help or "").split(".")[0] + "."
        assert " ".join(first.split()) == text
    call = (
        "import sys; from sparsefm.cli.main import main; sys.argv = ['sparsefm', '--help']\n"
        "try: main()\n"
        "except SystemExit: print({'sklearn', 'pyarrow', 'pandas'} & sys.modules.keys())"
    )
    environment = {**os.environ}
    environment["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, filter(None, sys.path)))
    done = subprocess.run(
        [sys.executable, "-c", call], capture_output=True, text=True, env=environment, timeout=60
    )
    assert "set()" in done.stdout, done.stdout + done.stderr
    assert "evaluate  Print metrics" in done.stdout


def test_rows_that_stay_in_files(run):
    run("train rows.svm --valid valid.svm --task binary -o model.st --quiet")
    wanted = fm.load("model.st")
    run("train rows.svm --valid valid.svm --task binary --memory-budget 300000000 -o files.st")
    assert Path("rows.svm.sparsefm-rows").exists()
    run("convert rows.svm -o rows.rows --one-based --threads 1", code=1)  # there is an index 0
    run("convert rows.svm -o rows.rows --zero-based --dtype float32")
    run("convert valid.svm -o valid.rows --features 11")
    run("train rows.rows --valid valid.rows --task binary -o rows.st")
    for path in ("files.st", "rows.st"):
        found = fm.load(path)
        np.testing.assert_array_equal(found.V, wanted.V)
        assert found.history[-1].val_loss == wanted.history[-1].val_loss
    for flag in ("--one-based", "--format libffm"):
        done = run(f"train rows.rows --task binary -o a.st {flag}", code=1)
        assert "rows.rows was converted from" in done.stderr
    done = run("train - --task binary -o a.st --memory-budget 300000000", code=2)
    assert "standard input cannot go with --memory-budget" in done.stderr
    text = Path("rows.svm").read_text()
    run("convert - -o piped.rows", input=text)
    assert Path("piped.rows").read_bytes() == Path("rows.rows").read_bytes()


def test_flags_of_text_go_with_a_budget(run):
    Path("bad.svm").write_text(Path("rows.svm").read_text() + "what\n")
    flags = "--zero-based --format libsvm --max-bad-lines 1 --task binary"
    run(f"train bad.svm --valid valid.svm {flags} -o a.st")
    run(f"train bad.svm --valid valid.svm {flags} --memory-budget 300000000 -o b.st")
    a, b = fm.load("a.st"), fm.load("b.st")
    np.testing.assert_array_equal(a.V, b.V)
    assert a.history[-1].val_loss == b.history[-1].val_loss
    run("train bad.svm --task binary --memory-budget 300000000 -o b.st", code=1)


def test_training_on_text_goes_on_with_the_indices_of_the_model(run):
    run(f"train rows.svm --task classification {FAST} -o c.st")
    Path("tail.svm").write_text("1 1:1 6:1\n0 2:1 6:1\n" * 20)  # alone: with 1, seven features
    done = run("train tail.svm --task classification --init c.st --search none -o d.st")
    assert "no index is 0" not in done.stderr
    wanted = fm.load("c.st").set_params(warm_start=True).fit("tail.svm")
    found = fm.load("d.st")
    assert found.n_features_in_ == 11
    assert found._zero_based
    np.testing.assert_array_equal(found.predict_proba("new.svm"), wanted.predict_proba("new.svm"))
    run("train rows.svm --task binary -o m.st --quiet")
    done = run("train tail.svm --task binary --init m.st -o n.st")
    assert "no index is 0" in done.stderr
    done = run("train tail.svm --task binary --init m.st --one-based -o n.st")
    assert "no index is 0" not in done.stderr
    run(f"train rows.csv --target late {FAST} --task classification -o t.st")
    done = run("train tail.svm --task classification --init t.st -o d.st", code=1)
    assert "trained on a table" in done.stderr


def test_a_feature_of_the_model_to_go_on_from_cannot_be_left_out(run):
    run(f"train rows.csv --target price {FAST} -o a.st")
    for flags in ("--ignore user", "--weight item"):
        done = run(f"train more.csv --target price --init a.st {flags} {FAST} -o b.st", code=1)
        assert "is a feature of the model to go on from" in done.stderr
    done = run(f"train more.csv --target user --init a.st --ignore price {FAST} -o b.st", code=1)
    assert "column 'user' is a feature" in done.stderr


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "txt", "parquet", "arrow"])
def test_a_prediction_that_fails_leaves_the_old_file(run, suffix, monkeypatch):
    from sparsefm.cli import data

    monkeypatch.setattr(data, "CHUNK", 8)
    run(f"train rows.csv --target price --ignore late {FAST} --encoder-unknown error -o a.st")
    Path("bad.csv").write_text(Path("new.csv").read_text() + "u77,i5,1,yes\n")
    Path("none.csv").write_text("user,item\n")
    before = sorted(os.listdir())
    for name, told in (("new.csv bad.csv", "bad.csv: column"), ("none.csv", "is empty")):
        done = run(f"predict a.st {name} -o found.{suffix}", code=1)
        assert told in done.stderr
        assert sorted(os.listdir()) == before
    assert "in row 20," in run(f"predict a.st new.csv bad.csv -o x.{suffix}", code=1).stderr
    run(f"predict a.st new.csv -o found.{suffix}")
    old = Path(f"found.{suffix}").read_bytes()
    run(f"predict a.st new.csv bad.csv -o found.{suffix}", code=1)
    assert Path(f"found.{suffix}").read_bytes() == old


def test_outputs_that_are_refused(run):
    run(f"train rows.csv --target price --ignore late {FAST} -o a.st")
    Path("n.csv").write_bytes(Path("new.csv").read_bytes())
    for line in (
        "predict a.st n.csv -o ./n.csv",
        "predict a.st n.csv -o a.st",
        "predict a.st n*.csv -o n.csv",
        "predict a.st n.csv -o x.csv.zst",
        "predict a.st n.csv -o x.parquet.gz",
        f"train n.csv --target price {FAST} -o n.csv",
        f"train rows.csv --valid n.csv --target price {FAST} -o n.csv",
    ):
        assert "-o" in run(line, code=2).stderr
    assert Path("n.csv").read_bytes() == Path("new.csv").read_bytes()
    run(f"train more.csv --target price --ignore late --init a.st {FAST} -o a.st")


def test_labels_that_are_text_stay_text_where_all_look_like_numbers(run):
    Path("rows.csv").write_text("user,code\n" + "u1,007\nu2,A12\n" * 20)
    Path("some.csv").write_text("user,code\n" + "u1,007\n" * 5)
    run(f"train rows.csv --valid some.csv --target code --task classification {FAST} -o a.st")
    assert run("evaluate a.st some.csv --target code --json")["rows"] == 5
    model = fm.load("a.st")
    assert model.score("some.csv", "code") == 1
    model.set_params(warm_start=True).fit("some.csv", "code", eval_set=("some.csv", "code"))
    assert model.classes_.tolist() == ["007", "A12"]


def test_a_file_of_rows_is_predicted(run):
    run("train rows.svm --task binary -o m.st --quiet")
    run(f"train rows.svm --task classification {FAST} -o c.st")
    run("convert new.svm -o new.rows --zero-based")
    for model in ("m.st", "c.st"):
        assert run(f"predict {model} new.rows").stdout == run(f"predict {model} new.svm").stdout
        assert run(f"evaluate {model} new.rows --json") == run(f"evaluate {model} new.svm --json")


def test_a_file_of_rows_stays_in_it_while_it_is_predicted(run):
    n_rows, width = 150_000, 8  # more entries than are in memory at a time
    columns = np.arange(n_rows * width, dtype=np.int32) * 7 % 40
    ones, ends = np.ones(n_rows * width, np.float32), np.arange(0, n_rows * width + 1, width)
    X = sp.csr_matrix((ones, columns, ends))
    y = (np.arange(n_rows) % 7).astype(float)
    fm.convert(iter([(X, y)]), "many.rows")
    model = fm.train(X, y, rank=2, epochs=1)
    data = Data(("many.rows",))
    parts = list(of_chunks(data, model, lambda part: (part, model.predict(part))))
    assert len(parts) == 2
    assert max(part.nnz for part, _ in parts) <= 1 << 20
    found = np.concatenate([prediction for _, prediction in parts])
    np.testing.assert_array_equal(found, model.predict(X))
    model.save("many.st")
    lines = run("predict many.st many.rows").stdout.split()
    assert np.array_equal(np.array(lines, np.float32), found)


@pytest.mark.parametrize("kind", ["ffm", "svm"])
def test_a_file_of_rows_is_refused_as_its_text_is(run, kind):
    variant = "--variant ffm" if kind == "ffm" else ""
    run(f"train rows.{kind} --task classification {variant} {FAST} -o c.st")
    text = Path(f"new.{kind}").read_text()
    Path("other").write_text(text.replace(" 1:", " 2:") if kind == "ffm" else text + "1 77:1\n")
    run("convert other -o other.rows --zero-based")
    told = "is in field 2, but was in field 1 in the training" if kind == "ffm" else "features"
    for command in ("predict", "evaluate"):
        assert told in run(f"{command} c.st other.rows", code=1).stderr
    run("convert other -o one.rows --one-based", code=1)  # there is an index 0


def test_fields_of_libffm_must_be_those_of_the_training(run):
    text = Path("new.ffm").read_text()
    swapped = text.replace(" 1:", " 2:")
    Path("other.ffm").write_text(swapped)
    told = "is in field 2, but was in field 1 in the training"
    run("train rows.ffm --task binary --variant ffm -o m.st --quiet")
    run(f"train rows.ffm --task classification --variant ffm {FAST} -o c.st")
    for model in ("m.st", "c.st"):
        assert run(f"predict {model} new.ffm").stdout
        for command in ("predict", "evaluate"):
            assert told in run(f"{command} {model} other.ffm", code=1).stderr
    for task in ("binary", f"classification {FAST}"):
        line = f"train rows.ffm --valid other.ffm --task {task} --variant ffm -o x.st"
        assert told in run(line, code=1).stderr
    line = f"--task classification --init c.st --variant ffm {FAST} -o x.st"
    assert told in run(f"train other.ffm {line}", code=1).stderr
    Path("few.ffm").write_text("\n".join(text.splitlines()[:3]) + "\n1 2:13:1\n0 0:0:1\n")
    run(f"train few.ffm {line}")
    fields = fm.load("x.st").encoder_.fields_.tolist()
    assert fields == [0] * 5 + [1] * 6 + [0, 0, 2]


def test_the_package_is_a_command():
    environment = {**os.environ}
    environment["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, filter(None, sys.path)))
    call = [sys.executable, "-m", "sparsefm", "--version"]
    done = subprocess.run(call, capture_output=True, text=True, env=environment, timeout=60)
    assert done.stdout.startswith("sparsefm"), done.stderr
