"""The commands that train, predict, evaluate, inspect and explain: as the library does."""

from pathlib import Path

import numpy as np
import pytest

import sparsefm as fm

pytest.importorskip("click")
pd = pytest.importorskip("pandas")

PLAIN = "train rows.svm --task binary -o model.st --quiet"
TABLE = (
    "train rows.csv --ignore late --target price --search none --solver adam -o price.st --quiet"
)


def test_text_is_trained_on_as_by_train(run):
    run(
        "train rows.svm --valid valid.svm --task binary --solver adagrad --learning-rate 0.2 "
        "--rank 3 --epochs 4 --seed 5 --no-shuffle --dtype float64 -o model.st"
    )
    expected = fm.train(
        "rows.svm",
        X_val="valid.svm",
        task="binary",
        solver=fm.AdaGrad(learning_rate=0.2),
        rank=3,
        epochs=4,
        seed=5,
        shuffle=False,
        dtype="float64",
    )
    found = fm.load("model.st")
    assert found.V.tobytes() == expected.V.tobytes()
    assert found.history[-1].val_loss == expected.history[-1].val_loss


def test_predictions_are_those_of_the_model(run):
    run(PLAIN)
    expected = fm.load("model.st").predict(fm.read("new.svm", n_features=11).X)
    printed = run("predict model.st new.svm").stdout
    np.testing.assert_array_equal(np.array(printed.split(), np.float32), expected)
    run("predict model.st new.svm -o new.csv --probabilities")
    table = pd.read_csv("new.csv")
    np.testing.assert_allclose(table["1"], expected, rtol=1e-6)
    np.testing.assert_allclose(table["0"] + table["1"], 1, rtol=1e-6)
    found = run("predict model.st new.svm --json")["prediction"]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_metrics_of_a_model_are_those_of_its_training(run):
    trained = run("train rows.svm --valid valid.svm --task binary -o model.st --json")
    found = run("evaluate model.st valid.svm --json")
    assert found["rows"] == 80
    for name in ("log_loss", "accuracy", "auc"):
        assert found[name] == pytest.approx(trained[name], rel=1e-6)
    assert found["auc"] > 0.9


@pytest.mark.parametrize("solver", ["adam", "gibbs", "als"])
def test_metrics_of_numbers(run, solver):
    run(f"train rows.svm --solver {solver} -o model.st --quiet")
    data = fm.read("valid.svm", n_features=11)
    errors = data.y - fm.load("model.st").predict(data.X)
    found = run("evaluate model.st valid.svm --json")
    assert found["rmse"] == pytest.approx(np.sqrt(np.mean(errors**2)), rel=1e-6)
    assert found["mae"] == pytest.approx(np.mean(np.abs(errors)), rel=1e-6)
    assert found["r2"] == pytest.approx(1 - np.mean(errors**2) / np.var(data.y), rel=1e-6)


def test_sampled_probabilities_and_ordered_classes(run):
    for task in ("binary", "ordinal"):
        run(f"train rows.svm --task {task} --solver gibbs --epochs 8 -o model.st --quiet")
        data = fm.read("valid.svm", n_features=11)
        found = fm.load("model.st").predict(data.X)
        if task == "binary":
            found = np.column_stack([1 - found, found])
        truth = found[np.arange(len(data.y)), data.y.astype(int)]
        metrics = run("evaluate model.st valid.svm --json")
        assert metrics["log_loss"] == pytest.approx(-np.mean(np.log(truth)), rel=1e-4)


def test_tables_are_trained_on_as_by_the_estimators(run):
    run(TABLE + " --epochs 4,2 --encoder-categorical user")
    rows = pd.read_csv("rows.csv")
    expected = fm.FMRegressor(
        search=None,
        solver=fm.Adam(),
        epochs=[4, 2],
        encoder=fm.TableEncoder(categorical=["user"]),
    ).fit(rows[["user", "item"]], rows["price"])
    new = pd.read_csv("new.csv")
    run("predict price.st new.csv -o found.csv")
    found = pd.read_csv("found.csv")["prediction"]
    np.testing.assert_array_equal(found, expected.predict(new[["user", "item"]]))
    metrics = run("evaluate price.st valid.csv --target price --json")
    valid = pd.read_csv("valid.csv")
    assert metrics["r2"] == pytest.approx(expected.score(valid[["user", "item"]], valid["price"]))


def test_classes_of_a_table(run):
    line = (
        "train rows.csv --target late --ignore price --task binary --search none -o late.st --json"
    )
    assert run(line)["task"] == "classification, 2 classes"
    assert set(run("predict late.st new.csv").stdout.split()) == {"yes", "no"}
    printed = run("predict late.st new.csv --probabilities").stdout.splitlines()
    assert printed[0] == "no\tyes"
    assert len(printed) == 21
    found = run("evaluate late.st valid.csv --target late --json")
    assert found["auc"] > 0.9
    assert set(found) == {"rows", "log_loss", "accuracy", "auc"}
    run("train rows.csv --target user --task binary -o late.st", code=1)


def test_parquet_and_weights(run):
    pytest.importorskip("pyarrow")
    rows = pd.read_csv("rows.csv").assign(weight=2.0)
    rows.to_parquet("rows.parquet")
    line = "--target price --ignore late --search none --solver adam --quiet"
    run(f"train rows.parquet {line} --weight weight -o weighted.st")
    run(f"train rows.csv rows.csv {line} -o twice.st")
    run("predict weighted.st new.csv -o new.parquet")
    run("predict twice.st new.csv -o twice.csv")
    found, expected = pd.read_parquet("new.parquet"), pd.read_csv("twice.csv")
    np.testing.assert_array_equal(found["prediction"], expected["prediction"])


def test_standard_input_and_output(run):
    rows, new, table = (Path(n).read_bytes() for n in ("rows.svm", "new.svm", "rows.csv"))
    run(PLAIN)
    piped = run("train - --task binary --quiet -o -", input=rows).stdout_bytes
    assert fm.load("model.st").history[-1].train_loss < 0.5
    Path("piped.st").write_bytes(piped)
    assert fm.load("piped.st").V.tobytes() == fm.load("model.st").V.tobytes()
    expected = run("predict model.st new.svm").stdout
    assert run("predict piped.st -", input=new).stdout == expected
    run(TABLE.replace("rows.csv", "-"), input=table)


def test_inspect_tells_what_is_in_a_file(run):
    run("train rows.ffm --task binary --variant ffm --rank 2 -o model.st --quiet")
    found = run("inspect model.st --data rows.ffm --top 3 --json")
    assert (found["kind"], found["fields"], found["rank"]) == ("FieldAwareModel", 2, 2)
    assert found["features"] == 11
    assert found["epochs"] == 10
    strength = found["interactions"]["strength"]
    assert strength == sorted(strength, reverse=True)
    assert len(strength) == 3
    assert "--data ranks" in run("inspect model.st").stdout
    run(TABLE + " --keep-training-rows")
    found = run("inspect price.st --json")
    assert found["columns"] == "user, item"
    assert found["settings"]["rank"] == 8
    assert found["interactions"]["first"][0].startswith("user=")
    assert "item=i10" in run("inspect price.st").stdout


@pytest.mark.parametrize("variant", ["fm", "fwfm", "ffm"])
def test_an_explanation_adds_up_to_the_score(run, variant):
    run(f"train rows.ffm --variant {variant} -o model.st --quiet")
    expected = fm.load("model.st").predict(fm.read("new.ffm", n_features=11).X)[3]
    found = run("explain model.st new.ffm --row 3 --json")
    assert found["score"] == pytest.approx(expected, rel=1e-5)
    assert sum(found["contribution"]) == pytest.approx(expected, rel=1e-5)
    assert "= score of row 3" in run("explain model.st new.ffm --row 3").stdout
    assert "20 rows" in run("explain model.st new.ffm --row 20", code=1).stderr
    run(TABLE)
    found = run("explain price.st new.csv --json")
    assert any(name.startswith("user=") for name in found["first"])


def test_training_goes_on(run):
    run("train rows.svm --epochs 6 -o whole.st --quiet")
    run("train rows.svm --epochs 3 -o part.st --checkpoint c.st --quiet")
    run("train rows.svm --epochs 6 -o part.st --checkpoint c.st --resume --quiet")
    assert fm.load("part.st").V.tobytes() == fm.load("whole.st").V.tobytes()
    assert run("inspect c.st --json")["checkpoint"] is True
    first = fm.train("rows.svm", epochs=6)
    run("train rows.svm --init whole.st --epochs 2 -o part.st --quiet")
    expected = fm.train("rows.svm", init=first, epochs=2)
    assert fm.load("part.st").V.tobytes() == expected.V.tobytes()
    run(TABLE)
    run(TABLE + " --init price.st --epochs 2")
    assert fm.load("price.st").n_iter_ == 2
    assert "FMRegressor" in run("train rows.svm --init price.st -o m.st", code=1).stderr


def test_patience_stops_on_text(run):
    run(PLAIN + " --valid rows.svm --epochs 200 --patience 1 --learning-rate 0.9")
    assert len(fm.load("model.st").history) < 200
    run(PLAIN + " --patience 1", code=2)


def test_indices_begin_alike_in_all_files(run):
    """A file in which feature 0 does not occur is not shifted beside one in which it does."""
    Path("tail.svm").write_text("1 1:1 7:1\n0 1:1 6:1\n")
    run("train tail.svm --valid valid.svm --task binary -o model.st --quiet")
    assert fm.load("model.st").n_features == 11
    assert not fm.load("model.st").V[0].any()
    assert fm.load("model.st").V[1].any()
    guessed = run("predict model.st tail.svm")
    assert "--zero-based" in guessed.stderr
    settled = run("predict model.st tail.svm --zero-based")
    assert settled.stderr == ""
    assert settled.stdout != guessed.stdout
