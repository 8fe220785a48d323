"""``newsmark.serve``: a server for as long as a block of Python runs."""

import re
import socket

import httpx
import pytest

import newsmark

TEXT, LANGUAGE = "Ministern lovar sänkta utsläpp. Dela artikeln", "sv"


def test_a_model_is_served_until_the_block_ends_even_by_an_error(baseline_run, store, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store["MLFLOW_TRACKING_URI"])
    run = re.search(r"run ([0-9a-f]{32})", baseline_run.stderr).group(1)
    with pytest.raises(ZeroDivisionError), newsmark.serve(run) as url:  # noqa: PT012 - the block is what is tested
        answer = httpx.post(f"{url}/invocations", json={"inputs": [{"text": TEXT, "lang": LANGUAGE}]}, timeout=60).raise_for_status().json()
        raise ZeroDivisionError
    (found,) = answer["predictions"]
    model = newsmark.load(run)
    assert found["model_version"] == model.version
    assert [passage["labels"] for passage in found["passages"]] == [passage.labels for passage in model.predict(TEXT, lang=LANGUAGE)]
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/ping")


def test_a_server_that_does_not_start_says_why(tmp_path):
    with pytest.raises(newsmark.NewsmarkError, match=rf"^{tmp_path}/nothing: no such model folder"), newsmark.serve(tmp_path / "nothing"):
        pytest.fail("there is no such model")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(newsmark.NewsmarkError, match=rf"^127\.0\.0\.1:{port}: .*choose another --host or --port"), newsmark.serve(tmp_path, port=port):
            pytest.fail("the port is in use")
