"""The example that serves recommendations, where what it needs is installed."""

import importlib.util
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("httpx2")
from starlette.testclient import TestClient

EXAMPLE = Path(__file__).parents[2] / "examples" / "serve.py"


@pytest.fixture(scope="module")
def serve(tmp_path_factory):
    if not EXAMPLE.exists():
        pytest.skip("the examples are not beside the tests")
    spec = importlib.util.spec_from_file_location("serve", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.USERS, module.FILMS, module.WATCHED = 50, 40, 400
    module.folder = tmp_path_factory.mktemp("served")
    module.train(module.folder)
    return module


def test_answers_are_those_of_the_recommender(serve):
    expected = serve.read(serve.folder).recommend(["u3"], top=5)
    with TestClient(serve.application(serve.folder)) as client:
        found = client.get("/recommend", params={"user": "u3", "top": 5}).json()
        assert [one["film"] for one in found["items"]] == expected["film"].tolist()
        assert len(client.get("/recommend?user=somebody new").json()["items"]) == 10
        for wrong in ("", "?user=u3&top=0", "?user=u3&top=x", "?user=u3&top=101", "?user="):
            assert client.get(f"/recommend{wrong}").status_code == 400


def test_a_batch_gives_each_as_many_as_were_asked_for(serve):
    recommender = serve.read(serve.folder)
    lists = serve.answers(recommender, [("u1", 3), ("u2", 7), ("u1", 5)])
    assert [len(one) for one in lists] == [3, 7, 5]
    assert lists[0] == lists[2][:3]


def test_no_request_is_dropped_by_a_reload(serve):
    with TestClient(serve.application(serve.folder)) as client, ThreadPoolExecutor(8) as pool:
        stop, codes = threading.Event(), []

        def ask(number):
            while not stop.is_set():
                codes.append(client.get(f"/recommend?user=u{number}").status_code)

        asking = [pool.submit(ask, number) for number in range(6)]
        try:
            for _ in range(3):
                assert client.post("/reload").status_code == 200
        finally:
            stop.set()
        for one in asking:
            one.result()
    assert len(codes) > 6
    assert set(codes) == {200}


def test_an_error_is_that_of_its_batch_alone(serve, monkeypatch):
    with TestClient(serve.application(serve.folder), raise_server_exceptions=False) as client:
        with monkeypatch.context() as broken:
            broken.setattr(serve, "answers", lambda *_: 1 / 0)
            assert client.get("/recommend?user=u1").status_code == 500
        assert client.get("/recommend?user=u1").status_code == 200
