"""``predict --url``: the rows of a server are those of ``predict``, whatever happens to the server meanwhile."""

import json
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("champion")
ARTICLE = Path("seeds/001_de0bcf51e6ff2360.txt")
TOKEN = "ett hemligt lösenord"


def test_predict_by_url_prints_what_predict_prints(server, command, store, champion, tmp_path):
    rows = [{"text": f"Rad {number} av {'många' * (number % 3)} {number * 7}.", "document": f"d{number // 40}", "own": number} for number in range(700)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    paths = ["seeds/003_351322b492e975e1.txt", ARTICLE, tmp_path / "rows.jsonl"]
    local = command("models", *paths, "--model", champion, "--threshold", "0.4", env=store)
    served = command("models", *paths, "--url", server.http.base_url, "--threshold", "0.4", env=store)  # more inputs than it takes at once
    assert served.returncode == 0, served.stderr
    assert served.stdout == local.stdout
    assert len(local.stdout.splitlines()) > 720


def test_predict_by_url_waits_for_a_busy_server(serve, store, command, tmp_path):
    server = serve(tmp_path, store, "--queue", "1")
    try:
        with ThreadPoolExecutor(4) as several:
            done = list(several.map(lambda _: command("models", "seeds", "--url", server.http.base_url, env=store), range(4)))
        assert [one.returncode for one in done] == [0] * 4, [one.stderr for one in done]
        assert len({one.stdout for one in done}) == 1
    finally:
        assert server.stop() == 0


def test_predict_by_url_goes_on_when_a_server_comes_back(serve, store, command, tmp_path):
    server = serve(tmp_path, store)
    port = server.port
    server.stop()
    with ThreadPoolExecutor(1) as other:
        asked = other.submit(command, "models", ARTICLE, "--url", f"http://127.0.0.1:{port}", env=store)
        again = serve(tmp_path, store, port=port)
        done = asked.result()
    assert again.stop() == 0
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 20


def test_predict_by_url_goes_on_after_a_kill(server, store, command, tmp_path):
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"text": f"Rad {number} lovar {number * 7} procent."}) + "\n" for number in range(20_000)))
    arguments = [tmp_path / "rows.jsonl", "--url", server.http.base_url, "--output"]
    assert command("models", *arguments, tmp_path / "whole.jsonl", env=store).returncode == 0
    process = subprocess.Popen([sys.executable, "-m", "models", *map(str, arguments), str(tmp_path / "out.jsonl")], env=store)
    part = tmp_path / "out.jsonl.part"
    while process.poll() is None and (not part.exists() or not part.stat().st_size):
        time.sleep(0.002)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    done = command("models", *arguments, tmp_path / "out.jsonl", "--resume", env=store)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def last_line(text):
    return text.rstrip("\n").rpartition("\n")[2]


def test_predict_by_url_reports_in_one_line_what_is_wrong(serve, store, command, tmp_path):
    server = serve(tmp_path, {**store, "NEWSMARK_TOKEN": TOKEN}, "--allowed-hosts", "127.0.0.1")
    try:
        url = str(server.http.base_url)
        assert command("models", ARTICLE, "--url", url, env={**store, "NEWSMARK_TOKEN": f" {TOKEN}\n"}).returncode == 0
        broken = command("models", ARTICLE, "--url", url, env={**store, "NEWSMARK_TOKEN": "hemligt\nord"})
        assert (broken.returncode, broken.stderr) == (2, "predict: error: NEWSMARK_TOKEN holds a character that no header can carry; give it on one line\n")
        secret = command("models", ARTICLE, "--url", url.replace("//", "//me:s3cret@"), env=store)
        assert (secret.returncode, last_line(secret.stderr)) == (1, f"predict: error: {url} asks for a token; set NEWSMARK_TOKEN to it")
        assert "s3cret" not in secret.stderr
        for env in (store, {**store, "NEWSMARK_TOKEN": "wrong one"}):
            done = command("models", ARTICLE, "--url", url, env=env)
            assert (done.returncode, last_line(done.stderr)) == (1, f"predict: error: {url} asks for a token; set NEWSMARK_TOKEN to it")
        wrong = command("models", ARTICLE, "--url", f"{url}/nothing", env=store)
        refused = f"predict: error: {url}/nothing refused with status 404: there is nothing here; POST to /invocations"
        assert (wrong.returncode, last_line(wrong.stderr)) == (1, refused)
        other = url.replace("127.0.0.1", "localhost")
        foreign = command("models", ARTICLE, "--url", other, env=store)
        refused = f"predict: error: {other} is not the name that the server goes by; start it with this name among its --allowed-hosts"
        assert (foreign.returncode, last_line(foreign.stderr)) == (1, refused)
    finally:
        assert server.stop() == 0
    for bad in ("localhost:5001", "ftp://a"):
        done = command("models", ARTICLE, "--url", bad, env=store)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
