"""Estimators on paths: the same bits as with the rows in memory."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

import sparsefm as fm

pd = pytest.importorskip("pandas")
pytest.importorskip("pyarrow")

COLUMNS = ["seat", "item", "price"]
QUICK = {"search": None, "solver": fm.Adam(), "epochs": 3}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Go to a folder of small data sets, in which a pair of user and item decides."""
    random = np.random.default_rng(0)
    for name, n_rows in (("train", 200), ("valid", 80), ("new", 30)):
        user, item = random.integers(0, 5, n_rows), random.integers(5, 11, n_rows)
        late = (user + item) % 2
        rows = list(zip(late, user, item, strict=True))
        for suffix, line in (("svm", "{} {}:1 {}:1\n"), ("ffm", "{} 0:{}:1 1:{}:1\n")):
            text = "".join(line.format(*row) for row in rows)
            (tmp_path / f"{name}.{suffix}").write_text(text)
        frame = pd.DataFrame({"seat": user, "item": item, "price": user * item / 10})
        frame = frame.assign(late=np.where(late == 1, "yes", "no"), weight=1 + user)
        frame["item"] = "i" + frame["item"].astype(str)
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
        frame.to_parquet(tmp_path / f"{name}.parquet")
    monkeypatch.chdir(tmp_path)


def rows(name, target, weight=None):
    frame = pd.read_csv(f"{name}.csv")
    out = [target] if weight is None else [target, weight]
    part = frame.drop(columns=out), frame[target]
    return part if weight is None else (*part, frame[weight])


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_table_is_as_in_memory(suffix):
    kind = fm.FMClassifier(**QUICK, early_stopping=False)
    model = kind.fit(f"train.{suffix}", "late", "weight", ("valid.csv", "late", "weight"))
    X, y, weight = rows("train", "late", "weight")
    assert model.feature_names_in_.tolist() == COLUMNS
    assert model.n_features_in_ == 3
    assert model.classes_.tolist() == ["no", "yes"]
    valid = rows("valid", "late", "weight")
    expected = fm.FMClassifier(**QUICK, early_stopping=False).fit(X, y, weight, valid)
    assert model.history_["val_loss"] == expected.history_["val_loss"]
    new, labels, weights = rows("new", "late", "weight")
    path = f"new.{suffix}"
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        found = getattr(model, method)(path)
        np.testing.assert_array_equal(found, getattr(expected, method)(new))
    assert model.score(path, "late", "weight") == expected.score(new, labels, weights)
    found, wanted = (one.interactions(3, X) for one, X in ((model, path), (expected, new)))
    assert found["strength"].tolist() == wanted["strength"].tolist()
    assert model.explain(path).describe(2) == expected.explain(new).describe(2)
    assert model.explain_fields(path).describe(2) == expected.explain_fields(new).describe(2)


def test_a_regressor_and_lists_of_files():
    model = fm.FMRegressor(search=None, solver=fm.Gibbs(), epochs=10)
    model.fit(["train.csv", "valid.csv"], "price")
    parts = [rows(name, "price") for name in ("train", "valid")]
    X, y = (pd.concat(part, ignore_index=True) for part in zip(*parts, strict=True))
    expected = fm.FMRegressor(search=None, solver=fm.Gibbs(), epochs=10).fit(X, y)
    new = rows("new", "price")
    for found, wanted in zip(
        model.predict("new.csv", return_std=True),
        expected.predict(new[0], return_std=True),
        strict=True,
    ):
        np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(
        model.predict_quantiles("new.csv"), expected.predict_quantiles(new[0])
    )
    assert model.score("new.csv", "price") == expected.score(*new)


@pytest.mark.parametrize("kind", [fm.FMClassifier, fm.FMRegressor])
def test_sparse_text_is_as_in_memory(kind, tmp_path):
    model = kind(**QUICK).fit("train.svm", eval_set=("valid.svm", None))
    train, valid, new = (fm.read(f"{n}.svm", n_features=11) for n in ("train", "valid", "new"))
    y = train.y.astype(int)
    expected = kind(**QUICK).fit(train.X, y, eval_set=(valid.X, valid.y.astype(int)))
    assert model.history_["val_loss"] == expected.history_["val_loss"]
    np.testing.assert_array_equal(model.predict("new.svm"), expected.predict(new.X))
    assert model.score("new.svm") == expected.score(new.X, new.y.astype(int))
    model.partial_fit("new.svm")
    np.testing.assert_array_equal(
        model.predict("valid.svm"), expected.partial_fit(new.X, new.y.astype(int)).predict(valid.X)
    )
    if kind is fm.FMClassifier:
        assert model.classes_.tolist() == [0, 1]


def test_where_indices_begin_is_known_from_the_fit(tmp_path):
    (tmp_path / "tail.svm").write_text("1 1:1 7:1\n0 2:1 6:1\n")  # a guess would say: with 1
    model = fm.FMClassifier(**QUICK).fit("train.svm")
    X = fm.read("tail.svm", zero_based=True, n_features=11).X
    model.save("model.st")
    for one in (model, fm.load("model.st")):
        np.testing.assert_array_equal(one.decision_function("tail.svm"), one.decision_function(X))
    fitted = fm.FMClassifier(**QUICK).fit("tail.svm", eval_set=("valid.svm", None))
    assert fitted.n_features_in_ == 11  # a 0 in either tells for both
    assert "_zero_based" not in vars(model.fit(X, [0, 1]))


def test_new_features_and_fields_join_in_partial_fit(tmp_path):
    (tmp_path / "more.ffm").write_text("1 0:3:1 2:14:1\n0 1:6:1 2:12:1\n")
    model = fm.FMRegressor(**QUICK).partial_fit("train.ffm").partial_fit("more.ffm")
    assert model.n_features_in_ == 15
    assert model.encoder_.fields_.tolist() == [0] * 5 + [1] * 6 + [0, 2, 0, 2]
    (tmp_path / "other.ffm").write_text("1 0:7:1\n")
    with pytest.raises(fm.FileFormatError, match="index 7 is in field 0, but was in field 1"):
        model.partial_fit("other.ffm")


@pytest.mark.parametrize("variant", ["fwfm", "ffm"])
def test_fields_of_libffm_are_those_of_the_model(variant):
    model = fm.FMRegressor(variant=variant, **QUICK).fit("train.ffm")
    data = fm.read("train.ffm")
    encoder = fm.TableEncoder(fields=data.fields)
    expected = fm.FMRegressor(variant=variant, encoder=encoder, **QUICK).fit(data.X, data.y)
    np.testing.assert_array_equal(
        model.predict("new.ffm"),
        expected.predict(data.X.__class__(fm.read("new.ffm", n_features=11).X)),
    )
    assert model.encoder_.field_names_ == ["field 0", "field 1"]
    own = fm.TableEncoder(fields=np.arange(11) % 3)
    model = fm.FMRegressor(variant=variant, encoder=own, **QUICK).fit("train.ffm")
    assert len(model.encoder_.field_names_) == 3


def test_text_stays_text_when_later_files_look_like_numbers(tmp_path):
    (tmp_path / "ids.csv").write_text("id,y\n" + "007,1\nA12,2\n" * 20)
    (tmp_path / "digits.csv").write_text("id\n007\n7\n")
    model = fm.FMRegressor(**QUICK).fit("ids.csv", "y")
    assert model.get_feature_names_out().tolist() == ["id=007", "id=A12"]
    known, unknown = model.predict("digits.csv")
    assert known == model.predict(pd.DataFrame({"id": ["007"]}))[0]
    assert unknown != known
    sets = {"one": ("ids.csv", "y"), "two": (["ids.csv", "ids.csv"], "y")}
    model = fm.FMRegressor(**QUICK).fit("ids.csv", "y", eval_set=sets)
    assert model.history_["one/rmse"] == pytest.approx(model.history_["two/rmse"])
    sets = [("ids.csv", "y"), ("ids.csv", "y")]
    assert "valid_1/rmse" in fm.FMRegressor(**QUICK).fit("ids.csv", "y", eval_set=sets).history_


def test_partial_fit_takes_columns_by_name(tmp_path):
    pd.read_csv("valid.csv").assign(hour=1.0).to_csv("more.csv", index=False)
    model = fm.FMClassifier(**QUICK).partial_fit("train.csv", "late", None, "weight")
    model.partial_fit("more.csv", "late", sample_weight="weight")
    assert model.feature_names_in_.tolist() == [*COLUMNS, "hour"]
    pd.read_csv("new.csv").assign(hour=2.0)[["hour", *COLUMNS[::-1]]].to_csv("x.csv", index=False)
    assert len(model.predict("x.csv")) == 30


def test_tables_in_chunks_are_as_in_memory():
    def chunks():
        return fm.read_table("train.csv", chunk_rows=64)

    whole = fm.read_table("train.csv").drop_columns("weight")
    model, expected = fm.FMClassifier(rank=2), fm.FMClassifier(rank=2)
    encoder = fm.TableEncoder()
    for begin, chunk in zip(range(0, 200, 64), chunks(), strict=True):
        part = whole[begin : begin + 64]
        chunk = chunk.drop_columns("weight")
        for one, rows in ((model, chunk), (expected, part)):
            one.partial_fit(rows.drop_columns("late"), rows["late"], classes=["no", "yes"])
        encoder.partial_fit(part.drop_columns("late"))
    np.testing.assert_array_equal(model.predict_proba("new.csv"), expected.predict_proba("new.csv"))

    def encoded(rows):
        late = np.array(rows["late"]) == "yes"
        return encoder.transform(rows.select(COLUMNS)), late.astype(float)

    settings = {"task": "binary", "rank": 2, "epochs": 2}
    found = fm.train(map(encoded, chunks()), memory_budget=256 << 20, **settings)
    np.testing.assert_array_equal(found.V, fm.train(*encoded(whole), **settings).V)


def test_training_goes_on_and_classes_are_numbers():
    model = fm.FMClassifier(**QUICK, warm_start=True).fit("train.csv", "seat")
    assert model.classes_.tolist() == [0, 1, 2, 3, 4]
    model.fit("valid.csv", "seat")
    assert model.n_iter_ == 3
    assert model.predict("new.csv").dtype == np.int64


@pytest.mark.parametrize(
    ("call", "error", "told"),
    [
        (lambda m: m.fit("train.csv"), fm.FileFormatError, "y must be the name of its target"),
        (lambda m: m.fit("train.csv", "nobody"), ValueError, "no column 'nobody'"),
        (lambda m: m.fit("train.csv", "late", "nobody"), ValueError, "no column 'nobody'"),
        (lambda m: m.fit("train.csv", [1, 0]), TypeError, "y must be the name of a column"),
        (lambda m: m.fit("nowhere.csv", "y"), FileNotFoundError, "nowhere"),
        (lambda m: m.fit("train.svm", None, "w"), TypeError, "sample_weight names a column"),
        (
            lambda m: m.fit([[1.0], [2.0]], [0, 1], eval_set=("valid.csv", "late")),
            ValueError,
            "eval_set names files, but X is none",
        ),
        (
            lambda m: m.fit("train.csv", "late", eval_set=([[1.0]], [0])),
            ValueError,
            "eval_set has rows",
        ),
        (lambda m: m.fit("train.csv", "late", eval_set="valid.csv"), TypeError, "eval_set must be"),
        (
            lambda m: m.fit("train.csv", "late", eval_set=("valid.csv", None)),
            TypeError,
            "eval_set needs the name",
        ),
        (
            lambda m: m.fit("train.svm", eval_set=("valid.svm", "late")),
            TypeError,
            "eval_set must be .path, None.",
        ),
        (lambda m: m.predict("new.csv"), NotFittedError, "not fitted"),
        (lambda m: m.score("new.csv", "late"), NotFittedError, "not fitted"),
        (lambda m: m.fit("train.csv", "late").score("new.csv"), TypeError, "y must be the name"),
        (lambda m: m.fit("train.svm").score("new.svm", "late"), TypeError, "y must be None"),
        (lambda m: m.fit("train.csv", "late").predict("new.svm"), ValueError, "no column 'seat'"),
        (lambda m: m.fit("train.svm").predict("new.csv"), fm.FileFormatError, "not a number"),
        (
            lambda m: m.fit([[1.0], [2.0]], [0, 1]).predict("new.csv"),
            TypeError,
            "fitted on columns without names",
        ),
    ],
)
def test_what_does_not_fit_is_refused(call, error, told):
    with pytest.raises(error, match=told):
        call(fm.FMClassifier(**QUICK))


def test_text_for_a_model_of_a_matrix_must_tell_where_indices_begin(tmp_path):
    (tmp_path / "tail.svm").write_text("1 1:1 7:1\n0 2:1 6:1\n")
    (tmp_path / "last.svm").write_text("1 1:1 11:1\n")  # of 11 features: with 1
    data = fm.read("train.svm")
    model = fm.FMClassifier(**QUICK, warm_start=True).fit(data.X, data.y)
    assert model.score("train.svm") == model.score(data.X, data.y)
    X = fm.read("last.svm", zero_based=False, n_features=11).X
    np.testing.assert_array_equal(model.decision_function("last.svm"), model.decision_function(X))
    for call in (model.predict, model.score, model.fit, model.partial_fit):
        with pytest.raises(ValueError, match="only a guess would tell"):
            call("tail.svm")


def test_fields_of_files_to_predict_are_checked(tmp_path):
    text = (tmp_path / "new.ffm").read_text()
    (tmp_path / "other.ffm").write_text(text.replace(" 1:", " 2:"))
    model = fm.FMClassifier(variant="ffm", **QUICK).fit("train.ffm")
    model.save("model.st")
    for one in (model, fm.load("model.st")):
        for call in (one.predict, one.score):
            with pytest.raises(fm.FileFormatError, match="is in field 2, but was in field 1"):
                call("other.ffm")
        assert len(one.predict("new.ffm")) == 30
